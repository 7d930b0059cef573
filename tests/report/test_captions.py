"""What is asked of captions: loopholes that the check must not have."""

from __future__ import annotations

import pytest

from tests.support.captions import lacking


@pytest.mark.parametrize(
    ("caption", "missing"),
    [
        ("Of 40 units; no band. Good: all alike. Bad: one apart.", []),
        ("Of 40 units. Good: all alike. Bad: one apart.", ["how sure"]),
        ("Of 40 units, in standard deviations. Good: up. Bad: down.", ["how sure"]),
        (
            "Of 40 units; axes end at the 99th percentile. Scatter and spread of restarts from "
            "other starts, beside chance. Good: all alike. Bad: one apart.",
            ["how sure"],
        ),
        ("n = 12. Bars: 95 % range. Good: all alike. Bad: one apart.", []),
        ("3 of 5 recordings. Neither good nor bad: nothing is measured.", []),
        (
            "Of 40 units. Look for stripes, which mean that the animal moved.",
            ["how sure", "good", "bad"],
        ),
        ("Rows fall silent for good, which is bad. Of 40 units.", ["how sure", "good", "bad"]),
        ("Shares from 0 to 1, with 95 % ranges. Good: near 1. Bad: near 0.", ["n"]),
        ("Of 40 units, one standard error. Good: . Bad: one apart.", ["good"]),
    ],
)
def test_a_caption_says_how_many_how_sure_and_what_good_and_bad_look_like(caption, missing):
    assert lacking(caption) == missing
