"""What climbing needs and gives, whatever engine does it.

The clustering knows only this: stimuli, responses and slopes along responses are arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.methods.celltypes.objective import Floats

Stimuli = NDArray[np.float32]
"""Shape (stimulus, channel, frame, y, x), in units of the model's input."""


class Goal(Protocol):
    """How good responses are."""

    def __call__(self, responses: Floats, rows: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Value of each stimulus, shape (row,), and slope along responses, shape (row, unit).

        Parameters
        ----------
        responses
            Shape (row, unit).
        rows
            Which stimuli of the batch these are; finished ones have left.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Ascent:
    """How stimuli climb."""

    steps: int
    kind: Literal["normalised", "sgd"] = "normalised"
    """``normalised``: each step is a share of the norm; ``sgd``: the rate times the slope."""
    rate: float = 0.08
    last_rate: float | None = None
    """Rate of the last step, to which it falls evenly; ``rate`` all along where ``None``."""
    smoothing: float = 0.9
    """Weight of the past in the smoothed objective that decides when a stimulus is finished."""
    tolerance: float = 1e-4
    """Rise of the smoothed objective over ten steps that keeps a stimulus going (normalised)."""
    gradient_blur: float = 0.0
    """Width in pixels by which slopes are smoothed in space, falling to half; none where 0."""
    smoothness: float = 0.0
    """Weight of the mean squared Laplacian that is taken off."""
    variation: float = 0.0
    """Weight of the mean absolute difference of neighbours in x, y and time that is taken off."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Climbed:
    """Stimuli after their ascent."""

    stimuli: Stimuli
    responses: Floats
    """To the final stimuli, shape (stimulus, unit)."""
    trace: Floats
    """Value before each step, shape (stimulus, step); NaN after a stimulus was finished."""
    flags: tuple[str, ...]
    """``optimisation_diverged`` or ``flat_objective`` where it happened, else empty."""


class Climber(Protocol):
    """Carries stimuli through a model, as :class:`pipeline.methods.celltypes.stimuli.Engine`."""

    def responses(self, stimuli: Stimuli) -> Floats:
        """Responses to given stimuli, shape (stimulus, unit)."""

    def project(self, stimuli: Stimuli) -> Stimuli:
        """Stimuli within the constraints."""

    def climb(
        self, stimuli: Stimuli, goal: Goal, ascent: Ascent, rng: np.random.Generator
    ) -> Climbed:
        """Stimuli that are better by the goal."""


def initial_stimuli(
    shape: tuple[int, int, int, int, int], rng: np.random.Generator, *, smooth: bool
) -> Stimuli:
    """Normal noise to start from, to be projected; ``smooth`` blurs it over frames and pixels."""
    from scipy.ndimage import gaussian_filter

    noise = rng.standard_normal(shape)
    if smooth:
        noise = gaussian_filter(noise, sigma=(0, 0, 1, 1, 1), mode="wrap")
    return np.asarray(noise / noise.std(), dtype=np.float32)
