"""Types from a table of trials alone: planted types, honest halves, and populations without any."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from pipeline.core.method import Part
from pipeline.core.provenance import Provenance
from pipeline.methods.celltypes.algorithm import combine, fit_part
from pipeline.methods.celltypes.config import CelltypesConfig
from pipeline.methods.celltypes.diagnostics import assess
from pipeline.methods.celltypes.discrete import Chosen, DiscreteTypes, shown
from pipeline.methods.celltypes.evidence import own_agreement, separation
from pipeline.methods.celltypes.figures import figures
from pipeline.methods.celltypes.section import agreements, section
from pipeline.methods.celltypes.showings import pooled
from pipeline.methods.celltypes.shown_halves import (
    in_the_other_half,
    null_separation,
    overlap,
    typing_by_showings,
)
from pipeline.numerics.partitions import adjusted_rand_index
from pipeline.prepare.config import PatternsConfig
from pipeline.prepare.patterns import response_patterns
from tests.support.captions import lacking
from tests.support.key_numbers import unclear
from tests.support.small_stimuli import recording_of, spikes_of

RNG = np.random.default_rng
PROVENANCE = Provenance(stage="test", experiment="test", package_version="", code_digest="")
N_CONDITIONS, N_REPEATS = 10, 8


def recording(rng, labels, *, tuning, name="r1"):
    """Spikes in trials of one second, at rates that only the type of a unit decides."""
    order = np.concatenate([rng.permutation(N_CONDITIONS) for _ in range(N_REPEATS)])
    trains = []
    for label in labels:
        counts = rng.poisson(tuning[order, label])
        trains.append(
            np.concatenate([at + rng.uniform(0, 1, n) for at, n in enumerate(counts)] + [[]])
        )
    seen = recording_of(spikes_of(trains, stop_s=order.size + 1.0), {}, name=name)
    start = np.arange(order.size, dtype=float)
    trials = pd.DataFrame(
        {
            "start_s": start,
            "stop_s": start + 1.0,
            "condition": pd.Series([f"c{one}" for one in order], dtype="str"),
        }
    )
    return dataclasses.replace(seen, trials=trials)


def view(rng, labels, *, tuning, name="r1"):
    return response_patterns(
        recording(rng, labels, tuning=tuning, name=name), PatternsConfig(), PROVENANCE
    )


def settings(**changed):
    quick = {"n_restarts": 30, "max_types": 6}
    return CelltypesConfig.model_validate(
        {"n_models": 1, "n_restarts": 1, "n_nulls": 2, "discrete": quick, **changed}
    )


def typed(views, config):
    parts = {}
    for parts_of_round in config.rounds():
        earlier = {"earlier": dict(parts)} if parts else {}
        for part in parts_of_round:
            parts[part.name] = fit_part(
                views, config, part, RNG(1), provenance=PROVENANCE, **earlier
            )
    return combine(parts, views, config, RNG(2), provenance=PROVENANCE)


TUNING = 1 + 14 * np.eye(N_CONDITIONS)[:, [1, 4, 7]]


def test_conditions_are_in_an_order_of_their_own_and_not_in_one_of_the_process():
    views = tuple(view(RNG(at), [0, 1], tuning=TUNING, name=name) for at, name in enumerate("ab"))
    seen, _ = pooled(views, window_s=1.0)
    assert seen.stimulus.tolist() == [f"c{at}" for at in range(N_CONDITIONS)]


def test_planted_types_are_found_in_trials_of_two_recordings():
    rng = RNG(0)
    labels = np.repeat([0, 1, 2], 8)
    views = tuple(view(rng, labels, tuning=TUNING, name=name) for name in ("r1", "r2"))
    config = settings()
    result = typed(views, config)
    assert result.mode == "discrete"
    assert adjusted_rand_index(result.type_of_unit, np.tile(labels, 2)) == 1
    assert sorted(result.stimulus.tolist()) == ["c1", "c4", "c7"]
    assert (result.reappearance > 0.9).all()
    assert result.agreement > 0.9
    assert (result.held_out_objective > 0.8).all()
    assert np.nanmin(result.pair_fraction) > 0.9
    assert (result.verdict == "supported").all()
    tuning = result.shown.tuning
    assert tuning.argmax(axis=0).tolist() == [
        result.shown.shown_stimulus.tolist().index(name) for name in result.stimulus
    ]
    typing = result.shown.typing
    assert typing["repeats"].tolist() == [1, 2, 3]  # four even showings
    assert typing["accuracy"].iloc[-1] > 0.97
    checks = assess(result, views, config)
    drawn = figures(result, views, config)
    assert {"tuning", "typing", "number-of-types"} <= {figure.id for figure in drawn}
    assert {figure.id: lacking(figure.caption) for figure in drawn if lacking(figure.caption)} == {}
    baselines = next(figure.caption for figure in drawn if figure.id == "baselines")
    for absent in ("raining answers", "xciting stimuli", "pectral", "fitted model"):
        assert absent not in baselines
    assert "from the other half of the showings" in baselines
    told = section(result, checks, drawn, config)
    assert unclear(told) == []
    assert "not in the paper" in told.body[0]
    assert "10 stimuli" in told.body[0]
    either = agreements(result)
    assert either.size == 2
    assert either.mean() == pytest.approx(result.agreement)
    assert f"(either way {either.min():.2f} and {either.max():.2f})" in told.sentence
    assert not told.further


def test_types_of_noise_are_not_supported_by_the_other_half():
    rng = RNG(3)
    flat = np.full((N_CONDITIONS, 1), 6.0)
    result = typed((view(rng, np.zeros(40, dtype=int), tuning=flat),), settings(n_types=4))
    assert result.n_types == 4
    # The showings that made the types are full of them; those that did not know of none.
    assert result.objective.mean() > 0.4
    assert abs(result.held_out_objective.mean()) < 0.2
    assert result.reappearance.mean() < 0.4
    assert abs(result.agreement) < 0.15
    assert not (result.verdict == "supported").any()
    assert result.shown.typing["accuracy"].max() < 0.5


def test_recordings_without_frames_are_told_when_others_have_them():
    from pipeline.methods.celltypes.simulate import simulate

    movie, _ = simulate(RNG(0), size="tiny")
    trials = view(RNG(1), np.repeat([0, 1, 2], 4), tuning=TUNING, name="r9")
    config = settings(n_nulls=0, n_permutations=0, baselines=False, encoding={"max_epochs": 2})
    model = fit_part((movie, trials), config, Part("model-0"), RNG(0), provenance=PROVENANCE)
    weak = dataclasses.replace(model, status="model_not_predictive", reason="too few epochs")
    result = combine({"model-0": weak}, (movie, trials), config, RNG(1), provenance=PROVENANCE)
    assert result.recording.tolist() == [movie.recording]
    checks = {one.name: one for one in assess(result, (movie, trials), config)}
    check = checks["Recordings with frames"]
    assert check.status == "warn"
    assert "1 of 2" in check.value
    names = {one.name for one in assess(result, (movie,), config)}
    assert "Recordings with frames" not in names


def hand_made():
    """Four units, two stimuli; the halves disagree about the third unit."""
    labels = np.array([0, 0, 1, 1])
    odd = Chosen(labels=labels, stimuli=np.array([0, 1]), objective=np.zeros(2))
    even = Chosen(labels=np.array([1, 1, 1, 0]), stimuli=np.array([1, 0]), objective=np.zeros(2))
    answers = np.array([[1.0, 1.0, -1.0, -1.0], [-1.0, -1.0, 1.0, 1.0]])
    return DiscreteTypes(
        chosen=odd,
        normalised=answers,
        scan=pd.DataFrame(),
        n_asked=2,
        halves=(odd, even),
        retyped=np.stack([np.array([0, 0, 0, 1]), np.array([1, 1, 0, 0])]),
    ), answers


def test_reappearance_is_traced_through_each_half():
    found, answers = hand_made()
    held = in_the_other_half(found, [answers, answers], np.arange(4), 1.0)
    # Odd: types 0, 1 come again with overlaps 2/3 and 1/2. Even: type 0 matches (2/3) the even 1,
    # which comes again with 2/3; type 1 matches (1/2) the even 0, which comes again with 1/2.
    np.testing.assert_allclose(held.reappearance, [2 / 3, 1 / 2])
    own, other = np.mean([np.log(2) - np.log1p(np.exp(-2.0))]), 1 / 3
    even = [
        np.log(2) + 1 / 3 - np.log(np.exp(1 / 3) + np.exp(-1)),
        np.log(2) + 1 - np.log(np.exp(1) + np.exp(-other)),
    ]
    np.testing.assert_allclose(held.objective, [(own + even[0]) / 2, (own + even[1]) / 2])
    assert np.isnan(np.diagonal(held.pair_fraction)).all()


def test_overlap_is_the_jaccard_index_of_units_that_both_label():
    first, second = np.array([0, 0, 1, -1]), np.array([1, 0, 1, 1])
    np.testing.assert_allclose(overlap(first, second, 2, 2), [[1 / 2, 1 / 3], [0, 1 / 2]])


def test_typing_uses_showings_without_part_in_the_types():
    found, _ = hand_made()
    condition = np.tile([0, 1], 6)
    right = np.where(condition[:, None] == found.chosen.labels[None], 1.0, 0.0)
    wrong = 1 - right
    even = (np.arange(12) // 2 % 2 == 1)[:, None]
    answers = np.where(even, wrong, right)
    table = typing_by_showings(found, [(answers, condition)], RNG(0))
    assert table["repeats"].tolist() == [1, 2, 3]
    assert (table["accuracy"] == 0).all()
    table = typing_by_showings(
        found, [(right[:, :2], condition), (right[:, 2:], condition)], RNG(0)
    )
    assert (table["accuracy"] == 1).all()


def test_one_cluster_does_not_agree_with_itself_by_being_one():
    one = np.zeros(6, dtype=np.int64)
    two = np.array([0, 0, 0, 1, 1, 1])
    assert np.isnan(own_agreement(one, one))
    assert own_agreement(two, 1 - two) == 1


@pytest.mark.slow
def test_one_population_is_separated_like_its_surrogates():
    rng = RNG(11)
    below = []
    for _ in range(60):
        tuning = rng.standard_normal((8, 3)) @ rng.standard_normal((3, 30))
        answers = np.tile(tuning + 0.3 * rng.standard_normal(tuning.shape), (2, 1))
        seen = shown(answers, np.tile(np.arange(8), 2), np.array([f"s{k}" for k in range(8)]))
        asked = {
            "n_types": 3,
            "n_restarts": 6,
            "temperature": 1.0,
            "distinct": True,
            "rng": rng,
        }
        null = null_separation(seen, n_nulls=9, **asked)
        observed = _observed(seen, **asked)
        below.append((1 + (null >= observed).sum()) / 10)
    p = np.array(below)
    # Of 60 fair p-values 6 are at 0.1 on average; 13 or more come once in 200 times.
    assert (p <= 0.1).sum() < 13
    assert 0.4 < p.mean() < 0.7


def _observed(seen, **asked):
    from pipeline.methods.celltypes.discrete import fit, normalised

    scaled = normalised(seen.whole)
    found = fit(scaled, asked.pop("n_types"), near=seen.near, **asked)
    return separation(scaled[found.stimuli], found.labels)
