"""Model dissimilarities from tables that people bring: matrices, or features of conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.errors import ConfigError

Floats = NDArray[np.float64]

LONG = ("condition", "feature", "value")
"""Columns of a table with one line a condition and feature."""

TOLERANCE = 1e-8
"""By how much a matrix may miss symmetry and a zero diagonal, relative to its largest entry."""


def table_models(
    tables: Mapping[str, pd.DataFrame], conditions: NDArray[np.str_]
) -> dict[str, Floats]:
    """Model dissimilarities of all tables by name, each of shape (pair,).

    A table whose columns, after the first one, are its rows is a matrix of dissimilarities. One
    with the columns of :data:`LONG`, or with one line a condition and a column a feature, gives the
    mean squared difference over its numbers, and for each column of words whether they differ.
    Lines of conditions that the recordings do not have are passed over.

    Parameters
    ----------
    tables
        Text by the path that settings have for it; its row labels are lines of the file.
    conditions
        Labels of the conditions compared.

    Raises
    ------
    ConfigError
        If a table does not fit (CF-K13); with its line.
    """
    found: dict[str, Floats] = {}
    for path, table in tables.items():
        for name, values in _Reader(path, table, conditions).models().items():
            if np.ptp(values) == 0:
                _refuse(path, "-", f"in model '{name}' all conditions are equally far apart")
            if name in found:
                _refuse(path, "-", f"another table has a model '{name}' too; rename the file")
            found[name] = values
    return found


class _Reader:
    """One table, read for given conditions."""

    def __init__(self, path: str, table: pd.DataFrame, conditions: NDArray[np.str_]) -> None:
        self.path = path
        self.name = PurePath(path).stem
        self.table = table
        self.conditions = [str(name) for name in conditions]

    def models(self) -> dict[str, Floats]:
        columns = [str(column) for column in self.table.columns]
        rows = [str(label) for label in self.table.iloc[:, 0]]
        if len(columns) > 1 and set(columns[1:]) == set(rows):
            return {self.name: self._matrix()}
        if sorted(columns) == sorted(LONG):
            return {self.name: self._long()}
        if len(columns) < 2:
            _refuse(self.path, "line 1", "there is no column beside that of the conditions")
        return self._wide(columns[1:])

    def _matrix(self) -> Floats:
        """Dissimilarities that the table holds as they are."""
        lines = self._lines(self.table.iloc[:, 0])
        square = np.array(
            [[self._number(line, name) for name in self.conditions] for line in lines]
        )
        size = np.abs(square).max()
        apart = np.abs(square - square.T)
        if apart.max() > TOLERANCE * size:
            a, b = np.unravel_index(int(apart.argmax()), apart.shape)
            one, other = self.conditions[a], self.conditions[b]
            told = f"{one} to {other} is {square[a, b]:g}, and back {square[b, a]:g}"
            _refuse(self.path, f"line {lines[a]}", f"the matrix is not symmetric: {told}")
        own = np.abs(np.diagonal(square))
        if own.max() > TOLERANCE * size:
            worst = int(own.argmax())
            told = f"'{self.conditions[worst]}' is {square[worst, worst]:g} from itself, not 0"
            _refuse(self.path, f"line {lines[worst]}", told)
        return np.asarray(square[np.triu_indices(len(square), 1)])

    def _long(self) -> Floats:
        """Squared differences of features that stand one below the other."""
        names = list(dict.fromkeys(map(str, self.table["feature"])))
        of_feature = []
        for feature in names:
            part = self.table[self.table["feature"] == feature]
            lines = self._lines(part["condition"], of=f" for feature '{feature}'")
            of_feature.append([self._number(line, "value") for line in lines])
        return _squared(np.array(of_feature).T)

    def _wide(self, columns: Sequence[str]) -> dict[str, Floats]:
        """Squared differences over columns of numbers; for each of words whether they differ."""
        lines = self._lines(self.table.iloc[:, 0])
        cells = self.table.loc[lines]
        numbers = [column for column in columns if _is_number(str(cells[column].iloc[0]))]
        found: dict[str, Floats] = {}
        if numbers:
            values = [[self._number(line, column) for column in numbers] for line in lines]
            found[self.name] = _squared(np.array(values))
        first, second = np.triu_indices(len(lines), 1)
        for column in columns:
            if column not in numbers:
                words = cells[column].to_numpy(dtype=str)
                empty = np.flatnonzero(words == "")
                if empty.size:
                    _refuse(self.path, f"line {lines[empty[0]]}, column {column}", "is empty")
                differs = np.asarray(words[first] != words[second], dtype=np.float64)
                found[f"{self.name}.{column}"] = differs
        return found

    def _lines(self, labels: pd.Series[str], *, of: str = "") -> list[int]:
        """The line of each condition of the recordings, in their order."""
        line_of: dict[str, int] = {}
        for line, label in labels.items():
            if str(label) in line_of:
                _refuse(self.path, f"line {line}", f"condition '{label}' stands twice{of}")
            line_of[str(label)] = int(str(line))
        missing = [name for name in self.conditions if name not in line_of]
        if missing:
            shown = ", ".join(f"'{name}'" for name in missing[:5])
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            _refuse(self.path, "-", f"there is no line{of} for the conditions {shown}{more}")
        return [line_of[name] for name in self.conditions]

    def _number(self, line: int, column: str) -> float:
        cell = str(self.table.loc[line, column])
        if not _is_number(cell):
            told = f"'{cell[:40]}' is no finite number" if cell else "is empty"
            _refuse(self.path, f"line {line}, column {column}", told)
        return float(cell)


def _squared(features: Floats) -> Floats:
    """Mean squared difference over features, shape (pair,), of (condition, feature)."""
    first, second = np.triu_indices(len(features), 1)
    return np.asarray(np.square(features[first] - features[second]).mean(axis=1))


def _is_number(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False


def _refuse(path: str, place: str, found: str) -> NoReturn:
    raise ConfigError(
        code="CF-K13",
        file=path,
        place=place,
        found=found,
        fix="give one line for each condition, with a number a feature, or a symmetric matrix "
        "with the conditions' names in the first column and in the header "
        "(methods.trsa.model_tables)",
    )
