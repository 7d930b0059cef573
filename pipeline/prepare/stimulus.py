"""Frames that were shown, as one movie of a chosen size and rate."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.core.arrays import ArraySource, pieces
from pipeline.core.errors import DataError, NotApplicable
from pipeline.core.recording import Recording, StimulusImages, StimulusMovie

Series = StimulusMovie | StimulusImages

GAP = 1.5
"""A frame that stands longer than this many usual frames is followed by a gap."""
SLOWEST_MOVIE_HZ = 8.0
"""Images shown at a lower rate are single presentations, not frames of a movie."""
SAME_TIME = 0.01
"""Series whose frames appear within this share of a frame of each other are shown together."""
COLOURS = ("red", "green", "blue")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shown:
    """Series that were shown together: their frames are channels of one movie."""

    name: str
    series: tuple[Series, ...]
    channels: tuple[str, ...]
    time: NDArray[np.float64]
    """Onset of each frame, seconds, shape (frame,)."""

    @property
    def size(self) -> tuple[int, int]:
        """Pixels along y and x."""
        x, y = self.series[0].values.shape[1:3]
        return y, x

    def frames(self, rows: slice) -> NDArray[np.float32]:
        """Some of the frames, shape (frame, channel, y, x)."""
        return np.concatenate([_frames(one, rows) for one in self.series], axis=1)


def shown(recording: Recording, names: Sequence[str]) -> tuple[Shown, ...]:
    """What was shown, in order of time; series with the same times are channels of one movie.

    Parameters
    ----------
    recording
        The recording.
    names
        Series to take; all where empty.

    Raises
    ------
    NotApplicable
        If there are no frames, a name is not among them, or movies cannot be put together.
    """
    offered = recording.stimuli
    unknown = [name for name in names if name not in offered]
    if unknown or not offered:
        raise NotApplicable(
            f"Recording {recording.id} has no stimulus frames"
            + (f" called {', '.join(map(repr, unknown))}" if unknown else "")
            + (f"; it has {', '.join(map(repr, offered))}" if offered else "")
            + ". This method needs the frames that were shown, or trials that name the stimulus."
        )
    chosen = {name: offered[name] for name in (names or sorted(offered))}
    groups: list[dict[str, Series]] = []
    for name, series in chosen.items():
        for group in groups:
            if _together(next(iter(group.values())), series):
                group[name] = series
                break
        else:
            groups.append({name: series})
    movies = sorted((_movie(group) for group in groups), key=lambda movie: float(movie.time[0]))
    _check_sequence(recording.id, movies)
    return tuple(movies)


def _together(one: Series, other: Series) -> bool:
    """Whether two series show frames of the same size at the same times."""
    if one.time.shape != other.time.shape or one.values.shape[1:3] != other.values.shape[1:3]:
        return False
    usual = float(np.median(np.diff(one.time))) if one.time.size > 1 else 1.0
    return bool(np.abs(one.time - other.time).max(initial=0.0) <= SAME_TIME * usual)


def _movie(group: Mapping[str, Series]) -> Shown:
    labels: list[str] = []
    shared = _shared_start(list(group)) if len(group) > 1 else ""
    for name, series in group.items():
        own = name.removeprefix(shared) or name
        n_channels = 1 if isinstance(series, StimulusMovie) else _n_colours(series)
        several = [f"{own} {colour}" if len(group) > 1 else colour for colour in COLOURS]
        labels += [own] if n_channels == 1 else several
    return Shown(
        name=" + ".join(group),
        series=tuple(group.values()),
        channels=tuple(labels),
        time=next(iter(group.values())).time,
    )


def _shared_start(names: Sequence[str]) -> str:
    """Letters that all names begin with."""
    letters = itertools.takewhile(lambda at: len(set(at)) == 1, zip(*names, strict=False))
    return "".join(at[0] for at in letters)


def _check_sequence(recording: str, movies: Sequence[Shown]) -> None:
    choose = "name those to use in prepare.responses.stimulus"
    for before, after in itertools.pairwise(movies):
        if len(before.channels) != len(after.channels) or before.size != after.size:
            raise NotApplicable(
                f"The stimuli '{before.name}' and '{after.name}' of recording {recording} have "
                f"frames of {_words(before)} and of {_words(after)}; {choose}."
            )
        if after.time[0] <= before.time[-1]:
            raise NotApplicable(
                f"The stimuli '{before.name}' and '{after.name}' of recording {recording} were "
                f"shown at the same time but not with the same frames; {choose}."
            )


def _words(movie: Shown) -> str:
    y, x = movie.size
    return f"{len(movie.channels)} x {y} x {x} (channel, y, x)"


def _n_colours(series: StimulusImages) -> int:
    """Channels of images without the one that tells how opaque they are."""
    return min(int(series.values.shape[-1]), len(COLOURS))


def _frames(series: Series, rows: slice) -> NDArray[np.float32]:
    """Some frames of one series, shape (frame, channel, y, x)."""
    if isinstance(series, StimulusMovie):
        return np.asarray(series.values[rows], dtype=np.float32).swapaxes(1, 2)[:, None]
    numbers, places = np.unique(series.shown[rows], return_inverse=True)
    images = [
        series.values[number : number + 1, :, :, : _n_colours(series)]
        for number in numbers.tolist()
    ]
    frames: NDArray[np.float32] = (
        np.concatenate(images).astype(np.float32).transpose(0, 3, 2, 1)[places]
    )
    return frames


@dataclass(frozen=True, kw_only=True, eq=False)
class Film:
    """Movies one after another on a grid of frames; a source of shape (frame, channel, y, x)."""

    movies: tuple[Shown, ...]
    rate_hz: float
    """Of the grid; where it is the movies' own, every frame of theirs is one of the grid."""
    grid: tuple[int, int]
    """Pixels along y and x; frames are averaged over the area of each."""
    presentations: bool
    """Whether frames are images that are shown by themselves, with no movement between."""

    @cached_property
    def _edges(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
        """Onset and end of every frame of the grid, and which movie it belongs to."""
        starts, stops, movie = [], [], []
        for index, shown_ in enumerate(self.movies):
            for first, last in _runs(shown_.time):
                onset, end = _run_edges(shown_.time, first, last)
                if not self.own_frames:
                    n_frames = int(np.floor((end[-1] - onset[0]) * self.rate_hz * (1 + 1e-9)))
                    edges = onset[0] + np.arange(n_frames + 1) / self.rate_hz
                    onset, end = edges[:-1], edges[1:]
                starts.append(onset)
                stops.append(end)
                movie.append(np.full(onset.size, index))
        return np.concatenate(starts), np.concatenate(stops), np.concatenate(movie)

    @cached_property
    def own_frames(self) -> bool:
        """Whether the frames of the grid are those of the movies."""
        return all(abs(self.rate_hz / own_rate_hz(movie.time) - 1) < 0.01 for movie in self.movies)

    @property
    def start(self) -> NDArray[np.float64]:
        """Onset of every frame, seconds, shape (frame,)."""
        return self._edges[0]

    @property
    def stop(self) -> NDArray[np.float64]:
        """When every frame ends, seconds, shape (frame,)."""
        return self._edges[1]

    @cached_property
    def run(self) -> NDArray[np.int64]:
        """Number of the uninterrupted stretch every frame belongs to, shape (frame,)."""
        start, stop, movie = self._edges
        usual = 1 / self.rate_hz
        breaks = (start[1:] - stop[:-1] > (GAP - 1) * usual) | (np.diff(movie) != 0)
        return np.concatenate([[0], np.cumsum(breaks)]).astype(np.int64)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Frames, channels, pixels along y and x."""
        return self.start.size, len(self.movies[0].channels), *self.grid

    @property
    def dtype(self) -> np.dtype[Any]:
        """Single precision."""
        return np.dtype(np.float32)

    @property
    def chunks(self) -> tuple[int, ...]:
        """A second of frames."""
        return max(1, min(self.shape[0], round(self.rate_hz))), *self.shape[1:]

    def __getitem__(self, key: slice | tuple[slice, ...], /) -> NDArray[np.float32]:
        """The entries in a rectangle."""
        parts = key if isinstance(key, tuple) else (key,)
        first, stop, step = parts[0].indices(self.shape[0])
        found = [self._piece(a, b) for a, b in self._within_movies(first, max(first, stop))]
        frames = np.concatenate(found) if found else np.empty((0, *self.shape[1:]), self.dtype)
        return frames[(slice(None, None, step), *parts[1:])]

    def _within_movies(self, first: int, stop: int) -> Iterator[tuple[int, int]]:
        """Stretches of the grid that lie in one movie each."""
        movie = self._edges[2]
        cuts = np.flatnonzero(np.diff(movie)) + 1
        bounds = [first, *cuts[(cuts > first) & (cuts < stop)].tolist(), stop]
        yield from ((a, b) for a, b in itertools.pairwise(bounds) if a < b)

    def _piece(self, first: int, stop: int) -> NDArray[np.float32]:
        """Frames of the grid that lie in one movie."""
        start, end, of_movie = self._edges
        movie = self.movies[of_movie[first]]
        offset = int(np.searchsorted(of_movie, of_movie[first]))
        if self.own_frames:
            return self._on_grid(movie.frames(slice(first - offset, stop - offset)))
        rows = slice(
            max(0, int(np.searchsorted(movie.time, start[first], side="right")) - 1),
            int(np.searchsorted(movie.time, end[stop - 1], side="left")),
        )
        edges = np.append(movie.time, _last_end(movie.time))[rows.start : rows.stop + 1]
        weights = _overlap(start[first:stop], end[first:stop], edges)
        frames = self._on_grid(movie.frames(rows))
        flat = weights @ frames.reshape(len(frames), -1)
        return np.asarray(flat, dtype=np.float32).reshape(stop - first, *self.shape[1:])

    def _on_grid(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """Frames averaged over the area of each pixel of the grid."""
        for axis, size in ((2, self.grid[0]), (3, self.grid[1])):
            if frames.shape[axis] != size:
                edges = np.linspace(0, frames.shape[axis], size + 1)
                weights = _overlap(edges[:-1], edges[1:], np.arange(frames.shape[axis] + 1.0))
                moved = np.moveaxis(frames, axis, 0)
                flat = weights @ moved.reshape(moved.shape[0], -1)
                frames = np.moveaxis(flat.reshape(size, *moved.shape[1:]), 0, axis)
        return np.ascontiguousarray(frames, dtype=np.float32)


def own_rate_hz(time: NDArray[np.float64]) -> float:
    """Frames a second, from the median interval."""
    return float(1 / np.median(np.diff(time))) if time.size > 1 else 1.0


def film(
    movies: Sequence[Shown], *, rate_hz: float | None, fastest_hz: float, grid: tuple[int, int]
) -> Film:
    """The movies on one grid of frames.

    Parameters
    ----------
    movies
        In order of time, of one size.
    rate_hz
        Frames a second; where None, the movies' own rate, at most ``fastest_hz``.
    grid
        Pixels along y and x.
    """
    own = [own_rate_hz(movie.time) for movie in movies]
    images = all(isinstance(one, StimulusImages) for movie in movies for one in movie.series)
    presentations = images and max(own) <= SLOWEST_MOVIE_HZ
    if presentations:
        rate_hz = own[0]
    elif rate_hz is None:
        rate_hz = min(own[0], fastest_hz)
    return Film(
        movies=tuple(movies), rate_hz=float(rate_hz), grid=grid, presentations=presentations
    )


def contents(source: ArraySource) -> NDArray[np.int64]:
    """A number for every frame, equal where frames are equal to the bit; shape (frame,).

    Raises
    ------
    DataError
        If a frame has entries that are no numbers (IN-T16).
    """
    codes = np.empty(source.shape[0], dtype=np.int64)
    for key in pieces(source, axes=(0,)):
        frames = source[key[0]]
        bad = ~np.isfinite(frames).reshape(len(frames), -1).all(axis=1)
        if bad.any():
            first = key[0].start + int(np.flatnonzero(bad)[0])
            raise DataError(
                code="IN-T16",
                place="stimulus",
                found=f"frame {first} has pixels that are no finite numbers",
                fix="write the frames that were shown, or leave the series out with "
                "prepare.responses.stimulus",
            )
        for place, frame in enumerate(frames, start=key[0].start):
            digest = hashlib.blake2b(frame.tobytes(), digest_size=8).digest()
            codes[place] = np.frombuffer(digest, dtype="<i8")[0]
    return codes


def _runs(time: NDArray[np.float64]) -> Iterator[tuple[int, int]]:
    """Stretches of frames without a gap: first, and one past the last."""
    usual = 1 / own_rate_hz(time)
    cuts = (np.flatnonzero(np.diff(time) > GAP * usual) + 1).tolist()
    bounds = [0, *cuts, time.size]
    yield from itertools.pairwise(bounds)


def _run_edges(
    time: NDArray[np.float64], first: int, last: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Onset and end of the frames of a run; its last frame stands as long as is usual."""
    onset = time[first:last]
    return onset, np.append(onset[1:], onset[-1] + 1 / own_rate_hz(time))


def _last_end(time: NDArray[np.float64]) -> float:
    return float(time[-1] + 1 / own_rate_hz(time))


def _overlap(
    start: NDArray[np.float64], stop: NDArray[np.float64], edges: NDArray[np.float64]
) -> Any:  # Any: a sparse matrix of SciPy, which has no types
    """Share of each piece between two edges in each stretch, shape (stretch, piece), rows sum 1."""
    from scipy.sparse import csr_array

    first = np.clip(np.searchsorted(edges, start, side="right") - 1, 0, edges.size - 2)
    last = np.clip(np.searchsorted(edges, stop, side="left"), 1, edges.size - 1)
    counts = np.maximum(last - first, 1)
    rows = np.repeat(np.arange(start.size), counts)
    columns = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    columns += np.repeat(first, counts)
    lengths = np.minimum(stop[rows], edges[columns + 1]) - np.maximum(start[rows], edges[columns])
    lengths = np.maximum(lengths, 0)
    total = np.bincount(rows, weights=lengths, minlength=start.size)
    values = (lengths / np.where(total > 0, total, 1)[rows]).astype(np.float32)
    return csr_array((values, (rows, columns)), shape=(start.size, edges.size - 1))
