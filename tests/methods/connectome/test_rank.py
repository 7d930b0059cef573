"""The number of components: criteria against their definitions, planted numbers, and the rule."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from pipeline.core.errors import NotApplicable
from pipeline.core.method import Part
from pipeline.core.provenance import Provenance
from pipeline.core.rng import stream
from pipeline.io.records import read_record, write_record
from pipeline.methods.connectome.algorithm import Checkpoint, combine, fit_part
from pipeline.methods.connectome.alignment import align
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.contraction import TableProducts, UnitColumns, UnitProducts
from pipeline.methods.connectome.core_consistency import core_consistency
from pipeline.methods.connectome.diagnostics import assess
from pipeline.methods.connectome.factorisation import Search, factorise
from pipeline.methods.connectome.figures import figures
from pipeline.methods.connectome.hals import Problem, refit_times
from pipeline.methods.connectome.held_out import (
    BLOCK_S,
    MARGIN_SIGMAS,
    Blocks,
    block_errors,
    draw_blocks,
    judged,
    training,
)
from pipeline.methods.connectome.masks import Observed
from pipeline.methods.connectome.problem import affinity_problem
from pipeline.methods.connectome.rank_choice import choose_rank, supported, warnings
from pipeline.methods.connectome.result import RankPart
from pipeline.methods.connectome.section import section
from pipeline.methods.connectome.simulate import simulate
from pipeline.methods.connectome.surrogates import supported_components
from pipeline.numerics.cp import matches, normalise

PROVENANCE = Provenance(stage="fit", experiment="x", package_version="0", code_digest="")
SEARCH = Search(n_starts=1, n_kept=1, max_iterations=30)
CONFIG = ConnectomeConfig(
    ranks=[2, 3, 4],
    n_rank_runs=3,
    n_restarts=2,
    n_surrogates=1,
    n_partitions=5,
    baselines=False,
    lead_lag_pairs=0,
    leave_one_out=False,
)


def small_problem(*, n_slots=4, max_groups=256, seed=0):
    """Values of units, what of them is observed, and the solver's problem."""
    rng = stream(seed, "rank case", n_slots)
    shape = (9, n_slots, 5)
    values = rng.random(shape) * (rng.random(shape) > 0.3)
    observed = np.ones(shape, dtype=bool)
    observed[:, 0, 2] = observed[3:6, -1, 4] = False
    values = (values * observed).astype(np.float32)
    problem = Problem(
        products=UnitProducts(UnitColumns.of(values.reshape(-1, shape[2]))),
        observed=Observed.of(observed, max_groups=max_groups),
    )
    return values, observed, problem


def table_of(values):
    one, other = np.triu_indices(values.shape[2], 1)
    return values[..., one].astype(np.float64) * values[..., other]


@pytest.mark.parametrize("max_groups", [256, 1])  # exact masks, and those that are filled
def test_core_consistency_is_that_of_the_table_written_out(max_groups):
    from tensorly.tenalg import multi_mode_dot

    values, observed, problem = small_problem(max_groups=max_groups)
    fit = factorise(problem, rank=3, search=SEARCH, rng=stream(0, "core"))[0]
    factors = [fit.time * fit.weight, fit.slot, fit.pair]
    model = np.einsum("tr,ar,pr->tap", *factors)
    filled = np.where(table_of(observed) > 0, table_of(values), model)
    core = multi_mode_dot(filled, [np.linalg.pinv(factor) for factor in factors])
    core[range(3), range(3), range(3)] -= 1
    expected = 100 * (1 - (core**2).sum() / 3)
    assert expected < 99  # the table is not the model itself
    assert core_consistency(problem, fit) == pytest.approx(expected, abs=1e-2)


def test_core_consistency_of_an_exact_model_is_100_and_means_nothing_beyond_the_slots():
    _, _, problem = small_problem()
    fit = factorise(problem, rank=3, search=SEARCH, rng=stream(0, "core"))[0]
    model = np.einsum("tr,ar,pr->tap", fit.time * fit.weight, fit.slot, fit.pair)
    table = model.reshape(-1, model.shape[2]).astype(np.float32)
    exact = Problem(
        products=TableProducts(table), observed=Observed.of(np.ones((9, 4, 5), dtype=bool))
    )
    assert core_consistency(exact, fit) == pytest.approx(100, abs=0.1)
    five = factorise(problem, rank=5, search=SEARCH, rng=stream(0, "core"))[0]
    assert np.isnan(core_consistency(problem, five))
    alone = factorise(small_problem(n_slots=1)[2], rank=2, search=SEARCH, rng=stream(0, "core"))[0]
    assert np.isnan(core_consistency(small_problem(n_slots=1)[2], alone))


def small_blocks():
    """Two blocks in different slots that hold out different units."""
    removed = np.full((9, 4), -1)
    removed[1:5, 1], removed[4:9, 3] = 0, 1
    scored = np.full((9, 4), -1)
    scored[2:4, 1], scored[5:8, 3] = 0, 1
    unit = np.array([[True, True, False, False, True], [False, False, True, True, False]])
    return Blocks(judged=scored, removed=removed, unit=unit)


@pytest.mark.parametrize("of_table", [False, True])
def test_pairs_of_held_out_units_are_judged_and_no_pair_with_one_of_them_is_used(of_table):
    values, observed, problem = small_problem()
    if of_table:
        table = table_of(values).reshape(-1, 10).astype(np.float32)
        problem = dataclasses.replace(problem, products=TableProducts(table))
    blocks = small_blocks()
    one, other = np.triu_indices(5, 1)
    held = np.zeros(observed.shape, dtype=bool)
    scored = held.copy()
    for block, units in enumerate(blocks.unit):
        held |= (blocks.removed == block)[..., None] & units
        scored |= (blocks.judged == block)[..., None] & units
    left = observed & ~held
    used = (left[..., one] & left[..., other]).reshape(-1, 10)
    asked = (scored & observed)[..., one] & (scored & observed)[..., other]
    every = np.eye(36)
    known, unknown = training(problem, blocks), judged(problem, blocks)
    table = table_of(values).reshape(-1, 10)
    np.testing.assert_allclose(known.products.over_cells(every).T, table * used, atol=1e-6)
    np.testing.assert_allclose(
        unknown.products.over_cells(every).T, table * asked.reshape(-1, 10), atol=1e-6
    )
    fit = factorise(known, rank=2, search=SEARCH, rng=stream(0, "known"))[0]
    model = np.einsum("tr,ar,pr->tap", fit.time * fit.weight, fit.slot, fit.pair)
    factors = fit.time * fit.weight, fit.slot, fit.pair
    residual, energy = block_errors(unknown, blocks, *factors)
    for block in range(2):
        here = asked & (blocks.judged == block)[..., None]
        expected = ((table_of(values) - model) ** 2)[here].sum()
        assert residual[block] == pytest.approx(expected, rel=1e-4)
        assert energy[block] == pytest.approx((table_of(values)[here] ** 2).sum(), rel=1e-5)
    assert (residual > 0).all()


def test_courses_are_refitted_with_a_ridge_on_what_little_is_visible():
    values, observed, problem = small_problem()
    fit = factorise(problem, rank=1, search=SEARCH, rng=stream(0, "one"))[0]
    time = refit_times(problem, fit.pair, slot=fit.slot, sweeps=1, shrink=0.1)
    one, other = np.triu_indices(5, 1)
    seen = observed[..., one] & observed[..., other]
    model = fit.slot[:, 0, None] * fit.pair[:, 0]
    full = (model**2).sum()
    expected = (table_of(values) * model).sum(axis=(1, 2)) / (
        (seen * model**2).sum(axis=(1, 2)) + 0.1 * full
    )
    np.testing.assert_allclose(time[:, 0], expected, rtol=1e-5)


@pytest.mark.parametrize("alignment", ["by_epoch", "concatenate"])
def test_blocks_lie_in_one_recording_and_their_margins_do_not_meet(alignment):
    views, _ = simulate(stream(3, "sim"), size="tiny")
    config = ConnectomeConfig(alignment=alignment)
    aligned = align(views, config)
    blocks = draw_blocks(aligned, sigma_s=config.sigma_s, rng=stream(0, "blocks"))
    times = aligned.source_time_s
    margin = MARGIN_SIGMAS * config.sigma_s
    ends = {}
    for block in range(blocks.count):
        rows, slots = np.nonzero(blocks.judged == block)
        around, _ = np.nonzero(blocks.removed == block)
        assert np.unique(slots).size == 1
        recording = slots[0] if alignment == "by_epoch" else aligned.bin_recording[rows[0]]
        seconds, wide = times[rows, recording], times[around, recording]
        assert np.isfinite(wide).all()
        assert np.ptp(seconds) <= BLOCK_S
        # Whatever of the recording is as near as the filter reaches is taken away with it.
        every = times[:, recording]
        near = (every > seconds.min() - margin + 1) & (every < seconds.max() + margin - 1)
        assert np.isin(np.flatnonzero(near), around).all()
        ends.setdefault(int(recording), []).append((wide.min(), wide.max()))
    for stretches in ends.values():
        stretches.sort()
        assert all(a[1] < b[0] for a, b in itertools.pairwise(stretches))
    problem = affinity_problem(aligned, config.with_rank(1), threads=1)
    share = (blocks.judged >= 0).sum() / np.isfinite(times).sum() / 4
    assert 0.03 < share < 0.12
    assert judged(problem, blocks).size > 0
    short = dataclasses.replace(aligned, source_time_s=np.where(times < 3, times, np.nan))
    if alignment == "concatenate":
        assert draw_blocks(short, sigma_s=config.sigma_s, rng=stream(0, "blocks")) is None


def run_all(config, views, *, seed=0):
    """Parts of all rounds by name."""
    parts = {}
    for number, of_round in enumerate(config.rounds()):
        before = {"earlier": dict(parts)} if number else {}
        for part in of_round:
            parts[part.name] = fit_part(
                views,
                config,
                part,
                stream(seed, "part", part.name),
                provenance=PROVENANCE,
                **before,
            )
    return parts


@pytest.fixture(scope="module")
def worms():
    return simulate(stream(3, "sim"), size="tiny")


@pytest.fixture(scope="module")
def parts(worms):
    return run_all(CONFIG, worms[0])


@pytest.fixture(scope="module")
def result(worms, parts):
    return combine(parts, worms[0], CONFIG, stream(0, "combine"), provenance=PROVENANCE)


def test_three_planted_groups_give_three_components(result):
    assert result.rank == 3
    assert result.rank_choice.because == "stable"
    assert supported(result.rank_choice).all()
    assert warnings(result.rank_choice) == ()


def test_the_choice_does_not_depend_on_the_order_of_parts(parts, result):
    runs = [part for part in parts.values() if isinstance(part, RankPart)]
    again = choose_rank(reversed(runs), CONFIG, provenance=PROVENANCE)
    for field in dataclasses.fields(again):
        if field.name != "provenance":
            np.testing.assert_array_equal(
                getattr(again, field.name), getattr(result.rank_choice, field.name)
            )


def test_a_rank_set_by_hand_is_fitted_and_the_rule_speaks_beside_it(worms, parts, result):
    runs = [part for part in parts.values() if isinstance(part, RankPart)]
    choice = choose_rank(runs, CONFIG.with_rank(4), provenance=PROVENANCE)
    assert (choice.ruled, choice.chosen) == (3, 4)
    other = dataclasses.replace(result, rank_choice=choice)
    check = next(
        one for one in assess(other, worms[0], CONFIG) if one.name == "Number of components"
    )
    assert check.status == "warn"
    assert "set to 4 by hand where the rule takes 3" in check.value
    assert ConnectomeConfig(rank=4).rounds() == (ConnectomeConfig(rank=4).plan(),)


def test_the_report_shows_the_criteria_and_says_why(worms, result):
    checks = assess(result, worms[0], CONFIG)
    shown = figures(result, worms[0], CONFIG)
    figure = next(one for one in shown if one.id == "rank")
    assert [panel.title for panel in figure.panels][1:4] == [
        "Held-out blocks",
        "Restart similarity",
        "Explained beyond chance",
    ]
    assert "3 components of 2 to 4: the largest number within one standard error" in figure.finding
    written = section(result, checks, shown, CONFIG)
    assert written.numbers["rank_by_the_rule"] == 3
    assert any("the largest number within" in part for part in written.body if str is type(part))
    bare = dataclasses.replace(result, rank_choice=None)
    written = section(bare, checks, figures(bare, worms[0], CONFIG), CONFIG)
    assert any("was set by hand" in part for part in written.body if str is type(part))


def made_up(rank, run, *, held_out, alike, error=0.5, surrogate=0.9, n_slots=3, repeats=0.9):
    """A run whose factors are the same in all runs, or its own."""
    rng = stream(0 if alike else run, "made up", rank)
    weight, factors = normalise([rng.random((size, rank)) ** 8 for size in (12, n_slots, 15)])
    energy = np.ones(4)
    residual = np.empty(0) if held_out is None else energy * held_out**2
    return RankPart(
        name=f"rank-{rank:02d}-run-{run:02d}",
        rank=rank,
        run=run,
        weight=weight,
        component_time=factors[0],
        component_slot=factors[1],
        component_pair=factors[2],
        relative_error=error + 0.001 * run,
        reproducibility=repeats,
        core_consistency=np.nan,
        held_out_residual=residual,
        held_out_energy=residual if held_out is None else energy,
        surrogate_error=surrogate,
        surrogate_reproducibility=0.5,
        provenance=PROVENANCE,
    )


def chosen(held_out, alike, **changes):
    """The choice among 1, 2, ... from mean held-out errors and whether restarts agree."""
    spread = (-0.02, 0.0, 0.02)
    return choose_rank(
        [
            made_up(
                rank,
                run,
                held_out=None if error is None else error + spread[run],
                alike=same,
                **changes,
            )
            for rank, (error, same) in enumerate(zip(held_out, alike, strict=True), start=1)
            for run in range(3)
        ],
        ConnectomeConfig(),
        provenance=PROVENANCE,
    )


@pytest.mark.parametrize(
    ("held_out", "alike", "changes", "expected"),
    [
        # 0.7 is within one standard error (0.0115) of 0.695, 0.75 is not.
        ((0.9, 0.7, 0.695, 0.75), (1, 1, 1, 1), {}, (3, "stable")),
        ((0.9, 0.7, 0.695, 0.75), (1, 1, 0, 1), {}, (2, "stable")),
        ((0.9, 0.7, 0.695, 0.75), (1, 0, 0, 1), {}, (2, "unstable")),
        ((1.1, 1.2, 1.3), (1, 1, 1), {}, (1, "unpredicted")),
        ((None, None, None), (1, 1, 0), {}, (2, "unjudged")),
        ((0.9, 0.7, 0.75), (1, 1, 1), {"n_slots": 1}, (2, "stable")),
        ((0.9, 0.7, 0.75), (1, 1, 1), {"n_slots": 1, "repeats": 0.4}, (2, "unstable")),
    ],
)
def test_the_rule(held_out, alike, changes, expected):
    choice = chosen(held_out, [bool(same) for same in alike], **changes)
    assert (choice.ruled, choice.because) == expected
    assert (expected[1] == "stable") == (warnings(choice) == ())


def test_what_speaks_against_a_number_is_told():
    assert (
        "no number of components explains more"
        in warnings(chosen((0.9, 0.7, 0.75), (True,) * 3, surrogate=0.4))[0]
    )
    assert "the largest candidate was taken" in warnings(chosen((0.9, 0.8, 0.7), (True,) * 3))[0]


def test_candidates_beyond_the_data_are_left_out(worms):
    config = ConnectomeConfig(ranks=[60], n_rank_runs=2, coarse_grain=200)
    runs = {
        part.name: fit_part(worms[0], config, part, stream(0, part.name), provenance=PROVENANCE)
        for part in config.rounds()[0]
    }
    with pytest.raises(NotApplicable, match="smallest candidate has 60 components"):
        choose_rank(runs.values(), config, provenance=PROVENANCE)
    small = made_up(2, 0, held_out=0.5, alike=True), made_up(2, 1, held_out=0.6, alike=True)
    choice = choose_rank([*small, *runs.values()], config, provenance=PROVENANCE)
    assert (choice.rank.tolist(), choice.n_impossible) == ([2], 1)


def test_runs_of_one_number_share_blocks_and_surrogate_over_candidates(parts):
    for run in range(3):
        energies = [parts[f"rank-{rank:02d}-run-{run:02d}"].held_out_energy for rank in (2, 3, 4)]
        np.testing.assert_array_equal(energies[0], energies[1])
        np.testing.assert_array_equal(energies[0], energies[2])
    others = [parts[f"rank-02-run-{run:02d}"].held_out_energy.sum() for run in range(3)]
    assert len(set(others)) == 3


def test_candidates_are_asked_for_sensibly():
    with pytest.raises(ValueError, match="needs candidates"):
        ConnectomeConfig(ranks=[])
    with pytest.raises(ValueError, match="more than once"):
        ConnectomeConfig(ranks=[2, 2])
    with pytest.raises(ValueError, match="has not been chosen"):
        _ = ConnectomeConfig().n_components
    assert Part("choice") in ConnectomeConfig().plan()


def test_a_component_counts_with_what_it_gains_in_the_median_restart(result):
    assert result.restart_gain.shape == (2, 3)
    best = np.flatnonzero(result.restart == result.best_restart)[0]
    np.testing.assert_allclose(result.restart_gain[best], result.component_gain)
    np.testing.assert_allclose(result.restart_gain[1 - best], result.component_gain, rtol=0.05)
    many = dataclasses.replace(
        result,
        restart=np.array(["a", "b", "c"]),
        restart_gain=np.array([[0.9, 0.2, 0.3], [0.9, 0.0, 0.3], [0.9, 0.0, 0.0]]),
        surrogate=np.array([f"s{index}" for index in range(19)]),
        surrogate_largest_gain=np.full(19, 0.1),
        **{
            name: np.zeros(3, dtype=getattr(result, name).dtype)
            for name in vars_of_restarts(result)
        },
        **{name: np.zeros(19) for name in vars_of_surrogates(result)},
    )
    # The second is above surrogates in the best restart alone, the third in two of three.
    np.testing.assert_array_equal(supported_components(many), [True, False, True])


def vars_of_restarts(result):
    names = [field.name for field in dataclasses.fields(result)]
    return [name for name in names if name.startswith("restart_") and name != "restart_gain"]


def vars_of_surrogates(result):
    names = [field.name for field in dataclasses.fields(result)]
    return [
        name for name in names if name.startswith("surrogate_") and name != "surrogate_largest_gain"
    ]


def test_components_of_two_models_are_matched_one_to_one():
    rng = stream(0, "match")
    _, factors = normalise([rng.random((size, 4)) for size in (9, 3, 20)])
    order = np.array([2, 0, 3, 1])
    index, likeness = matches(factors, [factor[:, order] for factor in factors])
    np.testing.assert_array_equal(order[index], np.arange(4))
    np.testing.assert_allclose(likeness, 1)


class Interrupted(BaseException):
    """What ends a process in the middle."""


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_run_that_was_interrupted_in_any_of_its_fits_goes_on_to_the_same_bytes(at, tmp_path):
    views, _ = simulate(stream(0, "resume"), size="tiny")
    config = CONFIG.model_copy(update={"n_starts": 2, "max_iterations": 10, "tolerance": 1e-9})

    def run(checkpoint=None, resume=None):
        done = []
        part = fit_part(
            views,
            config,
            Part("rank-02-run-00"),
            stream(1, "run"),
            lambda *told: done.append(told),
            provenance=PROVENANCE,
            checkpoint=checkpoint,
            resume=resume,
        )
        return part, len(done)

    def interrupting(left):
        if len(left.fits) == at and left.fits[-1].iteration == 6:
            write_record(tmp_path / "left.h5", left)
            raise Interrupted

    whole, n_whole = run()
    assert n_whole == 3 * 10
    with pytest.raises(Interrupted):
        run(interrupting)
    again, n_again = run(resume=read_record(tmp_path / "left.h5", Checkpoint))
    assert n_again == n_whole - 10 * (at - 1) - 6
    write_record(tmp_path / "whole.h5", whole)
    write_record(tmp_path / "again.h5", again)
    assert (tmp_path / "whole.h5").read_bytes() == (tmp_path / "again.h5").read_bytes()
