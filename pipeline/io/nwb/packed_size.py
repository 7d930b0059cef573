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
    width = min(SAMPLE_ENTRIES, *data.shape[1:]) if data.ndim > 1 else 1
    n_rows = max(1, SAMPLE_ENTRIES // width)
    places = np.linspace(0, max(0, data.shape[0] - n_rows), SAMPLES, dtype=int)
    starts = np.unique(places // n_rows) * n_rows  # nothing is taken twice
    columns = (slice(width),) * (data.ndim - 1)
    with np.errstate(over="ignore"):
        taken = [
            read_piece(data, (slice(start, start + n_rows), *columns)).astype(kept_as).reshape(-1)
            for start in starts.tolist()
        ]
    entries = np.concatenate(taken)
    # Bytes of the same weight side by side, as HDF5's filter puts them.
    raw = np.ascontiguousarray(entries.view(np.uint8).reshape(-1, entries.itemsize).T).tobytes()
    share = len(zlib.compress(raw, 4)) / len(raw)
    return max(0.0, SAFE * share - LEAST_SHARE) * float(data.size * entries.itemsize)
