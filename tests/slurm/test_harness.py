"""The tests of a cluster cannot fall silent where they could run."""

from __future__ import annotations

import pytest

from tests.support.needed import NO_SKIPS, lacking


@pytest.mark.parametrize(("value", "ends"), [("", "Skipped"), ("1", "Failed")])
def test_what_is_lacking_is_a_failure_where_it_could_be_had(monkeypatch, value, ends):
    monkeypatch.setenv(NO_SKIPS, value)
    with pytest.raises(BaseException, match="no Slurm") as caught:  # outcomes are no Exceptions
        lacking("no Slurm")
    assert type(caught.value).__name__ == ends
