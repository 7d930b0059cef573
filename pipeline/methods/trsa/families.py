"""Which statistics, from geometry to topology, recognise regions over subjects better."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.core.parts import Bars, Bracket, Figure, Table
from pipeline.methods.trsa.cells import columns
from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.diagnostics import LEVEL
from pipeline.methods.trsa.result import SubjectsResult
from pipeline.methods.trsa.transforms import FAMILIES

MOST_BRACKETS = 8
"""Differences that are drawn; more would hide the bars."""
ADJUSTED = {
    "bh": "p adjusted by Benjamini-Hochberg",
    "holm": "p adjusted by Holm",
    "bonferroni": "p adjusted by Bonferroni",
    "none": "p, not adjusted",
}


def families_figure(found: SubjectsResult, config: TrsaConfig) -> Figure:
    """Accuracy of the families of levels, with brackets over those that differ."""
    from scipy.stats import t as student

    width = student.ppf(0.975, found.degrees) * found.family_se
    labels = tuple(str(name) for name in found.family)
    differences = _differences(found)
    significant = differences[differences["p"] <= LEVEL].sort_values("p", kind="stable")
    adjusted = ADJUSTED[_correction(config)]
    return Figure(
        id="families",
        title="Geometry and topology over subjects",
        finding=(
            f"{len(significant)} of {len(differences)} differences between statistics are "
            f"significant ({adjusted} <= {LEVEL}); the best is "
            f"'{labels[int(found.family_accuracy.argmax())]}' with "
            f"{100 * found.family_accuracy.max():.0f} %."
        ),
        caption=(
            "Accuracy of dissimilarities as measured, of unit norm, of their ranks, and mean over "
            "random pairs of levels of each family: "
            + "; ".join(f"{name}: {words}" for name, words in FAMILIES.items())
            + ". Intervals of 95 % from resampled subjects and conditions, corrected for counting "
            f"noise twice, t with {found.degrees} degrees of freedom "
            f"({found.subject.size} subjects); they are rather too wide. Dashed: chance. "
            f"{_bracket_words(found, config, len(significant))} Good: intervals above the dashed "
            "line. Bad: intervals that hold it. No bracket between two statistics is no sign that "
            "they are equally good."
        ),
        alt="Bars of accuracy with intervals, one a family of levels, and brackets.",
        panels=(
            Bars(
                title="Accuracy",
                labels=labels,
                values=found.family_accuracy.round(4),
                lower=np.maximum(found.family_accuracy - width, 0).round(4),
                upper=np.minimum(found.family_accuracy + width, 1).round(4),
                x_title="Statistic",
                y_title="Accuracy",
                reference=round(1 / found.region.size, 4),
                reference_label="chance",
                brackets=tuple(
                    Bracket(
                        first=labels.index(str(row.first)),
                        second=labels.index(str(row.second)),
                        label=f"{row.first} and {row.second}: {adjusted} = {row.p:.2g}",
                    )
                    for row in significant.head(MOST_BRACKETS).itertuples(index=False)
                ),
            ),
        ),
    )


def families_table(found: SubjectsResult, config: TrsaConfig) -> Table:
    """One row a pair of statistics."""
    return Table(
        id="families-pairs",
        title="Statistics two by two",
        caption=(
            "Accuracy of the first less that of the second over subjects, in shares; "
            f"{_test_words(found, config)}."
        ),
        columns=columns(
            _differences(found),
            {"first": "first", "second": "second", "difference": "difference", "p": "p"},
        ),
    )


def _differences(found: SubjectsResult) -> pd.DataFrame:
    """All pairs of statistics: difference of accuracies and its p."""
    first, second = np.triu_indices(found.family.size, 1)
    return pd.DataFrame(
        {
            "first": found.family[first].astype(str),
            "second": found.family[second].astype(str),
            "difference": found.family_accuracy[first] - found.family_accuracy[second],
            "p": found.family_p[first, second],
        }
    )


def _correction(config: TrsaConfig) -> str:
    """How p are adjusted; as published they are not."""
    return "none" if config.legacy else config.correction


def _test_words(found: SubjectsResult, config: TrsaConfig) -> str:
    """How differences are tested."""
    n_pairs = found.family.size * (found.family.size - 1) // 2
    spread = "standard deviation" if config.legacy else "corrected standard error"
    what = "rows" if config.legacy else "subjects"
    return (
        f"two-sided t test, {found.degrees} degrees of freedom, of the difference over its "
        f"{spread} in resamples of {what} and conditions that both have in common; "
        f"{ADJUSTED[_correction(config)]} for {n_pairs} pairs"
    )


def _bracket_words(found: SubjectsResult, config: TrsaConfig, n_significant: int) -> str:
    """What brackets join, by which test."""
    test = _test_words(found, config)
    if not n_significant:
        return f"No two statistics differ, so that there are no brackets ({test})."
    shown = (
        f", the {MOST_BRACKETS} surest of {n_significant}; all are in the table"
        if n_significant > MOST_BRACKETS
        else ""
    )
    return f"Brackets join statistics that differ with p <= {LEVEL}{shown} ({test})."
