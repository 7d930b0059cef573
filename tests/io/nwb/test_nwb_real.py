"""What the notes beside the real recordings say, found again by reading them."""

import csv
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from pipeline.io.nwb.inspect import describe, inspect_file
from pipeline.prepare.config import QualityConfig
from pipeline.prepare.quality.grade import grade_units
from tests.support.nwb_factory import read, texts

DATA = Path(__file__).resolve().parents[3] / ".." / "shared" / "data" / "real"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.exists(), reason=f"no real recordings in {DATA.resolve()}"),
]
WORMS = ("w2022-07-26-31", "w2022-07-26-38", "w2022-07-27-31", "w2022-07-27-38")


@cache
def sheet():
    with (DATA / "recordings.tsv").open(newline="") as stream:
        return {row["recording"]: row for row in csv.DictReader(stream, delimiter="\t")}


@cache
def recording_of(name):
    """Recording and notes, read as its sheet line says."""
    row = {key: value or "" for key, value in sheet()[name].items()}
    return read(
        DATA / row["nwb"],
        activity=row["activity"],
        intervals=row["intervals"],
        condition=tuple(filter(None, row["condition"].split("+"))),
        region=row["region"],
        identity=row["identity"],
    )


@pytest.mark.parametrize(
    ("name", "shape", "duration", "named", "without_doubt", "n_reversals", "labels"),
    [
        ("w2022-07-26-31", (800, 146), 480.7, 100, 99, 34, ["on_food"]),
        ("w2022-07-26-38", (800, 141), 480.6, 87, 87, 29, ["on_food"]),
        ("w2022-07-27-31", (800, 145), 480.6, 104, 100, 20, ["on_food"]),
        ("w2022-07-27-38", (800, 135), 480.6, 94, 88, 30, ["on_food"]),
        ("w2022-01-16-01", (799, 130), 588.7, 0, 0, 38, ["off_food", "on_food"]),
    ],
)
def test_worms(name, shape, duration, named, without_doubt, n_reversals, labels):
    recording, notes = recording_of(name)
    activity = recording.activity
    assert activity.values.shape == shape
    assert activity.valid.all()
    assert recording.about.source_series == "/processing/ophys/DfOverF/DfOverF"
    assert "F over its mean" in texts(notes, "warn")
    np.testing.assert_allclose(activity.values.mean(axis=0), 1.0, atol=1e-3)
    assert activity.span_s == (0.0, pytest.approx(duration, abs=0.05))
    assert (recording.units["identity"] != "").sum() == named
    written = recording.units.get("neuron", recording.units["identity"])
    assert ((written != "") & ~written.str.endswith("?")).sum() == without_doubt
    assert len(recording.intervals["reversals"]) == n_reversals
    assert list(recording.epochs["label"]) == labels
    assert set(recording.units["region"]) == {"head ganglia"}
    assert {"velocity", "head_angle", "body_angle"} <= set(recording.behaviour)
    assert recording.behaviour["body_angle"].values.shape == (shape[0], 30)


def test_reversals_are_the_trials_of_the_named_worms():
    for name in WORMS:
        trials = recording_of(name)[0].trials
        assert set(trials["condition"]) == {"reversals"}
        assert (trials["stop_s"] > trials["start_s"]).all()


def test_sampling_of_the_worms_is_irregular_as_told():
    expected = {"w2022-07-26-31": (0.600, 0.557, 0.661), "w2022-01-16-01": (0.737, 0.663, 0.805)}
    for name, (middle, least, most) in expected.items():
        steps = np.diff(recording_of(name)[0].activity.time)
        np.testing.assert_allclose(
            [np.median(steps), steps.min(), steps.max()], [middle, least, most], atol=6e-4
        )


def test_names_are_shared_by_the_worms_as_told():
    counts = Counter()
    for name in WORMS:
        units = recording_of(name)[0].units
        undoubted = units["neuron"][~units["neuron"].str.endswith("?")]
        counts.update(set(undoubted) - {""})
    assert sum(count == 4 for count in counts.values()) == 51
    assert sum(count >= 2 for count in counts.values()) == 109


def test_certain_identities_are_unique_in_each_worm():
    for name in WORMS:
        units = recording_of(name)[0].units
        certain = units.loc[units["identity_certain"], "identity"]
        assert certain.is_unique
        assert not certain.str.contains("?", regex=False).any()


def test_the_name_that_stands_twice_is_told_and_not_certain():
    recording, notes = recording_of("w2022-07-27-38")
    twice = recording.units[recording.units["identity"].isin(["URADL", "URADL#2"])]
    assert len(twice) == 2
    assert not twice["identity_certain"].any()
    assert recording.units["identity_certain"].sum() == 88 - 2
    assert "URADL" in texts(notes, "repair")


def test_three_areas_of_a_mouse_and_a_film():
    recording, notes = recording_of("s719161530")
    assert recording.units["region"].value_counts().to_dict() == {"CA1": 30, "LP": 18, "VISp": 15}
    assert recording.activity.times.size == 181112
    assert recording.activity.span_s == (0.0, 360.0)
    assert recording.trials["condition"].value_counts().to_dict() == dict.fromkeys(
        map(str, range(30)), 10
    )
    assert list(recording.epochs["label"]) == ["spontaneous", "natural_movie_one", "spontaneous"]
    assert notes == ()


@pytest.mark.parametrize(
    ("name", "regions", "n_conditions", "n_spikes", "duration"),
    [
        ("t00", {"V1": 169, "LM": 69}, 16, 13659, 640.0),
        ("t01", {"V1": 85, "LI": 114}, 16, 9478, 640.0),
        ("t11", {"V1": 156, "LI": 157}, 16, 10987, 640.0),
        ("d03", {"V1": 215, "AL": 187}, 12, 17431, 360.0),
        ("d10", {"LM": 26, "AL": 24}, 12, 1409, 360.0),
    ],
)
def test_two_areas_of_a_mouse_and_repeated_blocks(name, regions, n_conditions, n_spikes, duration):
    recording, _ = recording_of(name)
    assert recording.units["region"].value_counts().to_dict() == regions
    assert recording.trials["condition"].value_counts().to_dict() == dict.fromkeys(
        map(str, range(n_conditions)), 10
    )
    assert recording.activity.times.size == n_spikes
    assert recording.activity.span_s == (0.0, duration)
    assert len(recording.activity.observed) == 10
    assert len(recording.epochs) == 10


def test_a_salamander_and_its_stimulus():
    recording, _ = recording_of("c000-117")
    assert recording.activity.n_units == 118
    assert recording.activity.times.size == 245405
    assert len(recording.trials) == 0
    noise = recording.stimuli["checkerboard_noise"]
    assert noise.values.shape == (36000, 20, 18)
    steps = np.unique(noise.values) * 25  # a mean of 25 binary pixels is an odd number of 25ths
    assert set(np.rint(steps)) <= set(range(-25, 26, 2))
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-4)
    np.testing.assert_allclose(noise.time[[0, 1, -1]], [0, 1 / 30, 35999 / 30])
    assert dict(recording.behaviour) == {}


def test_a_zebrafish_sampled_at_a_rate():
    recording, notes = recording_of("f20151104-1")
    assert recording.activity.values.shape == (4245, 114)
    assert recording.activity.rate_hz == pytest.approx(2.2)
    assert recording.activity.signal == "fluorescence"
    assert {"x", "y", "assembly_4"} <= set(recording.units)
    assert recording.about.age == "P8D"
    assert [(note.code, note.kind) for note in notes] == [("IN-T01", "info")]


def test_silent_units_are_the_only_ones_graded_bad():
    for name in sheet():
        recording, _, _ = grade_units(recording_of(name)[0], QualityConfig())
        reasons = set(recording.units["reason"]) - {""}
        assert reasons <= {"no spikes"}


@pytest.mark.parametrize(
    "name",
    ["w2022-07-26-31", "s719161530", "t00", "c000-117", "f20151104-1"],
)
def test_the_proposed_sheet_line_reads_what_the_sheet_reads(name):
    row = sheet()[name]
    contents = inspect_file(DATA / row["nwb"])
    assert contents.refusal is None
    for column in ("activity", "intervals", "condition", "region", "identity"):
        assert contents.suggestion[column] == (row[column] or "")
    assert describe(contents, experiment="e", recording=name).count("\t") == 20


def test_epochs_of_two_kinds_are_proposed_before_reversals_of_one():
    suggestion = inspect_file(DATA / sheet()["w2022-01-16-01"]["nwb"]).suggestion
    assert (suggestion["intervals"], suggestion["condition"]) == ("epochs", "tags")
