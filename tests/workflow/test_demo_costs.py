"""What the demo's jobs held at most is what they were expected to hold, within a factor of 2."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pipeline.core.outcome import Outcome
from pipeline.core.work import Work
from pipeline.io.records import record_type
from pipeline.stages.costs import Job

FINISHED = os.environ.get("NEUROPTYCH_DEMO_RESULTS", "")

pytestmark = pytest.mark.slow


def has_result(facts):
    """Whether a job had anything to do: others need next to nothing."""
    output = facts.with_suffix("").with_suffix(".h5")
    made = [output] if output.exists() else [*facts.parent.rglob("fit.h5")]  # assessed fits
    return not made or any(record_type(one) != Outcome.__name__ for one in made)


@pytest.mark.skipif(not FINISHED, reason="NEUROPTYCH_DEMO_RESULTS names no results of the demo")
def test_peaks_of_the_demo_are_told_within_a_factor_of_two():
    told = {}
    for path in sorted(Path(FINISHED).rglob("*.run.json")):
        facts = json.loads(path.read_text())
        if not facts.get("cost") or not has_result(path):
            continue
        work = Work(numbers=facts["cost"]["numbers"], steps=facts["cost"]["steps"])
        expected = Job(kind=facts["cost"]["kind"], work=work).estimate.memory_mb
        told[str(path)] = expected / facts["peak_memory_mb"]
    assert len(told) > 50
    assert {path: ratio for path, ratio in told.items() if not 0.5 <= ratio <= 2} == {}
