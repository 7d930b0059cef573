"""The fit: chains from different starts, models that predict hidden counts, and their joining."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.method import Part
from pipeline.core.progress import Progress, silent
from pipeline.core.provenance import Provenance
from pipeline.core.resuming import ALONE, Loops
from pipeline.core.views import SpikeCounts
from pipeline.methods.biclustering.agreement import (
    agreement_matrix,
    convergence_table,
    invariants,
    moves_table,
)
from pipeline.methods.biclustering.associations import association_table, questions
from pipeline.methods.biclustering.config import CHAIN, MASKS, BiclusteringConfig
from pipeline.methods.biclustering.holdout import (
    Predicted,
    baselines,
    hidden_entries,
    predicted,
)
from pipeline.methods.biclustering.identify import (
    MOST_DRAWS,
    SHOWN_DRAWS,
    dynamics_table,
    eigenvalues,
    kept_draws,
    trajectories,
)
from pipeline.methods.biclustering.matching import membership
from pipeline.methods.biclustering.model import Checkpoint, Draws, Family, Priors, Start
from pipeline.methods.biclustering.problem import (
    Problem,
    covariate_names,
    priors_of,
    problem_of,
    schedule_of,
)
from pipeline.methods.biclustering.replicas import Replicas, replicate
from pipeline.methods.biclustering.result import (
    BiclusteringResult,
    PartResult,
    Posterior,
    SampleStats,
)
from pipeline.methods.biclustering.sampler.chain import run_chain
from pipeline.methods.biclustering.scores import MODEL, NAMES, PIT_BINS, pit_density, score_table
from pipeline.numerics.point_partitions import LOSSES, CoClustering, Loss, point_partition

STARTS: tuple[Start, ...] = ("many", "one", "random")
"""Starts that chains take in turn."""

MOST_UNIT_DRAWS = 1000
MOST_STATE_DRAWS = 400
"""Draws of all chains together that point partitions are made of."""

__all__ = ["Checkpoint", "combine", "fit_part"]


def fit_part(
    views: tuple[SpikeCounts, ...],
    config: BiclusteringConfig,
    part: Part,
    rng: np.random.Generator,
    progress: Progress = silent,
    *,
    provenance: Provenance,
    checkpoint: Callable[[Checkpoint], None] | None = None,
    resume: Checkpoint | None = None,
) -> PartResult:
    """One chain on all counts, or one that does not see some of them and predicts these.

    Parameters
    ----------
    views
        The view of one recording.
    config
        The method's settings.
    part
        ``chain-NN``, or how counts are hidden and which model predicts them, as planned.
    rng
        The random stream of this part.
    progress
        Told after sweeps.
    provenance
        Put into the result.
    checkpoint, resume
        Given the state of the chain now and then; one to go on from, which changes no digit.

    Raises
    ------
    NotApplicable
        If the data cannot serve, with what was found and what is needed.
    """
    (view,) = views
    kind, _, rest = part.name.partition("-")
    priors = priors_of(config, bin_s=view.bin_s)
    # Of its own, so that it does not matter whether the chain was interrupted.
    (after_chain,) = rng.spawn(1)
    if kind == CHAIN:
        problem = problem_of(view, config)
        draws = run_chain(
            problem.data,
            priors,
            schedule_of(config),
            rng,
            start=STARTS[int(rest) % len(STARTS)],
            kernel=config.kernel,
            progress=progress,
            checkpoint=checkpoint,
            resume=resume,
        )
        return PartResult(
            name=part.name,
            draws=draws,
            replicas=replicate(draws, problem.data, after_chain),
            predicted=None,
            provenance=provenance,
        )
    hidden = hidden_entries(view, config, kind)
    problem = problem_of(view, config, hidden=hidden)
    draws = run_chain(
        problem.data,
        variant_priors(priors, rest),
        schedule_of(config, checks=True),
        rng,
        start=STARTS[0],
        kernel=config.kernel,
        progress=progress,
        checkpoint=checkpoint,
        resume=resume,
    )
    return PartResult(
        name=part.name,
        draws=None,
        replicas=None,
        predicted=predicted(draws, problem.data, hidden[:, problem.used]),
        provenance=provenance,
    )


def variant_priors(priors: Priors, variant: str) -> Priors:
    """The priors of a model that the result is measured by."""
    if variant == "one-cluster":
        return dataclasses.replace(priors, one_cluster=True)
    if variant == "one-state":
        return dataclasses.replace(priors, n_states=1)
    if variant == "other-counts":
        other: Family = "poisson" if priors.family == "negative_binomial" else "negative_binomial"
        return dataclasses.replace(priors, family=other)
    return priors


def combine(
    parts: Mapping[str, PartResult],
    views: tuple[SpikeCounts, ...],
    config: BiclusteringConfig,
    rng: np.random.Generator,
    *,
    provenance: Provenance,
    loops: Loops = ALONE,
) -> BiclusteringResult:
    """Point partitions, their uncertainty, and all that tells whether to trust them.

    Parameters
    ----------
    parts
        All parts by name; at least one chain.
    views, config
        What the parts were given.
    rng
        The random stream of the joining step (shuffles and shifts).
    provenance
        Put into the result.
    loops
        Its pieces; one that was ended goes on to the same result, to the last bit.
    """
    (view,) = views
    problem = problem_of(view, config)
    chains = {name: part.draws for name, part in sorted(parts.items()) if part.draws is not None}
    runs = list(chains.values())
    drawn_units = evenly(runs, "cluster", MOST_UNIT_DRAWS)
    drawn_states = evenly(runs, "state", MOST_STATE_DRAWS)
    units = CoClustering(drawn_units)
    points = {loss: _point(units, loops, loss) for loss in _losses()}
    clusters = points["vi"]
    states = _point(CoClustering(drawn_states), loops)
    cluster_of_unit = np.full(problem.used.size, -1, dtype=np.int64)
    cluster_of_unit[problem.used] = clusters
    kept = kept_draws(runs, clusters, states, most=MOST_DRAWS)
    values, noise = eigenvalues(
        kept, n_clusters=int(clusters.max()) + 1, n_states=int(states.max()) + 1
    )
    shown = values[np.unique(np.linspace(0, len(values) - 1, SHOWN_DRAWS).astype(int))]
    scores, n_hidden, pit = _scored(parts, view, config, problem)
    chain_cluster = _of_chains(runs, "cluster", MOST_UNIT_DRAWS, loops)
    chain_state = _of_chains(runs, "state", MOST_STATE_DRAWS, loops)
    return BiclusteringResult(
        recording=view.recording,
        unit=view.unit,
        region=view.region,
        used=problem.used,
        n_spikes=problem.n_spikes,
        cluster_of_unit=cluster_of_unit,
        own_probability=_of_view(problem, _own_probability(units.dense, clusters)),
        cluster_probability=_of_view(problem, membership(clusters, drawn_units)),
        co_clustering=units.dense.astype(np.float32),
        time_bin_s=view.time_s,
        bin_s=view.bin_s,
        segment=view.segment,
        state_of_bin=states,
        state_probability=membership(states, drawn_states).astype(np.float32),
        criterion=np.array(list(points), dtype=str),
        unit_partition=np.stack(list(points.values())),
        partition_agreement=agreement_matrix(np.stack(list(points.values()))),
        chain_cluster=chain_cluster,
        chain_agreement=agreement_matrix(chain_cluster),
        chain_state=chain_state,
        chain_state_agreement=agreement_matrix(chain_state),
        convergence=convergence_table(invariants(runs, clusters)),
        moves=moves_table(chains),
        trajectories=trajectories(kept, clusters),
        dynamics=dynamics_table(values, noise, bin_s=view.bin_s),
        eigenvalue_real=shown.real.astype(np.float32),
        eigenvalue_imaginary=shown.imag.astype(np.float32),
        visits=visits_table(states, view.segment, bin_s=view.bin_s),
        scores=scores,
        n_hidden=n_hidden,
        pit=pit,
        replicas=_joined([part.replicas for part in parts.values() if part.replicas is not None]),
        associations=association_table(
            questions(
                view,
                problem.used,
                clusters=clusters,
                drawn_clusters=drawn_units,
                states=states,
                drawn_states=drawn_states,
            ),
            n_null=config.n_shifts,
            rng=rng,
        ),
        gains=gains_table(runs, view.unit[problem.used], covariate_names(view, config)),
        posterior=Posterior(
            **{
                name: np.stack([getattr(draws, name) for draws in runs])
                for name in Posterior.__dataclass_fields__
            }
        ),
        sample_stats=SampleStats(
            **{
                name: np.stack([getattr(draws, name) for draws in runs])
                for name in SampleStats.__dataclass_fields__
            }
        ),
        family=config.family,
        stimulus=config.stimulus,
        source=view.source,
        provenance=provenance,
    )


def evenly(chains: list[Draws], field: str, most: int) -> NDArray[np.int16]:
    """Labels of draws, evenly picked, as many of each chain, one chain after another."""
    each = max(1, most // len(chains))
    picked = []
    for draws in chains:
        labels = getattr(draws, field)
        picked.append(labels[np.unique(np.linspace(0, len(labels) - 1, each).astype(int))])
    return np.concatenate(picked)


def visits_table(
    states: NDArray[np.int64], segment: NDArray[np.int32], *, bin_s: float
) -> pd.DataFrame:
    """One row a state: share of the bins, number of visits and their mean length."""
    changed = (np.diff(states) != 0) | (np.diff(segment) != 0)
    first = np.flatnonzero(np.concatenate([[True], changed]))
    visited = states[first]
    lengths = np.diff(np.append(first, states.size)) * bin_s
    rows = [
        (
            state,
            float(np.mean(states == state)),
            int(np.sum(visited == state)),
            float(lengths[visited == state].mean()),
        )
        for state in range(int(states.max()) + 1)
    ]
    return pd.DataFrame(rows, columns=["state", "share", "visits", "mean_visit_s"])


def gains_table(
    chains: list[Draws], units: NDArray[np.str_], covariates: tuple[str, ...]
) -> pd.DataFrame:
    """One row for each covariate and unit, over all draws of all chains."""
    gain = np.concatenate([draws.gain for draws in chains]).astype(np.float64)
    low, high = np.quantile(gain, [0.025, 0.975], axis=0)
    columns = {"mean": gain.mean(axis=0).T.ravel(), "low": low.T.ravel(), "high": high.T.ravel()}
    return pd.DataFrame(
        {
            "covariate": pd.Series(np.repeat(covariates, units.size), dtype="str"),
            "unit": pd.Series(np.tile(units, len(covariates)), dtype="str"),
            **columns,
        }
    )


def _losses() -> tuple[Loss, ...]:
    """Criteria of point partitions, the one of the result first."""
    return tuple(LOSSES)  # type: ignore[arg-type]  # keys of the mapping are the literals


def _of_chains(chains: list[Draws], field: str, most: int, loops: Loops) -> NDArray[np.int64]:
    """Point partition of each chain, shape (chain, item)."""
    return np.stack([_point(CoClustering(evenly([draws], field, most)), loops) for draws in chains])


def _point(drawn: CoClustering, loops: Loops, loss: Loss = "vi") -> NDArray[np.int64]:
    """A point partition, as a piece of the joining, shape (item,)."""
    return loops.piece(lambda _: {"label": point_partition(drawn, loss)})["label"]


def _of_view(problem: Problem, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of the units that take part in the order of the view; NaN for the others."""
    out = np.full((problem.used.size, *values.shape[1:]), np.nan)
    out[problem.used] = values
    return out


def _own_probability(
    together: NDArray[np.float64], clusters: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Mean probability of being with the others of one's cluster; NaN without others."""
    same = clusters[:, None] == clusters
    others = same.sum(axis=1) - 1
    total = np.where(same, together, 0.0).sum(axis=1) - 1.0
    out = np.full(clusters.size, np.nan)
    np.divide(total, others, out=out, where=others > 0)
    return out


def _joined(replicas: list[Replicas]) -> Replicas:
    """Replicas of all chains as one set."""
    n = np.array([one.n_replicas for one in replicas], dtype=np.float64)
    return Replicas(
        statistic=replicas[0].statistic,
        observed=replicas[0].observed,
        replicated=np.average([one.replicated for one in replicas], axis=0, weights=n),
        p_value=np.average([one.p_value for one in replicas], axis=0, weights=n),
        n_replicas=int(n.sum()),
    )


def _scored(
    parts: Mapping[str, PartResult],
    view: SpikeCounts,
    config: BiclusteringConfig,
    problem: Problem,
) -> tuple[pd.DataFrame, pd.DataFrame, NDArray[np.float64]]:
    """Scores of all predictions of hidden counts, how many there were, and the PIT."""
    tables, counted = [], []
    pit = np.full(PIT_BINS, np.nan)
    for mask in MASKS:
        found: dict[str, Predicted] = {
            variant: part.predicted
            for variant in NAMES
            if (part := parts.get(f"{mask}-{variant}")) is not None and part.predicted is not None
        }
        if "model" not in found:
            continue
        hidden = hidden_entries(view, config, mask)
        without = problem_of(view, config, hidden=hidden)
        at = hidden[:, problem.used]
        simple = baselines(view, without.data, problem.used, at)
        own = found["model"]
        n_spikes = int(problem.data.counts[at].sum())
        tables.append(
            score_table(
                mask,
                {
                    **{NAMES[name]: one.log_probability for name, one in found.items()},
                    **simple,
                },
                reference=simple["mean rate"],
                entry_bin=own.entry_bin,
                n_bins=view.time_s.size,
                n_spikes=n_spikes,
            )
        )
        counted.append((mask, int(at.sum()), n_spikes))
        if mask == MASKS[0]:
            pit = pit_density(own)
    empty = score_table(
        "", {MODEL: np.empty(0)}, reference=np.empty(0), entry_bin=np.empty(0, np.int32),
        n_bins=1, n_spikes=1,
    ).iloc[:0]  # fmt: skip
    counts = pd.DataFrame(counted, columns=["mask", "counts", "spikes"])
    return (
        pd.concat(tables, ignore_index=True) if tables else empty,
        counts.astype({"mask": "str", "counts": "int64", "spikes": "int64"}),
        pit,
    )
