"""Left and right homologues: which names are a pair, and both as one unit where that is asked for.

Many nervous systems have most neurons twice, and names that tell the sides by their last letter:
AVAL and AVAR of *C. elegans* are the class AVA. Both often do the same, but not always (ASEL and
ASER sense different salts), so that pooling them is for the user to decide.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.core.views import TraceEnsemble
from pipeline.methods.connectome.alignment import refuse_repeated_names
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.numerics.derivative import bridge_short_gaps

SIDES = ("L", "R")
SEPARATORS = "_-. "
"""What may stand between the name of a class and its side."""


def side_of(name: str) -> tuple[str, str]:
    """The class that a name tells and its side, ``L`` or ``R``; no side where it tells none."""
    if name[-1:] in SIDES and (stem := name[:-1].rstrip(SEPARATORS)):
        return stem, name[-1]
    return name, ""


def homologues(views: Sequence[TraceEnsemble]) -> dict[str, str]:
    """Names of units that have a counterpart on the other side, and the name of both together.

    Both names must be certain in one recording, as only there they surely mean two units; and the
    class must be spelt in one way and stand nowhere without a side, or it would be a third unit.
    """
    named = [{str(name) for name in view.identity if name} for view in views]
    every = set().union(*named)
    found: dict[str, str] = {}
    for own in named:
        sides: dict[str, dict[str, str]] = {}
        for name in own:
            stem, side = side_of(name)
            if side:
                sides.setdefault(stem, {})[side] = name
        for stem, of_stem in sides.items():
            if len(of_stem) == len(SIDES) and stem not in every:
                found |= dict.fromkeys(of_stem.values(), stem)
    return found


def unclear_sides(views: Sequence[TraceEnsemble]) -> list[str]:
    """Names of which the last letter does not surely tell whether they mean one unit or two.

    They differ in a last letter L or R (of any case) only, but are no pair that one recording
    names; or they stand both with and without such a letter.
    """
    together = homologues(views)
    names = {str(name) for view in views for name in view.identity if name}
    stems: dict[str, set[str]] = {}
    for name in names:
        if name[-1:].upper() in SIDES and (stem := name[:-1].rstrip(SEPARATORS)):
            stems.setdefault(stem, set()).add(name)
    unclear: set[str] = set()
    for stem, sided in stems.items():
        alike = sided | ({stem} & names)
        if len(alike) > 1 and not alike <= set(together):
            unclear |= alike
    return sorted(unclear)


def with_sides_merged(
    views: Sequence[TraceEnsemble], config: ConnectomeConfig
) -> tuple[TraceEnsemble, ...]:
    """The views with homologues as one unit, where the settings ask for it; else as they are.

    A recording that has one side only gives it under the name of both. A unit of both sides stands
    where the first of them stood; its id joins theirs by a plus.

    Raises
    ------
    NotApplicable
        If a name stands twice in a recording.
    """
    if not config.merge_sides:
        return tuple(views)
    refuse_repeated_names(views)
    together = homologues(views)
    return tuple(_merged(view, together, config) for view in views)


def sides_of_units(
    unit: NDArray[np.str_], views: Sequence[TraceEnsemble], config: ConnectomeConfig
) -> NDArray[np.str_] | None:
    """Names of both sides of each pooled unit, shape (unit, side), empty of those that are no two.

    Nothing where sides are not merged.
    """
    if not config.merge_sides:
        return None
    names: dict[tuple[str, str], str] = {}
    for name, stem in homologues(views).items():
        names[stem, side_of(name)[1]] = name
    return np.array([[names.get((str(one), side), "") for side in SIDES] for one in unit])


def likeness_of_sides(views: Sequence[TraceEnsemble]) -> dict[str, float]:
    """Correlation of the traces of both sides, the mean over the recordings that have both.

    By the name of both together, over the frames in which both are known; pairs of which one is
    constant, or known in no frame with the other, are left out.
    """
    found: dict[str, list[float]] = {}
    together = homologues(views)
    for view in views:
        for stem, columns in _columns(view, together).items():
            if len(columns) < len(SIDES):
                continue
            valid = _known(view, columns).all(axis=1)
            traces = view.values[:, columns][valid].astype(np.float64)
            if valid.sum() > 2 and (np.ptp(traces, axis=0) > 0).all():
                found.setdefault(stem, []).append(float(np.asarray(np.corrcoef(traces.T))[0, 1]))
    return {stem: float(np.mean(values)) for stem, values in sorted(found.items())}


def _columns(view: TraceEnsemble, together: Mapping[str, str]) -> dict[str, list[int]]:
    """Columns of the units of each pair in a recording, one or two, in the recording's order."""
    columns: dict[str, list[int]] = {}
    for column, name in enumerate(map(str, view.identity)):
        if name in together:
            columns.setdefault(together[name], []).append(column)
    return columns


def _merged(
    view: TraceEnsemble, together: Mapping[str, str], config: ConnectomeConfig
) -> TraceEnsemble:
    """One recording with its homologues merged."""
    pairs = _columns(view, together)
    if not pairs:
        return view
    values, valid = np.array(view.values), np.array(view.valid)
    unit, identity = view.unit.astype(object), view.identity.astype(object)
    kept = np.ones(unit.size, dtype=bool)
    max_frames = int(np.floor(config.max_gap_s * view.rate_hz + 0.5))
    for stem, columns in pairs.items():
        first = columns[0]
        identity[first] = stem
        kept[columns[1:]] = False
        if len(columns) == len(SIDES):
            unit[first] = "+".join(map(str, view.unit[columns]))
            traces, known = bridge_short_gaps(
                view.values[:, columns],
                _known(view, columns),
                max_frames,
            )
            values[:, first], valid[:, first] = _mean_of(traces, known, config.min_observed)
    return dataclasses.replace(
        view,
        values=values[:, kept],
        valid=valid[:, kept],
        unit=unit[kept].astype(np.str_),
        identity=identity[kept].astype(np.str_),
    )


def _known(view: TraceEnsemble, columns: list[int]) -> NDArray[np.bool_]:
    """Where some units are known, shape (time, column)."""
    return np.asarray(view.valid[:, columns] & ~np.isnan(view.values[:, columns]))


def _mean_of(
    traces: NDArray[np.float64], known: NDArray[np.bool_], least: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Mean of two traces where both are known, or the better known one if that is too seldom.

    Never the mean of whichever is known: where one of two levels comes or goes it would jump.
    """
    both = known.all(axis=1)
    if both.any() and both.mean() >= least:
        return np.asarray(np.where(both, traces.mean(axis=1), 0.0)), np.asarray(both)
    better = int(known.sum(axis=0).argmax())
    seen = known[:, better]
    return np.asarray(np.where(seen, traces[:, better], 0.0)), seen
