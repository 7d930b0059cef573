"""The words of the report about a connectome."""

from __future__ import annotations

import numpy as np

from pipeline.core.parts import (
    Check,
    Figure,
    Number,
    Numbers,
    Section,
    Table,
    status_from_checks,
)
from pipeline.core.words import counted, for_number
from pipeline.methods.connectome.baselines import verdict
from pipeline.methods.connectome.communities import MIN_SIZE, named
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.networks import unit_names
from pipeline.methods.connectome.result import Baselines, ConnectomeResult
from pipeline.methods.connectome.surrogates import (
    FOR_A_CLAIM,
    SHARED_LEVEL,
    TESTED,
    compare,
    supported_components,
)
from pipeline.numerics.partitions import adjusted_rand_index

HEADLINE = ("explained", "reproducibility_observed")
"""The numbers that say most about a result in one line."""


def section(
    result: ConnectomeResult,
    checks: tuple[Check, ...],
    figures: tuple[Figure, ...],
    config: ConnectomeConfig,
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
    """
    numbers = _numbers(result)
    by_id = {figure.id: figure for figure in figures}
    body: list[str | Figure | Table] = [_what_was_done(result, config), by_id["components"]]
    body.append(_components_table(result))
    body.append(_reproducibility_words(result))
    body += [by_id[name] for name in ("surrogates",) if name in by_id]
    body += [by_id[name] for name in ("baselines",) if name in by_id]
    if result.baselines is not None:
        body.append(_baselines_table(result, result.baselines))
    body += [_communities_words(result, config), by_id["network"], by_id["restarts"]]
    body += [by_id[name] for name in ("truth",) if name in by_id]
    body += [_selection_table(result), _limits(result)]
    return Section(
        id="connectome",
        title="Dynamic functional connectome",
        status=status_from_checks(checks),
        sentence=_sentence(result),
        body=tuple(body),
        checks=checks,
        numbers=numbers,
        citation="Dyballa et al. (2024)",
    )


def _sentence(result: ConnectomeResult) -> str:
    """The finding for the first screen, with its uncertainty."""
    repeats = compare(result)["reproducibility"]
    across = "recordings" if result.recording.size > 1 else "the two halves of the recording"
    verdict = {
        "untested": "not compared with chance",
        "first look": "a first look, no finding yet",
        "above": "above chance",
        "not above": "not above chance",
    }[repeats.verdict]
    tested = "" if repeats.verdict == "untested" else f": {repeats.said()}"
    return (
        f"{counted(result.rank, 'component')} of {result.unit.size} units "
        f"{for_number(result.rank, '[explains|explain]')} "
        f"{100 * result.explained:.0f} % of their time-varying affinities "
        f"({100 * (result.explained - result.static_explained):+.0f} points over one fixed graph "
        f"per recording). Their pair patterns agree across {across} with a cosine of "
        f"{repeats.observed:.2f}, {verdict}{tested}."
    )


def _what_was_done(result: ConnectomeResult, config: ConnectomeConfig) -> str:
    """Data, affinity and alignment in words."""
    n = result.recording.size
    recordings = counted(n, "recording")
    if result.alignment == "by_epoch":
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
    return (
        f"{recordings} with {result.unit.size} units {'was' if n == 1 else 'were'} used. "
        f"{_baseline_words(result)}Each trace became a speed: the "
        f"absolute derivative smoothed over {config.sigma_s:g} s, on a scale from 0 (rest) to 1 "
        "(as fast as this unit gets). The affinity of two units at a moment is the square root "
        "of the product of their speeds, whatever their directions; rising and falling of a slow "
        f"indicator both count. Scale and baseline of a trace do not matter. {time}{averaged}"
    )


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
        f"{found['reproducibility'].observed:.2f}, {found['reproducibility'].said()}. "
        f"Gain over a static graph: {100 * found['gain'].observed:.1f} points, "
        f"{found['gain'].said()}. {n_supported} of {result.rank} components matter more than the "
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
        f"{n_structured} of {result.rank} components groups are a shorter description than one "
        "group of all units; the others are listed as one community and are no finding."
    )
    return (
        f"{how} The second opinion is {second}; its communities agree with an adjusted Rand index "
        f"of {np.median(result.second_agreement):.2f} (median over components; units in no "
        "community count as one group). The model treats pairs as independent although they come "
        f"from the traces of {result.unit.size} units, so it sees groups too easily, and only "
        f"surrogates tell about chance. {against}"
    )


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
        "Not part of this version: choice of the rank (it is a setting), statistical tests of "
        "components against epochs (shading is descriptive), movement and other behaviour beside "
        "the time courses, refits without single animals, and predictions. Affinity has no "
        "direction and can come from common drive such as stimuli or movement, and from drift that "
        f"units share.{confounded}"
    )


def _labels_seen_once(result: ConnectomeResult) -> list[str]:
    """Labels that no recording repeats; none where recordings with other orders share time."""
    if result.alignment == "by_epoch" and result.recording.size > 1:
        return []
    epochs = result.epochs
    counts = epochs.groupby([epochs["label"].astype(str), epochs["recording"].astype(str)]).size()
    return [str(label) for label, most in counts.groupby(level=0).max().items() if most == 1]


def _components_table(result: ConnectomeResult) -> Table:
    """One row a component."""
    supported = supported_components(result)
    members = []
    for component in range(result.rank):
        strength = np.nansum(result.pair_matrix(component), axis=0)
        top = np.argsort(-strength, kind="stable")[:5]
        members.append(", ".join(unit_names(result)[top]))
    tested = result.surrogate.size > 0
    main = result.component_recording.argmax(axis=1)
    columns: dict[str, tuple[Number, ...]] = {
        "component": tuple(range(1, result.rank + 1)),
        "explained share lost without it (%)": _rounded(100 * result.component_gain, 2),
        "above surrogates": tuple(
            ("yes" if flag else "no") if tested else "not tested" for flag in supported
        ),
        "reproducibility (cosine)": _rounded(result.reproducibility, 2),
        "communities": tuple(
            int(n) + 1 if groups else "no groups"
            for n, groups in zip(result.community.max(axis=1), result.structured, strict=True)
        ),
        "strength inside them": _rounded(result.concentration, 2),
        "agreement when drawn again": _rounded(result.community_agreement, 2),
        "agreement with second opinion": _rounded(result.second_agreement, 2),
        "strongest units": tuple(members),
    }
    if result.recording.size > 1:
        columns["largest recording"] = tuple(str(name) for name in result.recording[main])
        columns["its share (%)"] = _rounded(100 * result.component_recording.max(axis=1), 0)
    return Table(
        id="components-table",
        title="Components",
        caption=(
            "'Above surrogates': the loss is larger than that of the most important component "
            f"in at least 95 % of {counted(result.surrogate.size, 'surrogate')} (from "
            f"{FOR_A_CLAIM} on more than a first look); being of the best restart favours "
            "components a little. Reproducibility as in the text below; it needs the comparison "
            "with surrogates to mean anything. 'No groups': one group describes the component as "
            "well. 'Strength inside them': share of the pair strengths inside communities less "
            "their share of pairs. Agreements are adjusted Rand indices (1 the same, 0 as by "
            "chance)."
        ),
        columns=columns,
    )


def _baselines_table(result: ConnectomeResult, seen: Baselines) -> Table:
    """One row a simpler analysis."""
    across = "recordings" if result.recording.size > 1 else "halves"
    ahead = [int(n) for n in (seen.explained[:1] > seen.explained).sum(axis=1)]
    rows = range(seen.baseline.size)
    counts = seen.community.max(axis=1, initial=-1) + 1
    own = float(np.mean(result.community.max(axis=1) + 1))
    return Table(
        id="baselines-table",
        title="Components beside simpler analyses",
        caption=(
            f"Explained share in {across} that the patterns were not learned in; communities a "
            "pattern (components: as above; others: modularity); and how well each pattern's "
            "communities agree with those of the component most like them (mean of the largest "
            "adjusted Rand indices)."
        ),
        columns={
            "analysis": tuple(str(name) for name in seen.baseline),
            "patterns": tuple(int(n) if n else result.rank for n in seen.n_patterns),
            "explained, mean (%)": _rounded(100 * seen.explained.mean(axis=1), 1),
            "smallest (%)": _rounded(100 * seen.explained.min(axis=1), 1),
            "largest (%)": _rounded(100 * seen.explained.max(axis=1), 1),
            f"components ahead in {across}": tuple(
                f"{ahead[row]} of {seen.piece.size}" if row else "" for row in rows
            ),
            "communities a pattern": tuple(
                round(float(counts[seen.pattern_of == row].mean()), 1)
                if seen.n_patterns[row]
                else (round(own, 1) if row == 0 else None)
                for row in rows
            ),
            "like the components'": tuple(
                round(_likeness(result, seen.community[seen.pattern_of == row]), 2)
                if seen.n_patterns[row]
                else None
                for row in rows
            ),
        },
    )


def _likeness(result: ConnectomeResult, labels: np.ndarray) -> float:
    """Mean over patterns of the largest agreement of their communities with a component's."""
    return float(
        np.mean([max(adjusted_rand_index(one, own) for own in result.community) for one in labels])
    )


def _selection_table(result: ConnectomeResult) -> Table:
    """Units used and left out."""
    return Table(
        id="selection",
        title="Units used and left out",
        caption=(
            "Units of all recordings together; a pooled unit may come from several recordings."
        ),
        columns={
            "what": tuple(str(what) for what in result.selection["what"]),
            "count": tuple(int(count) for count in result.selection["count"]),
        },
    )


def _numbers(result: ConnectomeResult) -> Numbers:
    """Every number the words use."""
    numbers: dict[str, Number | list[Number]] = {
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
    # First what is worth comparing over experiments: the index shows the first two.
    return {**{name: numbers[name] for name in HEADLINE}, **numbers}


def _number(value: float) -> float | None:
    """A float, or nothing where it is not one."""
    return float(value) if np.isfinite(value) else None


def _listed(values: np.ndarray) -> list[Number]:
    """Floats for JSON."""
    return [_number(float(value)) for value in values]


def _rounded(values: np.ndarray, digits: int) -> tuple[Number, ...]:
    """Rounded floats, nothing where undefined."""
    return tuple(round(float(value), digits) if np.isfinite(value) else None for value in values)
