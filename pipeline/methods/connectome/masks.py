"""Which pairs are observed in which cells, and what that does to the normal equations.

Where entries are missing, each row of a factor has a Gram matrix of its own. All of them follow
from few sums when cells are grouped by slot and by the units that are observed (``group``), and
units by the groups they are observed in:

- ``H[g]``: sum over the group's cells of the outer product of their weights;
- ``S[g]``: sum over the group's pairs of the outer product of the pair factor's rows;
- pair ``p``: sum of ``H[g]`` over the groups in which it is observed;
- time ``t``: sum over slots of ``beta beta' * S[group of the cell]``;
- slot ``a``: sum over its groups of ``(sum of tau tau') * S[g]``.

Nothing is filled in, so that what is stored in missing entries and how many there are does not
matter to the solution. Beyond :attr:`Observed.exact` groups the sums would cost more than the data;
then missing entries are filled with the model before each update, which has the same stationary
points and takes more iterations.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

logger = logging.getLogger(__name__)

CHUNK_BYTES = 32 * 2**20
"""Gram matrices of pairs that are held at a time."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fill:
    """What the model adds to the products where nothing is observed."""

    to_cells: NDArray[np.float64]
    """Shape (cell, component)."""
    to_pairs: NDArray[np.float64]
    """Shape (pair, component)."""
    energy: float
    """The model's sum of squares there."""


class Observed:
    """Which units are observed together, cell by cell.

    Parameters
    ----------
    seen
        Distinct sets of observed units, (pattern, unit).
    pattern
        The set of each cell, (row of time, slot).
    max_groups
        Most pairs of slot and set that are treated exactly.
    channels
        How many times the table has the pairs, one set after another.
    """

    def __init__(
        self,
        seen: NDArray[np.bool_],
        pattern: NDArray[np.int64],
        *,
        max_groups: int = 256,
        channels: int = 1,
    ) -> None:
        self.channels = channels
        self.max_groups = max_groups
        self.n_rows, self.n_slots = pattern.shape
        self.n_units = seen.shape[1]
        self.seen = seen
        self.pattern = pattern
        keys = pattern + len(seen) * np.arange(self.n_slots)
        found, group = np.unique(keys, return_inverse=True)
        self.exact = found.size <= max_groups or bool(seen.all())
        if not self.exact:
            logger.info(
                "%d sets of observed units are more than %d: missing affinities are filled with "
                "the model, which takes more iterations",
                found.size,
                max_groups,
            )
            found, group = np.arange(self.n_slots), np.tile(np.arange(self.n_slots), self.n_rows)
            of_group = np.ones((self.n_slots, self.n_units), dtype=bool)
            self._slot = found
        else:
            of_group = seen[found % len(seen)]
            self._slot = found // len(seen)
        self._group = group.reshape(pattern.shape).astype(np.int64)
        self.n_groups = self._slot.size
        tuples, row_kind = np.unique(self._group, axis=0, return_inverse=True)
        self._group_of_kind = tuples
        self.row_kind = row_kind.reshape(-1).astype(np.int64)
        self._set_pairs(of_group)

    @classmethod
    def of(
        cls, observed: NDArray[np.bool_], *, max_groups: int = 256, channels: int = 1
    ) -> Observed:
        """From a mask of units, (row of time, slot, unit)."""
        flat = observed.reshape(-1, observed.shape[2])
        packed = np.packbits(flat, axis=1)
        _, first, pattern = np.unique(packed, axis=0, return_index=True, return_inverse=True)
        return cls(
            flat[first],
            pattern.reshape(observed.shape[:2]).astype(np.int64),
            max_groups=max_groups,
            channels=channels,
        )

    def _set_pairs(self, of_group: NDArray[np.bool_]) -> None:
        """Pairs by the groups in which both units are observed."""
        members, unit_class = np.unique(of_group, axis=1, return_inverse=True)
        unit_class = unit_class.reshape(-1)
        n_classes = members.shape[1]
        first, second = np.triu_indices(self.n_units, 1)
        one, other = unit_class[first], unit_class[second]
        low, high = np.minimum(one, other), np.maximum(one, other)
        kinds, kind = np.unique(low * n_classes + high, return_inverse=True)
        self._together = members[:, kinds // n_classes] & members[:, kinds % n_classes]
        self.pair_kind = np.tile(kind.reshape(-1).astype(np.int64), self.channels)
        self.n_pair_kinds = kinds.size
        # Pairs of one kind after another, so that few Gram matrices are held at a time.
        self._by_kind = np.argsort(self.pair_kind, kind="stable")
        self._kinds_in_order = self.pair_kind[self._by_kind]

    @property
    def pair_observed(self) -> NDArray[np.bool_]:
        """Whether a pair is observed anywhere, shape (pair,)."""
        if not self.exact:
            used = self.seen[np.unique(self.pattern)].astype(np.float32)
            first, second = np.triu_indices(self.n_units, 1)
            together = np.einsum("pi,pi->i", used[:, first], used[:, second])
            return np.tile(together > 0, self.channels)
        anywhere: NDArray[np.bool_] = np.logical_or.reduce(self._together, axis=0)
        return anywhere[self.pair_kind]

    def pair_sums(self, pair: NDArray[np.float64]) -> NDArray[np.float64]:
        """``S``: sums of outer products over each group's pairs, (group, component, component)."""
        from pipeline.methods.connectome.kernels import grams_by_kind

        rank = pair.shape[1]
        sums = np.zeros((self.n_groups, rank * rank))
        for kinds, rows in self._chunks(rank):
            of_kind = np.zeros((kinds.stop - kinds.start, rank, rank))
            grams_by_kind(pair, rows, self.pair_kind[rows] - kinds.start, of_kind)
            sums += self._together[:, kinds].astype(np.float64) @ of_kind.reshape(
                len(of_kind), rank * rank
            )
        return sums.reshape(self.n_groups, rank, rank)

    def cell_sums(
        self, time: NDArray[np.float64], slot: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """``H``: sums of outer products of the cells' weights, (group, component, component)."""
        of_slot = slot[self._slot]
        return self._time_sums(time) * of_slot[:, :, None] * of_slot[:, None, :]

    def cell_energy(
        self,
        time: NDArray[np.float64],
        slot: NDArray[np.float64],
        pair: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """The model's sum of squares over the observed pairs of each cell, shape (cell,)."""
        weight, sums = cell_weights(time, slot), self.pair_sums(pair)
        group = self._group.reshape(-1)
        energy = np.empty(len(weight))
        for index in range(self.n_groups):
            cells = np.flatnonzero(group == index)
            energy[cells] = ((weight[cells] @ sums[index]) * weight[cells]).sum(axis=1)
        fill = self.fill(time, slot, pair)
        if fill is not None:
            energy -= (weight * fill.to_cells).sum(axis=1)
        return energy

    def component_products(
        self,
        time: NDArray[np.float64],
        slot: NDArray[np.float64],
        pair: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Inner products of components over observed entries, (component, component)."""
        found = (self.cell_sums(time, slot) * self.pair_sums(pair)).sum(axis=0)
        weight = cell_weights(time, slot)
        for component in range(pair.shape[1]):
            alone = np.zeros(pair.shape[1])
            alone[component] = 1
            fill = self.fill(time * alone, slot, pair)
            if fill is not None:
                found[component] -= (weight * fill.to_cells).sum(axis=0)
        return np.asarray(found)

    def missing_products(
        self,
        time: NDArray[np.float64],
        slot: NDArray[np.float64],
        pair: NDArray[np.float64],
        other: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """The model's missing entries times columns of pairs, (pair, column) to (cell, column)."""
        rank = pair.shape[1]
        both = np.concatenate([pair, other], axis=1)
        if not self.exact:
            beside = [
                np.concatenate([factor, np.zeros((len(factor), other.shape[1]))], axis=1)
                for factor in (time, slot)
            ]
            return self._filled(beside[0], beside[1], both).to_cells[:, rank:]
        weight = cell_weights(time, slot)
        sums = pair.T @ other - self.pair_sums(both)[:, :rank, rank:]
        group = self._group.reshape(-1)
        found = np.empty((len(weight), other.shape[1]))
        for index in range(self.n_groups):
            cells = np.flatnonzero(group == index)
            found[cells] = weight[cells] @ sums[index]
        return found

    def of_rows(self, rows: NDArray[np.int64], slots: Sequence[int]) -> Observed:
        """Of some rows of time and some slots only."""
        return self._of(self.pattern[rows][:, list(slots)])

    def unfolded(self) -> Observed:
        """Of the same cells in one slot."""
        return self._of(self.pattern.reshape(-1, 1))

    def _of(self, pattern: NDArray[np.int64]) -> Observed:
        return Observed(self.seen, pattern, max_groups=self.max_groups, channels=self.channels)

    def time_grams(
        self, slot: NDArray[np.float64], pair_sums: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Gram matrices of the kinds of time rows, (kind, component, component)."""
        outer = slot[:, :, None] * slot[:, None, :]
        found = np.zeros((len(self._group_of_kind), *outer.shape[1:]))
        for index in range(self.n_slots):
            found += outer[index] * pair_sums[self._group_of_kind[:, index]]
        return found

    def slot_grams(
        self, time: NDArray[np.float64], pair_sums: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Gram matrices of the slots, (slot, component, component)."""
        found = np.zeros((self.n_slots, time.shape[1], time.shape[1]))
        np.add.at(found, self._slot, self._time_sums(time) * pair_sums)
        return found

    def pair_grams(
        self, cell_sums: NDArray[np.float64]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]]:
        """Rows of pairs, the kind of each, and the kinds' Gram matrices, piece by piece."""
        rank = cell_sums.shape[1]
        flat = cell_sums.reshape(self.n_groups, -1)
        for kinds, rows in self._chunks(rank):
            grams = self._together[:, kinds].T.astype(np.float64) @ flat
            yield rows, self.pair_kind[rows] - kinds.start, grams.reshape(len(grams), rank, rank)

    def fill(
        self,
        time: NDArray[np.float64],
        slot: NDArray[np.float64],
        pair: NDArray[np.float64],
    ) -> Fill | None:
        """What the model adds where nothing is observed; nothing where masks are exact."""
        return None if self.exact else self._filled(time, slot, pair)

    def _filled(
        self,
        time: NDArray[np.float64],
        slot: NDArray[np.float64],
        pair: NDArray[np.float64],
    ) -> Fill:
        """What the model adds where nothing is observed."""
        from pipeline.methods.connectome.kernels import model_where_missing

        weight = cell_weights(time, slot)
        to_cells, to_pairs = np.zeros_like(weight), np.zeros_like(pair)
        energy = 0.0
        for rows in np.split(np.arange(len(pair)), self.channels):
            of_channel = slice(int(rows[0]), int(rows[-1]) + 1)
            energy += model_where_missing(
                weight,
                pair[of_channel],
                self.seen,
                self.pattern.reshape(-1),
                to_cells,
                to_pairs[of_channel],
            )
        return Fill(to_cells=to_cells, to_pairs=to_pairs, energy=energy)

    def _time_sums(self, time: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums of outer products of the time factor over each group's rows."""
        from pipeline.methods.connectome.kernels import grams_by_kind

        found = np.zeros((self.n_groups, time.shape[1], time.shape[1]))
        if self.n_groups == self.n_slots:  # every slot has one group, which holds all its rows
            found[:] = time.T @ time
            return found
        row = np.repeat(np.arange(self.n_rows), self.n_slots)
        grams_by_kind(time, row, self._group.reshape(-1), found)
        return found

    def _chunks(self, rank: int) -> Iterator[tuple[slice, NDArray[np.int64]]]:
        """Kinds of pairs, as many as are held at a time, and the pairs of these kinds."""
        step = max(1, CHUNK_BYTES // max(8 * rank * rank, 1))
        kinds = np.arange(0, self.n_pair_kinds + step, step).clip(max=self.n_pair_kinds)
        places = np.searchsorted(self._kinds_in_order, kinds)
        for first, stop, begin, end in zip(
            kinds[:-1], kinds[1:], places[:-1], places[1:], strict=True
        ):
            if first < stop:
                yield slice(int(first), int(stop)), self._by_kind[begin:end]


def cell_weights(time: NDArray[np.float64], slot: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of the cells, (row of time, slot) in C order: products of time and slot factor."""
    return np.asarray(
        (time[:, None, :] * slot[None, :, :]).reshape(len(time) * len(slot), time.shape[1])
    )
