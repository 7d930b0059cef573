"""Counts that are hidden from a fit and then predicted, by the model and by simple means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.special import betainc, gammaincc, gammaln

from pipeline.core.axes import axes, check_axes
from pipeline.core.rng import stream
from pipeline.core.views import SpikeCounts
from pipeline.methods.biclustering.config import BiclusteringConfig
from pipeline.methods.biclustering.model import CountData, Draws
from pipeline.methods.biclustering.problem import log_psth

SMOOTHING_BINS = (0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 34.0)
"""Widths of kernels that are tried for each unit."""
SMOOTHING_PRIOR = 0.1
"""Bins of the unit's mean rate that are added to the kernel's."""
SIZES = np.concatenate([np.geomspace(0.05, 500.0, 60), [np.inf]])
"""Sizes of the negative binomial that are tried for each unit; the last is Poisson."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predicted:
    """Hidden counts under the predictive distribution of one model."""

    entry_bin: NDArray[np.int32] = axes("entry")
    entry_unit: NDArray[np.int32] = axes("entry")
    """Index among the units that take part."""
    log_probability: NDArray[np.float64] = axes("entry")
    below: NDArray[np.float64] = axes("entry")
    """Predicted probability of a smaller count."""
    up_to: NDArray[np.float64] = axes("entry")
    """Predicted probability of this count or a smaller one."""

    def __post_init__(self) -> None:
        check_axes(self)


def hidden_entries(view: SpikeCounts, config: BiclusteringConfig, mask: str) -> NDArray[np.bool_]:
    """Which entries (bin, unit of the view) are hidden; the same for all models.

    ``speckled`` hides a share of each unit's bins; ``blocked`` cuts time into blocks and hides a
    share of them of each unit, other ones for each, so that neighbours in time do not help.
    """
    rng = stream(0, view.recording, mask)
    hidden = np.zeros(view.counts.shape, dtype=bool)
    if mask == "speckled":
        block = np.arange(view.time_s.size)
    else:
        length = max(1, round(config.block_s / view.bin_s))
        place = np.arange(view.time_s.size) - np.searchsorted(view.segment, view.segment)
        block = np.unique(np.stack([view.segment, place // length]), axis=1, return_inverse=True)[
            1
        ].ravel()
    for unit in range(view.unit.size):
        candidates = np.unique(block[view.observed[:, unit]])
        n_hidden = round(config.held_out_share * candidates.size)
        chosen = rng.choice(candidates, size=n_hidden, replace=False)
        hidden[:, unit] = np.isin(block, chosen) & view.observed[:, unit]
    return hidden


def predicted(draws: Draws, data: CountData, hidden: NDArray[np.bool_]) -> Predicted:
    """Hidden counts under the mean over draws of their distributions.

    Parameters
    ----------
    draws
        Of a chain that did not see the hidden counts.
    data
        Counts of the units that take part.
    hidden
        Entries, shape (bin, unit that takes part).
    """
    at = np.nonzero(hidden)
    counts = data.counts[at].astype(np.float64)
    log_p = np.full(counts.size, -np.inf)
    below, up_to = np.zeros(counts.size), np.zeros(counts.size)
    for kept, draw in enumerate(draws.kept_draw):
        log_mean = draws.log_mean(kept, data)[at]
        size = draws.dispersion[draw].astype(np.float64)[at[1]]
        log_p = np.logaddexp(log_p, log_probability(counts, log_mean, size))
        below += cumulative(counts - 1, log_mean, size)
        up_to += cumulative(counts, log_mean, size)
    n_draws = draws.kept_draw.size
    return Predicted(
        entry_bin=at[0].astype(np.int32),
        entry_unit=at[1].astype(np.int32),
        log_probability=log_p - np.log(n_draws),
        below=below / n_draws,
        up_to=up_to / n_draws,
    )


def log_probability(
    counts: NDArray[np.float64], log_mean: NDArray[np.float64], size: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Log probability of counts; negative binomial, or Poisson where the size is infinite.

    All arguments broadcast.
    """
    mean = np.exp(log_mean)
    finite = np.isfinite(size)
    r = np.where(finite, size, 1.0)
    with_size = (
        gammaln(counts + r)
        - gammaln(r)
        + counts * log_mean
        + r * np.log(r)
        - (counts + r) * np.logaddexp(np.log(r), log_mean)
    )
    found: NDArray[np.float64] = np.where(finite, with_size, counts * log_mean - mean) - gammaln(
        counts + 1
    )
    return found


def cumulative(
    counts: NDArray[np.float64], log_mean: NDArray[np.float64], size: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Probability of a count or a smaller one; 0 below 0. All arguments broadcast."""
    mean = np.exp(log_mean)
    finite = np.isfinite(size)
    r = np.where(finite, size, 1.0)
    n = np.maximum(counts, 0.0)
    found = np.where(finite, betainc(r, n + 1, r / (r + mean)), gammaincc(n + 1, mean))
    return np.where(counts < 0, 0.0, found)


def baselines(
    view: SpikeCounts,
    data: CountData,
    used: NDArray[np.bool_],
    hidden: NDArray[np.bool_],
) -> Mapping[str, NDArray[np.float64]]:
    """Log probabilities of hidden counts under simple predictions, shape (entry,) each.

    ``mean rate`` is Poisson and what bits are counted from; all others have each unit's best size
    of the negative binomial, so that they do not lose by the spread of counts alone.

    Parameters
    ----------
    view
        All counts.
    data
        Counts of the units that take part; what is hidden is not observed there.
    used
        Which units of the view take part.
    hidden
        Entries, shape (bin, unit that takes part).
    """
    at = np.nonzero(hidden)
    seen = data.observed
    counts = np.where(seen, data.counts, 0).astype(np.float64)
    share = np.where(view.observed, view.exposure_s / view.bin_s, 1.0)[:, used]
    exposure = np.where(seen, share, 0.0)
    # Half a spike more, so that no unit is thought unable to fire.
    mean = (counts.sum(axis=0) + 0.5) / np.maximum(exposure.sum(axis=0), 1.0)
    flat = np.log(mean * share)
    expected = {"mean rate": flat, "mean rate, free spread": flat}
    expected["smoothed rate"] = _smoothed(data, counts, exposure, share, mean)
    if len(view.trials):
        whole = np.zeros(view.counts.shape, dtype=bool)
        whole[:, used] = seen
        expected["PSTH"] = flat + log_psth(view, whole)[:, used]
    truth = data.counts[at].astype(np.float64)
    scores = {}
    for name, log_mean in expected.items():
        size = np.full(mean.size, np.inf)
        if name != "mean rate":
            size = best_size(counts, log_mean, seen)
        scores[name] = log_probability(truth, log_mean[at], size[at[1]])
    return scores


def best_size(
    counts: NDArray[np.float64], log_mean: NDArray[np.float64], seen: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """The size of each unit, of those in :data:`SIZES`, under which its counts are most likely."""
    likelihood = [
        np.where(seen, log_probability(counts, log_mean, np.asarray(size)), 0.0).sum(axis=0)
        for size in SIZES
    ]
    return np.asarray(SIZES[np.argmax(likelihood, axis=0)])


def _smoothed(
    data: CountData,
    counts: NDArray[np.float64],
    exposure: NDArray[np.float64],
    share: NDArray[np.float64],
    mean: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Log mean counts by Gaussian smoothing in time, with each unit's best width of kernel.

    A seen count takes no part in its own prediction; by these the width is chosen.
    """
    best = np.full(mean.size, -np.inf)
    chosen = np.log(mean * share)
    for width in SMOOTHING_BINS:
        near_counts, near_exposure = (
            _kernel_sums(values, data.segment, width) for values in (counts, exposure)
        )
        rate = _log_rate(near_counts - counts, near_exposure - exposure, mean) + np.log(share)
        score = np.where(data.observed, log_probability(counts, rate, np.asarray(np.inf)), 0.0).sum(
            axis=0
        )
        better = score > best
        chosen[:, better], best[better] = rate[:, better], score[better]
    return chosen


def _kernel_sums(
    values: NDArray[np.float64], segment: NDArray[np.int32], width: float
) -> NDArray[np.float64]:
    """Sums weighted by a Gaussian of height 1, stretch by stretch."""
    sums = np.empty_like(values)
    impulse = np.zeros(2 * int(4 * width + 0.5) + 1)
    impulse[impulse.size // 2] = 1.0
    height = gaussian_filter1d(impulse, width, mode="constant").max()
    for stretch in np.unique(segment):
        rows = segment == stretch
        sums[rows] = gaussian_filter1d(values[rows], width, axis=0, mode="constant") / height
    return sums


def _log_rate(
    counts: NDArray[np.float64], exposure: NDArray[np.float64], mean: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Log of counts over exposure, with a little of the unit's mean."""
    added = SMOOTHING_PRIOR
    rate = (np.maximum(counts, 0) + added * mean) / (np.maximum(exposure, 0) + added)
    return np.asarray(np.log(rate))
