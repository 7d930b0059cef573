"""What methods see: plain numbers with names, made from a recording by ``pipeline.prepare``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes, strictly_increasing, table
from pipeline.core.provenance import Provenance

VIEW_VERSION = 2
"""Raised by hand in the change that alters what views hold, so that they are made anew."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TraceEnsemble:
    """Traces of one recording on a regular time grid, with identities and epochs."""

    recording: str
    time: NDArray[np.float64] = axes("time", unit="s")
    values: NDArray[np.float32] = axes("time", "unit")
    valid: NDArray[np.bool_] = axes("time", "unit")
    unit: NDArray[np.str_] = axes("unit")
    """Ids of the units used."""
    identity: NDArray[np.str_] = axes("unit")
    """Name by which a unit is matched over recordings; empty where it cannot be matched."""
    epochs: pd.DataFrame = table("epoch", ("start_s", "stop_s", "label"))
    left_out: pd.DataFrame = table("left_out", ("what", "count", "reason"))
    rate_hz: float
    signal: str
    value_unit: str
    baseline: str = ""
    """How dF/F was computed here, or why not, in words; empty where that was not in question."""
    provenance: Provenance

    def __post_init__(self) -> None:
        check_axes(self)
        if not strictly_increasing(self.time):
            raise ValueError("Times of the view do not increase.")


View = TraceEnsemble
"""Any view a method can ask for."""
