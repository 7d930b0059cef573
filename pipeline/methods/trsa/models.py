"""Model dissimilarities: what regions could represent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.method import NO_TABLES
from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.model import Sample
from pipeline.methods.trsa.model_tables import table_models

Floats = NDArray[np.float64]

PIXELS = "pixels"
REGION = "region:"
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


def models_of(
    sample: Sample, config: TrsaConfig, tables: Mapping[str, pd.DataFrame] = NO_TABLES
) -> Models:
    """The models that the settings name and the recordings allow, then those of tables.

    Parameters
    ----------
    tables
        Text of ``config.model_tables`` by their paths.

    Raises
    ------
    ValueError
        If a model is named that is not there.
    ConfigError
        If a table does not fit the conditions.
    """
    names = _offered(sample) if config.models == "auto" else []
    if isinstance(config.models, list):
        names = [name for name in config.models if not name.startswith(REGION)]
    found = {name: _model(sample, name) for name in names}
    if config.models == "auto":
        found = {name: values for name, values in found.items() if np.ptp(values) > 0}
    brought = table_models(tables, sample.condition)
    twice = sorted(found.keys() & brought.keys())
    if twice:
        raise ValueError(
            f"a table and a column of the trials both give a model '{twice[0]}'; rename the "
            "file of the table (methods.trsa.model_tables)"
        )
    found |= brought
    rows = list(found.values())
    return Models(
        name=tuple(found), dissimilarities=np.array(rows).reshape(len(rows), _n_pairs(sample))
    )


def region_models(config: TrsaConfig) -> tuple[str, ...]:
    """Regions whose dissimilarities in other subjects are models."""
    named = config.models if isinstance(config.models, list) else []
    return tuple(name.removeprefix(REGION) for name in named if name.startswith(REGION))


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
