"""Which results are not those of today's code and settings."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.cli.settings_arguments import add_settings_arguments, overrides
from pipeline.stages.check import load_project

NAME = "status"
HELP = "list results that were made by other code or settings than today's"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_settings_arguments(parser, default=Path("config.yaml"))


def run(arguments: argparse.Namespace) -> int:
    """Print them, one a line, with the reasons."""
    from pipeline.stages.lineage import outdated

    project = load_project(arguments.configfile, overrides(arguments.config))
    out = Path(project.settings.out)
    found = outdated(project.settings, out, list(project.experiments))
    for age in found:
        print(f"{age.path}: {'; '.join(age.reasons)}")
    print(
        f"{len(found)} results of other code or settings." if found else "All results are current."
    )
    return 0
