"""Mean waveforms of units in two numbers each."""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd

from pipeline.core.errors import DataError
from pipeline.io.nwb.objects import child
from pipeline.io.nwb.values import is_numeric, row_blocks

AMPLITUDE, WIDTH = "waveform_amplitude", "waveform_width_s"


def with_waveforms(table: h5py.Group, columns: pd.DataFrame) -> pd.DataFrame:
    """Columns of the unit table, with amplitude and width of mean waveforms where it has those.

    ``waveform_amplitude`` is the difference of peak and trough in the file's unit, on the channel
    where it is largest; ``waveform_width_s`` the time from the trough to the highest later sample.
    Columns of the file with these names are left as they are.

    Parameters
    ----------
    table
        The file's table of units.
    columns
        Its scalar columns, one row a unit.
    """
    try:
        data = child(table, "waveform_mean")
        ragged = table.get("waveform_mean_index", getlink=True) is not None
        if ragged or not isinstance(data, h5py.Dataset) or not is_numeric(data):
            return columns
        if len(data.shape) not in (2, 3) or data.shape[0] != len(columns) or 0 in data.shape:
            return columns
        amplitude, steps = _shape_of_waveforms(data)
    except DataError:  # a waveform is an extra; what cannot be read of it is left out
        return columns
    found = {AMPLITUDE: amplitude}
    rate = _rate(data, columns)
    if rate is not None:
        found[WIDTH] = steps / rate
    new = {name: values for name, values in found.items() if name not in columns}
    return columns.assign(**new)


def _shape_of_waveforms(data: h5py.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Amplitude, and samples from trough to peak, of each unit."""
    amplitude, steps = np.empty(data.shape[0]), np.full(data.shape[0], np.nan)
    for rows, block in row_blocks(data):
        waves = block.reshape(*block.shape[:2], -1)  # unit, sample, channel
        span = np.ptp(waves, axis=1)
        best = np.argmax(np.where(np.isfinite(span), span, -np.inf), axis=1)
        one = np.take_along_axis(waves, best[:, None, None], axis=2)[:, :, 0]
        amplitude[rows] = np.ptp(one, axis=1)
        for unit, wave in enumerate(one, start=rows.start):
            if np.isfinite(wave).all() and np.ptp(wave) > 0:
                trough = int(np.argmin(wave))
                steps[unit] = np.argmax(wave[trough:])
    return amplitude, steps


def _rate(data: h5py.Dataset, columns: pd.DataFrame) -> np.ndarray | None:
    """Samples a second of each unit's waveform; None where the file does not tell."""
    told = data.attrs.get("sampling_rate")
    if told is None and "sampling_rate" in columns:
        told = pd.to_numeric(columns["sampling_rate"], errors="coerce").to_numpy(dtype=np.float64)
    if told is None or np.asarray(told).dtype.kind not in "iuf":
        return None
    rate = np.broadcast_to(np.asarray(told, dtype=np.float64), len(columns))
    return np.where(rate > 0, rate, np.nan) if np.any(rate > 0) else None
