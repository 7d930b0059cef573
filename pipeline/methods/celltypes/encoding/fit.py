"""Encoding models fitted to stimuli and answers, chosen, and judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes, table
from pipeline.core.errors import NotApplicable
from pipeline.core.progress import Progress, silent
from pipeline.core.views import StimulusResponses
from pipeline.methods.celltypes.encoding.clips import Session, sessions, stimulus_scale
from pipeline.methods.celltypes.encoding.config import EncodingConfig, NetworkName, UnitFilterConfig
from pipeline.methods.celltypes.encoding.design import Design, layers_of, memory_frames
from pipeline.methods.celltypes.encoding.model import EncodingModel, weights_of
from pipeline.methods.celltypes.encoding.scores import RepeatScores, correlation, repeat_scores

if TYPE_CHECKING:
    from torch import Tensor

    from pipeline.methods.celltypes.encoding.feed import Feed
    from pipeline.methods.celltypes.encoding.networks import Network

FEW_UNITS, SHORT_S = 30, 180.0
"""With less, a network is not tried unless it is asked for."""
LONG_S = 600.0
"""With less, weights are pulled less towards zero."""
DECAYS = 3
"""An indicator is followed for so many decay times."""
GRAPHICS_MEMBERS = 5

Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EncodingFit:
    """The model that predicts best, and how well it predicts each unit."""

    model: EncodingModel
    network: str
    """The model that was kept."""
    tried: str
    """The one that was to be fitted."""
    reason: str
    """Why this one was tried and kept, in words."""
    units: pd.DataFrame = table(
        "unit",
        (
            "recording",
            "unit",
            "label",
            "used",
            "reason",
            "valid_share",
            "rate_hz",
            "validation_correlation",
            "validation_correlation_ln",
            "test_correlation",
            "mean_correlation",
            "normalised_correlation",
            "reliability",
            "signal_share",
            "single_ceiling",
            "field_y",
            "field_x",
            "field_width",
        ),
    )
    """One row a unit. ``used`` tells whether it is predicted well enough to be typed, ``reason``
    why not. Correlations with answers: ``test_correlation`` with single ones, ``mean_correlation``
    with their mean over showings, ``normalised_correlation`` the latter relative to the highest
    there can be. Fields are in pixels of the frame."""
    mean: NDArray[np.float64] = axes("unit")
    """Of each unit's answers to the frames it learned from, looking at the middle."""
    sd: NDArray[np.float64] = axes("unit")
    history: pd.DataFrame = table(
        "epoch", ("network", "member", "epoch", "loss", "correlation", "learning_rate")
    )
    n_train: int
    """Frames learned from."""
    n_validation: int
    n_test: int
    n_leaks: int
    """Frames taken out because the test of another recording has them too."""
    device: str

    def __post_init__(self) -> None:
        check_axes(self)


def fit_encoding(
    views: Sequence[StimulusResponses],
    settings: EncodingConfig,
    rng: np.random.Generator,
    device: Device = "auto",
    progress: Progress = silent,
) -> EncodingFit:
    """Fit a linear-nonlinear model and, where there is enough to learn from, a network.

    Recordings share all of a network but what each unit reads of it. All choices are made in the
    validation frames; the test is looked at once, by the model that is kept.

    Parameters
    ----------
    views
        Recordings of the experiment.
    settings
        The model and how it is fitted.
    rng
        Random stream.
    device
        Where to compute; ``auto`` takes a graphics card where there is one, and so does ``cuda``,
        with a remark where there is none.
    progress
        Told after every epoch.

    Raises
    ------
    NotApplicable
        If there is nothing to learn from, or recordings cannot be put together.
    """
    from pipeline.methods.celltypes.encoding.feed import Feed

    try:
        found = sessions(views)
        scale = stimulus_scale(found)
    except ValueError as error:
        raise NotApplicable(str(error)) from error
    where = device_of(device)
    name, reason = _tried(found, settings, where)
    names: list[NetworkName] = ["ln", name]
    fits: dict[NetworkName, _Fitted] = {}
    for each in dict.fromkeys(names):
        design = _design(found, settings, each)
        kernel = _smear(found, settings)
        lost = design.memory + (0 if kernel is None else kernel.numel() - 1)
        feed = Feed(found, scale, lost=lost, device=where)
        fits[each] = _fitted(feed, design, settings, rng, kernel, progress)
    scores = {each: _correlations(fit, "validation") for each, fit in fits.items()}
    kept, why = _kept(scores, name, settings)
    best = fits[kept]
    model = EncodingModel(
        design=best.design,
        members=tuple(weights_of(network) for network in best.networks),
        scale=scale,
        channel=views[0].channel,
        recording=np.concatenate([np.full(view.unit.size, view.recording) for view in views]),
        unit=np.concatenate([view.unit for view in views]),
        rate_hz=views[0].rate_hz,
        window=1 if views[0].presentations else settings.window_frames,
    )
    mean, sd = _levels(best)
    return EncodingFit(
        model=model,
        network=kept,
        tried=name,
        reason=f"{reason}; {why}" if why else reason,
        units=_units(best, scores[kept], scores["ln"], settings.filter),
        mean=mean,
        sd=sd,
        history=pd.concat([fit.history for fit in fits.values()], ignore_index=True),
        n_train=_n_frames(found, "train"),
        n_validation=_n_frames(found, "validation"),
        n_test=_n_frames(found, "test"),
        n_leaks=sum(session.n_leaks for session in found),
        device=where,
    )


def device_of(asked: Device) -> str:
    """``cuda`` where it is there and not refused, else ``cpu``."""
    import torch

    return "cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu"


def _tried(
    found: Sequence[Session], settings: EncodingConfig, device: str
) -> tuple[NetworkName, str]:
    """Which model to try, and why."""
    if settings.network != "auto":
        return settings.network, f"{settings.network} was asked for"
    n_units = sum(session.view.unit.size for session in found)
    rate_hz = found[0].view.rate_hz
    seconds = _n_frames(found, "train") / rate_hz
    if n_units < FEW_UNITS:
        return "ln", f"there are {n_units} units, and a network needs {FEW_UNITS}"
    if seconds < SHORT_S and not found[0].view.presentations:
        return "ln", f"there are {seconds:.0f} s to learn from, and a network needs {SHORT_S:g}"
    if found[0].view.presentations:
        return "cnn_image", "single images were shown"
    if device == "cuda":
        return "cnn_factorised", "there is a graphics card"
    return "cnn_small", "there are units and frames enough for a network"


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
    import torch

    view = found[0].view
    if settings.decay_s <= 0 or view.signal in ("spikes", "events"):
        return None
    lags = torch.arange(max(1, round(DECAYS * settings.decay_s * view.rate_hz)) + 1)
    kernel = torch.exp(-lags / (settings.decay_s * view.rate_hz))
    return kernel / kernel.sum()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Fitted:
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


def _fitted(
    feed: Feed,
    design: Design,
    settings: EncodingConfig,
    rng: np.random.Generator,
    smear: Tensor | None,
    progress: Progress,
) -> _Fitted:
    import torch

    from pipeline.methods.celltypes.encoding.networks import (
        Convolutional,
        LinearNonlinear,
        build,
    )
    from pipeline.methods.celltypes.encoding.starts import (
        places,
        start_bias,
        start_filters,
        triggered,
    )
    from pipeline.methods.celltypes.encoding.training import Schedule, train

    if not feed.clips("train", length=1) or not feed.clips("validation", length=1):
        raise NotApplicable(
            f"No stretch of frames to learn from, or to choose by, is as long as the "
            f"{feed.lost} frames of memory that {design.network} needs."
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
        history = train(
            network,
            feed,
            schedule,
            rng=rng,
            smear=smear,
            progress=progress,
            note=design.network,
        )
        history.insert(0, "network", pd.Series([design.network] * len(history), dtype="str"))
        history.insert(1, "member", member)
        networks.append(network)
        histories.append(history)
    return _Fitted(
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
    seconds = _n_frames(feed.sessions, "train") / feed.sessions[0].view.rate_hz
    return 1e-3 if seconds < LONG_S else 1e-2


def _kept(
    scores: dict[NetworkName, NDArray[np.float64]], tried: NetworkName, settings: EncodingConfig
) -> tuple[NetworkName, str]:
    """The model to keep, and why where there was a choice."""
    linear = _mean(scores["ln"])
    if tried == "ln":
        return "ln", ""
    gain = _mean(scores[tried]) - linear
    numbers = f"({linear + gain:.3f} and {linear:.3f} in mean validation correlation)"
    if gain >= settings.least_gain:
        return tried, f"it predicts better than ln {numbers}"
    return "ln", f"ln was kept because {tried} is not better by {settings.least_gain:g} {numbers}"


def _mean(values: NDArray[np.float64]) -> float:
    """Units without a defined correlation are predicted as well as by nothing."""
    return float(np.nan_to_num(values).mean()) if values.size else 0.0


def _correlations(fitted: _Fitted, role: str) -> NDArray[np.float64]:
    """Of single answers with predictions, shape (unit,)."""
    found = []
    for index in range(len(fitted.feed.sessions)):
        frames, predicted = fitted.predictions(role, session=index)
        answers, known = fitted.feed.answers(index)
        found.append(correlation(predicted, answers[frames], known[frames]))
    return np.concatenate(found)


def _levels(fitted: _Fitted) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and spread of rates in the frames learned from, all units in the middle."""
    n_units = fitted.feed.n_units
    centred = [network.centred() for network in fitted.networks]
    total, squares, count = np.zeros(n_units), np.zeros(n_units), np.zeros(n_units)
    streams = [fitted.feed.predictions(each, "train", predicted=False) for each in centred]
    for pieces in zip(*streams, strict=True):
        rates = np.stack([values for _, _, values in pieces]).mean(axis=0, dtype=np.float64)
        units = fitted.feed.units[pieces[0][0]]
        total[units] += rates.sum(axis=0)
        squares[units] += (rates**2).sum(axis=0)
        count[units] += len(rates)
    mean = total / np.maximum(count, 1)
    return mean, np.sqrt(np.maximum(squares / np.maximum(count, 1) - mean**2, 0))


def _units(
    best: _Fitted,
    validation: NDArray[np.float64],
    linear: NDArray[np.float64],
    rule: UnitFilterConfig,
) -> pd.DataFrame:
    """One row a unit, with everything that is told of it."""
    tables = []
    where, width = (
        np.mean([each[part].numpy(force=True) for each in map(_where, best.networks)], axis=0)
        for part in (0, 1)
    )
    for index, session in enumerate(best.feed.sessions):
        view, units = session.view, best.feed.units[index]
        frames, predicted = best.predictions("test", session=index)
        answers, known = best.feed.answers(index)
        repeats = repeat_scores(answers[frames], known[frames], view.again[frames], predicted)
        tables.append(
            pd.DataFrame(
                {
                    "recording": pd.Series([view.recording] * view.unit.size, dtype="str"),
                    "unit": pd.Series(view.unit.tolist(), dtype="str"),
                    "label": pd.Series(view.label.tolist(), dtype="str"),
                    "valid_share": view.valid.mean(axis=0),
                    "rate_hz": _rates_hz(view),
                    "validation_correlation": validation[units],
                    "validation_correlation_ln": linear[units],
                    "test_correlation": correlation(predicted, answers[frames], known[frames]),
                    "mean_correlation": repeats.mean_correlation,
                    "normalised_correlation": repeats.normalised_correlation,
                    "reliability": repeats.reliability,
                    "signal_share": repeats.signal_share,
                    "single_ceiling": repeats.single_ceiling,
                    "field_y": where[units, 0].astype(np.float64),
                    "field_x": where[units, 1].astype(np.float64),
                    "field_width": width[units].astype(np.float64),
                }
            ).assign(**_passed(view, validation[units], repeats, rule))
        )
    return pd.concat(tables, ignore_index=True)


def _where(network: Network) -> tuple[Tensor, Tensor]:
    return network.where()


def _rates_hz(view: StimulusResponses) -> NDArray[np.float64]:
    """Answers a second while a unit was observed; for traces a mean and no rate, so NaN."""
    if view.signal != "spikes":
        return np.full(view.unit.size, np.nan)
    count = np.maximum(view.valid.sum(axis=0), 1)
    found: NDArray[np.float64] = view.responses.sum(axis=0, dtype=np.float64) / count * view.rate_hz
    return found


def _passed(
    view: StimulusResponses,
    validation: NDArray[np.float64],
    repeats: RepeatScores,
    rule: UnitFilterConfig,
) -> dict[str, pd.Series]:
    """Whether each unit is used, and the first reason why not."""
    varies = np.array(
        [
            np.ptp(view.responses[known, unit]) > 0 if known.any() else False
            for unit, known in enumerate(view.valid.T)
        ]
    )
    ceiling = np.where(np.isfinite(repeats.single_ceiling), repeats.single_ceiling, 1.0)
    rates = _rates_hz(view)
    shown_again = bool((view.again >= 0).any())
    tests = (
        ("observed in too few frames", view.valid.mean(axis=0) < rule.min_valid),
        ("silent or constant", ~varies),
        ("fires too rarely", np.nan_to_num(rates, nan=np.inf) < rule.min_rate_hz),
        (
            "answers are not reliable",
            ~(repeats.reliability >= rule.min_reliability)
            if shown_again
            else np.zeros(varies.size, dtype=bool),
        ),
        ("not predicted", ~(validation / ceiling >= rule.min_correlation)),
    )
    reasons = np.full(varies.size, "", dtype=object)
    for text, failed in tests:
        reasons[(reasons == "") & failed] = text
    return {
        "used": pd.Series(reasons == ""),
        "reason": pd.Series(reasons.tolist(), dtype="str"),
    }


def _n_frames(found: Sequence[Session], role: str) -> int:
    stretches = [getattr(session, role) for session in found]
    return int(sum((each[:, 1] - each[:, 0]).sum() for each in stretches))
