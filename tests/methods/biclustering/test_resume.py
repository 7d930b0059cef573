"""A chain that goes on from a checkpoint in a file makes the same draws to the bit."""

from __future__ import annotations

import dataclasses

import numpy as np

from pipeline.core.rng import stream
from pipeline.io.records import read_record, write_record
from pipeline.methods.biclustering.algorithm import Checkpoint
from pipeline.methods.biclustering.model import Draws, Priors, Schedule
from pipeline.methods.biclustering.problem import problem_of
from pipeline.methods.biclustering.sampler.chain import run_chain
from pipeline.methods.biclustering.simulate import simulate
from tests.support.small_biclusters import config_of


def test_a_chain_goes_on_from_a_file_to_the_same_draws(tmp_path):
    view, _ = simulate(stream(0, "resume"), size="tiny")
    data = problem_of(view, config_of()).data
    schedule = Schedule(n_tune=8, n_draws=10, n_trajectories=4)
    priors = Priors(n_states=3)

    def keep(checkpoint):
        if checkpoint.sweep == 12:
            write_record(tmp_path / "checkpoint.h5", checkpoint)

    whole = run_chain(data, priors, schedule, stream(1, "chain"), checkpoint=keep)
    saved = read_record(tmp_path / "checkpoint.h5", Checkpoint)
    # Another stream: all that is random comes from the checkpoint.
    again = run_chain(data, priors, schedule, stream(2, "other"), resume=saved)
    for field in dataclasses.fields(Draws):
        first, second = getattr(whole, field.name), getattr(again, field.name)
        if field.name == "moves":
            assert dict(first) == dict(second)
        else:
            np.testing.assert_array_equal(first, second, err_msg=field.name)
