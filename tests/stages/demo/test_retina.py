"""The simulated retina answers as planted, and its types can be told from what is recorded."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.cluster.vq import kmeans2

from pipeline.core.rng import stream
from pipeline.methods.celltypes.simulate import (
    CELL_TYPES,
    FRAME_HZ,
    N_LAGS,
    N_PIXELS,
    contrast,
    spikes_a_frame,
)
from pipeline.numerics.partitions import adjusted_rand_index
from pipeline.stages.demo import SEED
from pipeline.stages.demo.retina import N_REPEATED_FRAMES, N_REPEATS, simulate


@pytest.fixture(scope="module")
def session():
    return simulate(stream(SEED, "retina"))


@pytest.fixture(scope="module")
def counts(session):
    """Spikes in each frame, shape (frame, unit)."""
    edges = np.append(session.frame_time, session.frame_time[-1] + 1 / FRAME_HZ)
    units = range(session.spikes.n_units)
    return np.stack([np.histogram(session.spikes.of_unit(u), edges)[0] for u in units], axis=1)


@pytest.fixture(scope="module")
def rates(session):
    return spikes_a_frame(contrast(session.levels), session.truth)


@pytest.fixture(scope="module")
def repeats(session, counts):
    """Spikes in the frames shown again and again, shape (repeat, frame, unit)."""
    epochs = session.epochs[session.epochs["label"] == "repeated movie"]
    starts = np.round(epochs["start_s"].to_numpy() * FRAME_HZ).astype(int)
    return np.stack([counts[start : start + N_REPEATED_FRAMES] for start in starts])


def one_cell(truth, answer="half"):
    """A cell that sees one pixel of the first channel, one frame back."""
    spatial = np.zeros((1, N_PIXELS, N_PIXELS))
    spatial[0, 3, 5] = 1.0
    return dataclasses.replace(
        truth,
        unit=np.array(["0"]),
        cell_type=np.array(["only"]),
        type_of_unit=np.array([0]),
        centre=np.array([[3.0, 5.0]]),
        channel_weight=np.array([[np.sqrt(2), 0.0]]),
        spatial_filter=spatial,
        temporal_filter=np.eye(1, N_LAGS, 1),
        answer=np.array([answer]),
    )


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("half", [np.log1p(np.exp(1.4 * v - 0.6)) for v in (0, 2, -1)]),
        ("both", [np.log1p(np.exp(1.4 * v - 0.8)) for v in (0, 2, 1)]),
        ("suppressed", [1.6 * np.exp(-0.7 * v) for v in (0, 2, 1)]),
    ],
)
def test_a_cell_of_one_pixel_and_lag_answers_by_the_formula(session, answer, expected):
    movie = np.zeros((3, 2, N_PIXELS, N_PIXELS))
    movie[:2, 0, 3, 5] = 2.0, -1.0
    movie[:, 0, 5, 3] = 9.0  # not its pixel
    movie[:, 1, 3, 5] = 9.0  # not its channel
    rate = spikes_a_frame(movie, one_cell(session.truth, answer))
    np.testing.assert_allclose(rate[:, 0], 0.35 * np.array(expected))


def test_there_are_eight_types_of_the_sizes_wanted(session):
    truth = session.truth
    sizes = np.bincount(truth.type_of_unit)
    assert sizes.tolist() == [kind.n_cells for kind in CELL_TYPES]
    assert sizes.sum() == 200
    assert np.all((truth.centre >= 4) & (truth.centre <= N_PIXELS - 5))
    np.testing.assert_allclose(np.linalg.norm(truth.spatial_filter, axis=(1, 2)), 1.0)
    np.testing.assert_allclose(np.linalg.norm(truth.temporal_filter, axis=1), 1.0)
    peak = np.abs(truth.spatial_filter).reshape(200, -1).argmax(axis=1)
    place = np.stack(np.unravel_index(peak, (N_PIXELS, N_PIXELS)), axis=1)
    assert np.abs(place - truth.centre).max() <= 1.0


def test_counts_are_poisson_with_the_planted_rates(counts, rates):
    z = (counts.sum(axis=0) - rates.sum(axis=0)) / np.sqrt(rates.sum(axis=0))
    assert np.abs(z).max() < 4
    assert np.square(counts - rates).mean() / rates.mean() == pytest.approx(1.0, abs=0.02)


def test_the_movie_has_the_contrast_and_the_colours_wanted(session):
    shown = contrast(session.levels)
    blocks = session.blocks
    frames = {
        kind: np.concatenate(
            [
                shown[round(start * FRAME_HZ) : round(stop * FRAME_HZ)]
                for start, stop in zip(rows["start_s"], rows["stop_s"], strict=True)
            ]
        )
        for kind, rows in blocks[blocks["stimulus_id"].str.startswith("movie")].groupby("kind")
    }
    assert set(frames) == {"natural", "checkerboard", "flicker"}
    assert frames["natural"].std() == pytest.approx(1.0, abs=0.1)
    green, uv = frames["natural"].swapaxes(0, 1).reshape(2, -1)
    assert np.corrcoef(green, uv)[0, 1] == pytest.approx(0.6, abs=0.05)
    assert set(np.unique(frames["checkerboard"])) == {-1.0, 1.0}
    within, whole = frames["flicker"].std(axis=(2, 3)).mean(), frames["flicker"].std()
    assert within < 0.5 * whole  # the screen changes as one
    assert frames["natural"].std(axis=(2, 3)).mean() > 0.6


def test_the_same_frames_have_the_same_name_and_are_shown_as_often_as_told(session):
    by_name = {}
    for row in session.blocks.itertuples():
        start = round(row.start_s * FRAME_HZ)
        shown = session.levels[start : start + 150].tobytes()
        by_name.setdefault(row.stimulus_id, []).append(shown)
    for name, shown in by_name.items():
        assert len(set(shown)) == 1
        assert len(shown) == (N_REPEATS if name.startswith("segment") else 1)
    assert len({shown[0] for shown in by_name.values()}) == len(by_name) == 56


def test_trials_are_the_blocks_that_are_shown_again(session):
    counts = session.trials["condition"].value_counts()
    assert counts.to_dict() == {f"segment {i}": N_REPEATS for i in range(1, 7)}
    for _, rows in session.trials.groupby("condition"):
        assert rows["repeat"].tolist() == list(range(N_REPEATS))
        assert np.all(np.diff(rows["start_s"]) > 0)


def test_grey_before_each_repeat_is_as_long_as_cells_remember(session, rates):
    starts = session.epochs.loc[session.epochs["label"] == "repeated movie", "start_s"]
    first = np.round(starts.to_numpy() * FRAME_HZ).astype(int)
    answers = np.stack([rates[start : start + N_REPEATED_FRAMES] for start in first])
    np.testing.assert_allclose(answers, np.broadcast_to(answers[0], answers.shape))


def test_answers_repeat_least_in_cells_that_contrast_suppresses(session, repeats):
    total = repeats.sum(axis=0)
    reliability = np.array(
        [
            np.mean([np.corrcoef(one[:, u], total[:, u] - one[:, u])[0, 1] for one in repeats])
            for u in range(total.shape[1])
        ]
    )
    names = session.truth.cell_type[session.truth.type_of_unit]
    suppressed = names == "suppressed by contrast"
    assert reliability[~suppressed].min() > 0.5
    assert 0.15 < reliability[suppressed].min() < reliability[suppressed].max() < 0.4


def averages(session, counts):
    """Spike-triggered averages seen through each cell's own place (unit, channel, lag)."""
    shown = contrast(session.levels)
    movie = shown.reshape(len(shown), 2, -1)
    filters = session.truth.spatial_filter.reshape(200, -1)
    seen = np.stack([movie[:, channel] @ filters.T for channel in range(2)])
    away = counts - counts.mean(axis=0)
    return np.stack(
        [(seen[:, : len(shown) - lag] * away[lag:]).mean(axis=1) for lag in range(N_LAGS)], axis=2
    ).swapaxes(0, 1)


def test_spike_triggered_averages_show_the_planted_sign_and_time_course(session, counts):
    truth = session.truth
    found = averages(session, counts)
    names = truth.cell_type[truth.type_of_unit]
    linear = ~np.isin(names, ["ON-OFF transient", "suppressed by contrast"])
    for unit in np.flatnonzero(linear):
        for channel in range(2):
            planted = np.sign(truth.channel_weight[unit, channel]) * truth.temporal_filter[unit]
            assert np.corrcoef(found[unit, channel], planted)[0, 1] > 0.6


def test_types_are_told_apart_by_what_their_cells_would_answer_at_one_place(session):
    """The known cells, moved to the middle of the screen: types differ more than cells of one."""
    truth = session.truth
    pixel = np.arange(N_PIXELS) - N_PIXELS / 2
    radius = np.hypot(pixel[:, None], pixel)
    width = np.array([kind.width for kind in CELL_TYPES])[truth.type_of_unit]
    bump = [np.exp(-np.square(radius[None] / width[:, None, None]) / 2)]
    bump.append(np.exp(-np.square(radius[None] / (2.5 * width[:, None, None])) / 2))
    centre, surround = (one / one.sum(axis=(1, 2), keepdims=True) for one in bump)
    spatial = centre - 0.6 * surround
    spatial /= np.linalg.norm(spatial, axis=(1, 2), keepdims=True)
    moved = dataclasses.replace(truth, spatial_filter=spatial)
    answers = spikes_a_frame(contrast(session.levels[60:1560]), moved)
    z = (answers - answers.mean(axis=0)) / answers.std(axis=0)
    vectors = np.linalg.svd(z.T, full_matrices=False)[0] * np.linalg.svd(z, compute_uv=False)
    agreement = [
        adjusted_rand_index(
            truth.type_of_unit,
            kmeans2(vectors[:, :20], 8, minit="++", seed=stream(seed, "start"))[1],
        )
        for seed in range(10)
    ]
    assert max(agreement) == 1.0
