"""Representations along the time of the trial.

Dissimilarities of every bin, how regions separate in each, and stretches of bins in which they do,
by the mass of clusters under the same regroupings of units. Noise of units is that of the whole
response window, so that bins are measured alike.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.resuming import ALONE, Loops
from pipeline.methods.trsa import halves, subject_courses
from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.estimators import crossnobis, fold_means
from pipeline.methods.trsa.halves import Splits
from pipeline.methods.trsa.model import Sample, Session
from pipeline.methods.trsa.noise import noise_covariance, whitened
from pipeline.methods.trsa.populations import region_dissimilarities
from pipeline.methods.trsa.relations import rank_scores
from pipeline.methods.trsa.result import STRETCH_COLUMNS, CoursesResult
from pipeline.numerics.clusters import clusters
from pipeline.numerics.permutation import p_values

Floats = NDArray[np.float64]

MOST_SPLITS = 20
"""Random halves for courses; fewer than for the whole window, as there are many bins."""

RANKS = np.array([[0.0, 1.0]])


def separations(
    session: Session,
    sample: Sample,
    splits: Splits,
    orders: NDArray[np.intp],
    loops: Loops = ALONE,
) -> Floats:
    """Separation of regions in each bin for each order of units, shape (draw, time_bin)."""
    if session.courses is None:
        raise ValueError(f"recording {session.recording} has no courses")
    few = fewer(splits)
    found = [
        halves.statistics(
            session, sample.n_conditions, few, orders, RANKS, responses=responses, loops=loops
        ).separation
        for responses in np.moveaxis(session.courses, 2, 0)
    ]
    return np.stack(found, axis=1)


def fewer(splits: Splits) -> Splits:
    """The first of the splits."""
    return dataclasses.replace(
        splits,
        fold_half=splits.fold_half[:MOST_SPLITS],
        unit_half=splits.unit_half[:MOST_SPLITS],
    )


def observed(
    sample: Sample,
    config: TrsaConfig,
    chosen: Sequence[tuple[Session, Splits]],
    every: Sequence[tuple[Session, Splits]],
    null: Floats | None,
    rng: np.random.Generator,
) -> CoursesResult | None:
    """Dissimilarities along time, and when regions separate; None without courses.

    Parameters
    ----------
    chosen
        Sessions whose regions are compared, with their splits.
    every
        All sessions that can be split.
    null
        Separations after relabelling, shape (draw, session, time_bin).
    """
    if sample.time_bin is None:
        return None
    time = sample.time_bin
    n_pairs = sample.n_conditions * (sample.n_conditions - 1) // 2
    populations = sample.populations()
    values = np.full((len(populations), time.size, n_pairs), np.nan)
    across_time = np.full((len(populations), time.size, time.size), np.nan)
    place_of = {}
    for place, (index, region) in enumerate(populations):
        session = sample.sessions[index]
        place_of[session.recording, region] = place
        values[place] = _region_course(session, region, sample, config)
    for session, splits in every:
        matrices = _across_time(session, sample, fewer(splits))
        for region, matrix in zip(splits.regions, matrices, strict=True):
            across_time[place_of[session.recording, region]] = matrix
    seen = np.empty((0, time.size))
    chance = p = seen
    rows: list[tuple[object, ...]] = []
    if chosen and null is not None:
        seen = np.concatenate(
            [
                separations(session, sample, splits, halves.identity(splits))
                for session, splits in chosen
            ]
        )
        chance, p = null.mean(axis=0), p_values(seen, null)
        width = float(time[1] - time[0]) if time.size > 1 else 0.0
        for place, (session, _) in enumerate(chosen):
            rows += [
                (
                    session.recording,
                    # Rounded, so that 0 is 0.
                    round(float(time[one.start]) - width / 2, 9) + 0.0,
                    round(float(time[one.stop - 1]) + width / 2, 9),
                    one.mass,
                    one.p,
                )
                for one in clusters(seen[place], null[:, place])
            ]
    subject = [
        session.recording if config.distinct_neurons else session.subject for session, _ in chosen
    ]
    missing = subject_courses.why_none(subject) if chosen else "no recording has two regions"
    names, over = (
        ([], np.empty((0, time.size)))
        if missing
        else subject_courses.by_subject(seen - chance, subject)
    )
    width = float(time[1] - time[0]) if time.size > 1 else 0.0
    edges = np.append(time - width / 2, time[-1] + width / 2)
    table = pd.DataFrame(rows, columns=list(STRETCH_COLUMNS))
    kinds = {name: "str" if name == "recording" else "float64" for name in STRETCH_COLUMNS}
    return CoursesResult(
        time_bin=time,
        dissimilarities=values,
        reliability=across_time,
        session=np.array([session.recording for session, _ in chosen], dtype=np.str_),
        separation=seen,
        chance=chance,
        p=p,
        stretches=table.astype(kinds),
        subject=np.array(names, dtype=np.str_),
        subject_separation=over,
        subject_stretches=subject_courses.stretches(over, edges, rng),
        subjects_missing=missing,
    )


def _region_course(session: Session, region: int, sample: Sample, config: TrsaConfig) -> Floats:
    """Dissimilarities of one region in each bin, shape (time_bin, pair); NaN where not defined."""
    units = session.units_of(region)
    if session.courses is None:
        raise ValueError(f"recording {session.recording} has no courses")
    bins = np.moveaxis(session.courses[:, units], 2, 0)
    n_pairs = sample.n_conditions * (sample.n_conditions - 1) // 2
    found = np.full((len(bins), n_pairs), np.nan)
    estimator = config.estimators[0]
    for place, responses in enumerate(bins):
        try:
            if estimator == "crossnobis" and config.noise != "none":
                noise = noise_covariance(
                    session.responses[:, units], session.condition, config.noise
                )
                means, counts = fold_means(
                    whitened(responses, noise.covariance),
                    session.condition,
                    session.fold,
                    sample.n_conditions,
                )
                found[place] = crossnobis(means, counts > 0)
            else:
                found[place] = region_dissimilarities(
                    session, region, sample.n_conditions, estimator, config, responses=responses
                )
        except ValueError:
            continue  # not defined in this bin, as where no unit responds; shown as missing
    return found


def _across_time(session: Session, sample: Sample, splits: Splits) -> Floats:
    """Correlation of each region's halves between bins, shape (region, time_bin, time_bin).

    Halves share no unit and no repeat; the diagonal is the reliability in a bin.
    """
    if session.courses is None:
        raise ValueError(f"recording {session.recording} has no courses")
    both = [
        halves.half_dissimilarities(session, sample.n_conditions, splits, responses=responses)
        for responses in np.moveaxis(session.courses, 2, 0)
    ]
    one, other = (np.stack([pair[side] for pair in both]) for side in (0, 1))
    there = ~np.isnan(one).any(axis=(0, 1, 2)) & ~np.isnan(other).any(axis=(0, 1, 2))
    first, second = rank_scores(one[..., there]), rank_scores(other[..., there])
    mean = np.einsum("asrp,bsrp->rab", first, second) / first.shape[1]
    return np.asarray(mean + np.swapaxes(mean, 1, 2)) / 2
