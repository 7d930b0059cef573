"""The whole pipeline, as ``./run.sh`` starts it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

from pipeline.cli.settings_arguments import overrides
from pipeline.core.errors import ConfigError

NAME = "run"
HELP = "check, run the workflow, and say where the reports are; arguments after -- go to snakemake"

WITHOUT_RESULTS = (
    "archive",
    "cleanup_metadata",
    "cleanup_shadow",
    "conda_cleanup_envs",
    "conda_create_envs_only",
    "containerize",
    "d3dag",
    "dag",
    "delete_all_output",
    "delete_temp_output",
    "detailed_summary",
    "dryrun",
    "filegraph",
    "generate_unit_tests",
    "lint",
    "list_changes",
    "list_conda_envs",
    "list_input_changes",
    "list_params_changes",
    "list_rules",
    "list_target_rules",
    "list_untracked",
    "print_compilation",
    "report",
    "rulegraph",
    "summary",
    "touch",
    "unlock",
)
"""Snakemake's arguments, by their names in its parser, with which no job is run."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("snakemake", nargs=argparse.REMAINDER, help="arguments for snakemake")


def run(arguments: argparse.Namespace) -> int:
    """Run the workflow on the settings that Snakemake's own arguments name."""
    from snakemake.cli import get_argument_parser

    from pipeline.stages.run import run_workflow

    words = [word for place, word in enumerate(arguments.snakemake) if place or word != "--"]
    # Its own parser, so that words mean here what they mean there, and wrong ones end the run now.
    asked = get_argument_parser().parse_args(words)
    return run_workflow(
        [*words, *_further_words(words)],
        config_path=asked.configfile[-1] if asked.configfile else None,
        overrides=_nested_overrides(asked.config or []),
        folder=Path(asked.directory or "."),
        makes_results=not any(_is_given(asked, name) for name in WITHOUT_RESULTS),
    )


def _further_words(words: list[str]) -> tuple[str, ...]:
    """What a scheduler asks for besides, once the profiles named among the words are read."""
    from snakemake.cli import parse_args

    from pipeline.stages.schedulers import words_for_slurm

    if not any(
        word.startswith(("--profile", "--workflow-profile", "--executor", "-e")) for word in words
    ):
        return ()
    with redirect_stderr(StringIO()):  # it announces the profiles, and will do so again
        _, asked = parse_args(words)
    chosen = isinstance(asked.slurm_status_command, str)
    return words_for_slurm() if asked.executor == "slurm" and not chosen else ()


def _is_given(asked: argparse.Namespace, name: str) -> bool:
    return getattr(asked, name) not in (None, False, [])


def _nested_overrides(entries: list[str]) -> Mapping[str, object]:
    """What ``--config`` says; dotted keys, which Snakemake does not know, are refused."""
    for entry in entries:
        key, _, value = entry.partition("=")
        if "." in key:
            first, *others = key.split(".")
            nested = "".join(f"{{{name}: " for name in others) + value + "}" * len(others)
            raise ConfigError(
                code="CF-K01",
                file="--config",
                place=key,
                found="Snakemake takes no keys with points",
                fix=f"write --config '{first}={nested}'",
            )
    return overrides(entries)
