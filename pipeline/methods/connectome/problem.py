"""What is factorised: affinities of all pairs over time, as a table or without one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.arrays import BLOCK_BYTES
from pipeline.core.axes import axes, check_axes
from pipeline.core.errors import NotApplicable
from pipeline.methods.connectome.alignment import Alignment, recording_rows
from pipeline.methods.connectome.config import OF_UNITS, ConnectomeConfig
from pipeline.methods.connectome.contraction import (
    Products,
    SplitProducts,
    TableProducts,
    UnitColumns,
    UnitProducts,
)
from pipeline.methods.connectome.hals import Penalty, Problem
from pipeline.methods.connectome.masks import Observed
from pipeline.methods.connectome.pair_affinity import (
    SHORTEST_S,
    channels_of,
    outer_columns,
    pair_affinity,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AffinityTable:
    """Affinities of pairs over time, zero where not observed."""

    values: NDArray[np.float32] = axes("bin", "slot", "pair")
    observed: NDArray[np.bool_] = axes("bin", "slot", "pair")
    recording_scale: NDArray[np.float64] = axes("recording")
    """What each recording's affinities were multiplied with."""

    def __post_init__(self) -> None:
        check_axes(self)


def affinity_table(alignment: Alignment, config: ConnectomeConfig) -> AffinityTable:
    """Affinities of the pairs that are observed, averaged over the frames of each bin.

    Raises
    ------
    NotApplicable
        If no two units are ever active together, or there are fewer entries than components.
    ConfigError
        If a user's affinity is none.
    """
    _refuse_rank(alignment, config)
    channels = channels_of(config.affinity)
    n_bins, n_slots = alignment.bin_time_s.size, alignment.speed.shape[1]
    values = np.zeros((n_bins, n_slots, channels * len(alignment.pairs)), dtype=np.float32)
    _fill(values, alignment, alignment.pairs, config)
    one, other = alignment.pairs.T
    observed = alignment.observed[:, :, one] & alignment.observed[:, :, other]
    if not values.any():
        raise _no_affinity(alignment)
    scale = _recording_scale(values, alignment, normed=config.animal_norm)
    return AffinityTable(values=values, observed=np.tile(observed, channels), recording_scale=scale)


def affinity_problem(alignment: Alignment, config: ConnectomeConfig, *, threads: int) -> Problem:
    """The same affinities as the solver sees them, of all pairs of units.

    Pairs stand in the order of ``numpy.triu_indices``, once for each channel of the affinity;
    :func:`rows_of_pairs` finds those that are observed. A table is made only where affinities
    are no sums of products of what single units do; one of more than ``max_tensor_mb`` lies in a
    temporary file, which is read twice an iteration.

    Raises
    ------
    NotApplicable
        If no two units are ever active together, or there are fewer entries than components.
    ConfigError
        If a user's affinity is none.
    """
    _refuse_rank(alignment, config)
    if config.affinity in OF_UNITS:
        products = _of_units(alignment, config, threads=threads)
    else:
        products = _of_table(alignment, config, threads=threads)
    if not products.energy.any():
        raise _no_affinity(alignment)
    if config.animal_norm:
        shape = alignment.bin_time_s.size, alignment.speed.shape[1]
        scale = _cell_scale(products.energy.reshape(shape), alignment)
        products = products.scaled(scale.reshape(-1))
    return Problem(
        products=products,
        observed=Observed.of(
            alignment.observed,
            max_groups=config.max_patterns,
            channels=channels_of(config.affinity),
        ),
        penalty=Penalty(sparse=config.sparse, smooth=config.smooth, ridge=config.ridge),
        linked=alignment.bin_linked,
    )


def rows_of_pairs(alignment: Alignment, *, channels: int = 1) -> NDArray[np.int64]:
    """Where the pairs that are observed stand among all pairs, channel after channel."""
    n_units = alignment.unit.size
    first, second = alignment.pairs.T
    rows = first * (2 * n_units - first - 1) // 2 + second - first - 1
    every = n_units * (n_units - 1) // 2
    return np.concatenate([rows + channel * every for channel in range(channels)]).astype(np.int64)


def over_channels(pair: NDArray[np.float64], *, channels: int) -> NDArray[np.float64]:
    """Pair factors, (channel * pair, component), summed over channels, (pair, component)."""
    return np.asarray(pair.reshape(channels, -1, pair.shape[1]).sum(axis=0))


def _of_units(alignment: Alignment, config: ConnectomeConfig, *, threads: int) -> Products:
    """Products from the units' speeds, without a table."""
    if config.engine == "torch":
        from pipeline.methods.connectome.torch_engine import TorchProducts, device_for

        where = device_for(config)

        def made_of(columns: UnitColumns) -> UnitProducts:
            return TorchProducts(columns, device=where, threads=threads)
    else:

        def made_of(columns: UnitColumns) -> UnitProducts:
            return UnitProducts(columns, threads=threads)

    if config.affinity != "split_sign":
        return made_of(_columns(alignment, config.affinity))
    every, same = (_columns(alignment, one) for one in ("geometric", "geometric_same_sign"))
    return SplitProducts(made_of(every), made_of(same))


def _columns(alignment: Alignment, affinity: str) -> UnitColumns:
    """What the units contribute to each cell, (bin, slot) in C order."""
    _, n_slots, n_units = alignment.speed.shape
    terms = outer_columns(affinity, alignment.speed, alignment.sign)
    # A mean over the frames of a bin: each affinity is divided by their number, each of its two
    # values by the root of that.
    sizes = np.bincount(alignment.frame_bin)[alignment.frame_bin]
    share = 1 / np.sqrt(sizes).astype(np.float32)[:, None, None]
    values = np.concatenate([(term * share).reshape(-1, n_units) for term in terms])
    # Columns of a cell stand together: bin by bin, slot by slot.
    cell = (alignment.frame_bin[:, None] * n_slots + np.arange(n_slots)).reshape(-1)
    cell = np.tile(cell, len(terms))
    order = np.argsort(cell, kind="stable")
    return UnitColumns.of(
        values[order], cell=cell[order], n_cells=alignment.bin_time_s.size * n_slots
    )


def _of_table(alignment: Alignment, config: ConnectomeConfig, *, threads: int) -> TableProducts:
    """Products with a table, in memory or in a temporary file."""
    n_bins, n_slots, n_units = alignment.observed.shape
    pairs = np.stack(np.triu_indices(n_units, 1), axis=1)
    shape = (n_bins, n_slots, channels_of(config.affinity) * len(pairs))
    values = _room(shape, most_bytes=config.max_tensor_mb * 1_000_000)
    _fill(values, alignment, pairs, config)
    return TableProducts(values.reshape(n_bins * n_slots, -1), threads=threads)


def _room(shape: tuple[int, ...], *, most_bytes: int) -> NDArray[np.float32]:
    """Zeros; those of a file without a name, gone with the process, where memory is not for them.

    The file lies where temporary files do (``TMPDIR``). Its room is taken at once, so that a full
    disk is an error here and not a crash when pages are written.
    """
    n_bytes = 4 * int(np.prod(shape))
    if n_bytes <= most_bytes:
        return np.zeros(shape, dtype=np.float32)
    with tempfile.TemporaryFile() as file:
        os.posix_fallocate(file.fileno(), 0, n_bytes)
        return np.memmap(file, dtype=np.float32, mode="r+", shape=shape)


def _fill(
    values: NDArray[np.float32],
    alignment: Alignment,
    pairs: NDArray[np.int64],
    config: ConnectomeConfig,
) -> None:
    """Affinities of some pairs, averaged over the frames of each bin, into (bin, slot, pair)."""
    channels = channels_of(config.affinity)
    table = values.reshape(*values.shape[:2], channels, len(pairs))
    for bins, frames in _stretches(alignment):
        starts = np.searchsorted(alignment.frame_bin[frames], np.arange(bins.start, bins.stop))
        sizes = np.diff(np.append(starts, frames.stop - frames.start))
        shortest = max(1, int(SHORTEST_S / alignment.frame_interval_s[frames.start] + 0.5))
        for block in _pair_blocks(len(pairs), frames.stop - frames.start, config.affinity):
            one, other = pairs[block].T
            for slot in range(values.shape[1]):
                affinity = pair_affinity(
                    config.affinity,
                    alignment.speed[frames, slot],
                    alignment.sign[frames, slot],
                    pairs[block],
                    shortest=shortest,
                )
                mean = np.add.reduceat(affinity, starts, axis=0) / sizes[:, None]
                observed = alignment.observed[bins, slot]
                seen = np.tile(observed[:, one] & observed[:, other], channels)
                table[bins, slot, :, block] = np.where(seen, mean, 0).reshape(
                    len(sizes), channels, -1
                )


def _pair_blocks(n_pairs: int, n_frames: int, affinity: str) -> Iterator[slice]:
    """Pairs whose affinities over all frames fit in memory; all for a user's function."""
    step = n_pairs if ":" in affinity else max(1, BLOCK_BYTES // (16 * n_frames))
    for first in range(0, n_pairs, step):
        yield slice(first, min(first + step, n_pairs))


def _stretches(alignment: Alignment) -> Iterator[tuple[slice, slice]]:
    """Bins that follow each other in time, and their frames."""
    breaks = np.flatnonzero(~alignment.bin_linked) + 1
    bounds = np.concatenate([[0], breaks, [alignment.bin_time_s.size]])
    places = np.searchsorted(alignment.frame_bin, bounds)
    for index in range(bounds.size - 1):
        yield (
            slice(int(bounds[index]), int(bounds[index + 1])),
            slice(int(places[index]), int(places[index + 1])),
        )


def _refuse_rank(alignment: Alignment, config: ConnectomeConfig) -> None:
    """More components than frames or pairs are never of use."""
    n_bins, n_pairs, rank = alignment.bin_time_s.size, len(alignment.pairs), config.n_components
    if rank > min(n_bins, n_pairs):
        raise NotApplicable(
            f"{rank} components were asked for, but there are only {n_bins} frames and "
            f"{n_pairs} pairs; set methods.connectome.rank to at most {min(n_bins, n_pairs)}."
        )


def _no_affinity(alignment: Alignment) -> NotApplicable:
    """What to say of units that are never active together."""
    return NotApplicable(
        f"No two of the {alignment.unit.size} units are active at the same time; there is no "
        "affinity to factorise."
    )


def _cell_scale(energy: NDArray[np.float64], alignment: Alignment) -> NDArray[np.float64]:
    """What brings the recordings to one common norm, for each cell (bin, slot)."""
    scale = np.ones(energy.shape)
    places = [recording_rows(alignment, index) for index in range(alignment.recording.size)]
    norms = np.sqrt([energy[place].sum() for place in places])
    for place, norm in zip(places, norms, strict=True):
        if norm > 0:
            scale[place] = norms[norms > 0].mean() / norm
    return scale


def _recording_scale(
    values: NDArray[np.float32], alignment: Alignment, *, normed: bool
) -> NDArray[np.float64]:
    """Scales each recording's affinities in place to one common norm; what each was scaled by."""
    n_recordings = alignment.recording.size
    places = [recording_rows(alignment, index) for index in range(n_recordings)]
    norms = np.array([np.linalg.norm(values[place].ravel()) for place in places])
    scale = np.ones(n_recordings)
    if normed and n_recordings > 1:
        scale[norms > 0] = norms[norms > 0].mean() / norms[norms > 0]
        for place, factor in zip(places, scale, strict=True):
            values[place] *= np.float32(factor)
    return scale
