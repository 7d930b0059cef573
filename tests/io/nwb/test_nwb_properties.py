"""Sound files are read without a remark; damaged ones never end in a defect of ours or a hang."""

import dataclasses
import os
import signal
import tempfile
import time
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pipeline.core.errors import CODES
from pipeline.core.recording import BehaviourSeries, StimulusMovie
from pipeline.io.nwb.write import write_recording
from tests.support import random_defects, small_recordings
from tests.support.bad_inputs import opens_of
from tests.support.nwb_factory import imaging_file, probe_file, read
from tests.support.random_defects import (
    FOREIGN,
    HANG_OF_HDF5,
    NOT_DAMAGED,
    OF_BYTES,
    PIPE,
    defects,
    outcome,
    verdict,
)
from tests.support.random_recordings import recordings

SHORT = settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
LONG = settings(SHORT, max_examples=60)


def check_accepted(recording):
    """The file of a sound recording is read, and nothing about it is worth more than an aside."""
    events = getattr(recording.activity, "signal", "") == "events"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "day1.nwb"
        write_recording(path, recording)
        _, notes = read(path, series="Events" if events else "")
    assert [note for note in notes if note.kind != "info"] == []


@SHORT
@given(recordings(benign=True))
def test_a_sound_recording_is_accepted_without_a_warning(recording):
    check_accepted(recording)


@pytest.mark.slow
@LONG
@given(recordings(benign=True))
def test_many_sound_recordings_are_accepted_without_a_warning(recording):
    check_accepted(recording)


def rich(kind):
    """A recording with one of everything beside its activity."""
    plain = small_recordings.calcium() if kind == "calcium" else small_recordings.spikes()
    turns = small_recordings.intervals([(0.0, 2.0, "a"), (3.0, 4.0, "b"), (5, 6, "a")], "condition")
    n_units = plain.activity.n_units
    frames = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    steps = BehaviourSeries(
        values=np.arange(8.0).reshape(4, 2), time=np.array([0.0, 1, 2, 4]), value_unit="rad"
    )
    return dataclasses.replace(
        plain,
        units=plain.units.assign(
            region=["V1"] * n_units, depth=np.arange(n_units), x_um=0.5 + np.arange(n_units)
        ),
        trials=turns.assign(tags=["a+b", "a", ""], contrast=[0.1, 0.2, 0.3]),
        epochs=small_recordings.intervals([(0.0, 9.0, "dark")], "label"),
        intervals={"licks": turns[["start_s", "stop_s"]].assign(side=[1, 2, 1])},
        stimuli={"noise": StimulusMovie(values=frames, time=np.arange(4.0), value_unit="lux")},
        behaviour={
            "posture": steps,
            "speed": dataclasses.replace(steps, values=steps.values[:, :1]),
        },
    )


@cache
def sound_files():
    """Files of both kinds as bytes, with the options under which they are read."""
    with tempfile.TemporaryDirectory() as folder:
        imaging = imaging_file(Path(folder) / "imaging.nwb", compressed=True).read_bytes()
        probe = probe_file(Path(folder) / "probe.nwb").read_bytes()
        written = []
        for kind in ("calcium", "spikes"):
            path = Path(folder) / f"{kind}.nwb"
            write_recording(path, rich(kind))
            written.append(path.read_bytes())
        # Here and not in every process that judges a file: what a first reading imports.
        assert outcome(Path(folder) / "spikes.nwb", {}) == "read"
    named = {"condition": ("grating",)}
    return (
        (imaging, named | {"identity": "neuron"}),
        (probe, named),
        *((raw, {"region": "region"}) for raw in written),
    )


def check_defect(which, defect):
    raw, options = sound_files()[which]
    with tempfile.TemporaryDirectory() as folder:
        path, foreign = Path(folder) / "data" / "day1.nwb", Path(folder) / FOREIGN
        for file in (path, foreign):
            file.parent.mkdir()
            file.write_bytes(raw)
        os.mkfifo(path.with_name(PIPE))
        with opens_of([foreign.parent]) as opened:
            found = verdict(path, defect, **options)
    assert opened == []
    assume(found != NOT_DAMAGED)
    if defect.kind in OF_BYTES and found == HANG_OF_HDF5:
        return  # nothing in Python can stop it; the scheduler's limit of time does
    assert found == "read" or found in CODES, found


FILES = st.integers(0, 3)


@pytest.mark.parametrize("which", range(4))
def test_the_files_are_sound_before_they_are_damaged(which, tmp_path):
    raw, options = sound_files()[which]
    (tmp_path / "day1.nwb").write_bytes(raw)
    assert verdict(tmp_path / "day1.nwb", **options) == "read"


@settings(SHORT, max_examples=60)
@given(FILES, defects())
def test_a_defect_never_ends_in_a_crash_or_a_hang(which, defect):
    check_defect(which, defect)


@pytest.mark.slow
@settings(SHORT, max_examples=150)
@given(FILES, defects())
def test_no_defect_of_many_ends_in_a_crash_or_a_hang(which, defect):
    check_defect(which, defect)


def test_a_defect_of_ours_a_hang_and_a_crash_would_be_seen(tmp_path, monkeypatch):
    raw, options = sound_files()[0]
    (tmp_path / "day1.nwb").write_bytes(raw)
    ends = {
        "ZeroDivisionError": lambda *_: 1 / 0,
        "died with -11": lambda *_: os.kill(os.getpid(), signal.SIGSEGV),
        "hangs": lambda *_: time.sleep(60),
    }
    monkeypatch.setattr(random_defects, "LIMIT_S", 1.0)
    for words, end in ends.items():
        monkeypatch.setattr(random_defects, "_inspected", end)
        assert words in verdict(tmp_path / "day1.nwb", **options)
