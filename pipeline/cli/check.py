"""Settings and sheet checked, and what a run would do."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.cli.settings_arguments import add_settings_arguments, overrides
from pipeline.config import changed_settings
from pipeline.core.words import counted
from pipeline.stages.check import load_project, outlook
from pipeline.stages.expected import Expected

NAME = "check"
HELP = "check settings and sheet, and say what a run would do, without running it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_settings_arguments(parser, default=Path("config.yaml"))


def run(arguments: argparse.Namespace) -> int:
    """Print what a run would do; the exit code is that of the first recording at fault."""
    project = load_project(arguments.configfile, overrides(arguments.config))
    changed = changed_settings(project.settings)
    print(f"Settings other than the default: {', '.join(changed) or 'none'}")
    print(f"Seed: {project.settings.seed}")
    seen = outlook(project)
    for experiment in seen.experiments:
        print(f"{experiment.name}: {counted(len(experiment.recordings), 'recording')}")
        for recording in experiment.recordings:
            print(f"  {recording.id}: {recording.kind or 'cannot be read'}")
            if recording.problem is not None:
                print(f"    {recording.problem}")
        for row in experiment.left_out:
            print(f"  {row.recording}: left out ({row.exclude})")
        for method in experiment.methods:
            verdict = f"does not run: {method.reason}" if method.reason else "runs"
            print(f"  {method.name} {verdict}")
    print(f"Jobs of a whole run: {seen.n_jobs}")
    for line in _expected_lines(seen.expected):
        print(line)
    problems = seen.problems
    if problems:
        print(
            f"{counted(len(problems), 'recording')} cannot be read; the others would be analysed."
        )
        return problems[0].exit_code
    print("Settings and sheet are sound.")
    return 0


def _expected_lines(expected: Expected) -> list[str]:
    """Time and memory of the run, and what decides them."""
    if not expected.jobs:
        return []
    longest, largest = expected.longest, expected.largest
    return [
        f"Expected: {_duration(expected.seconds)} of one processor for all jobs together, by "
        "prices that were measured (docs/clusters.md); much larger recordings may take more.",
        f"Longest job: {_duration(longest.estimate.seconds)} ({longest.name}). Most memory: "
        f"{largest.estimate.memory_mb / 1000:.1f} GB ({largest.name}).",
    ]


def _duration(seconds: float) -> str:
    """A rough duration in words."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
