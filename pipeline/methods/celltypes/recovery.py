"""What was found beside what was planted, for simulated recordings."""

from __future__ import annotations

import numpy as np

from pipeline.core.planted import Planted
from pipeline.core.words import counted
from pipeline.methods.celltypes.evidence import matched
from pipeline.methods.celltypes.objective import NO_TYPE, Labels
from pipeline.methods.celltypes.result import CelltypesResult
from pipeline.methods.celltypes.simulate import CelltypesTruth


def true_labels(result: CelltypesResult, truth: CelltypesTruth) -> Labels:
    """Planted type of every unit of a result; -1 for units that the truth does not know."""
    number = {
        str(name): int(kind) for name, kind in zip(truth.unit, truth.type_of_unit, strict=True)
    }
    return np.array(
        [number.get(str(name), NO_TYPE) for name in result.units["unit"]], dtype=np.int64
    )


def planted(truth: CelltypesTruth) -> Planted:
    """What was planted, for readers and for other methods."""
    return Planted(
        words=f"{counted(truth.cell_type.size, 'type')} of cells",
        kind="types",
        groups={
            str(unit): str(truth.cell_type[kind])
            for unit, kind in zip(truth.unit, truth.type_of_unit, strict=True)
        },
    )


def recovered(result: CelltypesResult, truth: CelltypesTruth) -> str:
    """How much of it was found."""
    if not result.n_types:
        return "no type"
    true = true_labels(result, truth)
    n_both = int(((result.type_of_unit >= 0) & (true >= 0)).sum())
    ari = matched(result.type_of_unit, true)["ari"]
    return f"{counted(result.n_types, 'type')} (ARI {ari:z.2f} of {counted(n_both, 'unit')})"
