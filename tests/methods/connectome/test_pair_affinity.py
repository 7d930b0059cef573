"""Affinities of pairs against worked numbers, loops over frames, and each other."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from pipeline.core.errors import ConfigError
from pipeline.core.method import Part
from pipeline.core.provenance import Provenance
from pipeline.core.rng import stream
from pipeline.methods.connectome.algorithm import combine, fit_part
from pipeline.methods.connectome.alignment import align
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.contraction import TableProducts
from pipeline.methods.connectome.pair_affinity import pair_affinity
from pipeline.methods.connectome.problem import affinity_problem, affinity_table, rows_of_pairs
from pipeline.methods.connectome.simulate import simulate

PROVENANCE = Provenance(stage="fit", experiment="x", package_version="0", code_digest="")
NAMES = ("geometric", "geometric_same_sign", "minimum", "ratio", "interval", "split_sign")
OWN = "own_affinities:"


@pytest.fixture(scope="module")
def worms():
    views, truth = simulate(stream(0, "sim"), size="tiny")
    views[1].valid[40:52, 3] = False  # a gap that is not bridged
    return views, truth


@pytest.fixture
def own(monkeypatch):
    """A user's module, importable while the test runs."""
    module = types.ModuleType("own_affinities")
    monkeypatch.setitem(sys.modules, "own_affinities", module)
    return module


def settings(**changes) -> ConnectomeConfig:
    plain = {"rank": 3, "min_animals": 1, "n_restarts": 1, "n_surrogates": 0, "coarse_grain": 2}
    return ConnectomeConfig.model_validate({**plain, **changes})


def of_pair(name, speeds, signs, *, shortest=1):
    found = pair_affinity(
        name,
        np.array(speeds, dtype=float).T,
        np.array(signs, dtype=np.int8).T,
        np.array([[0, 1]]),
        shortest=shortest,
    )
    return found[:, 0] if found.shape[1] == 1 else found


@pytest.mark.parametrize(
    ("name", "value"),
    [("geometric", 0.4), ("geometric_same_sign", 0.0), ("minimum", 0.25), ("ratio", 0.15625)],
)
def test_worked_numbers_of_opposite_changes(name, value):
    assert of_pair(name, [[0.64], [0.25]], [[1], [-1]]) == pytest.approx(value)


def test_worked_numbers_of_a_run_of_three_frames():
    found = of_pair("interval", [[0.2, 0.4, 0.2], [0.4, 0.8, 0.4]], [[1, 1, 1], [-1, -1, -1]])
    np.testing.assert_allclose(found, np.sqrt(0.8 / 3 * 1.6 / 3), rtol=1e-6)


def test_a_run_ends_where_a_unit_turns_or_rests_and_short_ones_count_nothing():
    speeds = [[0.5, 0.5, 0.5, 0.5, 0.0, 0.5], [0.5, 0.5, 0.5, 0.5, 0.5, 0.5]]
    signs = [[1, 1, -1, -1, -1, -1], [1, 1, 1, 1, 1, 1]]
    np.testing.assert_allclose(
        of_pair("interval", speeds, signs, shortest=2), [0.5, 0.5, 0.5, 0.5, 0, 0], rtol=1e-6
    )


def test_split_sign_puts_every_affinity_into_one_of_two_channels():
    found = of_pair("split_sign", [[0.64, 0.64], [0.25, 0.25]], [[1, 1], [-1, 1]])
    np.testing.assert_allclose(found, [[0, 0.4], [0.4, 0]], rtol=1e-6)


def by_loops(name, speed, sign, shortest):
    """The definitions, one frame and one pair at a time; (frame, unit, unit)."""
    n_frames, n_units = speed.shape
    found = np.zeros((n_frames, n_units, n_units))
    for i in range(n_units):
        for j in range(n_units):
            frames = list(range(n_frames))
            while frames:
                t = frames[0]
                h, k = speed[t, i], speed[t, j]
                run = [t]
                if h > 0 and k > 0 and name == "interval":
                    for u in frames[1:]:
                        moving = speed[u, i] > 0 and speed[u, j] > 0
                        same = sign[u, i] == sign[t, i] and sign[u, j] == sign[t, j]
                        if not (moving and same):
                            break
                        run.append(u)
                value = np.sqrt(h * k)
                if name == "geometric_same_sign" and sign[t, i] * sign[t, j] <= 0:
                    value = 0
                if name == "minimum":
                    value = min(h, k)
                if name == "ratio" and value > 0:
                    value *= min(h, k) / max(h, k)
                if name == "interval" and value > 0:
                    a, b = speed[run, i], speed[run, j]
                    value = (a @ b) / np.sqrt((a @ a) * (b @ b)) * np.sqrt(a.mean() * b.mean())
                    value = value if len(run) >= shortest else 0
                for u in run:
                    found[u, i, j] = value
                    frames.remove(u)
    return found


@pytest.mark.parametrize("name", NAMES[:-1])
def test_affinities_are_those_of_loops_over_frames_and_pairs(name):
    rng = stream(0, "loops", name)
    speed = np.where(rng.random((40, 5)) < 0.2, 0, rng.random((40, 5)))
    sign = np.sign(np.cumsum(rng.standard_normal((40, 5)), axis=0)).astype(np.int8)
    pairs = np.stack(np.triu_indices(5, 1), axis=1)
    expected = by_loops(name, speed, sign, shortest=2)
    np.testing.assert_allclose(expected, expected.transpose(0, 2, 1), atol=1e-12)
    np.testing.assert_allclose(
        pair_affinity(name, speed, sign, pairs, shortest=2),
        expected[:, pairs[:, 0], pairs[:, 1]],
        atol=1e-6,
    )


@pytest.mark.parametrize("mode", ["by_epoch", "concatenate"])
@pytest.mark.parametrize("name", NAMES)
def test_the_solver_sees_the_table_of_affinities(worms, name, mode):
    config = settings(affinity=name, alignment=mode)
    alignment = align(worms[0], config)
    problem = affinity_problem(alignment, config, threads=2)
    table = affinity_table(alignment, config)
    values = np.zeros((problem.shape[0] * problem.shape[1], problem.shape[2]), dtype=np.float32)
    values[:, rows_of_pairs(alignment, channels=problem.observed.channels)] = table.values.reshape(
        len(values), -1
    )
    np.testing.assert_allclose(
        problem.products.energy, (values.astype(float) ** 2).sum(axis=1), rtol=1e-4, atol=1e-6
    )
    rng = stream(0, "factors")
    cells = rng.permutation(len(values))[: len(values) // 2]
    for products, dense in (
        (problem.products, values),
        (problem.products.of_cells(cells), values[cells]),
    ):
        pair, weight = rng.random((problem.shape[2], 3)), rng.random((len(dense), 3))
        np.testing.assert_allclose(products.over_pairs(pair), dense @ pair, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(
            products.over_cells(weight), dense.T @ weight, rtol=1e-4, atol=1e-4
        )
    # What is not observed is zero in the table and has no weight in the fit.
    assert (table.values[~table.observed] == 0).all()


def test_a_table_in_a_file_is_the_one_in_memory(worms):
    kept_in_memory = settings(affinity="minimum", coarse_grain=1)
    in_a_file = kept_in_memory.model_copy(update={"max_tensor_mb": 0})
    alignment = align(worms[0], kept_in_memory)
    found = affinity_problem(alignment, in_a_file, threads=1).products
    kept = affinity_problem(alignment, kept_in_memory, threads=1).products
    assert isinstance(found, TableProducts)
    assert isinstance(found._source, np.memmap)
    assert not isinstance(kept._source, np.memmap)
    weight = stream(0, "file").random((found.energy.size, 2))
    np.testing.assert_array_equal(found.over_cells(weight), kept.over_cells(weight))


def test_opposite_changes_are_told_from_same_ones(worms):
    views, truth = worms
    config = settings(
        affinity="split_sign",
        max_iterations=60,
        n_partitions=5,
        baselines=False,
        lead_lag_pairs=0,
        leave_one_out=False,
    )
    part = fit_part(views, config, Part("restart-00"), stream(0, "split"), provenance=PROVENANCE)
    result = combine({part.name: part}, views, config, stream(0, "join"), provenance=PROVENANCE)
    strength = result.weight * result.component_time.sum(axis=0)
    total = result.component_pair @ strength
    share = (result.component_opposite @ strength) / np.where(total > 0, total, np.nan)
    place = {name: index for index, name in enumerate(truth.unit.tolist())}
    same, opposite = [], []
    for (one, other), of_pair in zip(result.unit[result.pair_units].tolist(), share, strict=True):
        if one in place and other in place:
            signs = truth.sign[:, place[one]] * truth.sign[:, place[other]]
            (same if (signs > 0).any() else opposite if (signs < 0).any() else []).append(of_pair)
    assert np.nanmedian(same) < 0.3
    assert np.nanmedian(opposite) > 0.7


def test_a_function_of_the_users_own_is_an_affinity(worms, own):
    def product(speed, sign):
        first, second = np.triu_indices(speed.shape[1], 1)
        return np.sqrt(speed[:, first] * speed[:, second])

    own.product = product
    config = settings(affinity=OWN + "product", max_iterations=30)
    alignment = align(worms[0], config)
    found = affinity_table(alignment, config)
    np.testing.assert_allclose(
        found.values, affinity_table(alignment, settings()).values, atol=1e-6
    )
    part = fit_part(worms[0], config, Part("restart-00"), stream(0, "own"), provenance=PROVENANCE)
    plain = fit_part(
        worms[0],
        settings(max_iterations=30),
        Part("restart-00"),
        stream(0, "own"),
        provenance=PROVENANCE,
    )
    assert part.relative_error == pytest.approx(plain.relative_error, abs=1e-4)


@pytest.mark.parametrize(
    ("returns", "reason"),
    [
        (lambda speed, sign: speed, "returned the shape"),
        (lambda speed, sign: -np.ones((len(speed), 153)), "negative or not finite"),
        (lambda speed, sign: np.full((len(speed), 153), np.nan), "negative or not finite"),
        (lambda speed, sign: np.full((len(speed), 153), "a"), "not numbers"),
        (lambda speed: speed, "fails with TypeError"),
    ],
)
def test_a_function_that_gives_no_affinity_is_told_by_the_six_parts(worms, own, returns, reason):
    own.wrong = returns
    config = settings(affinity=OWN + "wrong")
    alignment = align(worms[0], config)
    assert alignment.unit.size == 18
    with pytest.raises(ConfigError, match=reason) as told:
        affinity_problem(alignment, config, threads=1)
    parts = told.value.at(experiment="worms", file="settings.yaml").parts()
    assert parts["code"] == "CF-K05"
    assert parts["place"] == "methods.connectome.affinity"
    assert all(value != "-" for value in parts.values())


@pytest.mark.parametrize("name", ["no_such_module:function", "math:no_such_function"])
def test_a_function_that_cannot_be_imported_is_told(worms, name):
    config = settings(affinity=name)
    with pytest.raises(ConfigError, match="cannot be imported"):
        affinity_problem(align(worms[0], config), config, threads=1)


def test_a_name_that_is_no_affinity_is_refused_with_the_settings():
    with pytest.raises(ValueError, match="affinity"):
        settings(affinity="geometrical")
