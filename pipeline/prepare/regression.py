"""What all units share, or what the animal does, taken out of traces by linear regression."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes
from pipeline.core.errors import NotApplicable
from pipeline.core.recording import Recording
from pipeline.core.views import MEAN_OF_UNITS
from pipeline.prepare.covariates import binned_behaviour

GLOBAL_MEAN = "global_mean"
"""What settings call the mean of all units; any other name is a series of behaviour."""

Band = tuple[NDArray[np.float32], NDArray[np.bool_]]
"""Values and validity of some units, shape (time, unit) each."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Regressors:
    """Courses on the grid of a view, of which multiples are taken out of every trace."""

    name: NDArray[np.str_] = axes("regressor")
    course: NDArray[np.float64] = axes("time", "regressor")
    """NaN where not known."""

    def __post_init__(self) -> None:
        check_axes(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Residuals:
    """Traces of some units without what regressors explain of them."""

    values: NDArray[np.float32] = axes("time", "unit")
    """Around the mean of the trace; 0 where not valid."""
    valid: NDArray[np.bool_] = axes("time", "unit")
    """Where the trace and all regressors are known."""
    explained: NDArray[np.float64] = axes("unit")
    """Share of each trace's variance that was taken out; NaN for constant and empty traces."""

    def __post_init__(self) -> None:
        check_axes(self)


def behaviour_regressors(
    recording: Recording, names: Sequence[str], time: NDArray[np.float64], *, rate_hz: float
) -> Regressors:
    """Series of behaviour on the grid: means around each frame, or the line between samples.

    Parameters
    ----------
    names
        Series of the file, ``NAME[0]`` for one channel of several; :data:`GLOBAL_MEAN` is left
        out.
    time
        Frames of the view in seconds, shape (time,), ``rate_hz`` a second.

    Raises
    ------
    NotApplicable
        If the recording lacks one.
    """
    half = 0.5 / rate_hz
    channels, courses = binned_behaviour(recording.behaviour, time - half, time + half)
    wanted = [name for name in names if name != GLOBAL_MEAN]
    place = {str(name): at for at, name in enumerate(channels)}
    lacking = [name for name in wanted if name not in place]
    if lacking:
        raise NotApplicable(
            f"prepare.ensemble.regress_out names {', '.join(lacking)}, which recording "
            f"{recording.id} does not have; it has {', '.join(place) or 'no behaviour'}, and "
            f"{GLOBAL_MEAN} is always there."
        )
    return Regressors(
        name=np.array(wanted, dtype=np.str_), course=courses[:, [place[name] for name in wanted]]
    )


def with_global_mean(regressors: Regressors, bands: Iterator[Band]) -> Regressors:
    """The regressors and, first, the mean over units of their traces in standard deviations.

    Each trace counts alike, whatever its size and level, so that the mean neither follows the
    brightest units nor jumps where one of them is not known. Constant traces do not count.

    Parameters
    ----------
    bands
        All units of the view, some at a time.
    """
    n_frames = len(regressors.course)
    total, count = np.zeros(n_frames), np.zeros(n_frames)
    for values, valid in bands:
        known = valid & np.isfinite(values)
        traces = np.where(known, values, 0.0).astype(np.float64)
        n_known = np.maximum(known.sum(axis=0), 1)
        centred = np.where(known, traces - traces.sum(axis=0) / n_known, 0.0)
        spread = np.sqrt((centred**2).sum(axis=0) / n_known)
        # What is left of a constant trace is rounding.
        moving = spread > 1e-7 * np.abs(traces).max(axis=0, initial=0.0)
        total += (centred[:, moving] / spread[moving]).sum(axis=1)
        count += known[:, moving].sum(axis=1)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return Regressors(
        name=np.concatenate([np.array([GLOBAL_MEAN]), regressors.name]),
        course=np.column_stack([mean, regressors.course]),
    )


def without(
    values: NDArray[np.floating], valid: NDArray[np.bool_], regressors: Regressors
) -> Residuals:
    """Traces less what ordinary least squares, with a constant, explains of each by itself.

    Parameters
    ----------
    values, valid
        Traces and where they are known, shape (time, unit).
    regressors
        Courses on the same frames.

    Returns
    -------
    Residuals, to which the mean of the trace is added again. Frames in which a regressor is not
    known are not valid, and a unit with no more of them than there are regressors has none.
    """
    told = np.asarray(np.isfinite(regressors.course).all(axis=1))
    known = valid & np.isfinite(values) & told[:, None]
    left = np.zeros(values.shape, dtype=np.float32)
    explained = np.full(values.shape[1], np.nan)
    for unit in range(values.shape[1]):
        rows = known[:, unit]
        if rows.sum() <= regressors.name.size + 1:
            known[:, unit] = False
            continue
        design = regressors.course[rows]
        design = design - design.mean(axis=0)
        size = np.sqrt((design**2).mean(axis=0))
        design = design[:, size > 0] / size[size > 0]
        trace = values[rows, unit].astype(np.float64)
        around = trace - trace.mean()
        fitted = design @ np.linalg.lstsq(design, around, rcond=None)[0]
        left[rows, unit] = trace - fitted
        if around.any():
            explained[unit] = float((fitted**2).sum() / (around**2).sum())
    return Residuals(values=left, valid=known, explained=explained)


def regressors_of(
    recording: Recording,
    names: Sequence[str],
    time: NDArray[np.float64],
    *,
    rate_hz: float,
    bands: Callable[[], Iterator[Band]],
) -> tuple[Regressors, str]:
    """The regressors that settings name, and what they took out, in words.

    Parameters
    ----------
    bands
        Gives all units of the view, some at a time, as often as it is called.

    Raises
    ------
    NotApplicable
        If the recording lacks a series of behaviour.
    """
    chosen = behaviour_regressors(recording, names, time, rate_hz=rate_hz)
    if GLOBAL_MEAN in names:
        chosen = with_global_mean(chosen, bands())
    shares = np.concatenate([without(*band, chosen).explained for band in bands()])
    known = shares[np.isfinite(shares)]
    said = [MEAN_OF_UNITS if name == GLOBAL_MEAN else str(name) for name in chosen.name]
    share = f" ({100 * np.median(known):.0f} % of the median unit's variance)" if known.size else ""
    return chosen, f"{' and '.join(said)}{share}"
