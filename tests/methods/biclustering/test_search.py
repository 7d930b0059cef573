"""The search for a first partition keeps clusters that the evidence is for."""

from __future__ import annotations

import numpy as np

from pipeline.methods.biclustering.model import Priors
from pipeline.methods.biclustering.sampler.position import Problem
from pipeline.methods.biclustering.sampler.search import search
from pipeline.methods.biclustering.simulate import planted_counts
from pipeline.numerics.partitions import adjusted_rand_index


def test_clusters_of_a_small_recording_are_not_merged_for_want_of_evidence():
    data, planted = planted_counts(np.random.default_rng(2), n_units=30, n_bins=500)
    found = search(Problem.of(data, Priors()), np.random.default_rng(1000), "one")
    assert adjusted_rand_index(planted.cluster, found.cluster) > 0.9
