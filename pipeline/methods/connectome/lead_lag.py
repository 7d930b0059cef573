"""Which of two units changes first while a component is active: lead and lag, no causation.

The stretches in which a component is active were chosen because its units changed together there,
and its strongest pairs because they did so most. Both make courses that know nothing of each other
look locked, and shifting one of them does not tell, as the stretches no longer suit it. So nothing
is measured where it was chosen:

- components and their strongest pairs are found in one half of the recordings (or of the time of
  the only one), from starts of their own, and measured in the other half, and the other way round
  (cross-screening: Zhao, Small & Rosenbaum 2018); each half has half of the false discovery rate;
- in the half that measures, the course of the component comes from all units but the two.

What is correlated are the derivatives from which the affinities were made, with their signs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pipeline.core.resuming import ALONE, Loops, Made, Midway, arrays_of, record_of
from pipeline.core.views import TraceEnsemble
from pipeline.methods.connectome.affinity import Speeds
from pipeline.methods.connectome.alignment import Alignment, align, measured_speeds
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.factorisation import Fit, Search, factorise, going_on
from pipeline.methods.connectome.hals import Problem, part_of, refit_times
from pipeline.methods.connectome.pair_affinity import channels_of
from pipeline.methods.connectome.problem import affinity_problem, over_channels
from pipeline.methods.connectome.readback import active_stretches
from pipeline.methods.connectome.result import LeadLag
from pipeline.numerics.lagged import LagPiece, LagTest, lag_test
from pipeline.numerics.permutation import adjusted

N_DRAWS = 1999
"""Shifts, and draws of stretches, of each pair."""

SWEEPS = 30
FRAMES_A_WIDTH = 4
"""Frames of lags in the width of the derivative filter; more would repeat each other."""

ALIKE = 0.5
"""Cosine of pair factors from which a component of a half is one of all the data."""

LEVEL = 0.05


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Course:
    """Scaled derivatives of the pooled units of one recording, on the frames of lags."""

    time_s: NDArray[np.float64]
    value: NDArray[np.float64]
    """Shape (frame, unit); 0 where not known."""
    known: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Half:
    """Patterns from one half, to be looked at in the other."""

    pair: NDArray[np.float64]
    """Pair factors of the half that finds, with all channels, (channel * pair, component)."""
    problem: Problem
    """The half that measures, recordings one after another."""
    row: NDArray[np.int64]
    """Where its bins stand in the whole, (bin,)."""


def lead_lag(
    problem: Problem,
    alignment: Alignment,
    fit: Fit,
    views: Sequence[TraceEnsemble],
    config: ConnectomeConfig,
    *,
    threads: int,
    rng: np.random.Generator,
    loops: Loops = ALONE,
) -> LeadLag | None:
    """Lags of the strongest pairs of every component; nothing where a half is empty.

    Parameters
    ----------
    problem, alignment, fit
        What was fitted, all pairs of units in the pair factor.
    rng
        Starts of the refits, shifts, and draws of stretches.
    loops
        Of the joining; a piece is a refit, or a test.
    """
    whole, uncut = alignment, problem
    if alignment.side_by_side:
        whole = align(views, config.model_copy(update={"alignment": "concatenate"}))
        uncut = affinity_problem(whole, config, threads=threads)
    used = {view.recording: view for view in views}
    views = [used[str(name)] for name in whole.recording]
    frame_s = max(config.sigma_s / FRAMES_A_WIDTH, *(1 / view.rate_hz for view in views))
    most = max(1, round(config.max_lag_s / frame_s))
    courses = [
        _course(view, speed, whole, index, frame_s=frame_s)
        for index, (view, speed) in enumerate(
            zip(views, measured_speeds(views, config), strict=True)
        )
    ]
    rows: list[tuple[int, int, tuple[int, int], float, LagTest]] = []
    channels = channels_of(config.affinity)

    def tested(half: _Half, component: int, pair: tuple[int, int], _: Midway) -> Made:
        pieces = _pieces(half, component, pair, whole, courses, most=most)
        return arrays_of(lag_test(pieces, most=most, n_draws=N_DRAWS, rng=rng))

    halves = _halves(problem, alignment, uncut, whole, config, rng=rng, loops=loops)
    for number, half in enumerate(halves):
        strength = over_channels(half.pair, channels=channels)
        own = over_channels(fit.pair, channels=channels)
        for component in range(strength.shape[1]):
            alike = _most_alike(strength[:, component], own)
            for pair, size in _strongest(strength[:, component], whole, half, config):
                test = record_of(LagTest, loops.piece(partial(tested, half, component, pair), rng))
                rows.append((number, alike, pair, size, test))
    return _record(rows, frame_s=frame_s, most=most) if rows else None


def _halves(
    problem: Problem,
    alignment: Alignment,
    uncut: Problem,
    whole: Alignment,
    config: ConnectomeConfig,
    *,
    rng: np.random.Generator,
    loops: Loops,
) -> Iterator[_Half]:
    """Every other recording, or the halves of the only one, each once to find and to measure."""
    search = Search(
        start=config.start,
        n_starts=config.n_starts,
        n_kept=1,
        burn_in=config.burn_in,
        max_iterations=config.max_iterations,
        tolerance=config.tolerance,
    )

    def refit(finding: Problem, midway: Midway) -> Made:
        found = factorise(
            finding, rank=config.n_components, search=search, rng=rng, **going_on(midway)
        )
        return {"pair": found[0].pair}

    bins = np.arange(whole.bin_time_s.size)
    several = whole.recording.size > 1
    second = whole.bin_recording % 2 == 1 if several else bins >= bins.size // 2
    for measured in (second, ~second):
        if several and alignment.side_by_side:
            slots = [
                slot
                for slot in range(alignment.recording.size)
                if not measured[whole.bin_recording == slot].any()
            ]
            finding = part_of(problem, np.arange(problem.shape[0]), slots)
        else:
            finding = part_of(uncut, bins[~measured], [0])
        measuring = part_of(uncut, bins[measured], [0])
        if finding.size == 0 or measuring.size == 0:
            continue
        pair = loops.piece(partial(refit, finding), rng)["pair"]
        yield _Half(pair=pair, problem=measuring, row=bins[measured])


def _strongest(
    strength: NDArray[np.float64], whole: Alignment, half: _Half, config: ConnectomeConfig
) -> list[tuple[tuple[int, int], float]]:
    """The strongest pairs of a component, of those that the measuring half has as well."""
    channels = half.problem.observed.channels
    seen = half.problem.observed.pair_observed.reshape(channels, -1)[0]
    kept = np.where(seen, strength, 0)
    order = np.argsort(-kept, kind="stable")[: config.lead_lag_pairs]
    one, other = np.triu_indices(whole.unit.size, 1)
    return [
        ((int(one[at]), int(other[at])), float(kept[at] / strength.max()))
        for at in order
        if kept[at] > 0
    ]


def _pieces(
    half: _Half,
    component: int,
    pair: tuple[int, int],
    whole: Alignment,
    courses: Sequence[Course],
    *,
    most: int,
) -> list[LagPiece]:
    """Both units' courses in the recordings that have them, and when the others are active."""
    seen = np.ones((half.row.size, 1, whole.unit.size), dtype=bool)
    seen[:, :, list(pair)] = False
    others = half.problem.seen_only(seen)
    course = refit_times(others, half.pair, sweeps=SWEEPS)[:, component]
    follows = whole.bin_linked[half.row[:-1]] & (np.diff(half.row) == 1)
    begin_s, end_s = (whole.bin_time_s[half.row] + side * whole.bin_s / 2 for side in (-1, 1))
    owner = whole.bin_recording[half.row]
    stretches = active_stretches(course, follows, bin_s=whole.bin_s)
    pieces = []
    for index in np.flatnonzero(whole.presence[:, pair].all(axis=1)).tolist():
        inside = np.flatnonzero(owner == index)
        if not inside.size:
            continue
        # What lies outside of the half is not looked at, also when courses are shifted.
        of_half = slice(
            *np.searchsorted(courses[index].time_s, [begin_s[inside[0]], end_s[inside[-1]]])
        )
        time_s = courses[index].time_s[of_half]
        bounds = np.array(
            [
                np.searchsorted(time_s, [begin_s[first], end_s[stop - 1]])
                for first, stop in stretches
                if owner[first] == index
            ],
            dtype=np.int64,
        ).reshape(-1, 2)
        bounds = bounds.clip(most, max(time_s.size - most, most))
        value, known = courses[index].value[of_half], courses[index].known[of_half]
        one, other = pair
        pieces.append(
            LagPiece(
                first=value[:, one],
                second=value[:, other],
                known=(known[:, one], known[:, other]),
                stretches=tuple((int(a), int(b)) for a, b in bounds if b > a),
            )
        )
    return pieces


def _course(
    view: TraceEnsemble, speed: Speeds, whole: Alignment, index: int, *, frame_s: float
) -> Course:
    """Derivatives of one recording under the pooled names, on frames of one length."""
    place = {
        str(name) or f"{view.recording}:{own}": column
        for column, (name, own) in enumerate(zip(view.identity, view.unit, strict=True))
    }
    n_frames = int((view.time[-1] - view.time[0]) / frame_s + 1e-6) + 1
    time_s = view.time[0] + frame_s * np.arange(n_frames)
    value = np.zeros((n_frames, whole.unit.size))
    known = np.zeros(value.shape, dtype=bool)
    for unit in np.flatnonzero(whole.presence[index]):
        column = place[str(whole.unit[unit])]
        if speed.scale[column] == 0:
            continue
        observed = speed.observed[:, column]
        scaled = np.where(observed, speed.derivative[:, column], 0) / speed.scale[column]
        # Between two frames of which one is not known nothing is.
        known[:, unit] = np.interp(time_s, view.time, observed.astype(np.float64)) > 1 - 1e-6
        value[:, unit] = np.where(known[:, unit], np.interp(time_s, view.time, scaled), 0)
    return Course(time_s=time_s, value=value, known=known)


def _most_alike(pair: NDArray[np.float64], own: NDArray[np.float64]) -> int:
    """The component of all the data that is most like one of a half; -1 where none is."""
    norms = np.linalg.norm(own, axis=0) * np.linalg.norm(pair)
    likeness = pair @ own / np.where(norms > 0, norms, 1)
    best = int(likeness.argmax())
    return best if likeness[best] >= ALIKE else -1


def _record(
    rows: Sequence[tuple[int, int, tuple[int, int], float, LagTest]], *, frame_s: float, most: int
) -> LeadLag:
    """Rows with the unit that is ahead first, and their false discovery rates."""
    tests = [row[4] for row in rows]
    behind = np.array([test.lag < 0 for test in tests])
    pair = np.array([row[2] for row in rows], dtype=np.int64)
    pair[behind] = pair[behind, ::-1]
    curve = np.stack([test.curve for test in tests])
    curve[behind] = curve[behind, ::-1]
    bounds = np.array([[test.low, test.high] for test in tests]) * frame_s
    bounds[behind] = -bounds[behind, ::-1]
    half = np.array([row[0] for row in rows], dtype=np.int64)
    locked = np.array([test.p_locked for test in tests])
    apart = np.array([test.p_apart for test in tests])
    q_value = np.full(len(rows), np.nan)
    for number in np.unique(half):
        # Ahead means both, so the larger p counts; each half has half of the rate.
        of_half = half == number
        q_value[of_half] = np.minimum(2 * adjusted(np.maximum(locked, apart)[of_half], "bh"), 1)
    return LeadLag(
        lag_s=np.arange(-most, most + 1, dtype=np.float64) * frame_s,
        component=np.array([row[1] for row in rows], dtype=np.int64),
        pair=pair,
        strength=np.array([row[3] for row in rows]),
        half=half,
        status=np.array([test.status for test in tests], dtype=np.str_),
        n_stretches=np.array([test.n_stretches for test in tests], dtype=np.int64),
        n_recordings=np.array([test.n_pieces for test in tests], dtype=np.int64),
        n_alike=np.array([test.n_alike for test in tests], dtype=np.int64),
        curve=np.round(curve, 6),
        correlation=np.array([test.correlation for test in tests]),
        chance=np.round([test.chance for test in tests], 6),
        delay_s=np.abs([test.lag for test in tests]) * frame_s,
        delay_range_s=bounds,
        p_locked=locked,
        p_apart=apart,
        q_value=q_value,
        frame_s=float(frame_s),
    )
