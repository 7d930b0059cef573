"""What of a stimulus is shown again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.numerics.repetition import Repetition, repetition
from pipeline.prepare.stimulus import Film, Shown, contents, own_rate_hz


def shown_again(
    frames: Film, content: NDArray[np.int64], runs: NDArray[np.int64], *, repeat_s: float
) -> Repetition:
    """Frames of the grid that are shown again.

    Parameters
    ----------
    frames
        The frames.
    content
        A number for each, the same where frames are the same; shape (frame,).
    runs
        Number of the uninterrupted stretch each frame belongs to; -1 for frames of no use.
    repeat_s
        Least length in seconds of what is shown again. A single image needs no length.
    """
    if frames.presentations:
        return _images_again(content, runs >= 0)
    found = repetition(content, runs, max(2, round(repeat_s * frames.rate_hz)))
    ending = np.where(runs >= 0, found.ending, -1)
    inside = found.inside if frames.own_frames else found.inside | _seen_again(frames, repeat_s)
    return Repetition(ending=ending, inside=inside & (runs >= 0))


def _images_again(content: NDArray[np.int64], usable: NDArray[np.bool_]) -> Repetition:
    """Every image stands by itself: it is shown again where it has the same content."""
    ending = np.full(content.size, -1, dtype=np.int64)
    _, inverse, counts = np.unique(content[usable], return_inverse=True, return_counts=True)
    several = counts > 1
    ending[usable] = np.where(several, np.cumsum(several) - 1, -1)[inverse]
    return Repetition(ending=ending, inside=ending >= 0)


def _seen_again(frames: Film, repeat_s: float) -> NDArray[np.bool_]:
    """Frames of the grid during which the file's own frames come again.

    A movie that is shown again at another phase of the grid gives other averages, but must not be
    learned from and tested on all the same.
    """
    codes = np.concatenate([_own_contents(movie) for movie in frames.movies])
    runs = np.repeat(np.arange(len(frames.movies)), [movie.time.size for movie in frames.movies])
    time = np.concatenate([movie.time for movie in frames.movies])
    width = max(2, round(repeat_s * own_rate_hz(frames.movies[0].time)))
    onset = time[repetition(codes, runs, width).inside]
    found: NDArray[np.bool_] = np.searchsorted(onset, frames.stop) > np.searchsorted(
        onset, frames.start
    )
    return found


def _own_contents(movie: Shown) -> NDArray[np.int64]:
    """A number for each of the file's own frames."""
    return contents(
        Film(
            movies=(movie,),
            rate_hz=own_rate_hz(movie.time),
            grid=movie.size,
            presentations=False,
        )
    )
