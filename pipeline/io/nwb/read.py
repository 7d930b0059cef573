"""One NWB file becomes one checked recording."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import DataError
from pipeline.core.notes import Note
from pipeline.core.provenance import Provenance
from pipeline.core.recording import Recording, SampledActivity, SpikeTrains, in_memory
from pipeline.io.nwb.about import read_about, session_start_note
from pipeline.io.nwb.calcium import read_calcium
from pipeline.io.nwb.choice import JOIN
from pipeline.io.nwb.invalid_times import without_invalid_times
from pipeline.io.nwb.objects import NwbObject, Survey, child, survey
from pipeline.io.nwb.observation import firing_span, tells_observation
from pipeline.io.nwb.open import LOCK_WAITS_S, locking_note, open_nwb, version_note
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.nwb.packed_size import least_packed_bytes
from pipeline.io.nwb.samples import Samples
from pipeline.io.nwb.series import read_behaviour, read_stimuli
from pipeline.io.nwb.spikes import check_spikes, read_spikes, units_tables
from pipeline.io.nwb.traces import all_traces, could_be_traces
from pipeline.io.nwb.trial_checks import odd_trials, placed_trials
from pipeline.io.nwb.trials import missing_trials, read_intervals


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """A recording in an open file, of which samples and frames are not read yet."""

    recording: Recording
    told: tuple[Note, ...]
    samples: tuple[Samples, ...]
    contents: Survey
    sources: tuple[str, ...]
    """HDF5 paths of the series, or of the table of units, that are the activity."""

    @property
    def least_bytes(self) -> float:
        """What the activity takes in a record, on a disk, at the very least."""
        found = [self.contents.at(path) for path in self.sources]
        kept_as = {"data": np.float32, "spike_times": np.float64}
        stored = ((child(item.group, name), name) for item in found if item for name in kept_as)
        return sum(
            least_packed_bytes(data, kept_as=kept_as[name])
            for data, name in stored
            if isinstance(data, h5py.Dataset)
        )

    def notes(self) -> tuple[Note, ...]:
        """What a reader should know about how the file was read, once its samples were.

        Raises
        ------
        DataError
            If no sample is a number.
        """
        activity = self.recording.activity
        if not isinstance(activity, SampledActivity):
            return self.told
        met = (note for one in self.samples for note in one.notes(signal=activity.signal))
        return (*self.told, *met)


@contextmanager
def open_recording(
    path: Path, *, recording: str, options: ReadOptions, provenance: Provenance
) -> Iterator[Reading]:
    """The recording in an NWB file, which is open while the block lasts.

    The file is opened for reading only. Structure and numbers come straight from HDF5: a file
    that breaks one rule of the format can still be read where that rule does not matter, and a
    refusal can name the place. Samples of traces and frames of movies are sources, read when
    they are asked for; all else is in memory.

    Parameters
    ----------
    path
        The NWB file.
    recording
        Id of the recording.
    options
        What sheet and settings say about how to read it.
    provenance
        Handed on into the record.

    Raises
    ------
    DataError
        If the file is not a readable NWB 2 file, or lacks or contradicts what is needed.
    EnvironmentFault
        If it may not be read now.
    """
    with open_nwb(path, allow_external=options.allow_external, waits_s=LOCK_WAITS_S) as file:
        contents = survey(file)
        notes = (
            version_note(file) + locking_note(file) + session_start_note(file) + contents.notes()
        )
        kind, kind_notes = activity_kind(contents, options=options)
        intervals = read_intervals(contents, options=options)
        activity: SampledActivity | SpikeTrains
        samples: tuple[Samples, ...] = ()
        if kind == "calcium":
            activity, units, sources, activity_notes, samples = read_calcium(
                contents, options=options, trials=intervals.trials
            )
        else:
            activity, units, table, activity_notes = read_spikes(
                contents, options=options, intervals=intervals
            )
            sources = (table,)
        source, source_series = sources[0], JOIN.join(one.path for one in sources)
        recorded, told = _recorded(activity, source)
        place = intervals.trials_place
        trials, place_notes = placed_trials(intervals.trials, recorded, told=told, place=place)
        activity, invalid_notes = without_invalid_times(activity, contents, source=source)
        notes += kind_notes + activity_notes + invalid_notes + intervals.notes + place_notes
        notes += odd_trials(trials, place=place) + missing_trials(contents, intervals, kind=kind)
        stimuli, stimulus_notes = read_stimuli(contents, options=options)
        behaviour, behaviour_notes = read_behaviour(contents)
        notes += stimulus_notes + behaviour_notes
        yield Reading(
            recording=Recording(
                id=recording,
                activity=activity,
                units=units,
                trials=trials,
                epochs=intervals.epochs,
                intervals=intervals.tables,
                stimuli=stimuli,
                behaviour=behaviour,
                about=read_about(file, contents, source_series=source_series),
                provenance=provenance,
            ),
            told=notes,
            samples=samples,
            contents=contents,
            sources=tuple(one.path for one in sources),
        )


def read_recording(
    path: Path, *, recording: str, options: ReadOptions, provenance: Provenance
) -> tuple[Recording, tuple[Note, ...]]:
    """As :func:`open_recording`, with all numbers in memory, and the notes."""
    with open_recording(
        path, recording=recording, options=options, provenance=provenance
    ) as reading:
        return in_memory(reading.recording), reading.notes()


def check_readable(contents: Survey, *, options: ReadOptions) -> None:
    """Refuse a file as :func:`open_recording` does, as far as its structure tells.

    Tables and times of samples are read; samples, spike times, masks and frames are not.

    Parameters
    ----------
    options
        What sheet and settings say about how to read it.

    Raises
    ------
    DataError
        If the file lacks or contradicts what is needed, or the sheet names what is not there.
    """
    kind, _ = activity_kind(contents, options=options)
    intervals = read_intervals(contents, options=options)
    if kind == "spikes":
        check_spikes(contents, options=options)
        return
    activity, _, sources, _, _ = read_calcium(
        contents, options=options, trials=intervals.trials, with_positions=False
    )
    recorded, told = _recorded(activity, sources[0])
    placed_trials(intervals.trials, recorded, told=told, place=intervals.trials_place)


def _recorded(
    activity: SampledActivity | SpikeTrains, source: NwbObject
) -> tuple[NDArray[np.float64], bool]:
    """When activity was recorded, shape (interval, 2), seconds, and whether the file says so."""
    if isinstance(activity, SampledActivity):
        first, last = activity.span_s
        return np.array([[first, last + 1.0 / activity.rate_hz]]), True
    if tells_observation(source):
        return activity.observed, True
    return np.array([firing_span(activity.times, activity.starts)]), False


def activity_kind(contents: Survey, *, options: ReadOptions) -> tuple[str, tuple[Note, ...]]:
    """Whether to read ``calcium`` or ``spikes``.

    Raises
    ------
    DataError
        If the sheet leaves it open and the file has neither.
    """
    if options.activity != "auto":
        return options.activity, ()
    offered = all_traces(contents)
    units = units_tables(contents)
    traces = [one for one in offered if one.signal in ("dff", "fluorescence")]
    if traces and units:
        text = (
            "The file has calcium traces and units; the traces were read. Column 'activity' of "
            "the sheet chooses."
        )
        return "calcium", (Note(code="IN-C33", kind="info", place=units[0].path, text=text),)
    if traces or options.series:
        return "calcium", ()
    if units:
        return "spikes", ()
    if offered or any("rois" in item.group for item in contents.unknown):
        return "calcium", ()  # its reader knows how to name what is missing
    types = sorted({item.type for item in contents.objects})
    plain = [item.path for item in contents.of_type("TimeSeries") if could_be_traces(item)]
    traces_of = f", or, if they are traces, the series {' or '.join(plain[:3])} in column 'series'"
    raise DataError(
        code="IN-C01",
        place="/",
        found="neither calcium traces (RoiResponseSeries) nor units; the file has: "
        + (", ".join(types) or "no typed objects"),
        fix="name a file with processed activity in the sheet (column nwb)"
        + (traces_of if plain else ""),
    )
