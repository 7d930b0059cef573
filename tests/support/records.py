"""Recordings of both kinds and a comparison of records, for tests of what stores them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline.core.provenance import Provenance
from pipeline.core.recording import (
    About,
    BehaviourSeries,
    Recording,
    SampledActivity,
    SpikeTrains,
    StimulusMovie,
)
from pipeline.core.rng import stream


def provenance() -> Provenance:
    return Provenance(
        stage="ingest",
        experiment="worms",
        package_version="0.1.0",
        code_digest="c0de",
        settings={"series": "", "condition": ["side", "contrast"], "limit": 0.5, "none": None},
        inputs={"raw/wörm 1.nwb": "ab" * 32},
        libraries={"numpy": "2.4"},
    )


def empty_intervals() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "start_s": pd.Series(dtype=float),
            "stop_s": pd.Series(dtype=float),
            "condition": pd.Series(dtype="str"),
            "label": pd.Series(dtype="str"),
        }
    )


def units(n_units: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "unit_id": [f"unit {i} µ神" for i in range(n_units)],
            "region": [None if i % 3 == 1 else "VISp" for i in range(n_units)],
            "identity": ["" for _ in range(n_units)],
            "identity_certain": np.zeros(n_units, dtype=bool),
            "good": [i != 1 for i in range(n_units)],
            "reason": ["" if i != 1 else "no\tspikes\n" for i in range(n_units)],
            "x_um": [float("nan") if i == 0 else i / 3 for i in range(n_units)],
            "cluster": pd.array([None if i == 2 else i for i in range(n_units)], dtype="Int64"),
            "curated": pd.array(
                [None if i == 0 else True for i in range(n_units)], dtype="boolean"
            ),
        }
    )


def calcium(n_samples: int = 40, n_units: int = 5) -> Recording:
    rng = stream(1, "calcium")
    trials = pd.DataFrame(
        {"start_s": [0.5, 1.0], "stop_s": [1.0, 1.5], "condition": ["left", None], "n": [1, 2]}
    )
    return Recording(
        id="worm-1",
        activity=SampledActivity(
            values=rng.normal(size=(n_samples, n_units)).astype(np.float32),
            valid=rng.random((n_samples, n_units)) > 0.1,
            time=0.1 + np.arange(n_samples) / 3,
            value_unit="dF/F",
            signal="dff",
        ),
        units=units(n_units),
        trials=trials,
        epochs=empty_intervals(),
        intervals={"trials": trials, "a/b %2F;": empty_intervals(), "..": trials, "": trials},
        stimuli={
            "movie ä": StimulusMovie(
                values=rng.random((6, 4, 3)).astype(np.float32),
                time=np.arange(6) / 7,
                value_unit="cd/m2",
            ),
            "other": StimulusMovie(
                values=np.zeros((0, 4, 3), dtype=np.float32), time=np.zeros(0), value_unit=""
            ),
        },
        behaviour={
            "running": BehaviourSeries(
                values=np.array([[np.nan], [-0.0]]), time=np.array([0.0, 1.0]), value_unit="cm/s"
            )
        },
        about=About(subject="μ-7", species="C. elegans"),
        provenance=provenance(),
    )


def spikes() -> Recording:
    return Recording(
        id="mouse_2",
        activity=SpikeTrains(
            times=np.array([0.1, 0.25, 0.3, 0.05]),
            starts=np.array([0, 3, 3, 4]),
            observed=np.array([[0.0, 1.0], [2.0, 3.5]]),
        ),
        units=units(3),
        trials=empty_intervals(),
        epochs=empty_intervals(),
        intervals={},
        stimuli={},
        behaviour={},
        about=About(),
        provenance=provenance(),
    )


def assert_same(found: object, expected: object, place: str = "") -> None:
    """Refuse unless both are the same in types, shapes and every bit of their numbers."""
    assert type(found) is type(expected), place
    if dataclasses.is_dataclass(expected):
        for field in dataclasses.fields(expected):
            name = field.name
            assert_same(getattr(found, name), getattr(expected, name), f"{place}.{name}")
    elif isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected, check_exact=True, obj=place)
    elif isinstance(expected, np.ndarray):
        assert found.shape == expected.shape, place
        if expected.dtype.kind == "U":
            assert found.tolist() == expected.tolist(), place
        else:
            assert found.dtype == expected.dtype, place
            assert found.tobytes() == expected.tobytes(), place
    elif isinstance(expected, Mapping):
        assert set(found) == set(expected), place
        for key, value in expected.items():
            assert_same(found[key], value, f"{place}[{key!r}]")
    elif isinstance(expected, tuple | list):
        assert len(found) == len(expected), place
        for index, value in enumerate(expected):
            assert_same(found[index], value, f"{place}[{index}]")
    elif isinstance(expected, float):
        assert np.float64(found).tobytes() == np.float64(expected).tobytes(), place
    else:
        assert found == expected, place
