"""Activity in windows that move with the trials: rates of spikes, means of samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.core.intervals import union
from pipeline.core.recording import Recording, SampledActivity, SpikeTrains
from pipeline.prepare.config import EnsembleConfig, PatternsConfig
from pipeline.prepare.ensemble import NO_BASELINE, choose_traces
from pipeline.prepare.grid_traces import GridTraces

SLACK_S = 1e-6
"""By how much rounded times of trials may reach beyond what was recorded."""


@dataclass(frozen=True, slots=True, eq=False)
class InWindow:
    """Activity in one window of every trial."""

    values: NDArray[np.float64]
    """Shape (trial, unit); 0 where not seen."""
    seen: NDArray[np.bool_]


class WindowedActivity(Protocol):
    """Activity of some units around the starts of trials."""

    kept: NDArray[np.bool_]
    """Which of the units asked for these are."""
    value_unit: str
    counted: bool
    """Whether values are rates of counted spikes."""
    left_out: list[tuple[str, int, str]]

    def in_window(self, start_s: float, stop_s: float) -> InWindow:
        """Activity from ``start_s`` until before ``stop_s``, from the start of each trial."""


def windowed(
    recording: Recording,
    units: NDArray[np.intp],
    trial_start_s: NDArray[np.float64],
    config: PatternsConfig,
) -> WindowedActivity:
    """The recording's activity, whatever its kind.

    Parameters
    ----------
    recording
        Spikes or sampled activity.
    units
        Units that are wanted, ascending.
    trial_start_s
        Seconds, shape (trial,).
    config
        How fluorescence becomes dF/F.

    Raises
    ------
    NotApplicable
        If dF/F is wanted and no unit has a positive baseline.
    """
    activity = recording.activity
    if isinstance(activity, SampledActivity):
        return _Samples(recording.id, activity, units, trial_start_s, config, recording.delay_s)
    return _Spikes(activity, units, trial_start_s)


class _Spikes:
    """Rates of spikes in Hz; a window counts where the unit was observed from end to end."""

    value_unit = "Hz"
    counted = True

    def __init__(
        self, trains: SpikeTrains, units: NDArray[np.intp], trial_start_s: NDArray[np.float64]
    ) -> None:
        self._trains, self._units, self._start_s = trains, units, trial_start_s
        self.kept = np.ones(units.size, dtype=bool)
        self.left_out: list[tuple[str, int, str]] = []

    def in_window(self, start_s: float, stop_s: float) -> InWindow:
        first, last = self._start_s + start_s, self._start_s + stop_s
        values = np.zeros((first.size, self._units.size))
        seen = np.zeros(values.shape, dtype=bool)
        for column, unit in enumerate(self._units.tolist()):
            times = self._trains.of_unit(unit)
            # A spike on the border belongs to the later window, however times were rounded.
            edges = np.searchsorted(times, [first - SLACK_S, last - SLACK_S])
            values[:, column] = np.diff(edges, axis=0)[0] / (stop_s - start_s)
            seen[:, column] = _within(first, last, union(self._trains.observed_of(unit)))
        return InWindow(np.where(seen, values, 0.0), seen)


class _Samples:
    """Means of the frames in a window; it counts where it holds a frame and none is missing."""

    counted = False

    def __init__(
        self,
        name: str,
        activity: SampledActivity,
        units: NDArray[np.intp],
        trial_start_s: NDArray[np.float64],
        config: PatternsConfig,
        delay_s: NDArray[np.float64],
    ) -> None:
        # Frames stay where they are: the "grid" is the recording's own times. Only planes that
        # are scanned later are put between their frames, to the times of the first.
        traces = GridTraces(
            activity,
            units,
            time=activity.time,
            rate_hz=activity.rate_hz,
            config=EnsembleConfig(max_gap_s=0, dff=config.dff),
            delay_s=delay_s,
        )
        chosen = choose_traces(name, traces, config=config.dff)
        self.kept, self.value_unit = chosen.kept, chosen.value_unit
        n_lost = int((~chosen.kept).sum())
        self.left_out = [("unit", n_lost, NO_BASELINE)]
        self._start_s, self._activity = trial_start_s, activity
        self._traces, self._relative = traces, chosen.relative

    def in_window(self, start_s: float, stop_s: float) -> InWindow:
        time = self._activity.time
        first, last = self._start_s + start_s, self._start_s + stop_s
        edges = np.searchsorted(time, [first - SLACK_S, last - SLACK_S])
        n_frames = np.diff(edges, axis=0)[0]
        stop = time[-1] + 1 / self._activity.rate_hz
        recorded = (n_frames > 0) & _within(first, last, np.array([[time[0], stop]]))
        columns = np.flatnonzero(self.kept)
        values = np.zeros((first.size, columns.size))
        seen = np.zeros(values.shape, dtype=bool)
        for at in range(0, columns.size, self._traces.width):
            some = slice(at, at + self._traces.width)
            trace, valid = self._traces.of(columns[some], relative=self._relative)
            n_valid = _sums(valid[:].astype(np.float64), edges)
            values[:, some] = _sums(np.where(valid[:], trace[:], 0.0).astype(np.float64), edges)
            seen[:, some] = recorded[:, None] & (n_valid == n_frames[:, None])
        values /= np.maximum(n_frames, 1)[:, None]
        return InWindow(np.where(seen, values, 0.0), seen)


def _sums(values: NDArray[np.float64], edges: NDArray[np.intp]) -> NDArray[np.float64]:
    """Sums of rows between each pair of edges, shape (window, column)."""
    # Windows one after another: differences of running sums would lose digits over hours.
    rows = [values[start:stop].sum(axis=0) for start, stop in edges.T]
    return np.array(rows).reshape(edges.shape[1], values.shape[1])


def _within(
    first: NDArray[np.float64], last: NDArray[np.float64], stretches: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which windows lie in one stretch from end to end, shape (window,)."""
    if not len(stretches):
        return np.zeros(first.size, dtype=bool)
    at = np.searchsorted(stretches[:, 0], first + SLACK_S, side="right") - 1
    inside: NDArray[np.bool_] = (at >= 0) & (last <= stretches[at, 1] + SLACK_S)
    return inside
