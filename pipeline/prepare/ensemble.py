"""A recording's sampled traces, or rates of its spikes, on a regular time grid."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.errors import NotApplicable
from pipeline.core.provenance import Provenance
from pipeline.core.recording import Recording, SpikeTrains
from pipeline.core.views import OTHER_CLASS, TraceEnsemble
from pipeline.prepare.config import BaselineConfig, EnsembleConfig
from pipeline.prepare.grid_traces import GridTraces
from pipeline.prepare.left_out import good_units, units_left_out
from pipeline.prepare.rates import grid_rate_hz, smoothed_rates
from pipeline.prepare.regression import regressors_of, without

NO_BASELINE = "baseline not positive"
"""Why a unit has no dF/F."""


def trace_ensemble(
    recording: Recording, config: EnsembleConfig, provenance: Provenance
) -> TraceEnsemble:
    """The good units of a recording on a regular grid, with identities and epochs.

    Parameters
    ----------
    recording
        One recording.
    config
        Rate of the grid, longest gap to bridge, and width of the Gaussian that makes rates.
    provenance
        What the stage knows about how the view comes about.

    Returns
    -------
    The view. Epochs are the trials, named by their condition, where there are trials, else the
    table of epochs.

    Raises
    ------
    NotApplicable
        If the recording holds spike times and no rates are asked for, or no unit is usable.
    """
    activity = recording.activity
    if isinstance(activity, SpikeTrains) and config.rate_sigma_s == 0:
        raise NotApplicable(
            f"This method needs sampled traces; recording {recording.id} holds spike times of "
            f"{activity.n_units} units. prepare.ensemble.rate_sigma_s, such as 0.25, makes rates "
            "of them."
        )
    good = good_units(recording)
    of_class = _of_chosen_class(recording, good, config)
    other_class = [OTHER_CLASS] * int((good & ~of_class).sum())
    good = good & of_class
    if isinstance(activity, SpikeTrains):
        return _rate_ensemble(recording, activity, good, config, provenance, further=other_class)
    rate_hz = activity.rate_hz if config.rate_hz == "auto" else float(config.rate_hz)
    traces = GridTraces(
        activity,
        np.flatnonzero(good),
        time=_grid(activity.span_s, rate_hz=rate_hz),
        rate_hz=rate_hz,
        config=config,
        delay_s=recording.delay_s,
    )
    chosen = choose_traces(recording.id, traces, config=config.dff)
    units = recording.units.loc[good].loc[chosen.kept]
    certain = units["identity_certain"].to_numpy(dtype=bool)
    names = units["identity"].astype(str).to_numpy(dtype=str)
    kept = np.flatnonzero(chosen.kept)
    regressed = None
    if config.regress_out:
        regressors, regressed = regressors_of(
            recording,
            config.regress_out,
            traces.time,
            rate_hz=rate_hz,
            bands=lambda: traces.bands(kept, relative=chosen.relative),
        )
        traces.regress_out(regressors)
    values, valid = traces.of(kept, relative=chosen.relative)
    further = [NO_BASELINE] * int((~chosen.kept).sum()) + other_class
    return TraceEnsemble(
        recording=recording.id,
        time=traces.time,
        values=values,
        valid=valid,
        unit=units["unit_id"].astype(str).to_numpy(dtype=str),
        identity=np.where(certain, names, ""),
        epochs=_epochs(recording),
        left_out=units_left_out(recording.units, further=further),
        rate_hz=rate_hz,
        signal=chosen.signal,
        value_unit=chosen.value_unit,
        baseline=chosen.baseline,
        regressed=regressed,
        provenance=provenance,
    )


def _of_chosen_class(
    recording: Recording, good: NDArray[np.bool_], config: EnsembleConfig
) -> NDArray[np.bool_]:
    """Which units are of the classes that the settings choose, all where they choose none."""
    units, column = recording.units, config.class_column
    if not config.classes:
        return np.ones(len(units), dtype=bool)
    if column not in units:
        raise NotApplicable(
            f"prepare.ensemble.classes chooses units by '{column}', and the table of units of "
            f"recording {recording.id} has no such column; it has {', '.join(units.columns)}. "
            "prepare.ensemble.class_column names another."
        )
    own = units[column].fillna("").astype(str)
    chosen = own.isin(config.classes).to_numpy(dtype=bool)
    if not (good & chosen).any():
        there = ", ".join(
            f"{count} of '{name}'" for name, count in own[good].value_counts().sort_index().items()
        )
        raise NotApplicable(
            f"No usable unit of recording {recording.id} has one of the classes "
            f"{', '.join(config.classes)} in '{column}'; there are {there}. "
            "Set prepare.ensemble.classes."
        )
    return chosen


def _rate_ensemble(
    recording: Recording,
    trains: SpikeTrains,
    good: NDArray[np.bool_],
    config: EnsembleConfig,
    provenance: Provenance,
    *,
    further: Sequence[str],
) -> TraceEnsemble:
    """The view of a recording of spikes: smoothed rates."""
    sigma_s = config.rate_sigma_s
    rate_hz = grid_rate_hz(sigma_s) if config.rate_hz == "auto" else float(config.rate_hz)
    time = _grid(trains.span_s, rate_hz=rate_hz)
    values, valid = smoothed_rates(trains, np.flatnonzero(good), time, sigma_s=sigma_s)
    regressed = None
    if config.regress_out:
        band = values, valid
        regressors, regressed = regressors_of(
            recording, config.regress_out, time, rate_hz=rate_hz, bands=lambda: iter([band])
        )
        left = without(values, valid, regressors)
        values, valid = left.values, left.valid  # noqa: PD011 - no table
    units = recording.units.loc[good]
    certain = units["identity_certain"].to_numpy(dtype=bool)
    return TraceEnsemble(
        recording=recording.id,
        time=time,
        values=values,
        valid=valid,
        unit=units["unit_id"].astype(str).to_numpy(dtype=str),
        identity=np.where(certain, units["identity"].astype(str).to_numpy(dtype=str), ""),
        epochs=_epochs(recording),
        left_out=units_left_out(recording.units, further=further),
        rate_hz=rate_hz,
        signal="rate",
        value_unit="spikes/s",
        baseline=f"rates computed here: spikes weighted by a Gaussian of {sigma_s:g} s (sigma)",
        regressed=regressed,
        provenance=provenance,
    )


def _grid(span_s: tuple[float, float], *, rate_hz: float) -> NDArray[np.float64]:
    """Times of the regular grid, seconds."""
    start, stop = span_s
    n_frames = int(np.floor((stop - start) * rate_hz * (1 + 1e-9))) + 1
    if n_frames < 2:
        raise NotApplicable(
            f"The recording lasts {stop - start:.3g} s, which is less than two frames at "
            f"{rate_hz:.3g} Hz. Raise prepare.ensemble.rate_hz."
        )
    time = start + np.arange(n_frames) / rate_hz
    # Samples that merely jitter about the grid must not turn into missing frames at the end.
    time[-1] = min(time[-1], stop)
    return time


def _without(kept: NDArray[np.bool_]) -> str:
    n_lost = int((~kept).sum())
    if not n_lost:
        return ""
    return f"; {n_lost} of {kept.size} units, whose baseline is not positive, are left out"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChosenTraces:
    """Which traces a view has and what they are."""

    kept: NDArray[np.bool_]
    """Which of the good units these are."""
    relative: bool
    """Whether they are divided by their baseline."""
    signal: str
    value_unit: str
    baseline: str


def choose_traces(recording: str, traces: GridTraces, *, config: BaselineConfig) -> ChosenTraces:
    """Traces divided by their baseline where the settings and the signal ask for it.

    Parameters
    ----------
    recording
        Its id, for messages.
    traces
        Traces of the good units.
    config
        When dF/F is computed, and from what.

    Raises
    ------
    NotApplicable
        If no unit has a baseline to be divided by.
    """
    as_recorded = ChosenTraces(
        kept=np.ones(traces.n_units, dtype=bool),
        relative=False,
        signal=traces.activity.signal,
        value_unit=traces.activity.value_unit,
        baseline="",
    )
    wanted = ("fluorescence", "dff") if config.compute == "always" else ("fluorescence",)
    if config.compute == "never" or traces.activity.signal not in wanted:
        return as_recorded
    defined, present = traces.baselines()
    n_defined = int(defined.sum())
    if config.compute == "auto" and 2 * n_defined < traces.n_units:
        words = (
            f"fluorescence as recorded: only {n_defined} of {traces.n_units} units have a positive "
            "baseline, so it seems to be corrected already"
        )
        return dataclasses.replace(as_recorded, baseline=words)
    kept = defined if config.nonpositive == "leave_out" else present
    if not kept.any():
        raise NotApplicable(
            f"No unit of recording {recording} has a positive baseline, so dF/F is not defined; "
            "set prepare.ensemble.dff.compute to 'never' to take the traces as they are."
        )
    words = (
        f"dF/F computed here: change relative to the {config.percentile:g}th percentile of the "
        f"trace in {config.window_s:g} s" + _without(kept)
    )
    return ChosenTraces(kept=kept, relative=True, signal="dff", value_unit="dF/F", baseline=words)


def _epochs(recording: Recording) -> pd.DataFrame:
    """Trials named by their condition where there are any, else the epochs."""
    if len(recording.trials):
        table = recording.trials.rename(columns={"condition": "label"})
    else:
        table = recording.epochs
    table = table[["start_s", "stop_s", "label"]].astype({"label": str})
    return table.sort_values(["start_s", "stop_s"], kind="stable").reset_index(drop=True)
