"""Communities and courses in the form in which methods are compared."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from pipeline.methods.connectome.labels import labels


def table(ids, identity):
    return pd.DataFrame(
        {"unit_id": ids, "identity": identity, "identity_certain": [bool(n) for n in identity]}
    )


RESULT = SimpleNamespace(
    recording=np.array(["a", "b"]),
    unit=np.array(["AVAL", "a:2", "RIML"]),
    presence=np.array([[True, True, False], [True, False, True]]),
    structured=np.array([True, False]),
    community=np.array([[0, -1, 1], [0, 0, 0]]),
    membership=np.array([[0.9, 0.2, 0.8], [1, 1, 1]]),
    source_time_s=np.array([[0.0, np.nan], [1.0, np.nan], [np.nan, 0.0]]),
    component_time=np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
    sides=None,
    alignment="concatenate",
    epoch_test=None,
)
UNITS = {
    "a": table(["1", "2", "3"], ["AVAL", "", "RIML"]),
    "b": table(["9", "8"], ["RIML", "AVAL"]),
}


def test_members_of_communities_are_found_in_the_recordings_that_have_them():
    (found,) = labels(RESULT, UNITS).units
    rows = list(zip(found.recording, found.unit, found.item, found.label, strict=True))
    # Unit 3 of a was not above noise there, unit 2 of a is in no community.
    assert rows == [
        ("a", "1", "AVAL", "1"),
        ("b", "9", "RIML", "2"),
        ("b", "8", "AVAL", "1"),
    ]
    assert found.probability.tolist() == [0.9, 0.8, 0.9]
    assert found.name == "community of component 1"


def test_each_recording_has_its_stretch_of_the_courses():
    first, second = labels(RESULT, UNITS).courses
    assert first.time_s.tolist() == [0.0, 1.0]
    assert second.course.tolist() == [[5.0, 6.0]]
    assert not first.cut
