"""One run at a time on a folder of results, and no unlocking while a job of it lives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.core.errors import EnvironmentFault
from pipeline.io.claims import Claim, drop_claim, read_claim, take_claim

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
        raise EnvironmentFault(
            code="RN-R05",
            file=str(out),
            found=f"the results folder is in use by {other}",
            fix="wait for that run, or choose another folder with the setting 'out'; if that run "
            "is certainly dead, say `python -m pipeline unlock --force`",
        )


def release_results(out: Path) -> None:
    """Let other runs use a folder of results, if this process had it."""
    drop_claim(out / RUN)


def stale_claims(out: Path, *, force: bool) -> tuple[Path, ...]:
    """The claims below a folder of results, none of which lives any more.

    Parameters
    ----------
    force
        Whether claims of other machines, of which nothing can be said, count as dead.

    Raises
    ------
    EnvironmentFault
        If one lives, or may (RN-R20).
    """
    paths = [out / RUN, *sorted((out / "logs").rglob(f"*{AT_WORK}"))]
    claims = {path: read_claim(path) for path in paths if path.exists()}
    alive = [claim for claim in claims.values() if claim is not None and claim.lives()]
    if alive:
        raise _still_at_work(alive, out, fix="wait for it, or end it, and try again")
    unknown = [claim for claim in claims.values() if claim is not None and claim.lives() is None]
    if unknown and not force:
        raise _still_at_work(
            unknown, out, fix="see on that machine; if it is certainly dead, add --force"
        )
    return tuple(claims)


def _still_at_work(claims: Sequence[Claim], out: Path, *, fix: str) -> EnvironmentFault:
    others = f" and {len(claims) - 1} more" if len(claims) > 1 else ""
    return EnvironmentFault(
        code="RN-R20",
        file=str(out),
        found=f"a job of the last run may still write here: {claims[0]}{others}",
        fix=fix,
    )
