"""Trajectories and dynamics of many draws in coordinates that all of them have in common.

Counts say nothing about where a trajectory is put (a baseline takes it up), how its factors are
turned, scaled or mixed into the common log rate (loadings take it up). Of each draw the course
that its units have on average is taken, and the directions in which they differ most around it,
per standard deviation of the loadings; what is left, a rotation, is that which brings a draw
nearest to the most probable one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.methods.biclustering.matching import counterparts
from pipeline.methods.biclustering.model import Draws
from pipeline.methods.biclustering.result import Trajectories

MOST_DRAWS = 200
"""Draws of all chains together that bands are made of."""
SHOWN_DRAWS = 40
"""Draws of which eigenvalues are kept."""
LEVELS = (0.025, 0.975)
STABLE_DIGITS = 10
"""Decimals that are the same wherever arrays lie in memory."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kept:
    """One draw whose trajectories were kept, and its counterparts of the point partitions."""

    draws: Draws
    kept: int
    cluster: NDArray[np.int64]
    """Slot of each cluster of the point partition; -1 for none."""
    state: NDArray[np.int64]
    """The same for states."""

    @property
    def draw(self) -> int:
        """Index of the draw in its chain."""
        return int(self.draws.kept_draw[self.kept])


def kept_draws(
    chains: Sequence[Draws], units: NDArray[np.int64], states: NDArray[np.int64], *, most: int
) -> list[Kept]:
    """Kept draws, evenly from all chains, matched to point partitions of units and of bins."""
    each = max(1, most // len(chains))
    return [
        Kept(
            draws=draws,
            kept=int(kept),
            cluster=counterparts(units, draws.cluster[draws.kept_draw[kept]]),
            state=counterparts(states, draws.state[draws.kept_draw[kept]]),
        )
        for draws in chains
        for kept in np.unique(
            np.linspace(0, draws.kept_draw.size - 1, each).round().astype(np.int64)
        )
    ]


def trajectories(kept: Sequence[Kept], units: NDArray[np.int64]) -> Trajectories:
    """Means and bands of the courses of all clusters.

    Parameters
    ----------
    kept
        Matched draws.
    units
        Point partition, shape (unit that takes part,).
    """
    first = kept[0].draws
    n_bins, n_latents = first.trajectory.shape[1], first.trajectory.shape[3]
    n_clusters = int(units.max()) + 1
    shape = (n_bins, n_clusters, n_latents)
    mean, low, high = (np.full(shape, np.nan, dtype=np.float32) for _ in range(3))
    loading = np.full((units.size, n_latents - 1), np.nan, dtype=np.float32)
    counts = np.zeros(n_clusters, dtype=np.int64)
    for cluster in range(n_clusters):
        found = list(_aligned(kept, cluster))
        counts[cluster] = len(found)
        if not found:
            continue
        # Decompositions differ in the last bits with where arrays lie in memory; results must not.
        courses = np.round(np.stack([course for course, _, _ in found]), STABLE_DIGITS)
        courses += 0.0  # no negative zeros
        mean[:, cluster] = courses.mean(axis=0)
        low[:, cluster], high[:, cluster] = np.quantile(courses, LEVELS, axis=0)
        total, n = np.zeros(loading.shape), np.zeros(units.size)
        for _, members, scores in found:
            total[members] += scores
            n[members] += 1
        own = (units == cluster) & (n > 0)
        loading[own] = np.round(total[own] / n[own, None], STABLE_DIGITS) + 0.0
    return Trajectories(mean=mean, low=low, high=high, loading=loading, n_draws=counts)


Course = tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.float64]]
"""Courses (bin, latent), the units of the cluster in the draw, and their loadings."""


def _aligned(kept: Sequence[Kept], cluster: int) -> Iterator[Course]:
    """Courses of one cluster in every draw that has it, turned to the most probable draw's."""
    having = [one for one in kept if one.cluster[cluster] >= 0]
    if not having:
        return
    best = max(having, key=lambda one: float(one.draws.log_joint[one.draw]))
    reference = _principal(_course(best, int(best.cluster[cluster])))
    for one in having:
        course, members, scores = _course(one, int(one.cluster[cluster]))
        left, _, right = np.linalg.svd(course[:, 1:].T @ reference)
        turn = left @ right
        yield np.hstack([course[:, :1], course[:, 1:] @ turn]), members, scores @ turn


def _course(one: Kept, slot: int) -> Course:
    """Mean log rate of a cluster's units and their main differences, in one draw."""
    members = np.flatnonzero(one.draws.cluster[one.draw] == slot)
    latent = one.draws.trajectory[one.kept][:, slot].astype(np.float64)
    loading = one.draws.loading[one.draw][members].astype(np.float64)
    factors = latent[:, 1:]
    common = latent[:, 0] + factors @ loading.mean(axis=0)
    centred = loading - loading.mean(axis=0)
    _, sizes, axes = np.linalg.svd(centred / np.sqrt(members.size), full_matrices=False)
    spread = np.zeros(factors.shape[1])
    spread[: sizes.size] = sizes
    turned = np.zeros((factors.shape[1], factors.shape[1]))
    turned[: axes.shape[0]] = axes
    different = factors @ turned.T * spread
    scores = np.divide(
        centred @ turned.T, spread, out=np.zeros(centred.shape), where=spread > 1e-12
    )
    course = np.column_stack([common, different])
    return course - course.mean(axis=0), members, scores


def _principal(course: Course) -> NDArray[np.float64]:
    """Factors turned so that they are orthogonal in time, the largest first, peaks upwards."""
    left, sizes, _ = np.linalg.svd(course[0][:, 1:], full_matrices=False)
    turned = left * sizes
    peaks = turned[np.abs(turned).argmax(axis=0), np.arange(turned.shape[1])]
    return np.asarray(turned * np.where(peaks < 0, -1.0, 1.0))


def eigenvalues(
    kept: Sequence[Kept], *, n_clusters: int, n_states: int
) -> tuple[NDArray[np.complex128], NDArray[np.float64]]:
    """Eigenvalues of each state's transition within each cluster, and spread of innovations.

    Returns
    -------
    Shapes (draw, state, cluster, latent), largest modulus first, and (draw, state, cluster): the
    standard deviation of the common log rate's innovations. NaN without a counterpart.
    """
    n_latents = kept[0].draws.trajectory.shape[3]
    values = np.full((len(kept), n_states, n_clusters, n_latents), np.nan + 0j)
    noise = np.full(values.shape[:3], np.nan)
    for index, one in enumerate(kept):
        for state, cluster in np.ndindex(n_states, n_clusters):
            row, slot = int(one.state[state]), int(one.cluster[cluster])
            if row < 0 or slot < 0:
                continue
            place = slice(slot * n_latents, (slot + 1) * n_latents)
            block = one.draws.transition[one.kept][row][place, place].astype(np.float64)
            if not np.isfinite(block).all():
                continue
            found = np.linalg.eigvals(block)
            values[index, state, cluster] = found[np.argsort(-np.abs(found), kind="stable")]
            variance = float(one.draws.innovation[one.kept][row][place.start, place.start])
            noise[index, state, cluster] = np.sqrt(variance)
    return values, noise


def dynamics_table(
    values: NDArray[np.complex128], noise: NDArray[np.float64], *, bin_s: float
) -> pd.DataFrame:
    """One row a state and cluster, from :func:`eigenvalues`."""
    rows = []
    for state, cluster in np.ndindex(*values.shape[1:3]):
        found = values[:, state, cluster]
        found = found[np.isfinite(found).all(axis=1)]
        radius = np.abs(found[:, 0]) if len(found) else np.array([np.nan])
        turns = np.abs(np.angle(found)).max(axis=1) if len(found) else np.array([np.nan])
        turning = np.array([abs(row.imag).max() > 0 for row in found]) if len(found) else turns
        turn = float(np.median(turns[turning > 0])) if np.mean(turning > 0) > 0.5 else 0.0
        spread = noise[:, state, cluster]
        rows.append(
            {
                "state": state,
                "cluster": cluster,
                "radius": float(np.mean(radius)),
                "radius_low": float(np.quantile(radius, LEVELS[0])),
                "radius_high": float(np.quantile(radius, LEVELS[1])),
                "period_s": 2 * np.pi / turn * bin_s if turn > 0 else np.inf,
                "noise_sd": float(np.nanmean(spread)) if np.isfinite(spread).any() else np.nan,
            }
        )
    return pd.DataFrame(rows).round(STABLE_DIGITS)
