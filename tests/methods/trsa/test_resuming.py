"""A part that is ended again and again goes on to the same bytes, without making a step twice."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.core.method import Part
from pipeline.core.resuming import Loops
from pipeline.core.rng import stream
from pipeline.io.records import read_record, write_record
from pipeline.methods.trsa.algorithm import Checkpoint, combine, fit_part
from pipeline.methods.trsa.simulate import SIZES, Plan, simulate
from tests.support.trsa_fits import CONFIG, PROVENANCE

FEW = CONFIG.model_copy(
    update={
        "n_comparisons": 3,
        "n_graphs": 19,
        "draws_per_part": 4,
        "n_splits": 3,
        "level_step": 0.5,
        "pairs_per_family": 1,
        "fitted_models": ["weighted"],
        "models": ["direction_deg:circular", "direction_deg"],
        "homology": CONFIG.homology.model_copy(update={"draws_per_part": 2, "max_states": 20}),
    }
)


class Interrupted(BaseException):
    """What ends a process in the middle."""


@pytest.fixture(scope="module")
def views():
    """Of two subjects, with enough conditions for models to be fitted, and two bins of time."""
    with pytest.MonkeyPatch.context() as patched:
        plan = Plan(n_subjects=2, n_units=12, n_conditions=12, n_repeats=4)
        patched.setitem(SIZES, "tiny", plan)
        found, _ = simulate(stream(0, "resuming"), size="tiny")
    return tuple(
        dataclasses.replace(
            view,
            time_bin=np.array([0.1, 0.2]),
            courses=np.stack([view.responses[::-1], view.responses], axis=2),
        )
        for view in found
    )


def part_of(name, views, checkpoint=None, resume=None):
    return fit_part(
        views,
        FEW,
        Part(name),
        stream(5, "part"),
        provenance=PROVENANCE,
        checkpoint=checkpoint,
        resume=resume,
    )


def in_pieces(name, views, n_steps, path):
    """The part, ended after every so many steps, and how many there were in all."""
    resume, counts = None, []

    def ending(left):
        counts[-1] += 1
        if counts[-1] == n_steps:
            write_record(path, left)
            raise Interrupted

    while True:
        counts.append(0)
        try:
            return part_of(name, views, ending, resume), sum(counts)
        except Interrupted:
            resume = read_record(path, Checkpoint)


@pytest.mark.parametrize(
    ("name", "n_subjects", "n_steps"),
    [
        ("permutation-001", 2, 8),
        ("bootstrap-001", 2, 7),
        ("graphs-001", 1, 5),
        ("homology-001", 1, 3),
        ("comparison-000", 2, 2),
    ],
)
def test_it_goes_on_from_wherever_it_was_ended_to_the_same_bytes(
    name, n_subjects, n_steps, views, tmp_path
):
    views = views[:n_subjects]
    steps = []
    write_record(tmp_path / "whole.h5", part_of(name, views, steps.append))
    again, n_again = in_pieces(name, views, n_steps, tmp_path / "left.h5")
    write_record(tmp_path / "again.h5", again)
    assert n_again == len(steps) > n_steps
    assert (tmp_path / "again.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


def test_so_does_the_joining_of_parts(views, tmp_path):
    """Of which only relabellings over subjects along time may take long."""
    parts = {part.name: part_of(part.name, views) for part in FEW.plan()}

    def join(loops):
        return combine(parts, views, FEW, stream(5, "join"), provenance=PROVENANCE, loops=loops)

    told = []
    write_record(tmp_path / "whole.h5", join(Loops(told.append)))
    assert told
    write_record(tmp_path / "left.h5", told[-1])
    left = read_record(tmp_path / "left.h5", Checkpoint)
    write_record(tmp_path / "again.h5", join(Loops(told.append, left)))
    assert len(told) == 1
    assert (tmp_path / "again.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()
