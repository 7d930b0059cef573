import numpy as np

from pipeline.core.parts import Figure, Heatmap, Line, Lines, Points
from pipeline.report.fitting import coarse_heatmap, lightened, thin_lines


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


def test_categories_are_picked_and_never_averaged():
    coarse = coarse_heatmap(
        heatmap([[0, 4, 0, 4], [4, 4, 4, 4]], square=True, scale="categorical"), cells=2
    )
    assert set(coarse.values.ravel().tolist()) <= {0.0, 4.0}


def test_thinned_curves_keep_values_at_their_times():
    x = np.arange(100.0)
    panel = Lines(title="", x=x, lines=(Line(name="a", y=x**2),), x_title="", y_title="")
    thin = thin_lines(panel, points=10)
    assert thin.x.size == 10
    np.testing.assert_array_equal(thin.lines[0].y, thin.x**2)


def test_more_points_than_a_browser_draws_with_ease_are_thinned_and_counted():
    x = np.arange(12_000.0)
    labels = tuple(str(i) for i in range(12_000))
    panel = Points(title="", x=x, y=-x, x_title="", y_title="", labels=labels, group=x.astype(int))
    figure = Figure(id="f", title="", finding="", caption="", alt="", panels=(panel,))
    light, notes = lightened(figure)
    assert light.panels[0].x.size == 4000
    assert light.panels[0].labels[7] == str(int(light.panels[0].x[7]))
    assert "4000 of 12000 points" in notes[0]


def test_panels_of_a_figure_share_the_points_that_a_browser_draws_with_ease():
    panels = tuple(
        Points(title="", x=np.arange(0.0, size), y=np.arange(0.0, size), x_title="", y_title="")
        for size in (4000, 3000, 10)
    )
    figure = Figure(id="f", title="", finding="", caption="", alt="", panels=panels)
    light, notes = lightened(figure)
    assert [panel.x.size for panel in light.panels] == [2000, 1500, 5]
    assert len(notes) == 1
    assert "3505 of 7010 points" in notes[0]
