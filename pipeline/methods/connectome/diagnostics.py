"""Whether to trust a connectome, and what to do if not."""

from __future__ import annotations

import numpy as np

from pipeline.core.parts import Check
from pipeline.core.views import MEAN_OF_UNITS, OTHER_CLASS, TraceEnsemble
from pipeline.core.words import counted, for_number
from pipeline.methods.connectome.baselines import LEVEL as BASELINE_LEVEL
from pipeline.methods.connectome.baselines import REPLICATES, verdict
from pipeline.methods.connectome.block_model import NO_STRUCTURE_NATS
from pipeline.methods.connectome.communities import graph, named
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.factorisation import KKT_LIMIT
from pipeline.methods.connectome.rank_choice import reasons, warnings
from pipeline.methods.connectome.recovery import FOUND, onset_recovery, recovery
from pipeline.methods.connectome.result import ConnectomeResult
from pipeline.methods.connectome.sides import homologues, likeness_of_sides, unclear_sides
from pipeline.methods.connectome.simulate import ConnectomeTruth
from pipeline.methods.connectome.sparse import sparsified
from pipeline.methods.connectome.surrogates import (
    FOR_A_CLAIM,
    LEVEL,
    SHARED_LEVEL,
    TESTED,
    Comparison,
    compare,
)

SIMILAR = 0.9
"""Restart similarity from which components are the same in the field's practice."""

STABLE = 0.8
"""Agreement of partitions drawn again from which one of them describes most."""

ALIKE = 0.5
"""Adjusted Rand index from which two notions of community tell much the same."""

DUPLICATE = 0.95
"""Cosine of pair factors from which two components are one pattern at other times."""

MOST_UNITS = 0.5
"""Share of units that should be used."""

SIDES_ALIKE = 0.3
"""Correlation of left and right from which their mean is like both of them."""

ONSET_WIDTHS = 2.0
"""Widths of the derivative filter by which an active stretch may miss a planted onset."""

MOST_LONE = 0.5
"""Share of units that may be left without a tie where graphs are made sparse."""

NAMES_SHOWN = 10
"""Names that a check lists."""


def assess(
    result: ConnectomeResult,
    views: tuple[TraceEnsemble, ...],
    config: ConnectomeConfig,
    truth: ConnectomeTruth | None = None,
) -> tuple[Check, ...]:
    """Diagnostics of a result, the most important first.

    Parameters
    ----------
    result
        The joined fit.
    views
        What was fitted.
    config
        The method's settings.
    truth
        What was planted, for simulated recordings.
    """
    found = compare(result)
    across = "recordings" if result.recording.size > 1 else "time halves"
    checks = [
        _enough_surrogates(result),
        _against_surrogates(
            "Reproducibility above chance",
            found["reproducibility"],
            f"Whether pair patterns refitted in each of the {across} by itself agree more than "
            "those of data whose units were shifted in time."
            + (
                ""
                if result.recording.size > 1
                else " Halves of one recording say nothing about other animals, and differ where "
                "conditions do."
            ),
        ),
        _against_surrogates(
            "Shared activity above chance",
            found["explained"],
            "Whether components explain more of the affinities than they do when each unit is "
            "shifted in time by itself. A common drive or drift does so as well as interaction.",
        ),
        _against_surrogates(
            "Gain over a static graph",
            found["gain"],
            f"The components explain {100 * result.explained:.1f} % of the affinities' sum of "
            f"squares, one fixed graph of changing strength per recording "
            f"{100 * result.static_explained:.1f} %. More components always explain more, so the "
            "gain is compared with that in shifted data.",
        ),
        _against_surrogates(
            "Communities above chance",
            found["concentration"],
            "Whether communities hold more of the pair strengths, for their number of pairs, than "
            "those that the same search finds in shifted data; if not they only order the matrix. "
            "A component that one group describes as well counts as 0.",
        ),
        *_number_of_components(result),
        *_simpler(result),
        *_left_out(result),
        *_epochs(result),
        _restarts(result),
        _converged(result, config),
        _groups(result),
        *_sparse(result, config),
        _communities(result),
        _second_opinion(result, config),
        *_duplicates(result),
        *_rotation(result),
        _units(result),
        *_names(result),
        *_sides(views, config),
        *_regressed(views, config),
    ]
    if truth is not None:
        checks += _recovered(result, truth)
        checks += _onsets(result, truth, config)
    return tuple(checks)


def _enough_surrogates(result: ConnectomeResult) -> Check:
    """Whether comparisons with chance carry a verdict at all."""
    m = result.surrogate.size
    enough = m >= FOR_A_CLAIM
    return Check(
        name="Surrogates for a verdict",
        status="pass" if enough else "warn",
        value=counted(m, "surrogate"),
        threshold=f">= {FOR_A_CLAIM}",
        meaning=(
            f"{len(TESTED)} statistics are compared with data whose units were shifted in time "
            f"and share a level of {LEVEL} ({SHARED_LEVEL:.4g} each)."
            + (
                ""
                if enough
                else f" {counted(m, 'surrogate')} {for_number(m, '[allows|allow]')} p = "
                f"{1 / (1 + m):.2g} at best, so what lies above "
                f"{for_number(m, '[it|them]')} is a first look and no finding."
            )
        ),
        advice="" if enough else f"Set methods.connectome.n_surrogates to {FOR_A_CLAIM} or more.",
    )


def _against_surrogates(name: str, comparison: Comparison, meaning: str) -> Check:
    """One comparison with the surrogates."""
    threshold = f"p <= {SHARED_LEVEL:.4g} with {FOR_A_CLAIM} surrogates or more"
    verdict = comparison.verdict
    if verdict == "untested":
        reason = "no surrogates" if np.isfinite(comparison.observed) else "no value in the data"
        return Check(
            name=name,
            status="not_tested",
            value=f"{comparison.observed:.3f}; {reason}",
            threshold=threshold,
            meaning=meaning,
            advice="Do not read anything into the value alone.",
        )
    value = (
        f"{comparison.observed:.3f} against {np.median(comparison.surrogates):.3f} in "
        f"surrogates, {comparison.said()}"
    )
    if verdict == "first look":
        return Check(
            name=name,
            status="not_tested",
            value=f"first look: {value}",
            threshold=threshold,
            meaning=meaning,
            advice=f"Decide with methods.connectome.n_surrogates at {FOR_A_CLAIM} or more.",
        )
    return Check(
        name=name,
        status="pass" if verdict == "above" else "warn",
        value=value,
        threshold=threshold,
        meaning=meaning,
        advice=""
        if verdict == "above"
        else "Do not interpret it as interaction of units; record longer or more animals.",
    )


def _number_of_components(result: ConnectomeResult) -> tuple[Check, ...]:
    """Whether the data support the number of components, and the criteria agree on it."""
    choice = result.rank_choice
    if choice is None:
        return ()
    against = warnings(choice)
    return (
        Check(
            name="Number of components",
            status="warn" if against else "pass",
            value=f"{choice.chosen} of {choice.rank[0]} to {choice.rank[-1]}"
            + "".join(f"; {one}" for one in against),
            threshold="held-out blocks, restarts and surrogates agree on it",
            meaning=" ".join(reasons(choice)),
            advice="Read single components with care; the figure shows what each criterion speaks "
            "for. methods.connectome.ranks sets what is tried, methods.connectome.n_rank_runs how "
            "often, and methods.connectome.rank a number of your own."
            if against
            else "",
        ),
    )


def _left_out(result: ConnectomeResult) -> tuple[Check, ...]:
    """Whether components come back without single recordings."""
    if result.left_out_likeness is None:
        return ()
    worst = result.left_out_likeness.min(axis=1)
    n_back = int((worst >= STABLE).sum())
    return (
        Check(
            name="Without single recordings",
            status="pass" if 2 * n_back >= result.rank else "warn",
            value=f"{n_back} of {counted(result.rank, 'component')} "
            f"{for_number(n_back, '[comes|come]')} back without any recording; "
            f"median likeness {np.median(result.left_out_likeness):z.2f}",
            threshold=f"half of the components, cosine >= {STABLE} without any recording",
            meaning=(
                "Everything was fitted again without each recording, from random starts: the "
                "range is that of refits, no confidence band."
            ),
            advice=""
            if 2 * n_back >= result.rank
            else "Some components hang on one recording or one start; the table tells which.",
        ),
    )


def _epochs(result: ConnectomeResult) -> tuple[Check, ...]:
    """Whether epochs could be tested."""
    if result.epoch_test is None:
        return ()
    tested = np.isfinite(result.epoch_test.p_value).any(axis=0)
    untested = ", ".join(str(label) for label in result.epoch_test.label[~tested])
    return (
        Check(
            name="Epochs that can be tested",
            status="pass" if tested.all() else "not_tested",
            value=f"{int(tested.sum())} of {counted(int(tested.size), 'label')}",
            threshold="at least 20 correlation times of the components in a recording",
            meaning=(
                "Shifts of epochs tell about chance only where a recording is long against how "
                "slowly components change"
                + (f"; not tested: {untested}." if untested else ".")
                + (
                    ""
                    if result.epoch_test.over_recordings
                    else " With fewer than five recordings the test is one within them and says "
                    "nothing about other animals."
                )
            ),
            advice="" if tested.all() else "Record longer, or with shorter and repeated epochs.",
        ),
    )


def _simpler(result: ConnectomeResult) -> tuple[Check, ...]:
    """Whether simpler analyses do as well."""
    found = verdict(result.baselines) if result.baselines is not None else None
    if found is None:
        return ()
    across = "recordings" if result.recording.size > 1 else "halves"
    p = f", p = {found.p_value:.2g} by sign flips" if np.isfinite(found.p_value) else ""
    return (
        Check(
            name="Gain over simpler analyses",
            status="pass" if found.ahead else "warn",
            value=f"{100 * found.components:.1f} % against {100 * found.other:.1f} % by "
            f"{found.best}; ahead in {found.n_ahead} of {found.n_pieces} {across}{p}",
            threshold=f"p <= {BASELINE_LEVEL} over {REPLICATES} recordings or more, else ahead "
            "in all",
            meaning=(
                f"Share of affinities that patterns learned in half of the {across} explain in "
                "the other half, by the components and by the best simpler analysis."
            ),
            advice=""
            if found.ahead
            else f"A simpler analysis ({found.best}) does as well here; prefer it, or say why not.",
        ),
    )


def _restarts(result: ConnectomeResult) -> Check:
    """Stability of the optimiser, which is not reliability of the brain."""
    others = result.restart_similarity[result.restart != result.best_restart]
    if others.size == 0:
        return Check(
            name="Restart similarity",
            status="not_tested",
            value="one restart",
            threshold=f">= {SIMILAR}",
            meaning="With one random start nothing is known about the optimiser's stability.",
            advice="Set methods.connectome.n_restarts to 6 or more.",
        )
    median = float(np.median(others))
    stable = median >= SIMILAR
    return Check(
        name="Restart similarity",
        status="pass" if stable else "warn",
        value=f"median {median:z.2f} of {others.size} restarts to the best",
        threshold=f">= {SIMILAR}",
        meaning=(
            "Whether the optimiser ends in the same components from other random starts; it says "
            "nothing about reproducibility in the brain."
        ),
        advice=""
        if stable
        else "Single components depend on the start: lower the rank, or raise n_restarts.",
    )


def _converged(result: ConnectomeResult, config: ConnectomeConfig) -> Check:
    """Whether the chosen fit ended by itself."""
    best = bool(result.restart_converged[result.restart == result.best_restart].all())
    n_converged = int(result.restart_converged.sum())
    return Check(
        name="Convergence",
        status="pass" if best else "warn",
        value=f"{n_converged} of {counted(result.restart.size, 'restart')}",
        threshold=f"the best one, within {config.max_iterations} iterations",
        meaning=(
            f"A fit has converged when five iterations lower its relative error by less than "
            f"{100 * config.tolerance:.2g} % and what is left of the conditions of a minimum is "
            f"below {KKT_LIMIT:g}."
            + (
                ""
                if best
                else " The result was cut off before: explained shares, components and their "
                "similarity over restarts could all still change."
            )
        ),
        advice=""
        if best
        else f"Raise methods.connectome.max_iterations to {4 * config.max_iterations}, or lower "
        "the rank.",
    )


def _groups(result: ConnectomeResult) -> Check:
    """Whether groups describe the components better than one group each."""
    n_structured = int(result.structured.sum())
    asked = np.isfinite(result.saved_nats).any()
    return Check(
        name="Groups in components",
        status="pass" if n_structured else "warn",
        value=f"{n_structured} of {counted(result.rank, 'component')}"
        + (f", median {np.median(result.saved_nats):.0f} nats saved" if asked else ""),
        threshold="at least one"
        + (f", more than {NO_STRUCTURE_NATS:g} nats saved each" if asked else ""),
        meaning=(
            "In how many components groups describe the pair strengths more shortly than one "
            "group of all their units; the others have one community, which is no finding. "
            "Single units that are active at the same time by chance give groups too."
            if asked
            else "In how many components modularity finds a community."
        ),
        advice=""
        if n_structured
        else "Read components as lists of strong pairs; communities need more units.",
    )


def _sparse(result: ConnectomeResult, config: ConnectomeConfig) -> tuple[Check, ...]:
    """What is left of the components where groups were sought in sparse graphs."""
    if config.sparsify == "none":
        return ()
    kept, lone = np.zeros(result.rank), np.zeros(result.rank)
    for component, strength in enumerate(result.component_pair.T):
        weights = graph(strength, result.pair_units, result.unit.size)
        sparse = sparsified(weights, config)
        tied = weights.any(axis=1)
        kept[component] = (sparse > 0).sum() / max((weights > 0).sum(), 1)
        lone[component] = (tied & ~sparse.any(axis=1)).sum() / max(tied.sum(), 1)
    enough = float(np.median(lone)) <= MOST_LONE
    by = (
        f"the disparity filter at {config.backbone_alpha:g}"
        if config.sparsify == "backbone"
        else f"the strongest {100 * config.density:g} % of pairs"
    )
    return (
        Check(
            name="Sparse graphs",
            status="pass" if enough else "warn",
            value=f"{100 * np.median(kept):.0f} % of ties kept by {by}, "
            f"{100 * np.median(lone):.0f} % of units left without any (medians over components)",
            threshold=f"<= {100 * MOST_LONE:.0f} % of units without a tie",
            meaning=(
                "Communities were sought among these ties only, as the settings ask, in the data "
                "and in surrogates alike; how much strength they hold is counted over all ties."
            ),
            advice=""
            if enough
            else "Most units can be in no community: take methods.connectome.sparsify: none, or "
            "keep more ties.",
        ),
    )


def _communities(result: ConnectomeResult) -> Check:
    """How firm groups are where there are any."""
    name, threshold = "Community agreement", f">= {STABLE}"
    meaning = "How alike the groups of a component are when they are drawn again."
    if not result.structured.any():
        return Check(
            name=name,
            status="not_tested",
            value="no component has groups",
            threshold=threshold,
            meaning=meaning,
        )
    agreement = float(np.median(result.community_agreement[result.structured]))
    n_firm = int((result.community >= 0).sum())
    firm = result.membership[result.community >= 0]
    sure = f"; {100 * (firm >= STABLE).mean():.0f} % of memberships >= {STABLE}" if n_firm else ""
    return Check(
        name=name,
        status="pass" if agreement >= STABLE else "warn",
        value=f"median adjusted Rand index {agreement:z.2f} over {int(result.structured.sum())} "
        f"components with groups{sure}",
        threshold=threshold,
        meaning=meaning,
        advice="" if agreement >= STABLE else "Read memberships, not labels.",
    )


def _second_opinion(result: ConnectomeResult, config: ConnectomeConfig) -> Check:
    """Agreement with another notion of community."""
    agreement = float(np.median(result.second_agreement))
    return Check(
        name="Second opinion on communities",
        status="pass" if agreement >= ALIKE else "warn",
        value=f"median adjusted Rand index {agreement:z.2f} between {named(config)[0]} and "
        f"{named(config)[1]}",
        threshold=f">= {ALIKE}",
        meaning=(
            "A block model groups units that are alike in all their strengths, modularity units "
            "that are tied more than their strengths suggest. Each is right on graphs where the "
            "other is wrong, so what both find is safest."
        ),
        advice=""
        if agreement >= ALIKE
        else "Name the method beside every community, and compare both in the components' table.",
    )


def _duplicates(result: ConnectomeResult) -> tuple[Check, ...]:
    """Whether two components are one pattern of pairs that was split over time."""
    if result.rank < 2:
        return ()
    norm = np.linalg.norm(result.component_pair, axis=0)
    scaled = result.component_pair / np.where(norm > 0, norm, 1)
    cosine = np.triu(scaled.T @ scaled, 1)
    first, second = np.unravel_index(int(cosine.argmax()), cosine.shape)
    largest = float(cosine[first, second])
    n_alike = int((cosine >= DUPLICATE).sum())
    return (
        Check(
            name="Components apart",
            status="warn" if n_alike else "pass",
            value=f"largest cosine {largest:z.2f}, of components {first + 1} and {second + 1}"
            + (f"; {n_alike} pairs above {DUPLICATE}" if n_alike > 1 else ""),
            threshold=f"< {DUPLICATE} between the pair patterns of any two",
            meaning="Components whose pairs are the same are one pattern at different times.",
            advice="Read them as one component, or lower methods.connectome.rank."
            if n_alike
            else "",
        ),
    )


def _rotation(result: ConnectomeResult) -> tuple[Check, ...]:
    """A warning where the model is a matrix factorisation."""
    if result.alignment == "absolute" and result.recording.size > 1:
        return (
            Check(
                name="Common clock",
                status="warn",
                value=f"{result.recording.size} recordings aligned by their starts",
                threshold="events that all recordings share in time",
                meaning=(
                    "The settings lay recordings side by side from their starts. If nothing "
                    "happened at the same moments in all of them, only drift is common to them, "
                    "and a course that they share means nothing else."
                ),
                advice="Use methods.connectome.alignment: by_epoch or concatenate where recordings "
                "have no common clock.",
            ),
        )
    if result.side_by_side:
        return ()
    why = (
        "one recording"
        if result.recording.size == 1
        else f"{result.recording.size} recordings without a shared clock"
    )
    return (
        Check(
            name="Rotation ambiguity",
            status="warn",
            value=why,
            threshold="several recordings with the same epochs",
            meaning=(
                "Without recordings side by side in time the model is a non-negative matrix "
                "factorisation, in which other components can describe the data equally well."
            ),
            advice="Rely on sets of components and on reproducibility, not on a single component.",
        ),
    )


def _units(result: ConnectomeResult) -> Check:
    """How many units of the views were used."""
    counts = dict(zip(result.selection["what"], result.selection["count"], strict=True))
    used, total = int(counts["used units of recordings"]), int(counts["units in the views"])
    lost = ", ".join(
        f"{count} {what.removeprefix('left out: ')}"
        for what, count in counts.items()
        if what.startswith("left out") and count
    )
    unchosen = int(counts.get(OTHER_CLASS, 0))
    share = used / max(total, 1)
    return Check(
        name="Units used",
        status="pass" if share >= MOST_UNITS else "warn",
        value=f"{used} of {total} ({100 * share:.0f} %)",
        threshold=f">= {100 * MOST_UNITS:.0f} %",
        meaning=f"Left out: {lost or 'none'}."
        + (
            f" {counted(unchosen, 'further unit')} {for_number(unchosen, '[is|are]')} of classes "
            "that prepare.ensemble.classes does not choose."
            if unchosen
            else ""
        ),
        advice=""
        if share >= MOST_UNITS
        else "Name more units, or lower min_animals, min_observed or min_snr.",
    )


def _names(result: ConnectomeResult) -> tuple[Check, ...]:
    """A warning where names that differ in case only were taken as different units."""
    folded = np.char.lower(result.unit)
    again, counts = np.unique(folded, return_counts=True)
    alike = result.unit[np.isin(folded, again[counts > 1])]
    if not alike.size:
        return ()
    return (
        Check(
            name="Unit names",
            status="warn",
            value=_some([str(name) for name in alike]),
            threshold="no names that differ in case only",
            meaning="These were pooled as different units, each with fewer recordings.",
            advice="Spell names alike in all files.",
        ),
    )


def _sides(views: tuple[TraceEnsemble, ...], config: ConnectomeConfig) -> tuple[Check, ...]:
    """Names that tell the two sides of the body: how they were taken, and which are unclear."""
    together = homologues(views)
    unclear = unclear_sides(views)
    if not together and not unclear:
        return ()
    name, threshold = "Left and right", "both sides of a class named in one recording"
    if unclear:
        return (
            Check(
                name=name,
                status="warn",
                value=_some(unclear),
                threshold=threshold,
                meaning=(
                    "These names differ in a last letter L or R only, but no recording has both, "
                    "or the letter is missing or small in some of them, so they may mean one unit "
                    "or two. They were taken as different units."
                ),
                advice="Look up which units these are, and spell names alike in all files.",
            ),
        )
    n_pairs = len(set(together.values()))
    if not config.merge_sides:
        first, second = sorted(together)[:2]
        return (
            Check(
                name=name,
                status="pass",
                value=f"{counted(n_pairs, 'pair')} of names, such as {first} and {second}",
                threshold=threshold,
                meaning="Left and right homologues were taken as different units.",
            ),
        )
    likeness = likeness_of_sides(views)
    median = np.median(list(likeness.values())) if likeness else np.nan
    apart = [f"{stem} ({value:z.2f})" for stem, value in likeness.items() if value < SIDES_ALIKE]
    return (
        Check(
            name=name,
            status="warn" if apart else "pass",
            value=f"{counted(n_pairs, 'pair')} merged"
            + (f", median correlation of both sides {median:z.2f}" if likeness else "")
            + (f"; below {SIDES_ALIKE:g}: {_some(apart)}" if apart else ""),
            threshold=f"correlation >= {SIDES_ALIKE:g} in every pair",
            meaning=(
                "The settings merge left and right homologues: one unit stands for both, its "
                "trace is their mean. What differs between the sides is lost in it."
            ),
            advice="Sides that differ should not be averaged: set methods.connectome.merge_sides "
            "to false, or mark their names as uncertain."
            if apart
            else "",
        ),
    )


def _regressed(views: tuple[TraceEnsemble, ...], config: ConnectomeConfig) -> tuple[Check, ...]:
    """That something was taken out of the traces, and what follows from it."""
    taken = [f"{view.recording}: {view.regressed}" for view in views if view.regressed]
    if not taken:
        return ()
    signed = config.affinity in ("geometric_same_sign", "split_sign")
    of_mean = any(MEAN_OF_UNITS in one for one in taken)
    meaning = "Common drive such as movement is less, and so is what units that follow it share."
    if of_mean:
        meaning += (
            " Without their mean, units that have nothing to do with each other change in opposite "
            "directions, the more so the fewer they are (a correlation of -1/(units - 1)). "
            "Surrogates are shifted after the regression and do not have that, so being above them "
            "can come from it."
        )
    return (
        Check(
            name="Regressed out",
            status="warn" if of_mean else "pass",
            value=_some(taken),
            threshold="nothing, or behaviour only",
            meaning=meaning,
            advice=""
            if not of_mean
            else "Compare with a run without the regression"
            + (
                "."
                if signed
                else ", or take methods.connectome.affinity: geometric_same_sign, which does not "
                "count changes in opposite directions."
            ),
        ),
    )


def _some(names: list[str]) -> str:
    """The first of many names."""
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _recovered(result: ConnectomeResult, truth: ConnectomeTruth) -> list[Check]:
    """Planted groups and communities that were found."""
    seen = recovery(result, truth)
    f1 = float(seen.group_f1.mean())
    n_found = int((seen.group_f1 >= FOUND).sum())
    scores = seen.label_ari[np.isfinite(seen.label_ari)]
    right = seen.recordings_right
    checks = [
        Check(
            name="Planted groups found",
            status="pass" if f1 >= FOUND else "warn",
            value=f"{n_found} of {seen.group.size}, mean F1 {f1:z.2f}",
            threshold=f"mean F1 >= {FOUND}",
            meaning=(
                "Overlap of each planted group with the community that fits it best; 1 is all "
                "of it and nothing else."
            ),
            advice="" if f1 >= FOUND else "Raise the rank to the number of planted groups.",
        )
    ]
    if np.isfinite(right):
        checks.append(
            Check(
                name="Recordings called right",
                status="pass" if right >= FOUND else "warn",
                value=f"{100 * right:.0f} % of recordings of found groups",
                threshold=f">= {100 * FOUND:.0f} %",
                meaning=(
                    "Whether a component is said to be in a recording (a quarter of its largest "
                    "share, or more) where its group answers, and not where it does not."
                ),
                advice="" if right >= FOUND else "Do not read in which recordings components are.",
            )
        )
    if scores.size:
        ari = float(scores.mean())
        checks.append(
            Check(
                name="Planted communities separated",
                status="pass" if ari >= FOUND else "warn",
                value=f"mean adjusted Rand index {ari:z.2f} over {scores.size} labels",
                threshold=f">= {FOUND}",
                meaning=(
                    "Agreement of communities in the epochs of a label (each unit's in the "
                    "component that ties it most there) with the groups planted there; 0 is "
                    "chance."
                ),
                advice="" if ari >= FOUND else "Raise the rank or n_restarts.",
            )
        )
    return checks


def _onsets(
    result: ConnectomeResult, truth: ConnectomeTruth, config: ConnectomeConfig
) -> tuple[Check, ...]:
    """Whether components of found groups become active when the groups do."""
    seen = onset_recovery(result, truth, sigma_s=config.sigma_s)
    if not seen.planted_s.size:
        return ()
    met = np.isfinite(seen.error_s)
    limit_s = ONSET_WIDTHS * config.sigma_s + result.bin_s
    typical = float(np.median(np.abs(seen.error_s[met]))) if met.any() else np.inf
    right = met.mean() >= FOUND and typical <= limit_s
    said = f", median error {np.median(seen.error_s[met]):+z.2f} s" if met.any() else ""
    return (
        Check(
            name="Planted onsets met",
            status="pass" if right else "warn",
            value=f"{int(met.sum())} of {met.size}{said}; "
            f"{counted(seen.n_further, 'further stretch', 'further stretches')}",
            threshold=f">= {100 * FOUND:.0f} %, median size of the error <= {limit_s:.2g} s",
            meaning=(
                "Starts of the active stretches of components that found a planted group (from "
                f"half of the largest strength on), within {seen.reach_s:.2g} s of the moments at "
                "which the group was made to change. The derivative is smoothed over "
                f"{config.sigma_s:g} s to both sides, so that a stretch starts up to twice that "
                "before the change (a negative error)."
            ),
            advice=""
            if right
            else "Do not read moments off the course of a component, or lower sigma_s.",
        ),
    )
