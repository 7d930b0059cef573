"""Whole fits must not change with what does not matter: orders, scales, hidden values."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.core.method import Part
from pipeline.core.provenance import Provenance
from pipeline.core.rng import stream
from pipeline.methods.connectome.algorithm import combine, fit_part
from pipeline.methods.connectome.alignment import align
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.diagnostics import assess
from pipeline.methods.connectome.factorisation import Search, factorise
from pipeline.methods.connectome.model import recording_explained, reproducibility
from pipeline.methods.connectome.problem import affinity_problem
from pipeline.methods.connectome.section import section
from pipeline.methods.connectome.simulate import simulate
from pipeline.methods.connectome.starts import start_models

PROVENANCE = Provenance(stage="fit", experiment="x", package_version="0", code_digest="")
CONFIG = ConnectomeConfig(
    rank=4, n_restarts=1, n_surrogates=0, max_iterations=20, n_partitions=5, min_animals=1
)


@pytest.fixture(scope="module")
def worms():
    return simulate(stream(0, "sim"), size="tiny")[0]


def part_of(views, config=CONFIG):
    return fit_part(
        views, config, Part("restart-00"), stream(0, "invariance"), provenance=PROVENANCE
    )


def result_of(views, config=CONFIG):
    return combine(
        {"restart-00": part_of(views, config)},
        views,
        config,
        stream(0, "combine"),
        provenance=PROVENANCE,
    )


def changed(view, **arrays):
    return dataclasses.replace(view, **arrays)


def assert_same_fit(one, other, *, atol=0.0):
    for name in ("component_time", "component_slot", "component_pair", "reproducibility"):
        np.testing.assert_allclose(getattr(other, name), getattr(one, name), atol=atol, rtol=0)
    assert other.relative_error == pytest.approx(one.relative_error, abs=atol)


def test_the_order_of_units_in_the_files_does_not_matter(worms):
    rng = stream(0, "order")
    mixed = []
    for view in worms:
        order = rng.permutation(view.unit.size)
        mixed.append(
            changed(
                view,
                values=view.values[:, order],
                valid=view.valid[:, order],
                unit=view.unit[order],
                identity=view.identity[order],
            )
        )
    assert_same_fit(part_of(worms), part_of(tuple(mixed)))


def fitted(problem, start):
    """A fit of a problem from a given start."""
    search = Search(n_starts=1, max_iterations=10)
    return factorise(problem, rank=4, search=search, rng=stream(0, "fit"), starts=[start])[0]


def start_of(problem):
    return start_models(problem, kind="random", rank=4, count=1, rng=stream(0, "start"))[0]


def test_names_of_units_decide_nothing_but_the_order_of_pairs(worms):
    aligned = align(worms, CONFIG)
    n_units = aligned.unit.size
    order = stream(0, "pairs").permutation(n_units)
    place = np.zeros((n_units, n_units), dtype=int)
    first, second = np.triu_indices(n_units, 1)
    place[first, second] = place[second, first] = np.arange(first.size)
    moved = place[order[first], order[second]]
    mixed = dataclasses.replace(
        aligned,
        unit=aligned.unit[order],
        presence=aligned.presence[:, order],
        speed=aligned.speed[:, :, order],
        sign=aligned.sign[:, :, order],
        observed=aligned.observed[:, :, order],
    )
    problem, turned = (affinity_problem(one, CONFIG, threads=1) for one in (aligned, mixed))
    start = start_of(problem)
    one = fitted(problem, start)
    other = fitted(turned, dataclasses.replace(start, pair=start.pair[moved]))
    np.testing.assert_allclose(other.pair, one.pair[moved], atol=1e-4)
    np.testing.assert_allclose(other.time, one.time, atol=1e-4)


@pytest.mark.parametrize("mode", ["by_epoch", "concatenate"])
def test_the_order_of_animals_changes_only_their_order(worms, mode):
    config = CONFIG.model_copy(update={"alignment": mode})
    aligned, turned = align(worms, config), align(worms[::-1], config)
    problem, turned_problem = (affinity_problem(of, config, threads=1) for of in (aligned, turned))
    start = start_of(problem)
    one = fitted(problem, start)
    rows = np.argsort(-aligned.bin_recording, kind="stable")  # the last recording's come first
    turned_start = (
        dataclasses.replace(start, slot=start.slot[::-1].copy())
        if mode == "by_epoch"
        else dataclasses.replace(start, time=start.time[rows])
    )
    other = fitted(turned_problem, turned_start)
    assert other.relative_error == pytest.approx(one.relative_error, abs=1e-5)
    np.testing.assert_allclose(other.time, one.time[rows], atol=1e-3)
    np.testing.assert_allclose(other.pair, one.pair, atol=1e-3)
    np.testing.assert_allclose(
        recording_explained(turned_problem, turned, other)[::-1],
        recording_explained(problem, aligned, one),
        atol=1e-4,
    )
    np.testing.assert_allclose(
        reproducibility(turned_problem, turned, other),
        reproducibility(problem, aligned, one),
        atol=1e-3,
    )


def test_both_engines_end_in_the_same_minimum(worms):
    ends = {
        engine: part_of(
            worms,
            CONFIG.model_copy(
                update={"engine": engine, "max_iterations": 1500, "tolerance": 1e-6, "rank": 3}
            ),
        )
        for engine in ("compiled", "tensorly")
    }
    one, other = ends["compiled"], ends["tensorly"]
    assert one.relative_error == pytest.approx(other.relative_error, abs=1e-4)
    for name in ("component_gain", "recording_explained", "reproducibility"):
        # Sorted, as components of nearly equal weight may change places.
        np.testing.assert_allclose(
            np.sort(getattr(one, name)), np.sort(getattr(other, name)), atol=5e-3
        )


@pytest.mark.parametrize(("gain", "offset"), [(0.01, 0.0), (64.0, -3.0)])
def test_scale_and_offset_of_a_trace_do_not_matter(worms, gain, offset):
    values = worms[0].values.astype(np.float64)
    values[:, 2] = gain * (values[:, 2] + offset)
    views = (changed(worms[0], values=values.astype(np.float32)), *worms[1:])
    assert_same_fit(part_of(worms), part_of(views), atol=2e-3)


@pytest.mark.parametrize("hidden", [np.nan, 1e9])
def test_what_is_stored_where_nothing_was_observed_does_not_matter(worms, hidden):
    assert all((~view.valid).any() for view in worms)
    views = tuple(
        changed(view, values=np.where(view.valid, view.values, np.float32(hidden)))
        for view in worms
    )
    assert_same_fit(part_of(worms), part_of(views))


def test_a_unit_never_observed_is_left_out_and_counted(worms):
    name = str(worms[0].identity[worms[0].identity != ""][0])
    views = tuple(
        changed(view, valid=view.valid & (view.identity != name)[None, :]) for view in worms
    )
    result = result_of(views)
    assert name not in result.unit
    counts = dict(zip(result.selection["what"], result.selection["count"], strict=True))
    assert counts["left out: observed in too few frames"] >= 1


def test_pairs_never_seen_together_have_no_strength_rather_than_none(worms):
    shared = [name for name in worms[0].identity if name and name in worms[1].identity]
    first, second = shared[:2]
    keep = [worms[0].identity != first, worms[1].identity != second]
    views = tuple(
        changed(
            view,
            values=view.values[:, kept],
            valid=view.valid[:, kept],
            unit=view.unit[kept],
            identity=view.identity[kept],
        )
        for view, kept in zip(worms[:2], keep, strict=True)
    )
    result = result_of(views)
    row, column = (int(np.flatnonzero(result.unit == name)[0]) for name in (first, second))
    assert np.isnan(result.pair_matrix(0)[row, column])
    assert np.isfinite(result.pair_matrix(0)).any()


def test_a_flat_unit_is_kept_and_belongs_to_no_community(worms):
    name = str(worms[0].identity[worms[0].identity != ""][0])
    views = tuple(
        changed(
            view,
            values=np.where((view.identity == name)[None, :], np.float32(1), view.values),
        )
        for view in worms
    )
    result = result_of(views)
    place = np.flatnonzero(result.unit == name)
    assert place.size == 1
    assert (result.community[:, place] == -1).all()
    assert np.isfinite(result.component_pair).all()


def test_names_that_differ_in_case_only_are_told(worms):
    names = [np.char.upper(worms[0].identity), np.char.lower(worms[1].identity)]
    views = tuple(changed(view, identity=name) for view, name in zip(worms[:2], names, strict=True))
    checks = {check.name: check for check in assess(result_of(views), views, CONFIG)}
    assert checks["Unit names"].status == "warn"
    assert "N" in checks["Unit names"].value
    assert "Unit names" not in {check.name for check in assess(result_of(worms), worms, CONFIG)}


def test_one_epoch_of_a_kind_is_said_to_be_inseparable_from_drift(worms):
    from pipeline.methods.connectome.figures import figures

    single = changed(worms[0], epochs=worms[0].epochs.drop_duplicates("label"))
    for views, said in (((single,), True), ((worms[0],), False)):
        result = result_of(views)
        words = section(
            result, assess(result, views, CONFIG), figures(result, views, CONFIG), CONFIG
        )
        text = " ".join(part for part in words.body if isinstance(part, str))
        assert ("cannot be told from slow drift" in text) is said


def test_recordings_without_epochs_have_a_section(worms):
    from pipeline.methods.connectome.figures import figures

    views = (changed(worms[0], epochs=worms[0].epochs.iloc[:0]),)
    result = result_of(views)
    words = section(result, assess(result, views, CONFIG), figures(result, views, CONFIG), CONFIG)
    assert "not compared with chance" in words.sentence
