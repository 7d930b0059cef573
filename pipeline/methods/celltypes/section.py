"""The words of the report about cell types."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.core.parts import (
    Check,
    Figure,
    Films,
    KeyNumber,
    Number,
    Numbers,
    Section,
    Table,
    key_numbers,
    status_from_checks,
    with_error,
    with_range,
)
from pipeline.core.unit_names import NO_NAMES, UnitNames
from pipeline.core.words import counted, for_number
from pipeline.methods.celltypes.config import CelltypesConfig
from pipeline.methods.celltypes.evidence import agreement
from pipeline.methods.celltypes.films import stimulus_films
from pipeline.methods.celltypes.result import CelltypesResult, OuterEvidence

AGREEMENT = "agreement with types found independently (ARI)"
NO_TYPES = {
    "model_not_predictive": "The encoding model does not predict the units well enough to type "
    "them",
    "too_few_cells": "Too few units are predicted well enough to type them",
}


def section(
    result: CelltypesResult,
    checks: tuple[Check, ...],
    figures: tuple[Figure, ...],
    config: CelltypesConfig,
    names: UnitNames = NO_NAMES,
) -> Section:
    """All that the report says about cell types, in reading order.

    Parameters
    ----------
    result
        The joined fit.
    checks, figures
        What :mod:`diagnostics` and :mod:`figures` made of it.
    config
        The method's settings.
    names
        What units are called; no table shows a single one.
    """
    by_id = {figure.id: figure for figure in figures}

    def drawn(*names: str) -> list[str | Figure | Table | Films]:
        return [by_id[name] for name in names if name in by_id]

    body: list[str | Figure | Table | Films] = [_what_was_done(result, config)]
    if result.n_types:
        body += drawn("stimuli")
        films = stimulus_films(result, result.model) if result.model is not None else None
        body += [films] if films is not None else []
        body += drawn("traces")
        body.append(_types_table(result))
        body += drawn("tuning", "confusion")
        body.append(_number_words(result))
        body += drawn("number-of-types", "continuum", "stability", "truth")
        body += [_outer_words(result.outer)] if result.outer is not None else []
        body += drawn("outer")
        body.append(_baseline_words(result))
        body += drawn("baselines", "typing")
        body.append(_use_words(result))
    body += drawn("prediction", "mosaic", "history")
    body += [_units_table(result), _limits(result)]
    return Section(
        id="celltypes",
        title="Functional cell types",
        status=status_from_checks(checks),
        sentence=_sentence(result),
        further=_prediction_words(result),
        body=tuple(body),
        checks=checks,
        numbers=_numbers(result),
        key_numbers=_key_numbers(result),
        citation="Burg et al. (2024)",
    )


def _sentence(result: CelltypesResult) -> str:
    """The finding for the first screen, with its uncertainty."""
    n_units = len(result.units)
    if result.n_types == 0:
        return f"{NO_TYPES.get(result.status, 'There are no types')}: {result.reason}."
    excluded = 100 * (1 - result.typed_unit.size / max(n_units, 1))
    if result.n_types == 1:
        return (
            f"No split of {result.typed_unit.size} units into types is borne out "
            f"({excluded:.0f} % of {n_units} units excluded)."
        )
    supported = int((result.verdict == "supported").sum())
    null = result.null_separation
    above = (
        f", separated better than {int((null < result.separation).sum())} of "
        f"{counted(null.size, 'population')} without types"
        if null.size
        else ""
    )
    return (
        f"{result.n_types} types of {result.typed_unit.size} units ({excluded:.0f} % of {n_units} "
        f"excluded), {supported} of them supported{_agreement_words(result)}{above}."
    )


def _agreement_words(result: CelltypesResult) -> str:
    """How types agree with others of the same units, and over what that ranges."""
    if not np.isfinite(result.agreement):
        return ""
    each = agreements(result)
    spread = f" ({each.min():z.2f} to {each.max():z.2f})" if each.size > 1 else ""
    if result.mode == "model":
        by = counted(each.size, "other model")
        return (
            f"; through {by} they agree with {for_number(each.size, '[an|]')} adjusted Rand "
            f"{for_number(each.size, '[index|indices]')} of {result.agreement:z.2f}{spread}"
            f"{_restart_words(result)}"
        )
    both = f" (either way {each.min():z.2f} and {each.max():z.2f})" if each.size > 1 else ""
    return (
        "; by the other half of the showings they agree with an adjusted Rand index of "
        f"{result.agreement:z.2f}{both}"
    )


def _restart_words(result: CelltypesResult) -> str:
    """What new searches through the same model find, which one other model gives no range of."""
    if result.model is None or len(result.model.restart_labels) < 2:
        return ""
    labels = result.type_of_unit[result.typed_unit]
    others = [
        agreement(labels, other)
        for name, other in zip(result.model.restart, result.model.restart_labels, strict=True)
        if name != result.model.best_restart
    ]
    return (
        f" (other searches through the same model: {min(others):z.2f} to {max(others):z.2f})"
        if len(others) > 1
        else f" (another search through the same model: {others[0]:z.2f})"
    )


def agreements(result: CelltypesResult) -> NDArray[np.float64]:
    """Adjusted Rand indices of which :attr:`CelltypesResult.agreement` is the mean.

    One a model that was fitted independently, or one a half of the showings.
    """
    if result.model is not None:
        labels = result.type_of_unit[result.typed_unit]
        return np.array([agreement(labels, other) for other in result.model.twin_labels])
    if result.shown is None:
        return np.empty(0)
    halves = zip(result.shown.half_labels, result.shown.retyped, strict=True)
    return np.array([agreement(first, again) for first, again in halves])


def _prediction_words(result: CelltypesResult) -> str:
    """How well the model predicts frames it was not fitted to."""
    known = result.units["validation_correlation"].to_numpy(dtype=np.float64)
    known = known[np.isfinite(known)]
    if result.n_types == 0 or result.mode != "model" or not known.size:
        return ""
    low, middle, high = np.quantile(known, [0.25, 0.5, 0.75])
    return (
        f"The model's predictions of validation frames correlate with the answers by "
        f"{middle:z.2f} (median of {counted(known.size, 'unit')}, used or not; middle half "
        f"{low:z.2f} to {high:z.2f})."
    )


def _what_was_done(result: CelltypesResult, config: CelltypesConfig) -> str:
    """Model or showings, and how types come from them."""
    n = result.recording.size
    recordings = "1 recording" if n == 1 else f"{n} recordings"
    if result.shown is not None:
        return (
            "Discrete discriminative stimuli (our extension; not in the paper): without an "
            f"encoding model types come from the {result.shown.n_stimuli} stimuli that were shown "
            f"at least {result.shown.least_showings} times in {recordings}. A type's stimulus is "
            "the one to which its units answer most compared with all other types; a unit is of "
            "the type whose stimulus drives it most on the unit's own scale. Both are found in "
            "turn, from many random starts."
        )
    network = (
        f" The model that was kept is '{result.model.network}' ({result.model.network_reason})."
        if result.model is not None
        else ""
    )
    return (
        f"An encoding model learned from {recordings} what each unit answers to any stimulus."
        f"{network} All units were then moved to the middle of the screen, so that types do not "
        "depend on place. For every cluster of units one stimulus was optimised to raise its "
        "answer compared with all other clusters (temperature "
        f"{result.temperature:g}), and every unit went to the cluster whose stimulus drives it "
        f"most, in turn until none moved. {100 * config.loop.holdout:.0f} % of the units shaped no "
        "stimulus; they judged splits, merges and restarts."
    )


def _number_words(result: CelltypesResult) -> str:
    """How the number of types came about."""
    if result.shown is not None:
        return (
            "The objective rises with the number of types whatever they are. The number taken is "
            "the smallest whose labels from one half of the showings say as much, within a "
            "tolerance, about labels from the other half as any number's do; by simulations it "
            "tends to be one or two too high."
        )
    return (
        "The objective rises with the number of types whatever they are, so it does not choose "
        "it. A cluster was split when its two parts were told apart by stimuli of their own, on "
        "units that did not shape these, by two standard errors more than a threshold; pairs that "
        "were not were merged. Restarts began from different numbers, and the number in which most "
        "ended was taken."
    )


def _outer_words(outer: OuterEvidence) -> str:
    """Which numbers are too good, and which are not."""
    return (
        "Numbers of units that shaped stimuli are too good, and so are those of held-out units, "
        "which judged splits, merges and restarts. Only those called 'of outer folds' are of units "
        f"without part in any of it: {outer.fold.size} folds of the units were left out in turn, "
        "and all choices made again without them. Types of folds are matched to the types of this "
        "report by the units they share. The encoding model has seen all units; only models that "
        "were fitted independently test that."
    )


def _baseline_words(result: CelltypesResult) -> str:
    """What other clusterings of the same units are for."""
    if result.baselines.empty:
        return "Other clusterings of the same units were not computed."
    return (
        "Other clusterings of the same units stand beside the types, since a partition need not "
        "come from stimuli. Where one of them agrees with itself in independent data, or with "
        "known types, as well as these types do, prefer the simpler one as a partition and keep "
        "the stimuli as its explanation."
    )


def _use_words(result: CelltypesResult) -> str:
    """What to do with the stimuli."""
    if result.mode == "discrete":
        return (
            "New units can be typed by showing them these stimuli and seeing which of them drives "
            "each unit most, on the unit's own scale: python -m pipeline assign-new, from a table "
            "or an NWB file with trials."
        )
    return (
        "The stimuli are for showing, within the range of the training stimulus, where the units' "
        "fields are: python -m pipeline export-stimuli writes them for a display, as HDF5, NWB and "
        "pictures. New units are then typed by which stimulus drives them most on their own scale, "
        "without a model: python -m pipeline assign-new, from a table or an NWB file with trials."
    )


def _limits(result: CelltypesResult) -> str:
    """What this does not show."""
    model = (
        "Optimised stimuli lie outside the frames the model learned from; what units answer to "
        "them is a prediction until they are shown. Models that were fitted independently share "
        "the training frames, and units of one model share its features, so held-out units test "
        "the stimuli and not the model. "
        if result.mode == "model"
        else ""
    )
    return (
        f"{model}Types are functional and of this recording: whether they are the same in other "
        "animals, or are types by shape or genes, is not asked here. Verdicts are bounds: "
        "'unconfirmed' is not 'absent'."
    )


def _types_table(result: CelltypesResult) -> Table:
    """One row a type."""
    nearest = (
        np.nanmin(result.pair_fraction, axis=1)
        if result.n_types > 1
        else np.full(result.n_types, np.nan)
    )
    labels = result.type_of_unit
    margin = [
        float(np.nanmedian(result.margin[labels == kind])) if result.n_types > 1 else np.nan
        for kind in range(result.n_types)
    ]
    n_recordings = [
        int(result.units["recording"][labels == kind].nunique()) for kind in range(result.n_types)
    ]
    columns: dict[str, tuple[Number, ...]] = {
        "type": tuple(range(1, result.n_types + 1)),
        "units": tuple(int(n) for n in result.size),
        "verdict": tuple(str(word) for word in result.verdict),
        "reappears (overlap)": _rounded(result.reappearance, 2),
        "told from the closest": _rounded(nearest, 2),
        "objective": _rounded(result.objective, 2),
    }
    held = "held-out units" if result.mode == "model" else "other half"
    columns[f"objective, {held}"] = _rounded(result.held_out_objective, 2)
    if result.outer is not None:
        columns["objective, outer folds"] = _rounded(result.outer.objective, 2)
        columns["its standard error"] = _rounded(result.outer.objective_error, 2)
    columns["median margin"] = _rounded(np.array(margin), 2)
    if result.recording.size > 1:
        columns["recordings"] = tuple(n_recordings)
    if result.model is not None:
        table = result.model.descriptors
        columns["ends"] = tuple(
            "bright" if value > 0.33 else "dark" if value < -0.33 else "mixed"
            for value in table["polarity"]
        )
        columns["centre radius (px)"] = _rounded(table["centre_px"].to_numpy(float), 1)
        columns["surround"] = _rounded(table["surround"].to_numpy(float), 2)
        columns["peak (Hz)"] = _rounded(table["peak_hz"].to_numpy(float), 1)
        columns["biphasic"] = _rounded(table["biphasic"].to_numpy(float), 2)
        columns["colour angle (deg)"] = _rounded(table["colour_angle"].to_numpy(float), 0)
        columns["closest training frames (cosine)"] = _rounded(result.model.resemblance, 2)
    else:
        columns["stimulus"] = tuple(str(name) for name in result.stimulus)
    independent = (
        "the best match in independent clusterings"
        if result.mode == "model"
        else "the units typed by the half of the showings that did not make it"
    )
    return Table(
        id="types-table",
        title="Types",
        caption=(
            f"'Reappears': overlap with {independent}. 'Told from the "
            f"closest': as in the figure below. Objective: at most log {result.n_types} = "
            f"{np.log(result.n_types):z.2f}. Margin in standard deviations of a unit's answers."
            + (
                " Objectives are too good but for that of outer folds, of units without part in "
                "the types."
                if result.outer is not None
                else ""
            )
            + (
                " 'Ends': whether the middle of the stimulus ends bright or dark; colour angle: 0 "
                "alike in both colours, 180 opponent."
                if result.model is not None
                else ""
            )
        ),
        columns=columns,
    )


def _units_table(result: CelltypesResult) -> Table:
    """Units by what became of them."""
    words, counts = np.unique(result.status_of_unit, return_counts=True)
    return Table(
        id="selection",
        title="Units by what became of them",
        caption="'Held out': typed, but without part in shaping the stimuli.",
        columns={
            "status": tuple(str(word) for word in words),
            "units": tuple(int(count) for count in counts),
        },
    )


def _numbers(result: CelltypesResult) -> Numbers:
    """Every number the words use."""
    numbers: dict[str, Number | list[Number]] = {
        "n_types": result.n_types,
        "agreement": _number(result.agreement),
        "mode": result.mode,
        "status": result.status,
        "n_supported": int((result.verdict == "supported").sum()),
        "n_recordings": int(result.recording.size),
        "n_units": len(result.units),
        "n_typed": int(result.typed_unit.size),
        "stability": _number(result.stability),
        "separation": result.separation,
        "null_separation": _listed(result.null_separation),
        "sizes": [int(n) for n in result.size] if result.n_types else [],
        "objective": _listed(result.objective),
        "held_out_objective": _listed(result.held_out_objective),
        "reappearance": _listed(result.reappearance),
        "session_information": _number(result.session_information),
        "session_p": _number(result.session_p),
        "median_test_correlation": _median(result.test_correlation),
        "median_validation_correlation": _median(
            result.units["validation_correlation"].to_numpy(dtype=np.float64)
        ),
        "agreements": _listed(agreements(result)) if result.n_types > 1 else [],
    }
    if result.outer is not None:
        outer = result.outer
        numbers["outer_objective"] = _listed(outer.objective)
        numbers["outer_objective_error"] = _listed(outer.objective_error)
        numbers["outer_accuracy"] = _number(outer.accuracy)
        numbers["outer_accuracy_error"] = _number(outer.accuracy_error)
        numbers["outer_agreement"] = _number(outer.agreement)
        numbers["outer_label_accuracy"] = _number(outer.label_accuracy)
        numbers["outer_types"] = [int(n) for n in outer.fold_types]
    if result.model is not None:
        numbers["network"] = result.model.network
        numbers["permutation_observed"] = _number(result.model.permutation_observed)
        numbers["selection_temperature"] = _number(result.model.selection_temperature)
    return numbers


def _key_numbers(result: CelltypesResult) -> tuple[KeyNumber, ...]:
    """What is compared over experiments."""
    told = [
        KeyNumber(
            name="types",
            value=result.n_types,
            beside=f"{int((result.verdict == 'supported').sum())} of them supported",
        )
    ]
    if result.n_types > 1:
        of = "models" if result.mode == "model" else "halves of the showings"
        each = agreements(result).tolist()
        told.append(with_range(AGREEMENT, result.agreement, each, of))
    outer = result.outer
    if outer is not None:
        told.append(
            with_error(
                "units of outer folds typed alike (share)", outer.accuracy, outer.accuracy_error
            )
        )
    return key_numbers(*told)


def _median(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else None


def _number(value: float) -> float | None:
    """A float, or nothing where it is not one."""
    return float(value) if np.isfinite(value) else None


def _listed(values: np.ndarray) -> list[Number]:
    """Floats for JSON."""
    return [_number(float(value)) for value in values]


def _rounded(values: np.ndarray, digits: int) -> tuple[Number, ...]:
    """Rounded floats, nothing where undefined."""
    return tuple(round(float(value), digits) if np.isfinite(value) else None for value in values)
