"""Settings and sheet are checked together, and what a run would do is told before it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import registry
from pipeline.cli.main import main
from pipeline.core.errors import ConfigErrors
from pipeline.io.nwb.options import ReadOptions
from pipeline.stages.check import count_jobs, load_project, outlook
from tests.support.nwb_factory import imaging_file, new_session, probe_file, save

ROOT = Path(__file__).resolve().parents[2]
ALONE = {f"methods.{name}.enabled": False for name in registry.methods() if name != "connectome"}
"""What is set over the settings so that one method runs."""
GENERATOR = ROOT / ".." / "shared" / "tools" / "make_bad_nwb.py"


@pytest.fixture
def project(tmp_path):
    """Writes settings and a sheet over the files ``a.nwb`` to ``c.nwb``, which are empty."""

    def _project(sheet, settings="recordings: sheet.tsv\n"):
        for name in ("a.nwb", "b.nwb", "c.nwb"):
            if not (tmp_path / name).exists():
                (tmp_path / name).write_bytes(b"")
        header = "experiment\trecording\tnwb\texclude\tactivity\n"
        (tmp_path / "sheet.tsv").write_text(header + sheet)
        (tmp_path / "config.yaml").write_text(settings)
        return tmp_path / "config.yaml"

    return _project


def test_experiments_are_the_recordings_that_are_used_in_the_sheets_order(project):
    path = project("two\tr2\ta.nwb\none\tr1\tb.nwb\ntwo\tr1\tc.nwb\ntwo\tr3\tgone.nwb\tmoved\n")
    found = load_project(path)
    assert {name: [row.recording for row in rows] for name, rows in found.experiments.items()} == {
        "two": ["r2", "r1"],
        "one": ["r1"],
    }
    assert list(found.experiments) == ["two", "one"]
    assert len(found.rows) == 4


def test_problems_of_settings_and_sheet_come_together(project):
    path = project("../x\tr1\ta.nwb\n", "recordings: sheet.tsv\nseed: -1\n")
    with pytest.raises(ConfigErrors) as caught:
        load_project(path)
    assert [problem.code for problem in caught.value.problems] == ["CF-K05", "CF-K08"]


def test_a_sheet_that_is_not_there_is_placed_at_its_setting(project):
    path = project("one\tr1\ta.nwb\n", "seed: 1\nrecordings: sheets.tsv\n")
    with pytest.raises(ConfigErrors) as caught:
        load_project(path)
    (problem,) = caught.value.problems
    assert (problem.code, problem.place) == ("CF-K02", "recordings (line 2)")
    assert "did you mean 'sheet.tsv'" in problem.found


def test_the_command_line_may_name_another_sheet(project):
    path = project("one\tr1\ta.nwb\n", "recordings: nowhere.tsv\n")
    assert list(load_project(path, {"recordings": "sheet.tsv"}).experiments) == ["one"]


def test_how_files_are_read_is_told_by_sheet_and_settings(project, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "pool").mkdir()
    text = "recordings: sheet.tsv\nprepare:\n"
    (row,) = load_project(project("one\tr1\ta.nwb\t\tcalcium\n", text)).rows
    assert row.options == ReadOptions(activity="calcium")
    text += "  allow_external: [pool, ~/pool]\n  limits: {max_series_gb: 3, rate_hz: [1, 30]}\n"
    (row,) = load_project(project("one\tr1\ta.nwb\t\tcalcium\n", text)).rows
    assert row.options.activity == "calcium"
    assert row.options.allow_external == (str(tmp_path / "pool"), str(tmp_path / "pool"))
    assert row.options.max_series_gb == 3.0
    assert row.options.rate_hz == (1.0, 30.0)


def test_an_allowed_folder_that_is_not_there_is_placed_at_its_setting(project):
    path = project(
        "one\tr1\ta.nwb\n", "recordings: sheet.tsv\nprepare:\n  allow_external: [a.nwb, pol]\n"
    )
    with pytest.raises(ConfigErrors) as caught:
        load_project(path)
    assert [problem.place for problem in caught.value.problems] == [
        "prepare.allow_external (line 3)"
    ] * 2
    assert "'pol'" in caught.value.problems[1].found


OTHERS = [f"methods.{name}.enabled" for name in registry.methods() if name != "celltypes"]


def test_jobs_are_counted(project):
    settings = (
        "recordings: sheet.tsv\nrun: {parts_per_job: 2}\n"
        "methods: {connectome: {rank: 8, n_restarts: 3, n_surrogates: 2}, "
        "celltypes: {enabled: false}}\n"
    )
    path = project("first\ta1\ta.nwb\nfirst\ta2\tb.nwb\nsecond\tb1\tc.nwb\n", settings)
    # 3 ingested, 3 prepared; each experiment 3 batches, gather, assess, agreement, report; index,
    # provenance, summary, all
    pooled = 3 + 3 + 2 * (3 + 1 + 1 + 1 + 1) + 4
    assert count_jobs(load_project(path, ALONE)) == pooled
    # Three runs of two candidates and their choice come first, in batches of their own.
    by_rule = {**ALONE, "methods.connectome.rank": "auto", "methods.connectome.ranks": [2, 3]}
    by_rule["methods.connectome.n_rank_runs"] = 3
    assert count_jobs(load_project(path, by_rule)) == pooled + 2 * (3 + 1)
    # Parts that share no job: 4 chains, 8 predictions and their joining a recording; 2 assessed.
    with_chains = {**ALONE, "methods.biclustering.enabled": True}
    both = pooled + 3 + 3 * (4 + 8 + 1) + 2
    no_halves = {**with_chains, "agreement.halves": False}
    assert count_jobs(load_project(path, no_halves)) == both
    # To halves a connectome is fitted once an experiment, chains once a recording.
    assert count_jobs(load_project(path, with_chains)) == both + 2 + 3
    off = load_project(path, {**ALONE, "methods.connectome.enabled": False})
    assert count_jobs(off) == 3 + 2 * 2 + 4


def test_parts_of_a_method_with_rounds_are_jobs_by_themselves(project):
    settings = (
        "recordings: sheet.tsv\nmethods: {celltypes: {n_models: 2, n_restarts: 3, n_nulls: 1, "
        "folds: {number: 2}}}\n"
    )
    path = project("first\ta1\ta.nwb\n", settings)
    alone = load_project(path, dict.fromkeys(OTHERS, False))
    # Ingested, prepared as frames and as trials; 2 models, 3 restarts, 1 twin, 1 null,
    # 2 folds, gather, assess, agreement, report.
    assert count_jobs(alone) == 3 + 9 + 1 + 1 + 1 + 1 + 4


def test_a_method_says_before_the_run_that_it_does_not_apply(project, tmp_path):
    imaging_file(tmp_path / "a.nwb")
    probe_file(tmp_path / "b.nwb")
    path = project("traces\tr1\ta.nwb\nspikes\tr1\tb.nwb\n")
    seen = {experiment.name: experiment for experiment in outlook(load_project(path)).experiments}
    kinds = {name: experiment.recordings[0].kind for name, experiment in seen.items()}
    assert kinds == {"traces": "calcium", "spikes": "spikes"}
    verdicts = {
        name: {method.name: method.reason for method in experiment.methods}
        for name, experiment in seen.items()
    }
    assert verdicts["traces"]["connectome"] == ""
    assert "needs calcium recordings, and these are spikes" in verdicts["spikes"]["connectome"]


def test_a_method_that_is_switched_off_says_so(project, tmp_path):
    imaging_file(tmp_path / "a.nwb")
    path = project("traces\tr1\ta.nwb\n")
    (experiment,) = outlook(load_project(path, {"methods.connectome.enabled": False})).experiments
    assert "switched off" in experiment.methods[0].reason


def test_a_recording_that_cannot_be_read_is_told_with_its_line_and_class(project, capsys):
    path = project("one\tr1\ta.nwb\n")
    assert main(["check", "--configfile", str(path)]) == 3
    shown = capsys.readouterr().out
    assert "ERROR IN-F02 one/r1: a.nwb" in shown
    assert "1 recording cannot be read" in shown


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ({"activity": "spikes"}, "IN-S01"),
        ({"series": "no_such"}, "IN-C01"),
        ({"intervals": "no_such"}, "IN-T02"),
        ({"condition": "no_such"}, "IN-T02"),
        ({"identity": "no_such"}, "IN-T02"),
    ],
)
def test_what_the_sheet_asks_for_and_the_file_lacks_is_told(
    project, tmp_path, capsys, entries, code
):
    imaging_file(tmp_path / "a.nwb")
    path = project("")
    columns = {"experiment": "one", "recording": "r1", "nwb": "a.nwb", **entries}
    lines = ["\t".join(columns), "\t".join(columns.values())]
    (tmp_path / "sheet.tsv").write_text("\n".join(lines) + "\n")
    assert main(["check", "--configfile", str(path)]) == 3
    assert f"ERROR {code} one/r1: a.nwb: /" in capsys.readouterr().out


def test_a_recording_without_activity_is_told(project, tmp_path, capsys):
    save(new_session(), tmp_path / "a.nwb")
    path = project("one\tr1\ta.nwb\n")
    assert main(["check", "--configfile", str(path)]) == 3
    assert "ERROR IN-C01 one/r1: a.nwb: /: neither calcium" in capsys.readouterr().out


def test_check_says_what_a_run_would_do(project, tmp_path, capsys):
    imaging_file(tmp_path / "a.nwb")
    path = project("one\tr1\ta.nwb\none\tr2\tgone.nwb\tmoved too much\n")
    given = ["methods.connectome.n_restarts=2", "methods.connectome.n_surrogates=0"]
    given += [f"{key}=false" for key in ALONE]
    assert main(["check", "--configfile", str(path), "--config", *given]) == 0
    shown = capsys.readouterr().out
    assert "methods.connectome.n_restarts, methods.connectome.n_surrogates, " in shown
    assert "Seed: 20240\n" in shown
    assert "one: 1 recording" in shown
    assert "r1: calcium" in shown
    assert "r2: left out (moved too much)" in shown
    assert "connectome runs" in shown
    assert "Jobs of a whole run:" in shown


@pytest.mark.real
def test_every_generated_case_of_bad_settings_ends_in_its_class(tmp_path, monkeypatch, capsys):
    if not GENERATOR.exists():
        pytest.skip("the generator of bad inputs is not beside the checkout")
    listed = subprocess.run(
        [sys.executable, GENERATOR, "--list"], capture_output=True, text=True, check=True
    )
    names = [line.split()[2] for line in listed.stdout.splitlines() if " config " in line]
    assert len(names) > 20
    command = [sys.executable, GENERATOR, tmp_path / "bad", "--only", *names]
    subprocess.run(command, capture_output=True, check=True)
    for case in json.loads((tmp_path / "bad" / "manifest.json").read_text())["cases"]:
        file = tmp_path / "bad" / case["file"]
        monkeypatch.chdir(file.parent)
        code = main(["check", "--configfile", file.name])
        assert code == (0 if case["expected"] == "accept" else 2), case["id"]
        words = capsys.readouterr().err.lower()
        assert "traceback" not in words
        if case["expected"] == "reject":
            assert any(word.lower() in words for word in case["mention"]), case["id"]
        assert {path.name for path in file.parent.iterdir()} <= {"config.yaml", "recordings.tsv"}
