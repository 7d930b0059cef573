"""The simulated recordings are sound files, and the shipped sheet lists them."""

from __future__ import annotations

import csv
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

from pipeline import registry
from pipeline.core.outcome import Outcome
from pipeline.core.recording import SampledActivity
from pipeline.core.rng import stream
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.nwb.read import read_recording
from pipeline.io.records import read_record, record_type, write_record
from pipeline.io.sheets import read_sheet
from pipeline.stages.demo import SEED, write_demo
from tests.support.records import provenance

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    write_demo(folder)
    return folder


def lines(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_the_shipped_sheet_lists_what_the_demo_writes(demo):
    written = [
        {**row, "nwb": f"simulated/{row['nwb']}", "truth": f"simulated/{row['truth']}"}
        for row in lines(demo / "recordings.tsv")
    ]
    assert lines(ROOT / "data" / "recordings.tsv") == written


def test_the_sheet_beside_the_files_is_sound(demo):
    rows = read_sheet(demo / "recordings.tsv")
    assert len(rows) == 6
    assert {row.experiment for row in rows} == {"worms"}


def test_files_that_are_there_are_not_written_again(demo):
    before = {path: path.stat().st_mtime_ns for path in demo.rglob("*") if path.is_file()}
    write_demo(demo)
    assert {path: path.stat().st_mtime_ns for path in demo.rglob("*") if path.is_file()} == before


def test_six_animals_share_some_named_units_and_miss_others(demo):
    names = []
    for row in read_sheet(demo / "recordings.tsv"):
        recording, _ = read_recording(
            row.nwb,
            recording=row.recording,
            options=ReadOptions(identity="identity"),
            provenance=provenance(),
        )
        assert isinstance(recording.activity, SampledActivity)
        assert recording.activity.rate_hz == pytest.approx(3.0)
        assert 0 < np.mean(~recording.activity.valid) < 0.05
        assert set(recording.epochs["label"]) == {"butanone", "pentanedione", "salt"}
        known = recording.units.loc[recording.units["identity_certain"], "identity"]
        assert len(known) < len(recording.units)
        names.append(set(known))
    everywhere = set.intersection(*names)
    assert 0 < len(everywhere) < len(set.union(*names))


def test_the_truth_beside_the_files_is_that_of_the_simulation(demo):
    simulate = registry.methods()["connectome"].room("simulate")
    _, truth = simulate.simulate(stream(SEED, "worms"), size="demo")
    stored = read_record(demo / "worms" / "truth" / "connectome.h5", simulate.Truth)
    assert stored.unit.tolist() == truth.unit.tolist()


def test_the_inspector_of_the_community_finds_nothing_serious(demo):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nwbinspector import Importance, inspect_nwbfile

        for path in sorted((demo / "worms").glob("*.nwb")):
            found = inspect_nwbfile(
                nwbfile_path=path, importance_threshold=Importance.BEST_PRACTICE_VIOLATION
            )
            assert [message.message for message in found] == []


@pytest.mark.parametrize("lost", ["worms/worm-1.nwb", "worms/truth/connectome.h5"])
def test_a_demo_that_is_not_whole_is_written_again(demo, tmp_path, lost):
    copy = shutil.copytree(demo, tmp_path / "demo")
    before = (copy / lost).read_bytes()
    (copy / lost).unlink()
    write_demo(copy)
    assert (copy / lost).read_bytes()[:8] == before[:8]


def test_a_truth_of_another_version_is_written_again(demo, tmp_path):
    copy = shutil.copytree(demo, tmp_path / "demo")
    truth = copy / "worms" / "truth" / "connectome.h5"
    write_record(truth, Outcome(status="failed", reason="stands for an older form"))
    write_demo(copy)
    assert record_type(truth) == "ConnectomeTruth"
