# ruff: noqa: PD011 (no pandas objects here)
"""Left and right homologues: which names are a pair, and what stands for both."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from pipeline.core.errors import NotApplicable
from pipeline.core.provenance import Provenance
from pipeline.core.rng import stream
from pipeline.core.views import TraceEnsemble
from pipeline.methods.connectome.algorithm import combine, fit_part
from pipeline.methods.connectome.alignment import align
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.diagnostics import assess
from pipeline.methods.connectome.exported import exported
from pipeline.methods.connectome.figures import figures
from pipeline.methods.connectome.labels import labels
from pipeline.methods.connectome.readback import predictions
from pipeline.methods.connectome.references import references
from pipeline.methods.connectome.refits import refit
from pipeline.methods.connectome.section import section
from pipeline.methods.connectome.sides import (
    homologues,
    likeness_of_sides,
    side_of,
    unclear_sides,
    with_sides_merged,
)
from pipeline.methods.connectome.simulate import simulate

PROVENANCE = Provenance(stage="fit", experiment="x", package_version="0", code_digest="")
MERGED = ConnectomeConfig(
    rank=3,
    min_snr=0.0,
    n_restarts=1,
    n_surrogates=0,
    max_iterations=60,
    n_partitions=10,
    leave_one_out=False,
    baselines=False,
    merge_sides=True,
    seeds=["N00L"],
)


def view_of(names: list[str], values, valid=None, *, recording="a") -> TraceEnsemble:
    values = np.asarray(values, dtype=np.float32)
    return TraceEnsemble(
        recording=recording,
        time=np.arange(len(values)) / 3.0,
        values=values,
        valid=np.ones(values.shape, dtype=bool) if valid is None else valid,
        unit=np.array([f"roi{index}" for index in range(len(names))]),
        identity=np.array(names),
        epochs=pd.DataFrame({"start_s": [], "stop_s": [], "label": pd.Series([], dtype="str")}),
        left_out=pd.DataFrame({"what": [], "count": [], "reason": []}),
        rate_hz=3.0,
        signal="dff",
        value_unit="dF/F",
        provenance=PROVENANCE,
    )


def named(*recordings: list[str]) -> list[TraceEnsemble]:
    return [
        view_of(names, np.zeros((4, len(names))), recording=f"r{index}")
        for index, names in enumerate(recordings)
    ]


def test_the_last_letter_tells_the_side_and_the_rest_the_class():
    assert side_of("AVAL") == ("AVA", "L")
    assert side_of("DA1_R") == ("DA1", "R")
    assert [side_of(name)[1] for name in ("AVB", "R", "_L", "Cel")] == ["", "", "", ""]


def test_names_are_a_pair_only_where_one_recording_has_both():
    assert homologues(named(["AVAL", "AVAR", "RIML"], ["RIMR", "AVL", ""])) == {
        "AVAL": "AVA",
        "AVAR": "AVA",
    }
    # A third name that could be the class, or either side, leaves it open what they are.
    assert homologues(named(["AVAL", "AVAR"], ["AVA"])) == {}


def test_names_that_could_be_one_unit_or_two_are_told():
    assert unclear_sides(named(["AVAL", "AVAR", "AVL", "RIS"])) == []
    assert unclear_sides(named(["RIML"], ["RIMR"])) == ["RIML", "RIMR"]
    assert unclear_sides(named(["AVAL", "AVAR"], ["AVA"])) == ["AVA", "AVAL", "AVAR"]
    assert unclear_sides(named(["AVAL", "AVAR"], ["AVAl"])) == ["AVAL", "AVAR", "AVAl"]


def test_the_mean_of_both_stands_for_them_and_a_lone_side_for_itself():
    traces = np.array([[1.0, 9.0, 3.0], [2.0, 9.0, 6.0], [4.0, 9.0, 0.0]])
    both = view_of(["AVAR", "AVB", "AVAL"], traces)
    alone = view_of(["AVB", "AVAL"], traces[:, 1:], recording="b")
    first, second = with_sides_merged([both, alone], MERGED)
    assert first.identity.tolist() == ["AVA", "AVB"]
    assert first.unit.tolist() == ["roi0+roi2", "roi1"]
    np.testing.assert_array_equal(first.values, [[2, 9], [4, 9], [2, 9]])
    assert second.identity.tolist() == ["AVB", "AVA"]
    np.testing.assert_array_equal(second.values, alone.values)


def test_where_one_side_is_missing_the_mean_does_not_jump_to_the_other():
    traces = np.column_stack([np.ones(40), np.full(40, 5.0), np.zeros(40)])
    valid = np.ones(traces.shape, dtype=bool)
    valid[10:12, 0] = False  # bridged
    valid[20:30, 1] = False
    found = with_sides_merged([view_of(["AVAL", "AVAR", "AVB"], traces, valid)], MERGED)[0]
    assert np.flatnonzero(~found.valid[:, 0]).tolist() == list(range(20, 30))
    np.testing.assert_array_equal(found.values[found.valid[:, 0], 0], 3.0)
    # Seldom known together: the better known side alone.
    valid[:25, 0] = False
    found = with_sides_merged([view_of(["AVAL", "AVAR", "AVB"], traces, valid)], MERGED)[0]
    assert np.flatnonzero(~found.valid[:, 0]).tolist() == list(range(20, 30))
    np.testing.assert_array_equal(found.values[found.valid[:, 0], 0], 5.0)


def test_what_stands_in_missing_samples_does_not_matter_nor_does_the_order_of_sides():
    rng = stream(0, "sides")
    traces = rng.standard_normal((60, 3))
    valid = rng.random((60, 3)) < 0.9
    view = view_of(["AVAL", "AVAR", "AVB"], traces, valid)
    filled = dataclasses.replace(view, values=np.where(valid, view.values, np.nan))
    swapped = view_of(["AVAR", "AVAL", "AVB"], traces[:, [1, 0, 2]], valid[:, [1, 0, 2]])
    one, other, third = (with_sides_merged([each], MERGED)[0] for each in (view, filled, swapped))
    np.testing.assert_array_equal(one.valid, other.valid)
    np.testing.assert_array_equal(one.values[:, 0], other.values[:, 0])
    np.testing.assert_array_equal(one.values[:, 0], third.values[:, 0])


def test_names_that_stand_twice_are_refused_before_they_are_merged():
    with pytest.raises(NotApplicable, match="AVAL more than once"):
        with_sides_merged([view_of(["AVAL", "AVAL", "AVAR"], np.ones((4, 3)))], MERGED)


def test_the_likeness_of_sides_is_their_correlation():
    course = np.sin(np.arange(30.0))
    traces = np.column_stack([course, 2 * course + 1, course, -course, np.ones(30), course])
    view = view_of(["AVAL", "AVAR", "ASEL", "ASER", "AIYL", "AIYR"], traces)
    found = likeness_of_sides([view, view])
    assert list(found) == ["ASE", "AVA"]
    assert found["AVA"] == pytest.approx(1)
    assert found["ASE"] == pytest.approx(-1)


def test_connections_of_both_sides_are_summed_and_those_between_them_are_none():
    edges = pd.DataFrame(
        {
            "pre": ["AVAL", "AVAR", "AVAL", "RIS"],
            "post": ["RIS", "RIS", "AVAR", "AVB"],
            "weight": [1.0, 2.0, 8.0, 4.0],
            "kind": "gap",
        }
    )
    sides = np.array([["AVAL", "AVAR"], ["", ""], ["", ""]])
    found = references(edges, np.array(["AVA", "AVB", "RIS"]), sides)[0]
    np.testing.assert_array_equal(found.weight, [[0, 0, 3], [0, 0, 4], [3, 4, 0]])


@pytest.fixture(scope="module")
def two_sided():
    """Simulated worms, the first ten neurons of which are doubled, and what they are merged to."""
    views, truth = simulate(stream(3, "sim"), size="tiny")
    doubled = []
    for view in views:
        rng = stream(1, "twins", view.recording)
        twice = np.flatnonzero(np.isin(view.identity, truth.unit[:10]))
        noise = 0.02 * rng.standard_normal((view.time.size, twice.size)).astype(np.float32)
        side = np.where(np.isin(np.arange(view.unit.size), twice), "L", "")
        doubled.append(
            dataclasses.replace(
                view,
                values=np.concatenate([view.values, view.values[:, twice] + noise], axis=1),
                valid=np.concatenate([view.valid, view.valid[:, twice]], axis=1),
                unit=np.concatenate([view.unit, [f"twin{index}" for index in twice]]),
                identity=np.concatenate(
                    [
                        np.char.add(view.identity, side),
                        np.char.add(view.identity[twice], "R"),
                    ]
                ),
            )
        )
    return views, tuple(doubled)


@pytest.fixture(scope="module")
def merged(two_sided):
    views = two_sided[1]
    parts = {
        part.name: fit_part(views, MERGED, part, stream(0, part.name), provenance=PROVENANCE)
        for part in MERGED.plan()
    }
    return combine(parts, views, MERGED, stream(0, "combine"), provenance=PROVENANCE)


def test_twins_are_pooled_as_what_they_were_doubled_from(two_sided, merged):
    single, doubled = two_sided
    off = MERGED.model_copy(update={"merge_sides": False})
    plain = align(single, off)
    found = align(with_sides_merged(doubled, MERGED), MERGED)
    assert found.unit.tolist() == plain.unit.tolist() == merged.unit.tolist()
    close = np.abs(found.speed - plain.speed) < 0.1
    assert close.mean() > 0.97
    assert (merged.sides[:, 0] == "N00L").sum() == 1
    # Off, nothing is merged and nothing is told of it.
    assert with_sides_merged(doubled, off) == doubled
    assert align(doubled, off).unit.size == plain.unit.size + 10


def test_both_units_get_the_label_and_the_pairs_of_what_stands_for_them(two_sided, merged):
    view = two_sided[1][0]
    units = pd.DataFrame(
        {
            "unit_id": view.unit,
            "identity": view.identity,
            "identity_certain": view.identity != "",
        }
    )
    rows = exported(merged, view.recording, units).rows[0].columns
    pairs = np.column_stack([rows[0].values, rows[1].values])
    names = view.identity[pairs]
    place = merged.place
    used = [name for name in view.identity if place.get(name, -1) >= 0]
    used = [name for name in used if merged.presence[0, place[name]]]
    assert set(names.ravel()) == set(used)
    assert len({frozenset(pair) for pair in pairs.tolist()}) == len(pairs)
    strength = {
        frozenset(pair): tuple(row) for pair, row in zip(names, rows[2].values, strict=True)
    }
    other = next(name for name in used if not name.startswith("N0"))
    twin = next(name for name in used if name.endswith("R"))
    assert strength[frozenset((twin, other))] == strength[frozenset((f"{twin[:-1]}L", other))]
    for one in labels(merged, {view.recording: units}).units:
        label = dict(zip(one.unit, one.label, strict=True))
        for name in used:
            if name.endswith("R"):
                left, right = (
                    units.unit_id[view.identity == side].iloc[0] for side in (f"{name[:-1]}L", name)
                )
                assert label.get(left) == label.get(right)
    refitted = refit(two_sided[1], merged, MERGED, stream(0, "refit"), threads=1)
    assert all({"roi", "twi"} >= {name[:3] for name in one.unit} for one in refitted)
    assert any(name.startswith("twin") for one in refitted for name in one.unit)


def test_seeds_may_be_named_by_their_sides(merged):
    by_side, by_class = (predictions(merged, (name,)) for name in ("N00L", "N00"))
    assert [one.score for one in by_side] == [one.score for one in by_class]


def test_the_report_says_what_was_merged_and_which_sides_differ(two_sided, merged):
    views = two_sided[1]
    checks = assess(merged, views, MERGED)
    found = next(check for check in checks if check.name == "Left and right")
    assert found.status == "pass"
    assert found.value.startswith("10 pairs merged, median correlation of both sides 0.9")
    pictures = figures(merged, views, MERGED)
    written = section(merged, checks, pictures, MERGED)
    assert "10 units of these stand for both sides of the body" in written.body[0]
    assert len(written.merged) == 10
    assert written.merged["N00"] == ("N00L", "N00R")
    # A side that does something else is named.
    noise = stream(0, "noise").standard_normal(views[0].time.size).astype(np.float32)
    place = (
        int(np.flatnonzero(views[0].identity == "N00R")[0]) if "N00R" in views[0].identity else 0
    )
    odd = dataclasses.replace(views[0], values=views[0].values.copy())
    odd.values[:, place] = noise
    told = next(c for c in assess(merged, (odd,), MERGED) if c.name == "Left and right")
    assert told.status == "warn"
    assert "below 0.3: N00 (" in told.value
    off = MERGED.model_copy(update={"merge_sides": False})
    told = next(c for c in assess(merged, views, off) if c.name == "Left and right")
    assert told.status == "pass"
    assert "10 pairs of names, such as N00L and N00R" in told.value


def test_unclear_names_are_a_warning(merged, two_sided):
    views = two_sided[1]
    renamed = np.where(views[0].identity == "N00R", "N00", views[0].identity)
    changed = (dataclasses.replace(views[0], identity=renamed), *views[1:])
    told = next(c for c in assess(merged, changed, MERGED) if c.name == "Left and right")
    assert (told.status, told.value) == ("warn", "N00, N00L, N00R")
