"""Exact statistics of many traces, gathered block by block along time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CACHED = 2**17
"""Samples worked on at a time: few enough to stay in a processor's cache."""


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """Room for a block and what is made of it; new memory would cost more than the arithmetic."""

    wide: NDArray[np.float64]
    power: NDArray[np.float64]
    bits: NDArray[np.uint64]

    @classmethod
    def of_shape(cls, rows: int, n_units: int) -> _Work:
        shape = rows, n_units
        return cls(np.empty(shape), np.empty(shape), np.empty(shape, dtype=np.uint64))


@dataclass(slots=True, eq=False)
class Running:
    """Statistics of the valid samples so far; every array has shape (unit,)."""

    count: NDArray[np.int64]
    mean: NDArray[np.float64]
    second: NDArray[np.float64]
    """Sum of squares about the mean."""
    third: NDArray[np.float64]
    """Sum of cubes about the mean."""
    maximum: NDArray[np.float32]
    at_maximum: NDArray[np.int64]
    """Samples that equal the maximum."""
    key: NDArray[np.uint64]
    """A sum over samples and their places that is the same for the same samples."""

    @classmethod
    def start(cls, n_units: int) -> Running:
        """Nothing seen yet."""
        return cls(
            count=np.zeros(n_units, dtype=np.int64),
            mean=np.zeros(n_units),
            second=np.zeros(n_units),
            third=np.zeros(n_units),
            maximum=np.full(n_units, -np.inf, dtype=np.float32),
            at_maximum=np.zeros(n_units, dtype=np.int64),
            key=np.zeros(n_units, dtype=np.uint64),
        )

    def add(
        self, values: NDArray[np.float32], valid: NDArray[np.bool_], *, first_frame: int
    ) -> None:
        """The next block of samples, shape (time, unit)."""
        rows = max(1, CACHED // max(1, values.shape[1]))
        work = _Work.of_shape(min(rows, len(values)), values.shape[1])
        for start in range(0, len(values), rows):
            own = slice(start, start + rows)
            self._add(values[own], valid[own], first_frame=first_frame + start, work=work)

    def _add(
        self,
        values: NDArray[np.float32],
        valid: NDArray[np.bool_],
        *,
        first_frame: int,
        work: _Work,
    ) -> None:
        invalid = None if valid.all() else ~valid
        self._add_moments(values, invalid, work=work)
        shown = values if invalid is None else np.where(valid, values, np.float32(-np.inf))
        self._add_maximum(shown)
        weights = place_weights(first_frame, len(values))
        bits = work.bits[: len(values)]
        bits[...] = np.ascontiguousarray(values).view(np.uint32)
        # One is added to each sample, so that one of zero is not the same as none.
        if invalid is None:
            self.key += weights.sum(dtype=np.uint64)
        else:
            bits += np.uint64(1)
            bits[invalid] = 0
        self.key += np.einsum("t,tu->u", weights, bits)

    def _add_moments(
        self, values: NDArray[np.float32], invalid: NDArray[np.bool_] | None, *, work: _Work
    ) -> None:
        """Joins moments about two means into moments about the common one (Pébay 2008)."""
        wide, power = work.wide[: len(values)], work.power[: len(values)]
        wide[...] = values
        count = np.full(self.count.size, len(values))
        if invalid is not None:
            count -= np.count_nonzero(invalid, axis=0)
            wide[invalid] = 0.0
        mean = wide.sum(axis=0) / np.maximum(count, 1)
        wide -= mean
        if invalid is not None:
            wide[invalid] = 0.0
        np.multiply(wide, wide, out=power)
        second = power.sum(axis=0)
        third = np.einsum("tu,tu->u", power, wide)
        before, total = self.count, np.maximum(self.count + count, 1)
        apart = mean - self.mean
        apart[before == 0] = 0.0
        step = apart / total
        between = apart * step * before * count
        self.third += third
        self.third += between * step * (before - count)
        self.third += 3 * step * (before * second - count * self.second)
        self.second += second
        self.second += between
        self.mean = np.where(before > 0, self.mean + step * count, mean)
        self.count = before + count

    def _add_maximum(self, shown: NDArray[np.float32]) -> None:
        top = shown.max(axis=0)
        reached = np.flatnonzero(top >= self.maximum)
        own = top[reached]
        number = np.count_nonzero(shown[:, reached] == own, axis=0)
        before = np.where(own == self.maximum[reached], self.at_maximum[reached], 0)
        self.at_maximum[reached] = before + number
        self.maximum[reached] = own

    def skewness(self) -> NDArray[np.float64]:
        """Third standardised moment; NaN of traces that do not vary."""
        varies = self.varies() & (self.second > 0)
        second = np.where(varies, self.second, 1.0)
        found: NDArray[np.float64] = np.where(
            varies, np.sqrt(self.count) * self.third / second**1.5, np.nan
        )
        return found

    def varies(self) -> NDArray[np.bool_]:
        """Whether two samples differ."""
        return self.at_maximum < self.count

    def identical(self) -> tuple[tuple[int, ...], ...]:
        """Groups of varying traces whose samples, gaps included, are the same bit by bit.

        Two different traces have the same key with a probability below 2^-32 (a sum with random
        weights), and would need the same count and moments as well.
        """
        groups: dict[tuple[object, ...], list[int]] = {}
        for unit in np.flatnonzero(self.varies()).tolist():
            own = (self.key, self.count, self.maximum, self.mean, self.second)
            groups.setdefault(tuple(array[unit].item() for array in own), []).append(unit)
        return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def place_weights(first: int, count: int) -> NDArray[np.uint64]:
    """An odd random number for each place, the same for the same place (SplitMix64)."""
    mixed = np.arange(first + 1, first + count + 1, dtype=np.uint64)
    mixed *= np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (mixed ^ (mixed >> np.uint64(31))) | np.uint64(1)
