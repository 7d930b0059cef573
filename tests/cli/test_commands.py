"""Commands print what they should and end with the exit code of their error."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pipeline
from pipeline import registry
from pipeline.cli import main as main_module
from pipeline.cli.inspect import suggested_ids
from pipeline.cli.main import COMMANDS, main
from pipeline.cli.settings_arguments import overrides
from pipeline.core.errors import DataError, EnvironmentFault, ResultError
from pipeline.core.outcome import Outcome
from pipeline.core.recording import ID_PATTERN
from pipeline.io.claims import Claim, process_start
from pipeline.io.records import write_record
from pipeline.io.sheets import read_sheet
from pipeline.stages.claims import AT_WORK, RUN
from tests.support.nwb_factory import imaging_file

ROOT = Path(__file__).resolve().parents[2]


def raising(error):
    """A command that ends in an error."""

    class Command:
        NAME = "broken"
        HELP = "ends in an error"

        @staticmethod
        def add_arguments(parser):
            pass

        @staticmethod
        def run(arguments):
            raise error

    return Command


@pytest.mark.parametrize(
    ("kind", "code", "exit_code"),
    [(DataError, "IN-C01", 3), (ResultError, "ME-N01", 4), (EnvironmentFault, "IN-F08", 5)],
)
def test_an_error_becomes_one_line_and_its_exit_code(monkeypatch, capsys, kind, code, exit_code):
    error = kind(code=code, found="nothing there", fix="look elsewhere")
    monkeypatch.setattr(main_module, "COMMANDS", (raising(error),))
    assert main(["broken"]) == exit_code
    shown = capsys.readouterr()
    assert shown.err == f"{error}\n"
    assert shown.out == ""


def test_a_defect_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(main_module, "COMMANDS", (raising(ZeroDivisionError("ours")),))
    with pytest.raises(ZeroDivisionError):
        main(["broken"])


def test_every_command_explains_itself(capsys):
    for command in COMMANDS:
        with pytest.raises(SystemExit) as caught:
            main([command.NAME, "--help"])
        assert caught.value.code == 0
        assert " ".join(command.HELP.split()) in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    "arguments", [[], ["nonsense"], ["inspect"], ["config", "--write", "--check"]]
)
def test_a_wrong_call_ends_in_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"neuroptych {pipeline.__version__}\n"


def test_methods_lists_all_with_what_they_work_on(capsys):
    assert main(["methods"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [re.split(r"\s{2,}", line)[:2] for line in lines[1:]] == [
        [name, " or ".join(spec.kinds)] for name, spec in registry.methods().items()
    ]
    assert "responses or patterns" in lines[-1]


def test_config_prints_a_settings_file_that_loads(capsys, tmp_path):
    assert main(["config"]) == 0
    path = tmp_path / "config.yaml"
    path.write_text(capsys.readouterr().out)
    assert main(["config", "--configfile", str(path), "--config", "seed=3"]) == 0
    printed = capsys.readouterr().out
    assert "\nseed: 3\n" in printed
    assert printed.replace("\nseed: 3\n", "\nseed: 20240\n") == path.read_text()


def test_config_tells_what_is_wrong_with_a_file(capsys, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("recordings: r.tsv\nsed: 3\n")
    assert main(["config", "--configfile", str(path)]) == 2
    assert "CF-K03" in capsys.readouterr().err


def test_an_override_without_a_value_is_refused(capsys):
    assert main(["config", "--config", "seed"]) == 2
    assert "KEY=VALUE" in capsys.readouterr().err


def test_overrides_of_one_block_are_joined_as_snakemake_joins_them():
    given = ["methods={connectome: {rank: 4}}", "methods={connectome: {n_restarts: 2}}", "seed=3"]
    assert overrides(given) == {
        "methods.connectome.rank": 4,
        "methods.connectome.n_restarts": 2,
        "seed": 3,
    }


def test_config_check_tells_stale_files(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("pipeline.cli.config.PROJECT_FOLDER", tmp_path)
    assert main(["config", "--check"]) == 1
    assert "docs/settings.md" in capsys.readouterr().err
    assert main(["config", "--write"]) == 0
    assert str(tmp_path / "docs" / "settings.md") in capsys.readouterr().out
    assert main(["config", "--check"]) == 0


def test_inspect_prints_a_line_that_the_sheet_accepts(capsys, tmp_path):
    path = imaging_file(tmp_path / "sub-w1_ses-2.nwb")
    assert main(["inspect", str(path)]) == 0
    header, line = capsys.readouterr().out.splitlines()[-2:]
    (tmp_path / "sheet.tsv").write_text(f"{header}\n{line}\n")
    (row,) = read_sheet(tmp_path / "sheet.tsv")
    assert (row.experiment, row.recording, row.nwb) == ("sub-w1", "sub-w1_ses-2", path)


def test_inspect_takes_ids(capsys, tmp_path):
    path = imaging_file(tmp_path / "x.nwb")
    assert main(["inspect", str(path), "--experiment", "odour", "--recording", "day1"]) == 0
    assert "\nodour\tday1\t" in capsys.readouterr().out


def test_inspect_of_a_file_that_is_not_there_ends_in_3(capsys, tmp_path):
    path = tmp_path / "mouse7_day1.nwb"
    assert main(["inspect", str(path)]) == 3
    assert capsys.readouterr().err.startswith(f"ERROR IN-F01 mouse7/mouse7_day1: {path}: {path}: ")


@pytest.mark.parametrize(
    ("name", "experiment", "recording"),
    [
        ("sub-A_ses-1_ophys.nwb", "sub-A", "sub-A_ses-1_ophys"),
        ("mouse 7 (day 1).nwb", "mouse-7-day-1", "mouse-7-day-1"),
        ("2023.01.05.nwb", "2023-01-05", "2023-01-05"),
        ("___.nwb", "recording", "recording"),
        ("é.nwb", "recording", "recording"),
        ("x" * 90 + ".nwb", "x" * 64, "x" * 64),
    ],
)
def test_ids_are_made_from_the_name(name, experiment, recording):
    assert suggested_ids(Path(name)) == (experiment, recording)
    assert all(ID_PATTERN.fullmatch(part) for part in suggested_ids(Path(name)))


def test_demo_calls_the_stage_and_names_the_sheet(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("pipeline.stages.demo.write_demo", lambda folder: folder / "recordings.tsv")
    assert main(["demo", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'recordings.tsv'}\n"


def test_failures_are_forgotten_by_the_folder_of_the_settings_and_named(
    monkeypatch, capsys, tmp_path
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.nwb").write_text("no recording")
    (tmp_path / "sheet.tsv").write_text("experiment\trecording\tnwb\ne\tr\ta.nwb\n")
    (tmp_path / "my.yaml").write_text("recordings: sheet.tsv\nout: mine\n")
    failed, kept = (tmp_path / "mine" / "e" / name / "fit.h5" for name in ("trsa", "connectome"))
    write_record(failed, Outcome(status="failed", reason="truncated"))
    write_record(kept, Outcome(status="not_applicable", reason="spikes"))
    assert main(["forget-failed", "--configfile", "my.yaml"]) == 0
    assert capsys.readouterr().out == f"{failed.relative_to(tmp_path)}\n"
    assert (failed.exists(), kept.exists()) == (False, True)


@pytest.mark.parametrize("command", ["forget-failed", "prune"])
@pytest.mark.parametrize(
    ("place", "code"), [(RUN, "RN-R05"), (f"logs/e/ingest_r{AT_WORK}", "RN-R20")]
)
def test_nothing_is_deleted_beside_a_run_or_a_job_that_lives(
    monkeypatch, capsys, tmp_path, command, place, code
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.nwb").write_text("no recording")
    (tmp_path / "sheet.tsv").write_text("experiment\trecording\tnwb\ne\tr\ta.nwb\n")
    (tmp_path / "my.yaml").write_text("recordings: sheet.tsv\nout: mine\n")
    folder = tmp_path / "mine" / "e" / "trsa"
    failed, joined, part = (folder / name for name in ("r/fit.h5", "fit.h5", "parts/a.h5"))
    write_record(failed, Outcome(status="failed", reason="truncated"))
    write_record(joined, Outcome(status="not_applicable", reason="spikes"))
    write_record(part, Outcome(status="not_applicable", reason="spikes"))
    with subprocess.Popen(["sleep", "60"]) as other:
        claim = Claim(
            host=platform.node(), pid=other.pid, began=process_start(other.pid), since="now"
        )
        (tmp_path / "mine" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / place).write_text(json.dumps(dataclasses.asdict(claim)))
        refused = main([command, "--configfile", "my.yaml"])
        other.kill()
    assert refused == 5
    assert code in capsys.readouterr().err
    assert all(path.exists() for path in (failed, joined, part))
    # Whoever said so is dead now.
    assert main([command, "--configfile", "my.yaml"]) == 0
    assert failed.exists() == (command == "prune")
    assert part.exists() == (command != "prune")


def test_unlocking_is_refused_while_jobs_wait_in_a_queue(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.nwb").write_text("no recording")
    (tmp_path / "sheet.tsv").write_text("experiment\trecording\tnwb\ne\tr\ta.nwb\n")
    (tmp_path / "my.yaml").write_text("recordings: sheet.tsv\n")
    (tmp_path / "squeue").write_text(f"#!/bin/sh\necho '7|PENDING|rule_ingest|{tmp_path}'\n")
    (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert main(["unlock", "--configfile", "my.yaml"]) == 5
    told = capsys.readouterr().err
    assert "RN-R20" in told
    assert "scancel 7" in told
    (tmp_path / "squeue").write_text("#!/bin/sh\n")
    assert main(["unlock", "--configfile", "my.yaml"]) == 0


def test_the_package_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "methods"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("method ")
    assert done.stderr == ""


def test_a_reader_that_has_seen_enough_is_no_error():
    code = (
        "import os, sys; from pipeline.cli.main import main;"
        "read, write = os.pipe(); os.dup2(write, 1); os.close(write); os.close(read);"
        "sys.exit(main(['methods']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
