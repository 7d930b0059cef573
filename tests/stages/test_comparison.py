"""Two folders of results are held against each other: each kind of difference is told."""

from __future__ import annotations

import json
import shutil

import pytest

from pipeline.cli.main import main
from pipeline.io.hashing import sha256_of
from pipeline.stages.provenance import write_provenance
from tests.support.finished_results import Results


def collect(results):
    """Write ``provenance.json``, and a report with a number."""
    numbers = {"n_components": 3, "explained": 0.5}
    section = {"status": "ok", "reason": "", "numbers": numbers, "checks": []}
    report = {"experiment": "e", "methods": {"connectome": section}}
    (results.e / "report.json").write_text(json.dumps(report))
    write_provenance(
        out=results.out,
        recordings={"e": ["one", "two"]},
        settings={"seed": 1},
        changed=[],
        redact=False,
        output=results.out / "provenance.json",
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    results = Results(tmp_path_factory.mktemp("made")).make()
    collect(results)
    return results


@pytest.fixture
def other(made, tmp_path):
    return Results.copied(made.folder, tmp_path / "other")


def told(capsys, made, other):
    """What the command prints, and its exit code."""
    code = main(["diff", str(made.out), str(other.out)])
    return capsys.readouterr().out.splitlines(), code


def change(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_equal_results_differ_in_nothing(made, other, capsys):
    assert told(capsys, made, other) == ([], 0)


def test_another_content_of_a_recording_is_told_by_its_checksum(made, other, capsys):
    before = sha256_of(made.folder / "one.nwb")
    (other.folder / "one.nwb").write_text("another")
    shutil.rmtree(other.e / "recordings" / "one")
    row = next(row for row in other.project().experiments["e"] if row.recording == "one")
    other.ingest(row)
    collect(other)
    now = sha256_of(other.folder / "one.nwb")
    assert told(capsys, made, other) == ([f'inputs.e.one.one.nwb: "{before}" | "{now}"'], 1)


def test_other_versions_are_told_of_the_package_libraries_and_jobs(made, other, capsys):
    for path in other.e.rglob("*.run.json"):
        facts = json.loads(path.read_text()) | {"package_version": "9.0"}
        path.write_text(json.dumps(facts))
    collect(other)
    provenance = other.out / "provenance.json"
    facts = json.loads(provenance.read_text())
    version, numpy = facts["package"]["version"], facts["packages"]["numpy"]
    facts["package"]["version"], facts["packages"]["numpy"] = "8.0", "7.0"
    provenance.write_text(json.dumps(facts))
    lines, code = told(capsys, made, other)
    assert lines == [
        f'code.e.0.package_version: "{version}" | "9.0"',
        f'package.version: "{version}" | "8.0"',
        f'packages.numpy: "{numpy}" | "7.0"',
    ]
    assert code == 1


def test_how_a_method_ended_and_its_numbers_are_told(made, other, capsys):
    report = other.e / "report.json"
    change(report, '"explained": 0.5', '"explained": 0.25')
    change(report, '"status": "ok"', '"status": "warn"')
    assert told(capsys, made, other) == (
        [
            "experiments.e.methods.connectome.numbers.explained: 0.5 | 0.25",
            'experiments.e.methods.connectome.status: "ok" | "warn"',
        ],
        1,
    )


def test_another_number_of_jobs_is_no_difference(made, other, capsys):
    next(other.e.rglob("section.run.json")).unlink()
    collect(other)
    assert told(capsys, made, other) == ([], 0)
