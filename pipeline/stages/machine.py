"""By which code and on what kind of machine a job runs."""

from __future__ import annotations

import functools
import json
import os
import platform
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pipeline

COMMIT_VARIABLE = "NEUROPTYCH_COMMIT"
"""Carries the commit from the driver to jobs, which need not ask again, nor have a git to ask."""
CPU_INFO = Path("/proc/cpuinfo")
MEBI = 2**20


def commit_of(folder: Path) -> dict[str, str | bool]:
    """The commit of the checkout that a package lies in; nothing outside of one."""

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(  # noqa: S603
                ["git", "-C", str(folder), *words],  # noqa: S607
                capture_output=True,
                text=True,
                check=False,
            )
        except FileNotFoundError:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    # A package that was installed into somebody's checkout is not part of it.
    if not git("ls-files", "--error-unmatch", "__init__.py"):
        return {}
    commit, changes = git("rev-parse", "HEAD"), git("status", "--porcelain", "--", ".")
    if commit is None or changes is None:
        return {}
    return {"commit": commit, "changed_since_commit": bool(changes)}


def commit_at_start() -> Mapping[str, str | bool]:
    """The commit when the run began, or today's where no driver told one."""
    with suppress(KeyError, ValueError):
        told: dict[str, str | bool] = json.loads(os.environ[COMMIT_VARIABLE])
        return told
    return _own_commit()


@functools.cache
def _own_commit() -> Mapping[str, str | bool]:
    return commit_of(Path(pipeline.__file__).parent)


def commit_told() -> str:
    """What :data:`COMMIT_VARIABLE` is to hold."""
    return json.dumps(commit_at_start())


@functools.cache
def machine_facts() -> dict[str, object]:
    """What time and memory of a job depend on: processor, cores, memory in MiB, system."""
    return {
        "processor": processor_name(),
        "cores_of_host": os.cpu_count(),
        "memory_of_host_mb": _memory_mb(),
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def processor_name() -> str:
    """The processor's model as Linux tells it, or what else the platform calls it."""
    with suppress(OSError):
        for line in CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, model = line.partition(":")
            if name.strip() == "model name":
                return " ".join(model.split())
    return platform.processor() or platform.machine()


def _memory_mb() -> int | None:
    with suppress(ValueError, OSError, AttributeError):
        return int(os.sysconf("SC_PAGE_SIZE")) * int(os.sysconf("SC_PHYS_PAGES")) // MEBI
    return None
