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
def deferred_termination(deferred: bool) -> Iterator[None]:
    """While the block lasts, SIGTERM only asks; the block ends at its next checkpoint.

    Parameters
    ----------
    deferred
        Whether the block writes checkpoints; otherwise it is ended at once.
    """
    if deferred:
        _deferred.set()
    try:
        yield
    finally:
        _deferred.clear()


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
