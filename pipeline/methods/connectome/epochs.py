"""Which epochs each component follows, tested within recordings and then over them.

The course of a component in a whole recording, its linear trend removed, is larger inside the
epochs of a label than outside. By chance that happens too, as courses are slow: epochs are shifted
in time, end joined to start, and all components and labels share each shift, so that the largest of
them at each shift makes one p value hold for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pipeline.core.resuming import ALONE, Loops, Made, Midway
from pipeline.core.views import TraceEnsemble
from pipeline.methods.connectome.alignment import Alignment, align, recording_rows
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.factorisation import Fit
from pipeline.methods.connectome.hals import Problem, part_of, refit_pairs, refit_times
from pipeline.methods.connectome.problem import affinity_problem
from pipeline.methods.connectome.result import EpochTest
from pipeline.numerics.courses import (
    LEAST_INDEPENDENT,
    STABLE_DIGITS,
    correlation_frames,
    detrended,
)

MOST_SHIFTS = 5000

REPLICATES = 5
"""Recordings from which the test is one over recordings, not within them."""

N_DRAWN = 4999
SWEEPS = 50


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shifts:
    """One recording: how much larger components are inside epochs, there and when shifted."""

    contrast: NDArray[np.float64]
    """Mean inside less mean outside, over the standard deviation by shifts, (component, label);
    NaN where a label is not in the recording or the recording is too short to tell."""
    shifted: NDArray[np.float64]
    """The same of each shift, (shift, component, label)."""


def epoch_test(
    problem: Problem,
    alignment: Alignment,
    fit: Fit,
    views: Sequence[TraceEnsemble],
    config: ConnectomeConfig,
    *,
    threads: int,
    rng: np.random.Generator,
    loops: Loops = ALONE,
) -> EpochTest | None:
    """Association of components with labels of epochs; nothing where there are no epochs.

    Parameters
    ----------
    problem, alignment, fit
        What was fitted, all pairs of units in the pair factor.
    rng
        Draws shifts and flips.
    loops
        Of the joining; a piece is the course of a recording.
    """
    by_name = {view.recording: view for view in views}
    used = [by_name[str(name)] for name in alignment.recording]
    labels = sorted({str(label) for view in used for label in view.epochs["label"]})
    if not labels:
        return None
    found = []
    courses = _courses(problem, alignment, fit, views, config, threads=threads, loops=loops)
    for view, (course, time_s) in zip(used, courses, strict=True):
        inside = np.stack([_inside(view, label, time_s) for label in labels], axis=1)
        found.append(shift_test(course, inside, rng=rng))
    p_value = combined_p([one.shifted for one in found], [one.contrast for one in found], rng=rng)
    return EpochTest(
        label=np.array(labels, dtype=np.str_),
        contrast=np.stack([one.contrast for one in found], axis=2),
        p_value=p_value,
        over_recordings=len(found) >= REPLICATES,
    )


def shift_test(
    course: NDArray[np.float64], inside: NDArray[np.bool_], *, rng: np.random.Generator
) -> Shifts:
    """Contrasts of one recording's courses, and those of circular shifts of its epochs.

    Parameters
    ----------
    course
        Shape (frame, component).
    inside
        Whether a frame lies in an epoch, (frame, label).
    rng
        Chooses shifts where there are more than are looked at.
    """
    n_frames, n_labels = inside.shape
    course = detrended(course)
    n_inside = inside.sum(axis=0)
    every = np.arange(1, n_frames)
    if every.size > MOST_SHIFTS:
        every = rng.choice(every, MOST_SHIFTS, replace=False)
    spectrum = np.fft.rfft(course, axis=0)
    contrast = np.full((course.shape[1], n_labels), np.nan)
    shifted = np.full((every.size, course.shape[1], n_labels), np.nan)
    usable = n_frames / correlation_frames(course) >= LEAST_INDEPENDENT
    for label in range(n_labels):
        n_in = n_inside[label]
        if n_in == 0 or n_in == n_frames:
            continue
        mask = np.fft.rfft(inside[:, label].astype(np.float64))
        total = np.fft.irfft(spectrum * mask.conj()[:, None], n=n_frames, axis=0)
        # The detrended course sums to 0, so what is outside is what is inside with its sign.
        difference = total * (1 / n_in + 1 / (n_frames - n_in))
        spread = difference.std(axis=0)
        kept = usable & (spread > 0)
        # Complex products differ in the last bit with where arrays lie in memory; results must not.
        scaled = np.round(difference / np.where(kept, spread, np.nan), STABLE_DIGITS) + 0.0
        contrast[:, label], shifted[:, :, label] = scaled[0], scaled[every]
    return Shifts(contrast=contrast, shifted=shifted)


def combined_p(
    shifted: Sequence[NDArray[np.float64]],
    contrast: Sequence[NDArray[np.float64]],
    *,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Family-wise p values over components and labels, (component, label); NaN if untestable.

    With five recordings or more the signs of whole recordings are flipped, so that the test is
    one over recordings; with fewer every recording's epochs are shifted by amounts of their own.
    """
    seen = np.stack(contrast)
    known = np.isfinite(seen)
    count = np.maximum(known.sum(axis=0), 1)
    observed = np.where(known, seen, 0).sum(axis=0) / np.sqrt(count)
    testable = known.any(axis=0)
    if not testable.any():
        return np.full(observed.shape, np.nan)
    largest = np.empty(N_DRAWN)
    for draw in range(N_DRAWN):
        if len(contrast) >= REPLICATES:
            signs = rng.integers(0, 2, size=(len(seen), 1, 1)) * 2 - 1
            total = np.where(known, signs * seen, 0).sum(axis=0)
        else:
            chosen = [one[rng.integers(len(one))] for one in shifted]
            total = np.nan_to_num(np.stack(chosen)).sum(axis=0)
        largest[draw] = (total / np.sqrt(count))[testable].max()
    n_as_large = (largest[:, None, None] >= observed - 1e-12).sum(axis=0)
    return np.where(testable, (1 + n_as_large) / (1 + N_DRAWN), np.nan)


def _courses(
    problem: Problem,
    alignment: Alignment,
    fit: Fit,
    views: Sequence[TraceEnsemble],
    config: ConnectomeConfig,
    *,
    threads: int,
    loops: Loops,
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Course of the components in each whole recording, with the times of its frames.

    Where recordings share a course it is none of a single one, and where only what is near epochs
    was fitted, patterns know of epochs; then a recording's course comes from patterns refitted in
    the other recordings.
    """
    if not alignment.side_by_side:
        places = [recording_rows(alignment, index)[0] for index in range(alignment.recording.size)]
        return [(fit.time[place], alignment.bin_time_s[place]) for place in places]
    whole = align(views, config.model_copy(update={"alignment": "concatenate"}))
    uncut = affinity_problem(whole, config, threads=threads)
    found = []
    every = np.arange(alignment.bin_time_s.size)

    def refit(others: list[int], rows: NDArray[np.int64], _: Midway) -> Made:
        elsewhere, time = part_of(problem, every, others), fit.time * fit.weight
        pair = refit_pairs(elsewhere, time, fit.slot[others], sweeps=SWEEPS)
        return {"course": refit_times(part_of(uncut, rows, [0]), pair, sweeps=SWEEPS)}

    for index in range(alignment.recording.size):
        others = [slot for slot in range(alignment.recording.size) if slot != index] or [index]
        rows = np.flatnonzero(whole.bin_recording == index)
        found.append((loops.piece(partial(refit, others, rows))["course"], whole.bin_time_s[rows]))
    return found


def _inside(view: TraceEnsemble, label: str, time_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Frames inside the epochs of a label."""
    of_label = view.epochs[view.epochs["label"] == label]
    inside = np.zeros(time_s.size, dtype=bool)
    for start, stop in zip(of_label["start_s"], of_label["stop_s"], strict=True):
        inside |= (time_s >= start) & (time_s < stop)
    return inside
