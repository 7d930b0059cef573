"""Non-negative factors against exact, planted and recorded tensors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.core.method import Part
from pipeline.core.provenance import Provenance
from pipeline.core.rng import stream
from pipeline.io.records import read_record, write_record
from pipeline.methods.connectome.algorithm import Checkpoint, fit_part
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.factorisation import Snapshot
from pipeline.methods.connectome.simulate import simulate
from pipeline.methods.connectome.tensorly_engine import fit_nonnegative
from pipeline.numerics.cp import match_score, normalise

GOLDEN = Path(__file__).resolve().parents[2] / "data" / "golden" / "tensor_connectome"


def fitted(values, observed=None, *, rank, seed=0, max_iterations=500, tolerance=1e-7, **more):
    return fit_nonnegative(
        values.astype(np.float32),
        observed,
        rank=rank,
        rng=stream(seed, "fit"),
        max_iterations=max_iterations,
        tolerance=tolerance,
        **more,
    )


def planted(rank: int, *sizes: int):
    rng = stream(1, "planted")
    factors = [rng.random((size, rank)) ** 3 for size in sizes]
    letters = "abcdef"[: len(sizes)]
    terms = ",".join(f"{letter}r" for letter in letters)
    return np.einsum(f"{terms}->{letters}", *factors), factors


def test_a_tensor_of_one_component_is_found_exactly():
    tensor, factors = planted(1, 12, 3, 20)
    fit = fitted(tensor, rank=1)
    assert fit.relative_error < 1e-5  # float32
    weight, unit = normalise(factors)
    assert match_score(weight, unit, fit.weight, fit.factors) == pytest.approx(1, abs=1e-5)


def test_planted_components_are_found_in_a_table_with_holes():
    tensor, factors = planted(3, 40, 4, 30)
    observed = stream(0, "holes").random(tensor.shape) > 0.3
    fit = min(
        (fitted(tensor, observed, rank=3, seed=seed, max_iterations=1500) for seed in range(3)),
        key=lambda fit: fit.relative_error,
    )
    weight, unit = normalise(factors)
    assert fit.relative_error < 0.01
    assert match_score(weight, unit, fit.weight, fit.factors) > 0.98


def test_what_is_stored_in_unobserved_entries_does_not_matter():
    tensor, _ = planted(2, 20, 3, 15)
    observed = stream(0, "holes").random(tensor.shape) > 0.3
    one = fitted(np.where(observed, tensor, 1e6), observed, rank=2)
    other = fitted(np.where(observed, tensor, 0.0), observed, rank=2)
    for left, right in zip(one.factors, other.factors, strict=True):
        np.testing.assert_array_equal(left, right)
    assert one.relative_error == other.relative_error


def test_a_masked_fit_equals_the_fit_without_those_entries():
    tensor, _ = planted(2, 20, 12)
    noisy = tensor + 0.05 * stream(0, "noise").random(tensor.shape)
    observed = np.ones(tensor.shape, dtype=bool)
    observed[:, 8:] = False
    masked = fitted(noisy, observed, rank=2, max_iterations=2000)
    without = fitted(noisy[:, :8], rank=2, max_iterations=2000)
    assert masked.relative_error == pytest.approx(without.relative_error, abs=1e-5)


def test_the_error_over_observed_entries_never_rises():
    tensor, _ = planted(4, 30, 3, 25)
    noisy = tensor + 0.2 * stream(0, "noise").random(tensor.shape)
    observed = stream(0, "holes").random(tensor.shape) > 0.4
    fit = fitted(noisy, observed, rank=4)
    assert (np.diff(fit.errors) <= 1e-6).all()


def test_pairs_missing_in_whole_recordings_hardly_slow_a_fit():
    # Four recordings in a row, two fifths of the pairs missing in each. Fitting what was filled
    # in for several iterations before filling again takes more than 100 of them here.
    rng = stream(1, "sparse")
    time, pair = rng.random((240, 4)) ** 12, rng.random((150, 4)) ** 6
    clutter = 0.3 * (rng.random((240, 150)) < 0.05) * rng.random((240, 150))
    table = time @ pair.T + clutter
    observed = np.repeat(rng.random((4, 150)) > 0.4, 60, axis=0)
    of_truth = np.linalg.norm(clutter[observed]) / np.linalg.norm(table[observed])
    for seed in range(3):
        fit = fitted(table, observed, rank=4, seed=seed, max_iterations=60, tolerance=5e-5)
        assert fit.converged
        assert fit.relative_error < of_truth


def test_a_given_first_factor_stays_as_it_is():
    tensor, factors = planted(2, 25, 18)
    fit = fitted(tensor, rank=2, fixed_first=factors[0])
    np.testing.assert_allclose(fit.factors[0], factors[0], rtol=1e-6)
    np.testing.assert_allclose(fit.factors[1], factors[1], atol=1e-3)


def test_the_same_stream_gives_the_same_factors():
    tensor, _ = planted(3, 20, 3, 15)
    one, other = fitted(tensor, rank=3), fitted(tensor, rank=3)
    np.testing.assert_array_equal(one.factors[2], other.factors[2])


def test_a_table_of_zeros_is_refused():
    with pytest.raises(ValueError, match="nothing to factorise"):
        fitted(np.zeros((5, 6)), rank=1)


def test_the_planted_reference_tensor_is_solved_as_recorded():
    with np.load(GOLDEN / "planted_ntf.npz") as file:
        tensor = file["tensor"]
        truth = [file["truth_time"], file["truth_animal"], file["truth_pair"]]
    fit = fitted(tensor, rank=5, tolerance=1e-8, max_iterations=1000)
    assert fit.relative_error == pytest.approx(0.20183174, abs=1e-4)
    weight, unit = normalise(truth)
    assert match_score(weight, unit, fit.weight, fit.factors, use_weights=False) >= 0.99


@pytest.mark.slow
def test_the_first_twelve_starts_reach_the_recorded_error_of_the_reference_recording():
    # The first twelve streams, whatever they give. One start in five to six ends in the best
    # known optimum (11 of the first 60), so that twelve miss it once in eleven times and six, the
    # recorded number, three times in ten.
    from pipeline.methods.connectome.pair_affinity import pair_affinity

    with np.load(GOLDEN / "traces_small.npz") as file:
        speed, sign, recorded = file["speed"], file["sign"], file["ntf_relative_error"]
    pairs = np.stack(np.triu_indices(30, 1), axis=1)
    tensor = np.stack(
        [
            pair_affinity("geometric", of.T, up.T, pairs, shortest=1)
            for of, up in zip(speed, sign, strict=True)
        ],
        axis=1,
    )
    errors = [
        fitted(tensor, rank=9, seed=seed, max_iterations=1500, tolerance=1e-6).relative_error
        for seed in range(12)
    ]
    assert min(errors) <= recorded.min() + 1e-3
    assert np.median(errors) < np.median(recorded)


@pytest.mark.parametrize("sizes", [(20, 12), (20, 3, 12)])
@pytest.mark.parametrize("masked", [False, True])
def test_a_fit_goes_on_after_any_step_to_the_same_bits(sizes, masked, tmp_path):
    tensor, _ = planted(3, *sizes)
    observed = stream(0, "holes").random(tensor.shape) > 0.3 if masked else None
    steps = []

    def keep(snapshot):
        steps.append(tmp_path / f"{len(steps)}.h5")
        write_record(steps[-1], snapshot)

    whole = fitted(tensor, observed, rank=2, max_iterations=30, tolerance=1e-3, checkpoint=keep)
    assert len(steps) == len(whole.errors) - 1 > 2
    for path in steps:
        again = fitted(
            tensor,
            observed,
            rank=2,
            max_iterations=30,
            tolerance=1e-3,
            resume=read_record(path, Snapshot),
        )
        for one, other in zip(
            (whole.weight, *whole.factors), (again.weight, *again.factors), strict=True
        ):
            assert one.tobytes() == other.tobytes()
        assert again.errors.tobytes() == whole.errors.tobytes()
        assert again.converged == whole.converged


class Interrupted(BaseException):
    """What ends a process in the middle."""


def test_a_part_by_tensorly_goes_on_where_it_was_interrupted(tmp_path):
    """Up to the last step: what follows, the search for communities, takes long."""
    views, _ = simulate(stream(0, "resume"), size="tiny")
    config = ConnectomeConfig(engine="tensorly", rank=3, max_iterations=40, tolerance=1e-9)
    provenance = Provenance(stage="fit", experiment="x", package_version="0", code_digest="")

    def ended_after(iteration, resume=None):
        """Snapshots, and the random stream for what follows."""
        rng, seen = stream(1, "part"), []

        def keep(left):
            seen.append(left.fits[0].iteration)
            write_record(tmp_path / f"{iteration}.h5", left)
            if seen[-1] == iteration:
                raise Interrupted

        with pytest.raises(Interrupted):
            fit_part(
                views,
                config,
                Part("restart-00"),
                rng,
                provenance=provenance,
                checkpoint=keep,
                resume=resume,
            )
        return seen, (tmp_path / f"{iteration}.h5").read_bytes(), rng.bit_generator.state

    _, last, state = ended_after(40)
    ended_after(25)
    resume = read_record(tmp_path / "25.h5", Checkpoint)
    assert ended_after(40, resume) == ([30, 35, 40], last, state)
