"""What an NWB file offers, and the line of the sheet that reads it."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

NAME = "inspect"
HELP = "what an NWB file offers, and its line for the recording sheet"

_LONGEST_ID = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("file", type=Path, metavar="FILE.nwb")
    parser.add_argument("--experiment", help="id for the sheet's line (default: from the name)")
    parser.add_argument("--recording", help="id for the sheet's line (default: from the name)")


def run(arguments: argparse.Namespace) -> int:
    """Print what the file offers."""
    from pipeline.core.errors import PipelineError
    from pipeline.io.nwb.inspect import describe, inspect_file
    from pipeline.stages.own_process import in_own_process

    ids = suggested_ids(arguments.file)
    experiment, recording = arguments.experiment or ids[0], arguments.recording or ids[1]
    try:
        contents = in_own_process(lambda: inspect_file(arguments.file))
    except PipelineError as error:
        file = str(arguments.file)
        raise error.at(experiment=f"{experiment}/{recording}", file=file, place=file) from error
    print(describe(contents, experiment=experiment, recording=recording))
    return 0


def suggested_ids(path: Path) -> tuple[str, str]:
    """Experiment and recording id from a file name.

    The recording is the whole name, the experiment its part before the first ``_``, which in
    names such as ``sub-A_ses-1.nwb`` is the animal.
    """
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", path.name.removesuffix(".nwb")).strip("-_")
    recording = name[:_LONGEST_ID] or "recording"
    return recording.partition("_")[0], recording
