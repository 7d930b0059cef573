"""Functions compiled to machine code, kept between runs where a folder can be written.

Compiling takes seconds, so that machine code is kept in ``$NUMBA_CACHE_DIR``, else in the user's
cache folder: never beside the sources, which may be read-only or shared by unlike machines. Each
kind of processor has a folder of its own, and every function here is compiled for one set of
argument types only; jobs that start at once then write the same bytes under the same name.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from llvmlite import binding
from numba.core import config

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """The function as machine code that lets other threads run; compiled when first called.

    Sums are taken in the order written, so that results do not depend on the machine's width.
    Without a folder to write to, the function is compiled anew by each process.
    """
    before = config.CACHE_DIR
    config.CACHE_DIR = str(_folder())
    try:
        made: Function = numba.njit(nogil=True, error_model="numpy", cache=True)(function)
    except (RuntimeError, OSError):  # what numba answers where it cannot write
        made = numba.njit(nogil=True, error_model="numpy")(function)
    finally:
        config.CACHE_DIR = before
    return made


def _folder() -> Path:
    """Where machine code of this kind of processor is kept."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    cache = Path(chosen) if chosen else Path(_user_cache()) / "neuroptych"
    return cache / f"{platform.machine()}-{binding.get_host_cpu_name()}"


def _user_cache() -> str:
    """The user's cache folder by the rules of desktops."""
    return os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")  # noqa: PTH111, PTH118
