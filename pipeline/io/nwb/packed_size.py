"""What a record of an activity will take on a disk, told by packing a little of it."""

from __future__ import annotations

import zlib

import h5py
import numpy as np
from numpy.typing import DTypeLike

from pipeline.io.nwb.values import read_piece

SAMPLES = 16
"""Places, evenly spread, from which entries are taken."""
SAMPLE_ENTRIES = 2**14
SAFE = 0.5
"""Of what the sample tells no more than this is counted on, as other stretches may be quieter..."""
LEAST_SHARE = 0.005
"""...and nothing of what packs so well that a longer stretch may pack far better."""


def least_packed_bytes(data: h5py.Dataset, *, kept_as: DTypeLike) -> float:
    """Bytes that the entries will take at the very least, packed as records are.

    Parameters
    ----------
    data
        One or two axes of numbers.
    kept_as
        Type in which they are stored in the record.
    """
    n_columns = data.shape[1] if data.ndim > 1 else 1
    # No wider than a chunk, all of which are decoded that an entry is taken from.
    width = min(SAMPLE_ENTRIES, n_columns, *(data.chunks or ())[1:])
    n_rows = max(1, SAMPLE_ENTRIES // width)
    lengths = (n_rows, width)[: data.ndim]
    # Corners of pieces, of which none is taken twice.
    corners = dict.fromkeys(
        tuple(
            int(place * max(0, size - length)) // length * length
            for size, length in zip(data.shape, lengths, strict=True)
        )
        for place in np.linspace(0, 1, SAMPLES)
    )
    with np.errstate(over="ignore"):
        taken = [
            read_piece(
                data,
                tuple(
                    slice(start, start + length)
                    for start, length in zip(corner, lengths, strict=True)
                ),
            )
            .astype(kept_as)
            .reshape(-1)
            for corner in corners
        ]
    entries = np.concatenate(taken)
    # Bytes of the same weight side by side, as HDF5's filter puts them.
    raw = np.ascontiguousarray(entries.view(np.uint8).reshape(-1, entries.itemsize).T).tobytes()
    share = len(zlib.compress(raw, 4)) / len(raw)
    return max(0.0, SAFE * share - LEAST_SHARE) * float(data.size * entries.itemsize)
