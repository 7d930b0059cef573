"""Stimuli as films: what is shown is the stimulus within its range, and few bytes."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from pipeline.methods.celltypes.films import MOST_PIXELS, stimulus_films


def evidence(stimuli, *, channel=("green", "uv")):
    n = len(stimuli)
    model = SimpleNamespace(
        stimuli=np.asarray(stimuli, dtype=np.float32),
        low=np.full(len(channel), -2.0),
        high=np.full(len(channel), 2.0),
        channel=np.array(channel),
        frame_rate_hz=30.0,
        window_frames=5,
    )
    return SimpleNamespace(n_types=n, size=np.arange(n, 0, -1)), model


def test_films_are_the_stimuli_in_grey_channel_by_channel():
    stimuli = np.zeros((2, 2, 6, 4, 5))
    stimuli[1, 0, 3, 2, 1] = 2.0
    stimuli[1, 1, 3, 0, 4] = -2.0
    found = stimulus_films(*evidence(stimuli))
    assert [film.title for film in found.films] == [
        "Type 1: green",
        "Type 1: uv",
        "Type 2: green",
        "Type 2: uv",
    ]
    bright, dark = found.films[2].frames, found.films[3].frames
    assert bright.shape == (6, 4, 5)
    assert bright[3, 2, 1] == 255
    assert dark[3, 0, 4] == 0
    assert set(np.unique(bright).tolist()) == {bright[0, 0, 0], 255}
    assert abs(int(bright[0, 0, 0]) - 127.5) < 3
    steps = bright[0, 0, 0] / 255 * (found.greys - 1)
    assert abs(steps - round(steps)) < 0.25  # as the page reads it back
    assert found.still == 3
    assert found.frame_s * 30 == 4


def test_large_stimuli_are_coarsened_and_the_caption_says_so():
    stimuli = np.random.default_rng(0).uniform(-1, 1, (14, 1, 40, 30, 24))
    found = stimulus_films(*evidence(stimuli, channel=("grey",)))
    assert len(found.films) == 12
    assert sum(film.frames.size for film in found.films) <= MOST_PIXELS
    assert "Squares of 2 by 2 pixels are joined" in found.caption
    assert found.films[0].frames.shape == (40, 15, 12)


def test_images_that_stand_are_no_films():
    assert stimulus_films(*evidence(np.zeros((2, 2, 1, 4, 5)))) is None
