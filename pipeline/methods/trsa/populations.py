"""Dissimilarities of every population by every estimator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import NotApplicable
from pipeline.core.words import counted, for_number
from pipeline.methods.trsa.config import EstimatorName, TrsaConfig
from pipeline.methods.trsa.estimators import dissimilarities, fold_means
from pipeline.methods.trsa.model import Sample, Session
from pipeline.methods.trsa.noise import residuals
from pipeline.methods.trsa.transforms import is_degenerate
from pipeline.numerics.dissimilarity import squared_form
from pipeline.numerics.similarity import Measure, compare

Floats = NDArray[np.float64]

OK = "ok"
DRAWS_AT_ONCE = 32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dissimilarities:
    """Of every population."""

    by_estimator: Floats
    """Shape (estimator, population, pair); NaN where an estimator is not defined."""
    status: list[str]
    """Of the first estimator: ``ok``, ``degenerate``, or why it, or a pair, is not defined."""

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Populations to compare: the first estimator is defined for all pairs, and varies."""
        return np.array([status == OK for status in self.status])


def dissimilarities_of(sample: Sample, config: TrsaConfig) -> Dissimilarities:
    """All estimators of all populations.

    Raises
    ------
    NotApplicable
        If the first estimator is defined for all pairs of no population; with the reason.
    """
    populations = sample.populations()
    n_pairs = sample.n_conditions * (sample.n_conditions - 1) // 2
    values = np.full((len(config.estimators), len(populations), n_pairs), np.nan)
    status = [OK] * len(populations)
    for row, estimator in enumerate(config.estimators):
        for place, (index, region) in enumerate(populations):
            session = sample.sessions[index]
            try:
                values[row, place] = region_dissimilarities(
                    session, region, sample.n_conditions, estimator, config
                )
            except ValueError as error:
                # Not every estimator suits every population; the reader is told which and why.
                if row == 0:
                    status[place] = str(error)
    n_missing = np.isnan(values[0]).sum(axis=1).tolist()
    degenerate = is_degenerate(values[0]).tolist()
    for place in np.flatnonzero([known == OK for known in status]).tolist():
        if n_missing[place]:
            status[place] = (
                f"{counted(n_missing[place], 'pair')} of conditions "
                f"{for_number(n_missing[place], '[shares|share]')} fewer than two repeats"
            )
        elif degenerate[place]:
            status[place] = "degenerate"
    found = Dissimilarities(by_estimator=values, status=status)
    if not found.usable.any():
        raise NotApplicable(
            f"Dissimilarities by '{config.estimators[0]}' are not defined: "
            f"{status[0].rstrip('.')}. Put another first in methods.trsa.estimators: "
            "'euclidean2' and 'correlation' need no repeats."
        )
    return found


def region_dissimilarities(
    session: Session,
    region: int,
    n_conditions: int,
    estimator: EstimatorName,
    config: TrsaConfig,
    *,
    responses: Floats | None = None,
) -> Floats:
    """Dissimilarities of one region, shape (..., pair).

    Parameters
    ----------
    responses
        Others than the session's own, shape (..., trial, unit of the region).

    Raises
    ------
    ValueError
        If the estimator is not defined for these responses.
    """
    if responses is None:
        responses = session.responses[:, session.units_of(region)]
    return dissimilarities(
        responses,
        session.condition,
        session.fold,
        n_conditions,
        estimator,
        noise=None if config.noise == "none" else config.noise,
        legacy=config.legacy,
    )


def likeness(first: Floats, second: Floats, measure: Measure) -> Floats:
    """Similarity of each of some dissimilarities with each of others, NaN where not defined."""
    return compare(first, second, measure).values


def decoded_share(session: Session, region: int, n_conditions: int) -> float:
    """Share of conditions recognised in a left-out fold by the nearest mean of the other folds.

    Units count in units of their noise. Ties count by their share. NaN with fewer than two folds.
    """
    once = np.ones((1, session.units_of(region).size))
    right, judged = decoded(session, region, n_conditions, once)
    return float(right.sum() / judged.sum()) if judged.any() else float("nan")


def decoded(
    session: Session, region: int, n_conditions: int, times: Floats
) -> tuple[Floats, Floats]:
    """How often each condition is recognised, and how often it is judged.

    Parameters
    ----------
    times
        How often each unit of the region counts, shape (draw, unit).

    Returns
    -------
    Shapes (draw, condition) and (condition,).
    """
    responses = session.responses[:, session.units_of(region)]
    errors, degrees = residuals(responses, session.condition)
    spread = np.sqrt(np.square(errors).sum(axis=0) / max(degrees, 1))
    means, counts = fold_means(
        responses / np.where(spread > 0, spread, 1.0),
        session.condition,
        session.fold,
        n_conditions,
    )
    present = (counts > 0)[..., None]
    others = present.sum(axis=0) - present
    total = (means * present).sum(axis=0) - means * present
    trained = total / np.maximum(others, 1)
    right, judged = np.zeros((len(times), n_conditions)), np.zeros(n_conditions)
    for fold, centre, there, known in zip(means, trained, present, others, strict=True):
        usable = np.flatnonzero(known[:, 0] > 0)
        here = np.flatnonzero(there[:, 0] & (known[:, 0] > 0))
        if usable.size < 2 or not here.size:
            continue
        for start in range(0, len(times), DRAWS_AT_ONCE):
            weight = times[start : start + DRAWS_AT_ONCE]
            # Squared distances of all to all, unit by unit weighted: (draw, here, usable).
            apart = (
                (weight @ np.square(fold[here]).T)[:, :, None]
                + (weight @ np.square(centre[usable]).T)[:, None, :]
                - 2 * ((weight[:, None, :] * fold[here]) @ centre[usable].T)
            )
            nearest = apart <= apart.min(axis=2, keepdims=True) + 1e-10 * np.abs(apart).max()
            own = nearest[:, np.arange(here.size), np.searchsorted(usable, here)]
            right[start : start + DRAWS_AT_ONCE, here] += own / nearest.sum(axis=2)
        judged[here] += 1
    return right, judged


def participation_ratio(squared_distances: Floats) -> float:
    """Number of dimensions over which conditions spread.

    The square of the sum of variances over the sum of their squares. Cross-validated distances
    give variances without those of the noise. NaN where a pair is missing, or the sum is not above
    0.

    Parameters
    ----------
    squared_distances
        Shape (pair,).
    """
    if np.isnan(squared_distances).any():
        return float("nan")
    square = squared_form(squared_distances)
    n = len(square)
    centring = np.eye(n) - 1 / n
    products = -centring @ square @ centring / 2
    total = float(np.trace(products))
    if total <= 0:
        return float("nan")
    return total**2 / float(np.square(products).sum())
