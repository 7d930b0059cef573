"""A joining that is ended again and again goes on to the same bytes, and makes no piece twice."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pipeline import registry
from pipeline.core.method import Part
from pipeline.core.provenance import Provenance
from pipeline.core.resuming import ALONE, Checkpoint, Loops
from pipeline.core.rng import stream
from pipeline.io.records import read_record, write_record
from tests.support.quick_settings import QUICK_METHODS

PROVENANCE = Provenance(stage="gather", experiment="e", package_version="0", code_digest="")
FEW = {"n_partitions": 5, "max_iterations": 6, "burn_in": 3}


class Interrupted(BaseException):
    """What ends a process in the middle."""


@pytest.fixture(
    scope="module",
    params=[
        ("connectome", FEW, 7),
        ("biclustering", {}, 2),
        ("celltypes", {}, 1),
        ("celltypes", {"mode": "discrete"}, 3),
    ],
    ids=["connectome", "biclustering", "types through a model", "types by shown stimuli"],
)
def joined(request):
    """The joining of a small fit by the loops it is given, and after how many steps it is ended."""
    name, more, n_steps = request.param
    spec = registry.methods()[name]
    config = spec.config.model_validate({**QUICK_METHODS[name], **more})
    found, _ = spec.room("simulate").simulate(stream(3, name), size="tiny")
    views = found if isinstance(found, tuple) else (found,)
    algorithm = spec.room("algorithm")
    parts = {}
    for number, round_of in enumerate(config.rounds()):
        earlier = {"earlier": dict(parts)} if number else {}
        for part in round_of:
            parts[part.name] = algorithm.fit_part(
                views,
                config,
                Part(part.name),
                stream(5, name, part.name),
                provenance=PROVENANCE,
                **earlier,
            )

    def join(loops):
        rng = stream(5, name, "combine")
        return algorithm.combine(parts, views, config, rng, provenance=PROVENANCE, loops=loops)

    return join, n_steps


def in_turns(join, n_steps, path):
    """The joining, ended after every few steps that were told, and how many there were in all."""
    resume, told = None, []

    def ending(left):
        told.append(left)
        if len(told) % n_steps == 0:
            write_record(path, left)
            raise Interrupted

    for attempt in itertools.count(1):
        try:
            return join(Loops(ending, resume)), len(told), attempt
        except Interrupted:
            resume = read_record(path, Checkpoint)
    raise AssertionError


def test_it_goes_on_from_wherever_it_was_ended_to_the_same_bytes(joined, tmp_path):
    join, n_steps = joined
    write_record(tmp_path / "alone.h5", join(ALONE))
    told = []
    write_record(tmp_path / "whole.h5", join(Loops(told.append)))
    again, n_told, attempts = in_turns(join, n_steps, tmp_path / "left.h5")
    write_record(tmp_path / "again.h5", again)
    assert n_told == len(told) >= 2
    assert attempts == 1 + n_told // n_steps > 1
    alone = (tmp_path / "alone.h5").read_bytes()
    assert (tmp_path / "whole.h5").read_bytes() == alone
    assert (tmp_path / "again.h5").read_bytes() == alone


def test_arrays_lie_in_memory_as_they_did(tmp_path):
    told = []
    drawn = stream(1, "drawn").normal(size=(5, 3))
    made = {"row": drawn, "column": np.asfortranarray(drawn), "one": np.array(2.5)}
    assert Loops(told.append).piece(lambda _: made) is made
    write_record(tmp_path / "left.h5", told[0])
    again = Loops(told.append, read_record(tmp_path / "left.h5", Checkpoint)).piece(lambda _: {})
    assert {name: array.strides for name, array in again.items()} == {
        name: array.strides for name, array in made.items()
    }
    assert all((again[name] == made[name]).all() for name in made)
