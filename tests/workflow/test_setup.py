"""``run.sh`` sets up once, whole, and says what is wrong; a stand-in takes the place of Python."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import numpy
import pandas
import pytest
import snakemake

import pipeline

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = """\
#!/bin/sh
# Notes what it is asked and makes the environment; fails where the file "fails" says so.
printf '%s\\n' "$*" >> "$NOTES/calls"
if [ -f "$NOTES/fails" ] && printf '%s' "$*" | grep -q -- "$(cat "$NOTES/fails")"; then
    echo "this step failed"
    exit 1
fi
case "$*" in
--version) echo "Python 3.11.2" ;;
"-m venv "*)
    mkdir -p "$3/bin"
    cp "$0" "$3/bin/python"
    ;;
esac
"""


@pytest.fixture
def checkout(tmp_path):
    """A checkout in a folder with a blank, and a Python that only takes notes."""
    home = tmp_path / "my checkout"
    (home / "envs").mkdir(parents=True)
    shutil.copy(ROOT / "run.sh", home)
    (home / "envs" / "requirements.lock").write_text("nothing\n")
    (home / "pyproject.toml").write_text("[project]\n")
    commands = tmp_path / "commands"
    commands.mkdir()
    (commands / "python3.11").write_text(STAND_IN)
    (commands / "python3.11").chmod(0o755)
    return home


def run_sh(home, *words):
    folder = home.parent
    return subprocess.run(
        [home / "run.sh", *words],
        cwd=folder,
        env={"PATH": f"{folder / 'commands'}:/usr/bin:/bin", "NOTES": os.fspath(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def calls(home):
    path = home.parent / "calls"
    text = path.read_text() if path.exists() else ""
    path.unlink(missing_ok=True)
    return text


def test_everything_is_installed_once(checkout):
    done = run_sh(checkout, "--setup")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    first = calls(checkout)
    assert "--require-hashes" in first
    assert "torch==" in first
    assert "pip check" in first
    assert "-m compileall" in first
    assert run_sh(checkout, "--setup").returncode == 0
    assert "-m pip" not in calls(checkout)


def test_no_job_compiles_what_it_imports_where_python_may_write_nothing():
    """Else each of hundreds of jobs takes seconds of a processor longer to start."""
    for module in (numpy, pandas, snakemake, pipeline):
        assert Path(importlib.util.cache_from_source(module.__file__)).exists(), module


def test_a_changed_lock_is_installed(checkout):
    run_sh(checkout, "--setup")
    calls(checkout)
    (checkout / "envs" / "requirements.lock").write_text("something\n")
    assert run_sh(checkout, "--setup").returncode == 0
    assert "--require-hashes" in calls(checkout)


def test_a_step_that_fails_ends_the_set_up_and_it_is_repeated(checkout):
    (checkout.parent / "fails").write_text("require-hashes")
    done = run_sh(checkout, "--setup")
    assert done.returncode == 5
    assert "this step failed" in done.stderr
    assert "ERROR set-up failed" in done.stderr
    assert "torch==" not in calls(checkout)
    (checkout.parent / "fails").unlink()
    assert run_sh(checkout, "--setup").returncode == 0
    assert "torch==" in calls(checkout)


def test_a_missing_venv_module_is_named_with_what_to_do(checkout):
    (checkout.parent / "fails").write_text("-m venv")
    done = run_sh(checkout, "--setup")
    assert done.returncode == 5
    assert "apt-get install python3.11-venv" in done.stderr
    assert "--require-hashes" not in calls(checkout)


def test_from_a_folder_of_wheels_nothing_is_asked_of_a_network(checkout):
    wheels = checkout.parent / "my wheels"
    wheels.mkdir()
    done = run_sh(checkout, "--setup", "--wheels", "my wheels")
    assert done.returncode == 0, done.stderr
    installs = [line for line in calls(checkout).splitlines() if "pip install" in line]
    *fetched, ours = installs
    assert len(fetched) == 2
    assert all(f"--no-index --find-links {wheels}" in line for line in fetched)
    assert "--require-hashes" in fetched[0]
    assert "torch==" in fetched[1]
    assert "--no-deps" in ours
    assert run_sh(checkout, "--setup", "--wheels", "my wheels").returncode == 0
    assert "-m pip" not in calls(checkout)


def test_a_folder_of_wheels_is_filled_with_what_the_set_up_installs(checkout):
    assert run_sh(checkout, "--fetch-wheels", "my wheels").returncode == 0
    locked, torch = [line for line in calls(checkout).splitlines() if "pip download" in line]
    assert "--dest my wheels --require-hashes -r" in locked
    assert "torch==" in torch
    assert not (checkout / ".venv").exists()
    (checkout.parent / "fails").write_text("require-hashes")
    done = run_sh(checkout, "--fetch-wheels", "my wheels")
    assert done.returncode == 5
    assert "could not be fetched into my wheels" in done.stderr


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--setup", "--wheels"), "--wheels needs a folder"),
        (("--setup", "--wheels", "nowhere"), "'nowhere' is none"),
        (("--setup", "--wheel", "x"), "not '--wheel'"),
        (("--fetch-wheels",), "needs a folder"),
    ],
)
def test_words_that_are_wrong_are_refused_before_anything_is_installed(checkout, words, what):
    done = run_sh(checkout, *words)
    assert done.returncode == 5
    assert what in done.stderr
    assert "-m pip" not in calls(checkout)


def test_all_other_words_go_to_the_pipeline(checkout):
    assert run_sh(checkout, "--configfile", "my settings.yaml", "-n").returncode == 0
    assert calls(checkout).splitlines()[-1] == "-m pipeline run -- --configfile my settings.yaml -n"


def test_help_needs_no_set_up(checkout):
    done = run_sh(checkout, "--help")
    assert done.returncode == 0
    assert "--configfile my.yaml" in done.stdout
    assert calls(checkout) == ""
