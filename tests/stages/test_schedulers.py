"""A Slurm is asked whether it keeps accounts, and one that hangs does not hold a run."""

from __future__ import annotations

import pytest

from pipeline.stages import schedulers

WITHOUT = ("--slurm-status-command", "squeue", "--slurm-no-account")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exit 0", ()),
        ("echo 'Slurm accounting storage is disabled' >&2; exit 1", WITHOUT),
        ("exec sleep 60", WITHOUT),
        (None, WITHOUT),
    ],
    ids=["answers", "refuses", "hangs", "missing"],
)
def test_jobs_are_watched_by_what_answers(tmp_path, monkeypatch, capsys, script, words):
    if script is not None:
        command = tmp_path / "sacct"
        command.write_text(f"#!/bin/sh\n{script}\n")
        command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin" if script else str(tmp_path))
    monkeypatch.setattr(schedulers, "SECONDS_TO_ANSWER", 1)
    assert schedulers.words_for_slurm() == words
    assert ("keeps no accounts" in capsys.readouterr().err) == bool(words)
