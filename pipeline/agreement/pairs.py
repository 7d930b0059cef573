"""Groupings of the same units, two by two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.agreement.unit_table import COORDINATES
from pipeline.core.labelling import UnitLabels
from pipeline.core.resuming import ALONE, Loops, arrays_of, record_of
from pipeline.core.rng import stream
from pipeline.numerics.label_tests import Agreement, GroupedLabels, label_agreement, plane, thirds

LEAST_MAP = 20
"""Units of known position that make a map."""
LEAST_A_THIRD = 10
"""Units that a third of the activity must hold for units to be exchanged only within it."""
SAME_DATA = "not tested here: both come from the same activity, whose noise they share"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    """Two groupings of the same units."""

    first: str
    second: str
    kinds: tuple[str, str]
    n_recordings: int
    ari: float
    """Mean over recordings, by their units."""
    ami: float
    p_value: float
    """NaN where nothing was tested."""
    null: str
    """How chance was told, or why it was not."""
    first_label: NDArray[np.str_]
    """Of the units with both labels, each once; shape (unit,)."""
    second_label: NDArray[np.str_]

    @property
    def n_units(self) -> int:
        """Units with both labels."""
        return int(self.first_label.size)


def compare_pairs(
    labellings: Sequence[UnitLabels],
    *,
    levels: Mapping[str, NDArray[np.float64]],
    places: Mapping[str, NDArray[np.float64]],
    unit_ids: Mapping[str, Sequence[str]],
    n_permutations: int,
    least: int,
    seed: int,
    loops: Loops = ALONE,
) -> tuple[Pair, ...]:
    """Every two groupings of different kinds that share enough units.

    A recording counts where ``least`` units have both labels and neither grouping puts all into
    one group. Neurons that were seen in several recordings count once, where first seen.

    Parameters
    ----------
    labellings
        All groupings.
    levels, places, unit_ids
        Recording to how active its units are, to their coordinates, and to their ids, in the same
        order.
    n_permutations
        Exchanges of units where one of the two was not found in the activity.
    seed
        Root of all random numbers.
    loops
        Its pieces, each all exchanges of a pair of kinds.
    """
    kinds: dict[str, list[UnitLabels]] = {}
    for one in labellings:
        kinds.setdefault(one.kind, []).append(one)
    found: list[Pair] = []
    for first, second in combinations(kinds, 2):
        # The one of which there are several is the one that is looked through.
        given, candidates = kinds[first], kinds[second]
        if len(given) > 1:
            given, candidates = candidates, given
        for one in given:
            joined = _joined(one, candidates, levels=levels, places=places, unit_ids=unit_ids)
            rng = stream(seed, "agreement", one.name, candidates[0].kind)
            found += _compared(one, candidates, joined, n_permutations, least, rng, loops)
    return tuple(found)


def _joined(
    given: UnitLabels,
    candidates: Sequence[UnitLabels],
    *,
    levels: Mapping[str, NDArray[np.float64]],
    places: Mapping[str, NDArray[np.float64]],
    unit_ids: Mapping[str, Sequence[str]],
) -> dict[str, pd.DataFrame]:
    """Recording to its units: ``given``, one column a candidate, ``level`` and coordinates."""
    table = _column(given, "given")
    for at, one in enumerate(candidates):
        table = table.merge(_column(one, f"found {at}"), how="left")
    names = [f"found {at}" for at in range(len(candidates))]
    table = table[table[names].notna().any(axis=1)].drop_duplicates("item")
    known = pd.concat(
        [
            pd.DataFrame(
                {"recording": name, "unit": list(ids), "level": levels[name]}
                | {axis: places[name][:, at] for at, axis in enumerate(COORDINATES)}
            )
            for name, ids in unit_ids.items()
        ]
    )
    table = table.merge(known, how="left")
    order = [name for name in unit_ids if name in set(table["recording"])]
    return {name: table[table["recording"] == name] for name in order}


def _column(one: UnitLabels, name: str) -> pd.DataFrame:
    keys = {"recording": one.recording, "unit": one.unit, "item": one.item}
    if name != "given":
        del keys["item"]  # pooled under another name by one method, the unit is still the same
    return pd.DataFrame({**keys, name: one.label})


def _compared(
    given: UnitLabels,
    candidates: Sequence[UnitLabels],
    joined: Mapping[str, pd.DataFrame],
    n_permutations: int,
    least: int,
    rng: np.random.Generator,
    loops: Loops,
) -> Iterator[Pair]:
    names = [f"found {at}" for at in range(len(candidates))]
    populations = {
        name: GroupedLabels(
            given=_codes(table["given"]),
            found=np.stack([_codes(table[each]) for each in names]),
            stratum=thirds(table["level"].to_numpy(np.float64), least=3 * LEAST_A_THIRD),
            position=plane(table[list(COORDINATES)].to_numpy(np.float64), least=LEAST_MAP),
        )
        for name, table in joined.items()
    }
    if not populations:
        return
    testable = not given.from_activity or not all(one.from_activity for one in candidates)

    def exchanged(n: int, *, turn_maps: bool) -> Agreement:
        made = loops.piece(
            lambda _: arrays_of(
                label_agreement(
                    list(populations.values()),
                    n_permutations=n,
                    least=least,
                    rng=rng,
                    turn_maps=turn_maps,
                )
            ),
            rng,
        )
        return record_of(Agreement, made)

    tested = exchanged(n_permutations if testable else 0, turn_maps=False)
    p_value = tested.p_value
    n_mapped = sum(one.position is not None for one in populations.values()) if testable else 0
    if n_mapped:
        turned = exchanged(n_permutations, turn_maps=True)
        # Neither alone keeps both what units share by their activity and what by their place.
        p_value = np.fmax(p_value, turned.p_value)
    for at, one in enumerate(candidates):
        if not np.isfinite(tested.ari[at]):
            continue
        used = [
            table[table[names[at]].notna()]
            for name, table in joined.items()
            if _counts(populations[name], at, least)
        ]
        rows = pd.concat(used)
        by_thirds = any(
            np.unique(population.stratum).size > 1 for population in populations.values()
        )
        yield Pair(
            first=given.name,
            second=one.name,
            kinds=(given.kind, one.kind),
            n_recordings=len(used),
            ari=float(tested.ari[at]),
            ami=_adjusted_mutual_information(used, names[at]),
            p_value=float(p_value[at]) if testable else float("nan"),
            null=exchange_words(
                n_permutations,
                by_thirds=by_thirds,
                mapped=(n_mapped, len(populations)),
                n_candidates=len(candidates),
            )
            if testable
            else SAME_DATA,
            first_label=rows["given"].to_numpy(dtype=np.str_),
            second_label=rows[names[at]].to_numpy(dtype=np.str_),
        )


def exchange_words(
    n_permutations: int, *, by_thirds: bool, mapped: tuple[int, int], n_candidates: int
) -> str:
    """How chance was told; ``mapped``: recordings whose map was turned, of how many."""
    among = "of a recording and a third of its activity" if by_thirds else "of a recording"
    largest = f", largest of {n_candidates}" if n_candidates > 1 else ""
    n_mapped, n_recordings = mapped
    of = f" of {n_mapped} of {n_recordings} recordings" if n_mapped < n_recordings else ""
    turned = f", and turned maps{of}, whichever gives the larger p" if n_mapped else ""
    return f"{n_permutations} exchanges of units {among}{turned}{largest}"


def _codes(labels: pd.Series[str]) -> NDArray[np.int64]:
    return np.asarray(pd.factorize(labels, sort=True)[0], dtype=np.int64)


def _counts(one: GroupedLabels, candidate: int, least: int) -> bool:
    both = (one.given >= 0) & (one.found[candidate] >= 0)
    kinds = [np.unique(labels[both]).size for labels in (one.given, one.found[candidate])]
    return int(both.sum()) >= least and min(kinds) > 1


def _adjusted_mutual_information(used: Sequence[pd.DataFrame], name: str) -> float:
    """Mean over recordings, by their units."""
    from sklearn.metrics import adjusted_mutual_info_score

    scores = [adjusted_mutual_info_score(table["given"], table[name]) for table in used]
    return float(np.average(scores, weights=[len(table) for table in used]))
