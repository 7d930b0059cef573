"""Groupings that were both found in the activity, held against each other over halves of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pipeline.agreement.pairs import LEAST_A_THIRD, LEAST_MAP, exchange_words
from pipeline.core.halves import Halves
from pipeline.core.labelling import UnitLabels
from pipeline.core.resuming import ALONE, Loops, Made
from pipeline.core.rng import stream
from pipeline.numerics.crossed_labels import CrossedAgreement, CrossedLabels, crossed_agreement
from pipeline.numerics.label_tests import plane, thirds


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HalvesTest:
    """Two kinds of groupings, each from another half of the data."""

    kinds: tuple[str, str]
    reason: str = ""
    """Why nothing was tested; empty where it was."""
    n_recordings: int = 0
    n_units: int = 0
    """With labels by both methods from different halves."""
    ari: float = np.nan
    """Mean of first against second half and second against first; NaN where not tested."""
    ami: float = np.nan
    p_value: float = np.nan
    chance: float = np.nan
    """Mean ARI of exchanges."""
    chance_high: float = np.nan
    """ARI that one exchange in twenty exceeds."""
    null: str = ""
    """How chance was told."""
    n_candidates: int = 1
    """Largest number of pairs of groupings among which the best agreeing one was taken."""
    own_ari: tuple[float, float] = (np.nan, np.nan)
    """ARI of each kind's first with its own second half."""
    gap_s: tuple[float, float] = (np.nan, np.nan)
    """Least and most between the halves of a recording."""
    alike_s: float = np.nan
    """For how long the activity of a recording stays alike, at most."""

    @property
    def tested(self) -> bool:
        """Whether there is a p value."""
        return bool(np.isfinite(self.p_value))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Population:
    """The units of one recording, in an order that all arrays share."""

    unit: Sequence[str]
    item: Sequence[str]
    """The same where the same neuron was seen again in another recording."""
    level: NDArray[np.float64]
    """How active each unit is; NaN where not known."""
    place: NDArray[np.float64]
    """Shape (unit, 3), um; NaN where not known."""


def compare_halves(
    kinds: Sequence[str],
    halves: Mapping[str, Sequence[Halves]],
    reasons: Mapping[str, str],
    populations: Mapping[str, Population],
    *,
    n_permutations: int,
    least: int,
    seed: int,
    loops: Loops = ALONE,
) -> tuple[HalvesTest, ...]:
    """Every two kinds of groupings that were found in the activity.

    Parameters
    ----------
    kinds
        All kinds that were found in the activity.
    halves
        Kind to what was fitted to halves: once, or once a recording.
    reasons
        Kind to why there are no halves of it.
    populations
        Recording to its units, in the order of the sheet.
    n_permutations, least
        As in :func:`~pipeline.agreement.pairs.compare_pairs`.
    seed
        Root of all random numbers.
    loops
        Its pieces, each all exchanges of a pair of kinds.
    """
    found = []
    for first, second in combinations(kinds, 2):
        lacking = [f"{kind}: {reasons[kind]}" for kind in (first, second) if not halves.get(kind)]
        if lacking:
            found.append(HalvesTest(kinds=(first, second), reason="; ".join(lacking)))
            continue
        rng = stream(seed, "agreement over halves", first, second)
        fitted = [*halves[first], *halves[second]]
        gap_s = np.concatenate([one.gap_s for one in fitted])
        test = _tested(
            (first, second),
            (_sides(halves[first]), _sides(halves[second])),
            populations,
            n_permutations=n_permutations,
            least=least,
            rng=rng,
            loops=loops,
        )
        found.append(
            replace(
                test,
                gap_s=(float(gap_s.min()), float(gap_s.max())),
                alike_s=float(np.concatenate([one.alike_s for one in fitted]).max()),
            )
        )
    return tuple(found)


Sides = tuple[list[UnitLabels], list[UnitLabels]]
"""Groupings of the first and of the second half."""


def _sides(halves: Sequence[Halves]) -> Sides:
    """Groupings by their place, those of recordings that were fitted alone joined to one."""
    return _joined([one.first for one in halves]), _joined([one.second for one in halves])


def _joined(parts: Sequence[Sequence[UnitLabels]]) -> list[UnitLabels]:
    if len(parts) == 1:
        return list(parts[0])
    return [
        UnitLabels(
            name=alike[0].name,
            kind=alike[0].kind,
            from_activity=True,
            **{
                key: np.concatenate([getattr(one, key) for one in alike])
                for key in ("recording", "unit", "item", "label", "probability")
            },
        )
        for alike in zip(*parts, strict=True)
    ]


def _tested(
    kinds: tuple[str, str],
    sides: tuple[Sides, Sides],
    populations: Mapping[str, Population],
    *,
    n_permutations: int,
    least: int,
    rng: np.random.Generator,
    loops: Loops,
) -> HalvesTest:
    (one_first, one_second), (other_first, other_second) = sides
    counted = _first_seen(populations, [*one_first, *one_second], [*other_first, *other_second])

    def crossed(
        given: Sequence[list[UnitLabels]], found: Sequence[list[UnitLabels]]
    ) -> list[CrossedLabels]:
        return [
            CrossedLabels(
                given=tuple(_codes(each, name, population, counted[name]) for each in given),
                found=tuple(_codes(each, name, population, counted[name]) for each in found),
                stratum=thirds(population.level, least=3 * LEAST_A_THIRD),
                position=plane(population.place, least=LEAST_MAP),
            )
            for name, population in populations.items()
            if counted[name].any()
        ]

    both = crossed((one_first, one_second), (other_second, other_first))
    if not both:
        return HalvesTest(kinds=kinds, reason="no unit has labels of both in halves of the data")

    def exchange(*, turn_maps: bool) -> CrossedAgreement:
        made = loops.piece(
            lambda _: _as_arrays(
                crossed_agreement(
                    both,
                    n_permutations=n_permutations,
                    least=least,
                    rng=rng,
                    turn_maps=turn_maps,
                )
            ),
            rng,
        )
        return _from_arrays(made)

    exchanged = exchange(turn_maps=False)
    if np.isnan(exchanged.ari):
        return HalvesTest(
            kinds=kinds,
            reason=f"in no recording have {least} units labels of both from different halves, in "
            "two groups or more",
        )
    p_value = exchanged.p_value
    used = [one for one in both if _n_units(one, exchanged, least)]
    n_mapped = sum(one.position is not None for one in both)
    if n_mapped:
        turned = exchange(turn_maps=True)
        # Neither alone keeps both what units share by their activity and what by their place.
        p_value = max(p_value, turned.p_value)
    own = [
        crossed_agreement(crossed((first,), (second,)), n_permutations=0, least=least, rng=rng).ari
        for first, second in sides
    ]
    n_candidates = max(len(a) * len(b) for a, b in zip(both[0].given, both[0].found, strict=True))
    return HalvesTest(
        kinds=kinds,
        n_recordings=len(used),
        n_units=sum(_n_units(one, exchanged, least) for one in used),
        ari=exchanged.ari,
        ami=_adjusted_mutual_information(used, exchanged, least),
        p_value=p_value,
        chance=exchanged.chance,
        chance_high=exchanged.chance_high,
        null=exchange_words(
            n_permutations,
            by_thirds=any(np.unique(one.stratum).size > 1 for one in used),
            mapped=(n_mapped, len(both)),
            n_candidates=n_candidates,
        ),
        n_candidates=n_candidates,
        own_ari=(own[0], own[1]),
    )


def _as_arrays(found: CrossedAgreement) -> Made:
    """What was found, as a loop keeps it; -1 for what is best where nothing can be compared."""
    numbers = [found.ari, found.p_value, found.chance, found.chance_high]
    best = [(-1, -1) if one is None else one for one in found.best]
    return {"numbers": np.array(numbers), "best": np.array(best, dtype=np.int64).reshape(-1, 2)}


def _from_arrays(made: Made) -> CrossedAgreement:
    ari, p_value, chance, chance_high = made["numbers"].tolist()
    best = tuple(None if one < 0 else (one, other) for one, other in made["best"].tolist())
    return CrossedAgreement(
        ari=ari, p_value=p_value, chance=chance, chance_high=chance_high, best=best
    )


def _first_seen(
    populations: Mapping[str, Population], *methods: Sequence[UnitLabels]
) -> dict[str, NDArray[np.bool_]]:
    """Whether a unit counts in a recording: a neuron does where both methods first label it."""
    labelled = [
        {key for one in labellings for key in zip(one.recording, one.unit, strict=True)}
        for labellings in methods
    ]
    both = set.intersection(*labelled)
    seen: set[str] = set()
    found = {}
    for name, population in populations.items():
        counts = np.zeros(len(population.unit), dtype=bool)
        for at, (unit, item) in enumerate(zip(population.unit, population.item, strict=True)):
            if (name, unit) in both and item not in seen:
                seen.add(item)
                counts[at] = True
        found[name] = counts
    return found


def _codes(
    labellings: Sequence[UnitLabels],
    name: str,
    population: Population,
    counted: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Labels of one recording's units as numbers, -1 for none, shape (grouping, unit)."""
    codes = np.full((len(labellings), len(population.unit)), -1, dtype=np.int64)
    place = {unit: at for at, unit in enumerate(population.unit) if counted[at]}
    for row, one in enumerate(labellings):
        number = np.unique(one.label, return_inverse=True)[1]
        for at in np.flatnonzero(one.recording == name):
            column = place.get(str(one.unit[at]), -1)
            if column >= 0:
                codes[row, column] = number[at]
    return codes


def _best(one: CrossedLabels, agreement: CrossedAgreement, least: int) -> list[NDArray[np.int64]]:
    """Of each crossing the labels of the best candidates, shape (2, unit with both), if enough."""
    found = []
    for given, other, best in zip(one.given, one.found, agreement.best, strict=True):
        if best is None:
            continue
        labels = np.stack([given[best[0]], other[best[1]]])
        labels = labels[:, (labels >= 0).all(axis=0)]
        if labels.shape[1] >= least and min(np.unique(row).size for row in labels) > 1:
            found.append(labels)
    return found


def _n_units(one: CrossedLabels, agreement: CrossedAgreement, least: int) -> int:
    """Units of a recording that are compared, in the crossing that has more."""
    return max((labels.shape[1] for labels in _best(one, agreement, least)), default=0)


def _adjusted_mutual_information(
    used: Sequence[CrossedLabels], agreement: CrossedAgreement, least: int
) -> float:
    """Mean over crossings and recordings, by their units."""
    from sklearn.metrics import adjusted_mutual_info_score

    compared = [labels for one in used for labels in _best(one, agreement, least)]
    scores = [adjusted_mutual_info_score(*labels) for labels in compared]
    return float(np.average(scores, weights=[labels.shape[1] for labels in compared]))
