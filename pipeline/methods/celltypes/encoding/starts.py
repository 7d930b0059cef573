"""Where fits start: what was on the screen before units answered.

The average of the frames before an answer, less the plain average, shows a unit's filter blurred by
the correlations of the movie. Taking these away (the inverse covariance of pixels on one side and
of lags on the other, each with a ridge) gives filters that need little further learning. Units
whose answers follow contrast of either sign have no such average; where they look is seen in the
average of the squared frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.methods.celltypes.encoding.feed import Feed
from pipeline.methods.celltypes.encoding.networks import LinearNonlinear
from pipeline.methods.celltypes.encoding.scores import correlation

STRETCH_FRAMES = 1_000
RIDGES = (1e-3, 1e-2, 1e-1, 1.0)
"""Relative to the mean variance of a pixel; the best in the validation frames is taken."""
REACHES = (2.0, 4.0, 8.0, np.inf)
"""Width in pixels of the envelope around the peak outside of which a filter is nothing."""
LEEWAY = 1.5
"""By how much the window in which a filter goes on learning is wider than its envelope."""
LEAST_SEEN = 1e-3
"""Pixels below this share of the envelope start from nothing."""
PLACE_LAGS = slice(1, 8)
"""Frames back in which the place of a unit is looked for."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Triggered:
    """Averages before answers, and how the movie is correlated with itself."""

    average: Floats
    """Frames, weighted by how far answers are from their mean: (unit, lag, channel, y, x)."""
    squared: Floats
    """The same of squared frames, summed over channels after weighting: (unit, lag, y, x)."""
    pixels: NDArray[np.float64]
    """Covariance of pixels of all channels, shape (pixel, pixel)."""
    lags: NDArray[np.float64]
    """Correlation of a pixel with itself so many frames back, shape (lag,)."""
    mean: Floats
    """Mean answer, shape (unit,)."""


def triggered(feed: Feed, memory: int) -> Triggered:
    """Averages over all frames to learn from.

    Parameters
    ----------
    feed
        The sessions.
    memory
        Number of lags.
    """
    shape = feed.sessions[0].stimulus.shape[1:]
    n_pixels = int(np.prod(shape))
    average = np.zeros((feed.n_units, memory, n_pixels), dtype=np.float32)
    squared = np.zeros((feed.n_units, memory, *shape[1:]), dtype=np.float32)
    pixels, lags, n_frames = np.zeros((n_pixels, n_pixels)), np.zeros(memory), 0
    mean = np.zeros(feed.n_units, dtype=np.float32)
    for index, session in enumerate(feed.sessions):
        units = feed.units[index]
        answers, known = feed.answers(index)
        used = np.zeros(len(answers), dtype=bool)
        for first, stop in session.train.tolist():
            used[first:stop] = True
        seen = known & used[:, None]
        count = np.maximum(seen.sum(axis=0), 1)
        mean[units] = np.where(seen, answers, 0).sum(axis=0) / count
        away = np.where(seen, answers - mean[units], 0).astype(np.float32)
        for clip in feed.clips("train", length=STRETCH_FRAMES):
            if clip.session != index:
                continue
            frames = feed.frames(index, clip.first, clip.stop).reshape(-1, n_pixels)
            own = away[clip.first + memory - 1 : clip.stop]
            energy = np.square(frames).reshape(len(frames), shape[0], -1).sum(axis=1) - shape[0]
            for lag in range(memory):
                rows = slice(memory - 1 - lag, len(frames) - lag)
                average[units, lag] += own.T @ frames[rows]
                squared[units, lag] += (own.T @ energy[rows]).reshape(-1, *shape[1:])
                lags[lag] += np.vdot(frames[memory - 1 :], frames[rows]) / n_pixels
            last = frames[memory - 1 :]
            pixels += last.T @ last
            n_frames += len(last)
        average[units] /= count[:, None, None]
        squared[units] /= count[:, None, None, None]
    return Triggered(
        average=average.reshape(feed.n_units, memory, *shape),
        squared=squared,
        pixels=pixels / max(n_frames, 1),
        lags=lags / max(n_frames, 1),
        mean=mean,
    )


def places(found: Triggered) -> Floats:
    """Where each unit looks, y and x in pixels, shape (unit, 2).

    It is the peak of the energy over lags, of the average or of the squared one, whichever stands
    out more from the rest of its map.
    """
    from scipy.ndimage import uniform_filter

    lags = PLACE_LAGS if found.average.shape[1] > 1 else slice(0, 1)
    maps = [
        np.square(found.average[:, lags]).sum(axis=(1, 2)),
        np.square(found.squared[:, lags]).sum(axis=1),
    ]
    smooth = [uniform_filter(each, size=(0, 3, 3), mode="nearest") for each in maps]
    flat = np.stack([each.reshape(len(each), -1) for each in smooth])
    prominence = flat.max(axis=2) / np.maximum(np.median(flat, axis=2), 1e-30)
    peak = flat.argmax(axis=2)[prominence.argmax(axis=0), np.arange(flat.shape[1])]
    return np.stack(np.unravel_index(peak, maps[0].shape[1:]), axis=1).astype(np.float32)


def start_filters(network: LinearNonlinear, feed: Feed, found: Triggered) -> None:
    """Give a linear-nonlinear model the filters that predict the validation frames best."""
    design = network.design
    n_units, memory = design.n_units, design.memory
    raw = found.average.reshape(n_units, memory, -1)
    values, vectors = np.linalg.eigh(found.pixels)
    turned = raw @ vectors.astype(np.float32)
    in_time = _lag_inverse(found.lags)
    best = np.full(n_units, -np.inf)
    space = np.zeros((n_units, design.rank, raw.shape[2]), dtype=np.float32)
    time = np.zeros((n_units, design.rank, memory), dtype=np.float32)
    window = np.ones((n_units, int(np.prod(design.grid))), dtype=np.float32)
    drives = np.ones(n_units, dtype=np.float32)
    seen = list(_validation(feed))
    for ridge in RIDGES:
        kept = (1 / (np.maximum(values, 0) + ridge * values.mean())).astype(np.float32)
        whole = in_time @ ((turned * kept) @ vectors.T.astype(np.float32))
        for reach in REACHES:
            envelope = _envelope(whole, reach, design.grid)
            pixels = np.tile(envelope, design.n_channels)
            one_space, one_time = _products(whole * pixels[:, None], design.rank)
            linear = [
                _drive(frames, one_space, one_time, units)[-len(rows) :]
                for rows, units, frames in seen
            ]
            score = _scores(feed, seen, linear)
            better = score > best
            best[better] = score[better]
            space[better], time[better] = one_space[better], one_time[better]
            window[better] = _envelope(whole[better], LEEWAY * reach, design.grid)
            spread = _spreads(seen, linear, n_units)
            drives[better] = spread[better]
    with torch.no_grad():
        network.space.copy_(
            torch.from_numpy(
                space / np.tile(np.maximum(window, LEAST_SEEN), design.n_channels)[:, None]
            ).view_as(network.space)
        )
        network.window.copy_(torch.from_numpy(window).view_as(network.window))
        network.time.copy_(torch.from_numpy(time))
        # The drive's spread is about one, and the mean answer that of a silent stimulus.
        network.gain.copy_(torch.from_numpy(1 / np.maximum(drives, 1e-6)))
        network.bias.copy_(start_bias(found.mean, counts=feed.counts))


def start_bias(mean: Floats, *, counts: bool) -> torch.Tensor:
    """What the soft threshold turns into the mean answer, shape (unit,); 0 for traces."""
    if not counts:
        return torch.zeros(len(mean))
    return torch.from_numpy(np.log(np.expm1(np.maximum(mean, 0.01)))).float()


def _lag_inverse(lags: NDArray[np.float64]) -> Floats:
    """Inverse of the correlation between lags, with a ridge."""
    from scipy.linalg import toeplitz

    matrix = toeplitz(lags / lags[0]) + 0.1 * np.eye(lags.size)
    return np.asarray(np.linalg.inv(matrix), dtype=np.float32)


def _envelope(filters: Floats, reach: float, grid: tuple[int, int]) -> Floats:
    """Gaussian around each filter's peak, shape (unit, pixel)."""
    n_units = len(filters)
    if not n_units:
        return np.empty((0, grid[0] * grid[1]), dtype=np.float32)
    energy = np.square(filters).sum(axis=1).reshape(n_units, -1, *grid)
    peak = energy.sum(axis=1).reshape(n_units, -1).argmax(axis=1)
    y, x = np.unravel_index(peak, grid)
    square = (np.arange(grid[0])[None, :, None] - y[:, None, None]) ** 2
    square = square + (np.arange(grid[1])[None, None, :] - x[:, None, None]) ** 2
    envelope: Floats = np.exp(-square / (2 * reach**2)).reshape(n_units, -1).astype(np.float32)
    return envelope


def _products(filters: Floats, rank: int) -> tuple[Floats, Floats]:
    """Best sums of products of one filter in space and one in time: (unit, rank, ...) each."""
    _values, vectors = np.linalg.eigh(filters @ filters.swapaxes(1, 2))
    time = vectors[:, :, ::-1][:, :, :rank].swapaxes(1, 2)
    space = time @ filters
    size = np.linalg.norm(space, axis=(1, 2), keepdims=True)
    return space / np.maximum(size, 1e-12), np.ascontiguousarray(time)


def _validation(feed: Feed) -> list[tuple[NDArray[np.int64], slice, Floats]]:
    """Session and answered frames, units, and frames of every validation clip."""
    found = []
    for clip in feed.clips("validation", length=STRETCH_FRAMES):
        frames = feed.frames(clip.session, clip.first, clip.stop)
        rows = np.arange(clip.first + feed.lost - 1, clip.stop)
        units = feed.units[clip.session]
        found.append((rows, units, frames.reshape(len(frames), -1)))
    return found


def _drive(frames: Floats, space: Floats, time: Floats, units: slice) -> Floats:
    """Filtered frames, shape (answered frame, unit)."""
    own_space, own_time = space[units], time[units]
    n_units, rank, memory = own_time.shape
    seen = (frames @ own_space.reshape(n_units * rank, -1).T).reshape(-1, n_units, rank)
    n_answered = len(frames) - memory + 1
    drive = np.zeros((n_answered, n_units), dtype=np.float32)
    for lag in range(memory):
        rows = seen[memory - 1 - lag : len(frames) - lag]
        drive += np.einsum("tnr,nr->tn", rows, own_time[:, :, lag])
    return drive


def _scores(
    feed: Feed, seen: list[tuple[NDArray[np.int64], slice, Floats]], linear: list[Floats]
) -> NDArray[np.float64]:
    """Correlation of filtered frames with answers, in the validation frames, shape (unit,)."""
    found = np.full(feed.n_units, -np.inf)
    for index, units in enumerate(feed.units):
        own = [place for place, (_, of, _) in enumerate(seen) if of == units]
        if not own:
            continue
        answers, known = feed.answers(index)
        rows = np.concatenate([seen[place][0] for place in own])
        drive = np.concatenate([linear[place] for place in own])
        score = correlation(drive, answers[rows], known[rows])
        found[units] = np.where(np.isfinite(score), score, -np.inf)
    return found


def _spreads(
    seen: list[tuple[NDArray[np.int64], slice, Floats]], linear: list[Floats], n_units: int
) -> Floats:
    """Standard deviation of the filtered frames, shape (unit,)."""
    found = np.ones(n_units, dtype=np.float32)
    for units in {(of.start, of.stop) for _, of, _ in seen}:
        own = [linear[place] for place, (_, of, _) in enumerate(seen) if of == slice(*units)]
        found[slice(*units)] = np.concatenate(own).std(axis=0)
    return found
