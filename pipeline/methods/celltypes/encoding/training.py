"""The fit of a network: losses, schedule, and when to stop."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.core.progress import Progress
from pipeline.methods.celltypes.encoding.clips import Clip
from pipeline.methods.celltypes.encoding.feed import Batch, Feed, smeared
from pipeline.methods.celltypes.encoding.interrupted import Training
from pipeline.methods.celltypes.encoding.networks import Network, with_noise
from pipeline.methods.celltypes.encoding.scores import correlation

CLIP_FRAMES = 50
"""Answered frames of a clip."""
STEP_CLIPS = (4, 12)
"""Fewest and most clips of one step."""
EPOCH_STEPS = 16
"""An epoch has about so many steps where there are few clips, so that its gain says something."""
REDUCED_BY, REDUCED_AFTER, REDUCED_AT_MOST, NOTICED = 0.3, 5, 3, 5e-4
"""The step shrinks by this factor after so many epochs that gain less than what is noticed."""
LEAST_DELTA = 1e-3
"""Less gain than this does not keep a fit going."""
LEARNED = 0.05
"""Before this correlation is reached nothing has been learned, and a fit goes on."""
LARGEST_GRADIENT = 1.0
EPSILON = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How a network learns."""

    loss: str
    """``poisson``, ``squares`` or ``correlation``."""
    learning_rate: float
    weight_decay: float
    max_epochs: int
    patience: int


def train(
    network: Network,
    feed: Feed,
    schedule: Schedule,
    *,
    rng: np.random.Generator,
    smear: Tensor | None,
    progress: Progress,
    note: str,
    checkpoint: Callable[[Training], None] | None = None,
    resume: Training | None = None,
) -> pd.DataFrame:
    """Fit a network in place and leave it with its best weights.

    Units that share nothing keep the weights of their own best epoch.

    Parameters
    ----------
    network
        On the feed's device, with starting weights.
    feed
        The sessions.
    schedule
        How it learns.
    rng
        Order of clips, and noise of readouts that have any.
    smear
        Of predictions in time.
    progress
        Told after each epoch.
    note
        Beside it.
    checkpoint
        Given all that is needed to go on, after each epoch.
    resume
        What the same fit left after an epoch, be it its last one; it goes on from there, to the
        same weights to the bit.

    Returns
    -------
    One row an epoch, from 0, before anything is learned: ``epoch``, ``loss``, ``correlation``
    (mean over units, validation), ``learning_rate``.
    """
    noise = torch.Generator(feed.device).manual_seed(int(rng.integers(2**62)))
    with_noise(network, noise)
    optimiser = torch.optim.AdamW(_groups(network, schedule), lr=schedule.learning_rate)
    if resume is None:
        found = validation_correlation(network, feed, smear)
        best, plateau = _Best(network, found), _Plateau(_mean(found))
        rows: list[tuple[float, ...]] = [(0, np.nan, _mean(found), schedule.learning_rate)]
    else:
        best, plateau, rows = _restored(resume, network, optimiser, noise, rng)
    clips = feed.clips("train", length=CLIP_FRAMES)
    while len(rows) <= schedule.max_epochs and plateau.waited_for_stop < schedule.patience:
        epoch = len(rows)
        network.train()
        losses = []
        for batch in _batches(feed, rng, clips):
            losses.append(_step(network, optimiser, batch, schedule.loss, smear))
        found = validation_correlation(network, feed, smear)
        best.see(network, found)
        rate = float(optimiser.param_groups[0]["lr"])
        rows.append((epoch, float(np.mean(losses)), _mean(found), rate))
        progress(epoch, schedule.max_epochs, f"{note}: correlation {_mean(found):.3f}")
        plateau.see(_mean(found), optimiser)
        if checkpoint is not None:
            checkpoint(_left(network, optimiser, noise, rng, best, plateau, rows))
    best.restore(network)
    with_noise(network, None)
    network.eval()
    return pd.DataFrame(rows, columns=["epoch", "loss", "correlation", "learning_rate"])


def validation_correlation(
    network: Network, feed: Feed, smear: Tensor | None
) -> NDArray[np.float64]:
    """Of answers and predictions in the validation frames, shape (unit,)."""
    parts: list[list[NDArray[np.float32]]] = [[] for _ in feed.sessions]
    frames: list[list[NDArray[np.int64]]] = [[] for _ in feed.sessions]
    for session, rows, values in feed.predictions(network, "validation", smear=smear):
        frames[session].append(rows)
        parts[session].append(values)
    found = []
    for index, (rows_, values_) in enumerate(zip(frames, parts, strict=True)):
        answers, known = feed.answers(index)
        at = np.concatenate([np.empty(0, dtype=np.int64), *rows_])
        predicted = np.concatenate([np.empty((0, answers.shape[1]), np.float32), *values_])
        found.append(correlation(predicted, answers[at], known[at]))
    return np.concatenate(found)


def loss_of(kind: str, predicted: Tensor, batch: Batch) -> Tensor:
    """How wrong predictions are, over what is known.

    Parameters
    ----------
    kind
        ``poisson``: rate - count log(rate), mean over entries; ``squares``: mean squared
        difference; ``correlation``: one minus the correlation in the batch, mean over units.
    predicted
        Shape of the batch's answers.
    batch
        The answers.
    """
    valid, answers = batch.valid, batch.answers
    total = valid.sum().clamp_min(1.0)
    if kind == "poisson":
        each = predicted - answers * torch.log(predicted.clamp_min(0) + EPSILON)
        return (each * valid).sum() / total
    if kind == "squares":
        return ((predicted - answers).square() * valid).sum() / total
    count = valid.sum((0, 1)).clamp_min(1.0)
    x = (predicted - (predicted * valid).sum((0, 1)) / count) * valid
    y = (answers - (answers * valid).sum((0, 1)) / count) * valid
    spread = (x.square().sum((0, 1)) * y.square().sum((0, 1)) + EPSILON).sqrt()
    return (1 - (x * y).sum((0, 1)) / spread).mean()


def _step(
    network: Network,
    optimiser: torch.optim.Optimizer,
    batch: Batch,
    kind: str,
    smear: Tensor | None,
) -> float:
    rates = smeared(network(batch.movie, batch.units), smear)
    wrong = loss_of(kind, network.prediction(rates, batch.units), batch)
    optimiser.zero_grad(set_to_none=True)
    (wrong + network.penalty()).backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), LARGEST_GRADIENT)
    optimiser.step()
    return float(wrong.detach())


def _batches(feed: Feed, rng: np.random.Generator, clips: Sequence[Clip]) -> Iterator[Batch]:
    """All clips once, in random order, each batch of one session, sessions mixed."""
    order = rng.permutation(len(clips))
    size = min(max(len(clips) // EPOCH_STEPS, STEP_CLIPS[0]), STEP_CLIPS[1])
    together: dict[int, list[int]] = {}
    batches = []
    for index in order.tolist():
        waiting = together.setdefault(clips[index].session, [])
        waiting.append(index)
        if len(waiting) == size:
            batches.append(together.pop(clips[index].session))
    batches += list(together.values())
    for batch in batches:
        yield feed.batch([clips[index] for index in batch])


def _groups(network: Network, schedule: Schedule) -> list[dict[str, object]]:
    """Parameters with what suits them: places move in pixels, and only weights decay."""
    places, plain, weights = [], [], []
    for name, parameter in network.named_parameters():
        last = name.rpartition(".")[2]
        if last == "place":
            places.append(parameter)
        elif last in ("log_width", "bias", "mix_bias", "offset", "gain") or "normalised" in name:
            plain.append(parameter)
        else:
            weights.append(parameter)
    rate = schedule.learning_rate
    filters = 0.1 if network.by_unit else 1.0
    groups = [
        {"params": weights, "lr": rate * filters, "weight_decay": schedule.weight_decay},
        {"params": plain, "lr": rate, "weight_decay": 0.0},
        {"params": places, "lr": rate * min(network.design.grid) / 2, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


class _Best:
    """The weights of the best epoch; of each unit's own where units share nothing."""

    def __init__(self, network: Network, found: NDArray[np.float64]) -> None:
        self.by_unit = network.by_unit
        self.found = np.where(np.isfinite(found), found, -np.inf)
        self.state = {name: value.clone() for name, value in network.state_dict().items()}

    def see(self, network: Network, found: NDArray[np.float64]) -> None:
        """Keep what is better than before."""
        known = np.where(np.isfinite(found), found, -np.inf)
        if self.by_unit:
            better = known > self.found
        else:
            better = np.full(known.shape, _mean(known) > _mean(self.found))
        if not better.any():
            return
        for name, value in network.state_dict().items():
            if self.by_unit:
                rows = torch.from_numpy(better).to(value.device)
                self.state[name][rows] = value[rows]
            else:
                self.state[name] = value.clone()
        self.found = np.where(better, known, self.found)

    def restore(self, network: Network) -> None:
        """Give the network what was kept."""
        network.load_state_dict(self.state)


class _Plateau:
    """Shrinks steps, and counts epochs, without improvement."""

    def __init__(self, first: float) -> None:
        self.best_for_rate, self.best_for_stop = first, first
        self.waited_for_rate, self.waited_for_stop, self.reductions = 0, 0, 0

    def see(self, value: float, optimiser: torch.optim.Optimizer) -> None:
        """Count an epoch."""
        if value < LEARNED and self.reductions == 0:
            return
        if value > self.best_for_rate + NOTICED:
            self.best_for_rate, self.waited_for_rate = value, 0
        else:
            self.waited_for_rate += 1
        if self.waited_for_rate >= REDUCED_AFTER and self.reductions < REDUCED_AT_MOST:
            self.waited_for_rate = 0
            self.reductions += 1
            for group in optimiser.param_groups:
                group["lr"] *= REDUCED_BY
        if value > self.best_for_stop + LEAST_DELTA:
            self.best_for_stop, self.waited_for_stop = value, 0
        else:
            self.waited_for_stop += 1


def _left(
    network: Network,
    optimiser: torch.optim.Optimizer,
    noise: torch.Generator,
    rng: np.random.Generator,
    best: _Best,
    plateau: _Plateau,
    rows: Sequence[tuple[float, ...]],
) -> Training:
    """A copy of everything as it is after an epoch."""
    state = optimiser.state_dict()
    moments = {
        f"{parameter}.{name}": value
        for parameter, values in state["state"].items()
        for name, value in values.items()
    }
    facts = {
        "rates": [group["lr"] for group in state["param_groups"]],
        "plateau": vars(plateau),
        "random": rng.bit_generator.state,
    }
    return Training(
        weights=_arrays(network.state_dict()),
        best=_arrays(best.state),
        moments=_arrays(moments),
        noise=noise.get_state().numpy(force=True),
        found=best.found,
        history=np.array(rows, dtype=np.float64),
        facts=json.dumps(facts),
    )


def _restored(
    left: Training,
    network: Network,
    optimiser: torch.optim.Optimizer,
    noise: torch.Generator,
    rng: np.random.Generator,
) -> tuple[_Best, _Plateau, list[tuple[float, ...]]]:
    """Everything as it was after the epoch: all that is given, and the best, the end, the rows."""
    facts = json.loads(left.facts)
    rng.bit_generator.state = facts["random"]
    noise.set_state(torch.from_numpy(left.noise.copy()))
    network.load_state_dict(_tensors(left.weights))
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in _tensors(left.moments).items():
        parameter, _, name = key.partition(".")
        moments.setdefault(int(parameter), {})[name] = value
    groups = optimiser.state_dict()["param_groups"]
    for group, rate in zip(groups, facts["rates"], strict=True):
        group["lr"] = rate
    optimiser.load_state_dict({"state": moments, "param_groups": groups})
    best = _Best(network, left.found)
    for name, value in _tensors(left.best).items():
        best.state[name].copy_(value)
    plateau = _Plateau(np.nan)
    vars(plateau).update(facts["plateau"])
    return best, plateau, [(int(row[0]), *map(float, row[1:])) for row in left.history]


def _arrays(tensors: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    return {name: value.detach().cpu().numpy().copy() for name, value in tensors.items()}


def _tensors(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}


def _mean(values: NDArray[np.float64]) -> float:
    """Over units for which it is defined; minus infinity without any."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else -np.inf
