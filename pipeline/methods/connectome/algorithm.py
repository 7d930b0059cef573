"""The fit: affinities, factors, communities; of the data from several starts, and of surrogates."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pipeline.core.method import Part
from pipeline.core.progress import Progress, silent
from pipeline.core.provenance import Provenance
from pipeline.core.views import TraceEnsemble
from pipeline.methods.connectome.alignment import Alignment, affinity_table, align
from pipeline.methods.connectome.communities import Communities, find_communities, graph
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.model import (
    component_gains,
    modes_of,
    recording_explained,
    recording_shares,
    reproducibility,
    static_explained,
    three_modes,
)
from pipeline.methods.connectome.result import ConnectomeResult, PartResult
from pipeline.methods.connectome.tensorly_engine import Fit, fit_nonnegative
from pipeline.numerics.cp import match_score

SURROGATE = "surrogate-"
"""How names of parts begin that fit shifted data."""


def fit_part(
    views: tuple[TraceEnsemble, ...],
    config: ConnectomeConfig,
    part: Part,
    rng: np.random.Generator,
    progress: Progress = silent,
    *,
    provenance: Provenance,
) -> PartResult:
    """One fit of the data, or of one surrogate, from one random start.

    Parameters
    ----------
    views
        One view a recording of the experiment.
    config
        The method's settings.
    part
        ``restart-NN`` or ``surrogate-NN``, as planned by the settings.
    rng
        The random stream of this part.
    progress
        Told after every five iterations.
    provenance
        Put into the result.

    Raises
    ------
    NotApplicable
        If the data cannot serve, with what was found and what is needed.
    """
    is_surrogate = part.name.startswith(SURROGATE)
    alignment = align(views, config, shift_with=rng if is_surrogate else None)
    table = affinity_table(alignment, config)
    values, observed = modes_of(table)
    fit = fit_nonnegative(
        values,
        observed,
        rank=config.rank,
        rng=rng,
        max_iterations=config.max_iterations,
        tolerance=config.tolerance,
        progress=progress,
    )
    time, slot, pair = three_modes(fit.factors)
    found = _communities(pair, alignment, config, rng=rng)
    return PartResult(
        name=part.name,
        surrogate=is_surrogate,
        weight=fit.weight,
        component_time=None if is_surrogate else time,
        component_slot=None if is_surrogate else slot,
        component_pair=None if is_surrogate else pair,
        relative_error=fit.relative_error,
        error_trace=fit.errors,
        converged=fit.converged,
        static_explained=static_explained(table, alignment, rng),
        component_gain=component_gains(table, fit),
        reproducibility=reproducibility(table, alignment, fit, rng=rng),
        n_communities=np.array([one.count for one in found], dtype=np.int64),
        modularity=np.array([one.modularity for one in found]),
        concentration=np.array([one.concentration for one in found]),
        recording_explained=recording_explained(table, alignment, fit),
        provenance=provenance,
    )


def combine(
    parts: Mapping[str, PartResult],
    views: tuple[TraceEnsemble, ...],
    config: ConnectomeConfig,
    rng: np.random.Generator,
    *,
    provenance: Provenance,
) -> ConnectomeResult:
    """The restart with the lowest error, with the other restarts and surrogates beside it.

    Parameters
    ----------
    parts
        All parts by name; at least one restart.
    views, config
        What the parts were given.
    rng
        The random stream of the joining step (orders of the community search).
    provenance
        Put into the result.
    """
    restarts = [parts[name] for name in sorted(parts) if not parts[name].surrogate]
    surrogates = [parts[name] for name in sorted(parts) if parts[name].surrogate]
    best = min(restarts, key=lambda part: part.relative_error)
    fits = [_fit_of(part) for part in restarts]
    best_fit = _fit_of(best)
    alignment = align(views, config)
    found = _communities(best_fit.factors[2], alignment, config, rng=rng)
    return ConnectomeResult(
        recording=alignment.recording,
        baseline=np.array([view.baseline for view in views], dtype=str),
        unit=alignment.unit,
        presence=alignment.presence,
        pair_units=alignment.pairs,
        frame_time_s=alignment.bin_time_s,
        frame_recording=alignment.bin_recording,
        source_time_s=alignment.source_time_s,
        epochs=alignment.epochs,
        selection=alignment.selection,
        alignment=alignment.mode,
        coarse_grain=alignment.coarse_grain,
        bin_s=alignment.bin_s,
        component_time=best_fit.factors[0],
        component_recording=recording_shares(alignment, best_fit),
        component_pair=best_fit.factors[2],
        weight=best_fit.weight,
        relative_error=best.relative_error,
        static_explained=best.static_explained,
        component_gain=best.component_gain,
        reproducibility=best.reproducibility,
        recording_explained=best.recording_explained,
        community=np.stack([one.label for one in found])[:, None, :],
        membership=np.stack([one.membership for one in found]),
        community_agreement=np.array([one.agreement for one in found]),
        modularity=np.array([one.modularity for one in found]),
        concentration=np.array([one.concentration for one in found]),
        restart=_names(restarts),
        best_restart=best.name,
        restart_error=np.array([part.relative_error for part in restarts]),
        restart_similarity=np.array(
            [
                match_score(best_fit.weight, best_fit.factors, fit.weight, fit.factors)
                for fit in fits
            ]
        ),
        restart_converged=np.array([part.converged for part in restarts]),
        restart_explained=np.array([part.explained for part in restarts]),
        restart_reproducibility=_means(restarts, "reproducibility"),
        restart_communities=_means(restarts, "n_communities"),
        restart_concentration=_means(restarts, "concentration"),
        surrogate=_names(surrogates),
        surrogate_explained=np.array([part.explained for part in surrogates]),
        surrogate_static=np.array([part.static_explained for part in surrogates]),
        surrogate_largest_gain=np.array([part.component_gain.max() for part in surrogates]),
        surrogate_reproducibility=_means(surrogates, "reproducibility"),
        surrogate_communities=_means(surrogates, "n_communities"),
        surrogate_concentration=_means(surrogates, "concentration"),
        provenance=provenance,
    )


def _communities(
    pair: NDArray[np.float64],
    alignment: Alignment,
    config: ConnectomeConfig,
    *,
    rng: np.random.Generator,
) -> list[Communities]:
    """Communities of each component."""
    return [
        find_communities(
            graph(strength, alignment.pairs, alignment.unit.size),
            resolution=config.resolution,
            min_strength=config.min_strength,
            n_partitions=config.n_partitions,
            rng=rng,
        )
        for strength in pair.T
    ]


def _fit_of(part: PartResult) -> Fit:
    """The factors of a stored restart."""
    if part.component_time is None or part.component_slot is None or part.component_pair is None:
        raise ValueError(f"Part {part.name} holds no factors.")
    return Fit(
        weight=part.weight,
        factors=(part.component_time, part.component_slot, part.component_pair),
        relative_error=part.relative_error,
        errors=part.error_trace,
        converged=part.converged,
    )


def _names(parts: list[PartResult]) -> NDArray[np.str_]:
    """Names of parts."""
    return np.array([part.name for part in parts], dtype=np.str_)


def _means(parts: list[PartResult], field: str) -> NDArray[np.float64]:
    """Mean over components of one statistic, for each part; NaN where there is none."""
    means = np.full(len(parts), np.nan)
    for index, part in enumerate(parts):
        values = np.asarray(getattr(part, field), dtype=np.float64)
        if np.isfinite(values).any():
            means[index] = np.nanmean(values)
    return means
