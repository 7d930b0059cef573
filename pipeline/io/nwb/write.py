"""A recording written as an NWB file."""

from __future__ import annotations

import os
import re
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.errors import EnvironmentFault
from pipeline.core.recording import (
    UNIT_COLUMNS,
    Recording,
    SampledActivity,
    SpikeTrains,
    StimulusImages,
    StimulusMovie,
    identities,
)
from pipeline.io.nwb.tables import is_text_column
from pipeline.io.nwb.units import REGION_COLUMNS

UNKNOWN_START = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands in the file where nobody knows when the session was."""
ELECTRODE_COLUMNS = ("location", "group", "x", "y", "z", "rel_x", "rel_y", "rel_z")
"""Columns of electrodes that NWB knows."""


def write_recording(
    path: Path,
    recording: Recording,
    *,
    description: str = "",
    session_start: datetime | None = None,
    resolution_s: float | None = None,
    region_column: str = "region",
    electrodes: pd.DataFrame | None = None,
    finish: Callable[[Any], None] | None = None,
) -> None:
    """Write a recording as NWB 2; the file appears whole or not at all.

    Samples, frames and images that are sources, as :func:`pipeline.io.records.open_record` gives
    them, are copied piece by piece: a recording larger than the memory can be written.

    Reading it with ``region="region"`` and ``identity="identity"``, where units have such, and for
    inferred events with the name of their series, ``Events``, gives the recording back, but for
    what NWB cannot hold:

    - The id of the recording and its provenance belong to the sheet and to whoever reads.
    - What stood in missing samples; they are stored as NaN. Text that is missing in a table is
      stored as empty, whole numbers and truth values that are missing make their column floating.
    - Grades of units, which are made anew when the file is read.
    - Ids of units that are not whole numbers: they become a column, and rows are numbered.
    - Tables and movies without rows, and a table called ``trials`` or ``epochs`` that is not the
      recording's trials or epochs.
    - An empty identifier, description, start or unit of a series: the format demands something.
    - The version of NWB and the path of the series, which are the new file's; the indicator of a
      recording of spikes, and the unit of images shown by number.

    Parameters
    ----------
    path
        File to write; an existing one is replaced.
    description
        Description of the session; the recording's own where empty.
    session_start
        Start of the session with its time zone; the recording's own where None, 1970 where that
        is not known either.
    resolution_s
        Smallest difference two spike times can have, seconds: the recording system's sample. The
        spacing of the stored numbers where None.
    region_column
        What the column with the regions of units is called in the file.
    electrodes
        Of a recording of spikes, one row each, with ``location``, ``group`` and further columns
        (``rel_x``, ``rel_y``, ... in um). The units' column ``electrode`` holds the row of each.
    finish
        Adds to the file of pynwb what a recording does not hold, before it is written.

    Raises
    ------
    EnvironmentFault
        If the file cannot be written.
    ValueError
        If a series or table has a name that NWB does not allow, such as one with ``/``.
    """
    from pynwb import NWBHDF5IO

    nwb = _new_file(recording, description=description, session_start=session_start)
    units = _stored_units(recording, region_column=region_column)
    if isinstance(recording.activity, SampledActivity):
        _add_traces(nwb, recording, recording.activity, units=units)
    else:
        if recording.about.device or electrodes is not None:
            nwb.create_device(name=recording.about.device or "Probe")
        if electrodes is not None:
            _add_electrodes(nwb, electrodes)
        _add_units(nwb, recording, recording.activity, units=units, resolution_s=resolution_s)
    _add_intervals(nwb, recording)
    _add_series(nwb, recording)
    if finish is not None:
        finish(nwb)
    with appearing_whole(path) as temporary, NWBHDF5IO(str(temporary), "w") as io:
        io.write(nwb)


# Objects of pynwb have no types that a checker could see: they are Any below.
def _new_file(recording: Recording, *, description: str, session_start: datetime | None) -> Any:
    from pynwb import NWBFile
    from pynwb.file import Subject

    about = recording.about
    told = {
        "subject_id": about.subject,
        "species": about.species,
        "strain": about.strain,
        "genotype": about.genotype,
        "sex": about.sex,
        "age": about.age,
    }
    optional = {
        "session_id": about.session_id,
        "institution": about.institution,
        "lab": about.lab,
    }
    return NWBFile(
        session_description=description or about.description or f"Recording {recording.id}.",
        identifier=about.nwb_identifier or str(uuid.uuid4()),
        session_start_time=session_start or _start_of(recording),
        subject=Subject(**{name: text for name, text in told.items() if text}),
        **{name: text for name, text in optional.items() if text},
    )


def _start_of(recording: Recording) -> datetime:
    try:
        start = datetime.fromisoformat(recording.about.session_start)
    except ValueError:
        return UNKNOWN_START
    return start if start.tzinfo else start.replace(tzinfo=UTC)


def _add_traces(
    nwb: Any, recording: Recording, activity: SampledActivity, *, units: pd.DataFrame
) -> None:
    from pynwb.ophys import DfOverF, Fluorescence, ImageSegmentation, RoiResponseSeries

    from pipeline.io.nwb.write_pieces import masked, packed

    module = nwb.create_processing_module("ophys", "Activity of the imaged cells.")
    segmentation = ImageSegmentation()
    module.add(segmentation)
    table = segmentation.create_plane_segmentation(
        name="PlaneSegmentation",
        description="One row a cell.",
        imaging_plane=_imaging_plane(nwb, recording, activity),
        columns=[*_placeholder_masks(activity.n_units), *_columns(units)],
        id=_stored_ids(recording),
    )
    rois = table.create_roi_table_region(
        region=list(range(activity.n_units)), description="All cells, in order of their rows."
    )
    container = {"dff": DfOverF, "fluorescence": Fluorescence}.get(activity.signal, Fluorescence)()
    module.add(container)
    container.add_roi_response_series(
        RoiResponseSeries(
            name="Events" if activity.signal == "events" else "RoiResponseSeries",
            data=packed(masked(activity.values, activity.valid)),
            unit=activity.value_unit or "n.a.",
            rois=rois,
            **clock(activity.time),
        )
    )


def _imaging_plane(nwb: Any, recording: Recording, activity: SampledActivity) -> Any:
    from pynwb.ophys import OpticalChannel

    regions = sorted(set(recording.units["region"]) - {""})
    return nwb.create_imaging_plane(
        name="ImagingPlane",
        description="Field of view.",
        device=nwb.create_device(name=recording.about.device or "Microscope"),
        optical_channel=OpticalChannel(
            name="OpticalChannel", description="Indicator channel.", emission_lambda=np.nan
        ),
        excitation_lambda=np.nan,
        imaging_rate=activity.rate_hz,
        indicator=recording.about.indicator or "unknown",
        location="/".join(regions) or "unknown",
    )


def _add_electrodes(nwb: Any, electrodes: pd.DataFrame) -> None:
    device = next(iter(nwb.devices.values()))
    groups = {
        str(name): nwb.create_electrode_group(
            name=str(name),
            description=f"Electrodes of {name}.",
            location="/".join(dict.fromkeys(rows["location"])),
            device=device,
        )
        for name, rows in electrodes.groupby("group", sort=False)
    }
    columns = _lists(electrodes)
    for name in columns:
        if name not in ELECTRODE_COLUMNS:
            nwb.add_electrode_column(name, _description(name))
    for row, group in enumerate(columns.pop("group")):
        told = {name: entries[row] for name, entries in columns.items()}
        nwb.add_electrode(group=groups[group], **told)


def _add_units(
    nwb: Any,
    recording: Recording,
    activity: SpikeTrains,
    *,
    units: pd.DataFrame,
    resolution_s: float | None,
) -> None:
    from hdmf.common import DynamicTableRegion, VectorData, VectorIndex
    from pynwb.misc import Units

    from pipeline.io.nwb.write_pieces import packed

    def ragged(name: str, words: str, entries: Any, ends: NDArray[np.int64]) -> tuple[Any, Any]:
        values = VectorData(name=name, description=words, data=entries)
        return VectorIndex(name=f"{name}_index", data=ends, target=values), values

    own = [activity.observed_of(unit) for unit in range(activity.n_units)]
    columns = [
        *ragged("spike_times", "Spike times.", packed(activity.times), activity.starts[1:]),
        *ragged(
            "obs_intervals",
            "Stretches in which the unit could be seen.",
            np.concatenate(own),
            np.cumsum([len(stretches) for stretches in own]),
        ),
    ]
    if nwb.electrodes is not None:
        rows = DynamicTableRegion(
            name="electrodes",
            description="Where the unit is largest.",
            data=units["electrode"].tolist(),
            table=nwb.electrodes,
        )
        ends = np.arange(1, activity.n_units + 1)
        columns += [VectorIndex(name="electrodes_index", data=ends, target=rows), rows]
    spacing = float(np.spacing(np.max(np.abs(activity.times), initial=1.0)))
    nwb.units = Units(
        name="units",
        description="Spike times.",
        resolution=resolution_s or spacing,
        id=_stored_ids(recording),
        columns=[*columns, *_columns(units)],
    )


def _lists(table: pd.DataFrame) -> dict[str, list[Any]]:  # Any: columns differ in type
    """Columns as lists of Python's own numbers and texts, missing ones as NaN or empty text."""
    return {str(name): _whole(table[name]).tolist() for name in table}


def _whole(column: pd.Series[Any]) -> pd.Series[Any]:  # Any: columns differ in type
    if not column.isna().any():
        return column
    return column.fillna("") if is_text_column(column) else column.astype(np.float64)


def _stored_units(recording: Recording, *, region_column: str) -> pd.DataFrame:
    """The unit table as a file has it: names with doubt marks, without our grades."""
    units = recording.units
    stored = units.drop(columns=list(UNIT_COLUMNS))
    ours: dict[str, list[str]] = {}
    if (units["region"] != "").any() or set(REGION_COLUMNS) & set(stored):
        ours[region_column] = list(units["region"])
    if (units["identity"] != "").any():
        ours["identity"] = identities(units)
    if _numbered_ids(recording) is None:
        ours["unit_id"] = list(units["unit_id"])
    return pd.concat([pd.DataFrame(ours, index=stored.index, dtype="str"), stored], axis=1)


def _numbered_ids(recording: Recording) -> list[int] | None:
    ids = list(recording.units["unit_id"])
    if all(re.fullmatch(r"0|[1-9]\d*", one) for one in ids):
        return [int(one) for one in ids]
    return None


def _stored_ids(recording: Recording) -> list[int]:
    return _numbered_ids(recording) or list(range(len(recording.units)))


def _placeholder_masks(n_units: int) -> list[Any]:
    """One pixel of weight 0 a cell: the format asks for masks, a recording has none."""
    from hdmf.common import VectorData, VectorIndex

    masks = VectorData(
        name="pixel_mask",
        description="Placeholders of weight 0: masks are not known.",
        data=[(0, 0, 0.0)] * n_units,
    )
    index = VectorIndex(name="pixel_mask_index", data=list(range(1, n_units + 1)), target=masks)
    return [index, masks]


def _columns(table: pd.DataFrame) -> list[Any]:
    from hdmf.common import VectorData

    return [
        VectorData(name=name, description=_description(name), data=entries)
        for name, entries in _lists(table).items()
    ]


def _description(name: str) -> str:
    known = {
        "region": "Brain region.",
        "brain_area": "Brain region.",
        "electrode": "Row of the table of electrodes.",
        "identity": "Name of the identified neuron; a question mark means doubt.",
        "condition": "Condition of the trial.",
        "label": "Label of the epoch.",
        "x_um": "Position along x in um.",
        "y_um": "Position along y in um.",
        "z_um": "Position along z in um.",
    }
    return known.get(name, f"Column {name}.")


def _add_intervals(nwb: Any, recording: Recording) -> None:
    if len(recording.trials):
        _add_rows(recording.trials, column=nwb.add_trial_column, row=nwb.add_trial)
    if len(recording.epochs):
        _add_rows(recording.epochs, column=nwb.add_epoch_column, row=nwb.add_epoch)
    for name, table in recording.intervals.items():
        if name not in ("trials", "epochs") and len(table):
            from pynwb.epoch import TimeIntervals

            made = TimeIntervals(name=name, description=f"Intervals: {name}.")
            _add_rows(table, column=made.add_column, row=made.add_row)
            nwb.add_time_intervals(made)


def _add_rows(table: pd.DataFrame, *, column: Any, row: Any) -> None:
    columns = _lists(table)
    start, stop = columns.pop("start_s"), columns.pop("stop_s")
    tags = columns.pop("tags", None)
    for name in columns:
        column(name=name, description=_description(name))
    for index in range(len(table)):
        entry = {name: entries[index] for name, entries in columns.items()}
        if tags is not None:
            entry["tags"] = tags[index].split("+")
        row(start_time=start[index], stop_time=stop[index], **entry)


def _add_series(nwb: Any, recording: Recording) -> None:
    from pynwb import TimeSeries
    from pynwb.behavior import BehavioralTimeSeries

    for name, stimulus in recording.stimuli.items():
        if isinstance(stimulus, StimulusImages) and not _is_movie(stimulus):
            _add_images(nwb, name, stimulus)
        else:
            _add_movie(nwb, name, stimulus)
    if not recording.behaviour:
        return
    container = BehavioralTimeSeries()
    for name, series in recording.behaviour.items():
        samples = series.values  # noqa: PD011  an array of ours, not of pandas
        container.add_timeseries(
            TimeSeries(
                name=name,
                description=f"Behaviour: {name}.",
                data=samples[:, 0] if samples.shape[1] == 1 else samples,
                unit=series.value_unit or "n.a.",
                **clock(series.time),
            )
        )
    nwb.create_processing_module("behavior", "Behaviour of the animal.").add(container)


def _is_movie(stimulus: StimulusImages) -> bool:
    """Whether every image is shown once, in order, and in colour: a movie then."""
    n_images, *_, n_channels = stimulus.values.shape  # noqa: PD011  an array of ours
    return n_channels > 1 and np.array_equal(stimulus.shown, np.arange(n_images))


def _add_movie(nwb: Any, name: str, movie: StimulusMovie | StimulusImages) -> None:
    from pynwb.image import ImageSeries

    from pipeline.io.nwb.write_pieces import packed, whole_levels

    axes = "time, x, y" + (", channel" if isinstance(movie, StimulusImages) else "")
    nwb.add_stimulus(
        ImageSeries(
            name=name,
            description=f"Frames shown; axes {axes}.",
            data=packed(whole_levels(movie.values)),
            unit=movie.value_unit or "n.a.",
            format="raw",
            **clock(movie.time),
        )
    )


def _add_images(nwb: Any, name: str, stimulus: StimulusImages) -> None:
    from pynwb.base import ImageReferences, Images
    from pynwb.image import GrayscaleImage, IndexSeries, RGBAImage, RGBImage

    from pipeline.io.nwb.write_pieces import single_images

    values = stimulus.values  # noqa: PD011  an array of ours
    kind = {1: GrayscaleImage, 3: RGBImage, 4: RGBAImage}[values.shape[-1]]
    images = [
        kind(name=f"image_{number:06d}", data=image)
        for number, image in enumerate(single_images(values))
    ]
    container = Images(
        name=f"{name}_images",
        description="Images shown; axes x, y, channel.",
        images=images,
        order_of_images=ImageReferences(name="order_of_images", data=images),
    )
    nwb.add_stimulus_template(container)
    nwb.add_stimulus(
        IndexSeries(
            name=name,
            description="Which image was shown.",
            data=stimulus.shown.astype(np.uint32),
            indexed_images=container,
            unit="N/A",
            **clock(stimulus.time),
        )
    )


def clock(time: NDArray[np.float64]) -> Mapping[str, Any]:
    """Rate and start where these give the very times back, else the times themselves."""
    if time.size > 1:
        rate = (time.size - 1) / (time[-1] - time[0])
        for candidate in (round(rate, 6), rate):
            if np.array_equal(time[0] + np.arange(time.size) / candidate, time):
                return {"rate": float(candidate), "starting_time": float(time[0])}
    return {"timestamps": time}


@contextmanager
def appearing_whole(path: Path) -> Iterator[Path]:
    """A temporary file beside the target that takes its place at the end, or is removed."""
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}.", suffix=".part.nwb"
        )
        os.close(handle)
        temporary = Path(name)
        yield temporary
        _flush(temporary)
        temporary.replace(path)
    except OSError as error:
        raise EnvironmentFault(
            code="RN-R26",
            file=path.name,
            found=f"the recording could not be written ({error.strerror or error})",
            fix="check free space and permissions of the folder",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
