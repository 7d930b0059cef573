"""Named axes and units of record fields, declared once and checked at construction.

A record is a frozen dataclass. Its arrays are declared with :func:`axes`, its tables with
:func:`table`, its lists of arrays of unequal length with :func:`ragged`. Because the declarations
carry names and units, one writer and one reader serve every record (``pipeline.io.records``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def axes(*names: str, unit: str = "1", optional: bool = False) -> Any:  # Any: a dataclass field
    """Declare a field as an array with named axes and a physical unit.

    An array that is named like one of its axes holds that axis's labels. With ``optional`` the
    field may be ``None`` and is absent from files then.
    """
    metadata = {"axes": names, "unit": unit}
    if optional:
        return dataclasses.field(default=None, metadata=metadata)
    return dataclasses.field(metadata=metadata)


def table(axis: str, columns: Sequence[str] = ()) -> Any:  # Any: a dataclass field
    """Declare a field as a table with one row per entry of ``axis`` and required columns."""
    return dataclasses.field(metadata={"table": axis, "columns": tuple(columns)})


def ragged(outer: str, inner: str, *, unit: str = "1") -> Any:  # Any: a dataclass field
    """Declare a field as one array of its own length per entry of ``outer``."""
    return dataclasses.field(metadata={"ragged": (outer, inner), "unit": unit})


def check_axes(record: object) -> dict[str, int]:
    """Sizes of a record's named axes, once all fields are seen to agree.

    Parameters
    ----------
    record
        A dataclass instance whose fields were declared with the functions of this module.

    Returns
    -------
    Axis name to size.

    Raises
    ------
    ValueError
        If an array has another number of axes than declared, two fields disagree on the size of
        an axis, or a table lacks a required column.
    """
    sizes: dict[str, tuple[int, str]] = {}

    def agree(axis: str, size: int, field_name: str) -> None:
        known, by = sizes.setdefault(axis, (size, field_name))
        if known != size:
            raise ValueError(
                f"{type(record).__name__}: '{field_name}' has {size} entries along '{axis}', "
                f"but '{by}' has {known}."
            )

    for field in dataclasses.fields(record):  # type: ignore[arg-type]
        value = getattr(record, field.name)
        if value is None:
            continue
        names = field.metadata.get("axes")
        if names is not None:
            # A source is asked; NumPy would read it as a whole.
            shape = value.shape if hasattr(value, "shape") else np.shape(value)
            if len(shape) != len(names):
                raise ValueError(
                    f"{type(record).__name__}: '{field.name}' has {len(shape)} axes, "
                    f"expected {len(names)}: ({', '.join(names)})."
                )
            for axis, size in zip(names, shape, strict=True):
                agree(axis, size, field.name)
        elif "table" in field.metadata:
            _check_table(record, field.name, value, field.metadata)
            agree(field.metadata["table"], len(value), field.name)
        elif "ragged" in field.metadata:
            agree(field.metadata["ragged"][0], len(value), field.name)
    return {axis: size for axis, (size, _) in sizes.items()}


def _check_table(
    record: object, name: str, value: pd.DataFrame, metadata: Mapping[str, Any]
) -> None:
    missing = [column for column in metadata["columns"] if column not in value.columns]
    if missing:
        raise ValueError(
            f"{type(record).__name__}: table '{name}' lacks the columns {sorted(missing)}; "
            f"it has {sorted(map(str, value.columns))}."
        )


def strictly_increasing(values: NDArray[np.floating]) -> bool:
    """Whether each value is larger than the one before; false for NaN."""
    return bool(np.all(np.diff(values) > 0))
