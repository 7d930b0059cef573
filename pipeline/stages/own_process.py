"""Work on a stranger's file in a process of its own, which may die of it.

Files are read by a library in C, and a damaged file can make it read where no memory is. The
process ends then, whatever Python would catch. Here that is the end of a child, and the parent
lives to tell it. Or it can make the library search in circles, for ever: a child that for a while
comes to no new place of its program, and neither reads nor writes, is ended.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar

from pipeline.core.errors import DataError, EnvironmentFault, PipelineError

T = TypeVar("T")

CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL)
"""Signals by which the system ends a process that did something impossible."""

STALLED_AFTER_S = 900.0
"""How long a child may stay at one place of its program without reading or writing. A single step,
such as to decode a piece of a dataset or to sort the spikes of a unit, takes seconds."""
STALLED_VARIABLE = "NEUROPTYCH_STALLED_AFTER_S"
"""Carries ``run.stalled_after_s`` to the jobs, as it changes nothing of what they make."""
PIPE_BYTES = 2**16
BEATS = 20
"""How often within that time a child is looked at, at least."""


def stalled_after_s() -> float:
    """The time for jobs of a run, else :data:`STALLED_AFTER_S`; seconds."""
    return float(os.environ.get(STALLED_VARIABLE, STALLED_AFTER_S))


def in_own_process(work: Callable[[], T], *, stalled_s: float | None = None) -> T:
    """What ``work`` returns, or raises, computed in a child of this process.

    The child sees all that is in memory here and changes nothing of it; what it returns or raises
    is pickled. It ends when this process does, also when that is killed.

    Parameters
    ----------
    stalled_s
        How long all threads of the child may stay at one place of their Python code without
        reading or writing, in seconds; :func:`stalled_after_s` where None. Time in which this
        process was halted too hardly counts.

    Raises
    ------
    DataError
        If the child crashed (IN-F04) or came no further (IN-F32).
    EnvironmentFault
        If the system ended it, as it does when memory runs out (RN-R03).
    """
    if not hasattr(os, "fork"):
        return work()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # or the child would write it too
    limit_s = stalled_after_s() if stalled_s is None else stalled_s
    answer_out, answer_in = os.pipe()
    beats_out, beats_in = os.pipe()
    alive_out, alive_in = os.pipe()
    child = os.fork()
    if not child:
        for end in (answer_out, beats_out, alive_in):
            os.close(end)
        _answer(work, answer=answer_in, parent=alive_out, beats=beats_in, every_s=limit_s / BEATS)
    for end in (answer_in, beats_in, alive_out):
        os.close(end)
    try:
        answer = _received(answer_out, beats_out, limit_s=limit_s)
        _, status = os.waitpid(child, 0)
    except BaseException:
        _end(child)
        raise
    finally:
        for end in (answer_out, beats_out, alive_in):
            os.close(end)
    if os.WIFSIGNALED(status):
        raise _fault_of(os.WTERMSIG(status))
    returned, found = pickle.loads(answer)  # noqa: S301 - written by our own child
    if returned:
        result: T = found
        return result
    raise found


def _end(child: int) -> None:
    """Kill a child; one that waits for a disk that does not answer dies when that does."""
    os.kill(child, signal.SIGKILL)
    for _ in range(100):
        if os.waitpid(child, os.WNOHANG) != (0, 0):
            return
        time.sleep(0.02)


def _received(answer: int, beats: int, *, limit_s: float) -> bytes:
    """All that comes through a pipe, while beats come through another or it does itself."""
    parts: list[bytes] = []
    n_silent = 0
    # Counted in short waits: after a halt of this process only one of them has run out.
    while n_silent < BEATS:
        ready, _, _ = select.select([answer, beats], [], [], limit_s / BEATS)
        n_silent = 0 if ready else n_silent + 1
        if beats in ready:
            os.read(beats, PIPE_BYTES)
        if answer in ready:
            part = os.read(answer, PIPE_BYTES)
            if not part:
                return b"".join(parts)
            parts.append(part)
    raise DataError(
        code="IN-F32",
        place="/",
        found=f"reading it came no further for {limit_s:g} s, as when a damaged file sends the "
        "reading library in circles, or its disk does not answer",
        fix="copy the file again, and compare its checksum with the source; if its disk is slow, "
        "copy it to another one or raise 'run: {stalled_after_s: ...}'",
    )


def _answer(
    work: Callable[[], object], *, answer: int, parent: int, beats: int, every_s: float
) -> NoReturn:
    """In the child: work, hand over what came of it, and end."""
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    threading.Thread(target=_beat, args=(beats, every_s), daemon=True).start()
    try:
        packed = _packed(work)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        with os.fdopen(answer, "wb") as pipe:
            pipe.write(packed)
    finally:
        # Neither the parent's clean-up nor its `finally` blocks are the child's to run.
        os._exit(0)


def _packed(work: Callable[[], object]) -> bytes:
    try:
        return pickle.dumps((True, work()))
    except BaseException as error:
        error.add_note("".join(traceback.format_exception(error)))  # which pickling forgets
        try:
            return pickle.dumps((False, error))
        except Exception:
            return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))


def _beat(pipe: int, every_s: float) -> None:
    """Write into a pipe whenever another thread has done something since it was last looked at.

    Python's lock is needed for looking: a library that searches in circles while it holds it
    keeps this from writing, too.
    """
    before = None
    while True:
        now = _places(), _transferred()
        if now != before:
            os.write(pipe, b".")
        before = now
        time.sleep(every_s)


def _places() -> set[tuple[int, ...]]:
    """Where in their code, and in what that was called by, the other threads are."""
    found = set()
    for thread, frame in sys._current_frames().items():
        place = [thread]
        within = frame if thread != threading.get_ident() else None
        while within is not None:
            place += (id(within.f_code), within.f_lasti)
            within = within.f_back
        found.add(tuple(place))
    return found


def _transferred() -> object:
    """Bytes that the other threads have read and written; never the same where nobody tells."""
    own = str(threading.get_native_id())
    try:
        told = [
            (thread / "io").read_text(encoding="ascii")
            for thread in Path("/proc/self/task").iterdir()
            if thread.name != own
        ]
    except OSError:  # another system, or a thread that has just ended
        return object()
    return sorted(told)


def _end_with(parent: int) -> None:
    """Wait until the parent's end of a pipe is closed, which is when it ended."""
    os.read(parent, 1)
    os._exit(1)


def _fault_of(number: int) -> PipelineError:
    name = signal.strsignal(number) or f"signal {number}"
    if number in CRASHES:
        return DataError(
            code="IN-F04",
            place="/",
            found=f"damaged in a way that makes the reading library crash ({name})",
            fix="copy the file again, and compare its checksum with the source; if it is the same "
            "there, write it again with the program that made it",
        )
    return EnvironmentFault(
        code="RN-R03",
        found=f"the system ended the process that read the file ({name}), as it does when memory "
        "runs out",
        fix="give the job more memory (--set-resources ingest:mem_mb=...), or run fewer at once",
    )
