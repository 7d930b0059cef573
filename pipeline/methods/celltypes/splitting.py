"""How many clusters: splits and merges that held-out units bear out.

The objective alone cannot say, since it rises with every split of a noisy cluster. What decides is
how far the two parts of a split are told apart by their own two stimuli, on a scale set by what
stimuli can do at all: the pair fraction g at a temperature of a sixth of the response to a most
exciting stimulus. A split needs g above a threshold by two standard errors, a rising objective at
that temperature and enough units; and where the cluster is large, parts further apart than those
of one Gaussian population with the cluster's mean and covariance. (For that comparison gaps are
taken, since g comes close to 1 for both where stimuli are strong.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.methods.celltypes.ascent import Climber, Stimuli
from pipeline.methods.celltypes.clustering import (
    Clustering,
    Rule,
    alternate,
    polished,
    without_empty,
)
from pipeline.methods.celltypes.objective import (
    NO_TYPE,
    Discriminate,
    Excite,
    Floats,
    Labels,
    assign,
    cluster_means,
    membership,
    objective_errors,
    pair_fraction,
)

SHARE_OF_EXCITATION = 6
"""The selection temperature is the response to most exciting stimuli over this."""
LOCAL_ITERATIONS = 4
"""Most rounds in which the two parts of a cluster exchange units."""
GLOBAL_ITERATIONS = 3
N_BOOTSTRAP = 200
LEAST_HELD_OUT = 3
"""Held-out units that each part needs, else all units of both parts are resampled."""
STANDARD_ERRORS = 2.0
N_SURROGATES = 20
NULL_QUANTILE = 0.95

EVENT_COLUMNS = (
    "event",
    "clusters",
    "fewest",
    "pair_fraction",
    "standard_error",
    "null",
    "objective_before",
    "error_before",
    "objective",
    "objective_error",
    "accepted",
)
"""Of the table of what was tried, with ``clusters`` before it and the units of the smaller part, or
of the smaller cluster of a pair, as ``fewest``. ``objective`` is the mean J after
it, on held-out units at the selection scale; NaN where a split was refused for its parts alone, or
its clusters did not stay."""
Event = Literal["split", "merge"]
STEP_OF: dict[Event, int] = {"split": 1, "merge": -1}
"""How many clusters more there are after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitRule:
    """What splits and merges need."""

    min_pair_fraction: float
    merge_pair_fraction: float
    min_cells: int
    max_clusters: int
    passes: int
    """Most rounds of merges and splits; 0 leaves the clusters as they are."""
    null_from: int | None
    """Units of a cluster from which a split is compared with surrogates; never where ``None``."""
    temperature: float | None = None
    """Selection temperature; from the most exciting stimuli where ``None``."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Searched:
    """Clusters after splits and merges."""

    clustering: Clustering
    events: pd.DataFrame
    """What was tried, one row each."""
    history: pd.DataFrame
    """Of all iterations, in the order in which they were made."""
    pair_fraction: Floats
    """g of all pairs at the end, shape (cluster, cluster)."""
    temperature: float
    """The selection temperature at the end."""
    n_removed: int
    """Clusters that were too small."""
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Halves:
    """A cluster in two, with the stimuli of both."""

    cluster: int
    second: NDArray[np.bool_]
    """Units of the second part, shape (unit,)."""
    gap: float
    """How much more the parts answer to their own stimuli, over all units of both, summed."""
    stimuli: Stimuli
    """Shape (2, channel, frame, y, x)."""
    pair_fraction: float
    standard_error: float
    held_out: bool
    """Whether both numbers are over held-out units."""


def split_and_merge(
    engine: Climber,
    clustering: Clustering,
    points: Floats,
    rule: Rule,
    split: SplitRule,
    *,
    driving: NDArray[np.bool_],
    rng: np.random.Generator,
) -> Searched:
    """Clusters, merged and split until a pass changes nothing.

    Parameters
    ----------
    engine
        Climbs through the model.
    clustering
        Where to start.
    points
        Responses to the training stimuli in few numbers, shape (unit, feature): with the responses
        to the clusters' stimuli they say along which direction a cluster is cut.
    rule, split
        How the loop goes, and what splits and merges need.
    driving
        Units that shape stimuli; the others decide.
    rng
        Random stream.
    """
    search = _Search(
        engine,
        points,
        rule,
        split,
        driving,
        rng,
        events=[],
        histories=[clustering.history],
        merged=[],
        flags=set(),
    )
    return search.run(clustering)


@dataclass(slots=True, eq=False)
class _Search:
    engine: Climber
    points: Floats
    rule: Rule
    split: SplitRule
    driving: NDArray[np.bool_]
    rng: np.random.Generator
    events: list[dict[str, object]]
    histories: list[pd.DataFrame]
    merged: list[NDArray[np.bool_]]
    """Members of clusters that a merge made: they are not split again."""
    flags: set[str]
    n_removed: int = 0
    temperature: float = float("nan")

    def run(self, current: Clustering) -> Searched:
        current = self._without_small(current)
        self.temperature = self._selection_temperature(current)
        for number in range(self.split.passes):
            if number:
                self.temperature = self._selection_temperature(current)
            before = len(self.events)
            current = self._merge_all(self._polished(current))
            current = self._split_all(current)
            current = self._without_small(current)
            if not any(event["accepted"] for event in self.events[before:]):
                break
        current = self._polished(current)
        return Searched(
            clustering=current,
            events=pd.DataFrame(self.events, columns=list(EVENT_COLUMNS)).astype(
                {"event": "str", "clusters": "int64", "fewest": "int64", "accepted": "bool"}
                | dict.fromkeys(EVENT_COLUMNS[3:10], "float64")
            ),
            history=pd.concat(self.histories, ignore_index=True),
            pair_fraction=self._pairs(current)[0],
            temperature=self.temperature,
            n_removed=self.n_removed,
            flags=tuple(sorted(self.flags)),
        )

    def _polished(self, current: Clustering) -> Clustering:
        return polished(
            self.engine,
            current,
            self.rule,
            driving=self.driving,
            rng=self.rng,
            temperature=self.temperature,
        )

    def _selection_temperature(self, current: Clustering) -> float:
        """A sixth of what most exciting stimuli add to the response to a blank."""
        if self.split.temperature is not None:
            return self.split.temperature
        weights = self._weights(current.labels, current.n_clusters)
        goal = Excite(weights, np.arange(current.n_clusters))
        climbed = self.engine.climb(current.stimuli, goal, self.rule.polish, self.rng)
        blank = self.engine.responses(np.zeros_like(current.stimuli[:1]))
        excited = cluster_means(climbed.responses, weights).diagonal()
        rise = float(np.mean(excited - cluster_means(blank, weights)[0]))
        if not rise > 0:
            self.flags.add("no_excitation")
            return self.rule.temperature
        return rise / SHARE_OF_EXCITATION

    def _weights(self, labels: Labels, n_clusters: int) -> Floats:
        return membership(np.where(self.driving, labels, NO_TYPE), n_clusters)

    def _deciding(self, current: Clustering, labels: Sequence[int]) -> NDArray[np.bool_]:
        """Units over which clusters are compared: held-out ones where all have enough."""
        held = ~self.driving & (current.labels >= 0)
        if all((held & (current.labels == label)).sum() >= LEAST_HELD_OUT for label in labels):
            return held
        return np.asarray(current.labels >= 0)

    def _pairs(self, current: Clustering) -> tuple[Floats, Floats]:
        """G of all pairs and its standard error, shape (cluster, cluster); NaN on the diagonal."""
        n = current.n_clusters
        fraction, error = np.full((n, n), np.nan), np.full((n, n), np.nan)
        for first in range(n):
            for second in range(first + 1, n):
                found = self._told_apart(current, first, second)
                fraction[first, second] = fraction[second, first] = found[0]
                error[first, second] = error[second, first] = found[1]
        return fraction, error

    def _objective(self, current: Clustering) -> tuple[float, float]:
        """Mean J at the selection temperature over the units that decide, and its standard error.

        0 for one cluster.
        """
        if current.n_clusters < 2:
            return 0.0, 0.0
        units = self._deciding(current, range(current.n_clusters))
        error = objective_errors(
            current.responses,
            np.where(units, current.labels, NO_TYPE),
            current.n_clusters,
            self.temperature,
        )[1]
        return float(current.objective(units, self.temperature).mean()), error

    # Merging

    def _merge_all(self, current: Clustering) -> Clustering:
        refused: list[tuple[bytes, bytes]] = []
        while current.n_clusters > 1:
            fraction, error = self._pairs(current)
            doubtful = np.argwhere(
                np.triu(fraction - STANDARD_ERRORS * error < self.split.merge_pair_fraction, 1)
            ).tolist()
            doubtful.sort(key=lambda pair: fraction[pair[0], pair[1]])
            pair = next((p for p in doubtful if _names(current, *p) not in refused), None)
            if pair is None:
                break
            first, second = pair
            merged, accepted = self._merged(current, first, second)
            self._note(
                "merge",
                current,
                min((current.labels == one).sum() for one in pair),
                fraction[first, second],
                error[first, second],
                after=merged,
                accepted=accepted,
            )
            if accepted:
                current = merged
            else:
                refused.append(_names(current, first, second))
        return current

    def _merged(self, current: Clustering, first: int, second: int) -> tuple[Clustering, bool]:
        """Two clusters as one, and whether the rule of splits would not divide it again."""
        together = np.isin(current.labels, (first, second))
        number = np.arange(current.n_clusters)
        number[second:] -= 1
        number[second] = first
        labels = np.where(current.labels >= 0, number[np.maximum(current.labels, 0)], NO_TYPE)
        kept = np.flatnonzero(np.arange(current.n_clusters) != second)
        joined = replace(
            current,
            labels=labels,
            stimuli=current.stimuli[kept],
            responses=current.responses[kept],
        )
        joined = self._settled(joined)
        one = _closest(joined, together)
        halves = self._halves(joined, [one])
        if halves and self._divides(joined, halves[0]):
            null = self._null(joined, halves[0])
            if not halves[0].gap <= null:
                return joined, False
        self.merged.append(joined.labels == one)
        return joined, True

    def _settled(self, current: Clustering) -> Clustering:
        """A few iterations of all clusters, then stimuli at their ends."""
        settled = alternate(
            self.engine,
            current.labels,
            current.stimuli,
            replace(self.rule, max_iterations=GLOBAL_ITERATIONS),
            driving=self.driving,
            rng=self.rng,
        )
        self.flags |= set(settled.flags)
        self.histories.append(settled.history)
        return self._polished(replace(settled, ended="converged"))

    # Splitting

    def _split_all(self, current: Clustering) -> Clustering:
        refused: set[bytes] = set()
        while current.n_clusters < self.split.max_clusters:
            open_ones = [
                cluster
                for cluster in range(current.n_clusters)
                if _name(current, cluster) not in refused
                and not self._came_from_merge(current, cluster)
            ]
            found = self._halves(current, open_ones)
            tried = {halves.cluster for halves in found}
            refused |= {_name(current, one) for one in open_ones if one not in tried}
            found.sort(key=lambda halves: -halves.pair_fraction)
            split = None
            for halves in found:
                split = self._split(current, halves)
                if split is not None:
                    break
                refused.add(_name(current, halves.cluster))
            if split is None:
                break
            current = split
        return current

    def _came_from_merge(self, current: Clustering, cluster: int) -> bool:
        """Whether most of a cluster is most of one that a merge made."""
        members = current.labels == cluster
        return any(
            (members & merged).sum() > 0.5 * max(members.sum(), merged.sum())
            for merged in self.merged
        )

    def _split(self, current: Clustering, halves: Halves) -> Clustering | None:
        """The clusters with one of them in two, or nothing where the rule is not met."""
        if not self._divides(current, halves):
            fewest = min(self._sizes(current, halves))
            self._note("split", current, fewest, halves.pair_fraction, halves.standard_error)
            return None
        labels = np.where(halves.second, current.n_clusters, current.labels)
        stimuli = np.concatenate([current.stimuli, halves.stimuli[1:]])
        stimuli[halves.cluster] = halves.stimuli[0]
        after = self._settled(replace(current, labels=labels, stimuli=stimuli))
        first = _closest(after, (current.labels == halves.cluster) & ~halves.second)
        second = _closest(after, halves.second)
        accepted = first != second and self._objective(after)[0] > self._objective(current)[0]
        null = float("nan")
        fraction, error = halves.pair_fraction, halves.standard_error
        if accepted:
            fraction, error, held = self._told_apart(after, first, second)
            accepted = fraction - STANDARD_ERRORS * error > self.split.min_pair_fraction
            sizes = [(after.labels == one).sum() for one in (first, second)]
            accepted = accepted and min(sizes) >= self.split.min_cells
            if not held:
                self.flags.add("split_not_held_out")
        if accepted:
            null = self._null(current, halves)
            accepted = not halves.gap <= null
        fewest = min(self._sizes(current, halves))
        self._note("split", current, fewest, fraction, error, null, after=after, accepted=accepted)
        return after if accepted else None

    def _divides(self, current: Clustering, halves: Halves) -> bool:
        """Whether the two parts of a cluster are enough and far enough apart."""
        return bool(
            min(self._sizes(current, halves)) >= self.split.min_cells
            and halves.pair_fraction - STANDARD_ERRORS * halves.standard_error
            > self.split.min_pair_fraction
        )

    def _sizes(self, current: Clustering, halves: Halves) -> tuple[int, int]:
        """Units of the two parts of a cluster."""
        first = (current.labels == halves.cluster) & ~halves.second
        return int(first.sum()), int(halves.second.sum())

    def _halves(self, current: Clustering, clusters: Sequence[int]) -> list[Halves]:
        """Clusters cut in two, each against all others, all in one batch."""
        cuts = {}
        for cluster in clusters:
            second = self._bisected(current, cluster)
            if second is not None:
                cuts[cluster] = second
        return self._exchanged(current, cuts)

    def _bisected(self, current: Clustering, cluster: int) -> NDArray[np.bool_] | None:
        """The part of a cluster on one side of its first principal component."""
        members = current.labels == cluster
        if members.sum() < max(2, 2 * self.split.min_cells):
            return None
        side = first_component_side([current.responses[:, members].T, self.points[members]])
        second = np.zeros(members.size, dtype=bool)
        second[np.flatnonzero(members)[side]] = True
        return second if self._both_drive(members & ~second, second) else None

    def _both_drive(self, first: NDArray[np.bool_], second: NDArray[np.bool_]) -> bool:
        return bool((first & self.driving).any() and (second & self.driving).any())

    def _exchanged(self, current: Clustering, cuts: dict[int, NDArray[np.bool_]]) -> list[Halves]:
        """Both parts of each cluster with their own stimuli, after exchanging units."""
        if not cuts:
            return []
        clusters = list(cuts)
        stimuli = np.repeat(current.stimuli[clusters], 2, axis=0)
        targets = np.array([t for c in clusters for t in (c, current.n_clusters)])
        for _ in range(LOCAL_ITERATIONS):
            goal = Discriminate(self._split_weights(current, cuts), targets, self.temperature)
            climbed = self.engine.climb(stimuli, goal, self.rule.ascent, self.rng)
            stimuli, moved = climbed.stimuli, False
            for place, cluster in enumerate(clusters):
                members = current.labels == cluster
                pair = climbed.responses[2 * place : 2 * place + 2]
                second = members & (assign(pair, cuts[cluster].astype(np.int64)) == 1)
                if self._both_drive(members & ~second, second):
                    moved |= bool((second != cuts[cluster])[self.driving].any())
                    cuts[cluster] = second
            if not moved:
                break
        goal = Discriminate(self._split_weights(current, cuts), targets, self.temperature)
        climbed = self.engine.climb(stimuli, goal, self.rule.polish, self.rng)
        halves = []
        for place, cluster in enumerate(clusters):
            rows = slice(2 * place, 2 * place + 2)
            first = (current.labels == cluster) & ~cuts[cluster]
            fraction, error, held = self._fraction(climbed.responses[rows], first, cuts[cluster])
            halves.append(
                Halves(
                    cluster=cluster,
                    second=cuts[cluster],
                    gap=summed_gap(climbed.responses[rows], first, cuts[cluster]),
                    stimuli=climbed.stimuli[rows],
                    pair_fraction=fraction,
                    standard_error=error,
                    held_out=held,
                )
            )
        return halves

    def _split_weights(self, current: Clustering, cuts: dict[int, NDArray[np.bool_]]) -> Floats:
        """Averages over clusters, with another one cut in two for each pair of stimuli."""
        stacked = [
            self._weights(
                np.where(second, current.n_clusters, current.labels), current.n_clusters + 1
            )
            for second in cuts.values()
        ]
        return np.repeat(np.stack(stacked), 2, axis=0)

    def _told_apart(
        self, current: Clustering, first: int, second: int
    ) -> tuple[float, float, bool]:
        return self._fraction(
            current.responses[[first, second]], current.labels == first, current.labels == second
        )

    def _fraction(
        self, responses: Floats, first: NDArray[np.bool_], second: NDArray[np.bool_]
    ) -> tuple[float, float, bool]:
        """G of two groups with the stimuli of both, its standard error, and if on held-out."""
        held = ~self.driving
        on_held = min((first & held).sum(), (second & held).sum()) >= LEAST_HELD_OUT
        if on_held:
            first, second = first & held, second & held
        fraction, error = bootstrapped_fraction(
            responses[:, first], responses[:, second], self.temperature, self.rng
        )
        return fraction, error, bool(on_held)

    # The null

    def _null(self, current: Clustering, halves: Halves) -> float:
        """A large gap of one population like the cluster, split the same way; NaN if untested."""
        members = np.flatnonzero(current.labels == halves.cluster)
        if self.split.null_from is None or members.size < self.split.null_from:
            return float("nan")
        others = np.delete(self._weights(current.labels, current.n_clusters), halves.cluster, 0)
        mixes = [gaussian_mix(members, len(current.labels), self.rng) for _ in range(N_SURROGATES)]
        gaps = self._surrogate_gaps(current, halves.cluster, mixes, others)
        return float(np.quantile(gaps, NULL_QUANTILE))

    def _surrogate_gaps(
        self, current: Clustering, cluster: int, mixes: list[Floats], others: Floats
    ) -> list[float]:
        """Gap of each surrogate population when it is cut in two, all in one batch."""
        sides = [
            first_component_side([mix @ current.responses.T, mix @ self.points]) for mix in mixes
        ]
        # As in the data, about the same share of units is held out.
        held = self.rng.random(len(mixes[0])) < np.mean(~self.driving)
        stimuli = np.repeat(current.stimuli[[cluster]], 2 * len(mixes), axis=0)
        n_others = len(others)
        targets = np.tile([n_others, n_others + 1], len(mixes))
        last = LOCAL_ITERATIONS
        for iteration in range(last + 1):
            weights = np.repeat(
                np.stack(
                    [
                        np.concatenate([others, _part_means(mix, side, held)])
                        for mix, side in zip(mixes, sides, strict=True)
                    ]
                ),
                2,
                axis=0,
            )
            climbed = self.engine.climb(
                stimuli,
                Discriminate(weights, targets, self.temperature),
                self.rule.polish if iteration == last else self.rule.ascent,
                self.rng,
            )
            stimuli = climbed.stimuli
            pairs = [
                climbed.responses[2 * place : 2 * place + 2] @ mix.T
                for place, mix in enumerate(mixes)
            ]
            if iteration == last:
                break
            for place, pair in enumerate(pairs):
                side = pair[1] > pair[0]
                if (side & ~held).any() and (~side & ~held).any():
                    sides[place] = side
        return [summed_gap(pair, ~side, side) for pair, side in zip(pairs, sides, strict=True)]

    # Small clusters

    def _without_small(self, current: Clustering) -> Clustering:
        """Clusters of at least the least number of units; the units of others go elsewhere."""
        sizes = np.bincount(current.labels[current.labels >= 0], minlength=current.n_clusters)
        large = np.flatnonzero(sizes >= self.split.min_cells)
        if large.size == current.n_clusters or not large.size:
            return current
        self.n_removed += current.n_clusters - large.size
        taking_part = current.labels >= 0
        labels = np.where(taking_part, assign(current.responses[large]), NO_TYPE)
        labels, kept = without_empty(labels, current.responses[large], self.driving)
        return replace(
            current,
            labels=labels,
            stimuli=current.stimuli[large][kept],
            responses=current.responses[large][kept],
        )

    def _note(
        self,
        event: Event,
        current: Clustering,
        fewest: int,
        fraction: float,
        error: float = float("nan"),
        null: float = float("nan"),
        *,
        after: Clustering | None = None,
        accepted: bool = False,
    ) -> None:
        before, objective = self._objective(current), (float("nan"), float("nan"))
        if after is not None and after.n_clusters == current.n_clusters + STEP_OF[event]:
            objective = self._objective(after)
        values = (int(fewest), float(fraction), error, null, *before, *objective, accepted)
        self.events.append(
            dict(zip(EVENT_COLUMNS, (event, current.n_clusters, *values), strict=True))
        )


def first_component_side(blocks: Sequence[Floats]) -> NDArray[np.bool_]:
    """Which units lie on the upper side of the first principal component.

    Parameters
    ----------
    blocks
        Tables of shape (unit, feature), each given the same total variance.

    Returns
    -------
    Shape (unit,); some units are on either side.
    """
    centred = []
    for block in blocks:
        block = block - block.mean(axis=0)
        size = np.linalg.norm(block)
        centred.append(block / size if size > 0 else block)
    scores = np.linalg.svd(np.concatenate(centred, axis=1), full_matrices=False)[0][:, 0]
    side = scores > 0
    if not side.any() or side.all():
        side = np.arange(side.size) % 2 == 1
    return np.asarray(side, dtype=np.bool_)


def summed_gap(responses: Floats, first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """How much more two groups answer to their own stimuli than to each other's, summed.

    ``responses``, shape (2, unit), are to the stimuli of the first and the second.
    """
    own = responses[0, first].mean() + responses[1, second].mean()
    return float(own - responses[0, second].mean() - responses[1, first].mean())


def bootstrapped_fraction(
    first: Floats, second: Floats, temperature: float, rng: np.random.Generator
) -> tuple[float, float]:
    """G of two groups and its standard error over resampled units.

    Parameters
    ----------
    first, second
        Responses of each group's units to the stimuli of the first and the second, shape (2, unit).
    """

    def gaps(one: Floats, two: Floats) -> Floats:
        return np.stack([one[0] - two[0], two[1] - one[1]], axis=-1)

    observed = float(pair_fraction(gaps(first.mean(axis=1), second.mean(axis=1)), temperature))
    means = []
    for group in (first, second):
        n = group.shape[1]
        share = rng.multinomial(n, np.full(n, 1 / n), size=N_BOOTSTRAP) / n
        means.append(group @ share.T)
    spread = pair_fraction(gaps(means[0], means[1]), temperature).std()
    return observed, float(spread)


def gaussian_mix(members: NDArray[np.intp], n_units: int, rng: np.random.Generator) -> Floats:
    """Weights that turn the members of a cluster into surrogate units of one population.

    A surrogate unit answers to every stimulus as the members' mean plus a Gaussian mixture of what
    members differ in, so mean and covariance of the responses to any stimuli are the members', and
    nothing else is.

    Returns
    -------
    Shape (surrogate unit, unit), as many surrogates as members.
    """
    n = members.size
    draws = rng.standard_normal((n, n)) / np.sqrt(max(n - 1, 1))
    weights = np.zeros((n, n_units))
    weights[:, members] = 1 / n + draws - draws.mean(axis=1, keepdims=True)
    return weights


def _part_means(mix: Floats, second: NDArray[np.bool_], held: NDArray[np.bool_]) -> Floats:
    """Averages over the two parts of a surrogate population, over units that drive."""
    parts = (part & ~held if (part & ~held).any() else part for part in (~second, second))
    return np.stack([mix[part].mean(axis=0) for part in parts])


def _closest(current: Clustering, members: NDArray[np.bool_]) -> int:
    """The cluster that holds most of some units."""
    inside = current.labels[members & (current.labels >= 0)]
    return int(np.bincount(inside, minlength=current.n_clusters).argmax())


def _name(current: Clustering, cluster: int) -> bytes:
    """A cluster by who is in it."""
    return np.packbits(current.labels == cluster).tobytes()


def _names(current: Clustering, first: int, second: int) -> tuple[bytes, bytes]:
    return _name(current, first), _name(current, second)
