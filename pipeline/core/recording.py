"""One recording, whatever file it came from."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.arrays import BLOCK_BYTES, ArraySource, bands, loaded, pieces
from pipeline.core.axes import axes, check_axes, strictly_increasing, table
from pipeline.core.intervals import count_inside
from pipeline.core.provenance import Provenance

ID_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""Experiment and recording ids; they become folder names and names of random streams."""

RECORDING_VERSION = 5
"""Raised by hand in the change that alters what is stored of a file, so that it is read anew."""

UNIT_COLUMNS = ("unit_id", "region", "identity", "identity_certain", "good", "reason")
TRIAL_COLUMNS = ("start_s", "stop_s", "condition")
EPOCH_COLUMNS = ("start_s", "stop_s", "label")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampledActivity:
    """Activity sampled in time: fluorescence, dF/F or inferred events.

    Missing samples are marked in ``valid``; what stands in ``values`` there means nothing. Both
    are arrays, or sources of what is too large for the memory: :meth:`stretches` and
    :meth:`traces` read either.
    """

    values: ArraySource = axes("time", "unit")
    """Of type float32."""
    valid: ArraySource = axes("time", "unit")
    """Of type bool."""
    time: NDArray[np.float64] = axes("time", unit="s")
    value_unit: str
    """Unit of ``values`` as the file tells it: "dF/F", "a.u.", ..."""
    signal: str
    """``dff``, ``fluorescence`` or ``events``."""

    def __post_init__(self) -> None:
        sizes = check_axes(self)
        if sizes["time"] < 2:
            raise ValueError(f"{sizes['time']} samples; a recording needs at least 2.")
        if not strictly_increasing(self.time):
            raise ValueError("Sample times do not increase.")
        if self.signal not in ("dff", "fluorescence", "events"):
            raise ValueError(f"Unknown kind of signal {self.signal!r}.")

    @property
    def n_units(self) -> int:
        """Number of units."""
        return int(self.values.shape[1])

    @property
    def rate_hz(self) -> float:
        """Samples a second, from the median interval."""
        return float(1.0 / np.median(np.diff(self.time)))

    @property
    def span_s(self) -> tuple[float, float]:
        """First and last sample time."""
        return float(self.time[0]), float(self.time[-1])

    def stretches(
        self, *, max_bytes: int = BLOCK_BYTES
    ) -> Iterator[tuple[slice, NDArray[np.float32], NDArray[np.bool_]]]:
        """All units, stretch of time by stretch: where, values and which are valid."""
        for key in pieces(self.values, max_bytes=max_bytes, axes=(0,)):
            yield key[0], self.values[key], self.valid[key]

    def traces(
        self, units: NDArray[np.intp], *, max_bytes: int = BLOCK_BYTES
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.bool_]]]:
        """Whole traces, some units at a time.

        Parameters
        ----------
        units
            Columns that are wanted.

        Yields
        ------
        Places in ``units``, and values and validity of these, each of shape (time, place).
        """
        for places, stretch in bands(self.values, units, max_bytes=max_bytes):
            columns = units[places] - stretch.start
            key = (slice(None), stretch)
            yield places, self.values[key][:, columns], self.valid[key][:, columns]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpikeTrains:
    """Spike times of many units, one unit after another.

    Unit ``i`` has ``times[starts[i]:starts[i + 1]]``.
    """

    times: NDArray[np.float64] = axes("spike", unit="s")
    starts: NDArray[np.int64] = axes("unit_edge")
    observed: NDArray[np.float64] = axes("interval", "bound", unit="s")
    """Stretches in which spikes of at least one unit could be seen, start and stop, in order."""
    unit_observed: NDArray[np.float64] | None = axes(
        "unit_interval", "bound", unit="s", optional=True
    )
    """The same for each unit, one unit after another; None where all were seen in ``observed``."""
    unit_observed_starts: NDArray[np.int64] | None = axes("unit_edge", optional=True)
    """Where each unit's stretches begin in ``unit_observed``."""

    def __post_init__(self) -> None:
        check_axes(self)
        if self.starts.size < 1 or self.starts[0] != 0 or self.starts[-1] != self.times.size:
            raise ValueError("Starts of units do not cover the spike times.")
        if np.any(np.diff(self.starts) < 0):
            raise ValueError("Starts of units decrease.")
        if steps_back(self.times, self.starts).size:
            raise ValueError("Spike times of a unit are not sorted.")
        if self.observed.shape[1] != 2 or np.any(self.observed[:, 1] < self.observed[:, 0]):
            raise ValueError("Observed intervals need a start and a later stop.")
        self._check_unit_observed()

    def _check_unit_observed(self) -> None:
        own, starts = self.unit_observed, self.unit_observed_starts
        if own is None and starts is None:
            return
        if own is None or starts is None:
            raise ValueError("Observed intervals of units need their starts.")
        if own.shape[1] != 2 or np.any(own[:, 1] < own[:, 0]):
            raise ValueError("Observed intervals of units need a start and a later stop.")
        if starts[0] != 0 or starts[-1] != len(own) or np.any(np.diff(starts) < 0):
            raise ValueError("Starts of units do not cover their observed intervals.")

    @property
    def n_units(self) -> int:
        """Number of units."""
        return int(self.starts.size - 1)

    @property
    def n_spikes(self) -> NDArray[np.int64]:
        """Spikes of each unit, shape (unit,)."""
        return np.diff(self.starts)

    @property
    def span_s(self) -> tuple[float, float]:
        """Start of the first and stop of the last observed stretch."""
        return float(self.observed[0, 0]), float(self.observed[-1, 1])

    def of_unit(self, index: int) -> NDArray[np.float64]:
        """Spike times of one unit, in seconds, ascending."""
        return self.times[self.starts[index] : self.starts[index + 1]]

    def observed_of(self, index: int) -> NDArray[np.float64]:
        """Stretches in which one unit could be seen, shape (interval, 2), seconds, in order."""
        if self.unit_observed is None or self.unit_observed_starts is None:
            return self.observed
        first, last = self.unit_observed_starts[index : index + 2]
        return self.unit_observed[first:last]

    @property
    def observed_s(self) -> NDArray[np.float64]:
        """How long each unit could be seen, shape (unit,), seconds."""
        units = range(self.n_units)
        return np.array([np.diff(self.observed_of(unit), axis=1).sum() for unit in units])

    @property
    def rates_hz(self) -> NDArray[np.float64]:
        """Spikes a second while a unit could be seen, shape (unit,); NaN where it never could."""
        counts = [
            count_inside(self.of_unit(unit), self.observed_of(unit)) for unit in range(self.n_units)
        ]
        seconds = self.observed_s
        rates = np.full(self.n_units, np.nan)
        np.divide(counts, seconds, out=rates, where=seconds > 0)
        return rates


def steps_back(times: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.intp]:
    """Indices of spikes that come before the spike ahead of them in the same unit.

    Parameters
    ----------
    times, starts
        As in :class:`SpikeTrains`.
    """
    found = np.flatnonzero(times[1:] < times[:-1]) + 1
    return found[~np.isin(found, starts)]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StimulusMovie:
    """Frames shown to the animal, conversion applied. Axis order (x, y) is the file's."""

    values: ArraySource = axes("time", "x", "y")
    """Of type float32; an array, or a source of what is too large for the memory."""
    time: NDArray[np.float64] = axes("time", unit="s")
    value_unit: str

    def __post_init__(self) -> None:
        check_axes(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StimulusImages:
    """Images shown to the animal in some order, each stored once; also frames in colour.

    At ``time[i]`` the image ``values[shown[i]]`` appeared.
    """

    values: ArraySource = axes("image", "x", "y", "channel")
    """Of type float32; one channel is grey, three are red, green and blue, a fourth how opaque."""
    shown: NDArray[np.int64] = axes("time")
    time: NDArray[np.float64] = axes("time", unit="s")
    value_unit: str

    def __post_init__(self) -> None:
        sizes = check_axes(self)
        if np.any((self.shown < 0) | (self.shown >= sizes["image"])):
            raise ValueError("An image is shown that is not there.")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BehaviourSeries:
    """A measured or controlled series beside the activity: running, pupil, posture, light."""

    values: NDArray[np.float64] = axes("time", "channel")
    time: NDArray[np.float64] = axes("time", unit="s")
    value_unit: str

    def __post_init__(self) -> None:
        check_axes(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class About:
    """Who and what was recorded, as the file tells it; empty where it does not."""

    nwb_identifier: str = ""
    nwb_version: str = ""
    session_id: str = ""
    session_start: str = ""
    description: str = ""
    institution: str = ""
    lab: str = ""
    subject: str = ""
    species: str = ""
    strain: str = ""
    genotype: str = ""
    sex: str = ""
    age: str = ""
    device: str = ""
    indicator: str = ""
    source_series: str = ""
    """HDF5 path of the activity that was read."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recording:
    """Activity of one population in one session, with what is known about it.

    Times are seconds from the NWB file's reference, never rounded. Units are never dropped: those
    that should not be used have ``good`` false and a ``reason``.
    """

    id: str
    activity: SampledActivity | SpikeTrains
    units: pd.DataFrame = table("unit", UNIT_COLUMNS)
    """One row a unit. ``identity`` is the name of an identified neuron without doubt marks,
    ``identity_certain`` whether it had none and is unique here. Further columns as in the file;
    ``x_um``, ``y_um``, ``z_um`` are positions."""
    trials: pd.DataFrame = table("trial", TRIAL_COLUMNS)
    epochs: pd.DataFrame = table("epoch", EPOCH_COLUMNS)
    intervals: Mapping[str, pd.DataFrame]
    """Every table of intervals in the file by name, with ``start_s`` and ``stop_s``."""
    stimuli: Mapping[str, StimulusMovie | StimulusImages]
    behaviour: Mapping[str, BehaviourSeries]
    about: About
    provenance: Provenance

    def __post_init__(self) -> None:
        if not ID_PATTERN.fullmatch(self.id):
            raise ValueError(f"Recording id {self.id!r} has characters that are not allowed.")
        sizes = check_axes(self)
        if sizes["unit"] != self.activity.n_units:
            raise ValueError(
                f"Recording {self.id}: {self.activity.n_units} units have activity, but the unit "
                f"table has {sizes['unit']} rows."
            )

    @property
    def kind(self) -> str:
        """``calcium`` for sampled activity, ``spikes`` for spike times."""
        return "calcium" if isinstance(self.activity, SampledActivity) else "spikes"

    @property
    def delay_s(self) -> NDArray[np.float64]:
        """How much later than the times of the activity each unit was sampled, shape (unit,).

        That is column ``time_offset_s``, which units have whose planes were scanned in turn.
        """
        if "time_offset_s" not in self.units:
            return np.zeros(len(self.units))
        return self.units["time_offset_s"].to_numpy(dtype=np.float64, na_value=0.0)


def identities(units: pd.DataFrame) -> list[str]:
    """Names of identified units, with a question mark where one is in doubt.

    Parameters
    ----------
    units
        The unit table of a recording.

    Returns
    -------
    One name a unit, empty for units that have none.
    """
    names = units["identity"].fillna("").astype(str)
    doubt = (names != "") & ~units["identity_certain"].astype(bool)
    return [name + "?" * unsure for name, unsure in zip(names, doubt, strict=True)]


def in_memory(recording: Recording) -> Recording:
    """The recording with all of its numbers in memory, whatever sources they came from."""
    activity = recording.activity
    if isinstance(activity, SampledActivity):
        values, valid = loaded(activity.values, activity.valid)
        activity = dataclasses.replace(activity, values=values, valid=valid)
    movies = {
        name: dataclasses.replace(movie, values=loaded(movie.values)[0])
        for name, movie in recording.stimuli.items()
    }
    return dataclasses.replace(recording, activity=activity, stimuli=movies)
