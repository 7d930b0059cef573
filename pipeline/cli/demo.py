"""Simulated recordings with known truth."""

from __future__ import annotations

import argparse
from pathlib import Path

NAME = "demo"
HELP = "write simulated recordings, with what was planted in them, and their sheet"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("data/simulated"),
        metavar="DIR",
        help="folder to write to (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the simulated recordings, unless they are there, and name their sheet."""
    from pipeline.stages.demo import write_demo

    print(write_demo(arguments.out))
    return 0
