"""Agreement that is ended again and again goes on to the same numbers, and makes none twice."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.agreement import halves as over_halves
from pipeline.agreement import pairs as over_pairs
from pipeline.agreement.pairs import compare_pairs
from pipeline.agreement.unit_table import regions
from pipeline.core.resuming import ALONE, Checkpoint, Loops
from pipeline.io.records import read_record, write_record
from tests.agreement.test_agreement_over_halves import halves, population
from tests.agreement.test_pairs import labels, units_of

N_UNITS = 60
N_PIECES = 4
"""Exchanges and turned maps, of regions with clusters and over halves."""


class Interrupted(BaseException):
    """What ends a process in the middle."""


@pytest.fixture
def compared():
    """Both comparisons by the loops that they are given, as texts that tell every bit."""
    rng = np.random.default_rng(4)
    area = np.repeat(["CA1", "CA3", "DG"], N_UNITS // 3)
    units = {"day1": units_of(N_UNITS, region=area)}
    places = {"day1": rng.normal(size=(N_UNITS, 3))}
    levels = {"day1": rng.random(N_UNITS)}
    truth = rng.integers(0, 3, N_UNITS)
    near = np.where(rng.random(N_UNITS) < 0.3, rng.integers(0, 3, N_UNITS), truth)
    found = {
        kind: [halves(kind, np.stack([one, truth]), np.stack([truth, one]))]
        for kind, one in (("clusters", near), ("types", truth))
    }
    populations = {"day1": population(N_UNITS)}
    populations["day1"].level[:] = levels["day1"]
    populations["day1"].place[:] = places["day1"]

    def compare(loops):
        chosen = {"n_permutations": 99, "least": 10, "seed": 3, "loops": loops}
        pairs = compare_pairs(
            [regions(units), labels("clusters", "day1", truth)],
            levels=levels,
            places=places,
            unit_ids={"day1": list(units["day1"]["unit_id"])},
            **chosen,
        )
        tests = over_halves.compare_halves(list(found), found, {}, populations, **chosen)
        assert len(pairs) == len(tests) == 1
        assert tests[0].tested
        return repr(pairs), repr(tests)

    return compare


def test_it_goes_on_from_wherever_it_was_ended_and_exchanges_nothing_twice(
    compared, tmp_path, monkeypatch
):
    alone = compared(ALONE)
    told = []
    assert compared(Loops(told.append)) == alone
    assert len(told) == N_PIECES
    calls = []
    for room, name in ((over_pairs, "label_agreement"), (over_halves, "crossed_agreement")):
        work = getattr(room, name)

        def counted(*given, work=work, **chosen):
            calls.append(chosen["n_permutations"])
            return work(*given, **chosen)

        monkeypatch.setattr(room, name, counted)

    def ending(left):
        write_record(tmp_path / "left.h5", left)
        raise Interrupted

    resume = None
    for _ in range(N_PIECES):
        with pytest.raises(Interrupted):
            compared(Loops(ending, resume))
        resume = read_record(tmp_path / "left.h5", Checkpoint)
    assert compared(Loops(ending, resume)) == alone
    assert len([n for n in calls if n]) == N_PIECES
