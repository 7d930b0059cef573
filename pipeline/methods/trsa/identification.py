"""Regions over subjects, told from the same regions of other subjects.

Each row is the statistic of one region in one subject. One subject is left out; each of its rows
goes to the region with the nearest mean over the other subjects. All that is needed are the inner
products of rows, so that resampled conditions are weights and resampled subjects are counts.

Sources: Lin & Kriegeskorte (2024), PNAS; Schuett, Kipnis, Diedrichsen & Kriegeskorte (2023), eLife
12:82566 (correction of the two-factor bootstrap). Unlike the published code whole subjects are
resampled, and no copy of the subject that is left out stays behind.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.resuming import ALONE, Loops
from pipeline.methods.trsa.kernels import identified

Floats = NDArray[np.float64]
Statistics = Floats | Sequence[Floats]
"""Rows of each statistic, all at hand or made when asked for; (statistic, row, pair)."""

CLOSE = 1e-5
"""Nearest centroids closer than this are compared again in double precision."""

LEAST_DISTINCT = 3
"""Conditions that a resample needs."""

MOST_REDRAWS = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Which subject and region each row belongs to."""

    subject: NDArray[np.int64]
    region: NDArray[np.int64]
    n_subjects: int
    n_regions: int

    def relabelled(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Regions permuted within each subject."""
        label = self.region.copy()
        for subject in range(self.n_subjects):
            rows = np.flatnonzero(self.subject == subject)
            label[rows] = rng.permutation(label[rows])
        return label

    @property
    def least_p(self) -> float:
        """The smallest p that relabelling within subjects can give.

        Relabelling all subjects alike changes nothing.
        """
        sizes = np.bincount(self.subject, minlength=self.n_subjects)
        relabellings = math.prod(math.factorial(int(n)) for n in sizes)
        return math.factorial(int(sizes.max())) / relabellings


def confusion(
    gram: Floats, rows: Rows, *, label: NDArray[np.int64] | None = None
) -> tuple[Floats, NDArray[np.int64]]:
    """Share of rows of each region (rows of the matrix) assigned to each region.

    Returns
    -------
    Shape (region, region), NaN for regions of which no row could be assigned; and how many rows
    of each region were left out, as no other subject has it.
    """
    hits = np.zeros((rows.n_regions + 1, rows.n_regions))
    identified(
        np.ascontiguousarray(gram, dtype=np.float64),
        rows.subject,
        rows.region if label is None else label,
        rows.n_regions,
        np.ones(rows.subject.size),
        hits,
    )
    counts = hits[:-1].sum(axis=1, keepdims=True)
    return hits[:-1] / np.where(counts > 0, counts, np.nan), np.rint(hits[-1]).astype(np.int64)


def accuracy(
    gram: Floats,
    rows: Rows,
    *,
    label: NDArray[np.int64] | None = None,
    weight: Floats | None = None,
    count_all: bool = False,
) -> float:
    """Share of rows that are assigned to their region; NaN where none can be.

    Parameters
    ----------
    gram
        Inner products of rows, shape (row, row).
    label
        Regions of rows; their own where ``None``.
    weight
        How often each row counts, shape (row,); once where ``None``.
    count_all
        Whether rows that cannot be assigned, as no other subject has their region, are missed, as
        in the published code, and not left out.
    """
    return _accuracy(gram, rows, label=label, weight=weight, count_all=count_all)[0]


def _accuracy(
    gram: Floats,
    rows: Rows,
    *,
    label: NDArray[np.int64] | None = None,
    weight: Floats | None = None,
    count_all: bool = False,
) -> tuple[float, float]:
    """Accuracy, and how close the decision was."""
    hits = np.zeros((rows.n_regions + 1, rows.n_regions))
    closest = identified(
        gram,
        rows.subject,
        rows.region if label is None else label,
        rows.n_regions,
        np.ones(rows.subject.size) if weight is None else weight,
        hits,
    )
    total = hits.sum() if count_all else hits[:-1].sum()
    return (float(np.trace(hits[:-1]) / total) if total else np.nan), float(closest)


def accuracies(statistics: Statistics, rows: Rows) -> Floats:
    """Accuracy of each statistic, shape (statistic,), of rows of shape (statistic, row, pair)."""
    return np.array([accuracy(_gram(values), rows) for values in statistics])


def permuted_accuracies(
    statistics: Statistics,
    rows: Rows,
    n_draws: int,
    rng: np.random.Generator,
    loops: Loops = ALONE,
) -> Floats:
    """Accuracies after relabelling regions within subjects, shape (draw, statistic).

    Each draw relabels all statistics alike, so that their largest can be a null.
    """
    labels = [rows.relabelled(rng) for _ in range(n_draws)]
    found = np.empty((n_draws, len(statistics)))
    for index in loops.steps(len(statistics), {"accuracy": found}):
        gram = _gram(statistics[index])
        found[:, index] = [accuracy(gram, rows, label=label) for label in labels]
    return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resample:
    """How often each subject and each condition was drawn."""

    subject: Floats
    condition: Floats
    row: Floats | None = None
    """How often each row was drawn, where rows are drawn in place of subjects."""

    def of_rows(self, rows: Rows) -> Floats:
        """How often each row counts, shape (row,)."""
        return self.subject[rows.subject] if self.row is None else self.row


def published_resamples(
    rows: Rows, n_conditions: int, n_draws: int, rng: np.random.Generator
) -> Iterator[Resample]:
    """Rows and conditions drawn with replacement, as the published code draws them.

    For comparison only: regions of one subject are not independent, and copies of a row count as
    rows of their own.
    """
    n_rows = rows.subject.size
    for _ in range(n_draws):
        row = np.bincount(rng.integers(n_rows, size=n_rows), minlength=n_rows)
        drawn = np.bincount(rng.integers(n_conditions, size=n_conditions), minlength=n_conditions)
        yield Resample(
            subject=np.ones(rows.n_subjects),
            condition=drawn.astype(np.float64),
            row=row.astype(np.float64),
        )


def resamples(
    n_subjects: int,
    n_conditions: int,
    n_draws: int,
    rng: np.random.Generator,
    *,
    rows: Rows | None = None,
) -> Iterator[Resample]:
    """Subjects and conditions drawn with replacement, in turn; draws that cannot be used again.

    With ``rows`` a draw needs two regions that two distinct subjects have. Ends early, when ten
    times as many draws did not give enough.
    """
    given = 0
    for _ in range(MOST_REDRAWS * n_draws):
        subject = np.bincount(rng.integers(n_subjects, size=n_subjects), minlength=n_subjects)
        condition = np.bincount(
            rng.integers(n_conditions, size=n_conditions), minlength=n_conditions
        )
        if np.count_nonzero(condition) < LEAST_DISTINCT:
            continue
        if rows is not None and not _enough(subject, rows):
            continue
        yield Resample(subject=subject.astype(np.float64), condition=condition.astype(np.float64))
        given += 1
        if given == n_draws:
            return


def _enough(subject: NDArray[np.int64], rows: Rows) -> bool:
    """Whether two regions are each in two of the subjects that were drawn."""
    drawn = subject[rows.subject] > 0
    return int((np.bincount(rows.region[drawn], minlength=rows.n_regions) >= 2).sum()) >= 2


def pair_weights(condition: Floats) -> Floats:
    """Weight of each pair: the product of how often its conditions were drawn, shape (pair,).

    Pairs of two copies of a condition, which are 0 by nature, are not among them.
    """
    first, second = np.triu_indices(condition.size, 1)
    return np.asarray(condition[first] * condition[second])


def resampled_accuracies(
    statistics: Statistics, rows: Rows, draws: Sequence[Resample], loops: Loops = ALONE
) -> dict[str, Floats]:
    """Accuracies under resampled subjects, conditions, and both, each (draw, statistic).

    Parameters
    ----------
    statistics
        Shape (statistic, row, pair), within a range of about 1, so that single precision serves.
    """
    found = {
        name: np.full((len(draws), len(statistics)), np.nan)
        for name in ("both", "subjects", "conditions")
    }
    drawn_rows = [draw.of_rows(rows) for draw in draws]
    published = [draw.row is not None for draw in draws]
    for index in loops.steps(len(statistics), found):
        values = statistics[index]
        whole = _gram(values)
        pairs = np.ascontiguousarray(values.T)
        narrow = pairs.astype(np.float32)
        for place, (draw, drawn) in enumerate(zip(draws, drawn_rows, strict=True)):
            weight, every = pair_weights(draw.condition), published[place]
            there = np.flatnonzero(weight)
            root = np.sqrt(weight[there])[:, None]
            # Pairs that were not drawn, more than half of them, are left out of the product.
            kept = narrow[there] * root.astype(np.float32)
            gram = (kept.T @ kept).astype(np.float64)
            for name, of_row in (("both", drawn), ("conditions", None)):
                share, closest = _accuracy(gram, rows, weight=of_row, count_all=every)
                if closest < CLOSE:
                    exact = pairs[there] * root
                    gram = exact.T @ exact
                    share = accuracy(gram, rows, weight=of_row, count_all=every)
                found[name][place, index] = share
            share = accuracy(whole, rows, weight=drawn, count_all=every)
            found["subjects"][place, index] = share
    return found


def corrected_variance(
    both: Floats, subjects: Floats, conditions: Floats, *, n_subjects: int, n_conditions: int
) -> Floats:
    """Variance of an estimate from the variances of three bootstraps, without their excess.

    Resampling two factors at once counts the noise of single entries three times; the bootstraps
    of each factor tell how much. Schuett et al. (2023).

    Parameters
    ----------
    both, subjects, conditions
        Variances over resamples of both factors, and of each alone.
    """
    a, b = n_subjects / (n_subjects - 1), n_conditions / (n_conditions - 1)
    variance = a * subjects + b * conditions - a * b * (both - subjects - conditions)
    variance = np.minimum(variance, both)
    return np.maximum(variance, np.maximum(a * subjects, b * conditions))


def nested_accuracy(
    statistics: Iterable[Floats], rows: Rows, widths: Floats
) -> tuple[float, Floats]:
    """Accuracy where the statistic is chosen without the subject that is judged.

    For each subject the statistic with the best accuracy among the others is taken, of equals the
    one with the widest ramp.

    Parameters
    ----------
    widths
        Upper less lower level of each statistic, shape (statistic,).

    Returns
    -------
    Share of rows that are assigned to their region, NaN with fewer than three subjects; and which
    statistic each subject got, shape (subject,), -1 where none.
    """
    chosen = np.full(rows.n_subjects, -1, dtype=np.int64)
    if rows.n_subjects < 3:
        return np.nan, chosen.astype(np.float64)
    grams = [_gram(values) for values in statistics]
    right, total = 0.0, 0.0
    for subject in range(rows.n_subjects):
        weight = (rows.subject != subject).astype(np.float64)
        inner = np.array([accuracy(gram, rows, weight=weight) for gram in grams])
        if np.isnan(inner).all():
            continue
        best = np.flatnonzero(inner >= np.nanmax(inner) - 1e-12)
        chosen[subject] = best[np.argmax(widths[best])]
        own = _of_subject(grams[chosen[subject]], rows, subject)
        right, total = right + own[0], total + own[1]
    return (right / total if total else np.nan), chosen.astype(np.float64)


def _of_subject(gram: Floats, rows: Rows, subject: int) -> tuple[float, float]:
    """How many rows of one subject are assigned to their region, and how many can be."""
    mine = np.flatnonzero(rows.subject == subject)
    right = total = 0.0
    for row in mine:
        distance = np.full(rows.n_regions, np.inf)
        for region in range(rows.n_regions):
            others = np.flatnonzero((rows.region == region) & (rows.subject != subject))
            if others.size:
                block = gram[np.ix_(others, others)].mean()
                distance[region] = gram[row, row] - 2 * gram[row, others].mean() + block
        if np.isfinite(distance).sum() < 2 or np.isinf(distance[rows.region[row]]):
            continue
        best = distance.min()
        ties = distance <= best + 1e-9 * (abs(best) + gram[row, row])
        right += ties[rows.region[row]] / ties.sum()
        total += 1
    return right, total


def _gram(values: Floats) -> Floats:
    return np.ascontiguousarray(values @ values.T)
