"""Where units lie, from columns or masks of their table."""

from __future__ import annotations

import re

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.errors import DataError
from pipeline.io.nwb.objects import child, text_attribute
from pipeline.io.nwb.tables import ragged_ends

AXES = ("x", "y", "z")
_MICROMETRES = re.compile(r"(?<![a-z])(um|µm|μm|micron|micrometer|micrometre)s?(?![a-z])", re.I)


def positions(table: h5py.Group, columns: pd.DataFrame, *, rows: NDArray[np.int64]) -> pd.DataFrame:
    """The columns with positions named by their unit, or taken from the masks.

    Columns ``x``, ``y``, ``z`` whose description says micrometres become ``x_um`` and so on. A
    table without such columns gets the centroid of its pixel or voxel masks, in pixels, unless
    the masks are empty placeholders.

    Parameters
    ----------
    table
        The file's table of ROIs or units.
    columns
        Its scalar columns, one row a unit.
    rows
        Row of the table of each unit, shape (unit,).
    """
    named = {
        axis: f"{axis}_um"
        for axis in AXES
        if axis in columns and f"{axis}_um" not in columns and _in_micrometres(table, axis)
    }
    if any(axis in columns or f"{axis}_um" in columns for axis in AXES):
        return columns.rename(columns=named)
    for mask in ("pixel_mask", "voxel_mask"):
        centroids = _centroids(table, mask)
        if centroids is not None:
            return pd.concat([columns, centroids.iloc[rows].reset_index(drop=True)], axis=1)
    return columns


def _in_micrometres(table: h5py.Group, column: str) -> bool:
    data = child(table, column)
    if not isinstance(data, h5py.Dataset):
        return False
    words = f"{text_attribute(data, 'description')} {text_attribute(data, 'unit')}"
    return _MICROMETRES.search(words) is not None


def _centroids(table: h5py.Group, name: str) -> pd.DataFrame | None:
    """Weighted mean position of each row's mask; None where masks tell nothing."""
    try:
        mask = child(table, name)
    except DataError:
        return None
    if not isinstance(mask, h5py.Dataset) or mask.dtype.names is None:
        return None
    points = mask[...]
    ends = ragged_ends(table, name, n_values=points.shape[0])
    if ends is None or "weight" not in mask.dtype.names:
        return None
    row = np.repeat(np.arange(ends.size), np.diff(ends, prepend=0))
    points = points[: row.size]
    weight = points["weight"].astype(np.float64)
    total = np.bincount(row, weights=weight, minlength=ends.size)
    if not np.any(total > 0):
        return None
    divisor = np.where(total > 0, total, np.nan)
    return pd.DataFrame(
        {
            axis: np.bincount(row, weights=weight * points[axis], minlength=ends.size) / divisor
            for axis in AXES
            if axis in mask.dtype.names
        }
    )
