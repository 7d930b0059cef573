import numpy as np
import pytest

from pipeline.core.parts import Bars, Figure, Heatmap, Line, Lines, Network, Points, Span
from pipeline.report.fitting import MOST_MARKS, coarse_heatmap, left_out, lightened, thin_lines


def heatmap(values, **fields):
    words = {"title": "", "x_title": "", "y_title": "", "value_title": ""}
    return Heatmap(values=np.asarray(values, dtype=np.float32), **{**words, **fields})


def test_coarse_cells_are_means_of_their_cells_without_missing_ones():
    values = [[1, 3, np.nan, np.nan], [1, 3, np.nan, 8]]
    coarse = coarse_heatmap(heatmap(values, square=True), cells=2)
    np.testing.assert_array_equal(coarse.values, [[2, 8]])


def test_time_stays_at_the_middle_of_the_coarse_bins():
    coarse = coarse_heatmap(heatmap(np.zeros((1, 6)), x=np.arange(6) * 2.0), cells=2)
    assert coarse.values.shape == (1, 2)
    np.testing.assert_allclose(coarse.x, [2.0, 8.0])


def test_coarse_rows_say_how_many_units_they_stand_for():
    names = ("a", "b", "c")
    coarse = coarse_heatmap(
        heatmap(np.zeros((3, 3)), square=True, x_labels=names, y_labels=names), cells=4
    )
    assert coarse.y_labels == ("a +1", "c")
    assert coarse.x_labels == ("a +1", "c")


def test_frames_stay_around_what_they_framed():
    framed = heatmap(np.zeros((4, 4)), square=True, outlined=((3, 0), (2, 1), (0, 3)))
    assert coarse_heatmap(framed, cells=4).outlined == ((1, 0), (0, 1))


def test_categories_are_picked_and_never_averaged():
    coarse = coarse_heatmap(
        heatmap([[0, 4, 0, 4], [4, 4, 4, 4]], square=True, scale="categorical"), cells=2
    )
    assert set(coarse.values.ravel().tolist()) <= {0.0, 4.0}


def test_thinned_curves_are_means_at_the_middle_of_their_times():
    x = np.arange(100.0)
    y = np.where(x < 20, np.nan, 2 * x)
    panel = Lines(title="", x=x, lines=(Line(name="a", y=y),), x_title="", y_title="")
    thin = thin_lines(panel, points=10)
    np.testing.assert_array_equal(thin.x, np.arange(4.5, 100, 10))
    np.testing.assert_array_equal(thin.lines[0].y, np.where(thin.x < 20, np.nan, 2 * thin.x))
    assert thin_lines(panel, points=100) is panel


def lighter(figure):
    light = lightened(figure)
    return light, left_out(figure, light)


def test_more_points_than_a_browser_draws_with_ease_are_thinned_and_counted():
    x = np.arange(12_000.0)
    labels = tuple(str(i) for i in range(12_000))
    panel = Points(title="", x=x, y=-x, x_title="", y_title="", labels=labels, group=x.astype(int))
    figure = Figure(id="f", title="", finding="", caption="", alt="", panels=(panel,))
    light, notes = lighter(figure)
    assert light.panels[0].x.size == 4000
    assert light.panels[0].labels[7] == str(int(light.panels[0].x[7]))
    assert "4000 of 12000 points" in notes[0]


def test_panels_of_a_figure_share_the_points_that_a_browser_draws_with_ease():
    panels = tuple(
        Points(title="", x=np.arange(0.0, size), y=np.arange(0.0, size), x_title="", y_title="")
        for size in (4000, 3000, 10)
    )
    figure = Figure(id="f", title="", finding="", caption="", alt="", panels=panels)
    light, notes = lighter(figure)
    assert [panel.x.size for panel in light.panels] == [2000, 1500, 5]
    assert len(notes) == 1
    assert "3505 of 7010 points" in notes[0]


def figure_of(*panels):
    return Figure(id="f", title="", finding="", caption="", alt="", panels=panels)


@pytest.mark.parametrize(("ranged", "shown"), [(False, 4000), (True, 2000)])
def test_many_bars_are_thinned_and_those_with_ranges_count_twice(ranged, shown):
    values = np.arange(8000.0)
    ends = {"lower": values - 1, "upper": values + 1} if ranged else {}
    labels = tuple(str(i) for i in range(8000))
    panel = Bars(title="", labels=labels, values=values, x_title="", y_title="", **ends)
    light, notes = lighter(figure_of(panel))
    (thin,) = light.panels
    assert thin.values.size == len(thin.labels) == shown
    assert thin.labels[9] == str(int(thin.values[9]))
    assert not ranged or (thin.upper[9], thin.lower[9]) == (thin.values[9] + 1, thin.values[9] - 1)
    assert notes == (f"Shown are {shown} of 8000 bars, evenly picked; the result files have all.",)


def spans(count, n_labels):
    return tuple(Span(start=i, stop=i + 0.5, label=f"c{i % n_labels}") for i in range(count))


@pytest.mark.parametrize("n_labels", [2, 7, 4000])
def test_many_stretches_of_time_are_thinned_and_listed_labels_stay(n_labels):
    curve = Line(name="a", y=np.zeros(3))
    track = Lines(
        title="", x=np.arange(3.0), lines=(curve,), x_title="", y_title="",
        spans=spans(4000, n_labels),
    )  # fmt: skip
    light, notes = lighter(figure_of(track, heatmap(np.zeros((2, 2)), spans=spans(40, 2))))
    assert light.panels[0].lines == (curve,)
    kept = [len(panel.spans) for panel in light.panels]
    assert 3 * sum(kept) <= MOST_MARKS
    assert n_labels > 16 or len({span.label for span in light.panels[0].spans}) == n_labels
    (note,) = notes
    assert note.startswith(f"Shown are {sum(kept)} of 4040 stretches of time, evenly picked;")


def network(n_nodes, edges, weights):
    return Network(
        title="", labels=tuple(str(i) for i in range(n_nodes)), x=np.arange(float(n_nodes)),
        y=np.zeros(n_nodes), group=np.arange(n_nodes), edges=edges, weights=weights,
    )  # fmt: skip


def test_of_many_edges_the_strongest_are_shown():
    first, second = np.triu_indices(150, k=1)
    weights = np.where(np.arange(first.size) % 2, -1.0, 1.0) * np.arange(first.size)
    light, notes = lighter(figure_of(network(150, np.stack([first, second], axis=1), weights)))
    (thin,) = light.panels
    assert len(thin.labels) == 150
    shown = len(thin.edges)
    assert shown <= MOST_MARKS
    np.testing.assert_array_equal(thin.weights, weights[-shown:])
    np.testing.assert_array_equal(thin.edges[-1], [148, 149])
    assert notes == (
        f"Shown are {shown} of {first.size} edges, the strongest; the result files have all.",
    )


def test_of_many_nodes_those_with_the_strongest_edges_are_shown_with_their_own():
    edges = np.array([[6000, 2], [1, 5999], [6000, 5999]])
    light, notes = lighter(figure_of(network(9000, edges, np.array([3.0, -2.0, 1.0]))))
    (thin,) = light.panels
    assert len(thin.labels) == 3000
    assert {"6000", "5999", "1", "2"} <= set(thin.labels)
    named = [tuple(thin.labels[node] for node in edge) for edge in thin.edges]
    assert named == [("6000", "2"), ("1", "5999"), ("6000", "5999")]
    assert [thin.x[i] for i in (0, -1)] == [float(thin.labels[0]), float(thin.labels[-1])]
    assert notes == ("Shown are 3000 of 9000 nodes, the best linked; the result files have all.",)


def test_marks_of_which_there_are_few_stay_beside_many():
    few = Bars(title="", labels=tuple("abc"), values=np.ones(3), x_title="", y_title="")
    many = Points(title="", x=np.zeros(9000), y=np.zeros(9000), x_title="", y_title="")
    light, _ = lighter(figure_of(few, many))
    assert light.panels[0] is few
    assert light.panels[1].x.size == 3000


def curves(count, points, *, banded=False, **more):
    y = np.linspace(0.0, 1.0, points)
    ends = {"lower": y - 1, "upper": y + 1} if banded else {}
    lines = tuple(Line(name=str(i), y=y, **ends) for i in range(count))
    return Lines(title="", x=np.arange(float(points)), lines=lines, x_title="", y_title="", **more)


def vertices(panel):
    return sum(panel.x.size * (1 if line.lower is None else 3) for line in panel.lines)


def test_long_curves_become_means_of_their_points_and_short_ones_beside_them_stay():
    figure = figure_of(curves(3, 3000, banded=True), curves(2, 40))
    light, notes = lighter(figure)
    long, short = light.panels
    assert len(long.lines) == 3
    assert 3500 < vertices(long) + vertices(short) <= MOST_MARKS
    np.testing.assert_allclose(long.lines[0].upper, long.lines[0].y + 1)
    assert short is figure.panels[1]
    assert notes == (
        "Curves of 3000 points are shown as means of 7 points each; the result files have all.",
    )


def test_curves_keep_half_of_the_marks_beside_many_stretches_of_time():
    light, notes = lighter(figure_of(curves(2, 4000, spans=spans(4000, 2))))
    (panel,) = light.panels
    assert MOST_MARKS * 0.4 < vertices(panel) <= MOST_MARKS / 2
    assert vertices(panel) + 3 * len(panel.spans) <= MOST_MARKS
    assert len(notes) == 2


def test_of_too_many_curves_some_are_left_out_and_the_others_keep_their_shape():
    light, notes = lighter(figure_of(curves(400, 500, banded=True)))
    (panel,) = light.panels
    assert [line.name for line in panel.lines[:2]] == ["0", "14"]
    assert panel.x.size == 50
    assert vertices(panel) <= MOST_MARKS
    assert "29 of 400 curves" in notes[0]
    assert "Curves of 500 points" in notes[1]
