"""Grades of units: which should not be used, and why."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

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
    return [
        _trace_reason(activity.values[:, unit], activity.valid[:, unit])
        for unit in range(activity.n_units)
    ]


def _trace_reason(values: NDArray[np.float32], valid: NDArray[np.bool_]) -> str:
    missing = 1.0 - valid.mean()
    if not valid.any():
        return "no valid samples"
    if missing > MAX_MISSING:
        return f"{missing:.0%} of the samples are missing"
    present = values[valid]
    if present.min() == present.max():
        return "constant trace"
    return ""


def _spike_reasons(activity: SpikeTrains) -> list[str]:
    return ["" if count else "no spikes" for count in activity.n_spikes]
