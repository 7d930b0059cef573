"""Populations of linear-nonlinear units of planted types, as the clustering sees them."""

from __future__ import annotations

import numpy as np
import torch

from pipeline.methods.celltypes.clustering import features
from pipeline.methods.celltypes.constraints import Constraints
from pipeline.methods.celltypes.population import Population
from pipeline.methods.celltypes.stimuli import Engine
from tests.support.response_banks import bank

SIDE = 8


def planted_filters(rng, sizes, *, spread=0.2):
    """Filters of types that have nothing in common, each unit's a little different."""
    base = rng.standard_normal((len(sizes), SIDE, SIDE))
    base /= np.linalg.norm(base, axis=(1, 2), keepdims=True)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return base[labels] + spread * rng.standard_normal((labels.size, SIDE, SIDE)) / SIDE, labels


def population_of(filters, *, gain=2.0, nonlinearity="softplus", norm=4.0, seed=0):
    """Units on the scale of their own answers to noise."""
    n = len(filters)
    respond = bank(gain * filters, np.ones(n), np.zeros(n), nonlinearity)
    noise = np.random.default_rng(seed).standard_normal((400, 1, 1, SIDE, SIDE))
    plain = Engine(respond, Constraints(norm=norm)).responses(noise.astype(np.float32))
    mean, spread = (
        torch.as_tensor(values, dtype=torch.float32) for values in (plain.mean(0), plain.std(0))
    )

    def scaled(stimuli):
        return (respond(stimuli) - mean) / spread

    return Population(
        engine=Engine(scaled, Constraints(norm=norm)),
        points=features(plain),
        shape=(1, 1, SIDE, SIDE),
    )
