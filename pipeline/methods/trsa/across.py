"""Regions over subjects: what is seen, relabelled and resampled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from pipeline.core.resuming import ALONE, Loops
from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.identification import (
    Rows,
    accuracies,
    confusion,
    corrected_variance,
    nested_accuracy,
    permuted_accuracies,
    published_resamples,
    resampled_accuracies,
    resamples,
)
from pipeline.methods.trsa.model import Sample
from pipeline.methods.trsa.populations import dissimilarities_of
from pipeline.methods.trsa.result import PartResult, SubjectsResult
from pipeline.methods.trsa.transforms import (
    FAMILIES,
    Family,
    family_levels,
    ramp,
    scaled_ranks,
    thresholded,
)
from pipeline.numerics.permutation import adjusted, largest_p_values, p_values

Floats = NDArray[np.float64]

RAW = ("as measured", "unit norm", "ranks")
"""Statistics beside those of the families."""

LEVEL = 0.05


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Families:
    """Pairs of levels that stand for each family."""

    name: tuple[Family, ...]
    levels: Floats
    """Shape (family * pair of levels, 2), family by family."""

    @classmethod
    def drawn(cls, count: int, rng: np.random.Generator) -> Families:
        """Random pairs of each family, as published."""
        names = tuple(FAMILIES)
        return cls(
            name=names, levels=np.concatenate([family_levels(name, count, rng) for name in names])
        )

    def means(self, draws: Floats) -> Floats:
        """Means over the pairs of each family, after the raw ones; shape (draw, family)."""
        n_raw = len(RAW)
        grouped = draws[:, n_raw:].reshape(len(draws), len(self.name), -1).mean(axis=2)
        return np.concatenate([draws[:, :n_raw], grouped], axis=1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SubjectRows:
    """Dissimilarities of each region of each subject."""

    subject: NDArray[np.str_]
    region: NDArray[np.str_]
    excluded: NDArray[np.str_]
    rows: Rows
    members: tuple[tuple[int, ...], ...]
    """Populations that each row is the mean of."""
    dissimilarities: Floats
    """Shape (row, pair)."""


def subject_rows(sample: Sample, config: TrsaConfig) -> SubjectRows | str:
    """Rows of subjects and regions; in words why there are none.

    Several recordings of a subject are averaged. Regions that only one subject has are left out.
    """
    names = [
        session.recording if config.distinct_neurons else session.subject
        for session in sample.sessions
    ]
    if not all(names):
        return "not all recordings tell their subject"
    if len(set(names)) < 2:
        return "one subject"
    found = dissimilarities_of(sample, config)
    pooled: dict[tuple[str, str], list[int]] = {}
    for place, (index, region) in enumerate(sample.populations()):
        if found.usable[place]:
            key = (names[index], sample.sessions[index].regions[region])
            pooled.setdefault(key, []).append(place)
    regions = list(dict.fromkeys(region for _, region in pooled))
    counts = {region: sum(key[1] == region for key in pooled) for region in regions}
    shared = [region for region in regions if counts[region] > 1]
    if len(shared) < 2:
        return "fewer than two regions are found in two subjects"
    subjects = [
        name for name in dict.fromkeys(names) if any((name, region) in pooled for region in shared)
    ]
    keys = [
        (subject, region)
        for subject in subjects
        for region in shared
        if (subject, region) in pooled
    ]
    return SubjectRows(
        subject=np.array(subjects),
        region=np.array(shared),
        excluded=np.array([region for region in regions if counts[region] < 2], dtype=np.str_),
        rows=Rows(
            subject=np.array([subjects.index(subject) for subject, _ in keys], dtype=np.int64),
            region=np.array([shared.index(region) for _, region in keys], dtype=np.int64),
            n_subjects=len(subjects),
            n_regions=len(shared),
        ),
        members=tuple(tuple(pooled[key]) for key in keys),
        dissimilarities=np.stack([found.by_estimator[0, pooled[key]].mean(axis=0) for key in keys]),
    )


def permuted(
    sample: Sample,
    config: TrsaConfig,
    levels: Floats,
    n_draws: int,
    rng: np.random.Generator,
    loops: Loops = ALONE,
) -> Floats | None:
    """Accuracies after relabelling regions within subjects, shape (draw, statistic)."""
    found = subject_rows(sample, config)
    if isinstance(found, str):
        return None
    statistics = _Statistics(found.dissimilarities, levels, config)
    return permuted_accuracies(statistics, found.rows, n_draws, rng, loops)


def resampled(
    sample: Sample,
    config: TrsaConfig,
    n_draws: int,
    rng: np.random.Generator,
    families: Families,
    loops: Loops = ALONE,
) -> dict[str, Floats] | None:
    """Accuracies under resampling, each (draw, statistic); statistics as for families."""
    found = subject_rows(sample, config)
    if isinstance(found, str):
        return None
    n_conditions, rows = sample.n_conditions, found.rows
    draws = list(
        published_resamples(rows, n_conditions, n_draws, rng)
        if config.legacy
        else resamples(rows.n_subjects, n_conditions, n_draws, rng, rows=rows)
    )
    return resampled_accuracies(
        _Statistics(found.dissimilarities, families.levels, config), found.rows, draws, loops
    )


def observed(
    sample: Sample,
    config: TrsaConfig,
    levels: Floats,
    parts: Sequence[PartResult],
    families: Families,
) -> tuple[SubjectsResult | None, str]:
    """What is seen over subjects; None, and why, where nothing can be."""
    found = subject_rows(sample, config)
    if isinstance(found, str):
        return None, found
    rows = found.rows
    statistics = _Statistics(found.dissimilarities, levels, config)
    n_raw = len(RAW)
    seen = accuracies(statistics, rows)
    null = _joined(parts, "accuracy_null")
    best = n_raw + int(np.argmax(seen[n_raw:]))
    chosen = statistics[best]
    gram = chosen @ chosen.T
    ranks = statistics[RAW.index("ranks")]
    at_levels = (statistics[place] for place in range(n_raw, len(statistics)))
    nested, _ = nested_accuracy(at_levels, rows, levels[:, 1] - levels[:, 0])
    variance, draws = _family_variances(parts, families, sample, rows, config)
    family_seen = families.means(
        accuracies(_Statistics(found.dissimilarities, families.levels, config), rows)[None]
    )[0]
    degrees = min(rows.n_subjects, sample.n_conditions) - 1
    if config.legacy:
        degrees = rows.n_subjects
    possible = rows.least_p <= LEVEL
    p = p_values(seen, null) if possible else np.full(seen.shape, np.nan)
    corrected = (
        largest_p_values(seen[n_raw:], null[:, n_raw:])
        if possible
        else np.full(len(levels), np.nan)
    )
    return (
        SubjectsResult(
            subject=found.subject,
            region=found.region,
            row_subject=rows.subject,
            row_region=rows.region,
            excluded=found.excluded,
            least_p=rows.least_p,
            accuracy=seen[n_raw:],
            chance=null[:, n_raw:].mean(axis=0),
            p=p[n_raw:],
            p_corrected=corrected,
            raw_accuracy=seen[:n_raw],
            raw_p=p[:n_raw],
            confusion=confusion(gram, rows)[0],
            rank_confusion=confusion(ranks @ ranks.T, rows)[0],
            distance_ratio=_distance_ratio(ranks, rows),
            nested_accuracy=nested,
            family=np.array([*RAW, *families.name]),
            family_accuracy=family_seen,
            family_se=np.sqrt(np.diagonal(variance)),
            family_p=_difference_p(family_seen, variance, degrees, config),
            accuracy_draws=draws,
            degrees=degrees,
        ),
        "",
    )


class _Statistics(Sequence[Floats]):
    """Dissimilarities as measured, of unit norm and as ranks, then at each pair of levels.

    Each of shape (row, pair), made when it is asked for: a map over many levels of many conditions
    would not fit in memory.
    """

    def __init__(self, values: Floats, levels: Floats, config: TrsaConfig) -> None:
        # As measured, but within a range in which single precision serves.
        self._measured: Floats = values / np.abs(values).max()
        self._values, self._thresholds = thresholded(values, levels, scale=config.scale)

    def __len__(self) -> int:
        return len(RAW) + int(self._thresholds.shape[1])

    @overload
    def __getitem__(self, place: int) -> Floats: ...

    @overload
    def __getitem__(self, place: slice) -> list[Floats]: ...

    def __getitem__(self, place: int | slice) -> Floats | list[Floats]:
        if isinstance(place, slice):
            raise TypeError("statistics are made one by one")
        if not 0 <= place < len(self):
            raise IndexError(place)
        if place == RAW.index("as measured"):
            return self._measured
        if place == RAW.index("unit norm"):
            norm = np.linalg.norm(self._measured, axis=1, keepdims=True)
            return np.asarray(self._measured / norm)
        if place == RAW.index("ranks"):
            return scaled_ranks(self._measured)
        bounds = self._thresholds[:, place - len(RAW)]
        return ramp(self._values, bounds[:, :1], bounds[:, 1:])


def _joined(parts: Sequence[PartResult], field: str) -> Floats:
    made = [getattr(part, field) for part in parts if getattr(part, field) is not None]
    return np.concatenate(made)


def _family_variances(
    parts: Sequence[PartResult],
    families: Families,
    sample: Sample,
    rows: Rows,
    config: TrsaConfig,
) -> tuple[Floats, Floats]:
    """Corrected variance of each family (diagonal) and each difference; and the draws of both.

    As published: the plain variance over draws.
    """
    draws = {
        name: families.means(_joined(parts, f"accuracy_{name}"))
        for name in ("both", "subjects", "conditions")
    }
    n = draws["both"].shape[1]
    variances = {}
    for name, values in draws.items():
        differences = values[:, :, None] - values[:, None, :] * (1 - np.eye(n))
        variances[name] = np.nanvar(differences, axis=0, ddof=1)
    if config.legacy:
        return variances["both"], draws["both"]
    variance = corrected_variance(
        variances["both"],
        variances["subjects"],
        variances["conditions"],
        n_subjects=rows.n_subjects,
        n_conditions=sample.n_conditions,
    )
    return variance, draws["both"]


def _difference_p(seen: Floats, variance: Floats, degrees: int, config: TrsaConfig) -> Floats:
    """Two-sided p of the difference of each two families, adjusted for their number."""
    from scipy.stats import t as student

    difference = seen[:, None] - seen[None, :]
    upper = np.triu_indices(seen.size, 1)
    se = np.sqrt(variance[upper])
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * student.sf(np.abs(difference[upper] / se), degrees)
    p = np.where((se == 0) & (difference[upper] == 0), 1.0, p)
    matrix = np.full(difference.shape, np.nan)
    matrix[upper] = adjusted(p, "none" if config.legacy else config.correction)
    return np.where(np.isnan(matrix), matrix.T, matrix)


def _distance_ratio(values: Floats, rows: Rows) -> Floats:
    """Mean distance of each row to its region in other subjects over that to other regions."""
    apart = np.linalg.norm(values[:, None] - values[None], axis=2)
    other = rows.subject[:, None] != rows.subject[None, :]
    same = rows.region[:, None] == rows.region[None, :]
    ratio = np.full(len(values), np.nan)
    for row in range(len(values)):
        near, far = apart[row, other[row] & same[row]], apart[row, other[row] & ~same[row]]
        if near.size and far.size and far.mean() > 0:
            ratio[row] = near.mean() / far.mean()
    return ratio
