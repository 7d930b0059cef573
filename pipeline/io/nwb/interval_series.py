"""Series of beginnings and ends, such as licks or running bouts, as tables of intervals."""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd

from pipeline.core.errors import DataError
from pipeline.core.notes import Note
from pipeline.io.nwb.objects import NwbObject, child
from pipeline.io.nwb.values import is_numeric, read_all


def interval_table(item: NwbObject) -> tuple[pd.DataFrame, tuple[Note, ...]]:
    """Intervals of an ``IntervalSeries`` with ``start_s``, ``stop_s`` and, of several, ``kind``.

    A positive sample begins an interval, its negative ends it; the numbers tell kinds apart.

    Raises
    ------
    DataError
        If samples and times do not belong together.
    """
    data, timestamps = child(item.group, "data"), child(item.group, "timestamps")
    usable = [
        one
        for one in (data, timestamps)
        if isinstance(one, h5py.Dataset) and is_numeric(one) and len(one.shape) == 1
    ]
    if len(usable) != 2 or usable[0].shape != usable[1].shape:
        raise DataError(
            code="IN-T13",
            place=item.path,
            found="beginnings and ends of intervals have no times, or not as many",
            fix="write one time for each beginning and end",
        )
    marks, times = read_all(usable[0]).astype(np.int64), read_all(usable[1])
    rows: list[tuple[float, float, int]] = []
    n_open = 0
    for kind in np.unique(np.abs(marks[marks != 0])).tolist():
        begun: float | None = None
        for time, mark in zip(times, marks, strict=True):
            if abs(mark) != kind:
                continue
            if mark > 0:
                n_open += begun is not None
                begun = float(time)
            elif begun is not None:
                rows.append((begun, float(time), kind))
                begun = None
            else:
                n_open += 1
        n_open += begun is not None
    table = pd.DataFrame(sorted(rows), columns=["start_s", "stop_s", "kind"])
    table = table.astype({"start_s": np.float64, "stop_s": np.float64, "kind": np.int64})
    if len(set(table["kind"])) <= 1:
        table = table.drop(columns="kind")
    if not n_open:
        return table, ()
    text = f"{n_open} beginnings or ends have no partner and were left out."
    return table, (Note(code="IN-T13", kind="repair", place=item.path, text=text),)
