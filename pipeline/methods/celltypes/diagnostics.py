"""Whether to trust cell types, and what to do if not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.core.parts import Check
from pipeline.core.views import View
from pipeline.core.words import counted
from pipeline.methods.celltypes.config import CelltypesConfig
from pipeline.methods.celltypes.constraints import Display
from pipeline.methods.celltypes.evidence import FEWEST, OWN, matched
from pipeline.methods.celltypes.recovery import true_labels
from pipeline.methods.celltypes.result import CelltypesResult, ModelEvidence
from pipeline.methods.celltypes.simulate import Truth

AGREE = 0.7
"""Adjusted Rand index from which two clusterings count as the same in the main."""
FOR_A_CLAIM = 19
"""Surrogate populations from which p can be 0.05."""
LEVEL = 0.05
SESSION_P, SESSION_INFORMATION = 0.01, 0.1
FURTHEST_SD = 20
"""Of a unit's answers to the training stimulus: what is further away it was never seen to do."""
TYPED_ALIKE = 0.8
"""Share of units without part in the types from which their stimuli count as good for typing."""
FOUND = 0.8
"""Adjusted Rand index from which planted types count as found."""


def assess(
    result: CelltypesResult,
    views: tuple[View, ...],
    config: CelltypesConfig,
    truth: Truth | None = None,
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
    checks = [_units(result)]
    if result.mode == "model":
        checks.insert(0, _prediction(result, config))
    checks += _without_frames(result, views)
    if result.n_types == 0:
        return tuple(checks)
    checks.append(_number(result))
    if result.n_types > 1:
        checks += [_independent(result), _continuum(result)]
        if result.model is not None:
            checks += [_outer(result, config), _permuted(result.model), _restarts(result)]
        else:
            checks.append(_showings(result))
        checks += [_types(result), _baselines(result)]
    checks.append(_sessions(result))
    if result.model is not None:
        checks += [_gamut(result.model), _reach(result), *_flags(result.model)]
    if truth is not None:
        checks.append(_planted(result, truth))
    return tuple(checks)


def _without_frames(result: CelltypesResult, views: tuple[View, ...]) -> tuple[Check, ...]:
    """A warning where recordings had to be left out since others of them have frames."""
    left_out = [view.recording for view in views if view.recording not in result.recording]
    if not left_out:
        return ()
    n = len(views)
    return (
        Check(
            name="Recordings with frames",
            status="warn",
            value=f"{n - len(left_out)} of {n}",
            threshold="all",
            meaning=(
                "A model learns from frames, so these recordings, which have trials only, have no "
                f"part: {', '.join(left_out)}."
            ),
            advice="Make them an experiment of their own; types then come from the trials.",
        ),
    )


def _prediction(result: CelltypesResult, config: CelltypesConfig) -> Check:
    values = result.units["validation_correlation"].to_numpy(dtype=float)
    known = values[np.isfinite(values)]
    median = float(np.median(known)) if known.size else 0.0
    enough = median >= config.least_correlation
    return Check(
        name="Model predicts new frames",
        status="pass" if enough else "fail",
        value=f"median correlation {median:z.2f} over all {values.size} units",
        threshold=f">= {config.least_correlation:g}",
        meaning=(
            "Correlation of single answers, frame by frame, with the model's prediction in the "
            "validation frames; low rates bound it. Types are types of what the model says, so "
            "what it does not predict they cannot tell."
        ),
        advice="" if enough else "Record longer, or let the units see more varied frames.",
    )


def _units(result: CelltypesResult) -> Check:
    n, used = len(result.units), result.typed_unit.size
    reasons = result.units["reason"][result.units["reason"] != ""].value_counts()
    lost = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
    enough = used >= n / 2
    return Check(
        name="Units typed",
        status="pass" if enough else "warn",
        value=f"{used} of {n} ({100 * used / max(n, 1):.0f} %)",
        threshold=">= 50 %",
        meaning=f"Without a type: {lost or 'none'}. Types say nothing about these.",
        advice="" if enough else "See the table of units, and methods.celltypes.encoding.filter.",
    )


def _number(result: CelltypesResult) -> Check:
    if result.n_types < 2:
        return Check(
            name="More than one type",
            status="warn",
            value="one cluster",
            threshold="2 or more",
            meaning="No split of the units was borne out: they are one population, or too few.",
            advice="Do not speak of types; record more units, or more varied stimuli.",
        )
    nearest = np.nanmin(result.pair_fraction, axis=1)
    return Check(
        name="Types told apart by their stimuli",
        status="pass" if nearest.min() >= 0.5 else "warn",
        value=f"{nearest.min():z.2f} for the closest pair, median {np.median(nearest):z.2f}",
        threshold=">= 0.5",
        meaning=(
            "How far the two types of a pair are told apart by their own two stimuli: 0 for "
            "duplicates, 1 where each answers to its own alone"
            + (
                ". In the half of the showings that did not make the types."
                if result.mode == "discrete"
                else "."
            )
        ),
        advice="" if nearest.min() >= 0.5 else "Read the closest pair as one type.",
    )


def _independent(result: CelltypesResult) -> Check:
    if result.mode == "model":
        name = "Types through another model"
        meaning = (
            "Agreement of types with those through a model that was fitted again from another "
            "start, to the same frames; it holds for the model's choices, not for new recordings."
        )
        advice = "Set methods.celltypes.n_models to 2 or more."
    else:
        name = "Types from the other half of the showings"
        meaning = (
            "Types from one half of the showings, against units typed by the same stimuli in the "
            "other half; both ways averaged."
        )
        advice = "Show each stimulus more often."
    if not np.isfinite(result.agreement):
        return Check(
            name=name,
            status="not_tested",
            value="nothing to compare with",
            threshold=f"adjusted Rand index >= {AGREE}",
            meaning=meaning,
            advice=advice,
        )
    good = result.agreement >= AGREE
    return Check(
        name=name,
        status="pass" if good else "warn",
        value=f"adjusted Rand index {result.agreement:z.2f}",
        threshold=f">= {AGREE}",
        meaning=meaning,
        advice="" if good else "Trust only types that reappear (table of types); record longer.",
    )


def _continuum(result: CelltypesResult) -> Check:
    null = result.null_separation
    name = "Separation above a population without types"
    meaning = (
        "Margin that nine of ten units exceed, over the answer to the own stimulus, against single "
        "Gaussian populations with the units' mean and covariance that went through the same "
        "clustering. A continuum is cut into clusters too; its units then lie between them."
    )
    if not null.size:
        return Check(
            name=name,
            status="not_tested",
            value=f"{result.separation:z.2f}; no surrogate populations",
            threshold=f"p <= {LEVEL} with {FOR_A_CLAIM} populations or more",
            meaning=meaning,
            advice=f"Set methods.celltypes.n_nulls to {FOR_A_CLAIM}.",
        )
    p = (1 + int((null >= result.separation).sum())) / (1 + null.size)
    value = (
        f"{result.separation:z.2f} against {np.median(null):z.2f} (largest {null.max():z.2f}) in "
        f"{counted(null.size, 'population')}, p = {p:.2g}"
    )
    above = bool((result.separation > null).all())
    if above and null.size < FOR_A_CLAIM:
        return Check(
            name=name,
            status="not_tested",
            value=f"first look: {value}",
            threshold=f"p <= {LEVEL} with {FOR_A_CLAIM} populations or more",
            meaning=meaning,
            advice=f"Decide with methods.celltypes.n_nulls at {FOR_A_CLAIM} or more.",
        )
    return Check(
        name=name,
        status="pass" if p <= LEVEL else "warn",
        value=value,
        threshold=f"p <= {LEVEL}",
        meaning=meaning,
        advice="" if p <= LEVEL else "Speak of a continuum that was cut, not of types.",
    )


def _permuted(model: ModelEvidence) -> Check:
    null = model.permutation_objective
    meaning = (
        "Mean objective of the types, against permuted types, each with stimuli of their own after "
        "as many steps. Any order among the units beats permutations; it is no proof of types."
    )
    if not null.size:
        return Check(
            name="Objective above permuted types",
            status="not_tested",
            value="no permutations",
            threshold="above all",
            meaning=meaning,
            advice="Set methods.celltypes.n_permutations to 20 or more.",
        )
    p = (1 + int((null >= model.permutation_observed).sum())) / (1 + null.size)
    return Check(
        name="Objective above permuted types",
        status="pass" if p <= LEVEL else "warn",
        value=f"{model.permutation_observed:z.2f} against {null.max():z.2f} at most, p = {p:.2g}",
        threshold=f"p <= {LEVEL}",
        meaning=meaning,
        advice="" if p <= LEVEL else "The clusters are not even better than chance groupings.",
    )


def _outer(result: CelltypesResult, config: CelltypesConfig) -> Check:
    """Types of units that had no part in any choice."""
    outer = result.outer
    name = "Types of units without part in them"
    threshold = f">= {100 * TYPED_ALIKE:.0f} % typed alike"
    meaning = (
        "In turn a fold of the units was left out of stimuli, splits, merges and restarts, and "
        "typed by the stimuli of the others: share that gets the type whose units answer to the "
        "training stimulus as the unit does (the mean over types, with its standard error). All "
        "units had part in the encoding model."
    )
    if outer is None:
        few = result.typed_unit.size < config.folds.least_units
        return Check(
            name=name,
            status="not_tested",
            value=f"{result.typed_unit.size} units, and {config.folds.least_units} are asked for"
            if few and config.folds.number
            else "no outer folds",
            threshold=threshold,
            meaning=f"{meaning} Without folds numbers of held-out units are too good: they chose.",
            advice="Lower methods.celltypes.folds.least_units, or record more units."
            if few and config.folds.number
            else "Set methods.celltypes.folds.number to 5.",
        )
    good = outer.accuracy >= TYPED_ALIKE
    known = (
        f"; {100 * outer.label_accuracy:.0f} % get their known type"
        if np.isfinite(outer.label_accuracy)
        else ""
    )
    return Check(
        name=name,
        status="pass" if good else "warn",
        value=(
            f"{100 * outer.accuracy:.0f} ± {100 * outer.accuracy_error:.0f} % typed alike{known}; "
            f"{outer.fold.size} folds found {_listed(outer.fold_types)} types"
        ),
        threshold=threshold,
        meaning=meaning,
        advice=""
        if good
        else "Do not type new units by these stimuli; trust only types with few errors.",
    )


def _listed(numbers: NDArray[np.int64]) -> str:
    return ", ".join(str(number) for number in numbers)


def _restarts(result: CelltypesResult) -> Check:
    if not np.isfinite(result.stability):
        return Check(
            name="Agreement of restarts",
            status="not_tested",
            value="one restart",
            threshold=f">= {AGREE}",
            meaning="With one restart nothing is known about the stability of the search.",
            advice="Set methods.celltypes.n_restarts to 5 or more.",
        )
    good = result.stability >= AGREE
    return Check(
        name="Agreement of restarts",
        status="pass" if good else "warn",
        value=f"mean adjusted Rand index {result.stability:z.2f}",
        threshold=f">= {AGREE}",
        meaning=(
            "Whether searches from other labels end in the same types. It is stability of the "
            "search through one model, not of the types."
        ),
        advice="" if good else "Types depend on where the search began: raise n_restarts.",
    )


def _showings(result: CelltypesResult) -> Check:
    shown = result.shown
    least = shown.least_showings if shown is not None else 0
    return Check(
        name="Showings of each stimulus",
        status="pass" if least >= 3 else "warn",
        value=f"{least} at least",
        threshold=">= 3",
        meaning="Halves of few showings are noisy, so types are underrated by them.",
        advice="" if least >= 3 else "Show each stimulus three times or more.",
    )


def _types(result: CelltypesResult) -> Check:
    supported = int((result.verdict == "supported").sum())
    return Check(
        name="Supported types",
        status="pass" if supported == result.n_types else "warn",
        value=f"{supported} of {result.n_types}",
        threshold="all",
        meaning=(
            f"A type is supported when it has {FEWEST} units or more, reappears in independent "
            "clusterings, is told from its neighbours by its stimulus, and the population is "
            "separated better than one without types."
        ),
        advice="" if supported == result.n_types else "Name only those; see the table of types.",
    )


def _baselines(result: CelltypesResult) -> Check:
    table = result.baselines
    meaning = (
        "Agreement of each way of clustering with itself between independent models or halves, or "
        "with known types where there are any."
    )
    if table.empty:
        return Check(
            name="Better than other clusterings",
            status="not_tested",
            value="not computed",
            threshold="",
            meaning=meaning,
        )
    known = table["ari_labels"].notna().any()
    column = "ari_labels" if known else "ari_independent"
    others = table[table["baseline"] != OWN]
    own = (
        float(table.loc[table["baseline"] == OWN, column].iloc[0])
        if (table["baseline"] == OWN).any()
        else float("nan")
    )
    best = others.iloc[int(np.nanargmax(others[column]))] if others[column].notna().any() else None
    if best is None or not np.isfinite(own):
        return Check(
            name="Better than other clusterings",
            status="not_tested",
            value="nothing to compare by",
            threshold="",
            meaning=meaning,
            advice="Give known types (prepare.responses.label_column), or fit a second model.",
        )
    as_good = float(best[column]) >= own - 0.02
    return Check(
        name="Better than other clusterings",
        status="warn" if as_good else "pass",
        value=f"{own:z.2f} here, {float(best[column]):z.2f} for {best['baseline']}",
        threshold="above all others",
        meaning=(
            meaning
            + (
                " The other way is as good: what these types add are the stimuli."
                if as_good
                else ""
            )
        ),
        advice=f"As a partition take {best['baseline']}, and the stimuli as its explanation."
        if as_good
        else "",
    )


def _sessions(result: CelltypesResult) -> Check:
    if not np.isfinite(result.session_information):
        return Check(
            name="Types are not recordings",
            status="not_tested",
            value="one recording; preparations pooled in it are not told apart",
            threshold=f"p >= {SESSION_P} or information <= {SESSION_INFORMATION}",
            meaning=(
                "With one recording nothing is known about others. Several preparations pooled "
                "into one file are a confound that cannot be seen here."
            ),
            advice="Record more animals, each in a file of its own.",
            confound=True,
        )
    bad = result.session_p < SESSION_P and result.session_information > SESSION_INFORMATION
    return Check(
        name="Types are not recordings",
        status="warn" if bad else "pass",
        value=(
            f"adjusted mutual information {result.session_information:z.2f}, "
            f"p = {result.session_p:.2g}"
        ),
        threshold=f"p >= {SESSION_P} or information <= {SESSION_INFORMATION}",
        meaning="Whether types go with the recordings they come from rather than run through all.",
        advice="Do not read such types as cell types: they may be preparations." if bad else "",
    )


def _gamut(model: ModelEvidence) -> Check:
    share = Display.of_range(model.low, model.high).out_of_gamut(model.stimuli)
    return Check(
        name="Stimuli can be shown",
        status="pass" if share == 0 else "warn",
        value=f"{100 * share:.2g} % of pixels beyond the range of the training stimulus",
        threshold="0 %",
        meaning=(
            "Stimuli are predictions of a model about frames that nobody has shown yet; their "
            f"largest cosine with a stretch of the training stimulus is "
            f"{model.resemblance.max():z.2f} at most."
        ),
        advice="" if share == 0 else "Leave methods.celltypes.stimulus.clip on.",
    )


def _reach(result: CelltypesResult) -> Check:
    """Whether predicted answers are of a size that units have been seen to give."""
    own = float(np.median(result.response_confusion.diagonal()))
    good = own <= FURTHEST_SD
    return Check(
        name="Predicted answers are such as were seen",
        status="pass" if good else "warn",
        value=f"{own:.0f} SD to the own stimulus (median over types)",
        threshold=f"<= {FURTHEST_SD} SD",
        meaning=(
            "In standard deviations of a unit's predicted answers to the training stimulus. Real "
            "units saturate where a model that never saw such strong stimuli does not: then the "
            "objective is at its bound for any types, and typing from few showings is overrated."
        ),
        advice=""
        if good
        else "Weaken the stimuli (methods.celltypes.stimulus.norm_share), and trust no simulated "
        "accuracy.",
    )


def _flags(model: ModelEvidence) -> tuple[Check, ...]:
    words = {
        "optimisation_diverged": "a stimulus was frozen because its answers were not finite",
        "flat_objective": "a stimulus had no slope to climb",
        "no_excitation": "no stimulus excites the clusters, so the published scale was used",
        "split_not_held_out": "a split was judged by units that also shaped the stimuli, as too "
        "few were held out",
    }
    told = [words.get(flag, flag) for flag in model.flags]
    if not told:
        return ()
    return (
        Check(
            name="Remarks on the search",
            status="warn",
            value="; ".join(told),
            threshold="none",
            meaning="The search ended, but not everything in it went as it should.",
            advice="Compare restarts; more units or a larger holdout help where few decide.",
        ),
    )


def _planted(result: CelltypesResult, truth: Truth) -> Check:
    scores = matched(result.type_of_unit, true_labels(result, truth))
    n_true = truth.cell_type.size
    good = scores["ari"] >= FOUND
    return Check(
        name="Planted types found",
        status="pass" if good else "warn",
        value=(
            f"adjusted Rand index {scores['ari']:z.2f}; {result.n_types} types found, {n_true} "
            "planted"
        ),
        threshold=f">= {FOUND}",
        meaning=(
            f"Adjusted mutual information {scores['ami']:z.2f}, homogeneity "
            f"{scores['homogeneity']:z.2f}, completeness {scores['completeness']:z.2f}, balanced "
            f"accuracy after matching {scores['balanced_accuracy']:z.2f}, over the units that have "
            "a type."
        ),
        advice="" if good else "Fit the model for longer, or give the search more restarts.",
    )
