"""A recording's sampled traces on a regular time grid."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.errors import NotApplicable
from pipeline.core.provenance import Provenance
from pipeline.core.recording import Recording, SampledActivity
from pipeline.core.views import TraceEnsemble
from pipeline.prepare.config import BaselineConfig, EnsembleConfig
from pipeline.prepare.dff import relative_change

RATE_SLACK = 1.05
"""Down-sampling by less than this factor needs no anti-alias filter."""

ALIAS_WIDTH = 0.4
"""Width (sigma) of the anti-alias Gaussian in frames of the new grid; 45 % of the amplitude is
left at the new Nyquist frequency, 4 % at the new rate."""

NO_BASELINE = "baseline not positive"
"""Why a unit has no dF/F."""


def trace_ensemble(
    recording: Recording, config: EnsembleConfig, provenance: Provenance
) -> TraceEnsemble:
    """The good units of a recording on a regular grid, with identities and epochs.

    Parameters
    ----------
    recording
        One recording with sampled activity.
    config
        Rate of the grid and longest gap to bridge.
    provenance
        What the stage knows about how the view comes about.

    Returns
    -------
    The view. Epochs are the trials, named by their condition, where there are trials, else the
    table of epochs.

    Raises
    ------
    NotApplicable
        If the recording holds spike times, or no unit is usable.
    """
    activity = recording.activity
    if not isinstance(activity, SampledActivity):
        raise NotApplicable(
            f"This method needs sampled traces; recording {recording.id} holds spike times of "
            f"{activity.n_units} units. Smoothed rates follow with a later version."
        )
    good = recording.units["good"].to_numpy(dtype=bool)
    if not good.any():
        raise NotApplicable(
            f"None of the {good.size} units of recording {recording.id} is usable: "
            f"{_reasons(recording.units)}."
        )
    rate_hz = activity.rate_hz if config.rate_hz == "auto" else float(config.rate_hz)
    time, values, valid = _on_grid(activity, good, rate_hz=rate_hz, max_gap_s=config.max_gap_s)
    relative = _relative(recording.id, activity, time, values, valid, config=config.dff)
    units = recording.units.loc[good].loc[relative.kept]
    certain = units["identity_certain"].to_numpy(dtype=bool)
    names = units["identity"].astype(str).to_numpy(dtype=str)
    return TraceEnsemble(
        recording=recording.id,
        time=time,
        values=relative.values,
        valid=relative.valid,
        unit=units["unit_id"].astype(str).to_numpy(dtype=str),
        identity=np.where(certain, names, ""),
        epochs=_epochs(recording),
        left_out=_left_out(recording.units, without_baseline=int((~relative.kept).sum())),
        rate_hz=rate_hz,
        signal=relative.signal,
        value_unit=relative.value_unit,
        baseline=relative.baseline,
        provenance=provenance,
    )


def _on_grid(
    activity: SampledActivity, good: NDArray[np.bool_], *, rate_hz: float, max_gap_s: float
) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.bool_]]:
    """Times, values and validity of the good units on the regular grid."""
    start, stop = activity.span_s
    n_frames = int(np.floor((stop - start) * rate_hz * (1 + 1e-9))) + 1
    if n_frames < 2:
        raise NotApplicable(
            f"The recording lasts {stop - start:.3g} s, which is less than two frames at "
            f"{rate_hz:.3g} Hz."
        )
    time = start + np.arange(n_frames) / rate_hz
    # Samples that merely jitter about the grid must not turn into missing frames at the end.
    time[-1] = min(time[-1], stop)
    values = np.zeros((n_frames, int(good.sum())), dtype=np.float32)
    valid = np.zeros(values.shape, dtype=bool)
    own_rate = activity.rate_hz
    # Half an interval more than one frame is jitter, not a gap.
    longest_s = max_gap_s + 1.5 / own_rate
    for columns, traces, present in activity.traces(np.flatnonzero(good)):
        for place, column in enumerate(columns):
            trace = traces[:, place]
            known = present[:, place] & np.isfinite(trace)
            if np.count_nonzero(known) < 2:
                continue
            source_time = activity.time[known]
            series = trace[known].astype(np.float64)
            if rate_hz * RATE_SLACK < own_rate:
                series = _smoothed(series, source_time, own_rate=own_rate, rate_hz=rate_hz)
            values[:, column] = np.interp(time, source_time, series)
            valid[:, column] = _covered(time, source_time, longest_s=longest_s)
    values[~valid] = 0
    return time, values, valid


def _without(kept: NDArray[np.bool_]) -> str:
    n_lost = int((~kept).sum())
    if not n_lost:
        return ""
    return f"; {n_lost} of {kept.size} units, whose baseline is not positive, are left out"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Traces:
    """Traces of the view and what they are."""

    values: NDArray[np.float32]
    valid: NDArray[np.bool_]
    kept: NDArray[np.bool_]
    """Which of the good units these are."""
    signal: str
    value_unit: str
    baseline: str


def _relative(
    recording: str,
    activity: SampledActivity,
    time: NDArray[np.float64],
    values: NDArray[np.float32],
    valid: NDArray[np.bool_],
    *,
    config: BaselineConfig,
) -> _Traces:
    """Traces divided by their baseline where the settings and the signal ask for it."""
    as_recorded = _Traces(
        values=values,
        valid=valid,
        kept=np.ones(values.shape[1], dtype=bool),
        signal=activity.signal,
        value_unit=activity.value_unit,
        baseline="",
    )
    wanted = ("fluorescence", "dff") if config.compute == "always" else ("fluorescence",)
    if config.compute == "never" or activity.signal not in wanted:
        return as_recorded
    change = relative_change(values, valid, time, config)
    n_defined, n_units = int(change.defined.sum()), values.shape[1]
    if config.compute == "auto" and 2 * n_defined < n_units:
        words = (
            f"fluorescence as recorded: only {n_defined} of {n_units} units have a positive "
            "baseline, so it seems to be corrected already"
        )
        return dataclasses.replace(as_recorded, baseline=words)
    leave_out = config.nonpositive == "leave_out"
    kept = change.defined if leave_out else np.asarray(change.valid.any(axis=0))
    if not kept.any():
        raise NotApplicable(
            f"No unit of recording {recording} has a positive baseline, so dF/F is not defined; "
            "set prepare.ensemble.dff.compute to 'never' to take the traces as they are."
        )
    words = (
        f"dF/F computed here: change relative to the {config.percentile:g}th percentile of the "
        f"trace in {config.window_s:g} s" + _without(kept)
    )
    return _Traces(
        values=change.values[:, kept],  # noqa: PD011 (no pandas)
        valid=change.valid[:, kept],
        kept=kept,
        signal="dff",
        value_unit="dF/F",
        baseline=words,
    )


def _smoothed(
    series: NDArray[np.float64], time: NDArray[np.float64], *, own_rate: float, rate_hz: float
) -> NDArray[np.float64]:
    """Series without what the new rate cannot carry; stretches between gaps by themselves."""
    from scipy.ndimage import gaussian_filter1d

    sigma = ALIAS_WIDTH * own_rate / rate_hz
    breaks = np.flatnonzero(np.diff(time) > 1.5 / own_rate) + 1
    parts = np.split(series, breaks)
    return np.concatenate([gaussian_filter1d(part, sigma, mode="nearest") for part in parts])


def _covered(
    time: NDArray[np.float64], source: NDArray[np.float64], *, longest_s: float
) -> NDArray[np.bool_]:
    """Which times lie on or between two samples that are not too far apart."""
    slack = 1e-9 * max(1.0, float(np.abs(source).max()))
    after = np.clip(np.searchsorted(source, time - slack), 0, source.size - 1)
    before = np.clip(np.searchsorted(source, time + slack, side="right") - 1, 0, source.size - 1)
    inside = (source[before] <= time + slack) & (source[after] >= time - slack)
    return inside & (source[after] - source[before] <= longest_s + slack)


def _epochs(recording: Recording) -> pd.DataFrame:
    """Trials named by their condition where there are any, else the epochs."""
    if len(recording.trials):
        table = recording.trials.rename(columns={"condition": "label"})
    else:
        table = recording.epochs
    table = table[["start_s", "stop_s", "label"]].astype({"label": str})
    return table.sort_values(["start_s", "stop_s"], kind="stable").reset_index(drop=True)


def _left_out(units: pd.DataFrame, *, without_baseline: int = 0) -> pd.DataFrame:
    """How many units were not used, by reason."""
    bad = units.loc[~units["good"].to_numpy(dtype=bool), "reason"].astype(str)
    bad = pd.concat([bad, pd.Series([NO_BASELINE] * without_baseline, dtype="str")])
    counts = bad.value_counts().sort_index()
    return pd.DataFrame(
        {
            "what": pd.Series(["unit"] * len(counts), dtype="str"),
            "count": counts.to_numpy(dtype=np.int64),
            "reason": pd.Series(counts.index.astype(str), dtype="str"),
        }
    )


def _reasons(units: pd.DataFrame) -> str:
    """Reasons with counts, for a message."""
    table = _left_out(units)
    pairs = zip(table["count"], table["reason"], strict=True)
    return ", ".join(f"{count} {reason or 'without reason'}" for count, reason in pairs)
