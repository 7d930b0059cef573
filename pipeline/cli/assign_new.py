"""New units typed by their answers to the stimuli of the types."""

from __future__ import annotations

import argparse
from pathlib import Path

NAME = "assign-new"
HELP = "type new units by their answers to the types' stimuli"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("fit", type=Path, help="for example results/E/celltypes/fit.h5")
    parser.add_argument(
        "responses",
        type=Path,
        help="tab-separated: unit, type (whose stimulus was shown, from 1), response; a row a "
        "showing",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="table to write (default: RESPONSES with .types.tsv at its end)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the resampling (default: 0)")


def run(arguments: argparse.Namespace) -> int:
    """Type them and say how many have a type."""
    from pipeline.stages.typing_new import assign_new

    output = arguments.out or arguments.responses.with_suffix(".types.tsv")
    found = assign_new(arguments.fit, arguments.responses, output=output, seed=arguments.seed)
    print(f"{int(found['type'].notna().sum())} of {len(found)} units have a type: {output}")
    return 0
