"""The stimuli of cell types as files for a display."""

from __future__ import annotations

import argparse
from pathlib import Path

NAME = "export-stimuli"
HELP = "write the stimuli of cell types for a display"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("fit", type=Path, help="for example results/E/celltypes/fit.h5")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder (default: stimuli beside the fit)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write them and name the files."""
    from pipeline.stages.typing_new import export_stimuli

    for path in export_stimuli(
        arguments.fit, folder=arguments.out or arguments.fit.parent / "stimuli"
    ):
        print(path)
    return 0
