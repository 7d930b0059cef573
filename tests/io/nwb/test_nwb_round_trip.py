"""A recording written as NWB and read again is the same, but for what NWB cannot hold."""

import dataclasses
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from pipeline.core.recording import UNIT_COLUMNS, SampledActivity, StimulusImages, StimulusMovie
from pipeline.io.nwb.units import REGION_COLUMNS
from pipeline.io.nwb.write import write_recording
from tests.support import small_recordings
from tests.support.nwb_factory import read
from tests.support.random_recordings import recordings
from tests.support.records import assert_same

SHORT = settings(max_examples=30, derandomize=True, deadline=None, database=None)
LONG = settings(SHORT, max_examples=100)


def read_back(recording):
    """The recording after a journey through a file, and the notes of its reader."""
    units = recording.units
    further = set(units) - set(UNIT_COLUMNS)
    has_regions = (units["region"] != "").any() or set(REGION_COLUMNS) & further
    events = getattr(recording.activity, "signal", "") == "events"
    with tempfile.TemporaryDirectory() as folder:
        write_recording(Path(folder) / "day1.nwb", recording)
        return read(
            Path(folder) / "day1.nwb",
            region="region" if has_regions else "",
            identity="identity" if (units["identity"] != "").any() else "",
            series="Events" if events else "",
        )


def comparable(recording):
    """The recording without what belongs to its file alone; columns in one order.

    Samples that are missing mean nothing, zero has no sign (a reader adds the offset, 0), and the
    file's own path and version are not compared.
    """
    activity = recording.activity
    if isinstance(activity, SampledActivity):
        values = np.where(activity.valid, activity.values, np.float32(np.nan)) + np.float32(0)
        activity = dataclasses.replace(activity, values=values)
    return dataclasses.replace(
        recording,
        activity=activity,
        units=in_order(recording.units),
        trials=in_order(recording.trials),
        epochs=in_order(recording.epochs),
        intervals={name: in_order(table) for name, table in recording.intervals.items()},
        about=dataclasses.replace(recording.about, nwb_version="", source_series=""),
    )


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its columns by name: their order is no content."""
    return table[sorted(table.columns)]


def check_round_trip(recording):
    back, _ = read_back(recording)
    assert_same(comparable(back), comparable(recording))


@SHORT
@given(recordings())
def test_any_recording_comes_back_equal(recording):
    check_round_trip(recording)


@pytest.mark.slow
@LONG
@given(recordings())
def test_many_recordings_come_back_equal(recording):
    check_round_trip(recording)


def units_with(recording, **columns):
    return dataclasses.replace(recording, units=recording.units.assign(**columns))


def about_with(recording, **told):
    return dataclasses.replace(recording, about=dataclasses.replace(recording.about, **told))


def activity_with(recording, **fields):
    return dataclasses.replace(
        recording, activity=dataclasses.replace(recording.activity, **fields)
    )


def with_nothing_in(recording, name):
    """The recording with a table of intervals that has a column, but no rows."""
    table = pd.DataFrame({"start_s": [1.0], "stop_s": [2.0], "side": [1]})[:0]
    return dataclasses.replace(recording, intervals={**recording.intervals, name: table})


def without_frames(recording):
    nothing = StimulusMovie(
        values=np.zeros((0, 2, 2), dtype=np.float32), time=np.zeros(0), value_unit="lux"
    )
    return dataclasses.replace(recording, stimuli={"noise": nothing})


def with_images(recording, *, value_unit):
    images = StimulusImages(
        values=np.arange(12, dtype=np.float32).reshape(3, 2, 2, 1),
        shown=np.array([2, 0, 2]),
        time=np.arange(3.0),
        value_unit=value_unit,
    )
    return dataclasses.replace(recording, stimuli={"scenes": images})


def with_other_trials(recording):
    """Licks are the trials, though the file had trials of its own."""
    licks = pd.DataFrame({"start_s": [1.0], "stop_s": [2.0], "condition": ["lick"]})
    licks = licks.astype({"condition": "str"})
    own = licks.assign(start_s=3.0, stop_s=4.0, condition="own").astype({"condition": "str"})
    return dataclasses.replace(recording, trials=licks, intervals={"trials": own, "licks": licks})


LOSSES = {
    "ids that are not whole numbers": (
        lambda one: units_with(one, unit_id=pd.Series(["a", "b", "007"], dtype="str")),
        lambda one: units_with(
            one,
            unit_id=pd.Series(["0", "1", "2"], dtype="str"),
            unit_id_in_file=pd.Series(["a", "b", "007"], dtype="str"),
        ),
    ),
    "grades": (
        lambda one: units_with(
            one,
            good=[True, False, True],
            reason=pd.Series(["", "constant", ""], dtype="str"),
        ),
        lambda one: one,
    ),
    "text that is missing": (
        lambda one: units_with(one, layer=pd.Series(["L2", None, "L4"], dtype="str")),
        lambda one: units_with(one, layer=pd.Series(["L2", "", "L4"], dtype="str")),
    ),
    "whole numbers that are missing": (
        lambda one: units_with(one, cluster=pd.array([1, None, 3], dtype="Int64")),
        lambda one: units_with(one, cluster=[1.0, np.nan, 3.0]),
    ),
    "truth values that are missing": (
        lambda one: units_with(one, curated=pd.array([True, None, False], dtype="boolean")),
        lambda one: units_with(one, curated=[1.0, np.nan, 0.0]),
    ),
    "tables without rows": (lambda one: with_nothing_in(one, "licks"), lambda one: one),
    "movies without frames": (without_frames, lambda one: one),
    "trials beside the trials": (
        with_other_trials,
        lambda one: dataclasses.replace(
            with_other_trials(one),
            intervals={name: with_other_trials(one).trials for name in ("trials", "licks")},
        ),
    ),
    "an empty description": (
        lambda one: about_with(one, description=""),
        lambda one: about_with(one, description="Recording r1."),
    ),
    "a start that is not known": (
        lambda one: about_with(one, session_start=""),
        lambda one: about_with(one, session_start="1970-01-01T00:00:00+00:00"),
    ),
    "a start without time zone": (
        lambda one: about_with(one, session_start="2024-05-06T12:00:00"),
        lambda one: about_with(one, session_start="2024-05-06T12:00:00+00:00"),
    ),
    "an empty unit": (
        lambda one: activity_with(one, value_unit=""),
        lambda one: activity_with(one, value_unit="n.a."),
    ),
    "the unit of images shown by number": (
        lambda one: with_images(one, value_unit="lux"),
        lambda one: with_images(one, value_unit=""),
    ),
    "the indicator of spikes": (
        lambda one: probed(indicator="GCaMP6f"),
        lambda one: probed(),
    ),
}
"""What NWB cannot hold: a recording with it, and what comes back. Ids, provenance and missing
samples are left out of every comparison here."""


def plain_one(make=small_recordings.calcium, **told):
    """Three units of nothing special, with all that the format demands."""
    told = {
        "device": "Microscope",
        "description": "A test.",
        "nwb_identifier": "r1",
        "session_start": "2024-05-06T12:00:00+00:00",
        **told,
    }
    numbered = units_with(make(), unit_id=pd.Series(["0", "1", "2"], dtype="str"))
    return about_with(numbered, **told)


def imaged(**told):
    return plain_one(indicator="GCaMP6f", **told)


def probed(**told):
    return plain_one(small_recordings.spikes, **told)


@pytest.mark.parametrize("what", sorted(LOSSES))
def test_what_nwb_cannot_hold_is_all_that_is_lost(what):
    make, expected = LOSSES[what]
    back, _ = read_back(make(imaged()))
    told = expected(imaged())
    told = dataclasses.replace(told, id=back.id, provenance=back.provenance)
    assert_same(comparable(back), comparable(told))


def test_an_identifier_is_made_where_there_is_none():
    first, second = (read_back(imaged(nwb_identifier=""))[0] for _ in range(2))
    assert first.about.nwb_identifier
    assert first.about.nwb_identifier != second.about.nwb_identifier


def test_a_column_whose_name_looks_like_an_index_is_a_column():
    recording = units_with(imaged(), trial=[1, 2, 3], trial_index=[7, 8, 9])
    units = read_back(recording)[0].units
    assert list(units["trial"]) == [1, 2, 3]
    assert list(units["trial_index"]) == [7, 8, 9]


def test_a_region_stays_empty_beside_a_column_that_could_name_it():
    recording = units_with(imaged(), brain_area=pd.Series(["V1", "V1", "LM"], dtype="str"))
    units = read_back(recording)[0].units
    assert list(units["region"]) == ["", "", ""]
    assert list(units["brain_area"]) == ["V1", "V1", "LM"]


def test_names_that_the_format_does_not_allow_are_refused(tmp_path):
    recording = without_frames(imaged())
    renamed = dataclasses.replace(recording, stimuli={"a/b": recording.stimuli["noise"]})
    with pytest.raises(ValueError, match="a/b"):
        write_recording(tmp_path / "day1.nwb", renamed)
    assert list(tmp_path.iterdir()) == []
