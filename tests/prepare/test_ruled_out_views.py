"""What the sheet says rules out views that no file could give."""

from __future__ import annotations

import pytest

from pipeline.prepare.config import EnsembleConfig
from pipeline.prepare.kinds import KINDS, is_ruled_out

TRACES, EVENTS, SPIKES, UNKNOWN = (
    ("calcium", ""),
    ("calcium", "Events"),
    ("spikes", ""),
    ("auto", ""),
)


@pytest.mark.parametrize(
    ("view", "recordings", "expected"),
    [
        ("ensemble", [SPIKES], True),
        ("ensemble", [SPIKES, SPIKES], True),
        ("ensemble", [SPIKES, TRACES], False),
        ("ensemble", [SPIKES, UNKNOWN], False),
        ("counts", [TRACES], True),
        ("counts", [EVENTS], False),
        ("counts", [SPIKES], False),
        ("counts", [UNKNOWN], False),
        ("patterns", [TRACES], False),
        ("patterns", [SPIKES], False),
        ("responses", [TRACES, SPIKES], False),
    ],
)
def test_a_view_is_ruled_out_only_if_no_recording_can_give_it(view, recordings, expected):
    block = KINDS[view].settings()
    assert is_ruled_out(view, block, recordings) is expected


def test_what_settings_ask_for_is_not_ruled_out():
    assert not is_ruled_out("ensemble", EnsembleConfig(rate_sigma_s=0.25), [SPIKES])
