"""Records of failures removed, so that what failed is tried again."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.cli.settings_arguments import (
    add_directory_argument,
    add_settings_arguments,
    overrides,
)
from pipeline.stages.check import load_project
from pipeline.stages.claims import refuse_beside_others
from pipeline.stages.forget import forget_failed

NAME = "forget-failed"
HELP = "delete result files that only record a failure, so that the next run tries again"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_settings_arguments(parser, default=Path("config.yaml"))
    add_directory_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Delete them and name them."""
    project = load_project(arguments.configfile, overrides(arguments.config))
    out = arguments.directory / project.settings.out
    refuse_beside_others(out)
    for path in forget_failed(out, experiments=project.experiments):
        print(path)
    return 0
