"""Stored records of an older form are made anew, because their version was raised with the form."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest

from pipeline.core.halves import HALVES_VERSION, Halves
from pipeline.core.recording import RECORDING_VERSION, Recording
from pipeline.core.views import (
    VIEW_VERSION,
    ResponsePatterns,
    SpikeCounts,
    StimulusResponses,
    TraceEnsemble,
)
from pipeline.io.json_values import alternatives, hints_of, is_record_type, value_hint


def form(kind):
    """Names and annotations of a record's fields, and of the records in them."""
    hints = hints_of(kind)
    lines = []
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        lines.append(f"{kind.__name__}.{field.name}: {hint} {dict(field.metadata)}")
        for member in (*alternatives(hint), *alternatives(value_hint(hint))):
            if is_record_type(member):
                lines += form(member)
    return lines


@pytest.mark.parametrize(
    ("kind", "version", "known"),
    [
        (Recording, RECORDING_VERSION, (5, "fdde8a9d5aa0")),
        (TraceEnsemble, VIEW_VERSION, (6, "44b9a23491ff")),
        (SpikeCounts, VIEW_VERSION, (6, "7c5577eaf89f")),
        (ResponsePatterns, VIEW_VERSION, (6, "e970177d6fd1")),
        (StimulusResponses, VIEW_VERSION, (6, "3c91e8f2c788")),
        (Halves, HALVES_VERSION, (3, "d4249db4626a")),
    ],
)
def test_a_record_that_changes_its_form_raises_its_version(kind, version, known):
    digest = hashlib.sha256("\n".join(form(kind)).encode()).hexdigest()[:12]
    assert (version, digest) == known, (
        f"{kind.__name__} has another form: raise its version, and write both here"
    )
