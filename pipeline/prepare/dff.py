"""Fluorescence relative to its own slow baseline: dF/F."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.indexers import BaseIndexer

from pipeline.prepare.config import BaselineConfig

LEAST_SHARE = 0.1
"""A window needs this share of the samples of a full one; with fewer there is no baseline."""
LEAST_BASELINE = 0.01
"""A baseline below this share of the median size of the trace is as good as none: dividing by it
would tell about the baseline's noise."""
BLOCK_BYTES = 64 * 2**20
"""How much of the traces is in work at once, as float64."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RelativeChange:
    """dF/F of many traces."""

    values: NDArray[np.float32]
    """Shape (time, unit); 0 where not valid."""
    valid: NDArray[np.bool_]
    """Shape (time, unit): samples that were there and have a baseline to be divided by."""
    defined: NDArray[np.bool_]
    """Shape (unit,): whether every sample that was there has one."""


def relative_change(
    values: NDArray[np.float32],
    valid: NDArray[np.bool_],
    time: NDArray[np.float64],
    config: BaselineConfig,
) -> RelativeChange:
    """(F - F0) / F0 with F0 the running percentile of F.

    A baseline that is not positive, or tiny beside the trace, divides nothing: such samples are
    marked as missing, and their unit as not ``defined``.

    Parameters
    ----------
    values
        Fluorescence, shape (time, unit).
    valid
        Which samples are there, same shape.
    time
        Their times in seconds, increasing, shape (time,).
    config
        Percentile and window.
    """
    change = np.zeros(values.shape, dtype=np.float32)
    there = np.zeros(values.shape, dtype=bool)
    defined = np.zeros(values.shape[1], dtype=bool)
    step = max(1, BLOCK_BYTES // (8 * max(1, values.shape[0])))
    for start in range(0, values.shape[1], step):
        units = slice(start, start + step)
        known = valid[:, units]
        traces = np.where(known, values[:, units], np.nan).astype(np.float64)
        baseline = running_percentile(
            traces, time, percentile=config.percentile, window_s=config.window_s
        )
        usable = known & (baseline > LEAST_BASELINE * _typical_size(traces))
        with np.errstate(invalid="ignore", divide="ignore"):
            change[:, units] = np.where(usable, traces / baseline - 1.0, 0.0)
        there[:, units] = usable
        defined[units] = known.any(axis=0) & (usable == known).all(axis=0)
    return RelativeChange(values=change, valid=there, defined=defined)


def running_percentile(
    traces: NDArray[np.float64],
    time: NDArray[np.float64],
    *,
    percentile: float,
    window_s: float,
) -> NDArray[np.float64]:
    """Percentile of the samples that lie at most half a window from each time.

    At the ends of the recording, and beside gaps, the window holds what there is of it. Between
    two order statistics the percentile is interpolated.

    Parameters
    ----------
    traces
        Samples, shape (time, unit); NaN where missing.
    time
        Seconds, increasing, shape (time,).
    percentile
        0 to 100.
    window_s
        Full width of the window.

    Returns
    -------
    Shape (time, unit); NaN where the window holds less than :data:`LEAST_SHARE` of the samples of
    a full one.
    """
    half = 0.5 * window_s * (1 + 1e-9)  # so that frames at both edges count despite rounding
    windows = _Windows(
        starts=np.searchsorted(time, time - half, side="left"),
        stops=np.searchsorted(time, time + half, side="right"),
    )
    widest = int((windows.stops - windows.starts).max(initial=1))
    rolling = pd.DataFrame(traces).rolling(windows, min_periods=max(1, int(LEAST_SHARE * widest)))
    found: NDArray[np.float64] = rolling.quantile(
        percentile / 100, interpolation="linear"
    ).to_numpy()
    return found


class _Windows(BaseIndexer):
    """Windows of given bounds, as pandas asks for them."""

    def __init__(self, *, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> None:
        super().__init__()
        self.starts, self.stops = starts, stops

    def get_window_bounds(
        self,
        num_values: int = 0,
        min_periods: int | None = None,
        center: bool | None = None,
        closed: str | None = None,
        step: int | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return self.starts, self.stops


def _typical_size(traces: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median size of each trace's samples, shape (unit,); 0 for a trace without any."""
    sizes = np.zeros(traces.shape[1])
    known = np.isfinite(traces).any(axis=0)
    sizes[known] = np.nanmedian(np.abs(traces[:, known]), axis=0)
    return sizes
