"""The end of a failed job's log comes with its section, without the folders of who ran it."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.parts import Section
from pipeline.stages.log_tail import MOST_LINES, log_tail, with_log_tail
from pipeline.stages.reference import PROJECT_FOLDER


def failed(**failure):
    return Section(id="trsa", title="T", status="failed", sentence="", failure=failure)


def written(folder, text):
    path = folder / "logs" / "worms" / "trsa_gather.log"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


def test_a_failure_takes_the_last_lines_of_the_log_it_names(tmp_path):
    written(tmp_path, "".join(f"line {number}\n" for number in range(1000)))
    section = failed(code="RN-D01", log="logs/worms/trsa_gather.log")
    found = with_log_tail(section, results=tmp_path).failure
    assert found["code"] == "RN-D01"
    lines = found["log_tail"].splitlines()
    assert lines[-1] == "line 999"
    assert len(lines) == MOST_LINES


def test_a_long_line_before_the_end_is_not_read_whole(tmp_path):
    path = written(tmp_path, "x" * 10_000_000 + "\nlast")
    assert log_tail(path).endswith("\nlast")
    assert len(log_tail(path)) < 20_000


def test_what_does_not_apply_takes_the_end_of_its_log_too(tmp_path):
    written(tmp_path, "INFO worms: not applicable: no trials\n")
    section = Section(
        id="trsa",
        title="T",
        status="not_applicable",
        sentence="",
        failure={"code": "ME-N02", "log": "logs/worms/trsa_gather.log"},
    )
    found = with_log_tail(section, results=tmp_path).failure
    assert found["log_tail"] == "INFO worms: not applicable: no trials"


def test_a_section_without_a_log_stays_as_it_is(tmp_path):
    for section in (failed(), failed(log="logs/worms/gone.log")):
        assert with_log_tail(section, results=tmp_path) is section


def test_folders_of_who_ran_the_job_are_not_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    path = written(
        tmp_path,
        f'File "{PROJECT_FOLDER}/pipeline/stages/fit.py", line 9\n{tmp_path}/a.nwb\n'
        "/home/somebody/venv/numpy.py",
    )
    assert log_tail(path).splitlines() == [
        'File "./pipeline/stages/fit.py", line 9',
        "./a.nwb",
        "~/venv/numpy.py",
    ]
    assert str(Path.home()) == "/home/somebody"
