"""Recordings and results as objects of other libraries, for notebooks.

pynapple's objects are made for interactive work and change what they are given where it does not
suit them. What is done about it here stands with each function; the records stay as they are.
Unless told otherwise, pynapple keeps times to a nanosecond.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.arrays import loaded
from pipeline.core.errors import EnvironmentFault
from pipeline.core.recording import BehaviourSeries, Recording, SampledActivity, SpikeTrains
from pipeline.io.hdf5_trees import open_file, read_attributes
from pipeline.io.record_fields import tree_of
from pipeline.io.records import record_type
from pipeline.io.trees import Branch, Leaf

if TYPE_CHECKING:
    import xarray

NANOSECOND_S = 1e-9
"""The smallest difference between times that pynapple keeps."""


# Objects of pynapple have no types that a checker could see: they are Any below.
def activity(recording: Recording) -> Any:
    """The activity as a ``TsdFrame`` of traces or a ``TsGroup`` of spike trains.

    Units are numbered by their rows of ``recording.units``, of which all columns become metadata,
    so that ``traces[:, traces.good]`` or ``trains[trains.region == "CA1"]`` select units. A column
    whose name pynapple does not allow gets an underscore: ``rate`` becomes ``rate_``.

    Missing samples of traces are NaN. Spike trains have the observed intervals as their time
    support: spikes outside are left out, and intervals that touch are joined. Units that were
    observed for different times share the support of all of them, so that pynapple's ``rate`` is
    too low for some; ``recording.activity.rates_hz`` is right.

    Raises
    ------
    EnvironmentFault
        If pynapple is not installed (RN-R17).
    """
    nap = _library("pynapple")
    kept = recording.activity
    if isinstance(kept, SampledActivity):
        values, valid = loaded(kept.values, kept.valid)
        return nap.TsdFrame(
            t=kept.time,
            d=np.where(valid, values, np.float32(np.nan)),
            columns=np.arange(kept.n_units),
            metadata=_metadata(recording.units, nap.TsdFrame),
        )
    support = _support(nap, kept)
    return nap.TsGroup(
        {unit: nap.Ts(kept.of_unit(unit), time_support=support) for unit in range(kept.n_units)},
        time_support=support,
        metadata=_metadata(recording.units, nap.TsGroup),
    )


def intervals(table: pd.DataFrame) -> Any:
    """A table of intervals as an ``IntervalSet`` with all other columns as metadata.

    Rows come in the order of their starts; metadata ``row`` is their place in the table. Of two
    intervals that touch, the first ends one nanosecond earlier, where pynapple would take away a
    microsecond. Intervals that overlap or have no length it would join or drop without keeping
    their metadata, so they are refused.

    Parameters
    ----------
    table
        ``trials``, ``epochs`` or one of ``intervals`` of a recording.

    Raises
    ------
    EnvironmentFault
        If pynapple is not installed (RN-R17).
    ValueError
        If intervals overlap or have no length; the message names their rows.
    """
    nap = _library("pynapple")
    ordered = table.assign(row=np.arange(len(table))).sort_values("start_s", kind="stable")
    start, stop = (ordered[name].to_numpy(np.float64, copy=True) for name in ("start_s", "stop_s"))
    rows = ordered["row"].to_numpy()
    empty, overlapping = rows[stop <= start], rows[1:][start[1:] < stop[:-1]]
    if empty.size or overlapping.size:
        raise ValueError(
            f"An IntervalSet cannot hold intervals without length (rows {empty.tolist()}) or that "
            f"start before the one before them stops (rows {overlapping.tolist()}). Export part "
            "of the table, for example one condition."
        )
    touching = np.flatnonzero(start[1:] == stop[:-1])
    stop[touching] -= NANOSECOND_S
    further = ordered.drop(columns=["start_s", "stop_s"])
    return nap.IntervalSet(start, stop, metadata=_metadata(further, nap.IntervalSet))


def series(behaviour: BehaviourSeries) -> Any:
    """A behavioural series as a ``TsdFrame``, one column a channel.

    Raises
    ------
    EnvironmentFault
        If pynapple is not installed (RN-R17).
    """
    return _library("pynapple").TsdFrame(t=behaviour.time, d=behaviour.values)


def dataset(record: object) -> xarray.DataTree:
    """Any record as a tree of datasets with named axes and units, as its file would open.

    Nested records, tables and mappings are groups; ``tree["activity"].to_dataset()`` is one.

    Raises
    ------
    EnvironmentFault
        If xarray is not installed (RN-R17).
    """
    xr = _library("xarray")
    groups: dict[str, xarray.Dataset] = {}
    pending = [("/", tree_of(record))]
    while pending:
        path, branch = pending.pop()
        groups[path] = _group(xr, branch)
        pending += [
            (f"{path.rstrip('/')}/{name}", child)
            for name, child in branch.children.items()
            if isinstance(child, Branch)
        ]
    tree: xarray.DataTree = xr.DataTree.from_dict(groups)
    return tree


def open_dataset(path: Path) -> xarray.DataTree:
    """As :func:`dataset`, of a stored record: arrays are read from the file when they are used.

    The tree is to be closed, or used in a ``with`` block. Its root's attributes tell the record's
    type and the digest of its content.

    Raises
    ------
    EnvironmentFault
        If xarray is not installed (RN-R17), or the file is missing (RN-R27) or unreadable
        (RN-R10).
    DataError
        If the file comes from another version (RN-R11).
    """
    xr = _library("xarray")
    record_type(path)  # refuses what is no file of ours
    groups: dict[str, xarray.Dataset] = {}
    closing: dict[str, Any] = {}  # functions without arguments
    for place, hidden in _groups_of(path).items():
        opened = xr.open_dataset(
            path,
            engine="h5netcdf",
            group=place,
            drop_variables=list(hidden),
            driver_kwds={"locking": False},  # as open_file: replaced, but never changed
        )
        closing[place] = opened.close
        variables = {name: xr.Variable(*parts) for name, parts in hidden.items()}
        groups[place] = opened.assign(variables)
    tree: xarray.DataTree = xr.DataTree.from_dict(groups)
    for place, close in closing.items():
        tree[place].set_close(close)
    return tree


def _groups_of(path: Path) -> dict[str, dict[str, tuple[Any, ...]]]:
    """Groups of a file, and those of their scalars that netCDF would take for labels of an axis.

    They are called like an axis of a group above, such as ``recording`` among the facts about a
    result over recordings. Axes, value and attributes of each are given by name.
    """
    found: dict[str, dict[str, tuple[Any, ...]]] = {}
    with open_file(path) as file:
        pending: list[tuple[h5py.Group, frozenset[str]]] = [(file["/"], frozenset())]
        while pending:
            group, axes = pending.pop()
            arrays = {name: node for name, node in group.items() if isinstance(node, h5py.Dataset)}
            found[group.name] = {
                name: ((), _scalar(node), read_attributes(node))
                for name, node in arrays.items()
                if name in axes and node.shape == ()
            }
            own = {name for name, node in arrays.items() if node.is_scale}
            below = (node for node in group.values() if isinstance(node, h5py.Group))
            pending += [(node, axes | own) for node in below]
    return found


def _scalar(node: h5py.Dataset) -> NDArray[Any]:
    is_text = h5py.check_string_dtype(node.dtype) is not None
    return np.array(node.asstr()[()] if is_text else node[()])


def _library(name: str) -> ModuleType:
    import importlib

    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise EnvironmentFault(
            code="RN-R17",
            place=str(error.name),
            found=f"the package {error.name} is not installed",
            fix="install what notebooks need: python -m pip install 'neuroptych[notebooks]'",
        ) from error


def _support(nap: ModuleType, trains: SpikeTrains) -> Any:
    joined: list[list[float]] = []
    for start, stop in trains.observed.tolist():
        if joined and start <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], stop)
        elif stop > start:
            joined.append([start, stop])
    return nap.IntervalSet(np.array(joined).reshape(-1, 2))


def _metadata(table: pd.DataFrame, kind: type) -> dict[str, NDArray[Any]]:
    """Columns under names that pynapple's objects allow and that reach them as attributes."""
    found: dict[str, NDArray[Any]] = {}
    for name in map(str, table.columns):
        allowed = re.sub(r"\W", "_", name)
        allowed = f"_{allowed}" if allowed[:1].isdigit() else allowed
        while allowed in found or _is_taken(allowed, kind, others=table.columns, own=name):
            allowed += "_"
        found[allowed] = _entries(table[name])
    return found


def _is_taken(name: str, kind: type, *, others: Iterable[str], own: str) -> bool:
    instance = (
        "rate",
        "index",
        "columns",
        "d",
        "t",
        "values",
        "rates",
        "nap_class",
        "metadata_index",
    )
    return name in instance or hasattr(kind, name) or (name != own and name in others)


def _entries(column: pd.Series[Any]) -> NDArray[Any]:
    """Numbers and truth values as such, everything else as text or missing entries."""
    return column.to_numpy() if isinstance(column.dtype, np.dtype) else column.to_numpy(object)


def _group(xr: ModuleType, branch: Branch) -> xarray.Dataset:
    leaves = {name: node for name, node in branch.children.items() if isinstance(node, Leaf)}
    variables = {
        name: xr.Variable(leaf.axes, _in_memory(leaf), attrs=dict(leaf.attributes))
        for name, leaf in leaves.items()
    }
    data: xarray.Dataset = xr.Dataset(variables, attrs=dict(branch.attributes))
    return data


def _in_memory(leaf: Leaf) -> NDArray[Any]:
    (values,) = loaded(leaf.values)
    return values.astype(np.str_) if values.dtype == object else values
