"""Every file that the workflow made is explained back to the recordings, and made again."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from pipeline.cli.main import main
from pipeline.core.errors import DataError
from pipeline.io.hashing import sha256_of
from pipeline.io.records import read_digest
from pipeline.stages.lineage import lineage
from pipeline.stages.run_context import STARTED_VARIABLE, StageRun, how_started
from tests.support.finished_results import EDGES, Results
from tests.support.tiny_project import pipeline_run

RECORDINGS = {"one.nwb", "two.nwb"}


def started_in(folder):
    return how_started(
        directory=folder,
        out="results",
        configfiles=[folder / "settings.yaml"],
        config={"seed": 0, "methods": {"connectome": {"rank": 2}}},
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STARTED_VARIABLE, started_in(folder))
        return Results(folder).make()


@pytest.mark.parametrize(
    ("file", "above"),
    [
        ("e/report.html", "section.json"),
        ("e/report.json", "section.json"),
        ("e/tables/units.csv", "section.json"),
        ("e/figures/data-1.svg", "section.json"),
        ("e/units.csv", "fit.h5"),
        ("e/connectome/checks.json", "fit.h5"),
        ("e/connectome/section.json", "fit.h5"),
        ("summary.tsv", "report.json"),
        ("index.html", "report.json"),
    ],
)
def test_every_output_leads_to_the_recordings(made, file, above):
    chain = lineage(made.out / file)
    assert above in {one.path.name for one in chain if one.depth == 1}
    assert {one.path.name for one in chain if one.path.suffix == ".nwb"} == RECORDINGS
    assert not any(one.changed for one in chain)


@pytest.mark.parametrize("file", ["quality.json", "units.tsv"])
def test_what_lies_beside_a_recording_leads_to_it_alone(made, file):
    chain = lineage(made.e / "recordings" / "one" / file)
    assert [one.path.name for one in chain] == [file, "recording.h5", "one.nwb"]


def test_a_table_that_settings_name_is_told_as_they_name_it(made):
    table = next(one for one in lineage(made.fit) if one.path.suffix == ".csv")
    assert (table.path, table.recorded) == (Path(EDGES), sha256_of(made.folder / EDGES))


def test_what_was_replaced_since_is_told_of_documents_too(made, tmp_path):
    copy = Results.copied(made.folder, tmp_path / "copy")
    (copy.e / "connectome" / "section.json").write_text("another")
    changed = [one.path.name for one in lineage(copy.e / "report.html") if one.changed]
    assert changed == ["section.json"]


def explained(capsys, file):
    code = main(["explain", str(file)])
    return code, capsys.readouterr().out


def test_where_records_are_gone_the_chain_goes_on_by_what_their_jobs_told(made, tmp_path, capsys):
    copy = Results.copied(made.folder, tmp_path / "copy")
    read = {path: read_digest(path) for path in copy.out.rglob("recordings/*/recording.h5")}
    for path in (*read, *copy.view.glob("*.h5")):
        path.unlink()
    code, told = explained(capsys, copy.fit)
    for path, digest in read.items():
        assert re.search(rf"{re.escape(str(path))}\n +GONE: its content was {digest}\n", told)
    assert {one.path.name for one in lineage(copy.fit) if not one.ours} == {
        *RECORDINGS,
        "edges.csv",
    }
    assert told.count("GONE") == 4
    assert "the chain ends here" not in told
    assert code == 0
    assert "one.nwb" in explained(capsys, copy.e / "recordings" / "one" / "quality.json")[1]


def test_where_nothing_is_left_of_a_record_the_chain_is_said_to_end(made, tmp_path, capsys):
    copy = Results.copied(made.folder, tmp_path / "copy")
    shutil.rmtree(copy.e / "recordings" / "one")
    code, told = explained(capsys, copy.fit)
    assert told.count("the chain ends here") == 1
    assert ("one.nwb" in told, "two.nwb" in told) == (False, True)
    assert code == 1


def test_parts_that_were_joined_may_be_gone(made, tmp_path, capsys):
    copy = Results.copied(made.folder, tmp_path / "copy")
    run = StageRun(stage="gather", experiment="e", method="connectome")
    inputs = {f"{copy.view.name}/one.h5": "0", "parts/restart-00.h5": "c0ffee"}
    copy.record(run, copy.e / "fit.h5", settings={}, inputs=inputs)
    _, told = explained(capsys, copy.e / "fit.h5")
    assert "GONE, as parts may be that were joined: its content was c0ffee" in told
    assert "the chain ends here" not in told


def test_a_replaced_recording_is_changed_and_one_that_is_not_there_not_found(
    made, tmp_path, capsys
):
    again = Results.copied(made.folder, tmp_path / "again")
    before = sha256_of(again.folder / "one.nwb")
    (again.folder / "one.nwb").write_text("another")
    (again.folder / "two.nwb").unlink()
    code, told = explained(capsys, again.fit)
    assert f"CHANGED since it was used: its SHA-256 was {before}" in told
    assert f"SHA-256 {sha256_of(again.folder / 'one.nwb')}" in told
    assert f"SHA-256 {hashlib.sha256(b'two').hexdigest()}, not found here" in told
    assert code == 1
    assert [one.path.name for one in lineage(again.fit) if one.changed] == ["one.nwb"]


def test_a_replaced_table_is_changed(made, tmp_path):
    folder = tmp_path / "again"
    again = Results.copied(made.folder, folder)
    facts = {"outputs": ["fit.h5"], "started": json.loads(started_in(folder))}
    again.fit.with_suffix(".run.json").write_text(json.dumps(facts))
    assert not any(one.changed for one in lineage(again.fit))
    (folder / EDGES).write_text("another")
    assert [one.path for one in lineage(again.fit) if one.changed] == [Path(EDGES)]


@pytest.mark.parametrize("file", ["notes.txt", "e/notes.json"])
def test_a_file_that_nothing_tells_of_is_refused(made, file):
    (made.out / file).write_text("mine")
    with pytest.raises(DataError, match="nothing tells how it was made") as caught:
        lineage(made.out / file)
    assert caught.value.code == "RN-R11"


def told_command(capsys, *words):
    main(["explain", *map(str, words)])
    return capsys.readouterr().out.strip().splitlines()[-1].strip()


def test_the_command_is_that_of_the_run(made, monkeypatch, capsys):
    monkeypatch.chdir(made.folder)
    setting = 'methods={"connectome": {"rank": 2}}'
    config = f"--config '{setting}' seed=0"
    again = f"{config} --force results/e/report.html"
    told = told_command(capsys, "results/e/report.html")
    assert told == f"./run.sh --configfile settings.yaml {again}"
    told = told_command(capsys, "results/e/../summary.tsv")
    assert told == f"./run.sh --configfile settings.yaml {config} --force results/summary.tsv"
    monkeypatch.chdir(made.folder.parent)
    name = made.folder.name
    told = told_command(capsys, Path(name) / "results/e/report.html")
    assert told == f"./run.sh --directory {name} --configfile {name}/settings.yaml {again}"


@pytest.mark.parametrize(
    ("file", "made_with"),
    [
        ("tables/units.csv", "tables"),
        ("figures/data-1.svg", "figures"),
        ("recordings/one/units.tsv", "recordings/one/recording.h5"),
        ("units.csv", "units.csv"),
    ],
)
def test_what_lies_in_or_beside_an_output_is_made_with_it(
    made, monkeypatch, capsys, file, made_with
):
    monkeypatch.chdir(made.folder)
    told = told_command(capsys, f"results/e/{file}")
    assert told.endswith(f" --force results/e/{made_with}")


@pytest.mark.slow
def test_the_workflow_knows_how_to_make_every_file_that_is_explained(made, monkeypatch, capsys):
    monkeypatch.chdir(made.folder)
    files = [path.relative_to(made.folder) for path in made.out.rglob("*") if path.is_file()]
    ours = [file for file in files if not file.match("*.run.json") and file.stem != "notes"]
    targets = {shlex.split(told_command(capsys, file))[-1] for file in ours}
    assert len(targets) > 10
    done = pipeline_run(made.folder, "--configfile", "settings.yaml", "-n", "--force", *targets)
    assert done.returncode == 0, done.stderr[-3000:]


def test_another_settings_file_can_be_named(made, monkeypatch, capsys):
    monkeypatch.chdir(made.folder)
    told = told_command(capsys, "results/e/units.csv", "--configfile", "my.yaml")
    assert "--configfile my.yaml" in told


def test_results_without_that_knowledge_are_explained_as_they_lie(made, tmp_path, capsys):
    copy = Results.copied(made.folder, tmp_path / "copy")
    for path in copy.out.rglob("*.run.json"):
        facts = json.loads(path.read_text())
        path.write_text(json.dumps({key: facts[key] for key in facts if key != "started"}))
    file = copy.e / "report.html"
    assert told_command(capsys, file) == f"./run.sh --force {file}"
