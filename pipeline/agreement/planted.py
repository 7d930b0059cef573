"""What simulated recordings hold of agreement, beside what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.agreement.pairs import Pair
from pipeline.agreement.section import LEVEL, best_of_kinds, moments_tested
from pipeline.core.labelling import Association, UnitLabels
from pipeline.core.planted import Planted, nothing_planted
from pipeline.core.words import counted
from pipeline.numerics.partitions import adjusted_rand_index


def planted_agreement(
    planted: Sequence[Planted],
    labellings: Sequence[UnitLabels],
    pairs: Sequence[Pair],
    associations: Sequence[Association],
) -> str:
    """How planted groups agree with each other, and how planted courses go with epochs.

    Regions, and types that the file names, are what they are in the file.

    Parameters
    ----------
    planted
        What was planted for all methods; at least one.
    labellings, pairs, associations
        What was found, and compared.
    """
    groups = {
        **{one.kind: grouping(one) for one in labellings if not one.from_activity},
        **{one.kind: one.groups for one in planted if one.groups},
    }
    shown = best_of_kinds(pairs)
    told = [
        f"{' and '.join(pair.kinds)} with ARI "
        f"{agreement_of(groups[pair.kinds[0]], groups[pair.kinds[1]]):z.2f} (found {pair.ari:z.2f})"
        for pair in shown
        if set(pair.kinds) <= set(groups)
    ]
    lacking = sorted({kind for pair in shown for kind in pair.kinds} - set(groups))
    in_time = [one.moments for one in planted if one.moments and associations]
    if not told and not in_time:
        return nothing_planted(planted)
    if lacking:
        told.append(f"no {' or '.join(lacking)}")
    if in_time:
        n_tested, n_small = moments_tested(associations)
        found = f"{n_small} of {counted(n_tested, 'comparison')} with p <= {LEVEL:g}"
        told.append(f"{' and '.join(in_time)}, found: {found}")
    return f"Planted: {'; '.join(told)}."


def beside_planted(found: Sequence[UnitLabels], planted: Sequence[Planted]) -> str:
    """How groupings of units that were found agree with planted groups of another kind.

    Returns
    -------
    One sentence a kind; of several groupings of a kind the one that agrees best counts. Empty
    where there is nothing to compare.
    """
    told = []
    for kind in dict.fromkeys(one.kind for one in found if one.from_activity):
        of_kind = [one for one in found if one.kind == kind]
        best = f" (the best of {len(of_kind)})" if len(of_kind) > 1 else ""
        scores = [
            f"with the planted {other.kind} by ARI "
            f"{max(agreement_of(grouping(one), other.groups) for one in of_kind):z.2f}"
            for other in planted
            if other.groups
        ]
        if scores:
            told.append(f"{kind.capitalize()}{best} agree {', '.join(scores)}.")
    return " ".join(told)


def grouping(labels: UnitLabels) -> dict[str, str]:
    """Id of a unit to its label."""
    return dict(zip(map(str, labels.unit), map(str, labels.label), strict=True))


def agreement_of(first: Mapping[str, str], second: Mapping[str, str]) -> float:
    """Adjusted Rand index of two groupings over the units that both have."""
    both = [unit for unit in first if unit in second]
    one, other = (
        np.unique([groups[unit] for unit in both], return_inverse=True)[1]
        for groups in (first, second)
    )
    return adjusted_rand_index(one, other)
