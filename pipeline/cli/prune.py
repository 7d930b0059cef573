"""Parts of fits deleted, once they are joined."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.cli.settings_arguments import add_settings_arguments, overrides
from pipeline.stages.check import load_project
from pipeline.stages.claims import refuse_beside_others
from pipeline.stages.forget import prune_parts

NAME = "prune"
HELP = "delete the parts of fits that are joined to a result, to save space"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_settings_arguments(parser, default=Path("config.yaml"))


def run(arguments: argparse.Namespace) -> int:
    """Delete them and say how much they took."""
    project = load_project(arguments.configfile, overrides(arguments.config))
    out = Path(project.settings.out)
    refuse_beside_others(out)
    freed = prune_parts(out, experiments=project.experiments)
    print(f"{sum(freed.values()) / 1e6:.1f} MB in {len(freed)} files")
    return 0
