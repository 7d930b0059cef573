"""The page says by which code, jobs and machines it was made."""

from __future__ import annotations

import json

import pytest

from pipeline.stages.provenance import computed_in_words


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


def test_jobs_of_no_scheduler_are_told_without_numbers(tmp_path):
    facts = {"host": "desk", "slurm_job": "", "threads": 1}
    (tmp_path / "one.run.json").write_text(json.dumps(facts))
    assert "1 job with 1 thread on desk." in computed_in_words(tmp_path, redact=False)
