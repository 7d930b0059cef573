"""Traces on a regular time grid, made some units at a time, so that memory does not limit them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.core.arrays import BLOCK_BYTES
from pipeline.core.recording import SampledActivity
from pipeline.prepare.config import EnsembleConfig
from pipeline.prepare.dff import relative_change
from pipeline.prepare.regression import Regressors, without

RATE_SLACK = 1.05
"""Down-sampling by less than this factor needs no anti-alias filter."""

ALIAS_WIDTH = 0.4
"""Width (sigma) of the anti-alias Gaussian in frames of the new grid; 45 % of the amplitude is
left at the new Nyquist frequency, 4 % at the new rate."""

KEPT_BYTES = 4 * BLOCK_BYTES
"""Traces up to this size stay in memory, so that they are made once."""


@dataclass(frozen=True, slots=True, eq=False)
class _Band:
    """Traces of some units."""

    values: NDArray[np.float32]
    valid: NDArray[np.bool_]
    defined: NDArray[np.bool_]
    """Which units have a positive baseline throughout, shape (unit,)."""

    @property
    def n_bytes(self) -> int:
        return self.values.nbytes + self.valid.nbytes


class GridTraces:
    """Traces of some units of a recording on a regular grid.

    Parameters
    ----------
    activity
        Where the samples are.
    units
        Columns that are wanted, ascending.
    time
        The grid in seconds, shape (time,).
    rate_hz
        Its rate.
    config
        Longest gap to bridge, and how dF/F is computed.
    delay_s
        How much later than the times of the activity each of its units was sampled, such as those
        of the lower of two planes, shape (unit,); nothing where ``None``.
    """

    def __init__(
        self,
        activity: SampledActivity,
        units: NDArray[np.intp],
        *,
        time: NDArray[np.float64],
        rate_hz: float,
        config: EnsembleConfig,
        delay_s: NDArray[np.float64] | None = None,
    ) -> None:
        self.activity = activity
        self.time = time
        self._units = units
        self._rate_hz = rate_hz
        self._config = config
        self._delay_s = np.zeros(activity.n_units) if delay_s is None else delay_s
        rows = max(time.size, activity.time.size)
        self._width = max(1, min(units.size, BLOCK_BYTES // (4 * rows)))
        self._made: OrderedDict[tuple[int, bool], _Band] = OrderedDict()
        self._regressors: Regressors | None = None

    @property
    def n_units(self) -> int:
        """Number of units."""
        return int(self._units.size)

    def baselines(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Units whose every sample has a positive baseline, and those of which any sample has."""
        bands = range(0, self.n_units, self._width)
        made = ((band.defined, band.valid.any(axis=0)) for band in map(self._relative, bands))
        defined, present = zip(*made, strict=True)
        return np.concatenate(defined), np.concatenate(present)

    def of(
        self, chosen: NDArray[np.intp], *, relative: bool
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Values and validity of some of the units, shape (time, chosen); 0 where not valid.

        Parameters
        ----------
        chosen
            Places among the units, ascending.
        relative
            Whether traces are divided by their baseline.

        Returns
        -------
        Arrays, or sources where they are too large for the memory. Methods see views that were
        read again, so that the annotation holds for them.
        """
        values = _Column(self, chosen, relative=relative, mask=False)
        valid = _Column(self, chosen, relative=relative, mask=True)
        if values.shape[0] * values.shape[1] * 5 <= KEPT_BYTES:
            return values[:], valid[:]
        return cast("NDArray[np.float32]", values), cast("NDArray[np.bool_]", valid)

    def columns(
        self, chosen: NDArray[np.intp], *, relative: bool, mask: bool
    ) -> NDArray[np.float32] | NDArray[np.bool_]:
        """Values, or validity, of few of the units, in memory."""
        found: NDArray[Any] = np.empty(
            (self.time.size, chosen.size), dtype=np.bool_ if mask else np.float32
        )
        first = chosen // self._width * self._width
        for start in np.unique(first).tolist():
            band = self._band(start, relative=relative)
            inside = first == start
            found[:, inside] = (band.valid if mask else band.values)[:, chosen[inside] - start]
        return found

    def bands(
        self, chosen: NDArray[np.intp], *, relative: bool
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
        """Values and validity of units, as many at a time as are made together."""
        for start in range(0, chosen.size, self._width):
            some = chosen[start : start + self._width]
            values = self.columns(some, relative=relative, mask=False)
            valid = self.columns(some, relative=relative, mask=True)
            yield cast("NDArray[np.float32]", values), cast("NDArray[np.bool_]", valid)

    def regress_out(self, regressors: Regressors) -> None:
        """Take courses out of all traces from now on, after the division by their baseline."""
        self._regressors = regressors
        self._made.clear()

    @property
    def width(self) -> int:
        """Units that are made together."""
        return self._width

    def _relative(self, start: int) -> _Band:
        return self._band(start, relative=True)

    def _band(self, start: int, *, relative: bool) -> _Band:
        """The units from ``start`` on that are made together."""
        key = (start, relative)
        if key not in self._made:
            band = self._on_grid(self._units[start : start + self._width])
            if relative:
                change = relative_change(band.values, band.valid, self.time, self._config.dff)
                band = _Band(change.values, change.valid, change.defined)
            if self._regressors is not None:
                left = without(band.values, band.valid, self._regressors)
                band = _Band(left.values, left.valid, band.defined)
            self._made[key] = band
            # Two stay at least: columns asked for together may lie in neighbouring bands.
            while len(self._made) > 2 and sum(b.n_bytes for b in self._made.values()) > KEPT_BYTES:
                self._made.popitem(last=False)
        return self._made[key]

    def _on_grid(self, units: NDArray[np.intp]) -> _Band:
        activity, time, rate_hz = self.activity, self.time, self._rate_hz
        values = np.zeros((time.size, units.size), dtype=np.float32)
        valid = np.zeros(values.shape, dtype=bool)
        own_rate = activity.rate_hz
        # Half an interval more than one frame is jitter, not a gap.
        longest_s = self._config.max_gap_s + 1.5 / own_rate
        for columns, traces, present in activity.traces(units):
            for place, column in enumerate(columns):
                trace = traces[:, place]
                known = present[:, place] & np.isfinite(trace)
                if np.count_nonzero(known) < 2:
                    continue
                source_time = activity.time[known] + self._delay_s[units[column]]
                series = trace[known].astype(np.float64)
                if rate_hz * RATE_SLACK < own_rate:
                    series = _smoothed(series, source_time, own_rate=own_rate, rate_hz=rate_hz)
                values[:, column] = np.interp(time, source_time, series)
                valid[:, column] = _covered(time, source_time, longest_s=longest_s)
        values[~valid] = 0
        return _Band(values, valid, np.ones(units.size, dtype=bool))


class _Column:
    """Values or validity of chosen units, as a source that makes them when asked."""

    def __init__(
        self, traces: GridTraces, chosen: NDArray[np.intp], *, relative: bool, mask: bool
    ) -> None:
        self._traces = traces
        self._chosen = chosen
        self._relative = relative
        self._mask = mask
        self.shape = (traces.time.size, chosen.size)
        self.dtype: np.dtype[Any] = np.dtype(np.bool_ if mask else np.float32)
        self.chunks = (traces.time.size, min(traces.width, max(1, chosen.size)))

    def __getitem__(self, key: slice | tuple[slice, ...], /) -> NDArray[Any]:
        rows, columns = (*key, slice(None))[:2] if isinstance(key, tuple) else (key, slice(None))
        wanted = self._chosen[columns]
        return self._traces.columns(wanted, relative=self._relative, mask=self._mask)[rows]


def _smoothed(
    series: NDArray[np.float64], time: NDArray[np.float64], *, own_rate: float, rate_hz: float
) -> NDArray[np.float64]:
    """Series without what the new rate cannot carry; stretches between gaps by themselves."""
    from scipy.ndimage import gaussian_filter1d

    sigma = ALIAS_WIDTH * own_rate / rate_hz
    breaks = np.flatnonzero(np.diff(time) > 1.5 / own_rate) + 1
    parts = np.split(series, breaks)
    return np.concatenate([gaussian_filter1d(part, sigma, mode="nearest") for part in parts])


def _covered(
    time: NDArray[np.float64], source: NDArray[np.float64], *, longest_s: float
) -> NDArray[np.bool_]:
    """Which times lie on or between two samples that are not too far apart."""
    slack = 1e-9 * max(1.0, float(np.abs(source).max()))
    after = np.clip(np.searchsorted(source, time - slack), 0, source.size - 1)
    before = np.clip(np.searchsorted(source, time + slack, side="right") - 1, 0, source.size - 1)
    inside = (source[before] <= time + slack) & (source[after] >= time - slack)
    return inside & (source[after] - source[before] <= longest_s + slack)
