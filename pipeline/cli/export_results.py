"""Results of an experiment as NWB files."""

from __future__ import annotations

import argparse
from pathlib import Path

NAME = "export-results"
HELP = "write recordings with all results of an experiment as new NWB files"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("folder", type=Path, help="results of an experiment, such as results/E")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder (default: nwb among the results)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write them and name the files."""
    from pipeline.stages.export_results import export_results

    folder = arguments.folder
    for path in export_results(folder, output=arguments.out or folder / "nwb"):
        print(path)
    return 0
