"""What no later run needs is deleted, and nothing else."""

from __future__ import annotations

import pytest

from pipeline.cli.main import main
from pipeline.io.records import write_record
from pipeline.stages.check import load_project
from pipeline.stages.pruning import prune_results, prune_what_is_not_in_sheet
from tests.support import records
from tests.support.finished_results import Results


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return Results(tmp_path_factory.mktemp("made")).make().folder


@pytest.fixture
def results(made, tmp_path):
    found = Results.copied(made, tmp_path / "copy")
    write_record(found.e / "connectome" / "parts" / "restart-00.h5", records.calcium())
    return found


def files(results):
    return {
        path.relative_to(results.out).as_posix()
        for path in results.out.rglob("*")
        if path.is_file()
    }


def project(results, **overrides):
    return load_project(results.folder / "settings.yaml", overrides)


def test_joined_parts_and_views_of_older_settings_go(results):
    before = files(results)
    freed = prune_results(project(results), results.out)
    assert {path.name for path in freed} == {"restart-00.h5"}
    assert all(size > 0 for size in freed.values())
    prune_results(project(results, **{"prepare.ensemble.rate_hz": 1}), results.out)
    gone = {f"e/views/{results.view.name}/{name}" for name in ("one", "two")}
    gone = {f"{view}{ending}" for view in gone for ending in (".h5", ".run.json")}
    assert before - files(results) == gone | {"e/connectome/parts/restart-00.h5"}
    assert not results.view.exists()


def test_views_of_methods_that_are_off_stay(results):
    prune_results(project(results, **{"methods.connectome.enabled": False}), results.out)
    assert results.view.exists()


def test_folders_of_others_among_the_views_stay(results):
    (results.e / "views" / "mine").mkdir()
    (results.e / "views" / "mine" / "notes.h5").write_text("mine")
    prune_results(project(results), results.out)
    assert (results.e / "views" / "mine" / "notes.h5").exists()


def test_a_recording_that_left_the_sheet_goes_on_request(results):
    before = files(results)
    (results.folder / "sheet.tsv").write_text("experiment\trecording\tnwb\ne\ttwo\ttwo.nwb\n")
    assert "e/recordings/one/recording.h5" in files(results)
    prune_what_is_not_in_sheet(project(results), results.out)
    gone = before - files(results)
    assert {"e/recordings/one/recording.h5", f"e/views/{results.view.name}/one.h5"} <= gone
    assert all("one" in place for place in gone)
    assert not (results.e / "recordings" / "one").exists()


def test_an_experiment_that_left_the_sheet_goes_but_for_files_of_others(results):
    (results.e / "notes.txt").write_text("mine")
    (results.out / "movies").mkdir()
    (results.out / "movies" / "units.csv").write_text("no experiment")
    (results.folder / "sheet.tsv").write_text("experiment\trecording\tnwb\nf\ttwo\ttwo.nwb\n")
    prune_what_is_not_in_sheet(project(results), results.out)
    left = {place for place in files(results) if "/" in place}
    assert left == {"e/notes.txt", "movies/units.csv"}
    assert [path.name for path in results.e.iterdir()] == ["notes.txt"]


def test_commands_on_results_know_the_folder_of_the_run(results, monkeypatch, capsys):
    monkeypatch.chdir(results.folder.parent)
    place = ["--directory", "copy", "--configfile", "copy/settings.yaml"]
    assert main(["status", *place]) == 0
    assert capsys.readouterr().out.startswith("copy/results/e/connectome/parts/restart-00.h5: ")
    assert main(["forget-failed", *place]) == 0
    assert main(["prune", *place, "--not-in-sheet"]) == 0
    assert capsys.readouterr().out.endswith("MB in 1 files\n")
