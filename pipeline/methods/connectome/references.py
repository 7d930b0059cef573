"""Known connections between named units, to hold components against."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes
from pipeline.core.errors import ConfigError, EnvironmentFault
from pipeline.methods.connectome.config import WORM
from pipeline.methods.connectome.result import places

PLACE = "methods.connectome.edges"

WORM_KINDS = {
    "Cook2019HermReader": {"Generic_CS": "chemical synapses", "Generic_GJ": "gap junctions"},
    "WormNeuroAtlasFuncReader": {"Functional": "functional coupling"},
}
"""What ``cect`` calls them, by its readers; and what they are."""

ANY_KIND = "connection"
"""Kind of connections in a table that names none."""

COLUMNS = ("pre", "post", "weight")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reference:
    """Connections of one kind between the units of a result, without direction."""

    kind: str
    unit: NDArray[np.int64] = axes("known")
    """Units that the table knows, in connections of any kind."""
    weight: NDArray[np.float64] = axes("unit", "unit_again")
    """Summed over both directions, 0 on the diagonal and where there is no connection."""

    def __post_init__(self) -> None:
        check_axes(self)


def edges_of(table: pd.DataFrame, *, name: str) -> pd.DataFrame:
    """Connections from the text of a table: ``pre``, ``post``, ``weight``, ``kind``.

    Parameters
    ----------
    table
        Text with these columns, its rows labelled by the lines of the file; ``kind`` may be
        missing, others may stand beside them.
    name
        What the settings call it, for messages.

    Raises
    ------
    ConfigError
        If it is no such table (CF-K05).
    """
    lacking = [column for column in COLUMNS if column not in table]
    if lacking:
        raise _unfit(name, f"has no columns {', '.join(lacking)}")
    weight = pd.to_numeric(table["weight"], errors="coerce").astype("float64")
    bad = table[~(np.isfinite(weight) & (weight >= 0))]
    if len(bad):
        first = str(bad["weight"].iloc[0])
        raise _unfit(name, f"has the weight '{first}' in line {bad.index[0]}")
    kind = table["kind"] if "kind" in table else pd.Series("", index=table.index)
    return pd.DataFrame(
        {
            "pre": table["pre"],
            "post": table["post"],
            "weight": weight,
            "kind": kind.where(kind != "", ANY_KIND),
        }
    )


def known_edges(source: str, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Connections of the settings: a user's table, or :data:`WORM` for *C. elegans*."""
    return worm_edges() if source == WORM else edges_of(tables[source], name=source)


def worm_edges() -> pd.DataFrame:
    """Connections of *C. elegans* hermaphrodites from ``cect``, which brings them with it.

    Chemical synapses and gap junctions of Cook et al. (2019, Nature 571:63), numbers of serial
    sections as weights; functional coupling of Randi et al. (2023, Nature 623:406): pairs whose
    answer to stimulation is significant there, with its mean size as weight.

    Raises
    ------
    EnvironmentFault
        If the package is not installed (RN-R17).
    """
    tables = []
    for source, kinds in WORM_KINDS.items():
        found = _reader(source).get_instance()
        for name, kind in kinds.items():
            tables.append(_table(found.nodes, np.abs(found.connections[name]), kind))
    return pd.concat(tables, ignore_index=True)


def references(
    edges: pd.DataFrame, unit: NDArray[np.str_], sides: NDArray[np.str_] | None = None
) -> tuple[Reference, ...]:
    """Connections between units of a result, one graph a kind, names compared exactly.

    Parameters
    ----------
    unit
        Names of units, shape (unit,).
    sides
        Names of the sides that units stand for, shape (unit, side), empty for none. Connections of
        both sides are summed, and those between them are of no pair.
    """
    place = places(unit, sides)
    known = sorted({place[name] for name in [*edges["pre"], *edges["post"]] if name in place})
    found = []
    for kind, of_kind in edges.groupby("kind", sort=True):
        weight = np.zeros((unit.size, unit.size))
        columns = of_kind["pre"], of_kind["post"], of_kind["weight"]
        for pre, post, size in zip(*columns, strict=True):
            if pre in place and post in place and place[pre] != place[post]:
                weight[place[pre], place[post]] += size
                weight[place[post], place[pre]] += size
        found.append(Reference(kind=str(kind), unit=np.array(known, dtype=np.int64), weight=weight))
    return tuple(found)


def _table(names: Sequence[str], weight: NDArray[np.floating], kind: str) -> pd.DataFrame:
    """A matrix (pre, post) as a table; units without connections stand in it with weight 0."""
    pre, post = np.nonzero(weight)
    lone = np.setdiff1d(np.arange(len(names)), np.concatenate([pre, post]))
    pre, post = np.concatenate([pre, lone]), np.concatenate([post, lone])
    named = np.array([str(name) for name in names])
    return pd.DataFrame(
        {"pre": named[pre], "post": named[post], "weight": weight[pre, post], "kind": kind}
    )


def _reader(name: str) -> Any:  # Any: of a package without types
    try:
        return importlib.import_module(f"cect.readers.{name}")
    except ImportError as error:
        raise EnvironmentFault(
            code="RN-R17",
            place=PLACE,
            found=f"the package cect is missing or broken: {error}",
            fix="install what connectomes of C. elegans come from, python -m pip install "
            "'neuroptych[references]', or name a table of your own",
        ) from error


def _unfit(path: str, found: str) -> ConfigError:
    """What is wrong with a table."""
    return ConfigError(
        code="CF-K05",
        place=PLACE,
        found=f"the table '{path}' {found}",
        fix="give a CSV or TSV file with the columns pre, post, weight (numbers of at least 0) "
        "and, where there are several kinds of connections, kind",
    )
