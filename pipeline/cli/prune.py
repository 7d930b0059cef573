"""Results deleted that no later run needs."""

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
from pipeline.stages.pruning import prune_results, prune_what_is_not_in_sheet

NAME = "prune"
HELP = "delete, to save space, the parts of fits that are joined, and views no longer asked for"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_settings_arguments(parser, default=Path("config.yaml"))
    add_directory_argument(parser)
    parser.add_argument(
        "--not-in-sheet",
        action="store_true",
        help="also results of recordings and experiments that the sheet no longer names",
    )


def run(arguments: argparse.Namespace) -> int:
    """Delete them and say how much they took."""
    project = load_project(arguments.configfile, overrides(arguments.config))
    out = arguments.directory / project.settings.out
    refuse_beside_others(out)
    freed = prune_results(project, out)
    if arguments.not_in_sheet:
        freed |= prune_what_is_not_in_sheet(project, out)
    print(f"{sum(freed.values()) / 1e6:.1f} MB in {len(freed)} files")
    return 0
