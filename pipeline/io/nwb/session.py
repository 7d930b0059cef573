"""How long the session was, as everything but the activity tells it."""

from __future__ import annotations

from collections.abc import Iterable

import h5py
import numpy as np
import pandas as pd

from pipeline.core.errors import DataError
from pipeline.io.nwb.objects import NwbObject, Survey, child
from pipeline.io.nwb.values import check_streamed, is_numeric, single_number


def session_end(contents: Survey, *, tables: Iterable[pd.DataFrame]) -> float:
    """The latest time of intervals and of series that were recorded or shown; NaN without any.

    Parameters
    ----------
    tables
        Tables of intervals with ``stop_s``.
    """
    ends = [float(table["stop_s"].max()) for table in tables if len(table)]
    ends += [
        _end_of(item)
        for item in contents.of_type("TimeSeries")
        if not item.path.startswith("/stimulus/templates/")
    ]
    known = [end for end in ends if np.isfinite(end)]
    return max(known, default=float("nan"))


def _end_of(item: NwbObject) -> float:
    """Time of a series' last sample; NaN where it has none that could be told."""
    try:
        timestamps = child(item.group, "timestamps")
        if isinstance(timestamps, h5py.Dataset):
            check_streamed(timestamps, max_gb=None)
            usable = timestamps.shape and timestamps.size and is_numeric(timestamps)
            return float(np.ravel(timestamps[-1])[-1]) if usable else float("nan")
        start, data = child(item.group, "starting_time"), child(item.group, "data")
        if not isinstance(start, h5py.Dataset) or not isinstance(data, h5py.Dataset):
            return float("nan")
        rate = float(start.attrs.get("rate", float("nan")))
        return (
            single_number(start) + data.shape[0] / rate if rate > 0 and data.shape else float("nan")
        )
    except (DataError, OSError, TypeError, ValueError):
        return float("nan")  # its own reader says what is wrong with it
