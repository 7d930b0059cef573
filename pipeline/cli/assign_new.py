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
        "showing; or an NWB file whose trials say 'type 1', 'type 2', ...",
    )
    parser.add_argument("--intervals", default="", help="table of trials in the NWB file")
    parser.add_argument(
        "--condition",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="columns of that table that name the stimulus",
    )
    parser.add_argument("--series", default="", help="series of traces in the NWB file")
    parser.add_argument(
        "--window",
        nargs=2,
        type=float,
        metavar=("START", "STOP"),
        help="when units answer, in seconds from the start of a trial (default: the frames that "
        "counted for the stimulus, or the whole trial)",
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
    from pipeline.io.nwb.options import ReadOptions
    from pipeline.stages.typing_new import assign_new

    output = arguments.out or arguments.responses.with_suffix(".types.tsv")
    found = assign_new(
        arguments.fit,
        arguments.responses,
        output=output,
        seed=arguments.seed,
        options=ReadOptions(
            intervals=arguments.intervals,
            condition=tuple(arguments.condition),
            series=arguments.series,
        ),
        window_s=tuple(arguments.window) if arguments.window else None,
    )
    print(f"{int(found['type'].notna().sum())} of {len(found)} units have a type: {output}")
    return 0
