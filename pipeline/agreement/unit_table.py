"""One row a unit, with all that methods and the file say about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.labelling import UnitLabels, item_names
from pipeline.core.quality import Grades
from pipeline.core.recording import identities
from pipeline.core.unit_names import names_of_units

REGION = "region"
COORDINATES = ("x_um", "y_um", "z_um")
LEVELS = ("rate_hz", "n_spikes", "snr")
"""Measures of how active a unit is, the one to take first."""


def regions(units: Mapping[str, pd.DataFrame]) -> UnitLabels:
    """Regions as the files name them, of all units that have one.

    Parameters
    ----------
    units
        Recording to its table of units, as in :class:`~pipeline.core.recording.Recording`.
    """
    parts = []
    for each, table in units.items():
        name = table["region"].fillna("").astype(str).to_numpy(dtype=np.str_)
        unit = table["unit_id"].astype(str).to_numpy(dtype=np.str_)
        item = unit_items(each, table)
        has = name != ""
        parts.append((np.full(int(has.sum()), each), unit[has], item[has], name[has]))
    recording, unit, item, label = (
        np.concatenate([part[at] for part in parts]) if parts else np.empty(0, dtype=np.str_)
        for at in range(4)
    )
    return UnitLabels(
        name=REGION,
        kind="regions",
        from_activity=False,
        recording=recording,
        unit=unit,
        item=item,
        label=label,
        probability=np.full(label.size, np.nan),
    )


def unit_items(recording: str, units: pd.DataFrame) -> NDArray[np.str_]:
    """Names under which the units of a recording are the same in others, shape (unit,)."""
    unit = units["unit_id"].astype(str).to_numpy(dtype=np.str_)
    identity = units["identity"].fillna("").astype(str).to_numpy(dtype=np.str_)
    certain = units["identity_certain"].to_numpy(dtype=bool)
    return item_names(recording, unit, np.where(certain, identity, ""))


def unit_table(
    units: Mapping[str, pd.DataFrame],
    grades: Mapping[str, Grades],
    labellings: Sequence[UnitLabels],
) -> pd.DataFrame:
    """All units of all recordings with every label, its probability, and the unit's grade.

    Parameters
    ----------
    units
        Recording to its table of units, in the order of the sheet.
    grades
        Recording to how its units were graded.
    labellings
        Groupings; their names become columns.

    Returns
    -------
    Columns ``recording``, ``unit``, ``name`` (what figures call it), ``identity`` where a file
    names units (with a question mark where it doubts), one a grouping (text, empty where there is
    no label), one ``NAME probability`` where it has probabilities, then ``used``, ``reason`` and
    ``remarks``.
    """
    rows = pd.concat(
        [
            pd.DataFrame(
                {
                    "recording": pd.Series([name] * len(table), dtype="str"),
                    "unit": table["unit_id"].astype("str").to_numpy(),
                    "name": pd.Series(
                        names_of_units(name, table, n_recordings=len(units)), dtype="str"
                    ),
                    "identity": pd.Series(identities(table), dtype="str"),
                }
            )
            for name, table in units.items()
        ]
        or [pd.DataFrame({"recording": [], "unit": [], "name": [], "identity": []}, dtype="str")],
        ignore_index=True,
    )
    if not rows["identity"].astype(bool).any():
        rows = rows.drop(columns="identity")
    place = {key: at for at, key in enumerate(zip(rows["recording"], rows["unit"], strict=True))}
    for one in labellings:
        at = np.array([place[key] for key in zip(one.recording, one.unit, strict=True)], dtype=int)
        label = np.full(len(rows), "", dtype=object)
        label[at] = one.label
        rows[one.name] = pd.Series(label, dtype="str")
        if np.isfinite(one.probability).any():
            probability = np.full(len(rows), np.nan)
            probability[at] = one.probability
            rows[f"{one.name} probability"] = probability
    good = [table["good"].to_numpy(dtype=bool) for table in units.values()]
    rows["used"] = np.concatenate(good) if good else np.empty(0, dtype=bool)
    for column in ("reason", "remarks"):
        told = [_graded(grades.get(name), column, table) for name, table in units.items()]
        rows[column] = pd.Series([text for one in told for text in one], dtype="str")
    return rows


def _graded(grades: Grades | None, column: str, table: pd.DataFrame) -> list[str]:
    cells = (grades.units if grades is not None else {}).get(column)
    if cells is None:
        cells = tuple(table["reason"]) if column == "reason" else ("",) * len(table)
    return ["" if cell is None or cell != cell else str(cell) for cell in cells]


def positions(units: Mapping[str, pd.DataFrame]) -> dict[str, NDArray[np.float64]]:
    """Recording to coordinates of its units in um, shape (unit, 3); NaN where not known."""
    return {
        name: np.stack(
            [
                table[axis].to_numpy(np.float64, na_value=np.nan)
                if axis in table
                else np.full(len(table), np.nan)
                for axis in COORDINATES
            ],
            axis=1,
        )
        for name, table in units.items()
    }


def activity_levels(
    units: Mapping[str, pd.DataFrame], grades: Mapping[str, Grades]
) -> dict[str, NDArray[np.float64]]:
    """How active each unit of a recording is, by the first measure that was taken; else NaN."""
    found = {}
    for name, table in units.items():
        measures = grades[name].units if name in grades else {}
        cells = next((measures[each] for each in LEVELS if each in measures), (None,) * len(table))
        found[name] = np.array([np.nan if cell is None else cell for cell in cells], dtype=float)
    return found
