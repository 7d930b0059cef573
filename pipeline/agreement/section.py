"""The words, figures and tables of the report about how methods agree."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.agreement.halves import HalvesTest
from pipeline.agreement.halves_section import (
    halves_figure,
    halves_numbers,
    halves_numbers_in_words,
    halves_table,
    halves_words,
)
from pipeline.agreement.pairs import Pair
from pipeline.core.labelling import Association, UnitLabels
from pipeline.core.labels import natural_order
from pipeline.core.parts import (
    REMARK,
    Figure,
    Heatmap,
    KeyNumber,
    Number,
    Section,
    Table,
    key_numbers,
)
from pipeline.core.words import counted, for_number

ID = "agreement"
TITLE = "Agreement between methods"
LEVEL = 0.05
MOST_GROUPS = 40
"""Rows and columns of a matrix; the largest groups are kept."""
TOLD_PAIRS = 3
LEAST_TOLD = 5
"""Units of the smallest group that the finding of a figure tells, where there is one as large."""
MOST_KEY_NUMBERS = 3
NAMES_REGIONS = "column 'region' of the sheet names regions"


def agreement_section(
    table: pd.DataFrame,
    labellings: Sequence[UnitLabels],
    pairs: Sequence[Pair],
    associations: Sequence[Association],
    tests: Sequence[HalvesTest],
) -> Section:
    """All that the report says about agreement, in reading order.

    Parameters
    ----------
    table
        One row a unit, as :mod:`pipeline.agreement.unit_table` makes it.
    labellings
        The groupings in it.
    pairs, associations
        What was compared, of units and of moments.
    tests
        What was compared over halves of the data; of kinds that are no pair they are left out.
    """
    shown = best_of_kinds(pairs)
    same_data = {frozenset(pair.kinds): pair.ari for pair in shown}
    tests = [test for test in tests if frozenset(test.kinds) in same_data]
    tested = [test for test in tests if test.tested]
    over_halves = {frozenset(test.kinds): test for test in tested}
    adjusted_p = _Adjusted.of(pairs, tests)
    compared = bool(pairs or associations)
    reason = "" if compared else _lacking(labellings)
    words = [*_what_was_done(pairs, associations), *halves_words(tests)]
    told = _sentences(shown, associations, over_halves, adjusted_p)
    return Section(
        id=ID,
        title=TITLE,
        status="ok" if compared else "not_applicable",
        sentence=told[0] if compared else f"{TITLE}: {reason}.",
        further=" ".join(told[1:]) if compared else "",
        reason=reason,
        body=(
            *words,
            *(
                pair_figure(pair, number, over_halves.get(frozenset(pair.kinds)))
                for number, pair in enumerate(shown, start=1)
            ),
            *([halves_figure(tested, same_data)] if tested else []),
            *([pairs_table(pairs, adjusted_p.of_pairs)] if pairs else []),
            *([halves_table(tests, adjusted_p.of_tests)] if tests else []),
            *([moments_table(associations)] if associations else []),
            units_table(table),
        ),
        numbers={**_numbers(shown, associations, adjusted_p), **halves_numbers(tests)},
        key_numbers=_key_numbers(shown, over_halves, associations),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Adjusted:
    """P of all comparisons of groupings of units, adjusted for their number."""

    n_tested: int
    of_pairs: Mapping[tuple[str, str], float]
    """By the names of both groupings; NaN where nothing was tested."""
    of_tests: Mapping[tuple[str, str], float]
    """Over halves, by the kinds."""

    @classmethod
    def of(cls, pairs: Sequence[Pair], tests: Sequence[HalvesTest]) -> _Adjusted:
        # Each grouping was held against all of the other kind at once, with a p for them together.
        families = [*((one.first, *one.kinds) for one in pairs), *(one.kinds for one in tests)]
        p = valid_for_all(
            [*(one.p_value for one in pairs), *(one.p_value for one in tests)], families
        )
        return cls(
            n_tested=int(np.isfinite(p).sum()),
            of_pairs={(one.first, one.second): value for one, value in zip(pairs, p, strict=False)},
            of_tests={one.kinds: value for one, value in zip(tests, p[len(pairs) :], strict=True)},
        )

    def said(self, p: float) -> str:
        """What stands behind a p; nothing where it is the only one."""
        several = self.n_tested > 1 and np.isfinite(p)
        return f" ({p:.3g} adjusted for {self.n_tested} comparisons)" if several else ""


def valid_for_all(p_values: Sequence[float], families: Sequence[Hashable]) -> list[float]:
    """P values that hold for all tests together; missing ones (NaN) are no tests.

    Those of a family hold together already, as p of the largest of several do, so families are
    what is left to count (Bonferroni). Holm's steps would not do: he assumes one p a hypothesis.

    Parameters
    ----------
    p_values, families
        One a test, in the same order.
    """
    n_families = len({one for one, p in zip(families, p_values, strict=True) if np.isfinite(p)})
    return [min(1.0, p * n_families) if np.isfinite(p) else float("nan") for p in p_values]


def best_of_kinds(pairs: Sequence[Pair]) -> list[Pair]:
    """Of the pairs of the same two kinds, such as all components, the one that agrees best."""
    best: dict[tuple[str, str], Pair] = {}
    for pair in pairs:
        known = best.get(pair.kinds)
        if known is None or _order(pair) < _order(known):
            best[pair.kinds] = pair
    return list(best.values())


def _order(pair: Pair) -> tuple[float, float]:
    return (pair.p_value if np.isfinite(pair.p_value) else 1.0, -pair.ari)


def _lacking(labellings: Sequence[UnitLabels]) -> str:
    names = sorted({one.kind for one in labellings if np.unique(one.label).size > 1})
    if not names:
        return f"no method and no region groups units here; {NAMES_REGIONS}"
    if len(names) == 1:
        hint = "why methods have none stands above" if names == ["regions"] else NAMES_REGIONS
        return f"there are {names[0]} and nothing else to hold against them; {hint}"
    return (
        f"{', '.join(names)} share too few units of a recording to be compared "
        "(agreement.min_units)"
    )


def _what_was_done(pairs: Sequence[Pair], associations: Sequence[Association]) -> list[str]:
    told = []
    if pairs:
        told.append(
            "Two groupings of the same units are compared within each recording and averaged: the "
            "adjusted Rand index (ARI) and adjusted mutual information (AMI) are 1 if they are the "
            "same and 0 on average if they have nothing to do with each other. Units that one of "
            "the two leaves without a label take no part; a neuron that was seen in several "
            "recordings counts once."
        )
    if any(np.isfinite(pair.p_value) for pair in pairs):
        told.append(
            "Against regions, and types that the file names, chance is told by exchanging units, "
            "among those alike in activity where there are enough. Neighbours in the tissue share "
            "more than others do, which exchanges do not keep. Where positions make a map, it is "
            "turned about its middle as well, so that neighbours stay together, and the larger p "
            "counts; elsewhere a small p says that labels differ between these parts of the "
            "tissue, not that they change at this very border."
        )
    if any(one.first == "states" and one.second.startswith("component") for one in associations):
        told.append(
            "States and components come from the same activity too. Shifts in time ask whether "
            "they follow the same events, which is no second evidence for either."
        )
    return told


def _sentences(
    shown: Sequence[Pair],
    associations: Sequence[Association],
    over_halves: Mapping[frozenset[str], HalvesTest],
    adjusted_p: _Adjusted,
) -> list[str]:
    """One a comparison of groupings, the surest first, and one on moments."""

    def surest(pair: Pair) -> tuple[float, float]:
        test = over_halves.get(frozenset(pair.kinds))
        return _order(pair) if test is None else (test.p_value, -test.ari)

    told = []
    for pair in sorted(shown, key=surest)[:TOLD_PAIRS]:
        test = over_halves.get(frozenset(pair.kinds))
        verdict = (
            f"from different halves of the data {halves_numbers_in_words(test)}"
            f"{adjusted_p.said(adjusted_p.of_tests[test.kinds])}"
            if test is not None
            else f"{_p_words(pair)}{adjusted_p.said(adjusted_p.of_pairs[pair.first, pair.second])}"
        )
        told.append(
            f"{_name(pair, 0)} and {_name(pair, 1)}: ARI {pair.ari:z.2f} of "
            f"{counted(pair.n_units, 'unit')}, {verdict}."
        )
    n_tested, n_small = moments_tested(associations)
    if n_tested:
        told.append(
            f"{n_small} of {counted(n_tested, 'comparison')} of states or components with epochs "
            f"and each other {for_number(n_small, '[has|have]')} p <= {LEVEL:g}"
            + (", adjusted for all of them." if n_tested > 1 else ".")
        )
    elif not shown:
        told.append("Moments were compared, and nothing could be tested.")
    return told


def _name(pair: Pair, at: int) -> str:
    """A grouping in the plural, with its component."""
    name = (pair.first, pair.second)[at]
    kind = pair.kinds[at]
    text = f"{kind} of component {name.split()[-1]}" if kind == "communities" else kind
    return text if at else text[:1].upper() + text[1:]


def _group(grouping: str, label: str) -> str:
    """One group, such as ``region CA1`` and ``community 2 of component 1``."""
    first, _, rest = grouping.partition(" ")
    return f"{first} {label} {rest}".strip()


def _p_words(pair: Pair) -> str:
    return f"p = {pair.p_value:.3g}" if np.isfinite(pair.p_value) else "not tested (same activity)"


def pair_figure(pair: Pair, number: int, over_halves: HalvesTest | None = None) -> Figure:
    """Shares of each group of one grouping that lie in the groups of the other.

    Parameters
    ----------
    pair
        The groupings, of all of the data.
    number
        Of the figure among those of pairs.
    over_halves
        The test of the same kinds over halves of the data, if there is one.
    """
    rows, row_of = _groups(pair.first_label)
    columns, column_of = _groups(pair.second_label)
    counts = np.zeros((len(rows), len(columns)))
    np.add.at(counts, (row_of, column_of), 1)
    cut = max(counts.shape) > MOST_GROUPS
    kept_rows = np.sort(np.argsort(-counts.sum(axis=1), kind="stable")[:MOST_GROUPS])
    kept_columns = np.argsort(-counts.sum(axis=0), kind="stable")[:MOST_GROUPS]
    size = counts.sum(axis=1)
    share = counts[np.ix_(kept_rows, kept_columns)] / np.maximum(size[kept_rows, None], 1)
    order = _along_diagonal(share)
    values = share[:, order].astype(np.float32)
    # A group of one or two units lies in some group of the other grouping whatever that is.
    told = size[kept_rows] >= min(LEAST_TOLD, size.max())
    top = np.unravel_index(int(np.argmax(np.where(told[:, None], values, -1))), values.shape)
    names = [str(columns[kept_columns[at]]) for at in order]
    if np.isfinite(pair.p_value):
        verdict = f"{_p_words(pair)} ({pair.null})"
    elif over_halves is not None:
        verdict = f"from different halves of the data {halves_numbers_in_words(over_halves)}"
    else:
        verdict = "not tested, as both come from the same activity"
    given, found = _name(pair, 0), _name(pair, 1)
    most = (
        f"of {counted(int(size[kept_rows[top[0]]]), 'unit')} in "
        f"{_group(pair.first, rows[kept_rows[top[0]]])}, {100 * values[top]:.0f} % are in "
        f"{_group(pair.second, names[top[1]])}"
    )
    return Figure(
        id=f"pair-{number}",
        title=f"{given} and {found}",
        finding=(f"ARI {pair.ari:z.2f}, AMI {pair.ami:z.2f}, {verdict}; {most}."),
        caption=(
            f"Share of each row's units that lie in each column; {counted(pair.n_units, 'unit')} "
            f"of {counted(pair.n_recordings, 'recording')} have both labels. Columns are ordered "
            "so that large shares lie along the diagonal. No band: how sure this is stands above. "
            "Good: one bright field a row, so that units of one group are in one group of the "
            "other grouping too. Bad: rows that look "
            "alike, as of two groupings that have nothing to do with each other."
            + (f" The {MOST_GROUPS} largest groups are shown." if cut else "")
        ),
        alt=f"Matrix of {given} by {found}: {most}.",
        panels=(
            Heatmap(
                title=f"{given} by {found}",
                values=values,
                x_title=pair.second.capitalize(),
                y_title=pair.first.capitalize(),
                value_title="Share of the row's units",
                x_labels=tuple(names),
                y_labels=tuple(
                    f"{rows[at]}{REMARK}{counted(int(size[at]), 'unit')}" for at in kept_rows
                ),
                limits=(0.0, 1.0),
            ),
        ),
    )


def _groups(labels: NDArray[np.str_]) -> tuple[list[str], NDArray[np.intp]]:
    """Names of groups in the order in which people read them, and the group of each unit."""
    names = sorted(set(map(str, labels)), key=natural_order)
    place = {name: at for at, name in enumerate(names)}
    return names, np.array([place[str(name)] for name in labels], dtype=np.intp)


def _along_diagonal(share: NDArray[np.float64]) -> list[int]:
    """Columns in the order of the rows in which they are large on average."""
    weight = share.sum(axis=0)
    middle = (np.arange(len(share)) @ share) / np.where(weight > 0, weight, 1)
    return [int(at) for at in np.argsort(middle, kind="stable")]


def pairs_table(pairs: Sequence[Pair], adjusted_p: Mapping[tuple[str, str], float]) -> Table:
    """One row a pair of groupings.

    Parameters
    ----------
    pairs
        At least one.
    adjusted_p
        Names of both groupings to their p, adjusted for all comparisons of units.
    """
    return Table(
        id="pairs",
        title="Groupings of units, two by two",
        caption=(
            "ARI and AMI: 1 the same, 0 as by chance. p: share of exchanges of units with an ARI "
            "as large, valid for all groupings of a kind together; empty where nothing was tested. "
            "Adjusted p: for all comparisons of units, also those over halves (Bonferroni)."
        ),
        columns={
            "grouping": tuple(pair.first for pair in pairs),
            "other grouping": tuple(pair.second for pair in pairs),
            "recordings": tuple(pair.n_recordings for pair in pairs),
            "units": tuple(pair.n_units for pair in pairs),
            "groups": tuple(
                f"{np.unique(pair.first_label).size} and {np.unique(pair.second_label).size}"
                for pair in pairs
            ),
            "ARI": tuple(_rounded(pair.ari, 3) for pair in pairs),
            "AMI": tuple(_rounded(pair.ami, 3) for pair in pairs),
            "p": tuple(_rounded(pair.p_value, 4) for pair in pairs),
            "adjusted p": tuple(_rounded(adjusted_p[pair.first, pair.second], 4) for pair in pairs),
            "chance": tuple(pair.null for pair in pairs),
        },
    )


def moments_table(associations: Sequence[Association]) -> Table:
    """One row a comparison of moments."""
    return Table(
        id="moments",
        title="States, components and epochs in time",
        caption=(
            "Moments depend on their neighbours, so whole sequences are shifted in time to tell "
            "chance. Rows with epochs and trials are those of the methods' own sections. Where "
            "chance is that of the largest of several rows, p holds for these together. Adjusted "
            "p: for all rows of this table together (Bonferroni over what p does not allow for)."
        ),
        columns={
            "recording": tuple(one.recording or "all" for one in associations),
            "labels": tuple(one.first for one in associations),
            "beside": tuple(one.second for one in associations),
            "measure": tuple(one.measure for one in associations),
            "value": tuple(_rounded(one.value, 3) for one in associations),
            "p": tuple(_rounded(one.p_value, 4) for one in associations),
            "adjusted p": tuple(_rounded(p, 4) for p in _moments_adjusted(associations)),
            "chance": tuple(one.null for one in associations),
        },
    )


def units_table(table: pd.DataFrame) -> Table:
    """All labels of all units."""
    columns: dict[str, tuple[Number, ...]] = {}
    for name in table.columns:
        cells = table[name]
        if cells.dtype == np.float64:
            columns[name] = tuple(float(cell) if cell == cell else None for cell in cells)
        elif cells.dtype == np.bool_:
            columns[name] = tuple(bool(cell) for cell in cells)
        else:
            columns[name] = tuple(str(cell) for cell in cells)
    return Table(
        id="units",
        title="All labels of every unit",
        caption=(
            "Region as in the file; labels of methods with their probability where a method has "
            "one; used, reason and remarks as in the data section. The file units.csv beside this "
            "report is the same table."
        ),
        columns=columns,
    )


def _numbers(
    shown: Sequence[Pair], associations: Sequence[Association], adjusted_p: _Adjusted
) -> Mapping[str, Number | list[Number] | Mapping[str, Number]]:
    numbers: dict[str, Number | list[Number] | Mapping[str, Number]] = {}
    for pair in shown:
        key = "_and_".join(kind.replace(" ", "_") for kind in pair.kinds)
        numbers[f"{key}_ari"] = _rounded(pair.ari, 4)
        numbers[f"{key}_p"] = _rounded(pair.p_value, 4)
        numbers[f"{key}_adjusted_p"] = _rounded(adjusted_p.of_pairs[pair.first, pair.second], 4)
        numbers[f"{key}_ami"] = _rounded(pair.ami, 4)
        numbers[f"{key}_units"] = pair.n_units
    if associations:
        n_tested, n_small = moments_tested(associations)
        numbers["n_moments_tested"] = n_tested
        numbers["n_moments_small_adjusted_p"] = n_small
    return numbers


def _key_numbers(
    shown: Sequence[Pair],
    over_halves: Mapping[frozenset[str], HalvesTest],
    associations: Sequence[Association],
) -> tuple[KeyNumber, ...]:
    """What is compared over experiments: of two methods over halves, where that was possible."""
    told = []
    for pair in shown:
        test = over_halves.get(frozenset(pair.kinds))
        name = f"{pair.kinds[0]} and {pair.kinds[1]} (ARI)"
        told.append(
            KeyNumber(name=name, value=pair.ari, beside=counted(pair.n_units, "unit"))
            if test is None
            else KeyNumber(
                name=name.replace("(ARI)", "of different halves (ARI)"),
                value=test.ari,
                beside=f"{counted(test.n_units, 'unit')}; exchanged units {test.chance:z.2f}",
            )
        )
    if associations:
        n_tested, n_small = moments_tested(associations)
        if n_tested:
            told.append(
                KeyNumber(
                    name="moments that go together (comparisons)",
                    value=n_small,
                    beside=f"of {n_tested}, adjusted for all of them",
                )
            )
    return key_numbers(*told)[:MOST_KEY_NUMBERS]


def _moments_adjusted(associations: Sequence[Association]) -> list[float]:
    """P of each comparison of moments, adjusted for all of them."""
    families = [one.family or f"alone {at}" for at, one in enumerate(associations)]
    return valid_for_all([one.p_value for one in associations], families)


def moments_tested(associations: Sequence[Association]) -> tuple[int, int]:
    """Comparisons of moments that have a p, and how many of them stay small once adjusted."""
    p = np.array(_moments_adjusted(associations))
    return int(np.isfinite(p).sum()), int((p <= LEVEL).sum())


def _rounded(value: float, digits: int) -> float | None:
    return round(value, digits) if np.isfinite(value) else None
