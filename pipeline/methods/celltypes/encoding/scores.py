"""How well units are predicted, and how well they could be.

With answers to the same frames several times, the variance of their mean over times is the signal's
plus a share of the noise. The signal power is what is left once the noise, known from the spread
within a frame, is taken away (Sahani & Linden 2003); the highest correlation that a model can reach
follows from it (Schoppe et al. 2016).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_FRAMES = 10
"""A correlation over fewer frames says nothing."""

Floats = NDArray[np.float64]


def correlation(
    predicted: NDArray[np.floating], answered: NDArray[np.floating], known: NDArray[np.bool_]
) -> Floats:
    """Correlation over frames, for each unit.

    Parameters
    ----------
    predicted, answered
        Shape (frame, unit); what stands where not known does not matter.
    known
        Which entries count, same shape.

    Returns
    -------
    Shape (unit,); NaN for units with fewer than :data:`LEAST_FRAMES` entries, or constant ones.
    """
    count = known.sum(axis=0)
    n = np.maximum(count, 1)
    x, y = (np.where(known, each, 0).astype(np.float64) for each in (predicted, answered))
    x = np.where(known, x - x.sum(axis=0) / n, 0)
    y = np.where(known, y - y.sum(axis=0) / n, 0)
    spread = np.sqrt((x**2).sum(axis=0) * (y**2).sum(axis=0))
    # Rounding leaves a trace of variance in what is constant.
    tiny = 1e-9 * n * (1 + np.abs(np.where(known, predicted, 0)).max(axis=0, initial=0.0)) ** 2
    found = np.full(known.shape[1], np.nan)
    defined = (count >= LEAST_FRAMES) & (spread > tiny * 1e-3)
    np.divide((x * y).sum(axis=0), spread, out=found, where=defined)
    return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RepeatScores:
    """What answers to the same frames tell of each unit; NaN where nothing is shown again."""

    reliability: Floats
    """Mean correlation of one answer with the mean of the others, shape (unit,)."""
    signal_share: Floats
    """Signal power relative to the power of single answers."""
    single_ceiling: Floats
    """Highest correlation of single answers with any prediction; NaN without signal power."""
    mean_correlation: Floats
    """Of the mean answer with the prediction."""
    mean_ceiling: Floats
    """Highest correlation of the mean answer with any prediction."""

    @property
    def normalised_correlation(self) -> Floats:
        """Correlation with the mean answer, relative to the highest there can be."""
        return self.mean_correlation / self.mean_ceiling


def repeat_scores(
    answered: NDArray[np.floating],
    known: NDArray[np.bool_],
    again: NDArray[np.int64],
    predicted: NDArray[np.floating],
) -> RepeatScores:
    """Reliability and ceilings from frames that are shown again.

    Parameters
    ----------
    answered, predicted
        Shape (frame, unit).
    known
        Which answers count, same shape.
    again
        Class of the frames with the same history; -1 for others.
    """
    repeated = again >= 0
    n_units = answered.shape[1]
    if not repeated.any():
        nan = np.full(n_units, np.nan)
        return RepeatScores(
            reliability=nan,
            signal_share=nan,
            single_ceiling=nan,
            mean_correlation=nan,
            mean_ceiling=nan,
        )
    group = again[repeated]
    seen = known[repeated]
    y = np.where(seen, answered[repeated], 0).astype(np.float64)
    sums = _Sums(group)
    count, total, squares = sums(seen), sums(y), sums(y**2)
    several = count >= 2
    n = np.maximum(count, 2)
    within = np.where(several, (squares - total**2 / n) / (n - 1), np.nan)
    mean = np.where(several, total / n, np.nan)
    enough = several.sum(axis=0) >= LEAST_FRAMES
    with np.errstate(invalid="ignore"):
        noise = _nanmean(within)
        of_mean = _nanvar(mean)
        signal = of_mean - _nanmean(within / n)
        share = signal / (signal + noise)
    positive = enough & (signal > 0)
    guess = np.where(seen, predicted[repeated], 0)
    mean_guess = sums(guess) / n
    return RepeatScores(
        reliability=_leave_one_out(y, seen, group, count, total),
        signal_share=np.where(enough, share, np.nan),
        single_ceiling=np.sqrt(np.where(positive, share, np.nan)),
        mean_correlation=correlation(mean_guess, np.nan_to_num(mean), several),
        mean_ceiling=np.sqrt(np.where(positive, signal / np.where(positive, of_mean, 1), np.nan)),
    )


class _Sums:
    """Sums over the frames of each class."""

    def __init__(self, group: NDArray[np.int64]) -> None:
        from scipy.sparse import csr_array

        _, place = np.unique(group, return_inverse=True)
        shape = (int(place.max()) + 1, place.size)
        ones = np.ones(place.size)
        self.place = place
        self._matrix = csr_array((ones, (place, np.arange(place.size))), shape=shape)

    def __call__(self, values: NDArray[np.generic]) -> Floats:
        """Shape (class, unit) from (frame, unit)."""
        return np.asarray(self._matrix @ values.astype(np.float64))


def _leave_one_out(
    y: Floats,
    seen: NDArray[np.bool_],
    group: NDArray[np.int64],
    count: Floats,
    total: Floats,
) -> Floats:
    """Mean over showings of the correlation with the mean of all other showings."""
    _, place = np.unique(group, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(int(place.max()) + 1))
    showing = np.empty(place.size, dtype=np.int64)
    showing[order] = np.arange(place.size) - starts[place[order]]
    others = count[place] - 1
    rest = (total[place] - y) / np.maximum(others, 1)
    usable = seen & (others >= 1)
    found = np.stack(
        [
            correlation(rest[showing == index], y[showing == index], usable[showing == index])
            for index in range(int(showing.max()) + 1)
        ]
    )
    return _nanmean(found)


def _nanmean(values: Floats) -> Floats:
    """Mean along the first axis of what is defined; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=0)
    found = np.full(values.shape[1], np.nan)
    np.divide(np.where(known, values, 0).sum(axis=0), count, out=found, where=count > 0)
    return found


def _nanvar(values: Floats) -> Floats:
    """Unbiased variance along the first axis of what is defined."""
    known = np.isfinite(values)
    count = known.sum(axis=0)
    away = np.where(known, values - _nanmean(values), 0)
    found = np.full(values.shape[1], np.nan)
    np.divide((away**2).sum(axis=0), count - 1, out=found, where=count > 1)
    return found
