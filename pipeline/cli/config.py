"""All settings with their explanations, and the files made from them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipeline.cli.settings_arguments import add_settings_arguments, overrides
from pipeline.config import load_config
from pipeline.config.reference import settings_yaml
from pipeline.stages.reference import PROJECT_FOLDER, stale_files, write_files

NAME = "config"
HELP = "print all settings with their explanations; keep the files made from them in step"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_settings_arguments(parser, default=None)
    action = parser.add_mutually_exclusive_group()
    action.add_argument(
        "--write", action="store_true", help="write docs/settings.md and workflow/schemas/*.json"
    )
    action.add_argument(
        "--check", action="store_true", help="say whether these files are in step; 1 if not"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the defaults, or the values of a settings file; or write or compare the files."""
    if arguments.write:
        for path in write_files(PROJECT_FOLDER):
            print(path)
        return 0
    if arguments.check:
        differences = stale_files(PROJECT_FOLDER)
        for difference in differences.values():
            print(difference, file=sys.stderr)
        return 1 if differences else 0
    given = overrides(arguments.config)
    values = None
    if arguments.configfile is not None or given:
        values = load_config(arguments.configfile or Path("config.yaml"), given).as_dict()
    print(settings_yaml(values), end="")
    return 0
