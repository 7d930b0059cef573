"""Encoding models as modules of torch: movie in, rates out.

Movies have the shape (batch, frame, channel, y, x); rates (batch, answered frame, unit), where
the first ``memory - 1`` frames are not answered to.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.methods.celltypes.encoding.design import Design, Layer
from pipeline.methods.celltypes.encoding.readouts import READOUTS, PointReadout, shifted

ALL = slice(None)
GRAIN = 1.0
"""Pixels and frames over which kernels are smooth at the start."""
SMOOTHNESS = 1.0
"""Weight of squared second differences in time of kernels of norm one."""


class Network(nn.Module):
    """What all encoding models share: how drives become rates, and how they are centred."""

    by_unit = False
    """Whether units share nothing, so that each has its own best epoch."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.design = design
        if design.output == "rate_with_offset":
            self.offset = nn.Parameter(torch.zeros(design.n_units))

    def drive(self, movie: Tensor, units: slice) -> Tensor:
        """What goes into the nonlinearity, shape (batch, answered frame, unit)."""
        raise NotImplementedError

    def forward(self, movie: Tensor, units: slice = ALL) -> Tensor:
        """Rates: what units would answer, apart from a constant of traces."""
        return functional.softplus(self.drive(movie, units))

    def prediction(self, rates: Tensor, units: slice = ALL) -> Tensor:
        """Rates in the units of what was recorded."""
        return rates + self.offset[units] if hasattr(self, "offset") else rates

    def penalty(self) -> Tensor:
        """What is added to the loss."""
        raise NotImplementedError

    def where(self) -> tuple[Tensor, Tensor]:
        """Middle (unit, 2), y and x, and width (unit,) of receptive fields, in pixels."""
        raise NotImplementedError

    def centred(self) -> Network:
        """A copy in which every unit looks at the middle of the frame."""
        moved = copy.deepcopy(self)
        moved.centre()
        return moved

    def centre(self) -> None:
        """Move every unit to the middle of the frame."""
        raise NotImplementedError


class LinearNonlinear(Network):
    """A filter in space and time a unit, as few products of the two, and a soft threshold."""

    by_unit = True

    def __init__(self, design: Design, start: torch.Generator) -> None:
        super().__init__(design)
        shape = (design.n_units, design.rank)
        pixels = (design.n_channels, *design.grid)
        self.space = nn.Parameter(0.01 * torch.randn(*shape, *pixels, generator=start))
        self.time = nn.Parameter(0.1 * torch.randn(*shape, design.memory, generator=start))
        """Lag 0, one frame back, and so on."""
        self.gain = nn.Parameter(torch.ones(design.n_units))
        self.bias = nn.Parameter(torch.zeros(design.n_units))
        self.register_buffer("window", torch.ones(design.n_units, 1, 1, *design.grid))
        self.window: Tensor
        """How much of each pixel the filter may see."""

    def seen(self) -> Tensor:
        """The filters in space, within their windows; (unit, rank, channel, y, x)."""
        return self.space * self.window

    def drive(self, movie: Tensor, units: slice) -> Tensor:
        """As in :class:`Network`."""
        space, time = self.seen()[units].flatten(2), self.time[units]
        n_units, rank, _ = space.shape
        seen = movie.flatten(2) @ space.flatten(0, 1).T
        kernel = time.flip(-1).reshape(n_units * rank, 1, -1)
        summed = functional.conv1d(seen.transpose(1, 2), kernel, groups=n_units * rank)
        drive = summed.view(len(movie), n_units, rank, -1).sum(2).transpose(1, 2)
        return drive * self.gain[units] + self.bias[units]

    def penalty(self) -> Tensor:
        """As in :class:`Network`."""
        roughness = sum(self.space.diff(dim=axis).square().sum((2, 3, 4)).mean() for axis in (3, 4))
        return 0.01 * (roughness + self.time.diff(n=2).square().sum(2).mean())

    def where(self) -> tuple[Tensor, Tensor]:
        """As in :class:`Network`."""
        energy = self.seen().detach().square().sum((1, 2))
        # Far from the middle the filter is noise, which would pull the centre of mass.
        energy = torch.where(energy > 0.1 * energy.amax((1, 2), keepdim=True), energy, 0.0)
        total = energy.sum((1, 2)).clamp_min(1e-12)
        at = [torch.arange(size).to(energy) for size in self.design.grid]
        y, x = energy.sum(2) @ at[0] / total, energy.sum(1) @ at[1] / total
        spread = energy.sum(2) @ at[0] ** 2 / total - y**2 + energy.sum(1) @ at[1] ** 2 / total
        return torch.stack([y, x], 1), ((spread - x**2) / 2).clamp_min(0).sqrt()

    def centre(self) -> None:
        """As in :class:`Network`."""
        middle = torch.tensor([(size - 1) / 2 for size in self.design.grid])
        with torch.no_grad():
            shift = middle.to(self.space) - self.where()[0]
            self.space.copy_(shifted(self.seen().flatten(1, 2), shift).view_as(self.space))
            self.window.fill_(1)


class Convolution(nn.Module):
    """One layer of a core: space, time, normalised, bent."""

    def __init__(self, n_in: int, n_out: int, layer: Layer, start: torch.Generator) -> None:
        super().__init__()
        self.layer = layer
        fan_in = layer.kernel**2 * (1 if layer.depthwise else n_in)
        kernel = (n_in if layer.depthwise else n_out, 1 if layer.depthwise else n_in)
        drawn = torch.randn((*kernel, layer.kernel, layer.kernel), generator=start)
        self.space = nn.Parameter(_smooth(_smooth(drawn, axis=2), axis=3) / fan_in**0.5)
        if layer.depthwise:
            self.mix = nn.Parameter(torch.randn(n_out, n_in, 1, 1, generator=start) / n_in**0.5)
        if layer.frames > 1:
            drawn = torch.randn(n_out, layer.frames, generator=start)
            self.time = nn.Parameter(_smooth(drawn, axis=1) / layer.frames**0.5)
        self.normalised = nn.BatchNorm2d(n_out)

    def forward(self, movie: Tensor) -> Tensor:
        """Features of shape (batch, feature, frame, y, x) as the layer's own."""
        batch, _, n_frames = movie.shape[:3]
        groups = movie.shape[1] if self.layer.depthwise else 1
        flat = movie.transpose(1, 2).flatten(0, 1)
        padding = self.layer.kernel // 2
        seen = functional.conv2d(
            flat, self.space, stride=self.layer.stride, padding=padding, groups=groups
        )
        if self.layer.depthwise:
            seen = functional.conv2d(seen, self.mix)
        n_features, y, x = seen.shape[1:]
        features = seen.view(batch, n_frames, n_features, y * x).transpose(1, 2)
        if self.layer.frames > 1:
            features = self._in_time(features)
        bent = functional.elu(self.normalised(features))
        return bent.view(batch, n_features, -1, y, x)

    def _in_time(self, features: Tensor) -> Tensor:
        """Each feature's kernel along its frames, as products of matrices."""
        n_frames, span = features.shape[2], self.layer.frames
        answered = torch.arange(n_frames - span + 1, device=features.device)
        lag = answered[:, None] + span - 1 - torch.arange(n_frames, device=features.device)
        inside = (lag >= 0) & (lag < span)
        band = torch.where(inside, self.time[:, lag.clamp(0, span - 1)], 0.0)
        return band @ features

    def roughness(self) -> Tensor:
        """Squared second differences in time, relative to the kernels' size."""
        if self.layer.frames < 3:
            return self.space.new_zeros(())
        size = self.time.square().sum(1).clamp_min(1e-6)
        return (self.time.diff(n=2).square().sum(1) / size).mean()


def _smooth(kernels: Tensor, *, axis: int) -> Tensor:
    """Random kernels without their fine grain, which no receptive field has; of the same size."""
    at = torch.arange(kernels.shape[axis]) * 1.0
    blur = torch.exp(-((at[:, None] - at) ** 2) / (2 * GRAIN**2))
    blur = blur / blur.square().sum(1, keepdim=True).sqrt()
    smooth: Tensor = torch.tensordot(kernels, blur, dims=([axis], [1]))
    return smooth.movedim(-1, axis)


class Convolutional(Network):
    """Features that units share, and what each reads of them."""

    def __init__(self, design: Design, start: torch.Generator) -> None:
        super().__init__(design)
        sizes = [design.n_channels, *[design.n_features] * len(design.layers)]
        self.layers = nn.ModuleList(
            Convolution(n_in, n_out, layer, start)
            for n_in, n_out, layer in zip(sizes[:-1], sizes[1:], design.layers, strict=True)
        )
        if design.mixed:
            weight = torch.randn(design.n_features, design.n_features, generator=start)
            self.mix = nn.Parameter(weight / design.n_features**0.5)
            self.mix_bias = nn.Parameter(torch.zeros(design.n_features))
        places = [torch.arange(0, size, design.stride) * 1.0 for size in design.grid]
        self.readout = READOUTS[design.readout](design, (places[0], places[1]), start)

    def drive(self, movie: Tensor, units: slice) -> Tensor:
        """As in :class:`Network`."""
        features = movie.transpose(1, 2)
        for layer in self.layers:
            features = layer(features)
        features = features.flatten(3)
        if self.design.mixed:
            mixed = torch.einsum("gf,bftp->bgtp", self.mix, features)
            features = functional.elu(mixed + self.mix_bias[:, None, None])
        drive: Tensor = self.readout(features, units)
        return drive

    def penalty(self) -> Tensor:
        """As in :class:`Network`."""
        roughness = torch.stack([layer.roughness() for layer in self._convolutions()]).mean()
        return 2e-4 * self.readout.penalty() + 1e-3 * SMOOTHNESS * roughness

    def _convolutions(self) -> list[Convolution]:
        return [layer for layer in self.layers if isinstance(layer, Convolution)]

    def where(self) -> tuple[Tensor, Tensor]:
        """As in :class:`Network`."""
        middle, width = self.readout.where()
        return middle.detach(), width.detach()

    def centre(self) -> None:
        """As in :class:`Network`."""
        self.readout.centre()


PLACES = ("mu", "_mu", "mask_mean")
"""What places of readouts are called in the libraries of the field; 0 is the middle."""


class SuppliedNetwork(Network):
    """A model of the user's own, whose answers are taken as rates.

    Raises
    ------
    ValueError
        If its answers are not (batch, answered frame, unit) or (batch, unit).
    """

    def __init__(self, design: Design, model: Callable[..., Any], *, centred: bool) -> None:
        super().__init__(design)
        self.model = model
        self.in_the_middle = centred
        if isinstance(model, nn.Module):
            model.eval()
        n_frames = design.memory + 1
        shape = (1, design.n_channels, n_frames, *design.grid)
        with torch.no_grad():
            found = tuple(model(torch.zeros(shape)).shape)
        frame_by_frame, last_alone = (1, 2, design.n_units), (1, design.n_units)
        if found not in (frame_by_frame, last_alone):
            raise ValueError(
                f"The supplied model answers {n_frames} frames with {found}; expected "
                f"{frame_by_frame} or {last_alone} for {design.n_units} units and a memory of "
                f"{design.memory} frames."
            )
        self.frame_by_frame = found == frame_by_frame

    def forward(self, movie: Tensor, units: slice = ALL) -> Tensor:
        """As in :class:`Network`."""
        if self.frame_by_frame:
            return self._answers(movie.transpose(1, 2))[..., units]
        pieces = movie.unfold(1, self.design.memory, 1).movedim(-1, 3)
        found = self._answers(pieces.flatten(0, 1))
        return found.view(*pieces.shape[:2], -1)[..., units]

    def _answers(self, stimuli: Tensor) -> Tensor:
        found: Tensor = self.model(stimuli)
        return found

    def penalty(self) -> Tensor:
        """As in :class:`Network`."""
        return torch.zeros(())

    def where(self) -> tuple[Tensor, Tensor]:
        """As in :class:`Network`; not known."""
        unknown = torch.full((self.design.n_units, 2), torch.nan)
        return unknown, unknown[:, 0]

    @property
    def can_be_centred(self) -> bool:
        """Whether units look at the middle, or can be made to."""
        return self.in_the_middle or bool(self._places())

    def _places(self) -> list[Tensor]:
        if not isinstance(self.model, nn.Module):
            return []
        named = self.model.named_parameters()
        return [value for name, value in named if name.rpartition(".")[2] in PLACES]

    def centre(self) -> None:
        """As in :class:`Network`."""
        if not self.in_the_middle:
            with torch.no_grad():
                for place in self._places():
                    place.zero_()


def build(design: Design, start: torch.Generator | None = None) -> Network:
    """A network of a design, from random weights.

    Parameters
    ----------
    start
        Where the weights are drawn from; seed 0 where they are replaced anyway.
    """
    drawn = start if start is not None else torch.Generator().manual_seed(0)
    if design.network == "ln":
        return LinearNonlinear(design, drawn)
    return Convolutional(design, drawn)


def with_noise(network: Network, noise: torch.Generator | None) -> None:
    """Tell a readout that is uncertain while it learns where to draw from."""
    readout = getattr(network, "readout", None)
    if isinstance(readout, PointReadout):
        readout.noise = noise
