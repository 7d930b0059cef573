"""Whether to trust a bi-clustering, and what to do if not."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipeline.core.parts import Check
from pipeline.core.views import SpikeCounts
from pipeline.core.words import counted
from pipeline.methods.biclustering.config import MASKS, BiclusteringConfig
from pipeline.methods.biclustering.recovery import recovery
from pipeline.methods.biclustering.result import BiclusteringResult
from pipeline.methods.biclustering.scores import NAMES
from pipeline.methods.biclustering.truth import BiclusteringTruth
from pipeline.methods.biclustering.verdict import (
    AGREE,
    chains_agree,
    clusters_by_chain,
    gain_over,
    moving_chains,
    odd_chains,
)
from pipeline.numerics.chains import ENOUGH_DRAWS, R_HAT_BAD, R_HAT_GOOD

LEAST_MEAN_COUNT = 0.02
SHORT_BINS = 20
MOST_UNITS = 0.5
P_RANGE = (0.02, 0.98)
ODD_UNITS = 0.1
"""Share of units whose statistic may stand out among replicas (4 % would by chance)."""
PIT_LIMIT = 0.3
"""Deviation from 1 of the density of the probability integral transform."""
FOUND_UNITS, FOUND_STATES = 0.95, 0.9
"""Agreement with what was planted that counts as found."""


def assess(
    results: Mapping[str, BiclusteringResult],
    views: tuple[SpikeCounts, ...],
    config: BiclusteringConfig,
    truth: BiclusteringTruth | None = None,
) -> tuple[Check, ...]:
    """Diagnostics of all recordings, the most important first.

    Parameters
    ----------
    results
        The joined fit of each recording.
    views
        What was fitted, in the same order.
    config
        The method's settings.
    truth
        What was planted, for simulated recordings.
    """
    checks: list[Check] = []
    for (name, result), view in zip(results.items(), views, strict=True):
        found = (
            _against_simpler(result, "one-cluster", "Clusters predict hidden counts"),
            _against_simpler(result, "one-state", "States predict hidden counts"),
            _against_smoothing(result),
            _chains_agree(result),
            _number_of_clusters(result),
            *_convergence(result),
            _distribution(result, config),
            _calibrated(result),
            _replicas(result),
            _units(result, view),
            *_bins(result, view),
        )
        if truth is not None:
            found += _recovered(result, truth)
        label = f"{name}: " if len(results) > 1 else ""
        checks += [_named(check, label) for check in found]
    return tuple(checks)


def _named(check: Check, label: str) -> Check:
    """A check that says which recording it is about."""
    return Check(
        name=f"{label}{check.name}",
        status=check.status,
        value=check.value,
        threshold=check.threshold,
        meaning=check.meaning,
        advice=check.advice,
    )


def _against_simpler(result: BiclusteringResult, variant: str, name: str) -> Check:
    """The model beside one that lacks what is in question."""
    gains = {mask: gain_over(result, NAMES[variant], mask) for mask in MASKS}
    tested = {mask: gain for mask, gain in gains.items() if gain.tested}
    threshold = "above 0 by more than 2 standard errors"
    meaning = (
        f"Gain over the same model with {NAMES[variant]} in predicting counts that neither saw: "
        "single ones here and there (speckled), and stretches of some units (blocked)."
    )
    if not tested:
        return Check(
            name=name,
            status="not_tested",
            value="not compared",
            threshold=threshold,
            meaning=meaning,
            advice="Set methods.biclustering.held_out to 'both'.",
        )
    clear = [gain.clear for gain in tested.values()]
    passed = all(clear) if variant == "one-cluster" else any(clear)
    return Check(
        name=name,
        status="pass" if passed else "warn",
        value="; ".join(f"{mask} {gain.said()}" for mask, gain in tested.items()),
        threshold=threshold + ("" if variant == "one-cluster" else ", in one of them"),
        meaning=meaning,
        advice=""
        if passed
        else "Do not interpret them: the counts give no reason for more than one.",
    )


def _against_smoothing(result: BiclusteringResult) -> Check:
    """The model beside each unit's own smoothed rate and response to trials."""
    simple = [
        (mask, name, gain_over(result, name, mask))
        for mask in MASKS
        for name in ("smoothed rate", "PSTH")
    ]
    tested = [row for row in simple if row[2].tested]
    if not tested:
        return Check(
            name="Beyond simple predictions",
            status="not_tested",
            value="nothing was hidden",
            threshold="above 0 by more than 2 standard errors",
            meaning="Whether the model predicts better than each unit's smoothed rate.",
            advice="Set methods.biclustering.held_out to 'both'.",
        )
    passed = all(gain.clear for _, _, gain in tested)
    return Check(
        name="Beyond simple predictions",
        status="pass" if passed else "warn",
        value="; ".join(f"{mask}, {name}: {gain.said()}" for mask, name, gain in tested),
        threshold="above 0 by more than 2 standard errors",
        meaning=(
            "Gain over predictions that use one unit only: its rate smoothed over the other bins "
            "around, and its mean response in the other trials of a condition (PSTH)."
        ),
        advice=""
        if passed
        else "What the population adds is small here; for PSTH, try methods.biclustering.stimulus: "
        "psth, under which clusters and states describe what the stimulus does not explain.",
    )


def _chains_agree(result: BiclusteringResult) -> Check:
    """Whether chains from different starts found the same units together."""
    n = len(result.chain_cluster)
    units, states = (
        chains_agree(matrix) for matrix in (result.chain_agreement, result.chain_state_agreement)
    )
    if n < 2:
        return Check(
            name="Agreement of chains",
            status="not_tested",
            value="one chain",
            threshold=f"adjusted Rand index >= {AGREE}",
            meaning="With one chain nothing is known about other places it could have ended in.",
            advice="Set methods.biclustering.n_chains to 4.",
        )
    odd = sorted({*odd_chains(result.chain_agreement), *odd_chains(result.chain_state_agreement)})
    counts = ", ".join(str(number) for number in clusters_by_chain(result))
    passed = not odd
    return Check(
        name="Agreement of chains",
        status="pass" if passed else "warn",
        value=(
            f"units {units:z.2f}, states {states:z.2f} at least over {counted(n, 'chain')}; "
            f"clusters by chain: {counts}"
        ),
        threshold=f"adjusted Rand index >= {AGREE}",
        meaning=(
            "How alike the partitions are that chains from different starts found by themselves."
            + (
                f" Chains {', '.join(str(i + 1) for i in odd)} differ from the others."
                if odd
                else ""
            )
        ),
        advice=""
        if passed
        else "Read probabilities, not labels; run longer chains (preset: thorough).",
    )


def _number_of_clusters(result: BiclusteringResult) -> Check:
    """Whether the number of clusters was settled by the chains or by how they began."""
    moving, n = moving_chains(result), len(result.posterior.n_clusters)
    ends = {int(value) for value in result.posterior.n_clusters[:, -1]}
    draws = result.posterior.n_clusters
    values, times = np.unique(draws, return_counts=True)
    shares = ", ".join(
        f"{value}: {100 * count / draws.size:.0f} %"
        for value, count in zip(values, times, strict=True)
    )
    settled = moving == n and len(ends) <= 2
    agree = len(ends) == 1 and n > 1
    return Check(
        name="Number of clusters",
        status="pass" if settled or agree else "warn",
        value=f"{shares} of draws; it moved in {moving} of {counted(n, 'chain')}",
        threshold="chains agree, or it moves in all of them",
        meaning=(
            "Chains seldom change the number of clusters after their start, so shares tell too "
            "little of its uncertainty."
            if moving < n
            else "The number of clusters moved in every chain."
        )
        + (
            " It was fixed by the starting phase, from which all chains came to the same."
            if moving == 0 and agree
            else ""
        ),
        advice="" if settled or agree else "Run more and longer chains.",
    )


def _convergence(result: BiclusteringResult) -> tuple[Check, ...]:
    """R-hat and effective draws of what does not depend on labels."""
    table = result.convergence
    judged = table[np.isfinite(table["ess_bulk"]) | np.isinf(table["r_hat"])]
    n_chains = len(result.chain_cluster)
    enough = ENOUGH_DRAWS * n_chains
    if judged.empty or n_chains < 2:
        return (
            Check(
                name="Convergence",
                status="not_tested",
                value="no quantity moved" if judged.empty else "one chain",
                threshold=f"R-hat < {R_HAT_GOOD}",
                meaning="What never moves has no R-hat; it neither passes nor fails.",
                advice="Run longer chains, from at least two starts.",
            ),
        )
    worst = judged.loc[judged["r_hat"].idxmax()]
    fewest = judged.loc[judged["ess_bulk"].idxmin()]
    r_hat, draws = float(worst["r_hat"]), float(fewest["ess_bulk"])
    status = "pass" if r_hat < R_HAT_GOOD and draws >= enough else "warn"
    if r_hat > R_HAT_BAD:
        status = "fail"
    constant = sorted(set(table["quantity"]) - set(judged["quantity"]))
    return (
        Check(
            name="Convergence",
            status=status,  # type: ignore[arg-type]  # one of the literals
            value=(
                f"the {worst['quantity']} never moved within a chain, and differs between chains"
                if np.isinf(r_hat)
                else f"R-hat at most {r_hat:.3f} ({worst['quantity']}); at least {draws:.0f} "
                f"effective draws ({fewest['quantity']})"
            ),
            threshold=f"R-hat < {R_HAT_GOOD}, above {R_HAT_BAD} a fail; {enough} effective draws",
            meaning=(
                "Rank-normalised split R-hat and effective draws of quantities that do not depend "
                "on the names of clusters and states."
                + (f" No verdict on what never moved: {', '.join(constant)}." if constant else "")
            ),
            advice="" if status == "pass" else "Run longer chains (preset: standard or thorough).",
        ),
    )


def _distribution(result: BiclusteringResult, config: BiclusteringConfig) -> Check:
    """The two distributions of counts by held-out score."""
    gain = gain_over(result, NAMES["other-counts"])
    other = "poisson" if config.family == "negative_binomial" else "negative_binomial"
    words = f"{config.family.replace('_', ' ')} beside {other.replace('_', ' ')}"
    if not gain.tested:
        return Check(
            name="Distribution of counts",
            status="not_tested",
            value=words,
            threshold="not worse",
            meaning="Nothing was hidden, so the two were not compared.",
        )
    worse = gain.bits < -2 * gain.error
    return Check(
        name="Distribution of counts",
        status="warn" if worse else "pass",
        value=f"{words}: {gain.said()}",
        threshold="not below 0 by more than 2 standard errors",
        meaning="Gain in predicting hidden counts over the same model with the other one.",
        advice=f"Set methods.biclustering.family to {other}." if worse else "",
    )


def _calibrated(result: BiclusteringResult) -> Check:
    """Whether hidden counts fall where they were expected to."""
    if not np.isfinite(result.pit).all():
        return Check(
            name="Calibration",
            status="not_tested",
            value="nothing was hidden",
            threshold=f"within {PIT_LIMIT} of 1",
            meaning="Whether hidden counts scatter as predicted.",
        )
    far = float(np.abs(result.pit - 1).max())
    return Check(
        name="Calibration",
        status="pass" if far <= PIT_LIMIT else "warn",
        value=f"density of the transform between {result.pit.min():.2f} and {result.pit.max():.2f}",
        threshold=f"within {PIT_LIMIT} of 1",
        meaning=(
            "Probability integral transform of hidden counts: 1 throughout where they scatter as "
            "predicted; high at both ends where they scatter more."
        ),
        advice="" if far <= PIT_LIMIT else "See which statistics of which units the model misses.",
    )


def _replicas(result: BiclusteringResult) -> Check:
    """Statistics of units that replicated counts do not show."""
    replicas = result.replicas
    defined = np.isfinite(replicas.p_value)
    odd = defined & ((replicas.p_value < P_RANGE[0]) | (replicas.p_value > P_RANGE[1]))
    shares = odd.sum(axis=1) / np.maximum(defined.sum(axis=1), 1)
    worst = int(np.argmax(shares))
    passed = float(shares[worst]) <= ODD_UNITS
    return Check(
        name="Replicated counts",
        status="pass" if passed else "warn",
        value=f"{100 * shares[worst]:.0f} % of units stand out in "
        f"{replicas.statistic[worst]}, the worst of {shares.size} statistics",
        threshold=f"<= {100 * ODD_UNITS:.0f} % of units",
        meaning=(
            f"Counts drawn from the fitted model ({replicas.n_replicas} times) beside the real "
            f"ones; a unit stands out below the {100 * P_RANGE[0]:.0f}nd or above the "
            f"{100 * P_RANGE[1]:.0f}th percentile."
        ),
        advice=""
        if passed
        else "The model misses this property of the counts; mind it where it matters to a claim.",
    )


def _units(result: BiclusteringResult, view: SpikeCounts) -> Check:
    """How many units took part."""
    used, total = int(result.used.sum()), int(result.used.size)
    lost = view.left_out[view.left_out["what"] == "unit"]
    before = ", ".join(
        f"{count} {reason}" for count, reason in zip(lost["count"], lost["reason"], strict=True)
    )
    share = used / total
    return Check(
        name="Units used",
        status="pass" if share >= MOST_UNITS else "warn",
        value=f"{used} of {total} ({100 * share:.0f} %)",
        threshold=f">= {100 * MOST_UNITS:.0f} %",
        meaning=f"{total - used} have too few spikes. Left out before: {before or 'none'}.",
        advice="" if share >= MOST_UNITS else "Lower methods.biclustering.min_spikes.",
    )


def _bins(result: BiclusteringResult, view: SpikeCounts) -> tuple[Check, ...]:
    """Warnings about bins that are few or nearly empty."""
    checks = []
    mean = float(view.counts[:, result.used][view.observed[:, result.used]].mean())
    if mean < LEAST_MEAN_COUNT:
        checks.append(
            Check(
                name="Width of bins",
                status="warn",
                value=f"mean count {mean:.3g} in {view.bin_s:g} s",
                threshold=f">= {LEAST_MEAN_COUNT}",
                meaning="Nearly all counts are 0, and say little about rates.",
                advice="Raise prepare.counts.bin_width_s.",
            )
        )
    if view.time_s.size <= SHORT_BINS:
        checks.append(
            Check(
                name="Length of the recording",
                status="warn",
                value=f"{view.time_s.size} bins",
                threshold=f"> {SHORT_BINS}",
                meaning="States and dynamics follow from the priors.",
                advice="Record longer, or lower prepare.counts.bin_width_s.",
            )
        )
    if view.counts.shape[1] > view.counts.shape[0]:
        checks.append(
            Check(
                name="Shape of the counts",
                status="warn",
                value=f"{view.counts.shape[1]} units, {view.counts.shape[0]} bins",
                threshold="no more units than bins",
                meaning="There are more units than bins.",
                advice="See that the file's units are neurons and not times.",
            )
        )
    unstable = result.dynamics["radius_low"] > 1
    if unstable.any():
        names = ", ".join(
            str(int(state) + 1) for state in sorted(set(result.dynamics[unstable]["state"]))
        )
        checks.append(
            Check(
                name="Growing dynamics",
                status="warn",
                value=f"spectral radius above 1 in states {names}",
                threshold="<= 1",
                meaning="Trajectories grow in these states; that is allowed while a visit lasts.",
                advice="Do not forecast beyond the recording.",
            )
        )
    return tuple(checks)


def _recovered(result: BiclusteringResult, truth: BiclusteringTruth) -> tuple[Check, ...]:
    """Planted clusters and states that were found."""
    seen = recovery(result, truth)
    return (
        Check(
            name="Planted clusters found",
            status="pass" if seen.unit_agreement >= FOUND_UNITS else "warn",
            value=f"adjusted Rand index {seen.unit_agreement:z.2f}; "
            f"{counted(result.n_clusters, 'cluster')}, {truth.cluster.size} planted",
            threshold=f">= {FOUND_UNITS}",
            meaning="Agreement of the units' clusters with what was planted; 0 is chance.",
            advice="" if seen.unit_agreement >= FOUND_UNITS else "Run longer chains.",
        ),
        Check(
            name="Planted states found",
            status="pass" if seen.state_accuracy >= FOUND_STATES else "warn",
            value=f"{100 * seen.state_accuracy:.0f} % of bins right; "
            f"{counted(result.n_states, 'state')}, {truth.state.size} planted",
            threshold=f">= {100 * FOUND_STATES:.0f} %",
            meaning="Bins whose state is the counterpart of the planted one.",
            advice=""
            if seen.state_accuracy >= FOUND_STATES
            else "States are known worse than clusters; read their probabilities.",
        ),
    )
