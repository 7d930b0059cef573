"""A fitted encoding model: plain arrays, and what it says of any stimulus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes
from pipeline.methods.celltypes.encoding.clips import Frames, StimulusScale
from pipeline.methods.celltypes.encoding.design import Design
from pipeline.methods.celltypes.encoding.supplied import Supplied

if TYPE_CHECKING:
    from torch import Tensor

    from pipeline.methods.celltypes.encoding.networks import Network


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weights:
    """Parameters of one network by their names in torch."""

    arrays: Mapping[str, NDArray[np.float32]]


# Without slots, so that the networks can be kept once they are built.
@dataclass(frozen=True, kw_only=True, eq=False)
class EncodingModel:
    """What each unit would answer to any stimulus; all units look at the middle of the frame.

    Stimuli are in the units of models: standard deviations from the mean of the frames that the
    model learned from, by channel (``scale``). Answers are rates: spikes a frame, or traces in
    standard deviations apart from a constant.
    """

    design: Design
    members: tuple[Weights, ...]
    """Networks whose answers are averaged."""
    scale: StimulusScale
    channel: NDArray[np.str_] = axes("channel")
    recording: NDArray[np.str_] = axes("unit")
    unit: NDArray[np.str_] = axes("unit")
    """Ids of the units, recording after recording."""
    rate_hz: float
    window: int
    """Last frames of a stimulus over which the answer is averaged."""
    supplied: Supplied | None = None
    """A model of the user's own, which has no members."""

    def __post_init__(self) -> None:
        check_axes(self)

    @property
    def shortest(self) -> int:
        """Frames a stimulus needs at least: memory, and those averaged over."""
        return self.design.memory - 1 + self.window

    def responses(self, stimuli: Tensor) -> Tensor:
        """Mean answer of every unit over the last frames of each stimulus.

        Parameters
        ----------
        stimuli
            Shape (batch, channel, frame, y, x), on any device; differentiable in them.

        Returns
        -------
        Shape (batch, unit).

        Raises
        ------
        ValueError
            If a stimulus has fewer frames than :attr:`shortest`, or another size.
        """
        shape = (self.design.n_channels, *self.design.grid)
        if (stimuli.shape[1], *stimuli.shape[3:]) != shape:
            raise ValueError(
                f"Stimuli of shape {tuple(stimuli.shape)} do not fit (batch, {shape[0]}, frame, "
                f"{shape[1]}, {shape[2]})."
            )
        if stimuli.shape[2] < self.shortest:
            raise ValueError(
                f"Stimuli of {stimuli.shape[2]} frames are too short: {self.shortest} are needed."
            )
        # What comes before does not reach the frames that count.
        movie = stimuli[:, :, stimuli.shape[2] - self.shortest :].transpose(1, 2)
        found = [network(movie) for network in self._centred(stimuli.device.type)]
        total: Tensor = sum(found[1:], found[0])
        return total.mean(1) / len(found)

    def traces(self, movie: Frames, *, centred: bool = True) -> NDArray[np.float32]:
        """What every unit answers to a long movie, frame by frame.

        Parameters
        ----------
        movie
            Shape (frame, channel, y, x), in the units of models.
        centred
            Whether all units look at the middle, or each at its own place.

        Returns
        -------
        Shape (answered frame, unit): the first ``memory - 1`` frames have no answer.
        """
        import torch

        networks = self._centred("cpu") if centred else self._built("cpu")
        memory, length = self.design.memory, 1_000
        pieces = []
        for start in range(0, len(movie) - memory + 1, length):
            stop = min(start + length + memory - 1, len(movie))
            piece = torch.from_numpy(np.ascontiguousarray(movie[start:stop]))[None]
            with torch.no_grad():
                found = [network(piece)[0] for network in networks]
            pieces.append((sum(found[1:], found[0]) / len(found)).numpy())
        return np.concatenate([np.empty((0, self.unit.size), np.float32), *pieces])

    @cached_property
    def _kept(self) -> dict[tuple[str, bool], tuple[Network, ...]]:
        return {}

    def _built(self, device: str) -> tuple[Network, ...]:
        """The networks on a device, in the state in which they predict."""
        import torch

        from pipeline.methods.celltypes.encoding.networks import SuppliedNetwork, build

        key = (device, False)
        if key not in self._kept:
            networks: list[Network] = []
            if self.supplied is not None:
                own = SuppliedNetwork(
                    self.design, self.supplied.load(), centred=self.supplied.centred
                )
                networks.append(own.to(device).eval().requires_grad_(False))
            for weights in self.members:
                network = build(self.design)
                state = {
                    name: torch.from_numpy(np.array(array))
                    for name, array in weights.arrays.items()
                }
                network.load_state_dict(state, strict=True)
                networks.append(network.to(device).eval().requires_grad_(False))
            self._kept[key] = tuple(networks)
        return self._kept[key]

    def _centred(self, device: str) -> tuple[Network, ...]:
        key = (device, True)
        if key not in self._kept:
            networks = [network.centred() for network in self._built(device)]
            self._kept[key] = tuple(network.requires_grad_(False) for network in networks)
        return self._kept[key]


def weights_of(network: Network) -> Weights:
    """The parameters of a network as arrays."""
    state = network.state_dict()
    return Weights(
        arrays={
            name: value.detach().cpu().numpy().astype(np.float32) for name, value in state.items()
        }
    )
