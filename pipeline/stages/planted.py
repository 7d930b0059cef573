"""What was planted in simulated recordings, read and held against what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from pipeline import registry
from pipeline.agreement.planted import beside_planted
from pipeline.core.errors import DataError
from pipeline.core.method import MethodSpec
from pipeline.core.parts import Check
from pipeline.core.planted import Planted, nothing_planted
from pipeline.io.records import read_record

Truths = Mapping[str, object]
"""Method to the record of what was planted for it."""


def read_truths(files: Sequence[Path]) -> tuple[Truths, tuple[Check, ...]]:
    """What was planted, where it can be read; a warning for each file where it cannot.

    No result comes from it: a truth in the form of other code must not cost the result. One that is
    damaged is a fault of the machine, as with every file that is handed on.

    Parameters
    ----------
    files
        ``METHOD.h5`` each; none for recordings of animals.
    """
    truths: dict[str, object] = {}
    doubts = []
    for file in files:
        try:
            kind = registry.methods()[file.stem].room("simulate").Truth
            truths[file.stem] = read_record(file, kind)
        except DataError as error:
            doubts.append(
                Check(
                    name="Planted truth",
                    status="warn",
                    value="not read",
                    threshold="readable",
                    meaning=f"Nothing is held against what was planted: {error.found}",
                    advice="Write the simulated recordings again with this version: "
                    "python -m pipeline demo --out FOLDER",
                )
            )
    return truths, tuple(doubts)


def planted(truths: Truths) -> dict[str, Planted]:
    """Method to what was planted for it, in terms that all methods understand."""
    return {
        name: registry.methods()[name].room("recovery").planted(truth)
        for name, truth in truths.items()
    }


def planted_words(
    spec: MethodSpec, result: object, truths: Truths, units: Mapping[str, pd.DataFrame]
) -> str:
    """What was planted, and how much of it a method found; empty for recordings of animals.

    What was planted for another method says what to expect of this one.

    Parameters
    ----------
    result
        The method's result; of one that does not pool recordings a mapping from their ids.
    units
        Recording id to its table of units.
    """
    known = planted(truths)
    if not known:
        return ""
    if spec.name not in known:
        labels = spec.room("labels").labels(result, units).units if spec.has_room("labels") else ()
        told = beside_planted(labels, list(known.values()))
        return f"{nothing_planted(known.values())} {told}".strip()
    recovered, truth = spec.room("recovery").recovered, truths[spec.name]
    if isinstance(result, Mapping):
        several = len(result) > 1
        found = "; ".join(
            f"{name}: {recovered(one, truth)}" if several else recovered(one, truth)
            for name, one in result.items()
        )
    else:
        found = recovered(result, truth)
    return f"Planted: {known[spec.name].words}. Found: {found}."
