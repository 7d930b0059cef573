"""Models of one kind, fitted: a linear-nonlinear one, or an ensemble of networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.core.errors import NotApplicable
from pipeline.core.progress import Progress
from pipeline.core.resuming import InTurn
from pipeline.methods.celltypes.encoding.clips import Session, StimulusScale
from pipeline.methods.celltypes.encoding.config import EncodingConfig, NetworkName
from pipeline.methods.celltypes.encoding.design import Design, layers_of, memory_frames
from pipeline.methods.celltypes.encoding.feed import Feed
from pipeline.methods.celltypes.encoding.interrupted import Training
from pipeline.methods.celltypes.encoding.networks import (
    Convolutional,
    LinearNonlinear,
    Network,
    SuppliedNetwork,
    build,
)
from pipeline.methods.celltypes.encoding.scores import correlation
from pipeline.methods.celltypes.encoding.starts import (
    places,
    start_bias,
    start_filters,
    triggered,
)
from pipeline.methods.celltypes.encoding.supplied import Supplied
from pipeline.methods.celltypes.encoding.training import Schedule, train

LONG_S = 600.0
"""With less to learn from, weights are pulled less towards zero."""
DECAYS = 3
"""An indicator is followed for so many decay times."""
GRAPHICS_MEMBERS = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Members:
    """One kind of model, fitted."""

    design: Design
    feed: Feed
    networks: tuple[Network, ...]
    history: pd.DataFrame
    smear: Tensor | None

    def predictions(
        self, role: str, *, session: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Frames of a role that are answered to, and the mean of the networks' predictions."""
        total: NDArray[np.float64] | None = None
        frames = np.empty(0, dtype=np.int64)
        for network in self.networks:
            own = [
                (rows, values)
                for index, rows, values in self.feed.predictions(network, role, smear=self.smear)
                if index == session
            ]
            n_units = self.feed.sessions[session].view.unit.size
            empty = np.empty((0, n_units), dtype=np.float32)
            values = np.concatenate([empty, *(each for _, each in own)]).astype(np.float64)
            frames = np.concatenate([frames[:0], *(rows for rows, _ in own)])
            total = values if total is None else total + values
        return frames, (total if total is not None else np.empty((0, 0))) / len(self.networks)

    def correlations(self, role: str) -> NDArray[np.float64]:
        """Of single answers with predictions, shape (unit,)."""
        found = []
        for index in range(len(self.feed.sessions)):
            frames, predicted = self.predictions(role, session=index)
            answers, known = self.feed.answers(index)
            found.append(correlation(predicted, answers[frames], known[frames]))
        return np.concatenate(found)

    def levels(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and spread of rates in the frames learned from, all units in the middle."""
        n_units = self.feed.n_units
        total, squares, count = np.zeros(n_units), np.zeros(n_units), np.zeros(n_units)
        streams = [
            self.feed.predictions(network.centred(), "train", predicted=False)
            for network in self.networks
        ]
        for pieces in zip(*streams, strict=True):
            rates = np.stack([values for _, _, values in pieces]).mean(axis=0, dtype=np.float64)
            units = self.feed.units[pieces[0][0]]
            total[units] += rates.sum(axis=0)
            squares[units] += (rates**2).sum(axis=0)
            count[units] += len(rates)
        mean = total / np.maximum(count, 1)
        return mean, np.sqrt(np.maximum(squares / np.maximum(count, 1) - mean**2, 0))

    def fields(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Middle (unit, 2), y and x, and width (unit,) of receptive fields, in pixels."""
        middle, width = zip(*(network.where() for network in self.networks), strict=True)
        return (
            torch.stack(middle).mean(0).double().numpy(force=True),
            torch.stack(width).mean(0).double().numpy(force=True),
        )


def fitted(
    found: Sequence[Session],
    scale: StimulusScale,
    kind: NetworkName,
    settings: EncodingConfig,
    *,
    device: str,
    rng: np.random.Generator,
    progress: Progress,
    trainings: InTurn[Training],
) -> Members:
    """Fit one kind of model.

    Parameters
    ----------
    found
        The recordings.
    scale
        Units of the stimulus.
    kind
        Which.
    settings
        How it is built and fitted.
    device
        Where to compute.
    rng
        Random stream.
    progress
        Told after every epoch.
    trainings
        Takes what networks need to go on, and has it of those to go on from.

    Raises
    ------
    NotApplicable
        If no stretch of frames is longer than the memory.
    """
    design = _design(found, settings, kind)
    smear = _smear(found, settings)
    lost = design.memory + (0 if smear is None else smear.numel() - 1)
    smear = None if smear is None else smear.to(device)
    feed = Feed(found, scale, lost=lost, device=device)
    if not feed.clips("train", length=1) or not feed.clips("validation", length=1):
        raise NotApplicable(
            f"No stretch of frames to learn from, or to choose by, is as long as the "
            f"{feed.lost} frames of memory that {design.network} needs. Lower "
            "methods.celltypes.encoding.memory_s."
        )
    averages = triggered(feed, design.memory)
    schedule = Schedule(
        loss=_loss(feed, settings),
        learning_rate=settings.learning_rate,
        weight_decay=_decay(feed, settings),
        max_epochs=settings.max_epochs,
        patience=settings.patience,
    )
    members = settings.members
    if members == "auto":
        members = GRAPHICS_MEMBERS if feed.device.type == "cuda" else 1
    if design.network == "ln":
        members = 1
    networks, histories = [], []
    for member in range(members):
        start = torch.Generator().manual_seed(int(rng.integers(2**62)))
        network = build(design, start)
        if isinstance(network, LinearNonlinear):
            start_filters(network, feed, averages)
        elif isinstance(network, Convolutional):
            network.readout.start_at(torch.from_numpy(places(averages)))
            with torch.no_grad():
                network.readout.bias.copy_(start_bias(averages.mean, counts=feed.counts))
        network.to(feed.device)
        checkpoint, resume = trainings.next()
        history = train(
            network,
            feed,
            schedule,
            rng=rng,
            smear=smear,
            progress=progress,
            note=design.network,
            checkpoint=checkpoint,
            resume=resume,
        )
        history.insert(0, "network", pd.Series([design.network] * len(history), dtype="str"))
        history.insert(1, "member", member)
        networks.append(network)
        histories.append(history)
    return Members(
        design=design,
        feed=feed,
        networks=tuple(networks),
        history=pd.concat(histories, ignore_index=True),
        smear=smear,
    )


def _loss(feed: Feed, settings: EncodingConfig) -> str:
    if settings.loss != "auto":
        return settings.loss
    return "poisson" if feed.counts else "squares"


def _decay(feed: Feed, settings: EncodingConfig) -> float:
    if settings.weight_decay != "auto":
        return float(settings.weight_decay)
    seconds = n_frames(feed.sessions, "train") / feed.sessions[0].view.rate_hz
    return 1e-3 if seconds < LONG_S else 1e-2


def supplied_members(
    found: Sequence[Session], scale: StimulusScale, model: Supplied, *, memory: int, device: str
) -> tuple[Members, bool]:
    """A model of the user's own as if it had been fitted, and whether it can be centred.

    Raises
    ------
    NotApplicable
        If its answers do not have the form that is wanted.
    """
    n_channels, y, x = found[0].stimulus.shape[1:]
    feed = Feed(found, scale, lost=memory, device=device)
    design = Design(
        network="supplied",
        n_units=feed.n_units,
        n_channels=n_channels,
        grid=(y, x),
        memory=memory,
        output="rate",
    )
    try:
        network = SuppliedNetwork(design, model.load(), centred=model.centred)
    except ValueError as error:
        raise NotApplicable(str(error)) from error
    columns = ["network", "member", "epoch", "loss", "correlation", "learning_rate"]
    members = Members(
        design=design,
        feed=feed,
        networks=(network.to(device),),
        history=pd.DataFrame({name: pd.Series(dtype=float) for name in columns}).astype(
            {"network": "str", "member": np.int64, "epoch": np.int64}
        ),
        smear=None,
    )
    return members, network.can_be_centred


def _design(found: Sequence[Session], settings: EncodingConfig, name: NetworkName) -> Design:
    view = found[0].view
    n_channels, y, x = view.stimulus.shape[1:]
    memory = 1
    if not view.presentations:
        told = None if settings.memory_s == "auto" else float(settings.memory_s)
        memory = memory_frames(name, memory_s=told, rate_hz=view.rate_hz)
    counts = all(session.view.signal in ("spikes", "events") for session in found)
    readout = settings.readout
    if readout == "auto":
        readout = "point" if name == "cnn_image" else "gaussian"
    return Design(
        network=name,
        n_units=sum(session.view.unit.size for session in found),
        n_channels=n_channels,
        grid=(y, x),
        memory=memory,
        output="rate" if counts else "rate_with_offset",
        rank=settings.ln_rank if name == "ln" else 1,
        n_features=0 if name == "ln" else settings.n_features,
        readout=readout,
        layers=layers_of(name, memory=memory, grid=(y, x)),
        mixed=name == "cnn_small",
    )


def _smear(found: Sequence[Session], settings: EncodingConfig) -> Tensor | None:
    """Weights of past rates in a trace, summing to one."""
    view = found[0].view
    if settings.decay_s <= 0 or view.signal in ("spikes", "events"):
        return None
    lags = torch.arange(max(1, round(DECAYS * settings.decay_s * view.rate_hz)) + 1)
    kernel = torch.exp(-lags / (settings.decay_s * view.rate_hz))
    return kernel / kernel.sum()


def n_frames(found: Sequence[Session], role: str) -> int:
    """Frames of a role in all recordings."""
    stretches = [getattr(session, role) for session in found]
    return int(sum((each[:, 1] - each[:, 0]).sum() for each in stretches))
