"""Trials of named conditions as one response a unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.errors import NotApplicable
from pipeline.core.labels import natural_order
from pipeline.core.provenance import Provenance
from pipeline.core.recording import Recording, SampledActivity, SpikeTrains
from pipeline.core.views import NO_BASELINE, ResponsePatterns
from pipeline.prepare.config import PatternsConfig
from pipeline.prepare.left_out import good_units
from pipeline.prepare.shown_pixels import pixels_of_conditions
from pipeline.prepare.windows import WindowedActivity, windowed

EXTRA_S = 0.5
"""How long calcium outlasts a stimulus."""

REST_S = 0.5
"""How long before a trial its baseline begins, where frames are not far apart."""

MOST_TRIALS_LOST = 0.2
"""Share of trials without a frame in the window above which the window does not fit."""

MOST_UNITS_MISSING = 0.5
"""A trial in which more of the units are missing is left out."""

MOST_TRIALS_MISSING = 0.2
"""A unit that is missing in more of the trials is left out."""

STRATUM_COLUMNS = ("plane", "imaging_plane", "probe", "electrode_group", "group_name")
"""Columns of the units that tell which were recorded together, the first found counts."""

SAME_ORDER = 0.9
"""Share of trials that follow the condition which usually comes before them, from which the order
counts as fixed."""


def response_patterns(
    recording: Recording, config: PatternsConfig, provenance: Provenance
) -> ResponsePatterns:
    """Responses of the good units to the trials.

    Parameters
    ----------
    recording
        One recording with trials; spikes or sampled activity.
    config
        Windows, baseline, filters, folds.
    provenance
        What the stage knows about how the view comes about.

    Returns
    -------
    The view, with trials in order of time and conditions in the order of their numbers.

    Raises
    ------
    NotApplicable
        If there are no trials with a condition, no usable unit, or no sample in the windows.
    """
    good = good_units(recording)
    trials, unnamed = _named_trials(recording, config)
    timing = _Timing.of(trials, config, recording.activity)
    activity = windowed(recording, np.flatnonzero(good), trials["start_s"].to_numpy(), config)
    _check_window(recording, activity, "response", "window_s", timing.window_s)
    if timing.baseline != "none":
        _check_window(recording, activity, "baseline", "baseline_s", timing.baseline_s)
    found = _responses(activity, timing, config)
    kept_units, unit_reasons = _kept_units(found, activity, timing, trials, config)
    kept_trials, trial_reasons = _kept_trials(found.seen, kept_units)
    kept_units &= _often_seen(found.seen[kept_trials], kept_units, unit_reasons)
    if not kept_units.any() or not kept_trials.any():
        raise NotApplicable(
            f"No unit of recording {recording.id} has responses: "
            f"{_in_words(unit_reasons + trial_reasons)}."
        )
    trials = trials.loc[kept_trials].reset_index(drop=True)
    labels = sorted(set(trials["condition"]), key=natural_order)
    codes = pd.Categorical(trials["condition"], categories=labels).codes.astype(np.int64)
    units = recording.units.loc[good].loc[activity.kept].loc[kept_units].reset_index(drop=True)
    cut = np.ix_(kept_trials, kept_units)
    courses = _courses(activity, timing, config)
    return ResponsePatterns(
        recording=recording.id,
        subject=recording.about.subject,
        kind=recording.kind,
        unit=units["unit_id"].astype(str).to_numpy(dtype=str),
        region=_region(units),
        stratum=_stratum(units),
        position_um=_position(units),
        condition=np.array(labels),
        condition_of_trial=codes,
        fold=_folds(trials, codes, config),
        start_s=trials["start_s"].to_numpy(dtype=np.float64),
        responses=np.where(found.seen, found.values, 0)[cut].astype(np.float32),
        valid=found.seen[cut],
        time_bin=None if courses is None else timing.bin_middle_s(config),
        courses=None if courses is None else courses[cut].astype(np.float32),
        properties=_properties(trials, labels),
        pixels=pixels_of_conditions(recording, trials, labels),
        left_out=_left_out(
            [
                *_unused(recording.units),
                *activity.left_out,
                *unit_reasons,
                *unnamed,
                *trial_reasons,
            ]
        ),
        window_s=np.array(timing.window_s),
        value_unit=_value_unit(activity, timing),
        stabilised=timing.stabilise,
        baseline=timing.baseline_words,
        fixed_order=_is_fixed(codes),
        gapless=timing.gapless,
        provenance=provenance,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Timing:
    """Windows and steps that follow from the settings and the trials."""

    window_s: tuple[float, float]
    baseline_s: tuple[float, float]
    baseline: str
    baseline_words: str
    stabilise: str
    gapless: bool

    @classmethod
    def of(
        cls, trials: pd.DataFrame, config: PatternsConfig, activity: SampledActivity | SpikeTrains
    ) -> _Timing:
        sampled = isinstance(activity, SampledActivity)
        if config.baseline_s == "auto":
            frames_s = 2 / activity.rate_hz if isinstance(activity, SampledActivity) else 0.0
            before = (-max(REST_S, frames_s), 0.0)
        else:
            before = (config.baseline_s[0], config.baseline_s[1])
        start = trials["start_s"].to_numpy(dtype=np.float64)
        stop = trials["stop_s"].to_numpy(dtype=np.float64)
        duration = float(np.median(stop - start))
        pause = float(np.median(start[1:] - stop[:-1])) if start.size > 1 else np.inf
        needed = before[1] - before[0]
        gapless = bool(pause < needed)
        if config.window_s == "auto":
            extra = min(EXTRA_S, max(0.0, pause)) if sampled else 0.0
            window = (0.0, duration + extra)
        else:
            window = (config.window_s[0], config.window_s[1])
        if not window[0] < window[1]:
            raise NotApplicable(
                "Trials last 0 s, so that they do not tell when units respond; set "
                "prepare.patterns.window_s."
            )
        baseline = config.baseline
        if baseline == "auto":
            baseline = "subtract" if sampled and not gapless else "none"
        words = {
            "subtract": "the activity before the trial is subtracted",
            "zscore": "the activity before the trial is subtracted, in units of its spread",
            "none": NO_BASELINE
            + (", as trials follow each other without a pause" if sampled and gapless else ""),
        }[baseline]
        stabilise = config.stabilise
        if stabilise == "auto":
            stabilise = "none" if sampled else "sqrt"
        if sampled and stabilise != "none":
            raise NotApplicable(
                f"'{stabilise}' is for spike counts; set prepare.patterns.stabilise to 'auto'."
            )
        return cls(
            window_s=window,
            baseline_s=before,
            baseline=baseline,
            baseline_words=words,
            stabilise=stabilise,
            gapless=gapless,
        )

    def bin_middle_s(self, config: PatternsConfig) -> NDArray[np.float64]:
        """Middle of the time bins of courses, shape (time_bin,)."""
        start, stop = self.window_s
        n_bins = max(1, int(np.floor((stop - start) / config.time_bin_s * (1 + 1e-9))))
        return np.asarray(start + config.time_bin_s * (np.arange(n_bins) + 0.5), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class _Responses:
    """Values and where they mean something, shape (trial, unit)."""

    values: NDArray[np.float64]
    seen: NDArray[np.bool_]


def _named_trials(
    recording: Recording, config: PatternsConfig
) -> tuple[pd.DataFrame, list[tuple[str, int, str]]]:
    """Trials that have a condition, in order of time."""
    trials = recording.trials.sort_values(["start_s", "stop_s"], kind="stable")
    names = trials["condition"].fillna("").astype(str).str.strip()
    if config.normalise_labels:
        names = names.str.casefold().str.split().str.join(" ")
    named = (names != "").to_numpy()
    if not named.any():
        raise NotApplicable(
            f"Recording {recording.id} has no trials that name a condition. Columns 'intervals' "
            "and 'condition' of the sheet choose the table and what distinguishes its rows."
        )
    trials = trials.assign(condition=names)[named].reset_index(drop=True)
    return trials, [("trial", int((~named).sum()), "no condition")]


def _responses(activity: WindowedActivity, timing: _Timing, config: PatternsConfig) -> _Responses:
    """One value a trial and unit."""
    response = activity.in_window(*timing.window_s)
    values = _stabilised(response.values, timing, seconds=timing.window_s[1] - timing.window_s[0])
    seen = response.seen
    if timing.baseline != "none":
        start, stop = timing.baseline_s
        before = activity.in_window(start, stop)
        resting = _stabilised(before.values, timing, seconds=stop - start)
        seen = seen & before.seen
        values = values - resting
        if timing.baseline == "zscore":
            resting = np.where(before.seen, resting, np.nan)
            spread = np.full(resting.shape[1], np.nan)
            known = before.seen.sum(axis=0) > 1
            spread[known] = np.nanstd(resting[:, known], axis=0, ddof=1)
            usable = np.isfinite(spread) & (spread > 0)
            values = values / np.where(usable, spread, 1.0)
            seen = seen & usable
    return _Responses(np.where(seen, values, 0.0), seen)


def _stabilised(
    values: NDArray[np.float64], timing: _Timing, *, seconds: float
) -> NDArray[np.float64]:
    """Rates with the square root or Anscombe's transform of their counts."""
    if timing.stabilise == "sqrt":
        root: NDArray[np.float64] = np.sqrt(values)
        return root
    if timing.stabilise == "anscombe":
        transformed: NDArray[np.float64] = 2 * np.sqrt(values * seconds + 3 / 8)
        return transformed
    return values


def _courses(
    activity: WindowedActivity, timing: _Timing, config: PatternsConfig
) -> NDArray[np.float64] | None:
    """Responses in successive bins, shape (trial, unit, time_bin); none where not asked for."""
    if config.time_bin_s == 0:
        return None
    width = config.time_bin_s
    middle = timing.bin_middle_s(config)
    bins = [activity.in_window(t - width / 2, t + width / 2) for t in middle]
    values = np.stack([np.where(one.seen, one.values, 0.0) for one in bins], axis=2)
    if config.smooth_s > 0:
        from scipy.ndimage import gaussian_filter1d

        values = gaussian_filter1d(values, config.smooth_s / width, axis=2, mode="nearest")
    return _stabilised(values, timing, seconds=width)


def _check_window(
    recording: Recording,
    activity: WindowedActivity,
    name: str,
    setting: str,
    window_s: tuple[float, float],
) -> None:
    """Refuse a window that holds no frame in many trials."""
    if not isinstance(recording.activity, SampledActivity):
        return
    length, interval = window_s[1] - window_s[0], 1 / recording.activity.rate_hz
    if length >= 2 * interval:
        return
    lost = float(1 - activity.in_window(*window_s).seen.any(axis=1).mean())
    if lost > MOST_TRIALS_LOST:
        raise NotApplicable(
            f"In {100 * lost:.0f} % of the trials of recording {recording.id} no frame lies in the "
            f"{name} window of {length:.3g} s, as frames are {interval:.3g} s apart. Set a "
            f"longer prepare.patterns.{setting}."
        )


def _kept_units(
    found: _Responses,
    activity: WindowedActivity,
    timing: _Timing,
    trials: pd.DataFrame,
    config: PatternsConfig,
) -> tuple[NDArray[np.bool_], list[tuple[str, int, str]]]:
    """Units with enough spikes, varying responses and the reliability asked for."""
    values = np.where(found.seen, found.values, np.nan)
    kept = np.ones(values.shape[1], dtype=bool)
    reasons: list[tuple[str, int, str]] = []

    def drop(bad: NDArray[np.bool_], reason: str) -> None:
        reasons.append(("unit", int((bad & kept).sum()), reason))
        kept[bad] = False

    drop(found.seen.sum(axis=0) == 0, "no trial in which it was recorded")
    if activity.counted:
        response = activity.in_window(*timing.window_s)
        seconds = timing.window_s[1] - timing.window_s[0]
        events = np.rint(np.where(response.seen, response.values, 0).sum(axis=0) * seconds)
        drop(events < config.min_events, f"fewer than {config.min_events} spikes in the windows")
    low, high = np.full(kept.size, np.nan), np.full(kept.size, np.nan)
    low[kept], high[kept] = np.nanmin(values[:, kept], axis=0), np.nanmax(values[:, kept], axis=0)
    drop(low == high, "the same response in all trials")
    if config.min_reliability > -1:
        reliability = _reliability(values, trials)
        drop(~(reliability >= config.min_reliability), "responses that do not repeat")
    return kept, reasons


def _reliability(values: NDArray[np.float64], trials: pd.DataFrame) -> NDArray[np.float64]:
    """Correlation of a unit's means over conditions between odd and even repeats; NaN if none."""
    odd = trials.groupby("condition").cumcount().to_numpy() % 2
    halves = [
        pd.DataFrame(values[odd == side])
        .groupby(trials["condition"].to_numpy()[odd == side])
        .mean()
        for side in (0, 1)
    ]
    shared = halves[0].index.intersection(halves[1].index)
    first, second = (half.loc[shared] for half in halves)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(first.corrwith(second), dtype=np.float64)


def _kept_trials(
    seen: NDArray[np.bool_], units: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], list[tuple[str, int, str]]]:
    """Trials in which most units were recorded."""
    share = seen[:, units].mean(axis=1) if units.any() else np.zeros(len(seen))
    kept = share >= 1 - MOST_UNITS_MISSING
    return kept, [("trial", int((~kept).sum()), "most units not recorded in the window")]


def _often_seen(
    seen: NDArray[np.bool_], units: NDArray[np.bool_], reasons: list[tuple[str, int, str]]
) -> NDArray[np.bool_]:
    """Units recorded in most of the trials that are kept; others are added to the reasons."""
    share = seen.mean(axis=0) if len(seen) else np.zeros(units.size)
    often = share >= 1 - MOST_TRIALS_MISSING
    reasons.append(("unit", int((units & ~often).sum()), "not recorded in many trials"))
    return often


def _folds(
    trials: pd.DataFrame, codes: NDArray[np.int64], config: PatternsConfig
) -> NDArray[np.int64]:
    """Number of the block of each trial: the column that is named, else repeats in order."""
    if not config.fold:
        return np.asarray(trials.groupby(codes).cumcount(), dtype=np.int64)
    if config.fold not in trials:
        raise NotApplicable(
            f"The trials have no column '{config.fold}' (prepare.patterns.fold); they have: "
            f"{', '.join(map(str, trials.columns))}."
        )
    numbers: NDArray[np.int64] = pd.factorize(trials[config.fold], sort=True)[0].astype(np.int64)
    if np.any(numbers < 0):
        raise NotApplicable(
            f"Column '{config.fold}' (prepare.patterns.fold) is empty for "
            f"{int((numbers < 0).sum())} trials; name one that is full."
        )
    return numbers


def _is_fixed(codes: NDArray[np.int64]) -> bool:
    """Whether nearly every trial follows the condition that usually comes before its own."""
    pairs = pd.DataFrame({"before": codes[:-1], "after": codes[1:]})
    counts = pairs.groupby(["after", "before"]).size()
    repeated = counts.groupby(level="after").sum() > 1
    if len(pd.unique(codes)) < 3 or not repeated.any():
        return False
    usual = counts.groupby(level="after").max()[repeated].sum()
    return bool(usual >= SAME_ORDER * counts.groupby(level="after").sum()[repeated].sum())


def _properties(trials: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    """Columns with one value in all trials of each condition, one row a condition."""
    first = trials.groupby("condition").first().reindex(labels).reset_index()
    names = [
        name
        for name in trials.columns
        if name not in ("start_s", "stop_s", "condition")
        and trials[name].notna().all()
        and trials.groupby("condition")[name].nunique().max() == 1
        and len(set(first[name])) > 1
    ]
    return first[["condition", *names]]


def _region(units: pd.DataFrame) -> NDArray[np.str_]:
    names = units["region"].fillna("").astype(str).to_numpy(dtype=str)
    return np.where(names == "", "all", names)


def _stratum(units: pd.DataFrame) -> NDArray[np.str_]:
    name = next((name for name in STRATUM_COLUMNS if name in units), None)
    if name is None:
        return np.full(len(units), "", dtype=np.str_)
    return units[name].fillna("").astype(str).to_numpy(dtype=str)


def _position(units: pd.DataFrame) -> NDArray[np.float64]:
    names = ("x_um", "y_um", "z_um")
    columns = [
        pd.to_numeric(units[name], errors="coerce").to_numpy(dtype=np.float64)
        if name in units
        else np.full(len(units), np.nan)
        for name in names
    ]
    return np.stack(columns, axis=1)


def _value_unit(activity: WindowedActivity, timing: _Timing) -> str:
    """Unit of the responses in words."""
    unit = {"none": activity.value_unit, "sqrt": f"sqrt({activity.value_unit})"}.get(
        timing.stabilise, "stabilised count"
    )
    return "baseline SD" if timing.baseline == "zscore" else unit


def _unused(units: pd.DataFrame) -> list[tuple[str, int, str]]:
    bad = units.loc[~units["good"].to_numpy(dtype=bool), "reason"].astype(str)
    return [("unit", int(n), str(why)) for why, n in bad.value_counts().sort_index().items()]


def _left_out(rows: list[tuple[str, int, str]]) -> pd.DataFrame:
    """What was not used and why; reasons that hit nothing are left out."""
    rows = [row for row in rows if row[1]]
    return pd.DataFrame(
        {
            "what": pd.Series([row[0] for row in rows], dtype="str"),
            "count": np.array([row[1] for row in rows], dtype=np.int64),
            "reason": pd.Series([row[2] for row in rows], dtype="str"),
        }
    )


def _in_words(rows: list[tuple[str, int, str]]) -> str:
    return ", ".join(f"{n} {what}s: {why}" for what, n, why in rows if n) or "none is left"
