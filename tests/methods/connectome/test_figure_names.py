from types import SimpleNamespace

import numpy as np

from pipeline.methods.connectome.figures import thinned
from pipeline.methods.connectome.networks import unit_names


def named(units, recordings):
    return list(unit_names(SimpleNamespace(unit=np.array(units), recording=np.array(recordings))))


def test_the_only_recording_is_not_repeated_in_every_unit_name():
    assert named(["r1:7", "AVAL", "r10:7"], ["r1"]) == ["unit 7", "AVAL", "r10:7"]


def test_units_of_several_recordings_keep_the_recording_in_their_names():
    assert named(["r1:7", "r2:7"], ["r1", "r2"]) == ["r1:7", "r2:7"]


def test_the_drawn_curve_reaches_its_maximum_at_one():
    x, y = thinned(np.arange(6.0), np.array([0.0, 0.0, 8.0, 0.0, 1.0, 1.0]), 3)
    np.testing.assert_array_equal(x, [0.5, 2.5, 4.5])
    np.testing.assert_array_equal(y, [0.0, 1.0, 0.25])
    assert thinned(np.arange(2.0), np.zeros(2), 5)[1].tolist() == [0.0, 0.0]
