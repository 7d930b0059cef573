"""Which results are not those of today's code, settings and inputs."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.cli.settings_arguments import (
    add_directory_argument,
    add_settings_arguments,
    overrides,
)
from pipeline.stages.check import load_project

NAME = "status"
HELP = "list results of other code, settings or inputs than today's, and what was made of them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_settings_arguments(parser, default=Path("config.yaml"))
    add_directory_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print them, one a line, with the reasons."""
    from pipeline.stages.status import outdated

    project = load_project(arguments.configfile, overrides(arguments.config))
    out = arguments.directory / project.settings.out
    found = outdated(project, out)
    if found is None:
        print(f"No results at {out}.")
        return 0
    for age in found:
        print(f"{age.path}: {'; '.join(age.reasons)}")
    print(
        f"{len(found)} results of other code, settings or inputs."
        if found
        else "All results are current."
    )
    return 0
