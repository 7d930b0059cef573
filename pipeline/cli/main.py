"""``python -m pipeline COMMAND``: finds the command, and turns errors into exit codes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Protocol

import pipeline
from pipeline.cli import (
    assign_new,
    check,
    config,
    demo,
    diff,
    explain,
    export_results,
    export_stimuli,
    figures,
    forget,
    inspect,
    methods,
    prune,
    run,
    status,
    unlock,
)
from pipeline.core.errors import ConfigErrors, PipelineError


class Command(Protocol):
    """What each module of this folder that is a command offers."""

    NAME: str
    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's arguments."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it; the exit code."""


COMMANDS: tuple[Command, ...] = (
    run,
    check,
    inspect,
    methods,
    config,
    demo,
    figures,
    export_results,
    export_stimuli,
    assign_new,
    status,
    explain,
    diff,
    forget,
    prune,
    unlock,
)
"""A new command is a module in this folder and a line here."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments
        Words of the command line; those of this process when ``None``.

    Returns
    -------
    Exit code: 0, or that of the error (2 settings, 3 recordings, 4 results, 5 environment). An
    error that is a defect of ours is raised, with its traceback.
    """
    parsed = _parser().parse_args(arguments)
    command: Command = parsed.command
    try:
        code = command.run(parsed)
        sys.stdout.flush()
    except (PipelineError, ConfigErrors) as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline", description="From NWB recordings to one report per experiment."
    )
    parser.add_argument("--version", action="version", version=f"neuroptych {pipeline.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        subparser = commands.add_parser(command.NAME, help=command.HELP, description=command.HELP)
        command.add_arguments(subparser)
        subparser.set_defaults(command=command)
    return parser
