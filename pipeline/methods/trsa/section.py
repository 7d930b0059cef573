"""The words of the report about a comparison of representations."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.core.parts import (
    Check,
    Figure,
    KeyNumber,
    Number,
    Numbers,
    Section,
    Table,
    key_numbers,
    middle_with_range,
    status_from_checks,
)
from pipeline.core.unit_names import NO_NAMES, UnitNames
from pipeline.core.words import counted, from_to
from pipeline.methods.trsa.cells import columns as _columns
from pipeline.methods.trsa.cells import where_told
from pipeline.methods.trsa.comparison_figures import comparison_body
from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.decoding import CHOICES
from pipeline.methods.trsa.diagnostics import LEVEL
from pipeline.methods.trsa.families import families_table
from pipeline.methods.trsa.figures import best_levels, geometry_level
from pipeline.methods.trsa.fitting import MOST_UNDEFINED, POINT_ASSIGNMENTS
from pipeline.methods.trsa.graph_figures import graph_body
from pipeline.methods.trsa.recognition import halves_table, recognition_table
from pipeline.methods.trsa.result import HalvesResult, SubjectsResult, TrsaResult
from pipeline.methods.trsa.topology_words import dimensions_table, holes_body, holes_numbers

MOST_TOLD = 3
"""Regions that the first sentence tells one by one."""
TIME_FIGURES = (
    "time",
    "trajectories",
    "subjects-time",
    "subjects-identified",
    "subjects-trajectories",
)


def section(
    result: TrsaResult,
    checks: tuple[Check, ...],
    figures: tuple[Figure, ...],
    config: TrsaConfig,
    names: UnitNames = NO_NAMES,
) -> Section:
    """All that the report says about representations, in reading order.

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
    body: list[str | Figure | Table] = [_what_was_done(result, config)]
    body += [by_id["dissimilarities"], _population_table(result), dimensions_table(result)]
    body += [by_id[name] for name in ("reliability",) if name in by_id]
    body.append(_halves_words(result))
    if "within" in by_id:
        body += [by_id["within"], *_recognition_within(result), _pairs_table(result)]
    body += [by_id[name] for name in TIME_FIGURES if name in by_id]
    body.append(_subjects_words(result))
    if result.subjects is not None:
        body += [by_id["across"], recognition_table(result.subjects)]
    if result.subjects is not None and "families" in by_id:
        body += [by_id["families"], families_table(result.subjects, config)]
    body.append(by_id["transform"])
    body += [by_id[name] for name in ("regions", "models") if name in by_id]
    if len(result.model_scores):
        body.append(_models_table(result))
    if len(result.model_pairs):
        body.append(_model_pairs_table(result))
    if len(result.model_weights):
        body.append(_weights_table(result))
    body += graph_body(result, by_id)
    body += comparison_body(result, by_id)
    body += holes_body(result, by_id, config)
    body += [by_id[name] for name in ("truth",) if name in by_id]
    if len(result.left_out):
        body.append(_left_out_table(result))
    body.append(_limits(result))
    return Section(
        id="trsa",
        title="Topology of representations",
        status=status_from_checks(checks),
        sentence=_sentence(result),
        further=_further(result),
        body=tuple(body),
        checks=checks,
        numbers=_numbers(result),
        key_numbers=_key_numbers(result),
        citation="Lin & Kriegeskorte (2024)",
    )


def _recognition_within(result: TrsaResult) -> list[Table]:
    """How well regions are recognised within recordings, where they are compared."""
    if result.halves is None:
        return []
    return [halves_table(result.halves, result.n_permutations)]


def _sentence(result: TrsaResult) -> str:
    """The finding for the first screen, with its uncertainty."""
    found = result.subjects
    if found is not None and found.least_p <= LEVEL:
        best = int(np.argmax(found.accuracy))
        p = found.p_corrected[best]
        verdict = "are" if p <= LEVEL else "are not"
        nested = (
            f"{100 * found.nested_accuracy:.0f} % with levels chosen without the subject that is "
            "judged, "
            if np.isfinite(found.nested_accuracy)
            else ""
        )
        return (
            f"Over {found.subject.size} subjects regions {verdict} recognised "
            f"above chance ({nested}{100 * found.accuracy[best]:.0f} % at the best levels, "
            f"{100 * found.chance[best]:.0f} % by chance; p = {p:.2g}, corrected for all levels)."
        )
    if result.halves is not None:
        return _halves_claim(result, result.halves)
    return f"{_repeat_words(result)}; regions are not compared: {result.halves_missing}."


def _further(result: TrsaResult) -> str:
    """How well dissimilarities repeat, and what the comparison of regions leaves open."""
    found, halves = result.subjects, result.halves
    if found is not None and found.least_p <= LEVEL:
        return f"{_repeat_words(result)}."
    if halves is None:
        return ""
    told = (
        _accuracy_words(result),
        _halves_further(result, halves),
        f"{_repeat_words(result)}.",
    )
    return " ".join(words for words in told if words)


def _repeat_words(result: TrsaResult) -> str:
    """How well dissimilarities repeat, on how much data that rests, and what it allows.

    Without a full stop.
    """
    n_regions = result.populations["region"].nunique()
    what = (
        f"Dissimilarities of {result.condition.size} conditions in {counted(n_regions, 'region')}"
    )
    known = result.populations[result.populations["reliability"].notna()]
    if known.empty:
        return f"{what} were computed, and how well they repeat is not known"
    regions = list(known.groupby("region", sort=False))
    if len(regions) <= MOST_TOLD:
        told = ", ".join(
            f"{region} {_range(rows['reliability'], 'z.2f')} ({_behind(rows)})"
            for region, rows in regions
        )
    else:
        ordered = known.sort_values("reliability")
        low, high = ordered.iloc[0], ordered.iloc[-1]
        told = (
            f"{low['reliability']:z.2f} ({low['region']}) to {high['reliability']:z.2f} "
            f"({high['region']}; {_behind(known)})"
        )
    ceiling = result.region_pairs["ceiling"].dropna()
    bound = (
        f"; a relation of two regions can so reach {_range(ceiling, 'z.2f')} (noise ceiling)"
        if len(ceiling)
        else ""
    )
    return f"{what} repeat over units and trials with rank correlations of {told}{bound}"


def _behind(rows: pd.DataFrame) -> str:
    """What reliabilities rest on: the 95 % range of a single one, units, rate and repeats."""
    parts = []
    if len(rows) == 1 and np.isfinite(rows["reliability_low"].iloc[0]):
        low, high = rows["reliability_low"].iloc[0], rows["reliability_high"].iloc[0]
        parts.append(f"95 % range {low:z.2f} to {high:z.2f}")
    elif len(names := set(rows["recording"])) > 1:
        parts.append(counted(len(names), "recording"))
    rate = rows["rate_hz"].dropna()
    at = f" at {_range(rate, 'z.2g')} Hz" if len(rate) else ""
    parts.append(f"{from_to(rows['n_units'], 'unit')}{at}")
    parts.append(from_to(rows["n_folds"], "repeat"))
    return ", ".join(parts)


def _range(values: pd.Series, form: str) -> str:
    low, high = f"{values.min():{form}}", f"{values.max():{form}}"
    return low if low == high else f"{low} to {high}"


def _accuracy_words(result: TrsaResult) -> str:
    """How often halves find their region, where no level had to be chosen."""
    halves = result.halves
    if halves is None:
        return ""
    at = geometry_level(result)
    return (
        f"By ranks alone, for which no level is chosen, halves find their region in "
        f"{100 * halves.all_accuracy[at]:.0f} % of cases ({_accuracy_range(halves)}"
        f"{100 * halves.all_chance[at]:.0f} % by chance)."
    )


def _accuracy_range(halves: HalvesResult) -> str:
    """The range of the accuracy by ranks; nothing where it has none."""
    low, high = halves.accuracy_low, halves.accuracy_high
    if not np.isfinite(low):
        return ""
    return f"95 % range over units and conditions {100 * low:.0f} to {100 * high:.0f} %; "


def _halves_claim(result: TrsaResult, halves: HalvesResult) -> str:
    """What may be said of regions within recordings, and no more, in one sentence."""
    p = halves.all_separation_p
    where = "In this recording" if halves.session.size == 1 else "In these recordings"
    how = f"p = {p:.2g}, {result.n_permutations} regroupings, {halves.n_splits} splits"
    if p <= LEVEL:
        names = ", ".join(str(name) for name in halves.session[halves.confounded])
        confound = (
            f"; regions of {names} were recorded in planes or on probes of their own, so that the "
            "difference may be one of planes or probes"
            if names
            else ""
        )
        return (
            f"{where}, the populations labelled as different regions differ in representational "
            f"geometry more than random regroupings of the same units do ({how})"
            f"{_contiguous_words(halves)}{confound}."
        )
    least = int(result.populations["n_units"].min())
    return (
        f"{where}, regions are not distinguishable by their geometry with {least} units and more "
        f"a region ({how}); that does not make them the same."
    )


def _halves_further(result: TrsaResult, halves: HalvesResult) -> str:
    """Which pairs of regions differ, and why patches of units were not compared."""
    if halves.all_separation_p > LEVEL:
        return ""
    told = (_pairs_words(result), _contiguous_missing(halves))
    return " ".join(words for words in told if words)


def _pairs_words(result: TrsaResult) -> str:
    """Which pairs of regions differ by themselves; nothing where there is one pair."""
    pairs = result.region_pairs
    if len(pairs) < 2:
        return ""
    apart = pairs[pairs["p_adjusted"] <= LEVEL]
    several = len(set(pairs["recording"])) > 1
    names = ", ".join(
        f"{row.first} and {row.second}" + (f" ({row.recording})" if several else "")
        for row in apart.itertuples(index=False)
    )
    return f"Of {len(pairs)} pairs, by themselves: {names or 'none'} (adjusted p <= {LEVEL})."


def _contiguous_words(halves: HalvesResult) -> str:
    """Whether regions differ more than patches of units that lie together, or that none knows."""
    p = halves.all_contiguous_p
    if not np.isfinite(p):
        return ", though patches of units that lie together may differ as much"
    more = "and also more" if p <= LEVEL else "but not more"
    so = "" if p <= LEVEL else ", so that lying together may be all there is to it"
    return (
        f", {more} than contiguous patches of the same sizes and similar rates do (p = {p:.2g}){so}"
    )


def _contiguous_missing(halves: HalvesResult) -> str:
    """Why patches of units that lie together were not compared; nothing where they were."""
    if np.isfinite(halves.all_contiguous_p):
        return ""
    reasons = "; ".join(dict.fromkeys(str(why) for why in halves.contiguous_missing if str(why)))
    return f"Patches of units that lie together were not compared: {reasons}."


def _what_was_done(result: TrsaResult, config: TrsaConfig) -> str:
    """Data and estimator in words."""
    several = result.populations["recording"].nunique()
    recordings = counted(several, "recording")
    repeats = from_to(result.populations["n_folds"], "repeat")
    how = {
        "crossnobis": "the squared distance of mean responses in units of noise, cross-validated "
        "over repeats: 0 on average, and below 0 as often as above, where two conditions are "
        "answered alike",
        "mahalanobis2": "the squared distance of mean responses in units of noise, which noise "
        "makes larger",
        "correlation": "one less the correlation of mean responses over units",
    }.get(config.estimators[0], f"'{config.estimators[0]}'")
    return (
        f"{recordings} with {result.condition.size} shared conditions in {repeats} "
        f"{'was' if several == 1 else 'were'} used. The units of one region in one recording are a "
        f"population. How differently a population answers two conditions is {how}. Only ranks of "
        "these dissimilarities are compared, so that strength of responses and number of units do "
        "not matter by themselves."
    )


def _halves_words(result: TrsaResult) -> str:
    """What tells regions of one recording apart."""
    halves = result.halves
    if halves is None:
        return f"Regions of one recording are not told apart here: {result.halves_missing}."
    best = int(np.argmax(halves.all_accuracy))
    lower, upper = result.level_bounds[best]
    geometry = geometry_level(result)
    topology = (
        f"Accuracy by ranks, which is all of the geometry, is "
        f"{100 * halves.all_accuracy[geometry]:.0f} %; at the best levels ({lower:g} to {upper:g}) "
        f"it is {100 * halves.all_accuracy[best]:.0f} % (p = {halves.all_p_corrected[best]:.2g}, "
        "corrected for having looked at all levels). The largest gain over geometry anywhere on "
        f"the map is {100 * halves.gain:.0f} points; regroupings gain as much or more in "
        f"{100 * halves.gain_p:.0f} % of draws, so "
        + (
            "topology adds something that chance would rarely add."
            if halves.gain_p <= LEVEL
            else "it is no sign that topology adds to geometry."
        )
    )
    told = (_halves_claim(result, halves), _halves_further(result, halves), topology)
    return " ".join(words for words in told if words)


def _subjects_words(result: TrsaResult) -> str:
    """What may be said over subjects."""
    found = result.subjects
    if found is None:
        return (
            f"Nothing is said about other animals: {result.subjects_missing}. Units, repeats and "
            "conditions are what results generalise over."
        )
    left_out = (
        f" Only one subject has {', '.join(map(str, found.excluded))}."
        if found.excluded.size
        else ""
    )
    if found.least_p > LEVEL:
        return (
            f"A test over {found.subject.size} subjects and {found.region.size} regions is "
            f"impossible: the smallest p that relabelling allows is {found.least_p:.2g}. "
            f"Accuracies over subjects are descriptive.{left_out}"
        )
    return _subjects_found(result, found) + left_out


def _subjects_found(result: TrsaResult, found: SubjectsResult) -> str:
    best = int(np.argmax(found.accuracy))
    ranks = list(found.family).index("ranks")
    nested = (
        f"{100 * found.nested_accuracy:.0f} %" if np.isfinite(found.nested_accuracy) else "unknown"
    )
    return (
        f"Over {found.subject.size} subjects, regions are recognised from the other subjects in "
        f"{100 * found.family_accuracy[ranks]:.0f} % by ranks (p = {found.raw_p[ranks]:.2g}) and "
        f"in {100 * found.accuracy[best]:.0f} % at the best levels "
        f"(p = {found.p_corrected[best]:.2g}, corrected for having looked at all levels); "
        f"with levels chosen without the subject that is judged it is {nested}. Regions "
        "that differ in noise or number of units can be told apart by that alone."
    )


def _limits(result: TrsaResult) -> str:
    """What these data cannot show."""
    order = (
        " Conditions came in one order, so that what differs between them may be time as well as "
        "stimulus."
        if result.fixed_order
        else ""
    )
    null = (
        f" Relations and models have no p: {result.relation_missing}."
        if result.relation_missing
        else ""
    )
    patches = result.halves is not None and np.isfinite(result.halves.all_contiguous_p)
    together = (
        "regroupings into patches behind random boundaries allow for that, random ones do not."
        if patches
        else "regroupings of units that ignore where they lie, as here, do not rule that out."
    )
    return (
        "Units that lie close together share receptive fields, and any contiguous group of them "
        f"differs from another; {together}{order}{null} A difference that is not significant is no "
        "sign of sameness."
    )


def _population_table(result: TrsaResult) -> Table:
    """One row a population."""
    return Table(
        id="populations",
        title="Populations",
        caption=(
            "Rate: median over units of the mean in the response window. Decoded: share of "
            "conditions that are recognised in a left-out repeat by the nearest mean of the "
            f"others, chance is {1 / result.condition.size:.3f}"
            + where_told(
                result.populations,
                "decoding_low",
                "; its 95 % range is over neurons and stimuli of this recording, with the same "
                "repeats, rather too narrow (0.85 to 0.93 times the spread of simulated "
                "recordings), and empty where no resample differs",
            )
            + ". Decoded, equal units: with as many units as the smallest region of the recording, "
            f"mean over {CHOICES} random choices; only these compare regions. "
            "Reliability: rank correlation of dissimilarities between "
            "halves without common units or repeats, with its 95 % range over neurons and stimuli "
            "of this recording"
            + where_told(
                result.populations,
                "reliability_p",
                "; its p shuffles conditions"
                + (
                    f", of which {1 / result.condition.size:.2g} is the smallest that shifts allow"
                    if result.condition_order != "none"
                    else ""
                ),
            )
            + ". Repeats only: halves with the same units."
        ),
        columns=_columns(
            result.populations,
            {
                "recording": "recording",
                "subject": "subject",
                "region": "region",
                "n_units": "units",
                "rate_hz": "rate (Hz)",
                "n_trials": "trials",
                "n_folds": "repeats",
                "decoding": "decoded",
                "decoding_low": "decoded from",
                "decoding_high": "decoded to",
                "decoding_equal": "decoded, equal units",
                "reliability": "reliability",
                "reliability_low": "from",
                "reliability_high": "to",
                "reliability_p": "p",
                "repeat_reliability": "repeats only",
            },
        ),
    )


def _pairs_table(result: TrsaResult) -> Table:
    """One row a pair of regions."""
    return Table(
        id="region-pairs",
        title="Pairs of regions",
        caption=(
            "Separation: rank correlation of dissimilarities within the two regions less that "
            "between them, in halves without common units or repeats; its 95 % range is over "
            "neurons and stimuli of this recording and secondary to p, which is from regroupings "
            "of the units. Relation: rank correlation between the regions in such halves, empty "
            "where one is not reliable; "
            + where_told(result.region_pairs, "relation_p", "p from shuffles of conditions; ")
            + "ceiling: what their reliabilities allow. Adjusted for the number of pairs."
            + (
                where_told(
                    result.region_pairs,
                    "relation_p",
                    " Conditions lie on a line: shuffles are shifts after the mean of each lag was "
                    "taken out, and p of relations is approximate.",
                )
                if result.condition_order == "linear"
                else ""
            )
        ),
        columns=_columns(
            result.region_pairs,
            {
                "recording": "recording",
                "first": "first",
                "second": "second",
                "separation": "separation",
                "separation_low": "from",
                "separation_high": "to",
                "chance": "by chance",
                "p": "p",
                "p_adjusted": "adjusted p",
                "relation": "relation",
                "ceiling": "ceiling",
                "relation_p": "p of relation",
                "relation_p_adjusted": "adjusted p of relation",
            },
        ),
    )


def _models_table(result: TrsaResult) -> Table:
    """One row a model and region."""
    return Table(
        id="model-scores",
        title="Models",
        caption=(
            "Score: similarity of dissimilarities, mean over subjects."
            + where_told(
                result.model_scores,
                "p",
                " p: shuffles of conditions, one-sided; adjusted for the number of rows.",
            )
            + where_told(
                result.model_scores,
                "below_ceiling_p",
                " p against ceiling: two-sided, of the difference to the lower noise ceiling.",
            )
            + (
                " Fitted models: score on pairs of conditions, and subjects, that did not fit "
                f"them, mean over {POINT_ASSIGNMENTS} ways to split"
                + where_told(
                    result.model_scores, "p", "; their p is of the score over its standard error"
                )
                + "."
                if len(result.model_weights)
                else ""
            )
            + _undefined_words(result)
        ),
        columns=_columns(
            result.model_scores,
            {
                "region": "region",
                "model": "model",
                "score": "score",
                "se": "standard error",
                "p": "p",
                "p_adjusted": "adjusted p",
                "below_ceiling_p": "p against ceiling",
                **({"undefined": "without a score"} if _undefined_words(result) else {}),
            },
        ),
    )


def _undefined_words(result: TrsaResult) -> str:
    """That fitted models have no score in some folds, which then do not count."""
    share = result.model_scores["undefined"].to_numpy(dtype=np.float64)
    if not (share > 0).any():
        return ""
    return (
        f" In up to {100 * np.nanmax(share):.0f} % of the folds (column 'without a score') a "
        "fitted model has no score, as no candidate has a weight above 0 there or nothing varies; "
        "they are left out of the mean, which is then rather too good, and above "
        f"{100 * MOST_UNDEFINED:.0f} % there is none."
    )


def _model_pairs_table(result: TrsaResult) -> Table:
    """One row a region and two models."""
    n_subjects = len(set(result.populations["subject"]))
    over = "subjects and conditions" if n_subjects > 1 else "conditions"
    return Table(
        id="model-pairs",
        title="Models beside each other",
        caption=(
            f"Score of the first model less that of the second, over the same resampled {over}. "
            + (
                where_told(
                    result.model_pairs,
                    "p",
                    "p: two-sided, of the difference over its standard error (t), adjusted for the "
                    "number of rows. A large p is no sign that models are alike.",
                )
                or f"There is no p: {result.model_missing or 'no score has a standard error'}."
            )
        ),
        columns=_columns(
            result.model_pairs,
            {
                "region": "region",
                "first": "model",
                "second": "other model",
                "difference": "difference",
                "se": "standard error",
                "p": "p",
                "p_adjusted": "adjusted p",
            },
        ),
    )


def _weights_table(result: TrsaResult) -> Table:
    """One row a candidate of a fitted model and region."""
    return Table(
        id="model-weights",
        title="Weights of fitted models",
        caption=(
            "From all conditions and subjects, at least 0, for candidates of equal spread, as "
            "shares of their sum. Candidates that resemble each other share their weight, so that "
            "single weights are no test of single candidates."
        ),
        columns=_columns(
            result.model_weights,
            {"region": "region", "fit": "fitted model", "model": "candidate", "weight": "weight"},
        ),
    )


def _left_out_table(result: TrsaResult) -> Table:
    return Table(
        id="left-out",
        title="What was left out",
        caption="Units, trials and conditions that were not used, with reasons; regions "
        "whose dissimilarities are not compared over subjects or with models.",
        columns=_columns(result.left_out, {"what": "what", "count": "count", "reason": "reason"}),
    )


def _numbers(result: TrsaResult) -> Numbers:
    """Every number the words use."""
    numbers: dict[str, Number | list[Number]] = {
        "n_conditions": int(result.condition.size),
        "n_populations": len(result.populations),
        "n_units": [int(n) for n in result.populations["n_units"]],
        "reliability": [_number(value) for value in result.populations["reliability"]],
        "decoding": [_number(value) for value in result.populations["decoding"]],
        "decoding_low": [_number(value) for value in result.populations["decoding_low"]],
        "decoding_high": [_number(value) for value in result.populations["decoding_high"]],
        "n_permutations": result.n_permutations,
        "n_bootstraps": result.n_bootstraps,
    }
    levels = best_levels(result)
    if levels is not None:
        numbers["best_lower_level"], numbers["best_upper_level"] = levels
    halves = result.halves
    if halves is not None:
        geometry = geometry_level(result)
        numbers |= {
            "within_separation_p": _number(halves.all_separation_p),
            "within_separation": [_number(value) for value in halves.separation],
            "within_accuracy_ranks": _number(halves.all_accuracy[geometry]),
            "within_accuracy_low": _number(halves.accuracy_low),
            "within_accuracy_high": _number(halves.accuracy_high),
            "within_accuracy_best": _number(halves.all_accuracy.max()),
            "within_chance": _number(halves.all_chance[geometry]),
            "within_best_p": _number(halves.all_p_corrected.min()),
            "within_gain": _number(halves.gain),
            "within_gain_p": _number(halves.gain_p),
        }
    found = result.subjects
    if found is not None:
        numbers |= {
            "n_subjects": int(found.subject.size),
            "across_least_p": found.least_p,
            "across_accuracy_best": _number(found.accuracy.max()),
            "across_best_p": _number(np.nanmin(found.p_corrected))
            if np.isfinite(found.p_corrected).any()
            else None,
            "across_nested_accuracy": _number(found.nested_accuracy),
        }
    numbers |= holes_numbers(result)
    return numbers


MOST_KEY_NUMBERS = 3
"""Those that ask for most stand first."""


def _key_numbers(result: TrsaResult) -> tuple[KeyNumber, ...]:
    """What is compared over experiments."""
    told = []
    if result.subjects is not None:
        told.append(
            KeyNumber(
                name="regions recognised over subjects (share)",
                value=result.subjects.nested_accuracy,
            )
        )
    halves = result.halves
    if halves is not None:
        at = geometry_level(result)
        told.append(
            KeyNumber(
                name="regions recognised by halves of the data (share)",
                value=float(halves.all_accuracy[at]),
                low=halves.accuracy_low,
                high=halves.accuracy_high,
                beside=f"95 % range; chance {halves.all_chance[at]:.2f}",
            )
        )
    populations = result.populations
    for name, column in (
        ("reliability of dissimilarities (rank correlation)", "reliability"),
        ("conditions told by single trials (share)", "decoding"),
    ):
        values = [float(value) for value in populations[column] if np.isfinite(value)]
        if values:
            told.append(middle_with_range(name, values, "populations"))
    return key_numbers(*told)[:MOST_KEY_NUMBERS]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
