"""A recording that stands twice in an experiment is told, since it counts twice."""

from __future__ import annotations

import dataclasses

from pipeline.core.recording import Recording
from pipeline.stages.report import repeated
from tests.support.small_recordings import calcium


def recording(name: str, *, checksum: str, series: str = "/processing/ophys/a") -> Recording:
    made = calcium(name=name)
    return dataclasses.replace(
        made,
        about=dataclasses.replace(made.about, source_series=series),
        provenance=dataclasses.replace(made.provenance, inputs={f"{name}.nwb": checksum}),
    )


def test_the_same_content_under_two_ids_is_told_at_the_second():
    pairs = (("r1", "a"), ("r2", "b"), ("r3", "a"))
    found = repeated([recording(name, checksum=checksum) for name, checksum in pairs])
    assert list(found) == ["r3"]
    assert (found["r3"].code, found["r3"].kind) == ("IN-F29", "warn")
    assert "r1" in found["r3"].text


def test_two_series_of_one_file_are_two_recordings():
    planes = [
        recording("r1", checksum="a", series="/processing/ophys/plane0"),
        recording("r2", checksum="a", series="/processing/ophys/plane1"),
    ]
    assert repeated(planes) == {}


def test_recordings_without_a_file_are_never_the_same():
    assert repeated([calcium(name="r1"), calcium(name="r2")]) == {}
