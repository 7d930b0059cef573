"""Records of recordings and views refuse what cannot be true."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline.core.recording import SampledActivity, SpikeTrains
from pipeline.core.views import TraceEnsemble
from tests.support.records import calcium, provenance, spikes


def sampled(**changes: object) -> SampledActivity:
    activity = calcium(n_samples=4, n_units=2).activity
    assert isinstance(activity, SampledActivity)
    return replace(activity, **changes)  # type: ignore[arg-type]


def trains(**changes: object) -> SpikeTrains:
    activity = spikes().activity
    assert isinstance(activity, SpikeTrains)
    return replace(activity, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"time": np.array([0.0, 1.0, 1.0, 2.0])}, "Sample times do not increase"),
        ({"time": np.array([0.0, np.nan, 1.0, 2.0])}, "Sample times do not increase"),
        ({"time": np.arange(3.0)}, "'time' has 3 entries along 'time', but 'values' has 4"),
        ({"valid": np.ones((4, 3), dtype=bool)}, "'valid' has 3 entries along 'unit'"),
        ({"values": np.zeros(4, dtype=np.float32)}, "'values' has 1 axes, expected 2"),
        ({"signal": "smell"}, "Unknown kind of signal 'smell'"),
    ],
)
def test_impossible_samples_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sampled(**changes)


def test_a_single_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="1 samples; a recording needs at least 2"):
        sampled(
            values=np.zeros((1, 2), dtype=np.float32),
            valid=np.ones((1, 2), dtype=bool),
            time=np.zeros(1),
        )


def test_samples_tell_their_rate_and_span() -> None:
    activity = sampled(time=np.array([1.0, 1.5, 2.0, 9.0]))

    assert (activity.rate_hz, activity.span_s, activity.n_units) == (2.0, (1.0, 9.0), 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"starts": np.array([0, 3])}, "Starts of units do not cover the spike times"),
        ({"starts": np.array([1, 4])}, "Starts of units do not cover the spike times"),
        ({"starts": np.zeros(0, dtype=np.int64)}, "Starts of units do not cover"),
        ({"starts": np.array([0, 4, 3, 4])}, "Starts of units decrease"),
        ({"starts": np.array([0, 4])}, "Spike times of a unit are not sorted"),
        ({"observed": np.array([[1.0, 0.0]])}, "Observed intervals need a start and a later stop"),
        ({"observed": np.zeros((1, 3))}, "Observed intervals need a start and a later stop"),
    ],
)
def test_impossible_spike_trains_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trains(**changes)


def test_spikes_belong_to_their_units() -> None:
    activity = trains()

    assert activity.n_spikes.tolist() == [3, 0, 1]
    assert [activity.of_unit(i).tolist() for i in range(3)] == [[0.1, 0.25, 0.3], [], [0.05]]
    assert activity.span_s == (0.0, 3.5)


def test_units_without_any_spike_are_a_recording() -> None:
    silent = trains(times=np.zeros(0), starts=np.zeros(4, dtype=np.int64))

    assert silent.n_spikes.tolist() == [0, 0, 0]


def test_a_recording_needs_a_row_for_every_unit() -> None:
    recording = calcium()

    with pytest.raises(ValueError, match="5 units have activity, but the unit table has 4 rows"):
        replace(recording, units=recording.units.iloc[:4])


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "ä", "a" * 65, "a\n"])
def test_an_id_that_cannot_be_a_folder_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="characters that are not allowed"):
        replace(calcium(), id=name)


@pytest.mark.parametrize("table", ["trials", "epochs", "units"])
def test_a_table_without_its_columns_is_refused(table: str) -> None:
    with pytest.raises(ValueError, match=f"Recording: table '{table}' lacks the columns"):
        replace(calcium(), **{table: pd.DataFrame({"start_s": [0.0]})})


def test_the_kind_follows_the_activity() -> None:
    assert (calcium().kind, spikes().kind) == ("calcium", "spikes")


def view(**changes: object) -> TraceEnsemble:
    parts: dict[str, object] = {
        "recording": "a",
        "time": np.arange(3.0),
        "values": np.zeros((3, 2), dtype=np.float32),
        "valid": np.ones((3, 2), dtype=bool),
        "unit": np.array(["a", "b"]),
        "identity": np.array(["", "AVAL"]),
        "epochs": calcium().epochs,
        "left_out": pd.DataFrame({"what": [], "count": [], "reason": []}),
        "rate_hz": 1.0,
        "signal": "dff",
        "value_unit": "dF/F",
        "provenance": provenance(),
    }
    return TraceEnsemble(**{**parts, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"time": np.array([0.0, 2.0, 1.0])}, "Times of the view do not increase"),
        ({"unit": np.array(["a"])}, "'unit' has 1 entries along 'unit', but 'values' has 2"),
        ({"left_out": pd.DataFrame({"what": []})}, "table 'left_out' lacks the columns"),
    ],
)
def test_impossible_views_are_refused(changes: dict[str, object], message: str) -> None:
    assert view().time.size == 3
    with pytest.raises(ValueError, match=message):
        view(**changes)


OWN = {
    "unit_observed": np.array([[0.0, 1.0], [2.0, 3.0], [0.0, 0.5]]),
    "unit_observed_starts": np.array([0, 2, 2, 3]),
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unit_observed_starts": None}, "need their starts"),
        ({"unit_observed_starts": np.array([0, 2, 1, 3])}, "do not cover"),
        ({"unit_observed_starts": np.array([0, 2, 2, 4])}, "do not cover"),
        ({"unit_observed_starts": np.array([0, 3])}, "'unit_observed_starts' has 2 entries"),
        ({"unit_observed": np.array([[1.0, 0.0], [2.0, 3.0], [0.0, 1.0]])}, "a later stop"),
    ],
)
def test_impossible_stretches_of_units_are_refused(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        trains(**{**OWN, **changes})


def test_a_unit_that_was_never_seen_has_no_rate() -> None:
    activity = trains(**OWN)

    np.testing.assert_array_equal(activity.observed_of(0), [[0.0, 1.0], [2.0, 3.0]])
    np.testing.assert_array_equal(activity.observed_s, [2.0, 0.0, 0.5])
    np.testing.assert_array_equal(activity.rates_hz, [1.5, np.nan, 2.0])
    np.testing.assert_array_equal(trains().rates_hz, [3 / 2.5, 0.0, 1 / 2.5])
