"""Numbers that tell good traces from bad ones.

One pass over all samples, in blocks along time. Counts, moments, maxima and identity are exact.
Quantiles (of samples, of steps between neighbours, of baselines) and rises come from stretches that
are kept on the way, which are all of a recording up to 33 million samples. Memory does not grow
with the length of the recording.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.core.recording import SampledActivity
from pipeline.prepare.quality.gathering import Gathering
from pipeline.prepare.quality.measured import Measured
from pipeline.prepare.quality.sample import (
    GAUSSIAN_STEP,
    TENTHS,
    Sample,
    noise_sd,
    plateau_at_top,
    rises,
    sorted_quantiles,
    tenths_baselines,
)

RISE = 4.0
"""Noise above the median from which a sample counts as activity."""
CHANCE_OF_RISE = 3.2e-5
"""Share of Gaussian samples above :data:`RISE`."""
QUIET_SNR = 3.0
"""Signal to noise below which a trace without rises holds nothing but noise, which has 2.3."""
LOST = 0.3
"""Share of the baseline whose loss is remarked on as bleaching..."""
LOST_BY_MOST = 0.1
"""...if this is the loss of the median unit: bleaching spares none, activity changes singly."""
STEADY = 0.9
"""Rank correlation of the tenths' baselines with time from which a change is steady."""
DRIFTED = 0.6
"""Share of a trace's range from which steady change of its baseline is remarked on."""
ABOVE_NOISE = 5.0
"""Noise by which a baseline must lie above 0 for its loss to have a meaning."""
CUT_OFF = 0.01
"""Share of samples at the maximum from which a trace is remarked on as cut off."""
LEAST_SAMPLES = 100
"""Valid samples without which noise, baselines and maxima say nothing."""
RATIO = 0.5
"""Median from which traces called dF/F are ratios to a baseline, which can be lost."""


def measure_traces(activity: SampledActivity, gathered: Gathering | None = None) -> Measured:
    """Quality of each trace.

    Parameters
    ----------
    activity
        Values and their validity, in memory or readable in blocks along time.
    gathered
        What was gathered of all samples already; they are read where it is missing.
    """
    whole = gathered if gathered is not None else Gathering.of(activity)
    sample, running = whole.sample, whole.running
    known = running.varies() & (running.count >= LEAST_SAMPLES)
    median, low, high, plateau = _levels(sample)
    inferred = activity.signal == "events"
    noise = np.zeros(median.size) if inferred else noise_sd(sample)
    rest = np.zeros(median.size) if inferred else median
    events, looked_at = rises(sample, low=rest, high=rest + RISE * noise)
    noise = _where(known & (noise > 0), noise)
    rate = _where(known, events) * activity.rate_hz / np.maximum(looked_at, 1)
    tenths = tenths_baselines(sample)
    first, last = _ends(tenths)
    steadiness = _steadiness(tenths)
    least = np.min(np.where(np.isnan(tenths), np.inf, tenths), axis=1)
    positive = (least > 0) & (first >= ABOVE_NOISE * noise)
    numbers = {
        "missing": 1.0 - running.count / activity.time.size,
        "noise": noise,
        "noise_per_sqrt_hz": 100 * noise * GAUSSIAN_STEP / np.sqrt(activity.rate_hz),
        "snr": (high - median) / noise,
        "skew": running.skewness(),
        "event_rate_hz": rate if inferred else _where(noise > 0, rate),
        "baseline_loss": 1.0 - last / _where(positive, first),
        "drift": (last - first) / _where(known & (high > low), high - low),
        "at_maximum": _where(known, running.at_maximum) / np.maximum(running.count, 1),
    }
    not_assessed = _not_assessed(activity.signal, median, positive)
    for name in not_assessed:
        numbers[name] = np.full(median.size, np.nan)
    loss = numbers["baseline_loss"]
    common = np.isfinite(loss).any() and np.nanmedian(loss) >= LOST_BY_MOST
    return Measured(
        numbers=numbers,
        findings={
            "empty": running.count == 0,
            "constant": (running.count > 0) & ~running.varies(),
            "cut off": (numbers["at_maximum"] >= CUT_OFF) & plateau,
            "bleached": (loss >= LOST) & (steadiness <= -STEADY) & common,
            "drifted": (np.abs(numbers["drift"]) >= DRIFTED) & (np.abs(steadiness) >= STEADY),
            "quiet": (numbers["snr"] < QUIET_SNR) & (events <= 2 + 3 * CHANCE_OF_RISE * looked_at),
        },
        identical=running.identical(),
        not_assessed=not_assessed,
    )


def _levels(
    sample: Sample,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Median, 5th and 99th percentile, and whether there is a plateau on top, of each unit."""
    found = np.full((3, len(sample.values)), np.nan)
    plateau = np.zeros(len(sample.values), dtype=bool)
    for units, values in sample.units():
        ordered = np.sort(values, axis=1)
        found[:, units] = sorted_quantiles(ordered, (0.5, 0.05, 0.99))
        plateau[units] = plateau_at_top(ordered)
    return found[0], found[1], found[2], plateau


def _ends(tenths: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Baseline of the first and of the last tenth in which a unit was measured."""
    there = ~np.isnan(tenths)
    rows = np.arange(len(tenths))
    first = tenths[rows, there.argmax(axis=1)]
    last = tenths[rows, TENTHS - 1 - there[:, ::-1].argmax(axis=1)]
    return first, last


def _steadiness(tenths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rank correlation of the baselines with time; 0 where fewer than half of them are known."""
    known = ~np.isnan(tenths)
    ranks = np.argsort(np.argsort(tenths, axis=1), axis=1).astype(float)  # NaN come last
    ranks = np.where(known, ranks, 0.0)
    order = np.where(known, np.cumsum(known, axis=1) - 1.0, 0.0)
    middle = np.where(known, (known.sum(axis=1, keepdims=True) - 1) / 2, 0.0)
    ranks, order = ranks - middle, order - middle
    spread = np.sum(order**2, axis=1)
    found: NDArray[np.float64] = np.where(
        known.sum(axis=1) >= TENTHS // 2, np.sum(ranks * order, axis=1) / np.maximum(spread, 1), 0.0
    )
    return found


def _not_assessed(
    signal: str, median: NDArray[np.float64], positive: NDArray[np.bool_]
) -> dict[str, str]:
    """Measures that mean nothing for this kind of signal, and why."""
    if signal == "events":
        reason = "inferred events have no noise and no baseline of their own"
        names = ("noise", "noise_per_sqrt_hz", "snr", "baseline_loss", "drift", "at_maximum")
        return dict.fromkeys(names, reason)
    reasons = {}
    if signal == "fluorescence":
        reasons["noise_per_sqrt_hz"] = "it is defined for dF/F, and these are not"
    known = median[np.isfinite(median)]
    if signal == "dff" and known.size and np.median(known) < RATIO:
        reasons["baseline_loss"] = "dF/F about 0 has no baseline that could be lost"
    elif not positive.any():
        reasons["baseline_loss"] = "no trace has a baseline well above 0"
    return reasons


def _where(chosen: NDArray[np.bool_], numbers: NDArray[np.generic]) -> NDArray[np.float64]:
    """The numbers that are chosen, NaN in place of the others."""
    return np.where(chosen, numbers, np.nan).astype(np.float64)
