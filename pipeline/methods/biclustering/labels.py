"""Clusters and states in the form in which methods are compared."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline.core.labelling import Association, Labels, StateSequence, UnitLabels, item_names
from pipeline.methods.biclustering.result import BiclusteringResult

IN_TIME = "states"
"""How comparisons of bins, not of units, begin in the table of associations."""


def labels(results: Mapping[str, BiclusteringResult], units: Mapping[str, pd.DataFrame]) -> Labels:
    """Clusters of units, states of bins, and what states go with.

    Clusters of different recordings have no common names: the recording stands before them where
    there are several.

    Parameters
    ----------
    results
        The joined fit of each recording.
    units
        Recording to its table of units, as in :class:`~pipeline.core.recording.Recording`; other
        recordings are left out.
    """
    results = {name: one for name, one in results.items() if name in units}
    if not results:
        return Labels()
    several = len(results) > 1
    parts = [
        _clusters(name, result, units[name], before=f"{name}:" if several else "")
        for name, result in results.items()
    ]
    return Labels(
        units=(
            UnitLabels(
                name="cluster",
                kind="clusters",
                from_activity=True,
                **{key: np.concatenate([part[key] for part in parts]) for key in parts[0]},
            ),
        ),
        states=tuple(
            StateSequence(
                recording=name,
                start_s=result.time_bin_s,
                bin_s=result.bin_s,
                state=result.state_of_bin,
            )
            for name, result in results.items()
            if result.n_states > 1
        ),
        associations=tuple(
            one for name, result in results.items() for one in _associations(name, result)
        ),
    )


def _clusters(
    recording: str, result: BiclusteringResult, units: pd.DataFrame, *, before: str
) -> dict[str, np.ndarray]:
    used = result.used
    unit = result.unit[used]
    known = dict(zip(units["unit_id"].astype(str), _identity(units), strict=True))
    identity = np.array([known.get(str(name), "") for name in unit], dtype=np.str_)
    return {
        "recording": np.full(unit.size, recording),
        "unit": unit,
        "item": item_names(recording, unit, identity),
        "label": np.array([f"{before}{n + 1}" for n in result.cluster_of_unit[used]], np.str_),
        "probability": result.own_probability[used],
    }


def _identity(units: pd.DataFrame) -> np.ndarray:
    names = units["identity"].fillna("").astype(str).to_numpy(dtype=np.str_)
    return np.asarray(np.where(units["identity_certain"].to_numpy(dtype=bool), names, ""))


def _associations(recording: str, result: BiclusteringResult) -> list[Association]:
    """Of states with epochs and conditions."""
    found = []
    for row in result.associations.to_dict("records"):
        first, _, second = str(row["what"]).partition(" and ")
        if first == IN_TIME:
            shifts = f"states shifted in time, {int(row['n_null'])} shifts"
            found.append(
                Association(
                    recording=recording,
                    first=first,
                    second=second,
                    measure="mutual information (share)",
                    value=float(row["nmi"]),
                    p_value=float(row["p_value"]),
                    null=shifts if row["testable"] else str(row["note"]),
                )
            )
    return found
