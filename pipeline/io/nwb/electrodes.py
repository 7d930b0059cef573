"""Where units were found, as their electrodes and groups of electrodes tell it."""

from __future__ import annotations

import h5py
import numpy as np

from pipeline.core.errors import DataError
from pipeline.io.nwb.labels import is_blank, names_region, told_region
from pipeline.io.nwb.objects import (
    NwbObject,
    child,
    child_text,
    dereference,
    referenced,
    text_attribute,
)
from pipeline.io.nwb.tables import as_label, ragged_ends, row_ids, scalar_columns, whole_numbers


def electrode_regions(table: NwbObject, *, n_units: int) -> list[str]:
    """Region of each unit from its electrodes; several joined by ``/``, empty where unknown."""
    data = child(table.group, "electrodes")
    electrodes = dereference(data, "table") if isinstance(data, h5py.Dataset) else None
    if not isinstance(data, h5py.Dataset) or not isinstance(electrodes, h5py.Group):
        return _regions_of_groups(table.group, "electrode_group", n_rows=n_units)
    labels = _labels(electrodes)
    if len(data.shape) != 1:
        return [""] * n_units
    rows = whole_numbers(data)
    ends = ragged_ends(table.group, "electrodes", n_values=rows.size)
    ends = np.arange(1, rows.size + 1) if ends is None else ends
    if ends.size != n_units or np.any((rows < 0) | (rows >= len(labels))):
        return [""] * n_units
    starts = np.concatenate([[0], ends[:-1]])
    return [
        "/".join(sorted({labels[row] for row in rows[a:b]} - {""}))
        for a, b in zip(starts, ends, strict=True)
    ]


def _labels(electrodes: h5py.Group) -> list[str]:
    """Region of each electrode: its own location, else that of its group."""
    n_rows = len(row_ids(electrodes))
    columns = scalar_columns(electrodes, n_rows=n_rows)
    own = [""] * n_rows
    if "location" in columns:
        own = [told_region(as_label(value)) for value in columns["location"]]
    if not any(map(is_blank, own)):
        return own
    shared = _regions_of_groups(electrodes, "group", n_rows=n_rows)
    return [(group if is_blank(label) else label) for label, group in zip(own, shared, strict=True)]


def _regions_of_groups(table: h5py.Group, column: str, *, n_rows: int) -> list[str]:
    """Region of the group of electrodes that each row refers to."""
    try:
        data = child(table, column)
    except DataError:
        return [""] * n_rows
    if (
        not isinstance(data, h5py.Dataset)
        or data.shape != (n_rows,)
        or h5py.check_ref_dtype(data.dtype) is not h5py.Reference
    ):
        return [""] * n_rows
    return [
        _region_of(referenced(table.file, reference, where=data.name)) for reference in data[...]
    ]


def _region_of(group: h5py.Group | h5py.Dataset | None) -> str:
    if not isinstance(group, h5py.Group):
        return ""
    texts = [
        text_attribute(group, name) or child_text(group, name)
        for name in ("location", "description")
    ]
    region = told_region(texts[0])
    if is_blank(region) and names_region(texts[1]):
        region = told_region(texts[1])
    return "" if is_blank(region) else region
