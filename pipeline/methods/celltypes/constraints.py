"""Which stimuli may be shown: their norm, range and smoothness, and their way to a display."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensor = Any  # a torch.Tensor; torch is imported by the engine only

LOWPASS_TAPS = 5
TINY = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Constraints:
    """What every stimulus is brought back to after every step, in units of the model's input."""

    norm: float | None = None
    """Euclidean norm over channels, frames and pixels; no bound where ``None``."""
    low: NDArray[np.float64] | None = None
    """Lowest value of each channel, shape (channel,); no bound where ``None``."""
    high: NDArray[np.float64] | None = None
    lowpass_sigma: float = 0.0
    """Width in frames of the temporal low-pass (five taps); none where 0."""
    window: NDArray[np.float64] | None = None
    """Share of each pixel that is kept, shape (y, x); all where ``None``."""

    def __post_init__(self) -> None:
        if self.norm is not None and not self.norm > 0:
            raise ValueError(f"The norm of stimuli is {self.norm:g}; it must be above 0.")
        if (self.low is None) != (self.high is None):
            raise ValueError("Stimuli need both a lowest and a highest value, or neither.")
        if self.low is not None and self.high is not None and not np.all(self.low < self.high):
            raise ValueError("The lowest value of stimuli must be below the highest.")

    def project(self, stimuli: Tensor) -> Tensor:
        """Stimuli within the constraints, shape (stimulus, channel, frame, y, x).

        In this order, since the last two do not commute: low-pass and window, rescaling to the
        norm, clipping. Clipping may leave the norm below its bound.
        """
        return self.projection(stimuli)(stimuli)

    def projection(self, like: Tensor) -> Callable[[Tensor], Tensor]:
        """:meth:`project` for many stimuli of one device and precision, one batch after another."""
        window = None if self.window is None else like.new_tensor(self.window)
        bounds = (
            None
            if self.low is None or self.high is None
            else [like.new_tensor(bound).view(1, -1, 1, 1, 1) for bound in (self.low, self.high)]
        )

        def project(stimuli: Tensor) -> Tensor:
            if self.lowpass_sigma > 0:
                stimuli = _lowpass(stimuli, self.lowpass_sigma)
            if window is not None:
                stimuli = stimuli * window
            if self.norm is not None:
                size = stimuli.flatten(1).norm(dim=1).clamp_min(TINY)
                stimuli = stimuli * (self.norm / size).view(-1, 1, 1, 1, 1)
            return stimuli if bounds is None else stimuli.clamp(*bounds)

        return project


def _lowpass(stimuli: Tensor, sigma: float) -> Tensor:
    """Stimuli smoothed over frames by a Gaussian of five taps, with zeros beyond the ends."""
    tap = np.arange(LOWPASS_TAPS) - LOWPASS_TAPS // 2
    kernel = np.exp(-0.5 * (tap / sigma) ** 2)
    kernel /= kernel.sum()
    reach = LOWPASS_TAPS // 2
    n_frames = stimuli.shape[2]
    padded = stimuli.new_zeros((*stimuli.shape[:2], n_frames + 2 * reach, *stimuli.shape[3:]))
    padded[:, :, reach : reach + n_frames] = stimuli
    return sum(
        float(weight) * padded[:, :, shift : shift + n_frames]
        for shift, weight in enumerate(kernel)
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Display:
    """The affine map from the model's input to what a display shows, channel by channel.

    A displayed value is ``gain * value + offset``, from 0 (darkest) to 1 (brightest).
    """

    gain: NDArray[np.float64]
    """Shape (channel,)."""
    offset: NDArray[np.float64]

    @classmethod
    def of_range(cls, low: NDArray[np.float64], high: NDArray[np.float64]) -> Display:
        """The map under which the lowest value is 0 and the highest 1."""
        return cls(gain=1 / (high - low), offset=-low / (high - low))

    def shown(self, stimuli: NDArray[np.floating]) -> NDArray[np.float64]:
        """Displayed values, shape as given: (stimulus, channel, frame, y, x)."""
        shape = (1, -1, 1, 1, 1)
        return np.asarray(stimuli * self.gain.reshape(shape) + self.offset.reshape(shape))

    def out_of_gamut(self, stimuli: NDArray[np.floating]) -> float:
        """Share of values that the display cannot show; 0 for stimuli within their range."""
        shown = self.shown(stimuli)
        # Single precision at the very border is not a value that cannot be shown.
        return float(np.mean((shown < -1e-6) | (shown > 1 + 1e-6)))
