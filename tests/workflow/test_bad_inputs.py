"""Bad inputs end in their class, with a message that helps, and leave nothing behind.

``NEUROPTYCH_BAD_INPUTS`` names the folder of a generated set; without it one is generated where
the generator lies beside the checkout.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from pipeline.core.recording import Recording
from tests.support.bad_inputs import (
    GENERATOR,
    SET_VARIABLE,
    faults_of,
    generate,
    read_cases,
    run_case,
)

pytestmark = pytest.mark.slow


def listed():
    """Ids of all cases, without the seconds that generating them takes."""
    if SET_VARIABLE in os.environ:
        return [case.id for case in read_cases(Path(os.environ[SET_VARIABLE]))]
    if GENERATOR.exists():
        return re.findall(r'^@case\(\s*"([^"]+)"', GENERATOR.read_text(), re.MULTILINE)
    reason = f"no set of bad inputs: {SET_VARIABLE} is not set, and no generator lies beside here"
    return [pytest.param("none", marks=pytest.mark.skip(reason=reason))]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Folder of the set."""
    if SET_VARIABLE in os.environ:
        return Path(os.environ[SET_VARIABLE]).resolve()
    return generate(tmp_path_factory.mktemp("bad") / "set")


@pytest.fixture(scope="module")
def cases(root):
    """The cases by their ids."""
    return {case.id: case for case in read_cases(root)}


@pytest.fixture(scope="module")
def control_of(root, cases, tmp_path_factory):
    """The recording that a case's arrays must equal; ``None`` where it names none."""
    read = {}

    def _control_of(case):
        if case.baseline is None:
            return None
        if case.baseline not in read:
            folder = tmp_path_factory.mktemp(case.baseline)
            read[case.baseline] = run_case(cases[case.baseline], root=root, folder=folder).record
        assert isinstance(read[case.baseline], Recording)
        return read[case.baseline]

    return _control_of


def test_every_case_of_the_set_is_tried(cases):
    assert sorted(listed()) == sorted(cases)


@pytest.mark.parametrize("name", listed())
def test_bad_input(name, root, cases, control_of, tmp_path):
    case = cases[name]
    if not case.is_meaningful:
        pytest.skip(f"needs {', '.join(case.needs)}")
    ending = run_case(case, root=root, folder=tmp_path)
    assert faults_of(case, ending, control=control_of(case)) == []
