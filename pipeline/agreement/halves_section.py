"""What the report says about agreement over halves of the data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from pipeline.agreement.halves import HalvesTest
from pipeline.core.halves import GAP_TIMES
from pipeline.core.parts import Bars, Figure, Number, Table
from pipeline.core.words import counted

Numbers = Mapping[str, Number]


def halves_words(tests: Sequence[HalvesTest]) -> list[str]:
    """What was done, and what it does not show."""
    told = []
    if any(test.tested for test in tests):
        told.append(
            "Groupings that were both found in the same activity share its noise, so their "
            "agreement in all of the data is described only. To test it, each method was fitted "
            "again, with fewer restarts or shorter chains, to the first and to the second half of "
            f"each recording; the border is where half of the trials or frames were shown. "
            f"{_gap_words([test for test in tests if test.tested])} Labels of one method from one "
            "half are held against "
            "those of the other method from the other half, both ways, so that noise has no part. "
            "A small p says that both methods see an order among units that lasts; it does not "
            "say what makes it. That may also be fluctuations that the same units share whenever "
            "they occur, or a lasting reason of recording, such as one neuron cut in two. How well "
            "a method agrees with itself over the halves says how much one may ask for."
        )
    untested = [test for test in tests if not test.tested]
    if untested:
        told.append(
            "Groupings that were both found in the same activity share its noise; where methods "
            "were not fitted to halves of the data, their agreement is described and not tested."
        )
    return told


def _gap_words(tests: Sequence[HalvesTest]) -> str:
    """What lies between halves, and why so much."""
    least = min(test.gap_s[0] for test in tests)
    most = max(test.gap_s[1] for test in tests)
    gap = f"{least:.3g}" if f"{least:.3g}" == f"{most:.3g}" else f"{least:.3g} to {most:.3g}"
    return (
        f"Between them {gap} s were left out, {GAP_TIMES} times as long as the activity of three "
        "units in four stays alike (its autocorrelation, "
        f"{max(test.alike_s for test in tests):.2g} s at most) or as agreement.gap_s asks, "
        "whichever is more, so that slow drift of single units is not in both."
    )


def halves_figure(tests: Sequence[HalvesTest], same_data: Mapping[frozenset[str], float]) -> Figure:
    """ARI in the same data, over halves, by chance, and of each method with itself.

    Parameters
    ----------
    tests
        At least one, all tested.
    same_data
        Kinds to the ARI of the best pair of groupings in all of the data.
    """
    panels = []
    for test in tests:
        first, second = test.kinds
        bars = {
            "same data (no test)": same_data.get(frozenset(test.kinds), np.nan),
            "different halves": test.ari,
            "units exchanged": test.chance,
            f"{first}, half with half": test.own_ari[0],
            f"{second}, half with half": test.own_ari[1],
        }
        known = {name: value for name, value in bars.items() if np.isfinite(value)}
        panels.append(
            Bars(
                title=f"{first.capitalize()} and {second}",
                labels=tuple(known),
                values=np.array(list(known.values())),
                x_title="",
                y_title="Adjusted Rand index",
                reference=test.chance_high,
                reference_label="exceeded by 1 of 20 exchanges",
            )
        )
    lead = min(tests, key=lambda test: (test.p_value, -test.ari))
    finding = (
        f"{lead.kinds[0].capitalize()} and {lead.kinds[1]} from different halves: "
        f"{halves_numbers_in_words(lead)}."
    )
    return Figure(
        id="halves",
        title="Agreement over halves of the data",
        finding=finding,
        caption=(
            "Adjusted Rand index (1 the same, 0 as by chance) of "
            + "; ".join(
                f"{test.kinds[0]} and {test.kinds[1]} of {counted(test.n_units, 'unit')} of "
                f"{counted(test.n_recordings, 'recording')}"
                for test in tests
            )
            + ". Different halves: one method's labels from one half of the data against the "
            "other's from the other half, mean of both ways. Good: that bar is well above the "
            "dashed line and about as long as those of the methods with themselves, which say "
            "how much half of the data can tell. Bad: it is as short as the bar of exchanged "
            "units; then agreement in the same data, however large, may be shared noise. If a "
            "method hardly agrees with itself, half of the data is too little for it, and a large "
            "p says nothing. "
            + " ".join(
                f"Of {test.n_candidates} pairs of groupings ({test.kinds[0]} and {test.kinds[1]}) "
                "the best is shown, also for exchanged units."
                for test in tests
                if test.n_candidates > 1
            )
        ).strip(),
        alt=f"Bars of agreement between methods. {finding}",
        panels=tuple(panels),
    )


def halves_numbers_in_words(test: HalvesTest) -> str:
    """The result of one test."""
    return f"ARI {test.ari:z.2f} (exchanged units {test.chance:z.2f}), p = {test.p_value:.3g}"


def halves_table(tests: Sequence[HalvesTest], adjusted_p: Mapping[tuple[str, str], float]) -> Table:
    """One row a pair of kinds.

    Parameters
    ----------
    tests
        At least one.
    adjusted_p
        Kinds to their p, adjusted for all comparisons of units.
    """
    return Table(
        id="halves-table",
        title="Groupings from different halves of the data",
        caption=(
            "ARI and AMI: mean of first against second half and second against first. Chance: mean "
            "of exchanges, and what 1 of 20 exceeds. Own: each grouping's first half with its "
            "second, the most to hope for. Adjusted p: for all comparisons of units, "
            "also those with regions and known types (Bonferroni)."
        ),
        columns={
            "grouping": tuple(test.kinds[0] for test in tests),
            "other grouping": tuple(test.kinds[1] for test in tests),
            "recordings": tuple(test.n_recordings or None for test in tests),
            "units": tuple(test.n_units or None for test in tests),
            "ARI": _column(test.ari for test in tests),
            "AMI": _column(test.ami for test in tests),
            "p": tuple(_rounded(test.p_value, 4) for test in tests),
            "adjusted p": _column((adjusted_p[test.kinds] for test in tests), digits=4),
            "ARI by chance": _column(test.chance for test in tests),
            "95 % of chance": _column(test.chance_high for test in tests),
            "own ARI": _column(test.own_ari[0] for test in tests),
            "own ARI of the other": _column(test.own_ari[1] for test in tests),
            "chance": tuple(
                test.null if test.tested else f"not tested: {test.reason}" for test in tests
            ),
        },
    )


def halves_numbers(tests: Sequence[HalvesTest]) -> Numbers:
    """What programs read of each test."""
    numbers: dict[str, Number] = {}
    for test in tests:
        if test.tested:
            key = "_and_".join(kind.replace(" ", "_") for kind in test.kinds)
            numbers[f"{key}_halves_ari"] = _rounded(test.ari, 4)
            numbers[f"{key}_halves_p"] = _rounded(test.p_value, 4)
            numbers[f"{key}_halves_chance"] = _rounded(test.chance, 4)
            numbers[f"{key}_halves_units"] = test.n_units
            numbers[f"{key}_halves_gap_s"] = _rounded(test.gap_s[1], 2)
            numbers[f"{key}_halves_alike_s"] = _rounded(test.alike_s, 2)
    return numbers


def _column(values: Iterable[float], *, digits: int = 3) -> tuple[float | None, ...]:
    return tuple(_rounded(value, digits) for value in values)


def _rounded(value: float, digits: int) -> float | None:
    return round(value, digits) if np.isfinite(value) else None
