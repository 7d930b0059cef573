"""Grades of units: which should not be used, and why."""

from __future__ import annotations

import dataclasses

import numpy as np

from pipeline.core.recording import Recording, SampledActivity, SpikeTrains

MAX_MISSING = 0.5
"""A unit with a larger share of missing samples is not used."""


def grade_units(recording: Recording) -> Recording:
    """The recording with units that should not be used marked, each with its reason.

    Units are never dropped and no number is changed; a unit that was already marked keeps its
    reason.
    """
    reasons = (
        _trace_reasons(recording.activity)
        if isinstance(recording.activity, SampledActivity)
        else _spike_reasons(recording.activity)
    )
    units = recording.units.copy()
    known = list(units["reason"])
    graded = [old or new for old, new in zip(known, reasons, strict=True)]
    units["good"] = [
        bool(good) and not new for good, new in zip(units["good"], reasons, strict=True)
    ]
    units["reason"] = units["reason"].astype("str").where(units["reason"] != "", graded)
    return dataclasses.replace(recording, units=units)


def _trace_reasons(activity: SampledActivity) -> list[str]:
    n_valid = np.zeros(activity.n_units, dtype=np.int64)
    least = np.full(activity.n_units, np.inf, dtype=np.float32)
    most = -least
    for _, values, valid in activity.stretches():
        n_valid += np.count_nonzero(valid, axis=0)
        np.minimum(least, values.min(axis=0, initial=np.inf, where=valid), out=least)
        np.maximum(most, values.max(axis=0, initial=-np.inf, where=valid), out=most)
    missing = 1.0 - n_valid / activity.time.size
    return [
        _trace_reason(share, constant=constant)
        for share, constant in zip(missing.tolist(), (least == most).tolist(), strict=True)
    ]


def _trace_reason(missing: float, *, constant: bool) -> str:
    if missing == 1.0:
        return "no valid samples"
    if missing > MAX_MISSING:
        return f"{missing:.0%} of the samples are missing"
    return "constant trace" if constant else ""


def _spike_reasons(activity: SpikeTrains) -> list[str]:
    return ["" if count else "no spikes" for count in activity.n_spikes]
