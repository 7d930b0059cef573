import numpy as np
import pytest

from pipeline.core.intervals import count_inside, inside, places_inside, union, without
from pipeline.core.rng import stream


def test_stretches_that_touch_stay_apart_and_contained_ones_vanish():
    joined = union(np.array([[5.0, 6.0], [0.0, 4.0], [1.0, 2.0], [4.0, 5.0], [0.0, 4.0]]))
    np.testing.assert_array_equal(joined, [[0.0, 4.0], [4.0, 5.0], [5.0, 6.0]])


def test_a_long_stretch_swallows_all_that_begin_in_it():
    joined = union(np.array([[0.0, 10.0], [1.0, 2.0], [3.0, 4.0], [9.0, 12.0], [20.0, 21.0]]))
    np.testing.assert_array_equal(joined, [[0.0, 12.0], [20.0, 21.0]])
    assert union(np.empty((0, 2))).shape == (0, 2)


@pytest.mark.parametrize(
    ("holes", "left"),
    [
        ([], [[0, 4], [4, 8]]),
        ([[1, 2]], [[0, 1], [2, 4], [4, 8]]),
        ([[3, 5]], [[0, 3], [5, 8]]),
        ([[5, 6], [1, 2], [1.5, 3]], [[0, 1], [3, 4], [4, 5], [6, 8]]),
        ([[-1, 4]], [[4, 8]]),
        ([[-1, 9]], []),
        ([[2, 2]], [[0, 4], [4, 8]]),
    ],
)
def test_holes_are_cut_out(holes, left):
    found = without(np.array([[0.0, 4.0], [4.0, 8.0]]), np.array(holes, float).reshape(-1, 2))
    np.testing.assert_array_equal(found, np.array(left, float).reshape(-1, 2))


def test_counting_and_marking_agree_with_asking_one_by_one():
    rng = stream(3, "intervals")
    times = np.sort(np.round(rng.uniform(0, 50, 400), 1))
    begins = np.round(rng.uniform(0, 50, 9), 1)
    stretches = union(np.stack([begins, begins + 3], axis=1))
    asked = [any(a <= time <= b for a, b in stretches) for time in times]
    assert 0 < sum(asked) < 400
    assert inside(times, stretches).tolist() == asked
    assert count_inside(times, stretches) == sum(asked)
    places = places_inside(times, stretches)
    in_turn = [time for first, stop in places.tolist() for time in times[first:stop]]
    assert in_turn == times[asked].tolist()
    nowhere = np.empty((0, 2))
    assert count_inside(times, nowhere) == 0
    assert not inside(times, nowhere).any()


def test_a_time_on_a_border_counts_once():
    touching = np.array([[0.0, 1.0], [1.0, 2.0]])
    times = np.array([0.0, 1.0, 1.0, 2.0])
    assert inside(times, touching).all()
    assert count_inside(times, touching) == 4
