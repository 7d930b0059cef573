"""Functions compiled to machine code, kept between runs where a folder can be written.

Compiling takes seconds, so that machine code is kept in ``$NUMBA_CACHE_DIR``, else in the user's
cache folder: never beside the sources, which may be read-only or shared by unlike machines. Each
kind of processor has a folder of its own, and every function here is compiled for one set of
argument types only; jobs that start at once then write the same bytes under the same name. A
function's machine code holds that of the functions it calls, so that it is kept under a digest of
all sources of its folder: a function may call those of its own folder, whichever file they are in.
"""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numba
from llvmlite import binding
from numba.core import config
from numba.core.caching import _CacheLocator

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """The function as machine code that lets other threads run; compiled when first called.

    Sums are taken in the order written, so that results do not depend on the machine's width.
    Without a folder to write to, the function is compiled anew by each process.
    """
    if _folder(Path(function.__code__.co_filename).parent) is None:
        made: Function = numba.njit(nogil=True, error_model="numpy")(function)
        return made
    before = config.CACHE_LOCATOR_CLASSES
    config.CACHE_LOCATOR_CLASSES = f"{ByContent.__module__}.{ByContent.__name__}"
    try:
        made = numba.njit(nogil=True, error_model="numpy", cache=True)(function)
    finally:
        config.CACHE_LOCATOR_CLASSES = before
    return made


class ByContent(_CacheLocator):  # type: ignore[misc]  # numba has no types
    """Tells numba to keep machine code by the content of its sources, not their place and time.

    Every clone and every copy of the same sources shares it: a new one compiles nothing.
    """

    def __init__(self, folder: Path, line: int) -> None:
        self._folder = folder
        self._line = line

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> ByContent | None:
        """For a function of a file; nothing where no folder can be written to."""
        folder = _folder(Path(py_file).parent)
        return cls(folder, py_func.__code__.co_firstlineno) if folder else None

    def get_cache_path(self) -> str:
        """The folder, named by the digest of all sources."""
        return str(self._folder)

    def get_source_stamp(self) -> str:
        """The same digest: there is no older machine code in its folder."""
        return self._folder.name

    def get_disambiguator(self) -> str:
        """The line tells functions of one name in one file apart."""
        return str(self._line)


def _folder(sources: Path) -> Path | None:
    """Where machine code of these sources and this kind of processor is kept, if anywhere."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    cache = Path(chosen) if chosen else Path(_user_cache()) / "neuroptych"
    folder = cache / f"{platform.machine()}-{binding.get_host_cpu_name()}" / _digest(sources)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


@lru_cache
def _digest(sources: Path) -> str:
    """Of the texts of all modules of a folder."""
    text = hashlib.sha256()
    for path in sorted(sources.glob("*.py")):
        text.update(path.read_bytes())
    return text.hexdigest()[:12]


def _user_cache() -> str:
    """The user's cache folder by the rules of desktops."""
    return os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")  # noqa: PTH111, PTH118
