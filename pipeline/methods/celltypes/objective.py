"""What a discriminative stimulus maximises, and what follows for labels and pairs of clusters.

Burg et al. (2024): for a stimulus x, mean responses M_j(x) of clusters j = 1..K, temperature t,

    J_k(x) = M_k(x) / t - log( (1 / K) sum_j exp(M_j(x) / t) )

Every cluster counts once, whatever its size. J_k is at most log K, 0 where all means agree, and
loses log m when m clusters answer alike, so duplicates cost. Everything here is arrays in and
arrays out; gradients are with respect to responses, and the engine that knows the model carries
them on to pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

NO_TYPE = -1
"""Label of units that are in no cluster."""


def membership(labels: Labels, n_clusters: int) -> Floats:
    """Weights that average the members of each cluster, shape (cluster, unit).

    Rows sum to 1; units labelled -1 count nowhere.

    Raises
    ------
    ValueError
        If a cluster has no member or a label is out of range.
    """
    if labels.size and not NO_TYPE <= labels.min() <= labels.max() < n_clusters:
        raise ValueError(f"Labels must lie between -1 and {n_clusters - 1}.")
    member = labels[None, :] == np.arange(n_clusters)[:, None]
    sizes = member.sum(axis=1)
    if (sizes == 0).any():
        empty = int(np.flatnonzero(sizes == 0)[0])
        raise ValueError(f"Cluster {empty} has no member, so it has no mean response.")
    return np.asarray(member / sizes[:, None], dtype=np.float64)


def cluster_means(responses: Floats, weights: Floats) -> Floats:
    """Mean response of each cluster to each stimulus, shape (stimulus, cluster).

    Parameters
    ----------
    responses
        Shape (stimulus, unit); NaN marks responses that are not known and are left out.
    weights
        Shape (cluster, unit), as :func:`membership` gives them.

    Returns
    -------
    NaN where no member's response is known.
    """
    known = np.isfinite(responses)
    if known.all():
        return np.asarray(responses @ weights.T, dtype=np.float64)
    total = np.where(known, responses, 0) @ weights.T
    weight = known @ weights.T
    means = np.full(total.shape, np.nan)
    np.divide(total, weight, out=means, where=weight > 0)
    return means


def objective(
    means: Floats, temperature: float, opponents: NDArray[np.bool_] | None = None
) -> Floats:
    """J of every stimulus for every cluster as its target, shape (stimulus, cluster).

    Parameters
    ----------
    means
        Mean responses, shape (stimulus, cluster).
    temperature
        Above 0.
    opponents
        Clusters that stand in the sum beside the target, shape (cluster,); all where ``None``.

    Raises
    ------
    ValueError
        If the temperature is not above 0.
    """
    scaled = _scaled(means, temperature)
    if opponents is None:
        every = np.asarray(logsumexp(scaled, axis=1, keepdims=True))
        return np.asarray(scaled - every + np.log(means.shape[1]))
    counted = opponents | np.eye(means.shape[1], dtype=bool)
    among = np.where(counted, scaled[:, None, :], -np.inf)  # (stimulus, target, cluster)
    return np.asarray(scaled - np.asarray(logsumexp(among, axis=2)) + np.log(counted.sum(axis=1)))


def objective_errors(
    responses: Floats, labels: Labels, n_clusters: int, temperature: float
) -> tuple[Floats, float]:
    """Standard errors of J over units: of each cluster's, shape (cluster,), and of their mean.

    By the influence of every unit on the mean of its cluster (the delta method), so without
    drawing anything. A cluster of one unit adds nothing, since its spread is not known. Clusters
    whose answers to a stimulus are not known do not count among its opponents.

    Parameters
    ----------
    responses
        To the clusters' stimuli, shape (cluster, unit); NaN where not known. Some clusters' answers
        to their own are known.
    labels
        Shape (unit,); -1 for units that do not count. Every cluster has a member.
    n_clusters
        How many there are.
    temperature
        Above 0.
    """
    weights = membership(labels, n_clusters)
    means = cluster_means(responses, weights)
    scaled = _scaled(means, temperature)
    known = np.isfinite(scaled)
    scaled = np.where(known, scaled, np.where(known.any(axis=1, keepdims=True), -np.inf, 0.0))
    share = softmax(scaled, axis=1)
    slope = (np.eye(n_clusters) - share) / temperature
    counted = labels >= 0
    own, answers = labels[counted], responses[:, counted]
    known = np.isfinite(answers)
    n = (
        known.astype(float) @ (weights[:, counted] > 0).T
    )  # known answers of each cluster to each stimulus
    n = np.maximum(n[:, own], 1)
    unbiased = np.sqrt(n / np.maximum(n - 1, 1))
    away = np.where(known, answers - means[:, own], 0.0)
    influence = slope[:, own] * away * unbiased / n
    defined = np.isfinite(means.diagonal())
    each = np.where(defined, np.sqrt((influence**2).sum(axis=1)), np.nan)
    return each, float(np.sqrt((influence[defined].mean(axis=0) ** 2).sum()))


def target_gradient(
    means: Floats, targets: Labels, weights: Floats, temperature: float
) -> tuple[Floats, Floats]:
    """J of each stimulus for its own target, and its slope along every unit's response.

    Parameters
    ----------
    means
        Shape (stimulus, cluster).
    targets
        Cluster that each stimulus is for, shape (stimulus,).
    weights
        Shape (cluster, unit).
    temperature
        Above 0.

    Returns
    -------
    Objective, shape (stimulus,), and gradient, shape (stimulus, unit).
    """
    # By hand: this is done at every step, and the library's functions take longer than the rest.
    rows = np.arange(len(targets))
    scaled = _scaled(means, temperature)
    top = scaled.max(axis=1, keepdims=True)
    strength = np.exp(scaled - top)
    total = strength.sum(axis=1, keepdims=True)
    value = scaled[rows, targets] - (top + np.log(total))[:, 0] + np.log(scaled.shape[1])
    slope = strength / -total
    slope[rows, targets] += 1
    return value, (slope / temperature) @ weights


@dataclass(frozen=True, slots=True, eq=False)
class Discriminate:
    """The goal of discriminative stimuli: J of each for its target.

    With weights of three axes every stimulus has clusters of its own to be compared with.
    """

    weights: Floats
    """Shape (cluster, unit), or (stimulus, cluster, unit)."""
    targets: Labels
    """Shape (stimulus,)."""
    temperature: float

    def __call__(self, responses: Floats, rows: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """J, shape (row,), and its slope, shape (row, unit); see :func:`target_gradient`."""
        targets = self.targets[rows]
        if self.weights.ndim == 2:
            means = responses @ self.weights.T
            return target_gradient(means, targets, self.weights, self.temperature)
        weights = self.weights[rows]
        means = np.einsum("su,scu->sc", responses, weights)
        value, slope = target_gradient(means, targets, np.eye(means.shape[1]), self.temperature)
        return value, np.einsum("sc,scu->su", slope, weights)


@dataclass(frozen=True, slots=True, eq=False)
class Excite:
    """The goal of most exciting stimuli: the mean response of each one's target alone."""

    weights: Floats
    """Shape (cluster, unit)."""
    targets: Labels
    """Shape (stimulus,)."""

    def __call__(self, responses: Floats, rows: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Mean response, shape (row,), and its slope, shape (row, unit)."""
        slope = self.weights[self.targets[rows]]
        return (responses * slope).sum(axis=1), slope


def posterior(responses: Floats, temperature: float) -> Floats:
    """Share of each stimulus' type in a unit's responses, shape (stimulus, unit); columns sum to 1.

    The softmax over stimuli of the responses; NaN counts as no response to that stimulus.
    """
    scaled = _scaled(responses, temperature)
    return np.asarray(softmax(np.where(np.isnan(scaled), -np.inf, scaled), axis=0))


def assign(responses: Floats, current: Labels | None = None, *, balanced: bool = False) -> Labels:
    """The stimulus that drives each unit most, shape (unit,).

    Parameters
    ----------
    responses
        Shape (stimulus, unit); NaN never wins.
    current
        Labels so far: they win ties, else the lowest index does.
    balanced
        Whether each stimulus' median over units is subtracted first.

    Returns
    -------
    -1 for units without any known response.
    """
    compared = np.where(np.isnan(responses), -np.inf, responses)
    if balanced:
        compared = compared - np.array([[_median(row)] for row in responses])
    best = compared.argmax(axis=0).astype(np.int64)
    units = np.arange(best.size)
    top = compared[best, units]
    if current is not None:
        known = (current >= 0) & (current < len(responses))
        kept = known & (compared[np.where(known, current, 0), units] == top)
        best = np.where(kept, current, best)
    return np.where(np.isneginf(top), NO_TYPE, best)


def margins(responses: Floats, labels: Labels) -> Floats:
    """Response to the own stimulus less that to the best other one, shape (unit,).

    NaN for units without a label and where there is a single stimulus.
    """
    n_stimuli, n_units = responses.shape
    if n_stimuli < 2:
        return np.full(n_units, np.nan)
    units = np.arange(n_units)
    own = np.where(labels >= 0, labels, 0)
    others = np.where(np.isnan(responses), -np.inf, responses)
    others[own, units] = -np.inf
    found = responses[own, units] - others.max(axis=0)
    return np.where((labels >= 0) & np.isfinite(found), found, np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class Normalisation:
    """Offset and scale of each unit, so that strong units do not decide alone.

    A response r becomes (r - offset) / (max(scale, floor) + epsilon).
    """

    offset: Floats
    """Shape (unit,)."""
    scale: Floats
    """Shape (unit,)."""
    floor: float
    epsilon: float = 0.0

    @property
    def divisor(self) -> Floats:
        """What offsets are followed by, shape (unit,)."""
        return np.maximum(self.scale, self.floor) + self.epsilon

    def __call__(self, responses: Floats) -> Floats:
        """Normalised responses, shape (stimulus, unit)."""
        return (responses - self.offset) / self.divisor


def pair_fraction(gap: Floats, temperature: float) -> Floats:
    """How far two clusters are told apart by their two stimuli: 0 duplicates, 1 fully.

    J / log 2 of the two alone, so that it does not depend on how many other clusters there are.

    Parameters
    ----------
    gap
        How much more each of the two answers to its own stimulus than the other does; the last
        axis has the two.
    temperature
        The scale on which gaps count, above 0.
    """
    scaled = _scaled(gap, temperature)
    return np.asarray(1 - np.logaddexp(0, -scaled).sum(axis=-1) / (2 * np.log(2)))


def pair_fractions(means: Floats, temperature: float) -> Floats:
    """:func:`pair_fraction` of all pairs, shape (cluster, cluster); NaN on the diagonal.

    Parameters
    ----------
    means
        Shape (cluster, cluster): response of each column's cluster to each row's stimulus.
    """
    own = means.diagonal()
    first = own[:, None] - means  # of the row's stimulus, against every other cluster
    found = pair_fraction(np.stack([first, first.T], axis=-1), temperature)
    np.fill_diagonal(found, np.nan)
    return found


def _median(values: Floats) -> float:
    """Median of what is known; 0 where nothing is."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else 0.0


def _scaled(values: Floats, temperature: float) -> Floats:
    if not temperature > 0:
        raise ValueError(f"The temperature is {temperature:g}; it must be above 0.")
    return np.asarray(values, dtype=np.float64) / temperature
