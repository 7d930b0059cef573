"""What a cluster's scheduler can tell, tried out before jobs are handed to it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

from pipeline.core.errors import EnvironmentFault

SECONDS_TO_ANSWER = 30
LOOKS_KEPT = 3
"""For how many waits between looks a job that ended must stay in ``squeue``: Snakemake's executor
asks ``sacct`` where Slurm forgets it sooner, whatever it was told."""


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


def refuse_unwatched(command: str, *, first_look_s: float) -> None:
    """See that somebody can say how jobs end, or the run would wait for ever.

    Parameters
    ----------
    command
        What Snakemake's executor was told to ask: ``squeue`` or ``sacct``.
    first_look_s
        Seconds between a submission and the first look at its job.

    Raises
    ------
    EnvironmentFault
        If it would ask ``sacct`` and that knows nothing (RN-R28).
    """
    # Without a sacct the executor asks squeue by itself.
    if shutil.which("sacct") is None or accounting_answers():
        return
    kept_s = seconds_jobs_are_kept()
    if kept_s is not None and kept_s >= LOOKS_KEPT * first_look_s:
        if command == "squeue":
            return
        found = "Slurm's sacct keeps no accounts, and cannot say how a job ended"
        fix = (
            "add --slurm-status-command squeue --slurm-no-account, as ./run.sh does by itself, or "
            "set both in the profile"
        )
    else:
        kept = "does not say" if kept_s is None else f"is {kept_s} s"
        found = (
            "Slurm's sacct keeps no accounts, and how long squeue knows a job that ended "
            f"(MinJobAge) {kept}; it must be {LOOKS_KEPT * first_look_s:g} s"
        )
        fix = (
            "ask for a larger MinJobAge or for accounting, or look sooner with "
            "--slurm-init-seconds-before-status-checks"
        )
    raise EnvironmentFault(code="RN-R28", file="sacct", found=found, fix=fix)


def seconds_jobs_are_kept() -> int | None:
    """How long ``squeue`` knows a job that has ended; ``None`` where Slurm does not say."""
    config = _asked("scontrol", "show", "config")
    told = re.search(r"^MinJobAge\s*=\s*(\d+)", config or "", re.MULTILINE)
    return int(told[1]) if told else None


def accounting_answers() -> bool:
    """Whether ``sacct`` can say how a job ended."""
    return _asked("sacct", "--noheader", "--allocations") is not None


def _asked(*words: str) -> str | None:
    """What a command prints; ``None`` where it is not there, fails or hangs."""
    try:
        done = subprocess.run(  # noqa: S603
            words, capture_output=True, text=True, timeout=SECONDS_TO_ANSWER, check=False
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
