"""Units without part in the types have no part in them, and numbers of them are not too good."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.core.method import Part
from pipeline.core.provenance import Provenance
from pipeline.io.records import read_record, write_record
from pipeline.methods.celltypes import remembering
from pipeline.methods.celltypes.algorithm import combine, fit_part
from pipeline.methods.celltypes.config import CelltypesConfig
from pipeline.methods.celltypes.diagnostics import assess
from pipeline.methods.celltypes.figures import figures
from pipeline.methods.celltypes.folds import (
    _balanced,
    _objective,
    closest_type,
    fold_of_unit,
    matching,
    most_frequent,
)
from pipeline.methods.celltypes.objective import assign, membership, objective, objective_errors
from pipeline.methods.celltypes.result import CelltypesResult, FoldPart
from pipeline.methods.celltypes.section import section
from pipeline.methods.celltypes.simulate import simulate
from pipeline.numerics.partitions import adjusted_rand_index

RNG = np.random.default_rng
PROVENANCE = Provenance(stage="test", experiment="test", package_version="", code_digest="")
CHECK = "Types of units without part in them"


def test_every_unit_is_left_out_once_and_strata_in_equal_shares():
    strata = RNG(0).integers(3, size=103)
    fold = fold_of_unit(strata, 5)
    np.testing.assert_array_equal(fold, fold_of_unit(strata, 5))
    assert set(np.bincount(fold)) == {20, 21}
    for one in range(3):
        assert np.ptp(np.bincount(fold[strata == one], minlength=5)) <= 1


def test_the_closest_type_is_by_the_shape_of_answers():
    t = np.linspace(0, 6, 50)
    answers = np.stack([np.sin(t), 9 * np.sin(t) + 3, np.cos(t), 0.1 * np.cos(t), -np.sin(t)], 1)
    labels, known = np.array([0, -1, 1, -1, -1]), np.array([True, False, True, False, False])
    assert closest_type(answers, labels, known)[:4].tolist() == [0, 0, 1, 1]


def test_types_of_a_fold_get_the_types_that_they_share_most_units_with():
    mine, theirs = np.array([0, 0, 0, 1, 1, 2, 2, 3]), np.array([1, 1, 0, 1, 1, 0, 0, 0])
    # 1 shares two units with type 1, 0 as many; one of them stays without, as does 3.
    found = matching(mine, theirs, 4)
    assert found[2] == 0
    assert found[3] == -1
    assert sorted(found[:2]) == [-1, 1]
    names = np.array(["a", "b", "b", "", "a", "", "", "c"])
    assert most_frequent(mine, names, 4).tolist() == ["b", "a", "", "c"]


def test_the_standard_error_of_the_objective_is_that_of_resampled_units():
    rng = RNG(1)
    labels = np.repeat([0, 1, 2, -1], [40, 60, 30, 5])
    responses = 2.0 * (labels[None] == np.arange(3)[:, None]) + rng.standard_normal((3, 135))
    each, mean = objective_errors(responses, labels, 3, 1.3)
    drawn = []
    for _ in range(2_000):
        columns = np.concatenate(
            [rng.choice(np.flatnonzero(labels == one), (labels == one).sum()) for one in range(3)]
        )
        means = responses[:, columns] @ membership(labels[columns], 3).T
        drawn.append(objective(means, 1.3).diagonal())
    np.testing.assert_allclose(each, np.std(drawn, axis=0), rtol=0.08)
    assert mean == pytest.approx(np.mean(drawn, axis=1).std(), rel=0.08)
    # Units whose answers are not known change nothing.
    more = np.concatenate([responses, np.full((3, 7), np.nan)], axis=1)
    again = objective_errors(more, np.append(labels, np.zeros(7, dtype=int)), 3, 1.3)
    np.testing.assert_allclose(again[0], each)
    assert again[1] == pytest.approx(mean)


def test_answers_of_nothing_have_an_objective_only_for_units_that_they_typed():
    by_stimuli, by_answers = [], []
    for seed in range(40):
        responses = RNG(seed).standard_normal((4, 120))
        for labels, found in (
            (assign(responses), by_stimuli),
            (RNG(seed + 100).integers(4, size=120), by_answers),
        ):
            _, value, _, error = _objective(responses, labels, 1.0)
            found.append((value.mean(), error))
    assert np.mean([value / error for value, error in by_stimuli]) > 10
    z = np.array([value / error for value, error in by_answers])
    assert abs(z.mean()) < 3 / np.sqrt(z.size) + 0.2  # the bound is for its small negative bias
    assert 0.7 < z.std() < 1.3


def test_types_without_units_or_stimuli_have_no_objective():
    responses = np.array([[2.0, 2, 0, 0, 0], [0, 0, 2, 2, 0], [np.nan] * 5])
    means, value, error, mean = _objective(responses, np.array([0, 0, 1, 1, 2]), 1.0)
    np.testing.assert_allclose(value[:2], 2 - np.log((np.exp(2) + 1) / 2))
    assert np.isnan(value[2])
    assert np.isnan(means[2]).all()
    np.testing.assert_array_equal(error[:2], 0)
    assert mean == 0
    assert np.isnan(_objective(responses, np.array([0, 0, 0, 0, 2]), 1.0)[1]).all()


def test_a_type_that_was_in_no_fold_with_a_stimulus_is_no_opponent_of_it():
    # Units 0 to 3 are of a fold without type 2, the others of a fold without type 1.
    responses = np.array(
        [[2.0, 2, 0, 0, 2, 2, 0, 0], [0, 0, 2, 2, *[np.nan] * 4], [*[np.nan] * 4, 0, 0, 2, 2]]
    )
    labels = np.array([0, 0, 1, 1, 0, 0, 2, 2])
    means, value, error, mean = _objective(responses, labels, 1.0)
    assert np.isnan(means[1, 2])
    assert np.isnan(means[2, 1])
    two, three = np.exp(2) + 1, np.exp(2) + 2
    np.testing.assert_allclose(value, 2 - np.log([three / 3, two / 2, two / 2]))
    np.testing.assert_array_equal(error, 0)
    assert mean == 0


def test_the_share_of_units_typed_alike_is_the_mean_over_types():
    found, true = np.array([0, 0, 0, 1, 1, -1]), np.array([0, 0, 0, 0, 1, 1])
    share, error = _balanced(found, true)
    assert share == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert error == pytest.approx(np.sqrt(4 / 6 * 2 / 6 / 4 + 1 / 4 / 2) / 2)
    assert _balanced(true, true)[1] > 0.1


@pytest.fixture(scope="module")
def tiny():
    """A tiny simulated retina with three outer folds: view, truth, settings, parts."""
    view, truth = simulate(RNG(0), size="tiny")
    view = dataclasses.replace(view, label=truth.cell_type[truth.type_of_unit])
    config = CelltypesConfig.model_validate(
        {
            "n_models": 1,
            "n_restarts": 1,
            "n_nulls": 0,
            "n_permutations": 0,
            "baselines": False,
            "encoding": {"max_epochs": 12},
            # A floor that most units are at, so that a leak through it would show.
            "loop": {"start_clusters": [4], "floor": 1.0},
            "folds": {"number": 3, "least_units": 10, "n_restarts": 1, "scan": 1},
        }
    )
    parts = {}
    for parts_of_round in config.rounds():
        earlier = {"earlier": dict(parts)} if parts else {}
        for part in parts_of_round:
            parts[part.name] = fit_part(
                (view,), config, part, RNG(1), provenance=PROVENANCE, **earlier
            )
    return view, truth, config, parts


def test_units_that_were_left_out_are_typed_right(tiny):
    view, truth, config, parts = tiny
    folds = [part for part in parts.values() if isinstance(part, FoldPart)]
    assert np.stack([fold.outer for fold in folds]).sum(axis=0).tolist() == [1] * 24
    result = combine(parts, (view,), config, RNG(2), provenance=PROVENANCE)
    outer = result.outer
    assert outer.fold_types.tolist() == [3, 3, 3]
    planted = truth.type_of_unit[result.typed_unit]
    assert adjusted_rand_index(outer.type_of_unit, planted) == 1
    assert adjusted_rand_index(outer.by_answers, planted) == 1
    assert outer.accuracy == outer.label_accuracy == outer.agreement == 1
    assert outer.objective.mean() == pytest.approx(np.log(3), abs=0.1)
    assert outer.typing["accuracy"].iloc[-1] > 0.9
    curve = outer.curve.set_index("n_types")
    assert curve.loc[3, "agreement"] > 0.95
    assert curve.loc[3, "outer_objective"] == pytest.approx(np.log(3), abs=0.1)
    checks = assess(result, (view,), config)
    (check,) = [check for check in checks if check.name == CHECK]
    assert check.status == "pass"
    drawn = {figure.id: figure for figure in figures(result, (view,), config)}
    assert "Good: agreement that falls beyond" in drawn["number-of-types"].caption
    titles = [panel.title for panel in drawn["number-of-types"].panels]
    assert titles[:2] == ["Objective", "Agreement of folds"]
    told = section(result, checks, tuple(drawn.values()), config)
    assert "outer" in {part.id for part in told.body if not isinstance(part, str)}
    assert told.numbers["outer_accuracy"] == 1


def test_folds_and_what_they_say_are_stored(tiny, tmp_path):
    view, _, config, parts = tiny
    write_record(tmp_path / "fold.h5", parts["fold-00"])
    fold = read_record(tmp_path / "fold.h5", FoldPart)
    np.testing.assert_array_equal(fold.scan_labels, parts["fold-00"].scan_labels)
    result = combine(parts, (view,), config, RNG(2), provenance=PROVENANCE)
    write_record(tmp_path / "fit.h5", result)
    outer = read_record(tmp_path / "fit.h5", CelltypesResult).outer
    np.testing.assert_array_equal(outer.confusion, result.outer.confusion)
    assert outer.curve.equals(result.outer.curve)


def test_units_that_are_left_out_change_nothing_for_the_others(tiny):
    view, _, config, parts = tiny
    fold, model = parts["fold-01"], parts["model-0"]
    gone = np.flatnonzero(model.fit.units["used"])[fold.outer]
    weights = model.fit.model.members[0]
    arrays = {}
    for name, array in weights.arrays.items():
        arrays[name] = array.copy()
        if array.ndim and len(array) == len(model.fit.units):
            arrays[name][gone] = RNG(3).uniform(0.1, 1, arrays[name][gone].shape)
    assert any(not np.array_equal(arrays[name], weights.arrays[name]) for name in arrays)
    sd = model.fit.sd.copy()
    sd[gone] *= 50
    other = dataclasses.replace(
        model,
        fit=dataclasses.replace(
            model.fit,
            model=dataclasses.replace(
                model.fit.model, members=(dataclasses.replace(weights, arrays=arrays),)
            ),
            sd=sd,
        ),
    )
    again = fit_part(
        (view,),
        config,
        Part("fold-01"),
        RNG(1),
        provenance=PROVENANCE,
        earlier={"model-0": other},
    )
    inner = ~fold.outer
    np.testing.assert_array_equal(again.type_of_unit[inner], fold.type_of_unit[inner])
    np.testing.assert_allclose(again.responses[:, inner], fold.responses[:, inner], rtol=1e-4)
    np.testing.assert_allclose(again.scan["objective"], fold.scan["objective"], rtol=1e-4)
    assert again.floor == fold.floor
    assert not np.allclose(again.responses[:, ~inner], fold.responses[:, ~inner], rtol=1e-2)


class Interrupted(BaseException):
    """What ends a process in the middle."""


def test_a_fold_that_was_interrupted_goes_on_to_the_same_numbers(tiny, monkeypatch):
    view, _, config, parts = tiny
    monkeypatch.setattr(remembering, "SECONDS_BETWEEN", 0.0)
    earlier = {"model-0": parts["model-0"]}
    kept = []

    def fold(checkpoint, resume=None):
        return fit_part(
            (view,),
            config,
            Part("fold-01"),
            RNG(1),
            provenance=PROVENANCE,
            earlier=earlier,
            checkpoint=checkpoint,
            resume=resume,
        )

    def interrupting(state):
        kept.append(state)
        if len(kept) == 5:
            raise Interrupted

    with pytest.raises(Interrupted):
        fold(interrupting)
    later = []
    again = fold(later.append, resume=kept[-1])
    assert later[0].ascents.n_stimuli.size == 6  # what was handed on, and one more
    whole = parts["fold-01"]
    assert again.responses.tobytes() == whole.responses.tobytes()
    assert again.scan.equals(whole.scan)
    np.testing.assert_array_equal(again.scan_labels, whole.scan_labels)


def test_few_units_have_no_folds_and_the_report_says_so(tiny):
    view, _, config, parts = tiny
    few = config.model_copy(update={"folds": config.folds.model_copy(update={"least_units": 100})})
    fold = fit_part(
        (view,),
        few,
        Part("fold-00"),
        RNG(1),
        provenance=PROVENANCE,
        earlier={"model-0": parts["model-0"]},
    )
    assert fold.status == "too_few_cells"
    result = combine(
        {**{name: part for name, part in parts.items() if "fold" not in name}, "fold-00": fold},
        (view,),
        few,
        RNG(2),
        provenance=PROVENANCE,
    )
    assert result.outer is None
    (check,) = [check for check in assess(result, (view,), few) if check.name == CHECK]
    assert check.status == "not_tested"
    assert check.value == "24 units, and 100 are asked for"


def test_one_fold_is_refused():
    with pytest.raises(ValueError, match="one fold would leave no unit"):
        CelltypesConfig.model_validate({"folds": {"number": 1}})
