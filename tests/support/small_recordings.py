"""Recordings of a few units in memory, for what reads records and not files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.core.provenance import Provenance
from pipeline.core.recording import About, Recording, SampledActivity, SpikeTrains
from pipeline.core.rng import stream


def sampled(values, *, valid=None, rate_hz=1.0, time=None) -> SampledActivity:
    """Sampled activity from values of shape (time, unit)."""
    values = np.asarray(values, dtype=np.float32)
    return SampledActivity(
        values=values,
        valid=np.ones(values.shape, dtype=bool) if valid is None else valid,
        time=np.arange(len(values)) / rate_hz if time is None else np.asarray(time, dtype=float),
        value_unit="dF/F",
        signal="dff",
    )


def trains(units: Sequence[Sequence[float]], *, observed) -> SpikeTrains:
    """Spike trains from one list of times a unit."""
    return SpikeTrains(
        times=np.concatenate([np.asarray(times, dtype=float) for times in units]),
        starts=np.concatenate([[0], np.cumsum([len(times) for times in units])]).astype(np.int64),
        observed=np.asarray(observed, dtype=float),
    )


def intervals(rows, column: str) -> pd.DataFrame:
    """A table of intervals from (start, stop, name)."""
    return pd.DataFrame(
        {
            "start_s": np.array([row[0] for row in rows], dtype=float),
            "stop_s": np.array([row[1] for row in rows], dtype=float),
            column: pd.Series([row[2] for row in rows], dtype="str"),
        }
    )


def unit_table(n_units: int, *, unused: int = 0) -> pd.DataFrame:
    """Units of which the last ``unused`` are not used."""
    good = np.arange(n_units) < n_units - unused
    return pd.DataFrame(
        {
            "unit_id": [f"u{i}" for i in range(n_units)],
            "region": pd.Series([""] * n_units, dtype="str"),
            "identity": pd.Series([""] * n_units, dtype="str"),
            "identity_certain": np.zeros(n_units, dtype=bool),
            "good": good,
            "reason": ["" if each else "few valid samples" for each in good],
        }
    )


def recording(activity, *, unused=0, epochs=None, trials=None, name="r1", subject="m1"):
    """A recording around some activity."""
    return Recording(
        id=name,
        activity=activity,
        units=unit_table(activity.n_units, unused=unused),
        trials=intervals([], "condition") if trials is None else trials,
        epochs=intervals([], "label") if epochs is None else epochs,
        intervals={},
        stimuli={},
        behaviour={},
        about=About(subject=subject),
        provenance=Provenance(stage="ingest", experiment="e", package_version="0", code_digest=""),
    )


def calcium(n_units: int = 3, **fields) -> Recording:
    """Ten seconds of noise at 10 Hz."""
    return recording(
        sampled(stream(0, "calcium").standard_normal((100, n_units)), rate_hz=10.0), **fields
    )


def spikes(n_units: int = 3, **fields) -> Recording:
    """Twenty seconds of random spikes at about 5 Hz."""
    rng = stream(0, "spikes")
    units = [np.sort(rng.uniform(0, 20, 100)) for _ in range(n_units)]
    return recording(trains(units, observed=[(0.0, 20.0)]), **fields)
