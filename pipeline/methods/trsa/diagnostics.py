"""Whether to trust a comparison of representations, and what to do if not."""

from __future__ import annotations

import numpy as np

from pipeline.core.parts import Check
from pipeline.core.views import ResponsePatterns
from pipeline.core.words import counted
from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.halves import LEAST_UNITS, SAFE_UNITS
from pipeline.methods.trsa.model import FEW_CONDITIONS
from pipeline.methods.trsa.recovery import recovery
from pipeline.methods.trsa.result import TrsaResult
from pipeline.methods.trsa.simulate import TrsaTruth
from pipeline.methods.trsa.topology_words import holes_check

LEVEL = 0.05
FOR_A_CLAIM = 999
"""Relabellings from which a p near 0.05 is settled to within 0.01."""

FOUND = 0.7
"""Rank correlation from which a planted geometry counts as found."""

MOST_LOST = 0.5
"""Share of units that may be left out without a warning."""


def assess(
    result: TrsaResult,
    views: tuple[ResponsePatterns, ...],
    config: TrsaConfig,
    truth: TrsaTruth | None = None,
) -> tuple[Check, ...]:
    """Diagnostics of a result, the most important first.

    Parameters
    ----------
    result
        The joined fit.
    views
        What was compared.
    config
        The method's settings.
    truth
        What was planted, for simulated recordings.
    """
    checks = [
        _reliable(result),
        _defined(result),
        _conditions(result),
        _order(result),
        _units_of_halves(result),
        _draws(result),
        _units(result, views),
    ]
    if result.subjects is not None:
        checks.append(_subjects(result))
    if config.legacy:
        checks.insert(0, _legacy())
    shapes = holes_check(result, config)
    if shapes is not None:
        checks.append(shapes)
    if truth is not None:
        checks.append(_recovered(result, truth))
    return tuple(checks)


def _legacy() -> Check:
    """Numbers of the published code are asked for."""
    return Check(
        name="Published settings",
        status="warn",
        value="methods.trsa.legacy is true",
        threshold="false",
        meaning="Noise, bootstrap and the comparison of families are those of the published code: "
        "degrees of freedom are too many, rows count as if they were subjects, and families are "
        "compared by a standard deviation where its standard error belongs.",
        advice="Use these numbers beside published ones only; set it to false for claims.",
    )


def _reliable(result: TrsaResult) -> Check:
    """Whether dissimilarities repeat over units and trials."""
    population = result.populations
    known = population["reliability"].notna()
    if not known.any():
        return Check(
            name="Reliability of dissimilarities",
            status="not_tested",
            value="no region could be split",
            threshold="above 0",
            meaning=result.halves_missing or "Regions are too small to be halved.",
            advice="Record more repeats and units; nothing is known about how dissimilarities "
            "repeat.",
        )
    rows = population[known]
    bad = rows["reliability"] <= 0
    unsure = ~bad & (rows["reliability_p"] > LEVEL)
    weak = rows[bad | unsure]
    names = ", ".join(f"{row.region} ({row.recording})" for row in weak.itertuples(index=False))
    low, high = rows["reliability"].min(), rows["reliability"].max()
    return Check(
        name="Reliability of dissimilarities",
        status="warn" if len(weak) else "pass",
        value=f"{low:z.2f} to {high:z.2f} over {counted(len(rows), 'region')}",
        threshold=f"above 0, p <= {LEVEL} where it can be tested",
        meaning=(
            "Rank correlation of a region's dissimilarities between halves that share neither "
            "units nor repeats."
            + (f" Not reliable: {names}." if names else "")
            + (f" Not tested: {result.relation_missing}." if result.relation_missing else "")
        ),
        advice="Do not interpret relations of these regions; more units and repeats are needed."
        if names
        else "",
    )


def _defined(result: TrsaResult) -> Check:
    """Whether dissimilarities could be computed for all regions."""
    bad = result.populations[result.populations["status"] != "ok"]
    words = "; ".join(f"{row.region}: {row.status}" for row in bad.itertuples(index=False))
    return Check(
        name="Dissimilarities defined",
        status="warn" if len(bad) else "pass",
        value=f"{len(result.populations) - len(bad)} of "
        f"{counted(len(result.populations), 'region')}",
        threshold="all",
        meaning=f"Estimator '{result.estimator[0]}'." + (f" {words}." if words else ""),
        advice="Choose another estimator for these data." if len(bad) else "",
    )


def _conditions(result: TrsaResult) -> Check:
    """Whether there are enough conditions to be resampled."""
    n = result.condition.size
    few = n < FEW_CONDITIONS
    return Check(
        name="Conditions",
        status="warn" if few else "pass",
        value=f"{n} conditions, {n * (n - 1) // 2} pairs",
        threshold=f">= {FEW_CONDITIONS}",
        meaning="Uncertainty over conditions comes from resampling them."
        + (
            " They are resampled also where they are so few: intervals are then wide, and hold "
            "99 % of new simulated experiments; without conditions those of models' scores would "
            "hold 65 %."
            if few
            else ""
        ),
        advice="A wide interval says little; show more stimuli." if few else "",
    )


def _order(result: TrsaResult) -> Check:
    """Whether time within a block is mixed up with conditions."""
    confounded = result.fixed_order
    gapless = " Trials follow each other without a pause." if result.gapless else ""
    return Check(
        name="Order of conditions",
        status="warn" if confounded else "pass",
        value="the same in all repeats" if confounded else "varies",
        threshold="varies",
        meaning=(
            "Conditions that always follow each other in one order differ in time as well as in "
            "stimulus: adaptation, drift and what is left of the condition before look like a "
            f"geometry, in all repeats alike.{gapless}"
            if confounded
            else f"Conditions were shown in changing orders.{gapless}"
        ),
        advice="Speak of conditions in this order; shuffle the order in the next recording."
        if confounded
        else "",
    )


def _units_of_halves(result: TrsaResult) -> Check:
    """Whether regions are large enough to be halved."""
    units = result.populations["n_units"]
    small = result.populations[units < SAFE_UNITS]
    listed = ", ".join(f"{row.region} {row.n_units}" for row in small.itertuples(index=False))
    return Check(
        name="Units of each region",
        status="warn" if len(small) else "pass",
        value=f"{units.min()} to {units.max()}",
        threshold=f">= {SAFE_UNITS}, so that halves have {SAFE_UNITS // 2}",
        meaning=(
            "Regions are told from halves of their units; small halves are noisy, and regions with "
            f"fewer than {LEAST_UNITS} units take no part." + (f" {listed}." if listed else "")
        ),
        advice="A result that is not significant says little about these regions."
        if len(small)
        else "",
    )


def _draws(result: TrsaResult) -> Check:
    """Whether there are enough relabellings for a verdict."""
    n = result.n_permutations
    enough = n >= FOR_A_CLAIM
    return Check(
        name="Relabellings",
        status="pass" if enough else "warn",
        value=str(n),
        threshold=f">= {FOR_A_CLAIM}",
        meaning=f"The smallest p they allow is {1 / (1 + n):.2g}.",
        advice=""
        if enough
        else f"Set methods.trsa.n_permutations to {FOR_A_CLAIM} or more before making a claim.",
    )


def _units(result: TrsaResult, views: tuple[ResponsePatterns, ...]) -> Check:
    """How many units were used."""
    rows = result.left_out
    lost = rows[rows["what"].str.endswith(": unit")]
    n_lost, used = int(lost["count"].sum()), int(result.populations["n_units"].sum())
    share = used / max(1, used + n_lost)
    reasons = lost.groupby("reason")["count"].sum().sort_values(ascending=False)
    words = "; ".join(f"{int(n)} {why}" for why, n in reasons.items())
    return Check(
        name="Units used",
        status="pass" if share >= 1 - MOST_LOST else "warn",
        value=f"{used} of {used + n_lost} in {counted(len(views), 'recording')}",
        threshold=f">= {100 * (1 - MOST_LOST):.0f} %",
        meaning=f"Left out: {words or 'none'}.",
        advice="" if share >= 1 - MOST_LOST else "Look at why most units were left out.",
    )


def _subjects(result: TrsaResult) -> Check:
    """Whether the number of subjects allows a test."""
    found = result.subjects
    least = found.least_p if found is not None else np.nan
    possible = least <= LEVEL
    n = found.subject.size if found is not None else 0
    return Check(
        name="Subjects for a test",
        status="pass" if possible else "warn",
        value=f"{counted(n, 'subject')}; the smallest possible p is {least:.2g}",
        threshold=f"<= {LEVEL}",
        meaning="Regions are relabelled within subjects; few subjects allow few relabellings.",
        advice="" if possible else "A test over subjects is impossible with this number of them.",
    )


def _recovered(result: TrsaResult, truth: TrsaTruth) -> Check:
    """Planted geometries that were found."""
    found = recovery(result, truth)
    mean = float(np.mean(list(found.values()))) if found else np.nan
    words = ", ".join(f"{region} {value:z.2f}" for (_, region), value in found.items())
    return Check(
        name="Planted geometries found",
        status="pass" if mean >= FOUND else "warn",
        value=f"mean rank correlation {mean:z.2f}",
        threshold=f">= {FOUND}",
        meaning=f"Found with planted dissimilarities: {words}.",
        advice="" if mean >= FOUND else "Simulate more units or repeats.",
    )
