"""The fit: affinities, factors, communities; of the data from several starts, and of surrogates."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.core.method import NO_TABLES, Part
from pipeline.core.progress import Progress, silent
from pipeline.core.provenance import Provenance
from pipeline.core.resuming import ALONE, Loops
from pipeline.core.views import TraceEnsemble
from pipeline.methods.connectome.alignment import Alignment, align
from pipeline.methods.connectome.anatomy import against_references, static_strength
from pipeline.methods.connectome.baselines import compare_with_baselines
from pipeline.methods.connectome.communities import (
    Communities,
    find_communities,
    graph,
    second_opinion,
)
from pipeline.methods.connectome.config import CHOICE, ConnectomeConfig
from pipeline.methods.connectome.epochs import epoch_test
from pipeline.methods.connectome.factorisation import (
    Fit,
    Search,
    Snapshot,
    Snapshots,
    factorise,
    fits_in_turn,
)
from pipeline.methods.connectome.hals import Problem
from pipeline.methods.connectome.lead_lag import lead_lag
from pipeline.methods.connectome.leave_one_out import leave_one_out
from pipeline.methods.connectome.model import (
    component_gains,
    recording_explained,
    recording_shares,
    reproducibility,
    static_explained,
)
from pipeline.methods.connectome.pair_affinity import channels_of
from pipeline.methods.connectome.problem import (
    affinity_problem,
    affinity_table,
    over_channels,
    rows_of_pairs,
)
from pipeline.methods.connectome.rank_choice import choose_rank
from pipeline.methods.connectome.rank_runs import rank_run
from pipeline.methods.connectome.references import Reference, known_edges, references
from pipeline.methods.connectome.result import (
    Anatomy,
    ConnectomeResult,
    FitPart,
    PartResult,
    RankChoice,
    RankPart,
)
from pipeline.methods.connectome.sides import sides_of_units, with_sides_merged
from pipeline.numerics.cp import match_score, matches
from pipeline.numerics.partitions import adjusted_rand_index

Checkpoint = Snapshots
"""What a part leaves to go on from, by the name all methods use."""

ALIKE = 0.5
"""Product of cosines from which a component of another restart is the same one."""

SURROGATE = "surrogate"
"""What stands in the names of parts that fit shifted data."""

RANK = "rank-"
"""What the names of candidates' runs begin with."""


def fit_part(
    views: tuple[TraceEnsemble, ...],
    config: ConnectomeConfig,
    part: Part,
    rng: np.random.Generator,
    progress: Progress = silent,
    *,
    provenance: Provenance,
    earlier: Mapping[str, PartResult] | None = None,
    checkpoint: Callable[[Snapshots], None] | None = None,
    resume: Snapshots | None = None,
) -> PartResult:
    """One run of a candidate number of components, the choice of one, or one fit with it.

    Parameters
    ----------
    views
        One view a recording of the experiment.
    config
        The method's settings.
    part
        As planned by the settings: ``rank-NN-run-MM``, then ``choice``, then ``restart-NN`` (the
        data from starts of its own) and ``surrogate-NNN``.
    rng
        The random stream of this part.
    progress
        Told after every iteration.
    provenance
        Put into the result; its number of threads is used, which changes no digit.
    earlier
        For the choice all runs of candidates, for a fit the choice; nothing where there are none.
    checkpoint, resume
        Given snapshots of the fits after every iteration, or every five by ``tensorly``; those to
        go on from.

    Raises
    ------
    NotApplicable
        If the data cannot serve, with what was found and what is needed.
    """
    before = [] if earlier is None else [earlier[name] for name in sorted(earlier)]
    if part.name == CHOICE:
        runs = [one for one in before if isinstance(one, RankPart)]
        return choose_rank(runs, config, provenance=provenance)
    if part.name.startswith(RANK):
        provenance = _where(provenance, config)
        views = with_sides_merged(views, config)
        return rank_run(
            views,
            config.of_part(part),
            part,
            rng,
            progress,
            provenance=provenance,
            fits=fits_in_turn(checkpoint, resume),
        )
    config = _with_chosen_rank(config, before)
    provenance = _where(provenance, config)
    views = with_sides_merged(views, config)
    is_surrogate = SURROGATE in part.name
    alignment = align(views, config, shift_with=rng if is_surrogate else None)
    problem = affinity_problem(alignment, config, threads=provenance.threads)
    keep, left = fits_in_turn(checkpoint, resume).next()
    if config.engine == "tensorly":
        fit = _fit_of_table(alignment, config, rng, progress, keep, left)
    else:
        fit = factorise(
            problem,
            rank=config.n_components,
            search=Search(
                start=config.start,
                n_starts=config.n_starts,
                burn_in=config.burn_in,
                n_kept=config.n_kept,
                max_iterations=config.max_iterations,
                tolerance=config.tolerance,
            ),
            rng=rng,
            progress=progress,
            checkpoint=keep,
            resume=left,
        )[0]
    channels = problem.observed.channels
    pair = fit.pair[rows_of_pairs(alignment, channels=channels)]
    whole = over_channels(pair, channels=channels)
    found = find_communities(_graphs(whole, alignment), config, rng=rng)
    return FitPart(
        name=part.name,
        surrogate=is_surrogate,
        weight=fit.weight,
        component_time=None if is_surrogate else fit.time,
        component_slot=None if is_surrogate else fit.slot,
        component_pair=None if is_surrogate else pair,
        relative_error=fit.relative_error,
        error_trace=fit.errors,
        converged=fit.converged,
        kkt=fit.kkt,
        effective_rank=fit.effective_rank,
        static_explained=static_explained(problem, alignment, rng),
        component_gain=component_gains(problem, fit),
        reproducibility=reproducibility(problem, alignment, fit),
        n_communities=np.array([one.count for one in found], dtype=np.int64),
        modularity=np.array([one.modularity for one in found]),
        concentration=np.array([one.concentration for one in found]),
        recording_explained=recording_explained(problem, alignment, fit),
        provenance=provenance,
    )


def combine(
    parts: Mapping[str, PartResult],
    views: tuple[TraceEnsemble, ...],
    config: ConnectomeConfig,
    rng: np.random.Generator,
    *,
    provenance: Provenance,
    tables: Mapping[str, Any] = NO_TABLES,  # Any: tables of pandas
    loops: Loops = ALONE,
) -> ConnectomeResult:
    """The restart with the lowest error, with the other restarts and surrogates beside it.

    Parameters
    ----------
    parts
        All parts by name; at least one restart, and the choice of the number of components unless
        it was set by hand and no candidates were tried.
    views, config
        What the parts were given.
    rng
        The random stream of the joining step (orders of the community search).
    provenance
        Put into the result.
    tables
        Text of the table of known connections by its path in the settings.
    loops
        Its pieces; one that was ended goes on to the same result, to the last bit.
    """
    in_order = [parts[name] for name in sorted(parts)]
    config = _with_chosen_rank(config, in_order)
    provenance = _where(provenance, config)
    fitted = [part for part in in_order if isinstance(part, FitPart)]
    restarts = [part for part in fitted if not part.surrogate]
    surrogates = [part for part in fitted if part.surrogate]
    best = min(restarts, key=lambda part: part.relative_error)
    fits = [_fit_of(part) for part in restarts]
    best_fit = _fit_of(best)
    as_recorded = views
    views = with_sides_merged(views, config)
    alignment = align(views, config)
    used = [view for view in views if view.recording in alignment.recording]
    channels = channels_of(config.affinity)
    whole = over_channels(best_fit.pair, channels=channels)
    graphs = _graphs(whole, alignment)
    found = find_communities(graphs, config, rng=rng, loops=loops)
    second = second_opinion(graphs, config, rng=rng, loops=loops)
    problem = affinity_problem(alignment, config, threads=provenance.threads)
    every_pair = _of_every_pair(best_fit, alignment, channels=channels)
    return ConnectomeResult(
        recording=alignment.recording,
        baseline=np.array([view.baseline for view in used], dtype=str),
        regressed=_regressed(used),
        unit=alignment.unit,
        sides=sides_of_units(alignment.unit, as_recorded, config),
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
        component_time=best_fit.time,
        component_recording=recording_shares(alignment, best_fit),
        component_pair=whole,
        component_opposite=best_fit.pair[len(alignment.pairs) :] if channels == 2 else None,
        affinity=config.affinity,
        weight=best_fit.weight,
        relative_error=best.relative_error,
        static_explained=best.static_explained,
        component_gain=best.component_gain,
        reproducibility=best.reproducibility,
        recording_explained=best.recording_explained,
        group=_levels(found),
        community=np.stack([one.label for one in found]),
        membership=np.stack([one.membership for one in found]),
        community_agreement=np.array([one.agreement for one in found]),
        structured=np.array([one.structured for one in found]),
        saved_nats=np.array([one.saved_nats for one in found]),
        block_variant=np.array([one.variant for one in found], dtype=np.str_),
        second_opinion=np.stack([one.label for one in second]),
        second_agreement=np.array(
            [
                adjusted_rand_index(one.label, other.label)
                for one, other in zip(found, second, strict=True)
            ]
        ),
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
        restart_kkt=np.array([part.kkt for part in restarts]),
        effective_rank=best.effective_rank,
        restart_gain=np.stack(
            [_matched_gain(part, fit, best_fit) for part, fit in zip(restarts, fits, strict=True)]
        ),
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
        left_out_likeness=leave_one_out(
            problem, alignment, every_pair, config, rng=rng, loops=loops
        )
        if config.leave_one_out
        else None,
        epoch_test=epoch_test(
            problem,
            alignment,
            every_pair,
            views,
            config,
            threads=provenance.threads,
            rng=rng,
            loops=loops,
        ),
        baselines=compare_with_baselines(problem, alignment, views, config, rng=rng, loops=loops)
        if config.baselines
        else None,
        anatomy=_anatomy(
            problem,
            alignment,
            whole,
            references(
                known_edges(config.edges, tables),
                alignment.unit,
                sides_of_units(alignment.unit, as_recorded, config),
            ),
            rng,
        )
        if config.edges
        else None,
        rank_choice=_choice(in_order),
        lead_lag=lead_lag(
            problem,
            alignment,
            every_pair,
            views,
            config,
            threads=provenance.threads,
            rng=rng,
            loops=loops,
        )
        if config.lead_lag_pairs
        else None,
        provenance=provenance,
    )


def _regressed(views: Sequence[TraceEnsemble]) -> NDArray[np.str_] | None:
    """What was taken out of the traces of each recording; nothing where it was of none."""
    words = np.array([view.regressed or "" for view in views], dtype=str)
    return words if (words != "").any() else None


def _where(provenance: Provenance, config: ConnectomeConfig) -> Provenance:
    """With the device that multiplies."""
    if config.engine != "torch":
        return provenance
    from pipeline.methods.connectome.torch_engine import device_for
    from pipeline.numerics.device import device_name

    return dataclasses.replace(provenance, device=device_name(device_for(config)))


def _anatomy(
    problem: Problem,
    alignment: Alignment,
    pair: NDArray[np.float64],
    known: Sequence[Reference],
    rng: np.random.Generator,
) -> Anatomy | None:
    """Components, and after them the static graph, against known connections."""
    strength = np.column_stack([pair, static_strength(problem, alignment)])
    return against_references(strength, alignment.pairs, known, rng=rng)


def _with_chosen_rank(config: ConnectomeConfig, parts: Iterable[PartResult]) -> ConnectomeConfig:
    """The settings with the number of components that was chosen, if one was."""
    choice = _choice(parts)
    return config if choice is None else config.with_rank(choice.chosen)


def _choice(parts: Iterable[PartResult]) -> RankChoice | None:
    """The choice of the number of components among parts."""
    return next((part for part in parts if isinstance(part, RankChoice)), None)


def _of_every_pair(fit: Fit, alignment: Alignment, *, channels: int) -> Fit:
    """The fit with a row for every pair of units, 0 for those never observed together."""
    n_units = alignment.unit.size
    pair = np.zeros((channels * (n_units * (n_units - 1) // 2), fit.pair.shape[1]))
    pair[rows_of_pairs(alignment, channels=channels)] = fit.pair
    return dataclasses.replace(fit, pair=pair)


def _graphs(pair: NDArray[np.float64], alignment: Alignment) -> list[NDArray[np.float64]]:
    """The graph of each component."""
    return [graph(strength, alignment.pairs, alignment.unit.size) for strength in pair.T]


def _levels(found: list[Communities]) -> NDArray[np.int64]:
    """Groups of all components (component, level, unit); one group above a component's last."""
    n_levels = max(len(one.levels) for one in found)
    group = np.zeros((len(found), n_levels, found[0].label.size), dtype=np.int64)
    for component, one in enumerate(found):
        group[component, : len(one.levels)] = one.levels
        group[component, :, one.levels[0] < 0] = -1
    return group


def _fit_of_table(
    alignment: Alignment,
    config: ConnectomeConfig,
    rng: np.random.Generator,
    progress: Progress,
    checkpoint: Callable[[Snapshot], None] | None,
    resume: Snapshot | None,
) -> Fit:
    """The fit by TensorLy, whose table has the observed pairs only and may lack the slots."""
    from pipeline.methods.connectome.tensorly_engine import fit_nonnegative

    table = affinity_table(alignment, config)
    one_slot = table.values.shape[1] == 1
    found = fit_nonnegative(
        table.values[:, 0] if one_slot else table.values,
        table.observed[:, 0] if one_slot else table.observed,
        rank=config.n_components,
        rng=rng,
        max_iterations=config.max_iterations,
        tolerance=config.tolerance,
        progress=progress,
        checkpoint=checkpoint,
        resume=resume,
    )
    fit = Fit(
        weight=found.weight,
        time=found.factors[0],
        slot=np.ones((1, config.n_components)) if one_slot else found.factors[1],
        pair=found.factors[-1],
        relative_error=found.relative_error,
        errors=found.errors,
        stopped=found.converged,
    )
    return _of_every_pair(fit, alignment, channels=channels_of(config.affinity))


def _fit_of(part: FitPart) -> Fit:
    """The factors of a stored restart."""
    if part.component_time is None or part.component_slot is None or part.component_pair is None:
        raise ValueError(f"Part {part.name} holds no factors.")
    return Fit(
        weight=part.weight,
        time=part.component_time,
        slot=part.component_slot,
        pair=part.component_pair,
        relative_error=part.relative_error,
        errors=part.error_trace,
        stopped=part.converged,
        kkt=part.kkt,
    )


def _matched_gain(part: FitPart, fit: Fit, best: Fit) -> NDArray[np.float64]:
    """What a restart loses without the component that is each one of the best restart's."""
    index, likeness = matches(best.factors, fit.factors)
    return np.where(likeness >= ALIKE, part.component_gain[index], 0.0)


def _names(parts: list[FitPart]) -> NDArray[np.str_]:
    """Names of parts."""
    return np.array([part.name for part in parts], dtype=np.str_)


def _means(parts: list[FitPart], field: str) -> NDArray[np.float64]:
    """Mean over components of one statistic, for each part; NaN where there is none."""
    means = np.full(len(parts), np.nan)
    for index, part in enumerate(parts):
        values = np.asarray(getattr(part, field), dtype=np.float64)
        if np.isfinite(values).any():
            means[index] = np.nanmean(values)
    return means
