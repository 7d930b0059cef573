"""Where a chain starts: a search for a partition of high evidence under one smooth state.

This chooses a starting point and does not define what is sampled. A cluster is scored by the
evidence of its units' counts when its trajectory is a random walk, by Laplace's method over
trajectory and loadings. The score is climbed from many clusters, few, or random ones: units move
to the cluster that predicts them best, pairs of clusters merge, clusters are cut; then the climb
begins again from many clusters or from all clusters cut, as long as that finds something better.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.special import gammaln

from pipeline.methods.biclustering.model import Checkpoint, Start
from pipeline.methods.biclustering.sampler.dispersion import dispersion_moves
from pipeline.methods.biclustering.sampler.dynamics import (
    DynamicsPrior,
    complete,
    draw_system,
    empty_dynamics,
    path_evidence,
)
from pipeline.methods.biclustering.sampler.gaussian import log_density, solve_transposed
from pipeline.methods.biclustering.sampler.likelihood import Counts
from pipeline.methods.biclustering.sampler.loadings import (
    LoadingPrior,
    laplace,
    laplace_of_unit,
)
from pipeline.methods.biclustering.sampler.position import Problem
from pipeline.methods.biclustering.sampler.trajectories import Members, smooth, window_prior
from pipeline.numerics.compiled import compiled

Array = NDArray[np.float64]
Index = NDArray[np.int64]

FIRST_VARIANCE = 0.03
"""Of the random walk that a trajectory is taken for before its dynamics are known."""

ROUNDS = 8
"""Alternations of trajectory, loadings and dynamics for one score."""

WEIGHTS = 2
"""Importance weights that a score is the mean of."""

SHORT_BY = 2.5
"""Nats per parameter of a cluster's dynamics by which a score falls short, for each cluster.

Trajectories are drawn given dynamics and remember them, and loadings remember both, so that a
weight lacks the width that each has by the counts alone. Measured against walks from both sides
(``bridge.walked_evidence``) as what two clusters fall short by more than their units as one do.
Without it every cluster is charged some 45 nats too many, and small recordings lose clusters.
"""

START_SIZE = 10.0
"""Dispersion before any is known."""

SMOOTH_BINS = 4.0
MOST_CLUSTERS = 8
"""That k-means begins with."""

PIECES = 3
"""That a cluster is cut into when the climb begins again."""

PATIENCE = 4
"""Climbs in a row that find nothing better, before the search ends."""

LEARNING_CLIMBS, MOST_CLIMBS = 2, 12
"""Before each of which dispersions are learned; from then on."""


@dataclass(slots=True, kw_only=True, eq=False)
class Found:
    """A partition with trajectories and loadings, and its score."""

    cluster: Index
    x: Array
    """(cluster, bin, latent)."""
    beta: Array
    size: Array
    score: float


@compiled
def fit_cluster(
    data: Counts,
    units: Index,
    size: Array,
    prior: LoadingPrior,
    dynamics_prior: DynamicsPrior,
    x: Array,
    beta: Array,
    rounds: int,
    rng: np.random.Generator,
) -> float:
    """Fits trajectory and loadings of some units, both in place; the log evidence.

    Trajectories are drawn and not set to their mode: dynamics fitted to a mode have almost no
    noise, and a mode that follows them has even less. The evidence is the mean importance weight
    of the last draws, with loadings and dynamics integrated out.
    """
    n, q = x.shape
    state = np.zeros(n, np.int64)
    window = np.array([0, n - 1])
    place = np.zeros(units.size, np.int64)
    root = np.empty((q, q))
    dynamics = empty_dynamics(1, 1, q)
    for i in range(q):
        dynamics.a[0, 0, i, i] = 1.0
        dynamics.w[0, 0, i, i] = 1 / FIRST_VARIANCE
    complete(dynamics, 0, 0)
    log_weight = np.empty(WEIGHTS)
    mode = x.copy()
    for index in range(rounds + WEIGHTS):
        evidence = 0.0
        if index <= rounds:
            for m in range(units.size):
                laplace_of_unit(
                    data,
                    units[m],
                    size[units[m]],
                    x,
                    prior.mean[units[m]],
                    prior.precision,
                    1.0,
                    beta[m],
                    root,
                )
            diagonal, below, linear = window_prior(x, dynamics, 0, state, data.linked, window)
            members = Members(units, place, beta, size[units])
            most = 3 if index < rounds else 10
            mode, above, link, half = smooth(
                data, members, diagonal, below, linear, mode, 0, most, 1.0
            )
        noise = np.empty((n, q))
        for t in range(n):
            for i in range(q):
                noise[t, i] = rng.standard_normal()
        away = solve_transposed(above, link, noise)
        x[:] = mode + away
        if index < rounds:
            draw_system(x, state, data.linked, dynamics_prior, rng, True, dynamics, 0)
            continue
        evidence = path_evidence(x, state, data.linked, 1, dynamics_prior)
        evidence -= log_density(above, link, half, away)
        trial = np.empty(q)
        for m in range(units.size):
            evidence += laplace_of_unit(
                data,
                units[m],
                size[units[m]],
                x,
                prior.mean[units[m]],
                prior.precision,
                1.0,
                trial,
                root,
            )
        log_weight[index - rounds] = evidence
    top = log_weight.max()
    return float(top + np.log(np.mean(np.exp(log_weight - top))))


class Climb:
    """The search over partitions of one data set; scores of clusters are kept."""

    def __init__(self, problem: Problem, rng: np.random.Generator) -> None:
        self.problem, self.rng = problem, rng
        self.size = np.where(problem.data.poisson, 1.0, START_SIZE) * np.ones(problem.n_units)
        self.series = smoothed(problem.data)
        self.known: dict[bytes, tuple[Array, Array, float]] = {}

    def fit(self, units: Index) -> tuple[Array, Array, float]:
        """Trajectory, loadings and evidence of some units as one cluster."""
        key = units.tobytes()
        if key not in self.known:
            x = principal(self.series[units], self.problem.priors.n_latents)
            beta = np.zeros((units.size, self.problem.priors.n_latents))
            evidence = fit_cluster(
                self.problem.data,
                units,
                self.size,
                self.problem.loading,
                self.problem.dynamics,
                x,
                beta,
                ROUNDS,
                self.rng,
            )
            self.known[key] = (x, beta, evidence)
        return self.known[key]

    def score(self, blocks: list[Index]) -> float:
        """Evidence of all clusters and prior of the partition."""
        weight = self.problem.priors.cluster_weight
        d = self.problem.priors.n_latents
        total = self.problem.log_v[len(blocks)]
        total += SHORT_BY * len(blocks) * (d * (d + 1) + d * (d + 1) // 2)
        for units in blocks:
            total += self.fit(units)[2] + gammaln(units.size + weight) - gammaln(weight)
        return float(total)

    def reassign(self, blocks: list[Index], most: int = 8) -> list[Index]:
        """Units move to the cluster that predicts them best, until none does."""
        for _ in range(most):
            x = np.stack([self.fit(units)[0] for units in blocks])
            found = laplace(
                self.problem.data,
                self.size,
                x,
                self.problem.loading,
                np.arange(self.problem.n_units),
            )
            sizes = np.array([units.size for units in blocks])
            cluster = (found.evidence + np.log(sizes)).argmax(axis=1)
            fresh = [np.flatnonzero(cluster == k) for k in np.unique(cluster)]
            if len(fresh) == len(blocks) and all(
                np.array_equal(one, other) for one, other in zip(fresh, blocks, strict=True)
            ):
                break
            blocks = fresh
        return blocks

    def merge(self, blocks: list[Index]) -> list[Index]:
        """Merges the best pair as long as that raises the score."""
        while len(blocks) > 1:
            now = self.score(blocks)
            best, best_score = blocks, now
            for i in range(len(blocks)):
                for j in range(i):
                    rest = [units for k, units in enumerate(blocks) if k not in (i, j)]
                    fresh = [*rest, np.sort(np.concatenate([blocks[i], blocks[j]]))]
                    score = self.score(fresh)
                    if score > best_score:
                        best, best_score = fresh, score
            if best_score <= now:
                break
            blocks = best
        return blocks

    def cut(self, blocks: list[Index], pieces: int) -> list[Index]:
        """Cuts every cluster into some, by k-means on what its units' smooth counts share."""
        out: list[Index] = []
        for units in blocks:
            n = min(pieces, units.size // 3)
            if n < 2:
                out.append(units)
                continue
            label = grouped(self.series[units], n, self.rng)
            out += [units[label == k] for k in np.unique(label)]
        return out

    def climb(self, blocks: list[Index]) -> list[Index]:
        """Reassign and merge until neither changes anything, then try to cut single clusters."""
        blocks = self.merge(self.reassign(blocks))
        blocks = self.reassign(blocks)
        for _ in range(4):
            now = self.score(blocks)
            best, best_score = blocks, now
            for index, units in enumerate(blocks):
                halves = self.cut([units], 2)
                if len(halves) < 2:
                    continue
                rest = [other for k, other in enumerate(blocks) if k != index]
                fresh = self.reassign([*rest, *halves])
                score = self.score(fresh)
                if score > best_score:
                    best, best_score = fresh, score
            if best_score <= now:
                break
            blocks = self.merge(best)
        return blocks

    def learn(self, blocks: list[Index]) -> None:
        """Learns dispersions by a few slices."""
        if not self.problem.data.poisson:
            found = self.found(blocks)
            for _ in range(3):
                dispersion_moves(
                    self.problem.data,
                    found.x,
                    found.cluster,
                    found.beta,
                    self.size,
                    self.problem.priors.dispersion_shape,
                    self.problem.priors.dispersion_rate,
                    self.rng,
                )
            self.known = {}

    def found(self, blocks: list[Index]) -> Found:
        """The partition as arrays."""
        cluster = np.empty(self.problem.n_units, dtype=np.int64)
        beta = np.empty((self.problem.n_units, self.problem.priors.n_latents))
        for k, units in enumerate(blocks):
            cluster[units] = k
            beta[units] = self.fit(units)[1]
        x = np.stack([self.fit(units)[0] for units in blocks])
        return Found(
            cluster=cluster, x=x, beta=beta, size=self.size.copy(), score=self.score(blocks)
        )


@dataclass(slots=True, kw_only=True, eq=False)
class _Way:
    """How far a search has come."""

    blocks: list[Index]
    """The best partition so far."""
    best: float = -np.inf
    waiting: int = 0
    """Climbs in a row that found nothing better."""
    done: int = 0
    """Climbs."""

    def checkpoint(self, climb: Climb) -> Checkpoint:
        """All that the rest of the search depends on; scores that were drawn are part of it."""
        cluster = np.empty(climb.problem.n_units, dtype=np.int64)
        for k, block in enumerate(self.blocks):
            cluster[block] = k
        units = [np.frombuffer(key, dtype=np.int64) for key in climb.known]
        x, beta, evidence = zip(*climb.known.values(), strict=True)
        facts = {
            "random": climb.rng.bit_generator.state,
            "best": self.best,
            "waiting": self.waiting,
            "done": self.done,
        }
        return Checkpoint(
            sweep=0,
            arrays={
                "cluster": cluster,
                "size": climb.size,
                "known.n_units": np.array([one.size for one in units]),
                "known.unit": np.concatenate(units),
                "known.x": np.stack(x),
                "known.beta": np.concatenate(beta),
                "known.evidence": np.array(evidence),
            },
            facts=json.dumps(facts),
        )

    @classmethod
    def resumed(cls, climb: Climb, saved: Checkpoint) -> _Way:
        """Where an interrupted search was, with ``climb`` as it was there.

        Raises
        ------
        ValueError
            If the checkpoint is of another chain.
        """
        facts = json.loads(saved.facts)
        arrays: dict[str, NDArray[Any]] = {
            name: value.copy() for name, value in saved.arrays.items()
        }
        if arrays["size"].shape != climb.size.shape:
            raise ValueError("The checkpoint is of another chain: its arrays differ in size.")
        climb.rng.bit_generator.state = facts["random"]
        climb.size = arrays["size"]
        bounds = np.cumsum(arrays["known.n_units"])[:-1]
        climb.known = {
            units.tobytes(): (x, beta, float(evidence))
            for units, x, beta, evidence in zip(
                np.split(arrays["known.unit"], bounds),
                arrays["known.x"],
                np.split(arrays["known.beta"], bounds),
                arrays["known.evidence"],
                strict=True,
            )
        }
        cluster = arrays["cluster"]
        blocks = [np.flatnonzero(cluster == k) for k in range(cluster.max() + 1)]
        return cls(blocks=blocks, best=facts["best"], waiting=facts["waiting"], done=facts["done"])


def search(
    problem: Problem,
    rng: np.random.Generator,
    start: Start,
    *,
    checkpoint: Callable[[Checkpoint], None] | None = None,
    resume: Checkpoint | None = None,
) -> Found:
    """The best partition that the climbs from one kind of start find.

    Parameters
    ----------
    problem, rng, start
        As of the chain.
    checkpoint, resume
        Given all that is needed to go on after every climb; one to go on from.
    """
    climb = Climb(problem, rng)
    if problem.priors.one_cluster:
        climb.learn([np.arange(problem.n_units)])
        return climb.found([np.arange(problem.n_units)])
    if resume is None:
        way = _Way(blocks=first_blocks(problem, climb.series, rng, start))
    else:
        way = _Way.resumed(climb, resume)
    while way.done < LEARNING_CLIMBS + MOST_CLIMBS and way.waiting < PATIENCE:
        if way.done < LEARNING_CLIMBS:
            # Learned where clusters are too few, dispersions explain away what would tell more
            # apart.
            climb.learn(climb.cut(way.blocks, PIECES))
            way.blocks = climb.climb(way.blocks)
            way.best = climb.score(way.blocks)
        else:
            _climb_again(climb, way)
        way.done += 1
        if checkpoint is not None:
            checkpoint(way.checkpoint(climb))
    return climb.found(way.blocks)


def _climb_again(climb: Climb, way: _Way) -> None:
    """From many clusters, or from all clusters cut; what is better becomes the best so far."""
    if (way.done - LEARNING_CLIMBS) % 2:
        fresh = climb.cut(way.blocks, PIECES)
    else:
        fresh = first_blocks(climb.problem, climb.series, climb.rng, "many")
    fresh = climb.climb(fresh)
    score = climb.score(fresh)
    way.waiting = 0 if score > way.best + 1e-6 else way.waiting + 1
    if score > way.best:
        way.blocks, way.best = fresh, score


def first_blocks(
    problem: Problem, series: Array, rng: np.random.Generator, start: Start
) -> list[Index]:
    """One cluster, k-means with many, or units thrown into clusters at random."""
    n = problem.n_units
    most = max(1, min(MOST_CLUSTERS, n // 3))
    if start == "one" or most == 1:
        label = np.zeros(n, dtype=np.int64)
    elif start == "many":
        label = grouped(series, most, rng)
    else:
        label = rng.integers(0, most, n)
    return [np.flatnonzero(label == k) for k in np.unique(label)]


def smoothed(data: Counts) -> Array:
    """Smooth log rates of units, each of mean 0, (unit, bin); missing ones are the unit's mean."""
    seen = data.counts >= 0
    log_rate = np.log(np.where(seen, data.counts, 0) + 0.5) - data.exposure
    number = np.maximum(seen.sum(axis=1, keepdims=True), 1)
    mean = np.where(seen, log_rate, 0).sum(axis=1, keepdims=True) / number
    out = np.where(seen, log_rate - mean, 0.0)
    return np.asarray(gaussian_filter1d(out, SMOOTH_BINS, axis=1))


def principal(series: Array, n_latents: int) -> Array:
    """A trajectory (bin, latent) to begin with: the mean, then what varies most about it."""
    out = np.zeros((series.shape[1], n_latents))
    out[:, 0] = series.mean(axis=0)
    _, size, row = np.linalg.svd(series - out[:, 0], full_matrices=False)
    for j in range(min(n_latents - 1, size.size)):
        out[:, 1 + j] = row[j] * size[j] / np.sqrt(series.shape[0])
    return out


def grouped(series: Array, number: int, rng: np.random.Generator) -> Index:
    """Labels of series by k-means on their scores on the first principal components."""
    from sklearn.cluster import KMeans

    away = series / (series.std(axis=1, keepdims=True) + 1e-9)
    left, size, _ = np.linalg.svd(away - away.mean(axis=0), full_matrices=False)
    scores = left[:, :6] * size[:6]
    seed = int(rng.integers(0, 2**31))
    return np.asarray(KMeans(number, n_init=3, random_state=seed).fit_predict(scores), np.int64)
