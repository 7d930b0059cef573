"""Who is at work on which files: small claims on disk, and whether their writers still live."""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import json
import logging
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.io.atomic import replacing

SECONDS_TO_ANSWER = 30
SLURM_JOB = "SLURM_JOB_ID"
WITHOUT_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)
"""What file systems answer that know no locks of files."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A process that is at work."""

    host: str
    pid: int
    began: str
    """The kernel's count of when the process began: a later process may have the same number."""
    since: str
    """Coordinated universal time, for people."""
    slurm_job: str = ""

    @classmethod
    def mine(cls) -> Claim:
        """The claim of this process."""
        return cls(
            host=platform.node(),
            pid=os.getpid(),
            began=process_start(os.getpid()),
            since=datetime.now(UTC).isoformat(timespec="seconds"),
            slurm_job=os.environ.get(SLURM_JOB, ""),
        )

    def __str__(self) -> str:
        job = f" (Slurm job {self.slurm_job})" if self.slurm_job else ""
        return f"process {self.pid} on {self.host}{job}, since {self.since}"

    def is_mine(self) -> bool:
        """Whether this very process made it."""
        return (self.host, self.pid, self.began) == (
            platform.node(),
            os.getpid(),
            process_start(os.getpid()),
        )

    def lives(self) -> bool | None:
        """Whether its process is there still; ``None`` where that cannot be told from here."""
        if self.host == platform.node():
            return process_start(self.pid) == self.began != ""
        return slurm_job_lives(self.slurm_job) if self.slurm_job else None


def process_start(pid: int) -> str:
    """When a process of this machine began, in the kernel's count; empty when there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return _start_without_proc(pid)
    except OSError:
        return ""  # it ended while we looked
    fields = text.rpartition(")")[2].split()  # a program's name may hold blanks and brackets
    return "" if fields[0] == "Z" else fields[19]


def _start_without_proc(pid: int) -> str:
    """The same on systems without ``/proc``, such as macOS."""
    if Path("/proc/self").exists():
        return ""
    asked = ["ps", "-o", "lstart=", "-p", str(pid)]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603


def slurm_job_lives(job: str) -> bool | None:
    """Whether Slurm knows a job as waiting or running; ``None`` if it does not answer."""
    done = _squeue("--noheader", "--format=%T", f"--jobs={job}")
    if done is None or done.returncode != 0:
        return False if done is not None and "Invalid job id" in done.stderr else None
    return bool(done.stdout.strip())


def slurm_jobs_in(folder: Path) -> tuple[str, ...] | None:
    """Jobs of this user, waiting or running, that a workflow handed to Slurm from a folder.

    A job that waits has made no claim yet.

    Returns
    -------
    Number of each, with its state and what it is for; none without a Slurm, ``None`` if it does
    not answer.
    """
    if shutil.which("squeue") is None:
        return ()
    done = _squeue("--me", "--noheader", "--format=%A|%T|%k|%Z")
    if done is None:
        return None
    if done.returncode != 0:  # its programs may be installed where there is no cluster
        return () if "configuration source" in done.stderr else None
    jobs = [line.split("|", maxsplit=3) for line in done.stdout.splitlines()]
    return tuple(
        f"{number} ({state}, {what})"
        for number, state, what, where in jobs
        if what.startswith("rule_") and where == os.fspath(folder)
    )


def _squeue(*words: str) -> subprocess.CompletedProcess[str] | None:
    """What it answers; ``None`` where it is not there or hangs."""
    try:
        return subprocess.run(  # noqa: S603
            ["squeue", *words],  # noqa: S607 - where a site puts it
            capture_output=True,
            text=True,
            timeout=SECONDS_TO_ANSWER,
            check=False,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None


def write_claim(path: Path) -> None:
    """Say that this process is at work; an older claim is replaced."""
    with replacing(path) as temporary:
        temporary.write_text(_text(), encoding="utf-8")


def take_claim(path: Path) -> Claim | None:
    """Say that this process is at work, unless another says so that lives, or may.

    Returns
    -------
    The claim that stands in the way; ``None`` when ours was made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except PermissionError:  # of another user, whose claims are theirs to lift
            other = read_claim(path)
            if other is None:
                raise
            return other
        with os.fdopen(handle, "r+", encoding="utf-8") as file:
            _lock(handle, path)  # else two that find a dead claim at once would both replace it
            if not _is_still(handle, path):
                continue  # its owner took it back meanwhile
            other = _claim_in(file.read())
            if other is not None and other.lives() is not False:
                return other
            file.seek(0)
            file.truncate()
            file.write(_text())
            return None


def _lock(handle: int, path: Path) -> None:
    """Wait until nobody else decides about a file; closing it lets the next one."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in WITHOUT_LOCKS:
            raise
        told = "%s: this disk has no locks: start no two runs on these results at the same moment"
        logger.warning(told, path)


def _is_still(handle: int, path: Path) -> bool:
    """Whether an open file is the one of this name."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def read_claim(path: Path) -> Claim | None:
    """The claim in a file; ``None`` when there is none, or only the start of one."""
    try:
        return _claim_in(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def _claim_in(text: str) -> Claim | None:
    try:
        return Claim(**json.loads(text))
    except (ValueError, TypeError):
        return None


def drop_claim(path: Path) -> None:
    """Take back what this process said; claims of others stay."""
    claim = read_claim(path)
    if claim is not None and claim.is_mine():
        path.unlink(missing_ok=True)


def _text() -> str:
    return json.dumps(dataclasses.asdict(Claim.mine())) + "\n"
