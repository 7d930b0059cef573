"""Where units lie, from columns or masks of their table."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.errors import DataError
from pipeline.io.nwb.objects import child, text_attribute
from pipeline.io.nwb.tables import column_names, ragged_ends, row_ids
from pipeline.io.nwb.values import (
    MAX_CHUNK_BYTES,
    check_filters,
    check_size,
    is_numeric,
    read_all,
    read_piece,
)

AXES = ("x", "y", "z")
MASK_BYTES = 64 * 2**20
"""How much of the masks is in memory at once, as float64; a larger image is not read."""
MAX_MASK_BYTES = 16 * 2**30
"""Dense masks beyond this size are not read: positions are not worth the time."""
MASKS = ("pixel_mask", "voxel_mask", "image_mask")
_PLACES = re.compile(r"centroid|(?<![a-z])(cent(er|re)s?|pos|xyz?)(?![a-z])|position|coord", re.I)
"""Names of columns that may hold positions, several numbers a row."""
_ORDER = re.compile(r"(?<![a-z])([xyz])[\s,;/_]*([xyz])(?:[\s,;/_]*([xyz]))?(?![a-z])", re.I)
_PIXELS = re.compile(r"(?<![a-z])(pixel|px)s?(?![a-z])", re.I)
_MICROMETRES = re.compile(r"(?<![a-z])(um|µm|μm|micron|micrometer|micrometre)s?(?![a-z])", re.I)


def positions(
    table: h5py.Group,
    columns: pd.DataFrame,
    *,
    rows: NDArray[np.int64],
    spacing_um: Sequence[float] = (),
) -> tuple[pd.DataFrame, str]:
    """The columns with positions named by their unit, or taken from the masks.

    Columns ``x``, ``y``, ``z`` whose description says micrometres become ``x_um`` and so on. A
    table without such columns gets the positions of one column of two or three numbers a row, whose
    name or description tells the order of axes, and micrometres or pixels; else the centroids of
    its masks, unless these are empty placeholders. Pixels become ``x_um``, ``y_um`` where their
    size is known, else ``x``, ``y``.

    Parameters
    ----------
    table
        The file's table of ROIs or units.
    columns
        Its scalar columns, one row a unit.
    rows
        Row of the table of each unit, shape (unit,).
    spacing_um
        Size of a pixel along x, y and perhaps z; empty where it is not known.

    Returns
    -------
    The columns, and the name of the column of several numbers that was read; empty for none.
    """
    named = {
        axis: f"{axis}_um"
        for axis in AXES
        if axis in columns and f"{axis}_um" not in columns and _in_micrometres(table, axis)
    }
    if any(axis in columns or f"{axis}_um" in columns for axis in AXES):
        return columns.rename(columns=named), ""
    told = next(_told_together(table), None)
    source, centres = told if told is not None else ("", _centroids(table))
    if centres is None:
        return columns, ""
    centres = centres.iloc[rows].reset_index(drop=True)
    sizes = dict(zip(AXES, spacing_um, strict=False))
    if set(centres) <= set(sizes):
        pixels = [axis for axis in AXES if axis in centres]
        centres = pd.DataFrame({f"{axis}_um": centres[axis] * sizes[axis] for axis in pixels})
    return pd.concat([columns, centres], axis=1), source


def _in_micrometres(table: h5py.Group, column: str) -> bool:
    data = child(table, column)
    return isinstance(data, h5py.Dataset) and _MICROMETRES.search(_words(data)) is not None


def _words(column: h5py.Dataset) -> str:
    return f"{text_attribute(column, 'description')} {text_attribute(column, 'unit')}"


def _told_together(table: h5py.Group) -> Iterator[tuple[str, pd.DataFrame]]:
    """Columns of positions, several numbers a row, as columns ``x_um``, ... or ``x``, ...

    One that does not tell which number is along which axis, and in what unit, is passed over: a
    guess would turn maps. So is one that is damaged.
    """
    n_rows = len(row_ids(table))
    for name in filter(_PLACES.search, column_names(table)):
        data = child(table, name)
        if not isinstance(data, h5py.Dataset) or not is_numeric(data):
            continue
        words = f"{name} {_words(data)}"
        order = _ORDER.search(words)
        axes = [axis.lower() for axis in order.groups() if axis] if order else []
        ending = "_um" if _MICROMETRES.search(words) else "" if _PIXELS.search(words) else None
        if ending is None or data.shape != (n_rows, len(axes)) or len(set(axes)) < len(axes):
            continue
        try:
            check_filters(data)
            places = read_all(data)
        except DataError:
            continue
        found = {f"{axis}{ending}": places[:, axes.index(axis)] for axis in sorted(axes)}
        yield name, pd.DataFrame(found)


def _centroids(table: h5py.Group) -> pd.DataFrame | None:
    """Weighted mean position of each row's mask in pixels; None where no mask tells it.

    Masks that are damaged, too large or of another form than the schema's are passed over:
    positions are no reason to refuse a recording.
    """
    for name, of_mask in zip(MASKS, (_of_points, _of_points, _of_images), strict=True):
        try:
            mask = child(table, name)
            moments = of_mask(table, name, mask) if isinstance(mask, h5py.Dataset) else None
        except DataError:
            continue
        if moments is not None and np.any(moments[:, 0] > 0):
            return _means(moments)
    return None


def _means(moments: NDArray[np.float64]) -> pd.DataFrame:
    """Centroids from sums of weights and of weighted coordinates, shape (row, 1 + axis)."""
    total = np.where(moments[:, 0] > 0, moments[:, 0], np.nan)
    return pd.DataFrame(
        {
            axis: moments[:, 1 + place] / total
            for place, axis in enumerate(AXES[: moments.shape[1] - 1])
        }
    )


def _of_points(table: h5py.Group, name: str, mask: h5py.Dataset) -> NDArray[np.float64] | None:
    """Sums over lists of pixels or voxels with weights."""
    if mask.dtype.names is None or "weight" not in mask.dtype.names or len(mask.shape) != 1:
        return None
    axes = [axis for axis in AXES if axis in mask.dtype.names]
    if any(mask.dtype[field].kind not in "biuf" for field in ("weight", *axes)):
        return None
    check_size(mask)
    ends = ragged_ends(table, name, n_values=mask.shape[0])
    if ends is None:
        return None
    n_points = int(ends[-1]) if ends.size else 0
    moments = np.zeros((ends.size, 1 + len(axes)))
    step = max(1, MASK_BYTES // mask.dtype.itemsize)
    for start in range(0, n_points, step):
        block = slice(start, min(start + step, n_points))
        points = read_piece(mask, (block,))
        owner = np.searchsorted(ends, np.arange(block.start, block.stop), side="right")
        weight = points["weight"].astype(np.float64)
        weight[~np.isfinite(weight)] = 0.0
        sums = [weight, *(weight * points[axis] for axis in axes)]
        for place, values in enumerate(sums):
            moments[:, place] += np.bincount(owner, weights=values, minlength=ends.size)
    return moments


def _of_images(_: h5py.Group, __: str, mask: h5py.Dataset) -> NDArray[np.float64] | None:
    """Sums over images of weights, one a row: shape (row, x, y) or (row, x, y, z)."""
    if len(mask.shape) not in (3, 4) or not is_numeric(mask) or 0 in mask.shape:
        return None
    chunk_bytes = math.prod(mask.chunks or ()) * mask.dtype.itemsize
    if 8 * mask.size > MAX_MASK_BYTES or chunk_bytes > MAX_CHUNK_BYTES:
        return None
    # Masks are nearly all zeros: how well they compress tells nothing, but that nothing is stored.
    if _image_bytes(mask) > MASK_BYTES or not mask.id.get_storage_size():
        return None
    moments = np.zeros((mask.shape[0], len(mask.shape)))
    for rows, images in _image_blocks(mask):
        weight = np.where(np.isfinite(images), images, 0.0)
        moments[rows, 0] += weight.reshape(len(weight), -1).sum(axis=1)
        for axis in range(1, len(mask.shape)):
            others = tuple(other for other in range(1, len(mask.shape)) if other != axis)
            along = weight.sum(axis=others)
            moments[rows, axis] += along @ np.arange(mask.shape[axis])
    return moments


def _image_bytes(mask: h5py.Dataset) -> int:
    """Bytes of one image as float64."""
    return 8 * int(math.prod(mask.shape[1:]))


def _image_blocks(mask: h5py.Dataset) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Some images at a time; whole chunks, so that nothing is unpacked twice."""
    step = max(1, MASK_BYTES // _image_bytes(mask))
    if mask.chunks and step > mask.chunks[0]:
        step -= step % mask.chunks[0]
    for start in range(0, mask.shape[0], step):
        rows = slice(start, min(start + step, mask.shape[0]))
        yield rows, read_piece(mask, (rows,)).astype(np.float64)
