"""Types of units in the form in which methods are compared."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline.core.labelling import Labels, UnitLabels, item_names
from pipeline.methods.celltypes.result import CelltypesResult


def labels(result: CelltypesResult, units: Mapping[str, pd.DataFrame]) -> Labels:
    """Types of all typed units, and the types that the file names, where it does.

    Parameters
    ----------
    result
        The joined fit.
    units
        Not needed: types know their recordings and units. For the contract of this room.
    """
    recording = result.units["recording"].astype(str).to_numpy(dtype=np.str_)
    unit = result.units["unit"].astype(str).to_numpy(dtype=np.str_)
    item = np.array([item_names(r, unit[at : at + 1])[0] for at, r in enumerate(recording)])
    known = result.units["label"].fillna("").astype(str).to_numpy(dtype=np.str_)
    found = []
    for name, label, probability, from_activity in (
        ("type", (result.type_of_unit + 1).astype(np.str_), result.probability, True),
        ("type in the file", known, np.full(unit.size, np.nan), False),
    ):
        has = result.type_of_unit >= 0 if from_activity else label != ""
        if has.any():
            found.append(
                UnitLabels(
                    name=name,
                    kind="types" if from_activity else name,
                    from_activity=from_activity,
                    recording=recording[has],
                    unit=unit[has],
                    item=np.asarray(item, dtype=np.str_)[has],
                    label=label[has],
                    probability=probability[has],
                )
            )
    return Labels(units=tuple(found))
