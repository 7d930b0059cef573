"""What a cluster's scheduler can tell, tried out before jobs are handed to it."""

from __future__ import annotations

import subprocess
import sys

SECONDS_TO_ANSWER = 30


def words_for_slurm() -> tuple[str, ...]:
    """Arguments that Snakemake needs for the Slurm of this machine.

    Without an accounting database its ``sacct`` is there and knows nothing, so that a run which
    asks it for the state of jobs waits for ever; and there are no accounts to charge.
    """
    if accounting_answers():
        return ()
    print(  # noqa: T201 - what the run does otherwise than its profile says
        "This Slurm keeps no accounts: jobs are watched with squeue and charged to nobody.",
        file=sys.stderr,
    )
    return ("--slurm-status-command", "squeue", "--slurm-no-account")


def accounting_answers() -> bool:
    """Whether ``sacct`` can say how a job ended."""
    try:
        done = subprocess.run(
            ["sacct", "--noheader", "--allocations"],  # noqa: S607 - where a site puts it
            capture_output=True,
            timeout=SECONDS_TO_ANSWER,
            check=False,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
