"""Tables of the report about a connectome."""

from __future__ import annotations

import numpy as np

from pipeline.core.parts import Number, Table
from pipeline.core.words import counted
from pipeline.methods.connectome.networks import Called
from pipeline.methods.connectome.readback import (
    Member,
    active,
    followed,
    members,
    predictions,
    seen_in,
)
from pipeline.methods.connectome.result import Baselines, ConnectomeResult, EpochTest
from pipeline.methods.connectome.surrogates import FOR_A_CLAIM, supported_components
from pipeline.numerics.partitions import adjusted_rand_index

MOST_ROWS = 300
"""Members that a page lists; the strongest of each community are kept."""


def components_table(result: ConnectomeResult, called: Called) -> Table:
    """One row a component."""
    supported = supported_components(result)
    strongest = []
    for component in range(result.rank):
        strength = np.nansum(result.pair_matrix(component), axis=0)
        top = np.argsort(-strength, kind="stable")[:5]
        strongest.append(", ".join(called[top]))
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
        "active (s)": tuple(
            round(sum(stop - first for first, stop in active(result, component)) * result.bin_s)
            for component in range(result.rank)
        ),
        "follows": tuple(
            ", ".join(followed(result, component)) or "none" for component in range(result.rank)
        )
        if result.epoch_test is not None
        else ("no epochs",) * result.rank,
        "strongest units": tuple(strongest),
    }
    if result.component_opposite is not None:
        opposite = result.component_opposite.sum(axis=0) / np.maximum(
            result.component_pair.sum(axis=0), np.finfo(float).tiny
        )
        columns["of it opposite changes (%)"] = _rounded(100 * opposite, 0)
    if result.recording.size > 1:
        columns["largest recording"] = tuple(str(name) for name in result.recording[main])
        columns["seen in recordings"] = tuple(
            f"{n} of {result.recording.size}" for n in seen_in(result)
        )
        columns["its share (%)"] = _rounded(100 * result.component_recording.max(axis=1), 0)
    if result.left_out_likeness is not None:
        columns["likeness without one recording"] = tuple(
            f"{row.min():z.2f} to {row.max():z.2f}" for row in result.left_out_likeness
        )
    return Table(
        id="components-table",
        title="Components",
        caption=(
            "'Above surrogates': the loss, in the median of the restarts (none in those that lack "
            "the component), is larger than that of the most important component in at least 95 % "
            f"of {counted(result.surrogate.size, 'surrogate')} (from {FOR_A_CLAIM} on more than a "
            "first look). Reproducibility as in the text below; it needs the comparison "
            "with surrogates to mean anything. 'No groups': one group describes the component as "
            "well. 'Strength inside them': share of the pair strengths inside communities less "
            "their share of pairs. Active: total of the stretches from half of the largest "
            "strength until below a quarter. Follows: labels of epochs in which it is larger than "
            "by chance. Seen in: recordings with a quarter of the largest share or more. Likeness: "
            "range of the cosine with what is found without one recording. Agreements are adjusted "
            "Rand indices (1 the same, 0 as by "
            "chance)."
        ),
        columns=columns,
    )


def baselines_table(result: ConnectomeResult, seen: Baselines) -> Table:
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


def epochs_table(result: ConnectomeResult, test: EpochTest) -> Table:
    """One row a component and label."""
    rows = [(c, at) for c in range(result.rank) for at in range(test.label.size)]
    contrast = test.contrast
    n_larger = (contrast > 0).sum(axis=2)
    n_known = np.isfinite(contrast).sum(axis=2)
    return Table(
        id="epochs-table",
        title="Components and epochs",
        caption=(
            "p is family-wise over all components and labels"
            + (
                " by sign flips over recordings."
                if test.over_recordings
                else " by shifts within recordings, and says nothing about other animals."
            )
            + " Differences are in standard deviations of those of shifted epochs; empty where "
            "nothing could be tested."
        ),
        columns={
            "component": tuple(c + 1 for c, _ in rows),
            "label": tuple(str(test.label[at]) for _, at in rows),
            "mean difference": tuple(
                round(float(np.nanmean(contrast[row])), 2) if n_known[row] else None for row in rows
            ),
            "larger inside in": tuple(f"{n_larger[row]} of {n_known[row]}" for row in rows),
            "p, all together": tuple(
                round(float(p), 4) if np.isfinite(p) else None
                for p in (test.p_value[row] for row in rows)
            ),
        },
    )


def members_table(result: ConnectomeResult, called: Called) -> Table:
    """One row a unit of a community."""
    every = members(result)
    place: dict[tuple[int, int], int] = {}
    ranked = []
    for one in every:
        key = one.component, one.community
        place[key] = place.get(key, 0) + 1
        ranked.append(place[key])
    most = max(3, MOST_ROWS // max(len(place), 1))
    shown = [one for one, rank in zip(every, ranked, strict=True) if rank <= most]
    left = len(every) - len(shown)
    return Table(
        id="members",
        title="Members of communities",
        caption=(
            "Probability: share of partitions drawn again in which the unit is in its group. "
            "Strength: summed pair strengths as a share of the strongest unit's. Within: strength "
            "inside the community in standard deviations from its members' mean. Participation: 0 "
            "if all strength lies in one group, near 1 if spread over many."
            + (f" {left} weaker members of large communities are not listed." if left else "")
        ),
        columns=_member_columns(shown, called),
    )


def predictions_table(result: ConnectomeResult, seeds: list[str], called: Called) -> Table:
    """Units that share communities with seeds."""
    found = predictions(result, tuple(seeds))
    unknown = sorted(set(seeds) - set(result.place))
    return Table(
        id="predictions",
        title="Units predicted to belong with the seeds",
        caption=(
            f"Seeds: {', '.join(seeds)}. Score: chance of sharing the group, times strength to "
            "the seeds (share of the strongest pair), times selectivity (largest mean difference "
            "inside epochs, 1 without epochs). Only components with groups count. Affinity has no "
            "direction; that a unit belongs to a circuit is for an experiment on it to show."
            + (f" Not among the units: {', '.join(unknown)}." if unknown else "")
        ),
        columns={
            "score": tuple(round(one.score, 3) for one in found),
            **_member_columns([one.member for one in found], called),
            "with seeds": tuple(
                ", ".join(str(called[unit]) for unit in one.seeds) for one in found
            ),
            "strength to seeds": tuple(round(one.to_seeds, 2) for one in found),
            "selectivity": tuple(round(one.selectivity, 2) for one in found),
        },
    )


def _member_columns(shown: list[Member], called: Called) -> dict[str, tuple[Number, ...]]:
    """What is told of a unit."""
    return {
        "unit": tuple(str(called[one.unit]) for one in shown),
        "component": tuple(one.component + 1 for one in shown),
        "community": tuple(one.community + 1 for one in shown),
        "probability": tuple(round(one.probability, 2) for one in shown),
        "strength": tuple(round(one.strength, 2) for one in shown),
        "within": tuple(round(one.within, 2) if np.isfinite(one.within) else None for one in shown),
        "participation": tuple(round(one.participation, 2) for one in shown),
        "second opinion": tuple("yes" if one.second else "no" for one in shown),
        "recordings": tuple(one.n_recordings for one in shown),
    }


def selection_table(result: ConnectomeResult) -> Table:
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


def _likeness(result: ConnectomeResult, labels: np.ndarray) -> float:
    """Mean over patterns of the largest agreement of their communities with a component's."""
    return float(
        np.mean([max(adjusted_rand_index(one, own) for own in result.community) for one in labels])
    )


def _rounded(values: np.ndarray, digits: int) -> tuple[Number, ...]:
    """Rounded floats, nothing where undefined."""
    return tuple(round(float(value), digits) if np.isfinite(value) else None for value in values)
