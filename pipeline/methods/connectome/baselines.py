"""Simpler analyses of the same recordings, judged as the components are.

Every analysis gives patterns of pairs; they are learned from half of the recordings (or of the only
one) and judged in the others by the share of affinities that they explain there, with a course in
time that is free. A simpler analysis that does as well makes the components superfluous.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pipeline.core.resuming import ALONE, Loops, Made, Midway
from pipeline.core.rng import stream
from pipeline.core.views import TraceEnsemble
from pipeline.methods.connectome.alignment import Alignment, recording_rows
from pipeline.methods.connectome.communities import find_communities, graph
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.contraction import TableProducts
from pipeline.methods.connectome.correlation import traces_of_units, whole, windowed
from pipeline.methods.connectome.factorisation import Search, factorise, going_on
from pipeline.methods.connectome.hals import (
    Problem,
    part_of,
    refit_times,
    residual_energy,
    unfolded,
)
from pipeline.methods.connectome.masks import Observed
from pipeline.methods.connectome.problem import over_channels
from pipeline.methods.connectome.result import COMPONENTS, Baselines
from pipeline.numerics.sign_flips import sign_flip_p

LEVEL = 0.05

REPLICATES = 5
"""Recordings from which a p value over recordings can be small enough to mean something."""

SWEEPS = 50
"""Passes of HALS that are ample for one mode with the others fixed."""

FOLDS = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Piece:
    """A recording, or a half of the only one: rows of the table in one slot, and its traces."""

    name: str
    recording: int
    rows: NDArray[np.int64]
    slot: int
    values: NDArray[np.float64]
    valid: NDArray[np.bool_]
    rate_hz: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Components against the best of the simpler analyses."""

    best: str
    components: float
    """Mean share explained over pieces."""
    other: float
    n_ahead: int
    """Pieces in which the components explain more."""
    n_pieces: int
    p_value: float
    """Of the mean difference by sign flips over recordings; NaN with fewer than five."""

    @property
    def ahead(self) -> bool:
        """Whether the components explain more: significantly, or in every piece of few."""
        if np.isfinite(self.p_value):
            return self.p_value <= LEVEL
        return self.n_ahead == self.n_pieces


Learn = Callable[[Sequence[_Piece], Midway], "NDArray[np.float64] | None"]


def compare_with_baselines(
    problem: Problem,
    alignment: Alignment,
    views: Sequence[TraceEnsemble],
    config: ConnectomeConfig,
    *,
    rng: np.random.Generator,
    loops: Loops = ALONE,
) -> Baselines:
    """Components beside correlation, correlation in sliding windows, and matrix factors.

    Parameters
    ----------
    problem, alignment
        The affinities, without penalties or with them.
    views
        Views of the experiment, in any order; traces are taken from them.
    config
        Number of components, length of windows, resolution of Leiden.
    loops
        Of the joining; a piece is patterns of all data, or patterns of half of them that are
        judged, or the communities of a pattern.
    """
    pieces = _pieces(alignment, views)
    found: dict[str, tuple[NDArray[np.float64] | None, NDArray[np.float64]]] = {}
    for name, learn in _analyses(problem, alignment, config, rng).items():
        patterns = {} if name == COMPONENTS else loops.piece(partial(_learned, learn, pieces), rng)
        explained = np.full(len(pieces), np.nan)
        for fold in range(FOLDS):
            judge = partial(_judged, problem, learn, pieces, fold)
            explained[fold::FOLDS] = loops.piece(judge, rng)["explained"]
        found[name] = patterns.get("patterns"), explained
    learned = {name: patterns for name, (patterns, _) in found.items() if patterns is not None}
    sizes = [learned[name].shape[1] if name in learned else 0 for name in found]
    labels = _communities(learned, alignment, config, rng, loops)
    return Baselines(
        baseline=np.array(list(found), dtype=np.str_),
        piece=np.array([piece.name for piece in pieces], dtype=np.str_),
        explained=np.stack([explained for _, explained in found.values()]),
        n_patterns=np.array(sizes, dtype=np.int64),
        pattern_of=np.repeat(np.arange(len(sizes)), sizes).astype(np.int64),
        community=labels,
    )


def _learned(learn: Learn, pieces: Sequence[_Piece], midway: Midway) -> Made:
    """Patterns of all pieces of the data; nothing where none can be learned."""
    patterns = learn(pieces, midway)
    return {} if patterns is None else {"patterns": patterns}


def _judged(
    problem: Problem, learn: Learn, pieces: Sequence[_Piece], fold: int, midway: Midway
) -> Made:
    """Share explained in the pieces of a fold by patterns of the others; NaN without patterns."""
    judging = pieces[fold::FOLDS]
    patterns = learn(pieces[1 - fold :: FOLDS], midway)
    if patterns is None:
        return {"explained": np.full(len(judging), np.nan)}
    seen = _in_channels(patterns, problem.shape[2] // patterns.shape[0])
    return {"explained": np.array([_explained(problem, piece, seen) for piece in judging])}


def verdict(baselines: Baselines) -> Verdict | None:
    """The components beside the best simpler analysis; nothing where none could be judged."""
    means = np.array([_mean(one) for one in baselines.explained])
    others = np.where(baselines.baseline == COMPONENTS, np.nan, means)
    if not np.isfinite(means[0]) or not np.isfinite(others).any():
        return None
    best = int(np.nanargmax(others))
    both = np.isfinite(baselines.explained[[0, best]]).all(axis=0)
    gain = (baselines.explained[0] - baselines.explained[best])[both]
    replicated = gain.size >= REPLICATES
    return Verdict(
        best=str(baselines.baseline[best]),
        components=float(means[0]),
        other=float(means[best]),
        n_ahead=int((gain > 0).sum()),
        n_pieces=int(gain.size),
        p_value=sign_flip_p(gain, rng=stream(0, "baselines")) if replicated else np.nan,
    )


def _mean(values: NDArray[np.float64]) -> float:
    """Mean of what is known; NaN of nothing."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else np.nan


def _analyses(
    problem: Problem, alignment: Alignment, config: ConnectomeConfig, rng: np.random.Generator
) -> dict[str, Learn]:
    """What learns patterns from pieces, (pair, pattern), by name."""
    n_units = alignment.unit.size
    search = Search(
        n_starts=config.n_starts,
        n_kept=1,
        burn_in=config.burn_in,
        max_iterations=config.max_iterations,
        tolerance=config.tolerance,
    )

    rank = config.n_components

    def fitted(one: Problem, count: int, midway: Midway) -> NDArray[np.float64] | None:
        if one.size == 0 or count > min(one.shape[0] * one.shape[1], one.shape[2]):
            return None
        fit = factorise(one, rank=count, search=search, rng=rng, **going_on(midway))[0]
        return np.where(one.observed.pair_observed[:, None], fit.pair * fit.weight, 0.0)

    def of_pieces(pieces: Sequence[_Piece]) -> Problem:
        # Recordings side by side share their rows; others, and halves, lie one after another.
        slots = sorted({piece.slot for piece in pieces})
        if len(slots) > 1:
            return part_of(problem, pieces[0].rows, slots)
        return part_of(problem, np.concatenate([piece.rows for piece in pieces]), slots)

    def in_windows(pieces: Sequence[_Piece], midway: Midway) -> NDArray[np.float64] | None:
        n_windows = sum(len(piece.values) / piece.rate_hz / config.window_s * 2 for piece in pieces)
        if n_windows * n_units**2 * 2 > config.max_tensor_mb * 1e6:
            return None
        tables = [
            windowed(piece.values, piece.valid, frames=round(config.window_s * piece.rate_hz))
            for piece in pieces
        ]
        table = np.concatenate([values for values, _ in tables])
        observed = np.concatenate([known for _, known in tables])
        if not len(table):
            return None
        one = Problem(products=TableProducts(table), observed=Observed.of(observed[:, None, :]))
        return fitted(one, rank, midway)

    def static(pieces: Sequence[_Piece], _: Midway) -> NDArray[np.float64]:
        tables = np.stack([whole(piece.values, piece.valid) for piece in pieces])
        known = np.isfinite(tables)
        mean = np.where(known, tables, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        return np.asarray(mean[:, None])

    def matrix(pieces: Sequence[_Piece], midway: Midway, count: int) -> NDArray[np.float64] | None:
        return fitted(unfolded(of_pieces(pieces)), count, midway)

    analyses: dict[str, Learn] = {
        COMPONENTS: lambda pieces, midway: fitted(of_pieces(pieces), rank, midway)
    }
    if problem.observed.n_slots > 1:
        analyses["matrix factors"] = partial(matrix, count=rank)
    analyses["one affinity graph"] = partial(matrix, count=1)
    analyses["correlation in windows"] = in_windows
    analyses["static correlation"] = static
    return analyses


def _in_channels(pair: NDArray[np.float64], channels: int) -> NDArray[np.float64]:
    """Patterns that tell no directions, once for each channel, so that each has its own times."""
    return np.asarray(np.kron(np.eye(channels), pair)) if channels > 1 else pair


def _explained(problem: Problem, piece: _Piece, pair: NDArray[np.float64]) -> float:
    """Share of a piece's affinities that given patterns explain with times of their own."""
    alone = part_of(problem, piece.rows, [piece.slot])
    if alone.size == 0:
        return np.nan
    time = refit_times(alone, pair, sweeps=SWEEPS)
    product = alone.products.over_pairs(pair)
    rest = residual_energy(alone, time, np.ones((1, pair.shape[1])), pair, product)
    return float(1 - rest.sum() / alone.size**2)


def _communities(
    learned: Mapping[str, NDArray[np.float64]],
    alignment: Alignment,
    config: ConnectomeConfig,
    rng: np.random.Generator,
    loops: Loops,
) -> NDArray[np.int64]:
    """Leiden's communities of every pattern, (pattern, unit)."""
    n_units = alignment.unit.size
    pairs = np.stack(np.triu_indices(n_units, 1), axis=1)
    graphs = [
        graph(one, pairs, n_units)
        for patterns in learned.values()
        for one in over_channels(patterns, channels=len(patterns) // len(pairs)).T
    ]
    by_leiden = config.model_copy(update={"communities": "leiden"})
    found = find_communities(graphs, by_leiden, rng=rng, loops=loops)
    return np.stack([one.label for one in found])


def _pieces(alignment: Alignment, views: Sequence[TraceEnsemble]) -> list[_Piece]:
    """Recordings of the alignment, or the halves of the only one."""
    by_name = {view.recording: view for view in views}
    pieces = []
    for index, recording in enumerate(alignment.recording):
        view = by_name[str(recording)]
        rows, slot = recording_rows(alignment, index)
        values, valid = traces_of_units(view, alignment.unit, alignment.presence[index])
        pieces.append(
            _Piece(
                name=str(recording),
                recording=index,
                rows=np.arange(alignment.bin_time_s.size)[rows],
                slot=slot,
                values=values,
                valid=valid,
                rate_hz=view.rate_hz,
            )
        )
    return pieces if len(pieces) > 1 else _halves(pieces[0])


def _halves(piece: _Piece) -> list[_Piece]:
    """The first and the second half of a recording."""
    rows, frames = piece.rows.size // 2, len(piece.values) // 2
    parts = (
        ("first half", slice(rows), slice(frames)),
        ("second half", slice(rows, None), slice(frames, None)),
    )
    return [
        _Piece(
            name=name,
            recording=piece.recording,
            rows=piece.rows[of_rows],
            slot=piece.slot,
            values=piece.values[of_frames],
            valid=piece.valid[of_frames],
            rate_hz=piece.rate_hz,
        )
        for name, of_rows, of_frames in parts
    ]
