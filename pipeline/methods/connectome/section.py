"""The words of the report about a connectome."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pipeline.core.parts import (
    Check,
    Figure,
    KeyNumber,
    Number,
    Numbers,
    Section,
    Table,
    key_numbers,
    status_from_checks,
    with_range,
)
from pipeline.core.unit_names import NO_NAMES, UnitNames
from pipeline.core.words import counted, for_number
from pipeline.methods.connectome.anatomy import LEAST_EDGES, LEAST_UNITS
from pipeline.methods.connectome.anatomy_parts import above_rewired, anatomy_table, anatomy_words
from pipeline.methods.connectome.baselines import verdict
from pipeline.methods.connectome.communities import MIN_SIZE, named
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.lead_lag_parts import (
    lead_lag_numbers,
    lead_lag_table,
    lead_lag_words,
)
from pipeline.methods.connectome.networks import unit_names
from pipeline.methods.connectome.pair_affinity import affinity_words
from pipeline.methods.connectome.rank_choice import (
    held_out_runs,
    median_similarity,
    reasons,
    supported,
)
from pipeline.methods.connectome.readback import followed
from pipeline.methods.connectome.result import ConnectomeResult
from pipeline.methods.connectome.surrogates import (
    FOR_A_CLAIM,
    SHARED_LEVEL,
    TESTED,
    compare,
    supported_components,
)
from pipeline.methods.connectome.tables import (
    baselines_table,
    components_table,
    epochs_table,
    members_table,
    predictions_table,
    selection_table,
)


def section(
    result: ConnectomeResult,
    checks: tuple[Check, ...],
    figures: tuple[Figure, ...],
    config: ConnectomeConfig,
    names: UnitNames = NO_NAMES,
) -> Section:
    """All that the report says about the connectome, in reading order.

    Parameters
    ----------
    result
        The joined fit.
    checks, figures
        What :mod:`diagnostics` and :mod:`figures` made of it.
    config
        The method's settings.
    names
        What units are called.
    """
    called = unit_names(result, names)
    by_id = {figure.id: figure for figure in figures}
    body: list[str | Figure | Table] = [_what_was_done(result, config)]
    body += [by_id[name] for name in ("example",) if name in by_id]
    body += [by_id["components"]]
    body += [by_id["dominance"], components_table(result, called)]
    body.append(_rank_words(result))
    body += [by_id[name] for name in ("rank",) if name in by_id]
    body += [by_id[name] for name in ("epochs",) if name in by_id]
    if result.epoch_test is not None:
        body.append(epochs_table(result, result.epoch_test))
    body.append(_reproducibility_words(result))
    body += [by_id[name] for name in ("surrogates",) if name in by_id]
    body += [by_id[name] for name in ("baselines",) if name in by_id]
    if result.baselines is not None:
        body.append(baselines_table(result, result.baselines))
    if config.edges:
        body += _anatomy(result, by_id)
    body += [_communities_words(result, config), by_id["network"]]
    body += [by_id[name] for name in ("dendrogram", "traces") if name in by_id]
    body.append(members_table(result, called))
    if config.seeds:
        body.append(predictions_table(result, config.seeds, called))
    if config.lead_lag_pairs:
        body.append(lead_lag_words(result, config.sigma_s))
    body += [by_id[name] for name in ("lead-lag",) if name in by_id]
    if result.lead_lag is not None:
        body.append(lead_lag_table(result, result.lead_lag, called))
    body.append(by_id["restarts"])
    body += [by_id[name] for name in ("truth", "onsets") if name in by_id]
    body += [selection_table(result), _limits(result)]
    return Section(
        id="connectome",
        title="Dynamic functional connectome",
        status=status_from_checks(checks),
        sentence=_sentence(result),
        body=tuple(body),
        checks=checks,
        numbers=_numbers(result),
        key_numbers=_key_numbers(result),
        merged=_merged(result),
        citation="Dyballa et al. (2024)",
    )


def _anatomy(
    result: ConnectomeResult, by_id: Mapping[str, Figure]
) -> tuple[str | Figure | Table, ...]:
    """The comparison with known connections, or why there is none."""
    if result.anatomy is None:
        return (
            f"Nothing was held against the table of known connections: at least {LEAST_UNITS} of "
            f"its units, with {LEAST_EDGES} connections of a kind between them and a pair without, "
            "must be among the units used, and under the same names.",
        )
    return anatomy_words(result.anatomy), by_id["anatomy"], anatomy_table(result.anatomy)


def _sentence(result: ConnectomeResult) -> str:
    """The finding for the first screen, with its uncertainty."""
    repeats = compare(result)["reproducibility"]
    across = "recordings" if result.recording.size > 1 else "the two halves of the recording"
    verdict = {
        "untested": "not compared with chance",
        "first look": "a first look, no finding yet",
        "above": "above chance",
        "not above": f"not above chance, which asks for p <= {SHARED_LEVEL:.4g}",
    }[repeats.verdict]
    tested = "" if repeats.verdict == "untested" else f": {repeats.said()}"
    beside = _in_brackets(
        _spread(result.reproducibility, "components"),
        _spread(result.restart_reproducibility, "restarts"),
        "" if repeats.verdict == "untested" else _spread(repeats.surrogates, "surrogates"),
    )
    explained = _in_brackets(
        _spread(100 * result.recording_explained, "recordings", ".0f", " %"),
        f"{100 * (result.explained - result.static_explained):+.0f} points over one fixed graph "
        "per recording",
    )
    return (
        f"{counted(result.rank, 'component')} of {result.unit.size} units "
        f"{for_number(result.rank, '[explains|explain]')} "
        f"{100 * result.explained:.0f} % of their time-varying affinities{explained}, with "
        f"{for_number(result.rank, '[a pair pattern that agrees|pair patterns that agree]')} "
        f"across {across} with a cosine of {repeats.observed:z.2f}{beside}, {verdict}{tested}."
    )


def _spread(values: NDArray[np.float64], over: str, form: str = ".2f", unit: str = "") -> str:
    """Least and most over recordings, restarts, ...; nothing where there is one."""
    known = values[np.isfinite(values)]
    if known.size < 2:
        return ""
    low, high = f"{known.min():z{form}}", f"{known.max():z{form}}"
    ranged = f"{low} to {high}{unit} over" if low != high else f"{low}{unit} in all"
    return f"{ranged} {known.size} {over}"


def _in_brackets(*parts: str) -> str:
    told = "; ".join(part for part in parts if part)
    return f" ({told})" if told else ""


def _what_was_done(result: ConnectomeResult, config: ConnectomeConfig) -> str:
    """Data, affinity and alignment in words."""
    n = result.recording.size
    recordings = counted(n, "recording")
    if result.alignment == "absolute":
        time = (
            "Recordings were laid side by side from their starts, as the settings ask; what is "
            "beyond the end of a shorter one is missing. A component has one course of strength "
            "for all recordings and a share of each."
        )
    elif result.alignment == "by_epoch":
        time = (
            "All recordings have the same epochs, so these were cut out and laid side by side; a "
            "component has one course of strength for all recordings and a share of each."
        )
    elif n > 1:
        time = (
            "The recordings do not have the same epochs, so they share no clock. Their frames "
            "were put one after another: a component has its own course in each recording and "
            "one pattern of pairs for all, and its share of a recording is read off its stretch."
        )
    else:
        time = "There is one recording, so components have a course in time and a pair pattern."
    averaged = (
        f" Affinities were averaged over {result.coarse_grain} frames ({result.bin_s:.2g} s)."
        if result.coarse_grain > 1
        else ""
    )
    merged = "" if result.sides is None else f"{_sides_words(result)} "
    where = result.provenance.device
    solved = f" Factors were found by torch on {where}." if config.engine == "torch" else ""
    return (
        f"{recordings} with {result.unit.size} units {'was' if n == 1 else 'were'} used. "
        f"{merged}{_baseline_words(result)}{_regressed_words(result)}Each trace became a speed: "
        f"the absolute derivative smoothed over {config.sigma_s:g} s, on a scale from 0 (rest) to "
        f"1 (as fast as this unit gets). {affinity_words(result.affinity)} Scale and baseline of a "
        f"trace do not matter. {time}{averaged}{solved}"
    )


def _regressed_words(result: ConnectomeResult) -> str:
    """What was taken out of the traces before anything else."""
    if result.regressed is None:
        return ""
    taken = "; ".join(
        f"{name}: {words}"
        for name, words in zip(result.recording, result.regressed, strict=True)
        if words
    )
    return f"Taken out of every trace by linear regression, as the settings ask: {taken}. "


def _merged(result: ConnectomeResult) -> dict[str, tuple[str, ...]]:
    """Units that stand for two, and these two."""
    if result.sides is None:
        return {}
    both = (result.sides != "").all(axis=1)
    return {
        str(one): tuple(str(side) for side in sides)
        for one, sides in zip(result.unit[both], result.sides[both], strict=True)
    }


def _sides_words(result: ConnectomeResult) -> str:
    """Units that stand for two."""
    n_merged = len(_merged(result))
    return (
        f"{counted(n_merged, 'unit')} of these {for_number(n_merged, '[stands|stand]')} for both "
        "sides of the body (left and right homologues), with the mean of their traces."
    )


def _rank_words(result: ConnectomeResult) -> str:
    """Why this number of components."""
    choice = result.rank_choice
    if choice is None:
        return (
            f"The number of components, {result.rank}, was set by hand and compared with no other; "
            "set methods.connectome.ranks to see what speaks for it."
        )
    left_out = (
        f" {counted(choice.n_impossible, 'candidate')} with more components than frames or pairs "
        f"{for_number(choice.n_impossible, '[was|were]')} left out."
        if choice.n_impossible
        else ""
    )
    return " ".join(reasons(choice)) + left_out


def _baseline_words(result: ConnectomeResult) -> str:
    """How fluorescence became dF/F, said once for recordings that were treated alike."""
    treated: dict[str, list[str]] = {}
    for name, words in zip(result.recording, result.baseline, strict=True):
        if words:
            treated.setdefault(str(words), []).append(str(name))
    return "".join(
        f"Traces of {'all recordings' if len(names) == result.recording.size else ', '.join(names)}"
        f" are {words}. "
        for words, names in treated.items()
    )


def _reproducibility_words(result: ConnectomeResult) -> str:
    """What repeats, beside what surrogates give."""
    found = compare(result)
    n_supported = int(supported_components(result).sum())
    m = result.surrogate.size
    if m == 0:
        return (
            "No surrogates were fitted, so nothing here is compared with chance. Set "
            f"methods.connectome.n_surrogates to {FOR_A_CLAIM} before making a claim."
        )
    claim = (
        ""
        if m >= FOR_A_CLAIM
        else (
            f" {counted(m, 'surrogate')} {for_number(m, '[allows|allow]')} p = {1 / (1 + m):.2g} "
            f"at best and {for_number(m, '[is|are]')} a first look; use "
            f"{FOR_A_CLAIM} or more for a claim, which needs p <= {SHARED_LEVEL:.4g}, as "
            f"{len(TESTED)} statistics are compared."
        )
    )
    return (
        "Reproducibility asks whether pair patterns that are refitted in every recording (or "
        "time half) by itself agree. The time courses come from all the data, which flatters the "
        "value; surrogates, in which each unit's activity is shifted in time by itself, are "
        f"flattered alike. {_replication(result)}{found['reproducibility'].title}: "
        f"{found['reproducibility'].observed:z.2f}, {found['reproducibility'].said()}. "
        f"Gain over a static graph: {100 * found['gain'].observed:.1f} points, "
        f"{found['gain'].said()}. {n_supported} of {counted(result.rank, 'component')} "
        f"{for_number(n_supported, '[matters|matter]')} more than the "
        f"largest component of at least 95 % of the surrogates.{claim}"
    )


def _replication(result: ConnectomeResult) -> str:
    """What the units of replication are."""
    if result.recording.size == 1:
        return (
            "With one recording nothing is known about other animals, and halves between which "
            "conditions or slow drifts change may differ for that reason. "
        )
    return (
        "Recordings are the units of replication; whether each is another animal is not looked "
        "at here. "
    )


def _communities_words(result: ConnectomeResult, config: ConnectomeConfig) -> str:
    """How communities were made, how sure they are, and how often chance gives as strong ones."""
    found = compare(result)
    m = result.surrogate.size
    number, strength = found["communities"], found["concentration"]
    against = (
        f"In {number.n_as_large} of {counted(m, 'surrogate')} components have as many communities "
        f"as here (mean {number.observed:.1f}), in {strength.n_as_large} as much strength inside "
        "them."
        if m
        else "They were not compared with surrogates."
    )
    first, second = named(config)
    n_structured = int(result.structured.sum())
    how = (
        "Communities are the consensus of repeated modularity searches (Leiden) on each "
        "component's pair strengths. Such a search finds groups in any graph, in noise as well."
        if config.communities == "leiden"
        else f"Each component's pair strengths were described by {first}: groups of units, groups "
        "of groups, and log-normal or exponential strengths between them, with or without a "
        "correction for how many pairs a unit has, whichever is shortest. A community is a group "
        f"of {MIN_SIZE} or more units that are tied at least as strongly as the component's units "
        "are on average, and that are in the group in at least half of "
        f"{config.n_partitions} partitions drawn again; the rest is background. In "
        f"{n_structured} of {counted(result.rank, 'component')} groups are a shorter description "
        "than one group of all units; the others are listed as one community and are no finding."
    )
    return (
        f"{how} The second opinion is {second}; its communities agree with an adjusted Rand index "
        f"of {np.median(result.second_agreement):z.2f} (median over components; units in no "
        "community count as one group). The model treats pairs as independent although they come "
        f"from the traces of {result.unit.size} units, so it sees groups too easily, and only "
        f"surrogates tell about chance.{_sparse_words(config)} {against}"
    )


def _sparse_words(config: ConnectomeConfig) -> str:
    """Which ties communities were sought among, where not among all."""
    words = {
        "none": "",
        "backbone": " They were sought among the ties that hold more of one of their units' "
        f"strength than chance gives (disparity filter at {config.backbone_alpha:g}).",
        "density": " They were sought among the strongest ties only, "
        f"{100 * config.density:g} % of all pairs.",
    }
    return words[config.sparsify]


def _limits(result: ConnectomeResult) -> str:
    """What this version does not do, and what these data cannot show."""
    once = _labels_seen_once(result)
    confounded = (
        f" What differs in epochs that occur once in a recording ({', '.join(once)}) cannot be "
        "told from slow drift."
        if once
        else ""
    )
    return (
        "Not part of this version: movement and other behaviour beside the time courses. Affinity "
        "has no direction and can come from common drive such as stimuli or movement, and from "
        "drift that units share."
        f"{confounded}"
    )


def _labels_seen_once(result: ConnectomeResult) -> list[str]:
    """Labels that no recording repeats; none where recordings with other orders share time."""
    if result.side_by_side:
        return []
    epochs = result.epochs
    counts = epochs.groupby([epochs["label"].astype(str), epochs["recording"].astype(str)]).size()
    return [str(label) for label, most in counts.groupby(level=0).max().items() if most == 1]


def _numbers(result: ConnectomeResult) -> Numbers:
    """Every number the words use."""
    numbers: dict[str, Number | list[Number] | Mapping[str, Number]] = {
        "n_recordings": int(result.recording.size),
        "n_units": int(result.unit.size),
        "n_pairs": len(result.pair_units),
        "n_frames": int(result.frame_time_s.size),
        "frame_s": result.bin_s,
        "coarse_grain": result.coarse_grain,
        "alignment": result.alignment,
        "rank": result.rank,
        "relative_error": result.relative_error,
        "explained": result.explained,
        "static_explained": result.static_explained,
        "gain_over_static": result.explained - result.static_explained,
        "n_restarts": int(result.restart.size),
        "n_surrogates": int(result.surrogate.size),
        "n_supported_components": int(supported_components(result).sum()),
        "component_gain": _listed(result.component_gain),
        "component_reproducibility": _listed(result.reproducibility),
        "component_modularity": _listed(result.modularity),
        "component_concentration": _listed(result.concentration),
        "n_communities": [int(n) + 1 for n in result.community.max(axis=1)],
        "n_structured_components": int(result.structured.sum()),
        "component_saved_nats": _listed(result.saved_nats),
        "component_community_agreement": _listed(result.community_agreement),
        "component_second_agreement": _listed(result.second_agreement),
        "restart_error": _listed(result.restart_error),
        "restart_similarity": _listed(result.restart_similarity),
        "recording_explained": _listed(result.recording_explained),
    }
    if result.epoch_test is not None:
        numbers["n_components_that_follow_epochs"] = sum(
            bool(followed(result, component)) for component in range(result.rank)
        )
        numbers["epoch_p"] = {
            f"{component + 1} {label}": _number(p)
            for component, row in enumerate(result.epoch_test.p_value)
            for label, p in zip(result.epoch_test.label, row, strict=True)
        }
    if result.lead_lag is not None:
        numbers |= lead_lag_numbers(result.lead_lag)
    if result.anatomy is not None:
        above = above_rewired(result.anatomy)
        numbers["n_components_above_rewired"] = int(above[:-1].any(axis=1).sum())
        numbers["static_above_rewired"] = bool(above[-1].any())
    if result.left_out_likeness is not None:
        numbers["component_likeness_left_out"] = _listed(result.left_out_likeness.min(axis=1))
    choice = result.rank_choice
    if choice is not None:
        numbers |= {
            "rank_by_the_rule": choice.ruled,
            "rank_decided_by": choice.because,
            "rank_candidates": [int(one) for one in choice.rank],
            "rank_error": _listed(choice.error.min(axis=1)),
            "rank_held_out_error": _listed(held_out_runs(choice.held_out).mean(axis=1))
            if held_out_runs(choice.held_out).size
            else [],
            "rank_restart_similarity": _listed(median_similarity(choice.similarity)),
            "rank_core_consistency": _listed(choice.core_consistency),
            "rank_beyond_surrogates": [bool(one) for one in supported(choice)],
        }
    found = verdict(result.baselines) if result.baselines is not None else None
    if found is not None:
        numbers |= {
            "explained_where_not_learned": found.components,
            "best_simpler_analysis": found.best,
            "explained_by_it_where_not_learned": found.other,
            "pieces_ahead_of_it": found.n_ahead,
            "n_pieces": found.n_pieces,
            "ahead_of_it_p": _number(found.p_value),
        }
    for name, one in compare(result).items():
        numbers[f"{name}_observed"] = _number(one.observed)
        numbers[f"{name}_p"] = _number(one.p_value)
        numbers[f"{name}_surrogate_median"] = (
            float(np.median(one.surrogates)) if one.surrogates.size else None
        )
    return numbers


def _key_numbers(result: ConnectomeResult) -> tuple[KeyNumber, ...]:
    """What is compared over experiments."""
    each = result.recording_explained.tolist()
    explained = with_range("share of affinities explained", result.explained, each, "recordings")
    repeats = result.reproducibility[np.isfinite(result.reproducibility)].tolist()
    observed = compare(result)["reproducibility"].observed
    agreement = with_range("agreement of pair patterns (cosine)", observed, repeats, "components")
    if result.rank_choice is None:  # set by hand
        return key_numbers(explained, agreement)
    return key_numbers(KeyNumber(name="components", value=result.rank), explained, agreement)


def _number(value: float) -> float | None:
    """A float, or nothing where it is not one."""
    return float(value) if np.isfinite(value) else None


def _listed(values: np.ndarray) -> list[Number]:
    """Floats for JSON."""
    return [_number(float(value)) for value in values]
