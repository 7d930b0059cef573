"""How a unit reads features: where (a mask) and which (weights)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pipeline.methods.celltypes.encoding.design import Design

NARROWEST = 0.3
"""Least width of a spot, in places of the features."""


class Readout(nn.Module):
    """Weighted sum of features below a mask, for every unit.

    All readouts are a mask over places times a weight a feature; they differ in their masks.
    """

    def __init__(self, design: Design, places: tuple[Tensor, Tensor], start: torch.Generator):
        super().__init__()
        n_units = design.n_units
        weight = torch.randn(n_units, design.n_features, generator=start)
        self.weight = nn.Parameter(0.05 * weight)
        self.bias = nn.Parameter(torch.zeros(n_units))
        y, x = torch.meshgrid(*places, indexing="ij")
        self.stride = design.stride
        self.register_buffer("place_y", y.flatten(), persistent=False)
        self.register_buffer("place_x", x.flatten(), persistent=False)
        middle = torch.tensor([(size - 1) / 2 for size in design.grid])
        self.register_buffer("middle", middle, persistent=False)
        self.place_y: Tensor
        self.place_x: Tensor
        self.middle: Tensor

    def mask(self, units: slice) -> Tensor:
        """Shape (unit, place)."""
        raise NotImplementedError

    def forward(self, features: Tensor, units: slice) -> Tensor:
        """Features of shape (batch, feature, frame, place) as drives (batch, frame, unit)."""
        batch, n_features, n_frames, n_places = features.shape
        both = self.weight[units][:, :, None] * self.mask(units)[:, None, :]
        flat = features.transpose(1, 2).reshape(batch * n_frames, n_features * n_places)
        return (flat @ both.flatten(1).T + self.bias[units]).view(batch, n_frames, -1)

    def penalty(self) -> Tensor:
        """What keeps weights few."""
        return self.weight.abs().mean()

    def where(self) -> tuple[Tensor, Tensor]:
        """Middle (unit, 2), y and x, and width (unit,) of what each unit reads, in pixels."""
        mask = self.mask(slice(None)).abs()
        total = mask.sum(1).clamp_min(1e-12)
        y, x = mask @ self.place_y / total, mask @ self.place_x / total
        spread = mask @ (self.place_y**2 + self.place_x**2) / total - y**2 - x**2
        return torch.stack([y, x], 1), (spread / 2).clamp_min(0).sqrt()

    def centre(self) -> None:
        """Let every unit read in the middle of the frame."""
        raise NotImplementedError

    def start_at(self, centre: Tensor) -> None:
        """Let units read at places (unit, 2), y and x in pixels."""
        raise NotImplementedError


class GaussianReadout(Readout):
    """A round spot of sum one: Hoefling et al. (2024)."""

    def __init__(self, design: Design, places: tuple[Tensor, Tensor], start: torch.Generator):
        super().__init__(design, places, start)
        self.place = nn.Parameter(self.middle.repeat(design.n_units, 1))
        self.log_width = nn.Parameter(torch.full((design.n_units,), 0.6))

    def mask(self, units: slice) -> Tensor:
        """As in :class:`Readout`."""
        place = self.place[units]
        square = (self.place_y - place[:, :1]) ** 2 + (self.place_x - place[:, 1:]) ** 2
        width = self.log_width[units].exp() + NARROWEST * self.stride
        return torch.softmax(-square / (2 * width[:, None] ** 2), dim=1)

    def where(self) -> tuple[Tensor, Tensor]:
        """As in :class:`Readout`."""
        return self.place, self.log_width.exp() + NARROWEST * self.stride

    def centre(self) -> None:
        """As in :class:`Readout`."""
        with torch.no_grad():
            self.place.copy_(self.middle.expand_as(self.place))

    def start_at(self, centre: Tensor) -> None:
        """As in :class:`Readout`."""
        with torch.no_grad():
            self.place.copy_(centre)


class PointReadout(Readout):
    """A point between places, uncertain while it is learned: Lurz et al. (2021)."""

    def __init__(self, design: Design, places: tuple[Tensor, Tensor], start: torch.Generator):
        super().__init__(design, places, start)
        self.place = nn.Parameter(self.middle.repeat(design.n_units, 1))
        self.log_width = nn.Parameter(torch.full((design.n_units,), 0.5))
        self.noise: torch.Generator | None = None
        """Where uncertainty is drawn from; none while it is not learned."""

    def mask(self, units: slice) -> Tensor:
        """As in :class:`Readout`."""
        place = self.place[units]
        if self.training and self.noise is not None:
            drawn = torch.randn(place.shape, generator=self.noise, device=self.noise.device)
            place = place + self.log_width[units].exp()[:, None] * drawn.to(place.device)
        y = (1 - (self.place_y - place[:, :1]).abs() / self.stride).clamp_min(0)
        x = (1 - (self.place_x - place[:, 1:]).abs() / self.stride).clamp_min(0)
        return y * x

    def penalty(self) -> Tensor:
        """As in :class:`Readout`."""
        # Without a pull on it the uncertainty would stay, as nothing else is lost by it.
        return super().penalty() + 0.1 * self.log_width.exp().mean()

    def where(self) -> tuple[Tensor, Tensor]:
        """As in :class:`Readout`."""
        return self.place, torch.full_like(self.log_width, float(self.stride))

    def centre(self) -> None:
        """As in :class:`Readout`."""
        with torch.no_grad():
            self.place.copy_(self.middle.expand_as(self.place))

    def start_at(self, centre: Tensor) -> None:
        """As in :class:`Readout`."""
        with torch.no_grad():
            self.place.copy_(centre)


class FactorisedReadout(Readout):
    """A free map: Klindt et al. (2017)."""

    def __init__(self, design: Design, places: tuple[Tensor, Tensor], start: torch.Generator):
        super().__init__(design, places, start)
        self.shape = (places[0].numel(), places[1].numel())
        self.map = nn.Parameter(torch.zeros(design.n_units, self.place_y.numel()))
        self.start_at(self.middle.repeat(design.n_units, 1))

    def mask(self, units: slice) -> Tensor:
        """As in :class:`Readout`."""
        return self.map[units]

    def penalty(self) -> Tensor:
        """As in :class:`Readout`."""
        return super().penalty() + self.map.abs().mean()

    def centre(self) -> None:
        """As in :class:`Readout`."""
        with torch.no_grad():
            shift = (self.middle - self.where()[0]) / self.stride
            self.map.copy_(shifted(self.map.view(-1, 1, *self.shape), shift).flatten(1))

    def start_at(self, centre: Tensor) -> None:
        """As in :class:`Readout`."""
        with torch.no_grad():
            square = (self.place_y - centre[:, :1]) ** 2 + (self.place_x - centre[:, 1:]) ** 2
            self.map.copy_(torch.softmax(-square / (2 * (1.8 * self.stride) ** 2), dim=1))


READOUTS: dict[str, type[Readout]] = {
    "gaussian": GaussianReadout,
    "point": PointReadout,
    "factorised": FactorisedReadout,
}


def shifted(maps: Tensor, shift: Tensor) -> Tensor:
    """Maps moved by parts of a place, between neighbours in proportion, nothing coming in.

    Parameters
    ----------
    maps
        Shape (unit, channel, y, x).
    shift
        Places along y and x, shape (unit, 2).
    """
    for axis, by in ((2, shift[:, 0]), (3, shift[:, 1])):
        at = torch.arange(maps.shape[axis], device=maps.device, dtype=maps.dtype)
        # Entry i of the moved map is that at i - by.
        weights = (1 - (at[None, :, None] - by[:, None, None] - at[None, None, :]).abs()).clamp_min(
            0
        )
        moved = maps.movedim(axis, 2).flatten(3) if axis == 2 else maps.movedim(axis, 2)
        maps = torch.einsum("nij,ncjk->ncik", weights, moved).movedim(2, axis)
    return maps
