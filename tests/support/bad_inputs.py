"""Sets of bad inputs, each case run as a user's run would and judged by its manifest alone.

A set is a folder with ``manifest.json``: what is wrong with each file, how a run must end, what
its message must speak of, and within which limits.
"""

from __future__ import annotations

import atexit
import ctypes
import json
import os
import re
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import numpy as np

from pipeline.core.notes import Note
from pipeline.core.outcome import Outcome
from pipeline.core.quality import Quality
from pipeline.core.recording import Recording, SampledActivity
from pipeline.io.documents import read_document
from pipeline.io.records import read_record
from pipeline.stages.machine import COMMIT_VARIABLE, commit_told

ROOT = Path(__file__).resolve().parents[2]
CHILD = Path(__file__).with_name("watched_child.py")
GENERATOR = ROOT.parent / "shared" / "tools" / "make_bad_nwb.py"
SET_VARIABLE = "NEUROPTYCH_BAD_INPUTS"

BAD_INPUT = (2, 3, 5)
"""Exit codes of faults a user can act on: settings, data, environment."""
MESSAGE = re.compile(
    r"^ERROR ([A-Z]{2}-[A-Z]\d\d) ([^:]+): (?!-: )[^:]+: .+\. Fix: .+; see docs/errors\.md#"
)
"""An error of six parts, which names its file."""
PASSING = "-dac_override,-dac_read_search"
AS_OTHERS = ("setpriv", "--bounding-set", PASSING, "--inh-caps", PASSING)
"""Begins a command that, as root's, is to mind the permissions of files as any other user's."""
FAILURE = "recording.failure.json"
LEFT_BY_INGEST = {"recording.h5", "quality.json", "units.tsv", "recording.run.json", FAILURE}
SYSTEM = ("/usr", "/lib", "/lib64", "/proc", "/sys", "/dev")
SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/localtime", "/etc/timezone", "/etc/mime.types")
GRACE_S = 30.0
"""How long a case may run beyond its limit before it is ended; it has failed by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One line of a manifest."""

    id: str
    level: str
    file: str
    modality: str
    what: str
    where: str
    expected: str
    also_ok: Sequence[str]
    baseline: str | None
    atol: float | None
    mention: Sequence[str]
    max_seconds: float
    max_rss_mb: float
    needs: Sequence[str]

    @property
    def allowed(self) -> tuple[str, ...]:
        """Outcomes that are right."""
        return (self.expected, *self.also_ok)

    @property
    def is_meaningful(self) -> bool:
        """Whether what the case needs is given here."""
        return "non-root" not in self.needs or minds_permissions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a run on a case ended."""

    outcome: str
    """accept, warn, repair, reject; ``crash`` where none of them was reached."""
    words: str
    """Errors, warnings and what methods say to the reader."""
    faults: tuple[str, ...]
    """What must not happen, whatever is wrong with the input."""
    record: Recording | Outcome | None = None
    message: str = ""
    """The error, or the first remark that is not mere information."""


def read_cases(folder: Path) -> tuple[Case, ...]:
    """The cases of a set."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    names = [field.name for field in fields(Case)]
    return tuple(Case(**{name: entry[name] for name in names}) for entry in manifest["cases"])


@cache
def minds_permissions() -> bool:
    """Whether a run can be made to mind the permissions of files."""
    if os.geteuid() != 0:
        return True
    try:
        return (
            subprocess.run([*AS_OTHERS, "true"], capture_output=True, check=False).returncode == 0
        )
    except FileNotFoundError:
        return False


def generate(folder: Path) -> Path:
    """A new set, by the generator beside the checkout."""
    command = [sys.executable, str(GENERATOR), str(folder)]
    subprocess.run(command, capture_output=True, check=True)
    return folder


def faults_of(case: Case, ending: Ending, *, control: Recording | None) -> list[str]:
    """Everything in which a run did not do what the manifest asks."""
    faults = list(ending.faults)
    if ending.outcome not in case.allowed:
        faults.append(f"ended in {ending.outcome}, and {' or '.join(case.allowed)} is right")
    words = ending.words.lower()
    is_told = any(word.lower() in words for word in case.mention)
    if ending.outcome != "accept" and case.mention and not is_told:
        faults.append(f"no word of {', '.join(case.mention)} in: {ending.words[:600]}")
    if case.baseline and isinstance(ending.record, Recording):
        assert control is not None
        difference = difference_of(ending.record, control, atol=case.atol or 0.0)
        if difference:
            faults.append(f"differs from {case.baseline}: {difference}")
    return faults


def run_case(case: Case, *, root: Path, folder: Path) -> Ending:
    """Run a case of the set in ``root``; ``folder`` is empty and takes what the run makes."""
    file = root / case.file
    inputs = file.parent
    if case.level == "config":
        readable = (inputs, inputs.parent / "data")  # where the sheets' sound recordings lie
        return _run(
            case, "check", inputs=inputs, readable=readable, cwd=inputs, outputs=folder, root=root
        )
    (folder / "settings.yaml").write_text("recordings: sheet.tsv\n", encoding="utf-8")
    line = f"experiment\trecording\tnwb\tactivity\nbad\tcase\t{file}\t{case.modality}\n"
    (folder / "sheet.tsv").write_text(line, encoding="utf-8")
    return _run(
        case, "ingest", inputs=inputs, readable=(inputs,), cwd=folder, outputs=folder, root=root
    )


def _run(
    case: Case,
    command: str,
    *,
    inputs: Path,
    readable: Sequence[Path],
    cwd: Path,
    outputs: Path,
    root: Path,
) -> Ending:
    notes_file = outputs / "watched.json"
    before = _listing(inputs)
    started = time.monotonic()
    within = AS_OTHERS if "non-root" in case.needs and os.geteuid() == 0 else ()
    printed = outputs / "printed.txt"
    with opens_of(_folders_without_cases(root)) as opens:
        code = _watched(
            [str(cwd), str(notes_file), command, str(printed)],
            within=within,
            limit_s=case.max_seconds + GRACE_S,
        )
    seconds = time.monotonic() - started
    console = printed.read_text(encoding="utf-8", errors="replace")
    printed.unlink()
    faults = [f"{path} was opened" for path in opens]
    if seconds > case.max_seconds:
        faults.append(f"took {seconds:.1f} s of {case.max_seconds:.0f} s")
    if "Traceback (most recent call last)" in console:
        faults.append(f"a traceback on the console: {console[-2000:]}")
    if _listing(inputs) != before:
        faults.append("the folder of the inputs was changed")
    if not notes_file.exists():
        faults.append(f"ended by {(signal.strsignal(-code) if code < 0 else None) or code}")
        return Ending(outcome="crash", words=console, faults=tuple(faults))
    seen = json.loads(notes_file.read_text(encoding="utf-8"))
    notes_file.unlink()
    if seen["peak_mb"] > case.max_rss_mb:
        faults.append(f"took {seen['peak_mb']:.0f} MB of {case.max_rss_mb} MB")
    faults += [f"called {call}" for call in seen["called"] if "'uname'" not in call]
    faults += [
        f"opened {path}" for path in seen["opened"] if not _readable(path, *readable, outputs)
    ]
    faults += [f"wrote {path}" for path in seen["written"] if not _writable(path, outputs)]
    if command == "check":
        return _ending_of_check(code, console, faults)
    return _ending_of_ingest(code, console, faults, folder=outputs)


@cache
def _watching(within: tuple[str, ...]) -> subprocess.Popen[str]:
    """The process that forks for each case, until this one ends."""
    watching = subprocess.Popen(
        [*within, sys.executable, "-P", str(CHILD)],
        env={
            **os.environ,
            COMMIT_VARIABLE: commit_told(),  # as the driver of a run tells its jobs
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(watching.communicate)
    return watching


def _watched(asked: Sequence[str], *, within: tuple[str, ...], limit_s: float) -> int:
    """The exit code of a watched command; that of a kill when it takes longer."""
    watching = _watching(within)
    assert watching.stdin is not None
    assert watching.stdout is not None
    watching.stdin.write(json.dumps(asked) + "\n")
    watching.stdin.flush()
    limit = threading.Timer(limit_s, os.kill, (int(watching.stdout.readline()), signal.SIGKILL))
    limit.start()
    try:
        return int(watching.stdout.readline())
    finally:
        limit.cancel()


def _ending_of_check(code: int, console: str, faults: list[str]) -> Ending:
    outcome = "accept" if code == 0 else "reject" if code in BAD_INPUT else "crash"
    message = next((line for line in console.splitlines() if MESSAGE.match(line)), "")
    if outcome == "reject" and not message:
        faults.append("no line on the console has the six parts of an error")
    if outcome == "accept" and "WARNING" in console:
        outcome = "warn"
    return Ending(outcome=outcome, words=console, faults=tuple(faults), message=message)


def _ending_of_ingest(code: int, console: str, faults: list[str], *, folder: Path) -> Ending:
    message = next((line for line in console.splitlines() if MESSAGE.match(line)), "")
    results = folder / "results" / "bad" / "recordings" / "case"
    left = {path.name for path in results.rglob("*")} if results.exists() else set()
    if left - LEFT_BY_INGEST:
        faults.append(f"left behind: {', '.join(sorted(left - LEFT_BY_INGEST))}")
    if code != 0:
        if left - {FAILURE}:
            faults.append(f"left behind: {', '.join(sorted(left))}")
        if not message:
            faults.append("no line on the console has the six parts of an error")
        outcome = "reject" if code in BAD_INPUT else "crash"
        return Ending(outcome=outcome, words=console, faults=tuple(faults), message=message)
    record = read_record(results / "recording.h5", Recording, Outcome)
    remarks = read_document(results / "quality.json", Quality).notes
    if isinstance(record, Outcome):
        is_ours = str(record.failure.get("code", "")).startswith(("IN-", "CF-"))
        if not message:
            faults.append("no line on the console has the six parts of an error")
        return Ending(
            outcome="reject" if is_ours else "crash",
            words=" ".join([message, *map(str, record.failure.values())]),
            faults=tuple(faults),
            record=record,
            message=message,
        )
    told = [note for note in remarks if note.kind != "info"]
    kinds = {note.kind for note in told}
    outcome = "repair" if "repair" in kinds else "warn" if "warn" in kinds else "accept"
    faults += [
        f"no warning on the console: {note.code}" for note in told if not _told(note, console)
    ]
    words = " ".join(f"{note.place} {note.text}" for note in told)
    first = next(iter(told), None)
    return Ending(
        outcome=outcome,
        words=words,
        faults=tuple(faults),
        record=record,
        message=f"{first.code} {first.place}: {first.text}" if first else "",
    )


def _told(note: Note, console: str) -> bool:
    return any(
        re.match(rf"(WARNING|REPAIR) {note.code} bad/case: ", line) and note.place in line
        for line in console.splitlines()
    )


def difference_of(found: Recording, control: Recording, *, atol: float) -> str:
    """In what the activity of two recordings differs; empty when in nothing."""
    one, other = found.activity, control.activity
    if isinstance(one, SampledActivity) and isinstance(other, SampledActivity):
        pairs = {"time": (one.time, other.time), "valid": (one.valid, other.valid)}
        pairs["values"] = (
            np.where(one.valid, one.values, 0),
            np.where(other.valid, other.values, 0),
        )
    elif isinstance(one, SampledActivity) or isinstance(other, SampledActivity):
        return "the kind of activity"
    else:
        pairs = {"times": (one.times, other.times), "starts": (one.starts, other.starts)}
    for name, (mine, its) in pairs.items():
        if mine.shape != its.shape:
            return f"{name} have shape {mine.shape}, not {its.shape}"
        largest = float(np.abs(mine.astype(float) - its.astype(float)).max(initial=0.0))
        if largest > (atol if name == "values" else 0.0):
            return f"{name} by up to {largest:g}"
    return ""


def _folders_without_cases(root: Path) -> list[Path]:
    """Folders of a set that no user names: only a link of a file can lead there."""
    named = {root / case.file for case in read_cases(root)}
    around = {parent for file in named for parent in file.parents}
    data = {root / "config" / "data"}
    folders = [path for path in root.iterdir() if path.is_dir()]
    return [path for path in folders if path not in around | named | data]


def _readable(path: str, *folders: Path) -> bool:
    environment = (ROOT, sys.prefix, sys.base_prefix, sys.exec_prefix, *SYSTEM)
    return path in SYSTEM_FILES or any(_is_below(path, Path(f)) for f in (*folders, *environment))


def _writable(path: str, outputs: Path) -> bool:
    return path == os.devnull or _is_below(path, outputs)


def _is_below(path: str, folder: Path) -> bool:
    return Path(path).is_relative_to(folder.resolve())


def _listing(folder: Path) -> dict[str, tuple[int, int]]:
    states = {path.name: path.lstat() for path in folder.iterdir()} if folder.exists() else {}
    return {name: (state.st_size, state.st_mtime_ns) for name, state in states.items()}


@contextmanager
def opens_of(folders: Sequence[Path]) -> Iterator[list[str]]:
    """Files that anybody opens in these folders, also from C; known when the block is left."""
    library = ctypes.CDLL(None, use_errno=True)
    handle = library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    in_open, seen = 0x20, []
    names = {
        library.inotify_add_watch(handle, os.fsencode(folder), in_open): folder
        for folder in folders
    }
    try:
        yield seen
        try:
            events = os.read(handle, 1 << 16)
        except BlockingIOError:
            events = b""
        while events:
            watched, mask, _, length = struct.unpack_from("iIII", events)
            name = events[16 : 16 + length].rstrip(b"\0").decode(errors="replace")
            if mask & in_open and name:
                seen.append(str(names[watched] / name))
            events = events[16 + length :]
    finally:
        os.close(handle)
