"""Work on a stranger's file in a process of its own, which may die of it.

Files are read by a library in C, and a damaged file can make it read where no memory is. The
process ends then, whatever Python would catch. Here that is the end of a child, and the parent
lives to tell it.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import NoReturn, TypeVar

from pipeline.core.errors import DataError, EnvironmentFault, PipelineError

T = TypeVar("T")

CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL)
"""Signals by which the system ends a process that did something impossible."""


def in_own_process(work: Callable[[], T]) -> T:
    """What ``work`` returns, or raises, computed in a child of this process.

    The child sees all that is in memory here and changes nothing of it; what it returns or raises
    is pickled. It ends when this process does, also when that is killed.

    Raises
    ------
    DataError
        If the child crashed (IN-F04).
    EnvironmentFault
        If the system ended it, as it does when memory runs out (RN-R03).
    """
    if not hasattr(os, "fork"):
        return work()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # or the child would write it too
    answer_out, answer_in = os.pipe()
    alive_out, alive_in = os.pipe()
    child = os.fork()
    if not child:
        os.close(answer_out)
        os.close(alive_in)
        _answer(work, answer=answer_in, parent=alive_out)
    os.close(answer_in)
    os.close(alive_out)
    try:
        with os.fdopen(answer_out, "rb") as pipe:
            answer = pipe.read()
        _, status = os.waitpid(child, 0)
    except BaseException:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    finally:
        os.close(alive_in)
    if os.WIFSIGNALED(status):
        raise _fault_of(os.WTERMSIG(status))
    returned, found = pickle.loads(answer)  # noqa: S301 - written by our own child
    if returned:
        result: T = found
        return result
    raise found


def _answer(work: Callable[[], object], *, answer: int, parent: int) -> NoReturn:
    """In the child: work, hand over what came of it, and end."""
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
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
