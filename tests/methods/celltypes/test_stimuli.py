"""Ascent, its projections and guards, and the published loop step by step."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.methods.celltypes.ascent import Ascent, initial_stimuli
from pipeline.methods.celltypes.clustering import Rule, alternate
from pipeline.methods.celltypes.constraints import Constraints, Display
from pipeline.methods.celltypes.objective import Discriminate, Excite, membership, objective
from pipeline.methods.celltypes.stimuli import Engine, roughness, variation
from tests.support.golden import golden_files
from tests.support.response_banks import bank

RNG = np.random.default_rng


def replays():
    return golden_files("mds_celltypes", "init_stimuli", "em0_loss")


class Watched(Engine):
    """An engine that keeps what it climbed."""

    def climb(self, *arguments):
        self.climbs.append(super().climb(*arguments))
        return self.climbs[-1]


@pytest.mark.parametrize("file", replays(), ids=lambda file: f"n{len(file['gain'])}")
def test_the_published_loop_is_replayed_step_by_step(file):
    norm, clip = float(file["norm"]), file["clip"]
    engine = Watched(
        bank(file["filters"], file["gain"], file["bias"], file["nonlinearity"]),
        Constraints(
            norm=norm if np.isfinite(norm) else None,
            low=clip[:1] if np.isfinite(clip).all() else None,
            high=clip[1:] if np.isfinite(clip).all() else None,
        ),
    )
    climbs = engine.climbs = []
    ascent = Ascent(kind="sgd", rate=float(file["lr"]), steps=int(file["steps"]))
    labels = []
    found = alternate(
        engine,
        file["init_assignments"],
        file["init_stimuli"][:, None, None],
        Rule(
            temperature=float(file["temperature"]),
            ascent=ascent,
            polish=ascent,
            max_iterations=int(file["max_em"]),
        ),
        driving=np.ones(len(file["gain"]), dtype=bool),
        rng=RNG(0),
        checkpoint=lambda one: labels.append(one.labels),
    )
    assert len(climbs) == int(file["n_em"])
    for index, climbed in enumerate(climbs):
        np.testing.assert_allclose(-climbed.trace, file[f"em{index}_loss"], atol=1e-4, rtol=0)
        np.testing.assert_allclose(
            climbed.stimuli[:, 0, 0], file[f"em{index}_stimuli"], atol=1e-4, rtol=0
        )
        np.testing.assert_array_equal(
            climbed.responses.argmax(axis=0), file[f"em{index}_assign_raw"]
        )
        np.testing.assert_array_equal(labels[index], file[f"em{index}_assign"])
    np.testing.assert_array_equal(found.labels, file["final_assignments"])
    everyone = np.ones(len(file["gain"]), dtype=bool)
    final = found.objective(everyone, float(file["temperature"]))
    np.testing.assert_allclose(-final, file["final_loss"], atol=1e-4)


def small_bank(n_units=6, side=5):
    rng = RNG(3)
    return bank(
        rng.standard_normal((n_units, side, side)), np.ones(n_units), np.zeros(n_units), "softplus"
    )


def test_projections_come_in_the_stated_order():
    rng = RNG(4)
    x = rng.standard_normal((2, 2, 7, 3, 3)).astype(np.float32)
    low, high = np.array([-0.5, -0.2]), np.array([0.5, 0.4])
    found = Engine(small_bank(), Constraints(norm=3.0, low=low, high=high)).project(x)
    size = np.sqrt((x.astype(float) ** 2).sum(axis=(1, 2, 3, 4), keepdims=True))
    scaled = 3.0 * x / size
    expected = np.clip(scaled, low.reshape(1, 2, 1, 1, 1), high.reshape(1, 2, 1, 1, 1))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert (np.linalg.norm(found.reshape(2, -1), axis=1) < 3.0).all()  # clipped after rescaling
    smooth = Engine(small_bank(), Constraints(norm=3.0, lowpass_sigma=0.5)).project(x)
    np.testing.assert_allclose(np.linalg.norm(smooth.reshape(2, -1), axis=1), 3.0, rtol=1e-5)


def test_the_low_pass_is_a_gaussian_of_five_taps():
    x = np.zeros((1, 1, 9, 1, 1), dtype=np.float32)
    x[0, 0, 4] = 1
    found = Engine(small_bank(), Constraints(lowpass_sigma=0.5)).project(x)[0, 0, :, 0, 0]
    kernel = np.exp(-0.5 * (np.arange(-2, 3) / 0.5) ** 2)
    np.testing.assert_allclose(found[2:7], kernel / kernel.sum(), rtol=1e-6)
    assert (found[[0, 1, 7, 8]] == 0).all()


def test_the_most_exciting_stimulus_of_a_linear_unit_is_its_filter():
    filters = RNG(5).standard_normal((1, 6, 6))
    engine = Engine(bank(filters, [1.0], [0.0], "identity"), Constraints(norm=2.0))
    start = engine.project(initial_stimuli((1, 1, 1, 6, 6), RNG(0), smooth=False))
    goal = Excite(np.ones((1, 1)), np.array([0]))
    found = engine.climb(start, goal, Ascent(steps=150, last_rate=0.005), RNG(0))
    expected = 2.0 * filters / np.linalg.norm(filters)
    np.testing.assert_allclose(found.stimuli[0, 0], expected, atol=0.02)
    assert found.responses[0, 0] == pytest.approx(2.0 * np.linalg.norm(filters), rel=1e-3)


def test_stimuli_in_one_batch_are_those_climbed_one_by_one():
    engine = Engine(small_bank(), Constraints(norm=2.0))
    weights = membership(np.array([0, 0, 1, 1, 2, 2]), 3)
    start = engine.project(initial_stimuli((3, 1, 1, 5, 5), RNG(1), smooth=True))
    ascent = Ascent(steps=40)
    goal = Discriminate(weights, np.arange(3), 1.0)
    together = engine.climb(start, goal, ascent, RNG(0))
    for row in range(3):
        alone = engine.climb(
            start[row : row + 1], Discriminate(weights, np.array([row]), 1.0), ascent, RNG(0)
        )
        np.testing.assert_allclose(alone.stimuli[0], together.stimuli[row], atol=1e-5)
    pieces = Engine(small_bank(), Constraints(norm=2.0), batch=2).climb(start, goal, ascent, RNG(0))
    np.testing.assert_allclose(pieces.stimuli, together.stimuli, atol=1e-5)


def test_the_objective_rises_and_finished_stimuli_leave():
    engine = Engine(small_bank(), Constraints(norm=1.0))
    weights = membership(np.array([0, 0, 0, 1, 1, 1]), 2)
    start = engine.project(initial_stimuli((2, 1, 1, 5, 5), RNG(2), smooth=True))
    ascent = Ascent(steps=400, last_rate=0.001)
    found = engine.climb(start, Discriminate(weights, np.arange(2), 1.0), ascent, RNG(0))
    final = objective(found.responses @ weights.T, 1.0).diagonal()
    assert (final > found.trace[:, 0] + 0.2).all()
    assert np.isnan(found.trace[:, -1]).all()
    assert found.flags == ("", "")


def test_a_stimulus_whose_responses_break_is_set_back_and_frozen_and_leaves_the_others_alone():
    healthy = small_bank(4)

    def respond(stimuli):
        responses = healthy(stimuli)
        # Beyond a corner of the first pixel nothing is defined.
        bad = (stimuli[:, 0, 0, 0, 0] > 0.5)[:, None]
        return torch.where(bad, torch.full_like(responses, float("nan")), responses)

    weights = membership(np.array([0, 0, 1, 1]), 2)
    start = np.zeros((2, 1, 1, 5, 5), dtype=np.float32)
    start[0, 0, 0, 0, 0] = 1.0
    start[1, 0, 0, 1, 1] = 0.1
    engine = Engine(respond, Constraints(low=np.array([-0.4]), high=np.array([0.4])))
    found = engine.climb(
        start, Discriminate(weights, np.arange(2), 1.0), Ascent(steps=30, rate=0.05), RNG(0)
    )
    assert found.flags == ("optimisation_diverged", "")
    assert np.isfinite(found.stimuli).all()
    assert np.isnan(found.trace[0]).all()
    assert found.trace[1][~np.isnan(found.trace[1])][-1] > found.trace[1, 0]


def test_a_flat_objective_is_nudged_once_and_flagged():
    def respond(stimuli):
        return 0 * stimuli.flatten(1)[:, :4]

    start = np.zeros((1, 1, 1, 5, 5), dtype=np.float32)
    engine = Engine(respond, Constraints(norm=1.0))
    goal = Discriminate(membership(np.array([0, 0, 1, 1]), 2), np.array([0]), 1.0)
    found = engine.climb(start, goal, Ascent(steps=20), RNG(0))
    assert found.flags == ("flat_objective",)
    assert np.linalg.norm(found.stimuli) == pytest.approx(1.0)


def test_penalties_have_their_formulas():
    x = torch.as_tensor(RNG(6).standard_normal((2, 2, 3, 4, 5)))
    array = x.numpy()
    expected = sum(np.abs(np.diff(array, axis=a)).reshape(2, -1).mean(axis=1) for a in (2, 3, 4))
    np.testing.assert_allclose(variation(x), expected)
    padded = np.pad(array, ((0, 0), (0, 0), (0, 0), (1, 1), (1, 1)), mode="reflect")
    kernel = np.array([[0.25, 0.5, 0.25], [0.5, -3.0, 0.5], [0.25, 0.5, 0.25]])
    laplacian = sum(
        kernel[a, b] * padded[..., a : a + 4, b : b + 5] for a in range(3) for b in range(3)
    )
    np.testing.assert_allclose(roughness(x), (laplacian**2).reshape(2, -1).mean(axis=1))


def test_a_penalty_makes_stimuli_smoother():
    engine = Engine(small_bank(), Constraints(norm=2.0))
    start = engine.project(initial_stimuli((2, 1, 1, 5, 5), RNG(1), smooth=False))
    goal = Discriminate(membership(np.array([0, 0, 0, 1, 1, 1]), 2), np.arange(2), 1.0)
    plain = engine.climb(start, goal, Ascent(steps=60), RNG(0))
    smooth = engine.climb(start, goal, Ascent(steps=60, smoothness=10.0), RNG(0))
    blurred = engine.climb(start, goal, Ascent(steps=60, gradient_blur=1.0), RNG(0))
    rough = [roughness(torch.as_tensor(one.stimuli)).mean() for one in (plain, smooth, blurred)]
    assert rough[1] < 0.5 * rough[0]
    assert rough[2] < rough[0]


def test_what_lies_in_range_can_be_shown():
    low, high = np.array([-1.0, -2.0]), np.array([3.0, 2.0])
    display = Display.of_range(low, high)
    x = RNG(0).uniform(-1, 2, (2, 2, 3, 4, 4))
    assert display.out_of_gamut(x) == 0
    shown = display.shown(np.broadcast_to(low.reshape(1, 2, 1, 1, 1), (1, 2, 1, 1, 1)))
    np.testing.assert_allclose(shown, 0, atol=1e-15)
    assert display.out_of_gamut(x + 5) == 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"norm": -1.0}, "must be above 0"),
        ({"low": np.array([1.0]), "high": np.array([1.0])}, "below the highest"),
        ({"low": np.array([1.0])}, "both"),
    ],
)
def test_impossible_constraints_are_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        Constraints(**wrong)
