"""Model dissimilarities: what regions could represent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.model import Sample

Floats = NDArray[np.float64]

PIXELS = "pixels"
CIRCULAR = ":circular"
SAME = ":same"
"""Marks after the name of a column of numbers: angles around a circle; whether it is the same."""
AROUND = ("_deg", "_degree", "_degrees", "direction", "orientation")
"""How names of angles end, where the settings leave the choice open."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Models:
    """Candidate dissimilarities by name."""

    name: tuple[str, ...]
    dissimilarities: Floats
    """Shape (model, pair)."""


def models_of(sample: Sample, config: TrsaConfig) -> Models:
    """The models that the settings name and the recordings allow.

    Raises
    ------
    ValueError
        If a model is named that is not there.
    """
    if config.models == "none":
        return Models(name=(), dissimilarities=np.empty((0, _n_pairs(sample))))
    names = _offered(sample) if config.models == "auto" else list(config.models)
    found = {name: _model(sample, name) for name in names}
    if config.models == "auto":
        found = {name: values for name, values in found.items() if np.ptp(values) > 0}
    rows = list(found.values())
    return Models(
        name=tuple(found), dissimilarities=np.array(rows).reshape(len(rows), _n_pairs(sample))
    )


def _offered(sample: Sample) -> list[str]:
    names = []
    for name in sample.properties.columns:
        if name == "condition":
            continue
        values = sample.properties[name]
        angle = _is_number(values) and str(name).endswith(AROUND)
        names.append(f"{name}{CIRCULAR}" if angle else str(name))
        if _is_number(values) and values.nunique() <= sample.n_conditions / 2:
            names.append(f"{name}{SAME}")
    return names + ([PIXELS] if sample.pixels is not None else [])


def _model(sample: Sample, name: str) -> Floats:
    first, second = np.triu_indices(sample.n_conditions, 1)
    if name == PIXELS and sample.pixels is not None:
        step = sample.pixels[first] - sample.pixels[second]
        return np.asarray(np.square(step).mean(axis=1))
    column = name.removesuffix(CIRCULAR).removesuffix(SAME)
    if column not in sample.properties:
        there = ", ".join(_offered(sample)) or "none"
        raise ValueError(
            f"there is no model '{name}' (methods.trsa.models); conditions have: {there}"
        )
    values = sample.properties[column]
    if name.endswith(SAME) or not _is_number(values):
        label = values.astype(str).to_numpy()
        return np.asarray(label[first] != label[second], dtype=np.float64)
    number = values.to_numpy(dtype=np.float64)
    apart: Floats = np.abs(number[first] - number[second])
    if name.endswith(CIRCULAR):
        return np.asarray(2 - 2 * np.cos(np.radians(apart)))
    return apart


def _is_number(values: pd.Series[Any]) -> bool:  # Any: columns differ in type
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def _n_pairs(sample: Sample) -> int:
    return sample.n_conditions * (sample.n_conditions - 1) // 2
