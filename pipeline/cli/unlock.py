"""The locks that a killed run left are lifted, once nothing of it lives."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from pipeline.cli.settings_arguments import (
    add_directory_argument,
    add_settings_arguments,
    overrides,
)
from pipeline.stages.check import load_project
from pipeline.stages.claims import stale_claims

NAME = "unlock"
HELP = "lift the locks that a killed run left; refused while a job of it lives"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_settings_arguments(parser, default=Path("config.yaml"))
    add_directory_argument(parser)
    parser.add_argument(
        "--force",
        action="store_true",
        help="also when a job was on another machine, of which nothing can be told from here, or "
        "when jobs that wait in Slurm's queue are of another run",
    )


def run(arguments: argparse.Namespace) -> int:
    """Look for jobs that live; without any, remove their claims and Snakemake's locks."""
    from pipeline.stages.run import ROOT

    project = load_project(arguments.configfile, overrides(arguments.config))
    configfile = arguments.configfile.absolute()
    os.chdir(arguments.directory)  # Slurm knows jobs by the folder in which they were started
    for path in stale_claims(Path(project.settings.out), force=arguments.force):
        path.unlink(missing_ok=True)
    words = ["--snakefile", str(ROOT / "Snakefile"), "--configfile", str(configfile)]
    command = [sys.executable, "-m", "snakemake", *words, "--unlock", "--quiet", "all"]
    if arguments.config:
        command += ["--config", *arguments.config]
    return subprocess.run(command, check=False).returncode  # noqa: S603
