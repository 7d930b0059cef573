"""Regions within recordings: relabellings of all sessions, and what is seen beside them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.progress import Progress
from pipeline.core.provenance import Provenance
from pipeline.core.resuming import Loops
from pipeline.core.rng import stream
from pipeline.methods.trsa import contiguous, courses, halves, intervals
from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.halves import Splits, Statistics
from pipeline.methods.trsa.intervals import Interval
from pipeline.methods.trsa.model import Sample, Session
from pipeline.methods.trsa.recognition import sensitivity_specificity
from pipeline.methods.trsa.relations import Order, Relation, condition_orders, rank_scores, relate
from pipeline.methods.trsa.result import (
    PAIR_COLUMNS,
    RECOGNITION_COLUMNS,
    TAKEN_COLUMNS,
    CoursesResult,
    HalvesResult,
    PartResult,
)
from pipeline.numerics.permutation import adjusted, largest_p_values, p_values

Floats = NDArray[np.float64]

GEOMETRY = np.array([[0.0, 1.0]])
"""Levels that keep all ranks."""

REGROUPED = (0.05, 0.95)
"""Quantiles of regroupings that are told."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws:
    """Statistics of relabelled sessions."""

    accuracy: Floats
    """Shape (draw, session, level)."""
    raw: Floats
    separation: Floats
    """Shape (draw, session)."""
    pair_separation: Floats
    """Shape (draw, pair of regions), sessions one after another."""
    taken: Floats
    """How often regions are taken for each, cells of sessions one after another, (draw, cell)."""
    courses: Floats | None
    """Separation in time bins, shape (draw, session, time_bin)."""
    contiguous: Floats | None = None
    """Separation after contiguous regroupings, shape (draw, session); NaN where there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """How well dissimilarities of a region repeat."""

    reliability: float
    """Rank correlation of halves that share no unit and no repeat."""
    low: float
    high: float
    """95 % interval over units and conditions."""
    p: float
    repeats: float
    """The same of halves of the repeats with all units in both."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Uncertain:
    """Correlations of halves of one session under resampling, and what is taken for what."""

    draws: Mapping[str, Floats]
    """By factor, shape (draw, region, region)."""
    taken: Mapping[str, Floats]
    """The same of how often regions are taken for each."""

    @classmethod
    def of(cls, parts: Sequence[PartResult], n_regions: Sequence[int]) -> list[_Uncertain]:
        """Of all sessions, by their numbers of regions."""
        names = intervals.FACTORS if n_regions else ()
        draws, taken = (
            {name: _by_session(_joined(parts, kind + name), n_regions) for name in names}
            for kind in ("halves_", intervals.TAKEN)
        )
        return [
            cls(
                draws={name: made[place] for name, made in draws.items()},
                taken={name: made[place] for name, made in taken.items()},
            )
            for place in range(len(n_regions))
        ]

    def of_region(self, seen: float, place: int, splits: Splits, n_conditions: int) -> Interval:
        """Of how well one region's dissimilarities repeat."""
        own = {name: draws[:, place, place] for name, draws in self.draws.items()}
        n_units = int((splits.region == place).sum()) // 2
        return intervals.interval(seen, own, n_units=n_units, n_conditions=n_conditions)

    def of_pair(self, seen: float, a: int, b: int, splits: Splits, n_conditions: int) -> Interval:
        """Of the separation of two regions."""
        pair = np.ix_(range(len(self.draws["both"])), (a, b), (a, b))
        both = {name: halves.separation_of(draws[pair]) for name, draws in self.draws.items()}
        n_units = int(min((splits.region == place).sum() for place in (a, b))) // 2
        return intervals.interval(seen, both, n_units=n_units, n_conditions=n_conditions)

    def of_all(self, seen: float, splits: Splits, n_conditions: int) -> Interval:
        """Of the separation of all regions."""
        every = {name: halves.separation_of(draws) for name, draws in self.draws.items()}
        n_units = intervals.smallest_half(splits)
        return intervals.interval(seen, every, n_units=n_units, n_conditions=n_conditions)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Observed:
    """All that single recordings tell."""

    halves: HalvesResult | None
    missing: str
    pairs: pd.DataFrame
    courses: CoursesResult | None
    reliability: Mapping[tuple[str, str], Reliability]
    """By recording and region."""


def relabelled(
    sample: Sample,
    config: TrsaConfig,
    levels: Floats,
    n_draws: int,
    rng: np.random.Generator,
    provenance: Provenance,
    progress: Progress,
    loops: Loops,
) -> Draws | None:
    """Statistics after permuting labels of units; None where no recording has two regions."""
    chosen = _comparable(sample, config, provenance)
    if not chosen:
        return None
    orders = [halves.relabellings(session, splits, n_draws, rng) for session, splits in chosen]
    found = _draws(
        [
            halves.statistics(
                session,
                sample.n_conditions,
                splits,
                order,
                levels,
                scale=config.scale,
                progress=progress,
                loops=loops,
            )
            for (session, splits), order in zip(chosen, orders, strict=True)
        ],
        None
        if sample.time_bin is None
        else [
            courses.separations(session, sample, splits, order, loops)
            for (session, splits), order in zip(chosen, orders, strict=True)
        ],
    )
    together = [_contiguous(sample, *pair, n_draws, rng, loops) for pair in chosen]
    return dataclasses.replace(found, contiguous=np.stack(together, axis=1))


def _contiguous(
    sample: Sample,
    session: Session,
    splits: Splits,
    n_draws: int,
    rng: np.random.Generator,
    loops: Loops,
) -> Floats:
    """Separation of contiguous patches of units, shape (draw,); NaN where there are none."""
    if contiguous.why_not(session, splits):
        return np.full(n_draws, np.nan)
    orders = contiguous.regroupings(session, splits, n_draws, rng)
    return halves.statistics(
        session, sample.n_conditions, splits, orders, GEOMETRY, loops=loops
    ).separation


def resampled(
    sample: Sample,
    config: TrsaConfig,
    n_draws: int,
    rng: np.random.Generator,
    provenance: Provenance,
    loops: Loops,
) -> dict[str, Floats]:
    """Halves under resampled units and conditions, by names of ``intervals``, each (draw, cell).

    Regions by regions of each session, one session after another; empty where none can be split.
    """
    found = [
        intervals.resampled(session, sample.n_conditions, splits, n_draws, rng, loops)
        for session, splits in _splits(sample, config, provenance)
    ]
    return {
        name: np.concatenate([one[name].reshape(n_draws, -1) for one in found], axis=1)
        for name in (found[0] if found else ())
    }


def observed(
    sample: Sample,
    config: TrsaConfig,
    levels: Floats,
    parts: Sequence[PartResult],
    rng: np.random.Generator,
    provenance: Provenance,
    *,
    order: Order,
    no_null: str,
) -> Observed:
    """Tests of regions, their relations, and the reliability of each."""
    split = _splits(sample, config, provenance)
    chosen = [pair for pair in split if len(pair[1].regions) > 1]
    reliability: dict[tuple[str, str], Reliability] = {}
    relations: list[tuple[Session, Splits, Relation]] = []
    uncertain = _Uncertain.of(parts, [len(splits.regions) for _, splits in split])
    spans = dict(zip((session.recording for session, _ in split), uncertain, strict=True))
    for session, splits in split:
        relation = _relation(session, sample, splits, config, rng, order=order, no_null=no_null)
        repeats = halves.half_dissimilarities(session, sample.n_conditions, splits, all_units=True)
        repeated = np.diagonal(_correlations(*repeats))
        for place, region in enumerate(splits.regions):
            value = float(relation.correlation[place, place])
            span = spans[session.recording].of_region(value, place, splits, sample.n_conditions)
            reliability[session.recording, session.regions[region]] = Reliability(
                reliability=value,
                low=span.low,
                high=span.high,
                p=float(relation.p[place, place]),
                repeats=float(repeated[place]),
            )
        if len(splits.regions) > 1:
            relations.append((session, splits, relation))
    if not chosen:
        return Observed(
            halves=None,
            missing=_why_none(sample),
            pairs=_pair_table([]),
            courses=courses.observed(sample, config, [], split, None, rng),
            reliability=reliability,
        )
    seen = _draws(
        [
            halves.statistics(
                session,
                sample.n_conditions,
                splits,
                halves.identity(splits),
                levels,
                scale=config.scale,
            )
            for session, splits in chosen
        ],
        None,
    )
    null = Draws(
        accuracy=_joined(parts, "halves_accuracy"),
        raw=_joined(parts, "halves_raw"),
        separation=_joined(parts, "separation"),
        pair_separation=_joined(parts, "pair_separation"),
        taken=_joined(parts, "halves_taken"),
        courses=None if sample.time_bin is None else _joined(parts, "course_separation"),
        contiguous=_joined(parts, "contiguous_separation"),
    )
    few = sample.n_conditions
    return Observed(
        halves=_halves_result(chosen, seen, null, config, levels, spans, few),
        missing="",
        pairs=_pairs(relations, seen, null, config, spans, few),
        courses=courses.observed(sample, config, chosen, split, null.courses, rng),
        reliability=reliability,
    )


def _splits(
    sample: Sample, config: TrsaConfig, provenance: Provenance
) -> list[tuple[Session, Splits]]:
    """Sessions that can be split with their splits, which are the same in all parts."""
    return [
        (
            session,
            halves.draw_splits(
                session,
                config.n_splits,
                stream(provenance.seed, provenance.experiment, "trsa", "splits", session.recording),
            ),
        )
        for session in sample.sessions
        if not halves.why_not(session)
    ]


def _comparable(
    sample: Sample, config: TrsaConfig, provenance: Provenance
) -> list[tuple[Session, Splits]]:
    """Sessions with two regions that are large enough."""
    return [pair for pair in _splits(sample, config, provenance) if len(pair[1].regions) > 1]


def _why_none(sample: Sample) -> str:
    """Why no recording allows a test of its regions."""
    reasons = {halves.why_not(session) for session in sample.sessions}
    least = halves.LEAST_UNITS
    return "; ".join(
        sorted(reason or f"fewer than two regions have {least} units or more" for reason in reasons)
    )


def _draws(found: Sequence[Statistics], along_time: Sequence[Floats] | None) -> Draws:
    return Draws(
        accuracy=np.stack([one.accuracy for one in found], axis=1),
        raw=np.stack([one.raw_accuracy for one in found], axis=1),
        separation=np.stack([one.separation for one in found], axis=1),
        pair_separation=np.concatenate([one.pair_separation for one in found], axis=1),
        taken=np.concatenate([one.taken.reshape(len(one.taken), -1) for one in found], axis=1),
        courses=None if along_time is None else np.stack(along_time, axis=1),
    )


def _by_session(cells: Floats, n_regions: Sequence[int]) -> list[Floats]:
    """Cells (draw, cell) of sessions one after another, each as (draw, region, region)."""
    ends = np.cumsum([n * n for n in n_regions])
    return [
        part.reshape(-1, n, n)
        for part, n in zip(np.split(cells, ends[:-1], axis=1), n_regions, strict=True)
    ]


def _joined(parts: Sequence[PartResult], field: str) -> Floats:
    """Draws of all parts that made some, one after another."""
    made = [getattr(part, field) for part in parts if getattr(part, field) is not None]
    return np.concatenate(made)


def _halves_result(
    chosen: Sequence[tuple[Session, Splits]],
    seen: Draws,
    null: Draws,
    config: TrsaConfig,
    levels: Floats,
    spans: Mapping[str, _Uncertain],
    n_conditions: int,
) -> HalvesResult:
    accuracy, raw, separation = seen.accuracy[0], seen.raw[0], seen.separation[0]
    span = [
        spans[session.recording].of_all(value, splits, n_conditions)
        for (session, splits), value in zip(chosen, separation.tolist(), strict=True)
    ]
    patches = null.contiguous if null.contiguous is not None else np.full((1, len(chosen)), np.nan)
    geometry = int(np.flatnonzero((levels[:, 0] == 0) & (levels[:, 1] == 1))[0])

    told = _told_apart(chosen, seen, null, spans, n_conditions)
    of_accuracy = [
        intervals.share_interval(
            float(accuracy[place, geometry]),
            {
                factor: _mean_sensitivity(draws)
                for factor, draws in spans[session.recording].taken.items()
            },
            n_units=intervals.smallest_half(splits),
            n_conditions=n_conditions,
        )
        for place, (session, splits) in enumerate(chosen)
    ]
    mean = float(accuracy[:, geometry].mean())
    below = float(np.mean([accuracy[i, geometry] - one.low for i, one in enumerate(of_accuracy)]))
    above = float(np.mean([one.high - accuracy[i, geometry] for i, one in enumerate(of_accuracy)]))

    def gain(draws: Floats) -> Floats:
        mean = draws.mean(axis=1)
        return np.asarray(mean.max(axis=1) - mean[:, geometry])

    return HalvesResult(
        session=np.array([session.recording for session, _ in chosen]),
        n_regions=np.array([len(splits.regions) for _, splits in chosen], dtype=np.int64),
        confounded=np.array([halves.confounded(*pair) for pair in chosen]),
        n_splits=config.n_splits,
        accuracy=accuracy,
        chance=null.accuracy.mean(axis=0),
        p=p_values(accuracy, null.accuracy),
        p_corrected=np.stack(
            [
                largest_p_values(accuracy[place], null.accuracy[:, place])
                for place in range(len(chosen))
            ]
        ),
        raw_accuracy=raw,
        raw_chance=null.raw.mean(axis=0),
        raw_p=p_values(raw, null.raw),
        separation=separation,
        separation_chance=null.separation.mean(axis=0),
        separation_p=p_values(separation, null.separation),
        separation_low=np.array([one.low for one in span]),
        separation_high=np.array([one.high for one in span]),
        contiguous_chance=patches.mean(axis=0),
        contiguous_p=_p_where_known(separation, patches),
        contiguous_missing=np.array([contiguous.why_not(*pair) for pair in chosen], dtype=np.str_),
        all_separation_p=float(p_values(separation.mean(), null.separation.mean(axis=1))),
        all_contiguous_p=float(
            _p_where_known(separation.mean(keepdims=True), patches.mean(axis=1)[:, None])[0]
        ),
        all_accuracy=accuracy.mean(axis=0),
        all_chance=null.accuracy.mean(axis=(0, 1)),
        all_p_corrected=largest_p_values(accuracy.mean(axis=0), null.accuracy.mean(axis=1)),
        all_regrouped=np.quantile(null.accuracy.mean(axis=1), REGROUPED, axis=0).T,
        raw_regrouped=np.quantile(null.raw.mean(axis=1), REGROUPED),
        accuracy_low=mean - below,
        accuracy_high=mean + above,
        recognition=told.recognition,
        taken=told.taken,
        gain=float(gain(seen.accuracy)[0]),
        gain_p=float(p_values(gain(seen.accuracy)[0], gain(null.accuracy))),
    )


class _Told(NamedTuple):
    """Tables of ``HalvesResult``."""

    recognition: pd.DataFrame
    taken: pd.DataFrame


def _told_apart(
    chosen: Sequence[tuple[Session, Splits]],
    seen: Draws,
    null: Draws,
    spans: Mapping[str, _Uncertain],
    n_conditions: int,
) -> _Told:
    """How well each region is recognised, and which it is taken for."""
    n_regions = [len(splits.regions) for _, splits in chosen]
    rows: list[tuple[object, ...]] = []
    cells: list[tuple[object, ...]] = []
    for (session, splits), own, drawn in zip(
        chosen, _by_session(seen.taken, n_regions), _by_session(null.taken, n_regions), strict=True
    ):
        names = [session.regions[region] for region in splits.regions]
        once = np.ones(len(names), dtype=np.int64)
        chance = drawn.mean(axis=0)
        cells += [
            (session.recording, one, other, own[0, a, b], chance[a, b])
            for a, one in enumerate(names)
            for b, other in enumerate(names)
        ]
        shares = sensitivity_specificity(own[0], once)
        regrouped = sensitivity_specificity(drawn, once)
        resampled = {
            factor: sensitivity_specificity(draws, once)
            for factor, draws in spans[session.recording].taken.items()
        }
        for place, name in enumerate(names):
            numbers: list[float] = []
            for kind in (0, 1):  # sensitivity, specificity
                value, draws = float(shares[kind][place]), regrouped[kind][:, place]
                span = intervals.share_interval(
                    value,
                    {factor: pair[kind][:, place] for factor, pair in resampled.items()},
                    n_units=intervals.smallest_half(splits),
                    n_conditions=n_conditions,
                )
                most = float(np.quantile(draws, REGROUPED[1]))
                numbers += [value, span.low, span.high, float(draws.mean()), most]
            rows.append((session.recording, name, int((splits.region == place).sum()), *numbers))
    table = pd.DataFrame(rows, columns=list(RECOGNITION_COLUMNS))
    taken = pd.DataFrame(cells, columns=list(TAKEN_COLUMNS))
    return _Told(
        recognition=table.astype({"recording": "str", "region": "str"}),
        taken=taken.astype({"recording": "str", "region": "str", "assigned": "str"}),
    )


def _mean_sensitivity(taken: Floats) -> Floats:
    """Accuracy of regions that are as many rows each, shape (draw,)."""
    return np.asarray(np.diagonal(taken, axis1=-2, axis2=-1).mean(axis=-1))


def _p_where_known(seen: Floats, null: Floats) -> Floats:
    """P of each of some numbers, NaN for those without a null."""
    known = np.isfinite(null).all(axis=0)
    found = np.full(seen.shape, np.nan)
    found[known] = p_values(seen[known], null[:, known])
    return found


def _relation(
    session: Session,
    sample: Sample,
    splits: Splits,
    config: TrsaConfig,
    rng: np.random.Generator,
    *,
    order: Order,
    no_null: str,
) -> Relation:
    """Correlations between halves that share no unit and no trial."""
    one, other = halves.half_dissimilarities(session, sample.n_conditions, splits)
    correlation = _correlations(one, other)
    if no_null or np.isnan(one).any() or np.isnan(other).any():
        return Relation(correlation=correlation, p=np.full(correlation.shape, np.nan))
    orders = condition_orders(sample.n_conditions, order, config.n_permutations, rng)
    # Which half is the first is chance; both directions are one statistic.
    both = relate(np.concatenate([one, other]), np.concatenate([other, one]), orders, order)
    return Relation(correlation=correlation, p=both.p)


def _correlations(one: Floats, other: Floats) -> Floats:
    """Mean rank correlation over splits and both directions, shape (region, region)."""
    there = ~np.isnan(one).any(axis=(0, 1)) & ~np.isnan(other).any(axis=(0, 1))
    first, second = rank_scores(one[..., there]), rank_scores(other[..., there])
    mean = (first @ np.swapaxes(second, 1, 2)).mean(axis=0)
    return np.asarray(mean + mean.T) / 2


def _pairs(
    relations: Sequence[tuple[Session, Splits, Relation]],
    seen: Draws,
    null: Draws,
    config: TrsaConfig,
    spans: Mapping[str, _Uncertain],
    n_conditions: int,
) -> pd.DataFrame:
    """One row a pair of regions of a recording."""
    p = p_values(seen.pair_separation[0], null.pair_separation)
    chance = null.pair_separation.mean(axis=0)
    rows: list[tuple[object, ...]] = []
    for session, splits, relation in relations:
        names = [session.regions[region] for region in splits.regions]
        own = np.diagonal(relation.correlation)
        for a, b in zip(*np.triu_indices(len(names), 1), strict=True):
            place = len(rows)
            reliable = own[a] > 0 and own[b] > 0
            apart = float(seen.pair_separation[0, place])
            span = spans[session.recording].of_pair(apart, int(a), int(b), splits, n_conditions)
            rows.append(
                (
                    session.recording,
                    names[a],
                    names[b],
                    apart,
                    span.low,
                    span.high,
                    chance[place],
                    p[place],
                    np.nan,
                    relation.correlation[a, b] if reliable else np.nan,
                    relation.p[a, b] if reliable else np.nan,
                    np.nan,
                    np.sqrt(own[a] * own[b]) if reliable else np.nan,
                )
            )
    table = _pair_table(rows)
    table["p_adjusted"] = adjusted(table["p"].to_numpy(), config.correction)
    table["relation_p_adjusted"] = adjusted(table["relation_p"].to_numpy(), config.correction)
    return table


def _pair_table(rows: list[tuple[object, ...]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=list(PAIR_COLUMNS))
    words = PAIR_COLUMNS[:3]
    kinds = {name: "str" if name in words else "float64" for name in PAIR_COLUMNS}
    return table.astype(kinds)
