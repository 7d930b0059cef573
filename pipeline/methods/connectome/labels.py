"""Communities and courses in the form in which methods are compared."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.labelling import Association, Courses, Labels, UnitLabels, item_names
from pipeline.methods.connectome.result import ConnectomeResult, places


def labels(result: ConnectomeResult, units: Mapping[str, pd.DataFrame]) -> Labels:
    """Communities of every component that has groups, its course, and the epochs it follows.

    Parameters
    ----------
    result
        The joined fit.
    units
        Recording to its table of units, as in :class:`~pipeline.core.recording.Recording`; units
        of other recordings are left out.
    """
    return Labels(
        units=tuple(
            _communities(result, int(component), units)
            for component in np.flatnonzero(result.structured)
        ),
        courses=tuple(_courses(result, index) for index in range(result.recording.size)),
        associations=tuple(_associations(result)),
    )


def _communities(
    result: ConnectomeResult, component: int, units: Mapping[str, pd.DataFrame]
) -> UnitLabels:
    """Of one component; units in none have no label."""
    found: list[tuple[str, str, str, int]] = []
    for name in map(str, result.recording):
        if name not in units:
            continue
        own, item = _names(name, units[name])
        pooled = pooled_units(result, name, units[name])
        for row in np.flatnonzero(pooled >= 0):
            found.append((name, str(own[row]), str(item[row]), int(pooled[row])))
    index = np.array([one[3] for one in found], dtype=np.int64)
    community = result.community[component, index]
    inside = community >= 0
    recording, unit, item = (
        np.array([one[at] for one in found], dtype=np.str_)[inside] for at in range(3)
    )
    return UnitLabels(
        name=f"community of component {component + 1}",
        kind="communities",
        from_activity=True,
        recording=recording,
        unit=unit,
        item=item,
        label=(community[inside] + 1).astype(np.str_),
        probability=result.membership[component, index][inside],
    )


def pooled_units(
    result: ConnectomeResult, recording: str, units: pd.DataFrame
) -> NDArray[np.int64]:
    """Pooled unit of each row of a recording's table, shape (row,); -1 where it took no part.

    Both sides of homologues that were merged have the same one.
    """
    found = np.full(len(units), -1)
    place = places(result.unit, result.sides)
    names = _names(recording, units)[1]
    for index in np.flatnonzero(result.recording == recording):
        for row, name in enumerate(map(str, names)):
            if name in place and result.presence[index, place[name]]:
                found[row] = place[name]
    return found


def _names(recording: str, units: pd.DataFrame) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    """Ids of units, and the names by which they were pooled."""
    unit = units["unit_id"].astype(str).to_numpy(dtype=np.str_)
    certain = units["identity_certain"].to_numpy(dtype=bool)
    identity = units["identity"].fillna("").astype(str).to_numpy(dtype=np.str_)
    return unit, item_names(recording, unit, np.where(certain, identity, ""))


def _courses(result: ConnectomeResult, index: int) -> Courses:
    time_s = result.source_time_s[:, index]
    seen = np.isfinite(time_s)
    return Courses(
        recording=str(result.recording[index]),
        time_s=time_s[seen],
        course=result.component_time[seen],
        cut=result.alignment == "by_epoch",
    )


def _associations(result: ConnectomeResult) -> list[Association]:
    test = result.epoch_test
    if test is None:
        return []
    null = "sign flips over recordings" if test.over_recordings else "epochs shifted in time"
    found = []
    for component in range(result.rank):
        for at, label in enumerate(map(str, test.label)):
            contrast = test.contrast[component, at]
            known = contrast[np.isfinite(contrast)]
            found.append(
                Association(
                    recording="",
                    first=f"component {component + 1}",
                    second=f"epochs '{label}'",
                    measure="mean difference (SD of shifted epochs)",
                    value=float(known.mean()) if known.size else np.nan,
                    p_value=float(test.p_value[component, at]),
                    null=f"{null}, largest of all components and labels"
                    if known.size
                    else "too short to tell",
                    family="components and epochs",
                )
            )
    return found
