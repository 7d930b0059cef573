"""Figure, table and words of populations compared two by two."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipeline.core.parts import Figure, Heatmap, Table
from pipeline.methods.trsa.cells import columns, where_told
from pipeline.methods.trsa.comparison import ANGLES, MATCHING
from pipeline.methods.trsa.matching import EXACT_UP_TO, MOST_SHARED, SOFTNESS
from pipeline.methods.trsa.result import TrsaResult

LEVEL = 0.05
SHOWN = ("CKA, unbiased", "Procrustes angle", "adaptive dependence", "units one to one")
VALUES = {
    "CKA, unbiased": "Alignment",
    "Procrustes angle": "Angle (rad)",
    "adaptive dependence": "SDs above shuffles",
    "units one to one": "Correlation",
}
LIMITS = {
    "CKA, unbiased": (-1.0, 1.0),
    "Procrustes angle": (0.0, 1.571),
    "units one to one": (-1.0, 1.0),
}
MOST_DRAWN = 40


def comparison_figures(result: TrsaResult, names: tuple[str, ...]) -> tuple[Figure, ...]:
    """Matrices of populations against populations, where there are three or more."""
    table = result.comparisons
    if len(table) == 0 or not 3 <= len(names) <= MOST_DRAWN:
        return ()
    place = {
        (row.recording, row.region): at
        for at, row in enumerate(result.populations.itertuples(index=False))
    }
    panels = []
    for measure in SHOWN:
        rows = table[table["measure"] == measure]
        if not len(rows):
            continue
        values = np.full((len(names), len(names)), np.nan, dtype=np.float32)
        for row, value in zip(rows.itertuples(index=False), rows["value"].to_numpy(), strict=True):
            a = place[row.first_recording, row.first_region]
            b = place[row.second_recording, row.second_region]
            values[a, b] = values[b, a] = round(float(value), 4)
        found = rows["value"]
        from_zero = (float(min(0.0, found.min())), float(max(1.0, found.max())))
        limits = LIMITS.get(measure, from_zero)
        panels.append(
            Heatmap(
                title=measure[:1].upper() + measure[1:],
                values=values,
                x_title="Population",
                y_title="Population",
                value_title=VALUES[measure],
                x_labels=names,
                y_labels=names,
                scale="diverging" if measure in LIMITS and limits[0] < 0 else "sequential",
                limits=limits,
                square=True,
                missing_title="same population",
            )
        )
    cka = table[table["measure"] == SHOWN[0]]
    best = cka.iloc[int(cka["value"].to_numpy().argmax())]
    pair = [names[place[best[f"{n}_recording"], best[f"{n}_region"]]] for n in ("first", "second")]
    tested = cka["p_adjusted"].notna()
    alike = int((cka["p_adjusted"] <= LEVEL).sum())
    return (
        Figure(
            id="alike",
            title="Which populations are alike",
            finding=(
                (
                    f"The largest unbiased CKA is that of {' and '.join(pair)} "
                    f"({best['value']:z.2f}, standard error {best['se']:.2f}); "
                    if best["value"] > 0
                    else f"No two populations are alike: the largest unbiased CKA, of "
                    f"{' and '.join(pair)}, is {best['value']:z.2f} (standard error "
                    f"{best['se']:.2f}); "
                )
                + (
                    f"{alike} of {int(tested.sum())} pairs are more alike than with shuffled "
                    "conditions (adjusted p <= 0.05)."
                    if tested.any()
                    else f"no p: {result.comparisons_no_p}."
                )
            ),
            caption=(
                f"Patterns of {result.condition.size} conditions in units of noise, the two "
                "populations of a pair from halves of the repeats without common trials. CKA, "
                "unbiased: 1 for the same up to turn and scale, 0 on average for independent ones. "
                "Procrustes angle: 0 for the same, pi/2 for nothing in common; noise and number of "
                "units make it larger. Adaptive dependence: distance correlation at the levels "
                "where it is most above shuffles, in their standard deviations. Units one to one: "
                "mean correlation, in the other half of the repeats, of units matched in one. "
                "Standard errors and p are in the table. Good: blocks that come back in all. "
                "Bad: one measure alone, or values that follow the number of units."
            ),
            alt="Matrices of populations against populations, one a measure.",
            panels=tuple(panels),
            columns=2,
        ),
    )


def comparison_body(result: TrsaResult, by_id: Mapping[str, Figure]) -> list[str | Figure | Table]:
    """What is said of populations two by two, in reading order."""
    if result.comparisons_missing:
        return [f"Populations are not compared two by two: {result.comparisons_missing}."]
    if not len(result.comparisons):
        return ["Populations are not compared two by two: there are no two repeats of all."]
    body: list[str | Figure | Table] = []
    if "alike" in by_id:
        body.append(by_id["alike"])
    body.append(_table(result))
    return body


def _table(result: TrsaResult) -> Table:
    no_p = f" There is no p: {result.comparisons_no_p}." if result.comparisons_no_p else ""
    return Table(
        id="alike-pairs",
        title="Populations two by two",
        caption=(
            "From halves of the repeats without common trials, both ways round. Small values mean "
            f"alike in: {', '.join(ANGLES)}; large ones in all others. Standard error: jackknife "
            "over conditions and groups of units, in which what units do in single conditions "
            "counts once: 0.95 to 1.3 times the spread of new simulated experiments, most where "
            "populations have nothing in common. For dependence and matched units it counts twice, "
            "and errors are rather too large; unbiased CKA has none with 4 conditions. "
            + where_told(result.comparisons, "chance", "Chance: mean over shuffles of conditions. ")
            + where_told(
                result.comparisons,
                "p",
                "p: one-sided, adjusted over pairs measure by measure, not over measures. ",
            )
            + "Adaptive dependence is in standard deviations above "
            "shuffles, the largest of all pairs of levels in both. "
            f"{MATCHING[1].capitalize()}: optimal transport; for unequal numbers with more than "
            f"{EXACT_UP_TO} pairs of units softened by entropy ({SOFTNESS:g}), and of more than "
            f"{MOST_SHARED} units a side an even choice of so many. Same partner: share of units "
            "that have one partner in both halves; mutual: of those that are each other's best. "
            "Populations of one recording share what the animal did in each condition." + no_p
        ),
        columns=columns(
            result.comparisons,
            {
                "first_recording": "recording",
                "first_region": "region",
                "second_recording": "other recording",
                "second_region": "other region",
                "measure": "measure",
                "value": "value",
                "se": "standard error",
                "chance": "by chance",
                "p": "p",
                "p_adjusted": "adjusted p",
                "reproducible": "same partner",
                "mutual": "mutual",
            },
        ),
    )
