"""The table of ROIs behind a series, and the imaging plane behind the table."""

from __future__ import annotations

from dataclasses import dataclass

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import DataError
from pipeline.core.notes import Note
from pipeline.core.words import counted
from pipeline.io.nwb.objects import (
    NwbObject,
    Survey,
    child,
    child_text,
    children,
    dereference,
    text_attribute,
)
from pipeline.io.nwb.tables import row_ids, whole_numbers
from pipeline.io.nwb.values import is_numeric, read_all

_MICROMETRES = {
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 1e6),
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre", "millimetres"), 1e3),
    **dict.fromkeys(("um", "µm", "μm", "micron", "microns"), 1.0),
    **dict.fromkeys(("micrometer", "micrometers", "micrometre", "micrometres"), 1.0),
    **dict.fromkeys(("nm", "nanometer", "nanometers", "nanometre", "nanometres"), 1e-3),
}
"""Units of length to micrometres."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """Where and in which colour ROIs were imaged, as the file tells it."""

    name: str
    location: str = ""
    indicator: str = ""
    channels: tuple[str, ...] = ()
    """Optical channels with their emission wavelength."""
    spacing_um: tuple[float, ...] = ()
    """Size of a pixel along x, y and perhaps z; empty where the file does not tell."""

    def words(self) -> str:
        """Plane, indicator and channel in a few words."""
        return ", ".join(part for part in (self.name, self.indicator, *self.channels) if part)


def roi_table(
    contents: Survey, series: NwbObject
) -> tuple[NwbObject | None, NDArray[np.int64] | None, tuple[Note, ...]]:
    """The table of ROIs and the row of each trace; None where the series names no table.

    Raises
    ------
    DataError
        If the series refers to something that is no table of cells, or to rows it does not have.
    """
    rois = child(series.group, "rois")
    target = dereference(rois, "table") if isinstance(rois, h5py.Dataset) else None
    if not isinstance(rois, h5py.Dataset) or target is None:
        text = "The series names no table of ROIs; units are numbered."
        return (
            None,
            None,
            (Note(code="IN-C31", kind="warn", place=f"{series.path}/rois", text=text),),
        )
    table = contents.same_as(target)
    if table is None or not table.is_a("DynamicTable") or table.is_a("TimeIntervals"):
        raise DataError(
            code="IN-C22",
            place=rois.name,
            found=f"the ROIs refer to {target.name}, which is not a table of cells",
            fix="let rois refer to a PlaneSegmentation",
        )
    rows = whole_numbers(rois)
    n_rows = len(row_ids(table.group))
    outside = np.flatnonzero((rows < 0) | (rows >= n_rows))
    if outside.size:
        raise DataError(
            code="IN-C20",
            place=rois.name,
            found=f"{counted(outside.size, 'reference')} out of range: index {rows[outside[0]]} at "
            f"position {outside[0]}, but {table.path} has {n_rows} rows",
            fix="write the series again with references to existing rows",
        )
    return table, rows, ()


def plane_of(table: NwbObject) -> Plane:
    """The imaging plane of a table of ROIs; one without a name where the file names none."""
    try:
        plane = child(table.group, "imaging_plane")
    except DataError:
        plane = None
    if not isinstance(plane, h5py.Group):
        return Plane(name="")
    return Plane(
        name=_name_of(table.group, plane),
        location=_told(child_text(plane, "location")),
        indicator=_told(child_text(plane, "indicator")),
        channels=tuple(
            _channel(name, group)
            for name, group in children(plane)
            if isinstance(group, h5py.Group)
            and text_attribute(group, "neurodata_type") == "OpticalChannel"
        ),
        spacing_um=_spacing(plane),
    )


def _told(text: str) -> str:
    """Text without what files say because the format demands an entry."""
    return "" if text.strip().lower() == "unknown" else text.strip()


def _name_of(table: h5py.Group, plane: h5py.Group) -> str:
    """Last part of the plane's own path, whatever the link in the table is called."""
    link = table.get("imaging_plane", getlink=True)
    path = link.path if isinstance(link, h5py.SoftLink) else str(plane.name)
    return path.rstrip("/").rsplit("/", 1)[-1]


def _channel(name: str, channel: h5py.Group) -> str:
    emission = child(channel, "emission_lambda")
    if not isinstance(emission, h5py.Dataset) or not is_numeric(emission):
        return name
    wavelength = float(read_all(emission).reshape(-1)[0]) if emission.size else float("nan")
    return f"{name} {wavelength:.0f} nm" if np.isfinite(wavelength) and wavelength > 0 else name


def _spacing(plane: h5py.Group) -> tuple[float, ...]:
    try:
        spacing = child(plane, "grid_spacing")
    except DataError:
        return ()
    if not isinstance(spacing, h5py.Dataset) or not is_numeric(spacing) or spacing.size > 3:
        return ()
    factor = _MICROMETRES.get(text_attribute(spacing, "unit", "meters").strip().lower())
    sizes = read_all(spacing).reshape(-1)
    if factor is None or not np.all(np.isfinite(sizes) & (sizes > 0)):
        return ()
    return tuple(float(size * factor) for size in sizes)
