"""What a network's fit leaves after an epoch, so that an interrupted one goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Training:
    """All that a fit needs to go on after an epoch, to the same bytes."""

    weights: Mapping[str, NDArray[Any]]
    """Of the network, by their names in torch."""
    best: Mapping[str, NDArray[Any]]
    """Of the best epoch so far."""
    moments: Mapping[str, NDArray[Any]]
    """State of the optimiser: ``PARAMETER/NAME``, the parameter by its number."""
    noise: NDArray[np.uint8] = axes("byte")
    """State of the readouts' random stream."""
    found: NDArray[np.float64] = axes("unit")
    """Correlation of each unit in its best epoch."""
    history: NDArray[np.float64] = axes("epoch", "quantity")
    """Epoch, loss, correlation and step of every epoch."""
    facts: str
    """Steps, what the early end has counted and the state of the random stream, as JSON."""

    def __post_init__(self) -> None:
        check_axes(self)
