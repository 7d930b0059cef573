"""Claims of processes that live, are dead, or cannot be seen from here."""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import json
import os
import subprocess
import sys
from threading import Thread

import pytest

from pipeline.io.claims import (
    Claim,
    drop_claim,
    process_start,
    read_claim,
    slurm_jobs_in,
    take_claim,
    write_claim,
)


def of_child(path):
    """The claim that another process took and left behind."""
    code = "import sys; from pathlib import Path; from pipeline.io.claims import take_claim\n"
    code += "print(take_claim(Path(sys.argv[1])))"
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    assert done.stdout == "None\n"
    return read_claim(path)


def write(path, claim):
    path.write_text(json.dumps(dataclasses.asdict(claim)))


def test_a_process_lives_and_then_does_not(tmp_path):
    path = tmp_path / "claim.json"
    assert Claim.mine().lives() is True
    assert of_child(path).lives() is False


def test_a_later_process_of_the_same_number_is_another(tmp_path):
    mine = Claim.mine()
    assert dataclasses.replace(mine, began=str(int(mine.began) - 1)).lives() is False


def test_a_zombie_is_dead():
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert process_start(child.pid) == ""
    child.wait()


def test_the_first_claim_stands_and_a_dead_one_is_replaced(tmp_path):
    path = tmp_path / "sub" / "claim.json"
    path.parent.mkdir()
    assert of_child(path).lives() is False
    assert take_claim(path) is None
    assert read_claim(path).is_mine()
    assert take_claim(path).is_mine()
    drop_claim(path)
    assert not path.exists()


def test_of_two_that_find_a_dead_claim_at_once_one_gets_it(tmp_path, monkeypatch):
    path = tmp_path / "claim.json"
    dead = of_child(path)
    lives, answers = Claim.lives, []
    other = Thread(target=lambda: answers.append(take_claim(path)))

    def lives_while_the_other_tries(claim):
        if claim == dead and other.ident is None:
            other.start()
            other.join(timeout=0.3)  # it has the claim by then, or waits for us
        return lives(claim)

    monkeypatch.setattr(Claim, "lives", lives_while_the_other_tries)
    answers.append(take_claim(path))
    other.join()
    assert sorted(answer is None for answer in answers) == [False, True]
    assert read_claim(path).is_mine()


def test_where_files_cannot_be_locked_the_claim_is_taken_and_that_is_told(
    tmp_path, monkeypatch, caplog
):
    def refuse(*_):
        raise OSError(errno.ENOSYS, "not here")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert take_claim(tmp_path / "claim.json") is None
    assert "no locks" in caplog.text


def test_a_claim_of_another_is_not_dropped(tmp_path):
    path = tmp_path / "claim.json"
    of_child(path)
    drop_claim(path)
    assert path.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 3}'])
def test_half_a_claim_is_none(tmp_path, text):
    path = tmp_path / "claim.json"
    path.write_text(text)
    assert read_claim(path) is None
    assert take_claim(path) is None


def test_another_machines_process_cannot_be_seen(tmp_path):
    claim = dataclasses.replace(Claim.mine(), host="elsewhere")
    assert claim.lives() is None
    write(tmp_path / "claim.json", claim)
    assert take_claim(tmp_path / "claim.json") == claim


@pytest.mark.parametrize(
    ("answer", "lives"),
    [
        ("echo RUNNING", True),
        ("true", False),
        ("exit 1", None),
        ("echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1", False),
    ],
)
def test_slurm_knows_the_jobs_of_other_machines(tmp_path, monkeypatch, answer, lives):
    squeue = tmp_path / "squeue"
    squeue.write_text(f'#!/bin/sh\n[ "$3" = --jobs=12 ] || exit 9\n{answer}\n')
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    claim = dataclasses.replace(Claim.mine(), host="node7", slurm_job="12")
    assert claim.lives() is lives


QUEUED = """\
7|PENDING|rule_fit_wildcards_e|{folder}
8|RUNNING|rule_readers|{folder}
9|PENDING|rule_report|{folder}/elsewhere
10|PENDING|(null)|{folder}
"""


@pytest.mark.parametrize(
    ("answer", "known"),
    [
        (
            "cat queued",
            ("7 (PENDING, rule_fit_wildcards_e)", "8 (RUNNING, rule_readers)"),
        ),
        ("true", ()),
        ("echo 'fatal: Could not establish a configuration source' >&2; exit 1", ()),
        ("echo 'error: Unable to contact slurm controller' >&2; exit 1", None),
    ],
)
def test_jobs_that_wait_in_a_queue_are_known_by_their_folder(tmp_path, monkeypatch, answer, known):
    squeue = tmp_path / "squeue"
    squeue.write_text(f"#!/bin/sh\n{answer}\n")
    squeue.chmod(0o755)
    (tmp_path / "queued").write_text(QUEUED.format(folder=tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert slurm_jobs_in(tmp_path) == known


def test_without_slurm_nothing_waits_in_its_queue(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert slurm_jobs_in(tmp_path) == ()


def test_the_job_of_slurm_is_in_the_claim(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    write_claim(tmp_path / "claim.json")
    claim = read_claim(tmp_path / "claim.json")
    assert claim.slurm_job == "12"
    assert "Slurm job 12" in str(claim)
