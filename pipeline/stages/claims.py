"""One run at a time on a folder of results, and no unlocking while a job of it lives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.core.errors import EnvironmentFault
from pipeline.io.claims import Claim, drop_claim, read_claim, slurm_jobs_in, take_claim

RUN = ".run.json"
"""The claim of a run, in the folder of results."""
AT_WORK = ".at-work.json"
"""Ending of the claim of a job, beside its log."""


def claim_results(out: Path) -> None:
    """Keep other runs away from a folder of results.

    Raises
    ------
    EnvironmentFault
        If another run is at work on it, or one on another machine may be (RN-R05).
    """
    other = take_claim(out / RUN)
    if other is not None:
        raise _in_use(other, out)


def refuse_beside_others(out: Path) -> None:
    """See that nobody is at work on a folder of results, before anything in it is deleted.

    Raises
    ------
    EnvironmentFault
        If another run is at work on it, or one on another machine may be (RN-R05), or if a job
        lives that a killed run left (RN-R20).
    """
    other = read_claim(out / RUN)
    if other is not None and not other.is_mine() and other.lives() is not False:
        raise _in_use(other, out)
    alive = [claim for claim in _claims(out).values() if not claim.is_mine() and claim.lives()]
    if alive:
        raise _still_at_work(alive, out, fix="wait for it, or end it, and try again")


def release_results(out: Path) -> None:
    """Let other runs use a folder of results, if this process had it."""
    drop_claim(out / RUN)


def stale_claims(out: Path, *, force: bool) -> tuple[Path, ...]:
    """The claims below a folder of results, none of which lives any more.

    Parameters
    ----------
    force
        Whether claims of other machines, of which nothing can be said, count as dead, and jobs
        that wait in Slurm's queue as those of another run.

    Raises
    ------
    EnvironmentFault
        If one lives, or may (RN-R20).
    """
    claims = _claims(out)
    lives = {path: claim.lives() for path, claim in claims.items()}
    alive = [claims[path] for path, living in lives.items() if living]
    if alive:
        raise _still_at_work(alive, out, fix="wait for it, or end it, and try again")
    unknown = [claims[path] for path, living in lives.items() if living is None]
    if unknown and not force:
        raise _still_at_work(
            unknown, out, fix="see on that machine; if it is certainly dead, add --force"
        )
    if not force:
        _refuse_beside_queued(out)
    return _places(out)


def killed_jobs(out: Path, *, since: str) -> tuple[EnvironmentFault, ...]:
    """What to say of jobs that ended without a word: all others take their claims back.

    Parameters
    ----------
    since
        When the run began, in the form of :attr:`Claim.since`; of earlier ones nothing is said.
    """
    return tuple(
        EnvironmentFault(
            code="RN-R03",
            experiment=path.parent.name,
            file=str(path.with_name(path.name.removesuffix(AT_WORK) + ".log")),
            found="this job was killed (exit 137), as the system does when memory runs out, or its "
            "machine was lost",
            fix="give it more memory (--set-resources RULE:mem_mb=...), or run fewer at once; it "
            "goes on from its last checkpoint",
        )
        for path, claim in _claims(out).items()
        if path.name.endswith(AT_WORK) and claim.since >= since and claim.lives() is False
    )


def _refuse_beside_queued(out: Path) -> None:
    """A job that waits in a queue would write here when its turn comes."""
    waiting = slurm_jobs_in(Path.cwd())
    if waiting is None:
        raise EnvironmentFault(
            code="RN-R20",
            file=str(out),
            found="Slurm does not answer, and may hold jobs of the last run",
            fix="try again; if certainly nothing waits there, add --force",
        )
    if waiting:
        numbers = " ".join(job.partition(" ")[0] for job in waiting)
        others = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
        raise EnvironmentFault(
            code="RN-R20",
            file=str(out),
            found=f"Slurm holds jobs that were started in this folder: {waiting[0]}{others}",
            fix=f"wait for them or say `scancel {numbers}`, and try again; if they are of a run on "
            "other results, add --force",
        )


def _places(out: Path) -> tuple[Path, ...]:
    """Files of the claims of a run and its jobs."""
    jobs = sorted((out / "logs").rglob(f"*{AT_WORK}"))
    return tuple(path for path in (out / RUN, *jobs) if path.exists())


def _claims(out: Path) -> dict[Path, Claim]:
    """What can be read of them; the start of one that was never finished says nothing."""
    found = {path: read_claim(path) for path in _places(out)}
    return {path: claim for path, claim in found.items() if claim is not None}


def _in_use(other: Claim, out: Path) -> EnvironmentFault:
    return EnvironmentFault(
        code="RN-R05",
        file=str(out),
        found=f"the results folder is in use by {other}",
        fix="wait for that run, or choose another folder with the setting 'out'; if that run "
        "is certainly dead, say `python -m pipeline unlock --force`",
    )


def _still_at_work(claims: Sequence[Claim], out: Path, *, fix: str) -> EnvironmentFault:
    others = f" and {len(claims) - 1} more" if len(claims) > 1 else ""
    return EnvironmentFault(
        code="RN-R20",
        file=str(out),
        found=f"a job of the last run may still write here: {claims[0]}{others}",
        fix=fix,
    )
