"""What a machine must have for some tests, and what its want means."""

from __future__ import annotations

import os

import pytest

NO_SKIPS = "NEUROPTYCH_NO_SKIPS"
"""Set by `.ci/run` where it can install all that tests need: then nothing may be skipped for want
of it, or these tests would fall silent for good."""


def lacking(reason):
    """Skip what this machine cannot do, or fail where it should be able to."""
    if os.environ.get(NO_SKIPS):
        pytest.fail(f"{reason}, and {NO_SKIPS} is set", pytrace=False)
    pytest.skip(reason)
