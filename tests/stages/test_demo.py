"""The simulated recordings are sound files, and the shipped sheet lists them."""

from __future__ import annotations

import csv
import shutil
import warnings
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from pynwb import NWBHDF5IO

from pipeline import registry
from pipeline.core.outcome import Outcome
from pipeline.core.recording import SampledActivity
from pipeline.core.rng import stream
from pipeline.io.nwb.read import read_recording
from pipeline.io.records import read_record, write_record
from pipeline.io.sheets import read_sheet
from pipeline.methods.celltypes.simulate import PIXEL_UM
from pipeline.prepare.config import QualityConfig
from pipeline.prepare.quality.grade import grade_units
from pipeline.stages.demo import SEED, cortex, retina, write, write_demo
from tests.support.records import assert_same, provenance

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    write_demo(folder)
    return folder


@pytest.fixture(scope="module")
def cortex_session():
    return cortex.simulate(stream(SEED, "cortex"))


@pytest.fixture(scope="module")
def retina_session():
    return retina.simulate(stream(SEED, "retina"))


def lines(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def of_experiment(demo, name):
    return [row for row in read_sheet(demo / "recordings.tsv") if row.experiment == name]


def as_read(row):
    """The recording as the sheet's line says, and remarks on its file."""
    return read_recording(
        row.nwb, recording=row.recording, options=row.options, provenance=provenance()
    )


def test_the_shipped_sheet_lists_what_the_demo_writes(demo):
    written = [
        {**row, "nwb": f"simulated/{row['nwb']}", "truth": f"simulated/{row['truth']}"}
        for row in lines(demo / "recordings.tsv")
    ]
    assert lines(ROOT / "data" / "recordings.tsv") == written


def test_the_sheet_beside_the_files_is_sound(demo):
    rows = read_sheet(demo / "recordings.tsv")
    counts = Counter(row.experiment for row in rows)
    assert counts == {"worms": 6, "cortex": 1, "retina": 1}


def test_files_that_are_there_are_not_written_again(demo):
    before = {path: path.stat().st_mtime_ns for path in demo.rglob("*") if path.is_file()}
    write_demo(demo)
    assert {path: path.stat().st_mtime_ns for path in demo.rglob("*") if path.is_file()} == before


def test_six_animals_share_some_named_units_and_miss_others(demo):
    names = []
    for row in of_experiment(demo, "worms"):
        recording, _ = as_read(row)
        assert isinstance(recording.activity, SampledActivity)
        assert recording.activity.rate_hz == pytest.approx(3.0)
        assert 0 < np.mean(~recording.activity.valid) < 0.05
        assert set(recording.epochs["label"]) == {"butanone", "pentanedione", "salt"}
        known = recording.units.loc[recording.units["identity_certain"], "identity"]
        assert len(known) < len(recording.units)
        names.append(set(known))
    everywhere = set.intersection(*names)
    assert 0 < len(everywhere) < len(set.union(*names))


def test_the_cortex_is_read_as_simulated_without_a_remark(demo, cortex_session):
    (row,) = of_experiment(demo, "cortex")
    recording, notes = as_read(row)
    session = cortex_session
    assert notes == ()
    for field in ("times", "starts", "observed"):
        found, simulated = (getattr(a, field) for a in (recording.activity, session.spikes))
        np.testing.assert_array_equal(found, simulated)
    truth = session.geometries
    assert recording.units["unit_id"].tolist() == truth.unit.tolist()
    assert recording.units["region"].tolist() == truth.region[truth.region_of_unit].tolist()
    assert recording.trials["condition"].tolist() == session.trials["condition"].tolist()
    assert {"direction_deg", "spatial_frequency_cpd", "repeat"} < set(recording.trials)
    assert recording.epochs["label"].tolist() == ["spontaneous", "gratings", "spontaneous"]
    running = recording.behaviour["running_speed"]
    np.testing.assert_array_equal(np.ravel(running.values), session.speed)
    assert running.value_unit == "cm/s"


def test_the_retina_is_read_as_simulated_without_a_remark(demo, retina_session):
    (row,) = of_experiment(demo, "retina")
    recording, notes = as_read(row)
    session = retina_session
    assert notes == ()
    np.testing.assert_array_equal(recording.activity.times, session.spikes.times)
    for index, name in enumerate(("movie_green", "movie_uv")):
        movie = recording.stimuli[name]
        np.testing.assert_array_equal(np.asarray(movie.values), session.levels[:, index])
        np.testing.assert_array_equal(movie.time, session.frame_time)
    places = recording.units[["x_um", "y_um"]].to_numpy()
    np.testing.assert_allclose(places / PIXEL_UM, session.truth.centre)
    assert recording.trials["condition"].tolist() == session.trials["condition"].tolist()
    blocks = recording.intervals["movie_blocks"]
    assert blocks["stimulus_id"].tolist() == session.blocks["stimulus_id"].tolist()
    assert set(blocks["kind"]) == {"natural", "checkerboard", "flicker"}


@pytest.mark.parametrize("experiment", ["worms", "cortex", "retina"])
def test_every_unit_is_good_and_nothing_is_warned_about(demo, experiment):
    for row in of_experiment(demo, experiment):
        recording, _ = as_read(row)
        _, grades, notes = grade_units(recording, QualityConfig())
        assert [note for note in notes if note.kind != "info"] == []
        assert all(grades.units["good"])


def test_files_are_small_and_hold_their_movies_as_bytes(demo):
    assert sum(path.stat().st_size for path in demo.rglob("*.nwb")) < 15_000_000
    with h5py.File(demo / "retina" / "retina-1.nwb") as file:
        for movie in file["/stimulus/presentation"].values():
            assert movie["data"].dtype == np.uint8
            assert movie["data"].compression == "gzip"


def test_files_are_read_by_the_library_of_the_format(demo):
    with NWBHDF5IO(demo / "cortex" / "mouse-1.nwb", "r") as io:
        session = io.read()
        for row, area in enumerate(session.units["brain_area"][:]):
            assert session.units["electrodes"][row]["location"].tolist() == [area]
            assert len(session.units["obs_intervals"][row]) == 3
        assert session.processing["behavior"]["BehavioralTimeSeries"]["running_speed"].rate == 30.0
    with NWBHDF5IO(demo / "retina" / "retina-1.nwb", "r") as io:
        assert io.read().stimulus["movie_uv"].data.shape == (14_940, 16, 16)


def test_the_truth_beside_the_files_is_that_of_the_simulation(
    demo, cortex_session, retina_session, tmp_path
):
    simulate = registry.methods()["connectome"].room("simulate")
    planted = {
        "worms/truth/connectome.h5": simulate.simulate(stream(SEED, "worms"), size="demo")[1],
        "cortex/truth/biclustering.h5": cortex_session.clusters,
        "cortex/truth/trsa.h5": cortex_session.geometries,
        "retina/truth/celltypes.h5": retina_session.truth,
    }
    for name, truth in planted.items():
        again = tmp_path / name
        write_record(again, truth)
        assert again.read_bytes() == (demo / name).read_bytes()
        assert_same(read_record(demo / name, type(truth)), truth)
    assert {str(path.relative_to(demo)) for path in demo.glob("*/truth/*.h5")} == set(planted)


@pytest.mark.parametrize("experiment", ["worms", "cortex", "retina"])
def test_the_inspector_of_the_community_finds_nothing_serious(demo, experiment):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nwbinspector import Importance, inspect_nwbfile

        for path in sorted((demo / experiment).glob("*.nwb")):
            found = inspect_nwbfile(
                nwbfile_path=path, importance_threshold=Importance.BEST_PRACTICE_VIOLATION
            )
            assert [message.message for message in found] == []


@pytest.fixture
def written(monkeypatch):
    """Names of the experiments that are written again; nothing is."""
    again = []
    writers = {name: lambda folder, name=name: again.append(name) or [] for name in write.WRITERS}
    monkeypatch.setattr(write, "WRITERS", writers)
    return again


def test_a_demo_that_is_whole_is_left_alone(demo, written):
    write_demo(demo)
    assert written == []


@pytest.mark.parametrize(
    "lost",
    [
        "recordings.tsv",
        "worms/worm-1.nwb",
        "worms/truth/connectome.h5",
        "cortex/truth/trsa.h5",
        "retina/truth",
    ],
)
def test_a_demo_that_is_not_whole_is_written_again(demo, tmp_path, written, lost):
    copy = shutil.copytree(demo, tmp_path / "demo")
    if (copy / lost).is_dir():
        shutil.rmtree(copy / lost)
    else:
        (copy / lost).unlink()
    write_demo(copy)
    assert written == ["worms", "cortex", "retina"]


def test_a_truth_of_another_version_is_written_again(demo, tmp_path, written):
    copy = shutil.copytree(demo, tmp_path / "demo")
    truth = copy / "cortex" / "truth" / "biclustering.h5"
    write_record(truth, Outcome(status="failed", reason="stands for an older form"))
    write_demo(copy)
    assert written == ["worms", "cortex", "retina"]


def test_a_demo_of_an_older_simulation_is_written_again(demo, tmp_path, written):
    copy = shutil.copytree(demo, tmp_path / "demo")
    table = pd.read_csv(copy / "recordings.tsv", sep="\t", dtype=str)
    table.drop(columns="simulation").to_csv(copy / "recordings.tsv", sep="\t", index=False)
    write_demo(copy)
    assert written == ["worms", "cortex", "retina"]


def test_a_demo_of_worms_alone_is_written_again(demo, tmp_path, written):
    copy = shutil.copytree(demo, tmp_path / "demo")
    lines = (copy / "recordings.tsv").read_text().splitlines(keepends=True)
    (copy / "recordings.tsv").write_text("".join(lines[:7]))
    write_demo(copy)
    assert written == ["worms", "cortex", "retina"]


def test_what_is_written_again_replaces_what_was_there(tmp_path, monkeypatch):
    monkeypatch.setattr(write, "WRITERS", {"cortex": write.WRITERS["cortex"]})
    (tmp_path / "cortex").mkdir()
    (tmp_path / "cortex" / "older.nwb").write_text("of an older version")
    write_demo(tmp_path)
    assert sorted(path.name for path in (tmp_path / "cortex").iterdir()) == [
        "mouse-1.nwb",
        "truth",
    ]
