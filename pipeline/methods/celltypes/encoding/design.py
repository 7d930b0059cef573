"""How encoding models are built: sizes only, so that a stored model can be built again."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from pipeline.methods.celltypes.encoding.config import NetworkName, ReadoutName

OutputName = Literal["rate", "rate_with_offset"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A convolution in space, then one in time; each feature has a kernel in time of its own."""

    kernel: int
    """Pixels along each side; odd."""
    stride: int
    frames: int
    """Frames the kernel in time spans."""
    depthwise: bool
    """Whether each feature is filtered by itself in space before they are mixed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """All sizes of a model."""

    network: NetworkName | Literal["supplied"]
    n_units: int
    n_channels: int
    grid: tuple[int, int]
    """Pixels along y and x."""
    memory: int
    """Frames an answer depends on: that in which it is given and those before."""
    output: OutputName
    """``rate_with_offset`` for traces, whose zero means nothing."""
    rank: int = 1
    """Of the filters of ``ln``."""
    n_features: int = 0
    readout: ReadoutName = "gaussian"
    layers: tuple[Layer, ...] = ()
    mixed: bool = False
    """Whether features of the last layer are mixed and bent once more."""

    @property
    def stride(self) -> int:
        """Pixels between neighbouring places of the features."""
        return math.prod(layer.stride for layer in self.layers)


def memory_frames(network: NetworkName, *, memory_s: float | None, rate_hz: float) -> int:
    """Frames of memory; where no time is told, half a second, and one for two layers in time."""
    if network == "cnn_image":
        return 1
    seconds = memory_s or (1.0 if network == "cnn_factorised" else 0.5)
    return max(2, round(seconds * rate_hz))


def layers_of(network: NetworkName, *, memory: int, grid: tuple[int, int]) -> tuple[Layer, ...]:
    """The layers of a network, with kernels no larger than the frames."""

    def odd(size: int) -> int:
        fitting = min(size, min(grid))
        return max(1, fitting if fitting % 2 else fitting - 1)

    if network == "cnn_small":
        stride = 2 if min(grid) >= 8 else 1
        return (Layer(kernel=odd(7), stride=stride, frames=memory, depthwise=False),)
    if network == "cnn_factorised":
        # The second kernel in time is about half of the first, as in the published model.
        second = max(1, (memory + 2) // 3)
        return (
            Layer(kernel=odd(11), stride=1, frames=memory + 1 - second, depthwise=False),
            Layer(kernel=odd(5), stride=1, frames=second, depthwise=False),
        )
    if network == "cnn_image":
        first = Layer(kernel=odd(9), stride=1, frames=1, depthwise=False)
        return (first, *[Layer(kernel=odd(3), stride=1, frames=1, depthwise=True)] * 3)
    return ()
