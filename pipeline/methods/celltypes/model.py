"""A cluster's way through the method: from start labels to types, on one population."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.methods.celltypes.ascent import initial_stimuli
from pipeline.methods.celltypes.clustering import (
    Clustering,
    alternate,
    held_out,
    k_means,
    polished,
    random_labels,
    without_empty,
)
from pipeline.methods.celltypes.config import CelltypesConfig
from pipeline.methods.celltypes.evidence import Run, choose, objective_to_compare
from pipeline.methods.celltypes.objective import Floats, Labels, assign
from pipeline.methods.celltypes.population import Population, loop_rule, split_rule
from pipeline.methods.celltypes.splitting import split_and_merge

MOST_POLISHES = 3
"""How often stimuli are climbed to their ends when units move after it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Types:
    """Types of a population and how they were found."""

    clustering: Clustering
    held_out: NDArray[np.bool_]
    objective: Floats
    """J of each type over units that shaped the stimuli."""
    held_out_objective: Floats
    """The same over held-out units; NaN for all where a type has none."""
    pair_fraction: Floats
    selection_temperature: float
    n_start: int
    n_removed: int
    ended: str
    flags: tuple[str, ...]
    history: pd.DataFrame
    events: pd.DataFrame

    @property
    def score(self) -> float:
        """Mean J by which runs of one number are compared; see :func:`objective_to_compare`."""
        return objective_to_compare(self.objective, self.held_out_objective)


def best_types(runs: Sequence[Types]) -> Types:
    """The run that stands for all; see :func:`pipeline.methods.celltypes.evidence.choose`."""
    named = [
        Run(name=str(index), labels=one.clustering.labels, objective=one.score)
        for index, one in enumerate(runs)
    ]
    return runs[int(choose(named).name)]


def find_types(
    who: Population,
    config: CelltypesConfig,
    *,
    n_start: int,
    strata: NDArray[np.int64],
    rng: np.random.Generator,
) -> Types:
    """Types: labels to start from, the loop, splits and merges, and stimuli at their ends.

    Parameters
    ----------
    who
        The units.
    config
        The method's settings.
    n_start
        Clusters to start from.
    strata
        Recording (and known type) of each unit: held-out units come from all alike.
    rng
        Random stream.
    """
    n_units = len(who.points)
    split = split_rule(config, n_units)
    most = max(2, n_units // split.min_cells)
    n_start = min(n_start, most) if n_start > 1 else n_start
    hidden = held_out(strata, config.loop.holdout, rng)
    if hidden.all() or n_units - hidden.sum() < 2:
        hidden = np.zeros(n_units, dtype=bool)
    driving = ~hidden
    rule = loop_rule(config, steps=config.ascent.compare_steps)
    labels = _start(who.points, n_start, driving, config, rng)
    n = int(labels.max()) + 1
    stimuli = who.engine.project(initial_stimuli((n, *who.shape), rng, smooth=True))
    found = alternate(who.engine, labels, stimuli, rule, driving=driving, rng=rng)
    if not config.split.enabled or config.n_types != "auto":
        split = replace(split, passes=0, min_cells=1)
    searched = split_and_merge(
        who.engine,
        found,
        who.points,
        rule,
        split,
        driving=driving,
        rng=rng,
    )
    final = _finished(who, searched.clustering, config, driving=driving, rng=rng)
    temperature = config.loop.temperature
    single = final.n_clusters < 2
    held = hidden & (final.labels >= 0)
    every_type_held = bool(np.isin(np.arange(final.n_clusters), final.labels[held]).all())
    return Types(
        clustering=final,
        held_out=hidden,
        objective=np.zeros(1) if single else final.objective(driving, temperature),
        held_out_objective=final.objective(held, temperature)
        if every_type_held and not single
        else np.full(final.n_clusters, np.nan),
        pair_fraction=searched.pair_fraction,
        selection_temperature=searched.temperature,
        n_start=n,
        n_removed=searched.n_removed,
        ended=found.ended,
        flags=tuple(sorted({*final.flags, *searched.flags})),
        history=searched.history,
        events=searched.events,
    )


def _start(
    points: Floats,
    n_start: int,
    driving: NDArray[np.bool_],
    config: CelltypesConfig,
    rng: np.random.Generator,
) -> Labels:
    """Labels to start from; every cluster has a unit that shapes its stimulus."""
    if config.loop.start == "k_means":
        labels = k_means(points, n_start, rng)
    else:
        labels = random_labels(len(points), n_start, rng)
    # Nearest cluster for held-out units whose cluster has nobody else.
    kept = np.unique(labels[driving])
    centres = np.stack([points[labels == one].mean(axis=0) for one in kept])
    nearest = ((points[:, None] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)
    place = np.searchsorted(kept, labels)
    there = np.isin(labels, kept)
    return np.where(there, np.minimum(place, kept.size - 1), nearest).astype(np.int64)


def _finished(
    who: Population,
    found: Clustering,
    config: CelltypesConfig,
    *,
    driving: NDArray[np.bool_],
    rng: np.random.Generator,
) -> Clustering:
    """Stimuli at their ends, and units at the stimuli that drive them most."""
    rule = loop_rule(config, steps=config.ascent.polish_steps)
    for _ in range(MOST_POLISHES):
        found = polished(who.engine, found, rule, driving=driving, rng=rng)
        raw = assign(found.responses, found.labels, balanced=rule.balanced)
        moved = bool((raw != found.labels)[driving].any())
        labels, kept = without_empty(raw, found.responses, driving)
        found = replace(
            found, labels=labels, stimuli=found.stimuli[kept], responses=found.responses[kept]
        )
        if not moved:
            break
    return found
