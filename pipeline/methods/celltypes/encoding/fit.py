"""Encoding models fitted to stimuli and answers, chosen, and judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes, table
from pipeline.core.errors import NotApplicable
from pipeline.core.progress import Progress, silent
from pipeline.core.resuming import InTurn
from pipeline.core.views import StimulusResponses
from pipeline.methods.celltypes.encoding.clips import (
    Session,
    StimulusScale,
    sessions,
    stimulus_scale,
)
from pipeline.methods.celltypes.encoding.config import EncodingConfig, NetworkName, SuppliedConfig
from pipeline.methods.celltypes.encoding.interrupted import Training
from pipeline.methods.celltypes.encoding.judged import unit_table
from pipeline.methods.celltypes.encoding.model import EncodingModel, weights_of
from pipeline.methods.celltypes.encoding.supplied import Supplied, supplied_model
from pipeline.numerics.device import Device, device_of

if TYPE_CHECKING:
    from pipeline.methods.celltypes.encoding.members import Members

DEVICE_SETTING = "methods.celltypes.device"
FEW_UNITS, SHORT_S = 30, 180.0
"""With less, a network is not tried unless it is asked for."""


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
    *,
    kind: NetworkName | None = None,
    trainings: InTurn[Training] | None = None,
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
        Where to compute; ``auto`` takes a graphics card where there is one, ``cuda`` demands it.
    progress
        Told after every epoch.
    kind
        The one model to fit, without a choice; by the settings where ``None``.
    trainings
        Takes what each network needs to go on, after every epoch, and has it of those to go on
        from.

    Raises
    ------
    NotApplicable
        If there is nothing to learn from, or recordings cannot be put together.
    """
    from pipeline.methods.celltypes.encoding.members import n_frames

    try:
        found = sessions(views)
        scale = stimulus_scale(found)
    except ValueError as error:
        raise NotApplicable(str(error)) from error
    where = device_of(device, setting=DEVICE_SETTING)
    in_turn = trainings or InTurn()
    if kind is not None:
        choice = _told(found, scale, kind, settings, where, rng, progress, in_turn)
    elif settings.supplied.kind == "none":
        choice = _chosen(found, scale, settings, where, rng, progress, in_turn)
    else:
        choice = _taken(found, scale, settings.supplied, where)
    best = choice.best
    model = EncodingModel(
        design=best.design,
        members=() if choice.supplied else tuple(weights_of(each) for each in best.networks),
        scale=scale,
        channel=views[0].channel,
        recording=np.concatenate([np.full(view.unit.size, view.recording) for view in views]),
        unit=np.concatenate([view.unit for view in views]),
        rate_hz=views[0].rate_hz,
        window=1 if views[0].presentations else settings.window_frames,
        supplied=choice.supplied,
    )
    mean, sd = best.levels()
    return EncodingFit(
        model=model,
        network=best.design.network,
        tried=choice.tried,
        reason=choice.reason,
        units=unit_table(best, choice.validation, choice.linear, settings.filter),
        mean=mean,
        sd=sd,
        history=choice.history,
        n_train=n_frames(found, "train"),
        n_validation=n_frames(found, "validation"),
        n_test=n_frames(found, "test"),
        n_leaks=sum(session.n_leaks for session in found),
        device=where,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Choice:
    """The model to keep, and why."""

    best: Members
    tried: str
    reason: str
    validation: NDArray[np.float64]
    """Correlation in the validation frames, shape (unit,)."""
    linear: NDArray[np.float64]
    """The same of ``ln``; NaN where none was fitted."""
    history: pd.DataFrame
    supplied: Supplied | None = None


def _chosen(
    found: Sequence[Session],
    scale: StimulusScale,
    settings: EncodingConfig,
    device: str,
    rng: np.random.Generator,
    progress: Progress,
    trainings: InTurn[Training],
) -> _Choice:
    """A network where it is better than ``ln``, and ``ln`` else."""
    from pipeline.methods.celltypes.encoding.members import fitted

    name, reason = _tried(found, settings, device)
    names: list[NetworkName] = ["ln", name]
    fits = {
        each: fitted(
            found,
            scale,
            each,
            settings,
            device=device,
            rng=rng,
            progress=progress,
            trainings=trainings,
        )
        for each in dict.fromkeys(names)
    }
    scores = {each: fit.correlations("validation") for each, fit in fits.items()}
    kept, why = _kept(scores, name, settings)
    return _Choice(
        best=fits[kept],
        tried=name,
        reason=f"{reason}; {why}" if why else reason,
        validation=scores[kept],
        linear=scores["ln"],
        history=pd.concat([fit.history for fit in fits.values()], ignore_index=True),
    )


def _told(
    found: Sequence[Session],
    scale: StimulusScale,
    kind: NetworkName,
    settings: EncodingConfig,
    device: str,
    rng: np.random.Generator,
    progress: Progress,
    trainings: InTurn[Training],
) -> _Choice:
    """A model of one kind, compared with no other."""
    from pipeline.methods.celltypes.encoding.members import fitted

    best = fitted(
        found,
        scale,
        kind,
        settings,
        device=device,
        rng=rng,
        progress=progress,
        trainings=trainings,
    )
    validation = best.correlations("validation")
    return _Choice(
        best=best,
        tried=kind,
        reason=f"{kind} alone was to be fitted",
        validation=validation,
        linear=validation if kind == "ln" else np.full(validation.size, np.nan),
        history=best.history,
    )


def _taken(
    found: Sequence[Session], scale: StimulusScale, config: SuppliedConfig, device: str
) -> _Choice:
    """The user's own model as it is."""
    from pipeline.methods.celltypes.encoding.members import supplied_members

    own = supplied_model(config)
    best, centred = supplied_members(found, scale, own, memory=config.memory_frames, device=device)
    validation = best.correlations("validation")
    return _Choice(
        best=best,
        tried="supplied",
        reason="a model was supplied"
        + ("" if centred else "; its units could not be moved to the middle of the frame"),
        validation=validation,
        linear=np.full(validation.size, np.nan),
        history=best.history,
        supplied=own,
    )


def _tried(
    found: Sequence[Session], settings: EncodingConfig, device: str
) -> tuple[NetworkName, str]:
    """Which model to try, and why."""
    if settings.network != "auto":
        return settings.network, f"{settings.network} was asked for"
    n_units = sum(session.view.unit.size for session in found)
    rate_hz = found[0].view.rate_hz
    seconds = sum((each.train[:, 1] - each.train[:, 0]).sum() for each in found) / rate_hz
    if n_units < FEW_UNITS:
        return "ln", f"there are {n_units} units, and a network needs {FEW_UNITS}"
    if seconds < SHORT_S and not found[0].view.presentations:
        return "ln", f"there are {seconds:.0f} s to learn from, and a network needs {SHORT_S:g}"
    if found[0].view.presentations:
        return "cnn_image", "single images were shown"
    if device == "cuda":
        return "cnn_factorised", "there is a graphics card"
    return "cnn_small", "there are units and frames enough for a network"


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
