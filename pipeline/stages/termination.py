"""SIGTERM, which schedulers send some seconds before they kill: a stage ends itself, in order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

CODE = 128 + signal.SIGTERM
"""Exit code of a process that ended because it was asked to."""

_asked = threading.Event()
_deferred = threading.Event()


@contextmanager
def termination_heard() -> Iterator[None]:
    """While the block lasts, SIGTERM raises :class:`SystemExit`, so that files are tidied up."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the business of the main thread
        return
    _asked.clear()
    before = signal.signal(signal.SIGTERM, _hear)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def checkpointed_work() -> Iterator[None]:
    """From the first :func:`defer` in the block on, SIGTERM only asks, and a checkpoint ends it.

    Before it, as in a long search for a start, there is nothing to keep, and the block is ended at
    once: schedulers do not wait.
    """
    try:
        yield
    finally:
        _deferred.clear()


def defer() -> None:
    """A checkpoint can be written from now on."""
    _deferred.set()


def is_asked_to_end() -> bool:
    """Whether SIGTERM has come."""
    return _asked.is_set()


def end_if_asked() -> None:
    """End the process, if it was asked to.

    Raises
    ------
    SystemExit
        With the code that names the signal.
    """
    if _asked.is_set():
        raise SystemExit(CODE)


def _hear(_: int, __: FrameType | None) -> None:
    _asked.set()
    if not _deferred.is_set():
        raise SystemExit(CODE)
