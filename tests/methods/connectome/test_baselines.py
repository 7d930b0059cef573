"""Simpler analyses: correlation against NumPy, and which analysis wins on planted data."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.methods.connectome.alignment import align
from pipeline.methods.connectome.baselines import compare_with_baselines, verdict
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.correlation import traces_of_units, whole, windowed
from pipeline.methods.connectome.hals import refit_times, unfolded
from pipeline.methods.connectome.problem import affinity_problem
from pipeline.methods.connectome.result import Baselines
from pipeline.methods.connectome.simulate import simulate

CONFIG = ConnectomeConfig(rank=3, n_starts=1, max_iterations=60, n_partitions=10)


@pytest.fixture(scope="module")
def worms():
    return simulate(stream(3, "sim"), size="tiny")[0]


def compared(views, config=CONFIG):
    alignment = align(views, config)
    problem = affinity_problem(alignment, config, threads=1)
    return compare_with_baselines(problem, alignment, views, config, rng=stream(0, "baselines"))


def test_correlation_is_numpys_where_everything_is_known():
    values = stream(0, "traces").standard_normal((40, 5)) + 100
    expected = np.abs(np.corrcoef(values.T))[np.triu_indices(5, 1)]
    np.testing.assert_allclose(whole(values, np.ones((40, 5), dtype=bool)), expected)


def test_each_pair_is_correlated_over_the_frames_both_have():
    rng = stream(1, "traces")
    values = rng.standard_normal((50, 3))
    valid = rng.random((50, 3)) > 0.3
    found = whole(np.where(valid, values, 1e9), valid)
    for row, (one, other) in enumerate([(0, 1), (0, 2), (1, 2)]):
        both = valid[:, one] & valid[:, other]
        expected = abs(np.corrcoef(values[both, one], values[both, other])[0, 1])
        assert found[row] == pytest.approx(expected)


def test_a_constant_trace_and_too_few_frames_have_no_correlation():
    values = stream(2, "traces").standard_normal((20, 3))
    values[:, 0] = 0.1
    valid = np.ones((20, 3), dtype=bool)
    valid[3:, 2] = False
    assert np.isnan(whole(values, valid)).all()


def test_windows_overlap_by_half_and_hold_their_own_correlation():
    values = stream(3, "traces").standard_normal((20, 3))
    valid = np.ones((20, 3), dtype=bool)
    valid[12, 2] = False
    table, known = windowed(values, valid, frames=8)
    assert known.tolist() == [[True] * 3, [True] * 3, [True, True, False], [True, True, False]]
    np.testing.assert_allclose(table[1], whole(values[4:12], valid[4:12]), rtol=1e-6)
    assert table[2, 1:].tolist() == [0.0, 0.0]


def test_traces_are_found_by_identity_or_by_their_own_id(worms):
    view = worms[0]
    unit = np.array([str(view.identity[1]), f"{view.recording}:{view.unit[-1]}", "nobody"])
    values, valid = traces_of_units(view, unit, np.array([True, True, True]))
    np.testing.assert_array_equal(values[:, 0], view.values[:, 1])
    np.testing.assert_array_equal(values[:, 1], view.values[:, -1])
    assert not valid[:, 2].any()


def test_refitted_times_are_those_of_least_squares(worms):
    from scipy.optimize import nnls

    alignment = align(worms, CONFIG)
    problem = unfolded(affinity_problem(alignment, CONFIG, threads=1))
    pair = stream(4, "pairs").random((problem.shape[2], 3))
    time = refit_times(problem, pair, sweeps=400)
    observed = alignment.observed.reshape(-1, alignment.unit.size)
    one, other = np.triu_indices(alignment.unit.size, 1)
    eye = np.eye(problem.shape[2])
    for cell in (5, 40, 101):
        known = observed[cell, one] & observed[cell, other]
        chosen = np.zeros((len(observed), 1))
        chosen[cell] = 1
        slice_of_cell = problem.products.over_cells(chosen)[:, 0]
        expected = nnls(pair[known], (eye @ slice_of_cell)[known])[0]
        np.testing.assert_allclose(time[cell], expected, atol=1e-4)


def test_patterns_of_planted_groups_beat_a_single_graph(worms):
    found = compared(worms)
    names = list(found.baseline)
    assert names == [
        "components",
        "matrix factors",
        "one affinity graph",
        "correlation in windows",
        "static correlation",
    ]
    mean = dict(zip(names, found.explained.mean(axis=1), strict=True))
    assert mean["components"] > 1.3 * mean["one affinity graph"]
    assert mean["one affinity graph"] > mean["static correlation"]
    assert found.n_patterns.tolist() == [0, 3, 1, 3, 1]
    assert found.community.shape == (8, align(worms, CONFIG).unit.size)
    assert list(found.piece) == ["worm-1", "worm-2", "worm-3"]


def test_one_recording_is_judged_in_its_halves_and_is_its_own_matrix_factorisation(worms):
    found = compared(worms[:1])
    assert list(found.piece) == ["first half", "second half"]
    assert "matrix factors" not in found.baseline
    assert np.isfinite(found.explained).all()


def test_a_table_that_is_too_large_is_left_out_and_told(worms):
    found = compared(worms, CONFIG.model_copy(update={"max_tensor_mb": 0}))
    assert np.isnan(found.explained[list(found.baseline).index("correlation in windows")]).all()
    assert verdict(found) is not None


def seen(components, other):
    return Baselines(
        baseline=np.array(["components", "static correlation"]),
        piece=np.array([f"r{index}" for index in range(len(other))]),
        explained=np.array([components, other], dtype=float),
        n_patterns=np.array([0, 1]),
        pattern_of=np.array([1]),
        community=np.zeros((1, 3), dtype=np.int64),
    )


def test_few_recordings_must_all_be_ahead_and_many_by_more_than_chance():
    assert verdict(seen([3, 2, 3], [1, 1, 1])).ahead
    assert not verdict(seen([3, 2, 1], [1, 1, 1.1])).ahead
    many = verdict(seen([3, 2, 4, 3, 2, 5], [1, 1, 1, 1, 1, 1]))
    assert many.p_value == 1 / 64
    assert many.ahead
    assert not verdict(seen([3, 2, 4, 3, 2, 5], [4, 1, 3, 4, 1, 6])).ahead


def test_what_could_not_be_judged_gives_no_verdict():
    nothing = seen([3, 2], [1, 1])
    explained = np.array(nothing.explained)
    explained[1] = np.nan
    assert verdict(dataclasses.replace(nothing, explained=explained)) is None
