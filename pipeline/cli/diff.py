"""Two folders of results, held against each other."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

NAME = "diff"
HELP = "what differs between two folders of results: versions, settings, inputs, headline numbers"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("one", type=Path, help="a folder with a finished run")
    parser.add_argument("other", type=Path, help="another one")


def run(arguments: argparse.Namespace) -> int:
    """Print one line a difference; 1 when there is any."""
    from pipeline.stages.comparison import result_differences

    found = result_differences(arguments.one, arguments.other)
    for place, before, now in found:
        print(f"{place}: {json.dumps(before)} | {json.dumps(now)}")
    return int(bool(found))
