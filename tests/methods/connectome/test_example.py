"""The figure of how affinity is made, and which units drawings of components show."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.methods.connectome.alignment import measured_speeds
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.example import example_figure
from pipeline.methods.connectome.networks import LEAST_UNITS, network_figure, order_by_community
from pipeline.methods.connectome.simulate import simulate

CONFIG = ConnectomeConfig(rank=2)


@pytest.fixture(scope="module")
def views():
    return simulate(stream(0, "example"), size="tiny")[0]


def result_of(views, *, strongest=(2, 6), frame=100):
    """A result of two components, the second of which ties two units most at one frame."""
    names = np.array(sorted({str(name) for view in views for name in view.identity if name}))
    pair = np.full((names.size, names.size), 0.1)
    pair[strongest] = pair[strongest[::-1]] = 1.0
    n_frames = views[0].time.size
    course = np.zeros((n_frames, 2))
    course[frame, 1] = 1.0
    course[5, 0] = 9.0
    return SimpleNamespace(
        unit=names,
        recording=np.array([view.recording for view in views]),
        component_gain=np.array([0.1, 0.4]),
        pair_units=np.stack(np.triu_indices(names.size, 1), axis=1),
        component_time=course,
        source_time_s=np.stack([view.time[:n_frames] for view in views], axis=1),
        presence=np.array([np.isin(names, view.identity) for view in views]),
        pair_matrix=lambda component: pair,
    )


def test_the_strongest_pair_is_shown_where_it_is_tied_most(views):
    result = result_of(views)
    figure = example_figure(result, views, CONFIG, result.unit)
    first, second = result.unit[[2, 6]]
    assert figure.finding.startswith(f"{first} and {second}, the strongest pair of component 2,")
    traces, speeds, affinity = figure.panels
    assert [line.name for line in traces.lines] == [first, second]
    index = int(np.flatnonzero(result.presence[:, 2] & result.presence[:, 6])[0])
    view = views[index]
    assert traces.x_title == f"Time in {view.recording} (s)"
    middle = view.time[100]
    assert traces.x.min() >= middle - 30.1
    assert traces.x.max() <= middle + 30.1
    # the affinity is made of the speeds above it, which are those that are factorised
    np.testing.assert_allclose(
        affinity.lines[0].y, np.sqrt(speeds.lines[0].y * speeds.lines[1].y), atol=2e-3
    )
    column = list(view.identity).index(first)
    rows = np.searchsorted(view.time, speeds.x - 1e-3)
    expected = measured_speeds([view], CONFIG)[0].speed[rows, column]
    np.testing.assert_allclose(speeds.lines[0].y, expected, atol=1e-3)
    for span in figure.panels[0].spans:
        assert traces.x[0] <= span.start < span.stop <= traces.x[-1]


def test_two_channels_are_two_curves_and_nothing_is_shown_of_pairs_that_are_never_together(views):
    split = CONFIG.model_copy(update={"affinity": "split_sign"})
    result = result_of(views)
    figure = example_figure(result, views, split, result.unit)
    same, opposite = figure.panels[2].lines
    assert (same.name, opposite.name) == ("same", "opposite directions")
    assert not ((same.y > 0) & (opposite.y > 0)).any()
    apart = result_of(views)
    apart.presence[:, 2] = False
    assert example_figure(apart, views, CONFIG, apart.unit) is None


def drawn(n_units, *, community):
    """A component whose first units are tied, the rest next to nothing."""
    matrix = np.full((n_units, n_units), 0.001)
    matrix[:4, :4] = 1.0
    matrix[:4, 4] = matrix[4, :4] = 0.3
    np.fill_diagonal(matrix, np.nan)
    return SimpleNamespace(
        rank=1,
        unit=np.array([f"N{index:02d}" for index in range(n_units)]),
        recording=np.array(["a", "b"]),
        structured=np.array([True]),
        community=np.array([community]),
        pair_matrix=lambda component: matrix,
    )


def test_units_and_edges_of_next_to_no_strength_are_not_drawn():
    community = np.full(30, -1)
    community[:4] = 0
    community[29] = 0  # a weak member is shown all the same
    result = drawn(30, community=community)
    order = order_by_community(result, 0, limit=50)
    assert set(order[:5]) == {0, 1, 2, 3, 29}
    assert order.size == LEAST_UNITS + 1
    network = network_figure(result, result.unit).panels[0]
    tied = {frozenset(network.labels[at] for at in edge) for edge in network.edges.tolist()}
    assert len(tied) == 6 + 4
    assert network.weights.min() == pytest.approx(0.3)
