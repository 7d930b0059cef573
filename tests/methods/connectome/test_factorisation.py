"""The solver against the whole table written out, planted factors and recorded numbers."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.methods.connectome.communities import find_communities
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.contraction import TableProducts, UnitColumns, UnitProducts
from pipeline.methods.connectome.factorisation import Search, factorise
from pipeline.methods.connectome.hals import (
    Model,
    Penalty,
    Problem,
    iterate,
    kkt_residual,
    part_of,
    refit_pairs,
    residual_energy,
)
from pipeline.methods.connectome.masks import Observed, cell_weights
from pipeline.methods.connectome.starts import start_models
from pipeline.numerics.cp import match_score, normalise
from pipeline.numerics.partitions import adjusted_rand_index
from tests.support import dense_factors as oracle
from tests.support.golden import golden_files
from tests.support.needed import lacking

MASKS = ("none", "missing", "gaps")
PENALTIES = ({}, {"ridge": 0.05}, {"sparse": 0.1, "smooth": 0.3, "ridge": 0.05})


def case(mask="none", *, n_rows=17, n_slots=3, n_units=7, seed=0):
    """Values of units, what of them is observed, and the table they make."""
    rng = stream(seed, "case", mask)
    values = rng.random((n_rows, n_slots, n_units)) * (rng.random((n_rows, n_slots, n_units)) > 0.4)
    observed = np.ones(values.shape, dtype=bool)
    if mask in ("missing", "gaps"):
        observed[:, 0, 2] = observed[:, -1, 4] = False
    if mask == "gaps":
        observed[3:8, 0, 5] = observed[10:, n_slots - 1] = False
    values = (values * observed).astype(np.float32)
    first, second = np.triu_indices(n_units, 1)
    table = values[..., first].astype(float) * values[..., second]
    return values, observed, table, observed[..., first] & observed[..., second]


def problem_of(values, observed, *, threads=1, max_groups=256, penalty=None):
    return Problem(
        products=UnitProducts(UnitColumns.of(values.reshape(-1, values.shape[2])), threads=threads),
        observed=Observed.of(observed, max_groups=max_groups),
        penalty=penalty or Penalty(),
    )


def model_of(problem, rank=3, seed=0):
    return start_models(problem, kind="random", rank=rank, count=1, rng=stream(seed, "start"))[0]


def factors_of(model):
    return [model.time, model.slot, model.pair]


@pytest.mark.parametrize("threads", [1, 2])
def test_products_from_units_are_those_with_the_whole_table(threads):
    values, observed, table, _ = case("gaps", n_units=40)
    products = problem_of(values, observed, threads=threads).products
    flat = table.reshape(-1, table.shape[2])
    pair = stream(0, "pair").standard_normal((flat.shape[1], 21))  # more than one group of lanes
    weight = stream(0, "weight").standard_normal((len(flat), 21))
    np.testing.assert_allclose(products.over_pairs(pair), flat @ pair, atol=1e-4)
    np.testing.assert_allclose(products.over_cells(weight), flat.T @ weight, atol=1e-5)
    np.testing.assert_allclose(products.energy, (flat**2).sum(axis=1), rtol=1e-6)


def test_cells_of_several_columns_have_the_sum_of_their_affinities():
    values, _, table, _ = case(n_rows=18, n_slots=1)
    cell = np.repeat(np.arange(7), [3, 3, 3, 3, 3, 2, 1])
    columns = UnitColumns.of(values[:, 0], cell=cell, n_cells=8)  # the last cell has none
    products = UnitProducts(columns)
    summed = np.zeros((8, table.shape[2]))
    np.add.at(summed, cell, table[:, 0])
    pair = stream(0, "pair").random((table.shape[2], 2))
    weight = stream(0, "weight").random((8, 2))
    np.testing.assert_allclose(products.over_pairs(pair), summed @ pair, rtol=1e-5)
    np.testing.assert_allclose(products.over_cells(weight), summed.T @ weight, rtol=1e-5)
    np.testing.assert_allclose(products.energy, (summed**2).sum(axis=1), rtol=1e-5)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_table_read_in_blocks_gives_the_same_products(threads):
    *_, table, _ = case("gaps", n_units=40)
    flat = table.reshape(-1, table.shape[2]).astype(np.float32)
    products = TableProducts(flat, threads=threads, max_bytes=5 * flat[0].nbytes)
    pair = stream(0, "pair").random((flat.shape[1], 3))
    weight = stream(0, "weight").random((len(flat), 3))
    np.testing.assert_allclose(products.over_pairs(pair), flat @ pair, rtol=1e-5)
    np.testing.assert_allclose(products.over_cells(weight), flat.T @ weight, rtol=1e-5)
    np.testing.assert_allclose(products.energy, (flat**2).sum(axis=1), rtol=1e-5)


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("n_slots", [1, 3])
@pytest.mark.parametrize("mask", MASKS)
def test_an_iteration_is_the_one_over_the_whole_table(mask, n_slots, penalty):
    values, observed, table, both = case(mask, n_slots=n_slots)
    problem = problem_of(values, observed, penalty=Penalty(**penalty))
    model = model_of(problem)
    expected = oracle.iteration(table, both, factors_of(model), **penalty)
    iterate(problem, [model])
    found = factors_of(model)
    np.testing.assert_allclose(
        np.einsum("tr,ar,pr->tap", *found),
        np.einsum("tr,ar,pr->tap", *expected),
        atol=2e-5,
    )
    gap = np.where(both, table - np.einsum("tr,ar,pr->tap", *expected), 0)
    assert model.errors[-1] == pytest.approx(
        np.linalg.norm(gap) / np.linalg.norm(table[both]), abs=1e-5
    )
    assert model.objectives[-1] == pytest.approx(
        oracle.objective(table, both, expected, **penalty), rel=1e-5
    )


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("max_groups", [1, 256])
@pytest.mark.parametrize("mask", MASKS)
def test_the_objective_never_rises(mask, max_groups, penalty):
    for seed in range(3):
        values, observed, *_ = case(mask, seed=seed)
        problem = problem_of(values, observed, max_groups=max_groups, penalty=Penalty(**penalty))
        model = model_of(problem, rank=4, seed=seed)
        for _ in range(40):
            iterate(problem, [model])
        objectives = np.array(model.objectives)
        assert (np.diff(objectives) <= 2e-6 * objectives[0]).all()


def test_filled_masks_end_in_a_minimum_of_the_exact_ones_and_say_so(caplog):
    values, observed, table, both = case("gaps")
    with caplog.at_level("INFO"):
        filled = problem_of(values, observed, max_groups=2)
    assert "more than 2: missing affinities are filled" in caplog.text
    exact = problem_of(values, observed)
    model = model_of(filled, rank=2)
    for _ in range(800):
        iterate(filled, [model])
    assert kkt_residual(exact, model) < 2e-4
    gap = np.where(both, table - np.einsum("tr,ar,pr->tap", *factors_of(model)), 0)
    assert model.errors[-1] == pytest.approx(
        np.linalg.norm(gap) / np.linalg.norm(table[both]), abs=1e-5
    )


def test_a_masked_fit_equals_the_fit_without_the_missing_unit():
    values, observed, *_ = case(n_units=8)
    observed[:, :, 3] = False
    values = values * observed
    masked = problem_of(values, observed)
    kept = np.arange(8) != 3
    without = problem_of(np.ascontiguousarray(values[..., kept]), observed[..., kept])
    one = model_of(masked)
    first, second = np.triu_indices(8, 1)
    other = Model(
        time=one.time.copy(),
        slot=one.slot.copy(),
        pair=one.pair[kept[first] & kept[second]],
    )
    for _ in range(10):
        iterate(masked, [one])
        iterate(without, [other])
    np.testing.assert_allclose(one.errors, other.errors, atol=1e-5)


def test_models_that_share_passes_do_not_meet():
    problem = problem_of(*case("gaps")[:2])
    alone, together, beside = model_of(problem), model_of(problem), model_of(problem, 5, seed=1)
    for _ in range(5):
        iterate(problem, [alone])
        iterate(problem, [together, beside])
    np.testing.assert_array_equal(alone.pair, together.pair)


def test_the_number_of_threads_changes_no_digit():
    values, observed, *_ = case("gaps", n_units=120)
    fits = [
        factorise(
            problem_of(values, observed, threads=threads),
            rank=3,
            search=Search(n_starts=2, n_kept=1, max_iterations=30),
            rng=stream(0, "threads"),
        )[0]
        for threads in (1, 2)
    ]
    np.testing.assert_array_equal(fits[0].pair, fits[1].pair)


def test_a_fit_goes_on_from_a_snapshot_as_if_never_interrupted():
    problem = problem_of(*case("gaps")[:2])
    search = Search(n_starts=4, n_kept=2, burn_in=10, max_iterations=40)
    kept = []
    whole = factorise(
        problem,
        rank=3,
        search=search,
        rng=stream(0, "x"),
        checkpoint=lambda one: kept.append(copy.deepcopy(one)),
    )
    assert [one.iteration for one in kept][:3] == [1, 2, 3]
    for snapshot in (*kept[6::7], kept[9], kept[-1]):
        again = factorise(problem, rank=3, search=search, rng=stream(9, "unused"), resume=snapshot)
        for one, other in zip(whole, again, strict=True):
            np.testing.assert_array_equal(one.pair, other.pair)
            np.testing.assert_array_equal(one.errors, other.errors)


@pytest.mark.parametrize("start", ["random", "nndsvd", "deflation"])
def test_planted_components_are_found_from_every_kind_of_start(start):
    rng = stream(3, "planted")
    member = np.zeros((3, 18), dtype=bool)
    for group in range(3):
        member[group, 6 * group : 6 * group + 6] = True
    time = np.repeat(np.eye(3), 30, axis=0) * rng.random((90, 3))
    slot = rng.random((4, 3)) + 0.2
    values = np.sqrt(np.einsum("tr,ar,ri->tai", time, slot, member))
    fit = factorise(
        problem_of(values.astype(np.float32), np.ones(values.shape, dtype=bool)),
        rank=3,
        search=Search(start=start, n_starts=6),
        rng=stream(0, "fit"),
    )[0]
    first, second = np.triu_indices(18, 1)
    weight, unit = normalise([time, slot, (member[:, first] & member[:, second]).T.astype(float)])
    assert fit.relative_error < 2e-3  # single precision
    assert match_score(weight, unit, fit.weight, fit.factors) > 0.999
    assert fit.converged


def test_a_fit_does_not_end_on_a_plateau_that_is_no_minimum():
    problem = problem_of(*case(n_rows=80, n_slots=1, n_units=12)[:2])

    def fit(**limit):
        search = Search(n_starts=1, n_kept=1, tolerance=1e-2, **limit)
        return factorise(problem, rank=4, search=search, rng=stream(0, "starts"))[0]

    by_error, by_both = fit(kkt_limit=np.inf), fit()
    assert by_error.stopped
    assert by_error.kkt > 1e-3
    assert by_both.converged
    assert by_both.kkt <= 2e-4
    assert by_both.relative_error < by_error.relative_error


def test_an_empty_column_is_put_on_the_largest_residual_without_raising_the_error():
    problem = problem_of(*case(n_units=10)[:2])
    model = model_of(problem, rank=3)
    for _ in range(20):
        iterate(problem, [model])
    model.pair[:, 1] = 0
    iterate(problem, [model])  # one iteration without it, and again with it in another place
    assert not model.empty.any()
    assert model.n_seeds == 1
    for _ in range(30):
        iterate(problem, [model])
    assert model.errors[-1] < model.errors[19] + 0.01


def test_components_beyond_what_is_there_are_dropped_and_counted():
    values = np.zeros((12, 1, 4), dtype=np.float32)
    values[:6, 0, :2] = 1  # one pair is all there is
    fit = factorise(
        problem_of(values, np.ones(values.shape, dtype=bool)),
        rank=1,
        search=Search(n_starts=2),
        rng=stream(0, "fit"),
    )[0]
    assert fit.relative_error < 1e-3
    empty = Model(time=np.ones((12, 2)), slot=np.ones((1, 2)), pair=np.ones((6, 2)), n_seeds=3)
    empty.pair[:, 1] = 0
    problem = problem_of(values, np.ones(values.shape, dtype=bool))
    dropped = factorise(problem, rank=2, search=Search(), rng=stream(0, "x"), starts=[empty])[0]
    assert dropped.effective_rank == 1


def test_pairs_refitted_to_all_cells_are_those_a_fit_ended_with():
    problem = problem_of(*case("gaps")[:2])
    model = model_of(problem, rank=2)
    for _ in range(500):
        iterate(problem, [model])
    refitted = refit_pairs(problem, model.time, model.slot, sweeps=300)
    np.testing.assert_allclose(refitted, model.pair, atol=2e-3)


def test_pairs_refitted_with_filled_masks_explain_as_much():
    values, observed, table, both = case("gaps")
    exact, filled = (problem_of(values, observed, max_groups=most) for most in (256, 2))
    model = model_of(exact, rank=2)
    sizes = []
    for problem in (exact, filled):
        pair = refit_pairs(problem, model.time, model.slot, sweeps=3000)
        gap = table - np.einsum("tr,ar,pr->tap", model.time, model.slot, pair)
        sizes.append(np.linalg.norm(gap[both]))
    assert sizes[1] == pytest.approx(sizes[0], rel=1e-4)


@pytest.mark.parametrize("max_groups", [2, 256])
def test_energies_of_cells_and_components_are_those_of_the_table(max_groups):
    values, observed, table, both = case("gaps")
    problem = problem_of(values, observed, max_groups=max_groups)
    model = model_of(problem)
    parts = np.einsum("tr,ar,pr->tapr", *factors_of(model)) * both[..., None]
    gap = (np.where(both, table, 0) - parts.sum(axis=3)) ** 2
    product = problem.products.over_pairs(model.pair)
    np.testing.assert_allclose(
        residual_energy(problem, *factors_of(model), product), gap.sum(axis=2).ravel(), atol=1e-5
    )
    np.testing.assert_allclose(
        problem.observed.component_products(*factors_of(model)),
        np.einsum("tapr,taps->rs", parts, parts),
        rtol=1e-9,
    )


def test_a_part_of_a_problem_has_the_cells_asked_for():
    values, observed, table, _ = case("gaps")
    rows = np.array([2, 5, 3, 11])
    part = part_of(problem_of(values, observed), rows, [1])
    pair = stream(0, "pair").random((table.shape[2], 2))
    np.testing.assert_allclose(
        part.products.over_pairs(pair), table[rows, 1] @ pair, rtol=1e-5, atol=1e-6
    )
    whole = TableProducts(table.reshape(-1, table.shape[2]).astype(np.float32))
    np.testing.assert_allclose(
        whole.of_cells(rows * 3 + 1).over_pairs(pair), table[rows, 1] @ pair, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("given", [{"sparse": 1.0}, {"smooth": 1.0}, {"ridge": -1.0}])
def test_penalties_that_mean_nothing_are_refused(given):
    with pytest.raises(ValueError, match=r"[Pp]enalt"):
        Penalty(**given)


def test_affinities_of_zeros_are_refused():
    values = np.zeros((5, 1, 4), dtype=np.float32)
    problem = problem_of(values, np.ones(values.shape, dtype=bool))
    with pytest.raises(ValueError, match="nothing to factorise"):
        factorise(problem, rank=1, search=Search(), rng=stream(0, "x"))


def test_weights_of_cells_are_products_in_the_order_of_the_table():
    time, slot = np.array([[1.0], [2.0]]), np.array([[3.0], [5.0]])
    assert cell_weights(time, slot)[:, 0].tolist() == [3, 5, 6, 10]


@pytest.mark.parametrize("reference", golden_files("tensor_connectome", "tensor", "truth_pair"))
def test_recorded_tensors_are_solved_as_recorded(reference):
    tensor = reference["tensor"]
    truth = [reference[f"truth_{mode}"] for mode in ("time", "animal", "pair")]
    n_units = round((1 + np.sqrt(1 + 8 * tensor.shape[2])) / 2)
    fit = factorise(
        Problem(
            products=TableProducts(tensor.reshape(-1, tensor.shape[2])),
            observed=Observed.of(np.ones((*tensor.shape[:2], n_units), dtype=bool)),
        ),
        rank=truth[0].shape[1],
        search=Search(tolerance=1e-9, max_iterations=2000),
        rng=stream(0, "golden"),
    )[0]
    assert fit.relative_error == pytest.approx(reference["ntf_relative_error"].min(), abs=1e-6)
    weight, unit = normalise(truth)
    match = match_score(weight, unit, fit.weight, fit.factors, use_weights=False)
    assert match == pytest.approx(reference["ntf_factor_match_to_truth"].max(), abs=1e-3)


@pytest.fixture(scope="module", params=golden_files("tensor_connectome", "speed", "best_pair"))
def recorded_traces(request):
    """Reference numbers of traces, and as many fits of our own as were recorded."""
    reference = request.param
    speed = np.moveaxis(reference["speed"], 2, 0)  # animal, unit, time -> time, animal, unit
    problem = problem_of(np.sqrt(speed).astype(np.float32), np.ones(speed.shape, dtype=bool))
    fits = [
        factorise(
            problem, rank=int(reference["rank"]), search=Search(), rng=stream(seed, "golden")
        )[0]
        for seed in range(reference["ntf_relative_error"].size)
    ]
    return reference, fits


def test_recorded_factorisations_of_traces_are_reached(recorded_traces):
    reference, fits = recorded_traces
    recorded = reference["ntf_relative_error"]
    errors = np.array([fit.relative_error for fit in fits])
    assert errors.min() <= recorded.min() + 1e-3
    assert np.median(errors) < np.median(recorded)


def test_where_the_recorded_optimum_is_reached_components_are_the_recorded_ones(recorded_traces):
    reference, fits = recorded_traces
    best = min(fits, key=lambda fit: fit.relative_error)
    away = best.relative_error - reference["ntf_relative_error"].min()
    if abs(away) > 1e-5:
        lacking(f"another optimum, {away:+.1e} from the recorded one")
    factors = [reference[f"best_{mode}"] for mode in ("time", "animal", "pair")]
    assert match_score(reference["best_weights"], factors, best.weight, best.factors) >= 0.95


def test_planted_groups_of_each_epoch_are_found_in_recorded_traces(recorded_traces):
    reference, fits = recorded_traces
    best = min(fits, key=lambda fit: fit.relative_error)
    time, slot, pair = best.factors
    n = reference["community_labels"].shape[1]
    first, second = np.triu_indices(n, 1)
    for window, truth, recorded in zip(
        reference["epoch_windows"],
        reference["community_labels"],
        reference["epoch_metrics"],
        strict=True,
    ):
        within = best.weight * time[slice(*window)].mean(axis=0) * slot.mean(axis=0)
        graph = np.zeros((n, n))
        graph[first, second] = pair @ within
        (found,) = find_communities(
            [(graph + graph.T) / graph.max()],
            ConnectomeConfig(min_strength=0),
            rng=stream(0, "golden epochs"),
        )
        grouped = truth >= 0
        ari = adjusted_rand_index(truth[grouped], found.levels[0][grouped])
        assert ari >= recorded[0] - 0.05
