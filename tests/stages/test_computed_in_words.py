"""The page says by which code, jobs and machines it was made."""

from __future__ import annotations

import json

import pytest

import pipeline
from pipeline.stages.machine import COMMIT_VARIABLE
from pipeline.stages.provenance import computed_in_words, write_provenance


@pytest.fixture
def folder(tmp_path):
    for number, threads in enumerate((1, 2, 1)):
        facts = {
            "host": f"node{number % 2}",
            "slurm_job": str(9 + number),
            "threads": threads,
            "system": "Linux",
        }
        (tmp_path / f"part{number}.run.json").write_text(json.dumps(facts))
    return tmp_path


def test_jobs_threads_hosts_and_the_scheduler_s_numbers_are_told(folder):
    told = computed_in_words(folder, redact=False)
    assert "3 jobs with 1, 2 threads on node0, node1; Slurm jobs 9, 10, 11." in told
    assert "commit" in told


def test_a_redacted_page_names_neither_hosts_nor_jobs(folder):
    told = computed_in_words(folder, redact=True)
    assert "3 jobs with 1, 2 threads. " in told
    assert "node" not in told
    assert "Slurm" not in told


def test_the_kind_of_processor_is_told_and_no_secret(tmp_path):
    facts = {"host": "desk", "slurm_job": "", "threads": 1, "processor": "Ryzen 9"}
    (tmp_path / "one.run.json").write_text(json.dumps(facts))
    assert "on desk (Ryzen 9)." in computed_in_words(tmp_path, redact=False)
    assert "1 job with 1 thread on Ryzen 9." in computed_in_words(tmp_path, redact=True)


@pytest.mark.parametrize("redact", [False, True])
def test_devices_are_told_of_jobs_that_made_records(tmp_path, redact):
    for name, device in (("fit", "cuda (NVIDIA H200)"), ("view", "cpu"), ("report", None)):
        facts = {"host": "desk", "threads": 1, **({"device": device} if device else {})}
        (tmp_path / f"{name}.run.json").write_text(json.dumps(facts))
    told = computed_in_words(tmp_path, redact=redact)
    assert "; computed on cpu, cuda (NVIDIA H200)." in told


def test_a_redacted_collection_of_facts_names_no_files(tmp_path):
    facts = {"stage": "assess", "inputs": {"../anna/truth.h5": "0"}, "started": {"out": "anna"}}
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "checks.run.json").write_text(json.dumps(facts | {"processor": "Ryzen 9"}))
    output = tmp_path / "provenance.json"
    write_provenance(
        out=tmp_path, recordings={"e": []}, settings={}, changed=[], redact=True, output=output
    )
    assert "anna" not in output.read_text()
    assert "Ryzen 9" in output.read_text()


def test_jobs_of_no_scheduler_are_told_without_numbers(tmp_path):
    facts = {"host": "desk", "slurm_job": "", "threads": 1}
    (tmp_path / "one.run.json").write_text(json.dumps(facts))
    assert "1 job with 1 thread on desk." in computed_in_words(tmp_path, redact=False)


def jobs_of(folder, *codes):
    """What jobs told of their code, in results that were kept over an upgrade."""
    folder.mkdir()
    for number, code in enumerate(codes):
        facts = {"stage": "fit", "host": "desk", "threads": 1, **code}
        (folder / f"job{number}.run.json").write_text(json.dumps(facts))
    return folder


OLD = {"package_version": "1.0", "commit": "aaaa", "changed_since_commit": False}
NEW = {"package_version": "2.0", "commit": "bbbb", "changed_since_commit": True}


@pytest.fixture
def run_by_new_code(monkeypatch):
    commit = {"commit": "bbbb", "changed_since_commit": True}
    monkeypatch.setenv(COMMIT_VARIABLE, json.dumps(commit))
    monkeypatch.setattr(pipeline, "__version__", "2.0")


@pytest.mark.usefixtures("run_by_new_code")
def test_every_code_that_had_a_part_is_told(tmp_path):
    told = computed_in_words(jobs_of(tmp_path / "e", OLD, NEW, OLD), redact=False)
    expected = (
        "Code of commit aaaa of version 1.0 (2 jobs), "
        "commit bbbb, with changes since, of version 2.0 (1 job). "
    )
    assert expected in told


@pytest.mark.usefixtures("run_by_new_code")
def test_a_page_written_by_newer_code_than_all_else_says_so(tmp_path):
    page = {**OLD, "stage": "report"}  # of the page that is being replaced
    told = computed_in_words(jobs_of(tmp_path / "e", OLD, OLD, page), redact=True)
    assert "Code of commit aaaa of version 1.0; this page by that of commit bbbb, with" in told
    assert "2 jobs with" in told


@pytest.mark.usefixtures("run_by_new_code")
def test_the_collection_counts_jobs_by_their_code(tmp_path):
    jobs_of(tmp_path / "e", OLD, NEW, OLD)
    output = tmp_path / "provenance.json"
    write_provenance(
        out=tmp_path, recordings={"e": []}, settings={}, changed=[], redact=False, output=output
    )
    code = json.loads(output.read_text())["experiments"]["e"]["code"]
    assert code == [{**OLD, "jobs": 2}, {**NEW, "jobs": 1}]


@pytest.mark.usefixtures("run_by_new_code")
def test_jobs_that_told_only_their_commit_are_not_taken_for_others(tmp_path):
    told = {key: NEW[key] for key in NEW if key != "package_version"}
    words = computed_in_words(jobs_of(tmp_path / "e", told), redact=False)
    assert "Code of commit bbbb, with changes since. 1 job" in words
