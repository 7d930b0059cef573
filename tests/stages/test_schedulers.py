"""A Slurm is asked whether it keeps accounts, and one that hangs does not hold a run."""

from __future__ import annotations

import pytest

from pipeline.core.errors import EnvironmentFault
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


@pytest.mark.parametrize(
    ("sacct", "config", "asked", "found"),
    [
        ("exit 0", "", "sacct", None),
        ("exit 0", "", "squeue", None),
        ("exit 1", "MinJobAge               = 300 sec", "sacct", "sacct"),
        ("exit 1", "MinJobAge               = 300 sec", "squeue", None),
        ("exit 1", "MinJobAge               = 119 sec", "squeue", "119 s"),
        ("exit 1", "", "squeue", "does not say"),
        (None, "", "sacct", None),
    ],
)
def test_a_run_whose_jobs_nobody_could_watch_is_refused(
    tmp_path, monkeypatch, sacct, config, asked, found
):
    for name, script in (("sacct", sacct), ("scontrol", f"echo '{config}'")):
        if script is not None:
            (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))  # /bin/sh is named by its whole path
    if found is None:
        schedulers.refuse_unwatched(asked, first_look_s=40)
        return
    with pytest.raises(EnvironmentFault, match=f"RN-R28 .*{found}"):
        schedulers.refuse_unwatched(asked, first_look_s=40)
