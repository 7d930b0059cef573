"""The whole pipeline, as ``./run.sh`` starts it."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.cli.settings_arguments import overrides

NAME = "run"
HELP = "check, run the workflow, and say where the reports are; arguments after -- go to snakemake"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("snakemake", nargs=argparse.REMAINDER, help="arguments for snakemake")


def run(arguments: argparse.Namespace) -> int:
    """Run the workflow on the settings that Snakemake's own arguments name."""
    from pipeline.stages.run import run_workflow

    words = [word for place, word in enumerate(arguments.snakemake) if place or word != "--"]
    known = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    known.add_argument("--configfile", "--configfiles", nargs="+", type=Path, default=[])
    known.add_argument("--config", "-C", nargs="*", action="extend", default=[])
    known.add_argument("--dry-run", "--dryrun", "-n", action="store_true")
    known.add_argument("--lint", nargs="?", const="text")
    seen, _ = known.parse_known_args(words)
    return run_workflow(
        words,
        config_path=seen.configfile[-1] if seen.configfile else None,
        overrides=overrides(seen.config),
        changes_results=not (seen.dry_run or seen.lint),
    )
