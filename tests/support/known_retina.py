"""The simulated ganglion cells themselves as the model, all looking at the middle of the screen."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from pipeline.methods.celltypes.clustering import features
from pipeline.methods.celltypes.constraints import Constraints
from pipeline.methods.celltypes.population import Population
from pipeline.methods.celltypes.simulate import CHANNELS, N_LAGS, cells, movie
from pipeline.methods.celltypes.stimuli import Engine

SIDE = 9
"""Pixels along x and y with which all simulated cells are in the middle."""
WINDOW = 10
N_FRAMES = 900


def known_population(rng, kinds, sizes):
    """Cells of some types, so many of each, as the clustering sees them; and their types."""
    kinds = [dataclasses.replace(kind, n_cells=n) for kind, n in zip(kinds, sizes, strict=True)]
    truth = cells(rng, kinds, n_pixels=SIDE)
    n = truth.unit.size
    filters = np.einsum("uc,uxy->ucyx", truth.channel_weight, truth.spatial_filter) / np.sqrt(2)
    filters = torch.as_tensor(filters.reshape(n, -1), dtype=torch.float32)
    kernel = torch.as_tensor(truth.temporal_filter[:, ::-1].copy(), dtype=torch.float32)
    answer = truth.answer[truth.type_of_unit]
    both, suppressed = (torch.as_tensor(answer == one) for one in ("both", "suppressed"))

    def rates(stimuli):
        """Stimuli (s, channel, frame, x, y) to spikes (s, answered frame, unit)."""
        seen = stimuli.transpose(1, 2).flatten(2) @ filters.T
        drive = (seen.unfold(1, N_LAGS, 1) * kernel).sum(-1)
        half = torch.nn.functional.softplus(1.4 * drive - 0.6)
        of_both = torch.nn.functional.softplus(1.4 * drive.abs() - 0.8)
        of_suppressed = 1.6 * torch.exp(-0.7 * drive.abs())
        return torch.where(both, of_both, torch.where(suppressed, of_suppressed, half))

    frames = movie(rng, N_FRAMES, n_pixels=SIDE + 1)[..., :SIDE, :SIDE].astype(np.float32)
    shown = torch.as_tensor(frames.transpose(1, 0, 2, 3)[None])
    traces = rates(shown)[0]
    mean, spread = traces.mean(0), traces.std(0)

    def respond(stimuli):
        return (rates(stimuli)[:, -WINDOW:].mean(1) - mean) / spread

    shape = (len(CHANNELS), N_LAGS - 1 + WINDOW, SIDE, SIDE)
    low, high = (np.quantile(frames, q, axis=(0, 2, 3)) for q in (0.005, 0.995))
    return (
        Population(
            engine=Engine(
                respond,
                Constraints(
                    norm=0.6 * float(frames.std() * np.sqrt(np.prod(shape))),
                    low=low,
                    high=high,
                    lowpass_sigma=0.5,
                ),
            ),
            points=features(traces.numpy()),
            shape=shape,
        ),
        truth.type_of_unit,
    )
