"""The search for a first partition keeps clusters that the evidence is for."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.io.records import read_record, write_record
from pipeline.methods.biclustering.model import Checkpoint, Priors
from pipeline.methods.biclustering.sampler.position import Problem
from pipeline.methods.biclustering.sampler.search import search
from pipeline.methods.biclustering.simulate import planted_counts
from pipeline.numerics.partitions import adjusted_rand_index


def test_clusters_of_a_small_recording_are_not_merged_for_want_of_evidence():
    data, planted = planted_counts(np.random.default_rng(2), n_units=30, n_bins=500)
    found = search(Problem.of(data, Priors()), np.random.default_rng(1000), "one")
    assert adjusted_rand_index(planted.cluster, found.cluster) > 0.9


class Interrupted(BaseException):
    """What ends a process in the middle."""


@pytest.mark.parametrize("start", ["many", "random"])
def test_a_search_that_is_ended_after_every_climb_finds_the_same(start, tmp_path):
    data, _ = planted_counts(np.random.default_rng(2), n_units=12, n_bins=60)
    path = tmp_path / "left.h5"

    def ending(left):
        write_record(path, left)
        raise Interrupted

    def found(rng, checkpoint, resume=None):
        return search(Problem.of(data, Priors()), rng, start, checkpoint=checkpoint, resume=resume)

    climbs, rng = [], np.random.default_rng(7)
    whole = found(rng, climbs.append)
    drawn_after = rng.random(3).tolist()
    resume = None
    for _ in climbs:
        with pytest.raises(Interrupted):
            found(np.random.default_rng(7 if resume is None else 8), ending, resume)
        resume = read_record(path, Checkpoint)
    # Another stream: all that is random comes from the checkpoint.
    rng = np.random.default_rng(9)
    again = found(rng, ending, resume)
    assert len(climbs) >= 6
    for name in ("cluster", "x", "beta", "size"):
        assert getattr(again, name).tobytes() == getattr(whole, name).tobytes()
    assert again.score == whole.score
    assert rng.random(3).tolist() == drawn_after
