"""Named axes are checked when a record is made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes, ragged, strictly_increasing, table


@dataclass(frozen=True, kw_only=True)
class Example:
    values: NDArray[np.float64] = axes("time", "unit", unit="Hz")
    time: NDArray[np.float64] = axes("time", unit="s")
    units: pd.DataFrame = table("unit", ("name", "good"))
    spikes: tuple[NDArray[np.float64], ...] = ragged("unit", "spike", unit="s")
    weights: NDArray[np.float64] | None = axes("unit", optional=True)


def example(**changes: object) -> Example:
    parts: dict[str, object] = {
        "values": np.zeros((3, 2)),
        "time": np.arange(3.0),
        "units": pd.DataFrame({"name": ["a", "b"], "good": [True, False]}),
        "spikes": (np.zeros(4), np.zeros(0)),
    }
    return Example(**{**parts, **changes})  # type: ignore[arg-type]


def test_sizes_of_all_axes_are_told() -> None:
    assert check_axes(example()) == {"time": 3, "unit": 2}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"time": np.arange(4.0)},
            "Example: 'time' has 4 entries .* but 'values' has 3",
        ),
        ({"values": np.zeros(3)}, r"Example: 'values' has 1 axes, expected 2: \(time, unit\)"),
        ({"spikes": (np.zeros(1),)}, "'spikes' has 1 entries along 'unit', but 'values' has 2"),
        ({"weights": np.zeros(5)}, "'weights' has 5 entries along 'unit'"),
        (
            {"units": pd.DataFrame({"name": ["a", "b"]})},
            r"table 'units' lacks the columns \['good'\]; it has \['name'\]",
        ),
        (
            {"units": pd.DataFrame({"name": ["a"], "good": [True]})},
            "'units' has 1 entries along 'unit'",
        ),
    ],
)
def test_a_disagreement_is_refused_with_both_sides(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check_axes(example(**changes))


def test_an_absent_optional_field_is_none_and_agrees_with_all() -> None:
    assert example().weights is None


@pytest.mark.parametrize(
    ("values", "increases"),
    [([0, 1, 2], True), ([0, 0, 1], False), ([0, np.nan, 1], False), ([1], True), ([], True)],
)
def test_increase_is_strict_and_false_for_nan(values: list[float], increases: bool) -> None:
    assert strictly_increasing(np.array(values, dtype=float)) is increases
