"""The data of the factorisation benchmarks, and the clock and the memory they are measured with."""

from __future__ import annotations

import os
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from pipeline.methods.connectome.contraction import UnitColumns, UnitProducts
from pipeline.methods.connectome.hals import Model, Problem
from pipeline.methods.connectome.masks import Observed
from pipeline.methods.connectome.starts import start_models

T = TypeVar("T")

ABSENT = 0.15
"""Share of the units that a recording lacks, where some are missing."""

QUIET, LOUD = 0.26, 0.9
"""How often a unit is above its dead zone outside and inside the active times of its group; a
tenth of the table of affinities is then not zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Frames, recordings, units and components."""

    frames: int = 960
    animals: int = 10
    units: int = 60
    rank: int = 10

    @property
    def pairs(self) -> int:
        """Pairs of units."""
        return self.units * (self.units - 1) // 2

    @property
    def dense_bytes(self) -> int:
        """The table of affinities in double precision."""
        return 8 * self.frames * self.animals * self.pairs


def planted_speeds(size: Size, seed: int = 0) -> np.ndarray:
    """Speeds (frame, animal, unit) of ``rank`` groups of units, each active a tenth of the time."""
    rng = np.random.default_rng(seed)
    active = np.zeros((size.frames, size.rank), dtype=bool)
    for group in range(size.rank):
        for begin in rng.integers(0, size.frames, max(1, size.frames // 200)):
            active[begin : begin + 20, group] = True
    member = rng.random((size.units, size.rank)) < 0.15
    takes_part = rng.random((size.animals, size.rank)) < 0.8
    speeds = np.empty((size.frames, size.animals, size.units), dtype=np.float32)
    for animal in range(size.animals):
        inside = (active & takes_part[animal]) @ member.T
        moves = rng.random(inside.shape, dtype=np.float32) < np.where(inside, LOUD, QUIET)
        size_of = rng.random(inside.shape, dtype=np.float32)
        speeds[:, animal] = moves * np.where(inside, 0.5 + 0.5 * size_of, size_of)
    return speeds


def some_missing(size: Size) -> np.ndarray:
    """Which units each recording has, (animal, unit)."""
    return np.random.default_rng(1).random((size.animals, size.units)) >= ABSENT


def problem_of(speeds: np.ndarray, present: np.ndarray | None = None, *, threads: int) -> Problem:
    """The factorisation of the speeds as the method makes it, without a table."""
    if present is None:
        present = np.ones(speeds.shape[1:], dtype=bool)
    values = np.sqrt(np.where(present, speeds, 0)).reshape(-1, speeds.shape[2])
    return Problem(
        products=UnitProducts(UnitColumns.of(values), threads=threads),
        observed=Observed.of(np.broadcast_to(present, speeds.shape)),
    )


def table_of(speeds: np.ndarray) -> np.ndarray:
    """The table of affinities (frame, animal, pair) in double precision, which peers need."""
    first, second = np.triu_indices(speeds.shape[2], 1)
    root = np.sqrt(speeds)
    return (root[..., first] * root[..., second]).astype(np.float64)


def start_of(problem: Problem, rank: int) -> Model:
    """A random start of the size of the data, which all codes share."""
    rng = np.random.default_rng(2)
    return start_models(problem, kind="random", rank=rank, count=1, rng=rng)[0]


@dataclass(frozen=True, slots=True)
class Clock:
    """How time is taken: of the processor, which other work does not disturb, or of the wall."""

    threads: int

    @property
    def name(self) -> str:
        """What a second is."""
        return "processor seconds" if self.threads == 1 else "seconds by the wall"

    def now(self) -> float:
        """Seconds so far."""
        return time.process_time() if self.threads == 1 else time.perf_counter()

    def of(self, work: Callable[[], T]) -> tuple[float, T]:
        """Seconds that work takes, and what comes of it."""
        begin = self.now()
        found = work()
        return self.now() - begin, found


def peak_bytes(work: Callable[[], object]) -> int:
    """Most memory that work holds at a time beyond what was there, as NumPy allocates it."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def load() -> str:
    """How busy the machine is with other work, for the head of a table."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
