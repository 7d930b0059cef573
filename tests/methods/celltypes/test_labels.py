"""Types in the form in which methods are compared."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from pipeline.methods.celltypes.labels import labels


def result(known=("", "", "")):
    return SimpleNamespace(
        units=pd.DataFrame({"recording": ["a", "a", "b"], "unit": ["1", "2", "1"], "label": known}),
        type_of_unit=np.array([0, -1, 2]),
        probability=np.array([0.8, np.nan, 0.7]),
    )


def test_typed_units_are_told_with_their_recording():
    (types,) = labels(result(), {}).units
    assert list(zip(types.recording, types.unit, types.label, types.item, strict=True)) == [
        ("a", "1", "1", "a:1"),
        ("b", "1", "3", "b:1"),
    ]
    assert types.from_activity
    assert types.probability.tolist() == [0.8, 0.7]


def test_types_that_the_file_names_are_a_grouping_of_their_own():
    types, known = labels(result(("ON", "OFF", "")), {}).units
    assert known.label.tolist() == ["ON", "OFF"]
    assert (types.kind, known.kind, known.from_activity) == ("types", "type in the file", False)
