"""From a view and settings to what the sampler takes: units, offsets, priors, lengths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes
from pipeline.core.errors import NotApplicable
from pipeline.core.views import SpikeCounts
from pipeline.methods.biclustering.config import BiclusteringConfig
from pipeline.methods.biclustering.model import CountData, Priors, Schedule


@dataclass(frozen=True, slots=True)
class Lengths:
    """Sweeps of a chain."""

    tune: int
    draws: int


PRESETS = {
    "quick": (Lengths(150, 150), Lengths(100, 100)),
    "standard": (Lengths(2000, 2000), Lengths(600, 400)),
    "thorough": (Lengths(10_000, 10_000), Lengths(2000, 1000)),
}
"""Lengths of the chains of a preset, and of those that are fitted to check predictions."""

LEAST_BINS = 3
PSTH_PSEUDO_TRIALS = 1.0
"""Trials of the unit's mean rate that are added to the trials of a condition."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """Counts of the units that take part."""

    data: CountData
    used: NDArray[np.bool_] = axes("view_unit")
    """Which units of the view take part."""
    n_spikes: NDArray[np.int64] = axes("view_unit")

    def __post_init__(self) -> None:
        check_axes(self)


def problem_of(
    view: SpikeCounts, config: BiclusteringConfig, *, hidden: NDArray[np.bool_] | None = None
) -> Problem:
    """What is sampled: units with enough spikes, and what is known of their mean counts.

    Exposure is relative to a whole bin, so that baselines are log counts in a whole bin.

    Parameters
    ----------
    view
        Counts of one recording.
    config
        The method's settings.
    hidden
        Entries (bin, unit of the view) that the fit must not see.

    Raises
    ------
    NotApplicable
        If no unit has enough spikes, there are fewer than 3 bins, too many counts, or behaviour
        that the recording does not have.
    """
    if view.time_s.size < LEAST_BINS:
        raise NotApplicable(
            f"Recording {view.recording} has {view.time_s.size} bins of {view.bin_s:g} s; at "
            f"least {LEAST_BINS} are needed. A smaller prepare.counts.bin_width_s makes more."
        )
    n_spikes = view.counts.sum(axis=0, dtype=np.int64)
    used = (n_spikes >= config.min_spikes) & view.observed.any(axis=0)
    if not used.any():
        raise NotApplicable(
            f"None of the {used.size} units of recording {view.recording} has "
            f"{config.min_spikes} spikes or more in its bins. Lower "
            "methods.biclustering.min_spikes."
        )
    n_counts = int(used.sum()) * view.time_s.size
    if n_counts > config.max_counts:
        raise NotApplicable(
            f"Recording {view.recording} has {n_counts} counts ({int(used.sum())} units, "
            f"{view.time_s.size} bins), more than methods.biclustering.max_counts allows "
            f"({config.max_counts}). Raise it, widen the bins, or use fewer units."
        )
    seen = view.observed if hidden is None else view.observed & ~hidden
    share = np.where(view.observed, view.exposure_s / view.bin_s, 1.0)
    known = np.log(share)
    if config.stimulus == "psth":
        known = known + log_psth(view, seen)
    data = CountData(
        counts=np.ascontiguousarray(view.counts[:, used]),
        observed=np.ascontiguousarray(seen[:, used]),
        segment=view.segment,
        log_exposure=np.ascontiguousarray(known[:, used]),
        covariates=covariates_of(view, config),
    )
    return Problem(data=data, used=used, n_spikes=n_spikes)


def covariate_names(view: SpikeCounts, config: BiclusteringConfig) -> tuple[str, ...]:
    """Channels of behaviour that the settings name, in the order of the settings.

    Raises
    ------
    NotApplicable
        If the recording has no series of a name.
    """
    offered = [] if view.covariate is None else [str(name) for name in view.covariate]
    chosen: list[str] = []
    for wanted in config.behaviour:
        found = [name for name in offered if name == wanted or name.startswith(f"{wanted}[")]
        if not found:
            has = ", ".join(offered) or "no behaviour"
            raise NotApplicable(
                f"Recording {view.recording} has no series {wanted!r} "
                f"(methods.biclustering.behaviour); it has {has}."
            )
        chosen += [name for name in found if name not in chosen]
    return tuple(chosen)


def covariates_of(view: SpikeCounts, config: BiclusteringConfig) -> NDArray[np.float64] | None:
    """Chosen behaviour in standard deviations from its mean, shape (bin, covariate).

    Bins without a value are given the mean.

    Raises
    ------
    NotApplicable
        If the recording lacks a series, or one never changes.
    """
    names = covariate_names(view, config)
    if not names or view.covariate is None or view.behaviour is None:
        return None
    columns = []
    for name in names:
        values = view.behaviour[:, int(np.flatnonzero(view.covariate == name)[0])]
        known = np.isfinite(values)
        own = values[known].astype(np.float64)
        spread = float(own.std()) if own.size else 0.0
        if not spread > 1e-9 * (1 + float(np.abs(own).max(initial=0.0))):
            raise NotApplicable(
                f"Series {name!r} of recording {view.recording} never changes within the bins, so "
                "that no unit can follow it. Take it out of methods.biclustering.behaviour."
            )
        column = np.zeros(values.size)
        column[known] = (own - own.mean()) / spread
        columns.append(column)
    return np.stack(columns, axis=1)


def log_psth(view: SpikeCounts, seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Log of each unit's mean response over its mean count, shape (bin, unit).

    The response in a bin of a trial is the mean over the same bins of the other trials of its
    condition, with one trial of the unit's mean added; a bin outside of trials is like the other
    bins there. Trials that follow each other without a pause can share a bin: it belongs to the
    one in which it begins.

    Parameters
    ----------
    view
        Counts with trials.
    seen
        Entries that may be used, shape (bin, unit).
    """
    group, trial = psth_groups(view)
    counts = np.where(seen, view.counts, 0).astype(np.float64)
    exposure = np.where(seen, view.exposure_s / view.bin_s, 0.0)
    mean = counts.sum(axis=0) / np.maximum(exposure.sum(axis=0), 1e-12)
    n_groups = int(group.max()) + 1

    def by(codes: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = np.zeros((int(codes.max()) + 1, values.shape[1]))
        np.add.at(sums, codes, values)
        return sums[codes]

    # The bin's own trial says nothing about it: its share of the sums is taken out.
    own = trial * n_groups + group
    own = np.unique(own, return_inverse=True)[1]
    other_counts = by(group, counts) - by(own, counts)
    other_exposure = by(group, exposure) - by(own, exposure)
    added = PSTH_PSEUDO_TRIALS
    response = (other_counts + added * mean) / (other_exposure + added)
    ratio: NDArray[np.float64] = np.log(np.maximum(response, 1e-12) / np.maximum(mean, 1e-12))
    return np.where(mean > 0, ratio, 0.0)


def psth_groups(view: SpikeCounts) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Condition and place in the trial of each bin as one code, and the bin's trial.

    Bins outside of trials have the code 0 and are trials of their own.
    """
    time, bin_s = view.time_s + 1e-6 * view.bin_s, view.bin_s
    starts = view.trials["start_s"].to_numpy(dtype=np.float64)
    stops = view.trials["stop_s"].to_numpy(dtype=np.float64)
    trial = np.searchsorted(starts, time, side="right") - 1
    inside = trial >= 0
    inside[inside] = time[inside] < stops[trial[inside]]
    own = np.where(inside, trial, starts.size + np.arange(time.size))
    if not inside.any():
        return np.zeros(time.size, dtype=np.int64), own
    names = view.trials["condition"].astype(str).to_numpy(dtype=str)
    condition = np.unique(names, return_inverse=True)[1]
    place = np.zeros(time.size, dtype=np.int64)
    place[inside] = ((time[inside] - starts[trial[inside]]) / bin_s).astype(np.int64)
    code = np.zeros(time.size, dtype=np.int64)
    code[inside] = 1 + condition[trial[inside]] * (place.max() + 1) + place[inside]
    return np.unique(code, return_inverse=True)[1].astype(np.int64), own.astype(np.int64)


def priors_of(config: BiclusteringConfig, *, bin_s: float) -> Priors:
    """The settings' priors, with lengths of visits in bins."""
    prior = config.prior
    return Priors(
        family=config.family,
        coupling=config.coupling,
        n_factors=prior.n_factors,
        baseline=prior.baseline,
        baseline_sd=prior.baseline_sd,
        loading_sd=prior.loading_sd,
        gain_sd=prior.gain_sd,
        dispersion_shape=prior.dispersion_shape,
        dispersion_rate=prior.dispersion_rate,
        noise_scale=prior.noise_scale,
        dynamics_precision=prior.dynamics_precision,
        cluster_weight=prior.cluster_weight,
        cluster_decay=prior.cluster_decay,
        n_states=prior.n_states,
        state_concentration=prior.state_concentration,
        weight_concentration=prior.weight_concentration,
        stickiness=2 * prior.dwell_s / bin_s,
        concentration_shape=4.0 if prior.learn_concentrations else None,
    )


def schedule_of(config: BiclusteringConfig, *, checks: bool = False) -> Schedule:
    """Sweeps of a chain of the result, or of one that only checks predictions."""
    preset, check = PRESETS[config.preset]
    lengths = Lengths(
        tune=preset.tune if config.n_tune == "preset" else config.n_tune,
        draws=preset.draws if config.n_draws == "preset" else config.n_draws,
    )
    if checks:
        lengths = Lengths(min(check.tune, lengths.tune), min(check.draws, lengths.draws))
    return Schedule(
        n_tune=lengths.tune,
        n_draws=lengths.draws,
        thin=config.thin,
        n_trajectories=min(config.n_trajectories, lengths.draws),
    )
