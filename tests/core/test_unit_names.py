"""One rule says what a unit is called."""

import pandas as pd
import pytest

from pipeline.core.unit_names import NO_NAMES, UnitNames, names_of_units

UNITS = pd.DataFrame(
    {
        "unit_id": ["0", "1", "2", "a3", "4", "5"],
        "identity": ["AVAL", "AVAL", "", "", "RIML", "RIML"],
        "identity_certain": [True, False, False, False, False, False],
    }
)


@pytest.mark.parametrize(
    ("n_recordings", "names"),
    [
        (1, ["AVAL", "AVAL?", "unit 2", "a3", "RIML? (4)", "RIML? (5)"]),
        (2, ["AVAL", "r1:AVAL?", "r1:2", "r1:a3", "r1:RIML? (4)", "r1:RIML? (5)"]),
    ],
)
def test_names_follow_identity_certainty_and_the_number_of_recordings(n_recordings, names):
    assert names_of_units("r1", UNITS, n_recordings=n_recordings) == names


def test_only_units_that_are_surely_the_same_share_a_name():
    both = UnitNames.of({"r1": UNITS, "r2": UNITS}).of_unit
    shared = set(both.values())
    assert len(shared) == 2 * len(UNITS) - 1
    assert both["r1:0"] == both["r2:0"] == "AVAL"


def test_pooled_units_have_the_names_of_units():
    names = UnitNames.of({"r1": UNITS})
    assert [names.pooled(item) for item in ("AVAL", "r1:1", "r1:2")] == ["AVAL", "AVAL?", "unit 2"]
    assert names.called("r1", "2") == "unit 2"
    assert NO_NAMES.called("r1", "2") == "r1:2"
