"""The units of an encoding model as the clustering sees them: an engine, points, constraints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.core.views import StimulusResponses
from pipeline.methods.celltypes.ascent import Ascent
from pipeline.methods.celltypes.clustering import Rule, features
from pipeline.methods.celltypes.config import CelltypesConfig
from pipeline.methods.celltypes.constraints import Constraints
from pipeline.methods.celltypes.encoding.fit import DEVICE_SETTING, EncodingFit
from pipeline.methods.celltypes.objective import Floats, Normalisation
from pipeline.methods.celltypes.remembering import Remembered, RememberingClimber
from pipeline.methods.celltypes.splitting import SplitRule, gaussian_mix
from pipeline.methods.celltypes.stimuli import Engine, Respond
from pipeline.numerics.device import device_of

Tensor = Any  # torch.Tensor

TRAINING_FRAMES = 1_800
"""Of the training stimulus whose answers k-means is given."""
WINDOW_WIDTHS = 1.5
"""Stimuli may fade beyond so many widths of the largest receptive field."""
LAST_RATE = 0.01
"""Of the steps of an ascent to the end."""
AUTO_SHARE, AUTO_LEAST = 0.005, 3
"""Fewest units of a type: a share of all, and no fewer than this."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Population:
    """What a clustering works on."""

    engine: Engine | RememberingClimber
    points: Floats
    """Answers of centred units to the training stimulus in few numbers, shape (unit, feature)."""
    shape: tuple[int, int, int, int]
    """Of a stimulus: channel, frame, y, x."""

    def remembering(
        self, checkpoint: Callable[[Remembered], None] | None, resume: Remembered | None
    ) -> Population:
        """With an engine that remembers its ascents; as it is where they are not asked for."""
        if checkpoint is None:
            return self
        return replace(self, engine=RememberingClimber(self.engine, checkpoint, resume))

    def without_types(self, rng: np.random.Generator) -> Population:
        """As many units of one Gaussian population with the same mean and covariance.

        Mean and covariance of the answers to any stimulus are those of the units; beyond these two
        nothing of the units is left, types least of all.
        """
        if not isinstance(self.engine, Engine):
            raise TypeError("Surrogates are made before their ascents are remembered.")
        n = len(self.points)
        mix = gaussian_mix(np.arange(n), n, rng)
        return Population(
            engine=Engine(
                _mixed(self.engine.respond, mix), self.engine.constraints, self.engine.device
            ),
            points=mix @ self.points,
            shape=self.shape,
        )


def population(
    fit: EncodingFit,
    views: Sequence[StimulusResponses],
    config: CelltypesConfig,
    *,
    threads: int,
    chosen: NDArray[np.bool_] | None = None,
    scaled_by: NDArray[np.bool_] | None = None,
) -> Population:
    """Units that a model predicts well enough, ready to be clustered.

    Parameters
    ----------
    fit
        The model.
    views
        The recordings it was fitted to.
    config
        The method's settings.
    threads
        Of torch.
    chosen
        Which of the model's units; those that passed its filter where ``None``.
    scaled_by
        Units that set the least spread of answers; those that passed where ``None``.
    """
    torch.set_num_threads(threads)
    used = fit.units["used"].to_numpy(dtype=bool) if chosen is None else chosen
    units = np.flatnonzero(used)
    device = device_of(config.device, setting=DEVICE_SETTING)
    floor = least_spread(fit, config, scaled_by)
    normalise = normalisation(fit, units, config, floor=floor)
    return Population(
        engine=Engine(
            _normalised(fit.model.responses, units, normalise, device),
            constraints(fit, config),
            device,
        ),
        points=features(training_answers(fit, views)[:, units]),
        shape=stimulus_shape(fit, config),
    )


def normalisation(
    fit: EncodingFit,
    units: NDArray[np.intp],
    config: CelltypesConfig,
    *,
    floor: float | None = None,
) -> Normalisation:
    """Offset and scale of units from their predicted answers to the training stimulus.

    ``floor`` is the least scale; :func:`least_spread` where it is ``None``.
    """
    if not config.loop.normalise:
        return Normalisation(np.zeros(units.size), np.ones(units.size), floor=1.0)
    least = least_spread(fit, config) if floor is None else floor
    return Normalisation(fit.mean[units], fit.sd[units], floor=least)


def least_spread(
    fit: EncodingFit, config: CelltypesConfig, units: NDArray[np.bool_] | None = None
) -> float:
    """Least spread of answers: a share of the median of some units, of those that passed at first.

    ``units`` has shape (unit,).
    """
    chosen = fit.units["used"].to_numpy(dtype=bool) if units is None else units
    spread = fit.sd[chosen] if chosen.any() else fit.sd
    return max(config.loop.floor * float(np.median(spread)), 1e-9)


def stimulus_shape(fit: EncodingFit, config: CelltypesConfig) -> tuple[int, int, int, int]:
    """Channels, frames, and pixels along y and x, of a stimulus."""
    design = fit.model.design
    told = config.stimulus.frames
    n_frames = fit.model.shortest if told == "auto" else max(int(told), fit.model.shortest)
    return design.n_channels, n_frames, *design.grid


def constraints(fit: EncodingFit, config: CelltypesConfig) -> Constraints:
    """Norm, range and smoothness of stimuli, by the training stimulus."""
    scale = fit.model.scale
    shape = stimulus_shape(fit, config)
    settings = config.stimulus
    return Constraints(
        norm=settings.norm_share * scale.rms * float(np.sqrt(np.prod(shape))),
        low=scale.low if settings.clip else None,
        high=scale.high if settings.clip else None,
        lowpass_sigma=settings.lowpass_sigma if shape[1] > 1 else 0.0,
        window=_window(fit) if settings.window else None,
    )


def _window(fit: EncodingFit) -> Floats:
    """1 in the middle, falling softly to 0 beyond the largest receptive field."""
    y, x = (np.arange(size) - (size - 1) / 2 for size in fit.model.design.grid)
    radius = WINDOW_WIDTHS * float(fit.units["field_width"].max())
    away = np.hypot(y[:, None], x[None, :]) - radius
    return np.asarray(1 / (1 + np.exp(2 * away)))


def training_answers(fit: EncodingFit, views: Sequence[StimulusResponses]) -> NDArray[np.float32]:
    """Answers of centred units to stretches of the training stimulus, shape (frame, unit)."""
    stretches = [
        (view, int(first), int(stop))
        for view in views
        for first, stop, role in view.stretches[["first", "stop", "role"]].itertuples(index=False)
        if role == "train"
    ]
    total = sum(stop - first for _, first, stop in stretches)
    every = max(1, total // TRAINING_FRAMES)
    pieces = [
        fit.model.traces(fit.model.scale.scaled(np.asarray(view.stimulus[first:stop])))
        for view, first, stop in stretches[::every]
    ]
    return np.concatenate(pieces)


def loop_rule(config: CelltypesConfig, *, steps: int) -> Rule:
    """How the loop goes, with so many steps before clusters are compared."""
    return Rule(
        temperature=config.loop.temperature,
        ascent=_ascent(config, config.ascent.steps, last=config.ascent.rate),
        polish=_ascent(config, steps, last=LAST_RATE),
        max_iterations=config.loop.max_iterations,
        balanced=config.loop.balanced,
    )


def _ascent(config: CelltypesConfig, steps: int, *, last: float) -> Ascent:
    settings = config.ascent
    normalised = settings.optimizer == "normalised"
    return Ascent(
        kind=settings.optimizer,
        rate=settings.rate,
        last_rate=min(last, settings.rate) if normalised else None,
        steps=steps,
        smoothing=settings.smoothing,
        tolerance=settings.tolerance,
        gradient_blur=config.stimulus.gradient_blur,
        smoothness=config.stimulus.smoothness,
        variation=config.stimulus.variation,
    )


def split_rule(config: CelltypesConfig, n_units: int) -> SplitRule:
    """What splits and merges need."""
    settings = config.split
    told = settings.min_cells
    least = max(AUTO_LEAST, round(AUTO_SHARE * n_units)) if told == "auto" else int(told)
    return SplitRule(
        min_pair_fraction=settings.min_pair_fraction,
        merge_pair_fraction=settings.merge_pair_fraction,
        min_cells=least,
        max_clusters=settings.max_clusters,
        passes=settings.passes,
        null_from=None if settings.null_from == "never" else int(settings.null_from),
        temperature=None if settings.temperature == "auto" else float(settings.temperature),
    )


def _normalised(
    respond: Respond, units: NDArray[np.intp], normalise: Normalisation, device: str
) -> Respond:
    index = torch.as_tensor(units, device=device)
    offset, divisor = (
        torch.as_tensor(values, dtype=torch.float32, device=device)
        for values in (normalise.offset, normalise.divisor)
    )

    def answers(stimuli: Tensor) -> Tensor:
        return (respond(stimuli)[:, index] - offset) / divisor

    return answers


def _mixed(respond: Respond, mix: Floats) -> Respond:
    weights = torch.as_tensor(mix.T, dtype=torch.float32)

    def answers(stimuli: Tensor) -> Tensor:
        found = respond(stimuli)
        return found @ weights.to(found.device)

    return answers
