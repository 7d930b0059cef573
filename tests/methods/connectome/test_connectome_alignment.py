# ruff: noqa: PD011 (no pandas objects here)
"""Which units and frames go together, on views made by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from pipeline.core.errors import NotApplicable
from pipeline.core.provenance import Provenance
from pipeline.core.rng import stream
from pipeline.core.views import TraceEnsemble
from pipeline.methods.connectome.alignment import align
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.problem import affinity_problem, affinity_table

CONFIG = ConnectomeConfig(rank=2, min_snr=0.0, theta=0.05)


def view_of(
    recording: str, names: list[str], *, epochs=(), n_frames=240, rate_hz=3.0, seed=0
) -> TraceEnsemble:
    rng = stream(seed, "view", recording)
    n_units = len(names)
    return TraceEnsemble(
        recording=recording,
        time=np.arange(n_frames) / rate_hz,
        values=np.cumsum(rng.standard_normal((n_frames, n_units)), axis=0).astype(np.float32),
        valid=np.ones((n_frames, n_units), dtype=bool),
        unit=np.array([f"roi{index}" for index in range(n_units)]),
        identity=np.array(names),
        epochs=pd.DataFrame(
            {
                "start_s": pd.Series([row[0] for row in epochs], dtype=float),
                "stop_s": pd.Series([row[1] for row in epochs], dtype=float),
                "label": pd.Series([row[2] for row in epochs], dtype="str"),
            }
        ),
        left_out=pd.DataFrame({"what": [], "count": [], "reason": []}),
        rate_hz=rate_hz,
        signal="dff",
        value_unit="dF/F",
        provenance=Provenance(stage="", experiment="", package_version="", code_digest=""),
    )


def settings(**changes) -> ConnectomeConfig:
    return ConnectomeConfig.model_validate({**CONFIG.model_dump(), **changes})


SALT = [(10.0, 20.0, "salt"), (40.0, 50.0, "odour")]
SWAPPED = [(12.0, 22.0, "odour"), (42.0, 52.0, "salt")]


def test_one_recording_uses_every_unit_named_or_not():
    found = align([view_of("a", ["AVA", "", "AVB"])], CONFIG)
    assert found.unit.tolist() == ["AVA", "AVB", "a:roi1"]
    assert found.mode == "concatenate"


def test_several_recordings_use_names_seen_often_enough():
    views = [
        view_of("a", ["AVA", "AVB", "AVE", ""]),
        view_of("b", ["AVA", "AVB", "AVD", "RIM"]),
        view_of("c", ["AVB", "AVA", "RIM", "AVE"]),
    ]
    found = align(views, CONFIG)
    assert found.unit.tolist() == ["AVA", "AVB", "AVE", "RIM"]
    assert found.presence[0].tolist() == [True, True, True, False]
    counts = dict(zip(found.selection["what"], found.selection["count"], strict=True))
    assert counts["left out: name unknown or uncertain"] == 1
    assert counts["left out: named in too few recordings"] == 1


def test_units_of_classes_that_were_not_chosen_are_counted():
    view = view_of("a", ["AVA", "AVB", "AVE"])
    table = pd.DataFrame(
        {"what": "unit", "count": [4, 2], "reason": ["class not chosen", "too noisy"]}
    )
    for left_out, expected in ((table, 4), (view.left_out, None)):
        found = align([dataclasses.replace(view, left_out=left_out)], CONFIG).selection
        counts = dict(zip(found["what"], found["count"], strict=True))
        assert counts.get("class not chosen") == expected


def test_the_same_epochs_in_another_order_are_laid_side_by_side():
    views = [
        view_of("a", ["AVA", "AVB", "AVE"], epochs=SALT),
        view_of("b", ["AVA", "AVB", "AVE"], epochs=SWAPPED),
    ]
    found = align(views, CONFIG)
    assert found.mode == "by_epoch"
    assert found.speed.shape[1] == 2
    assert found.epochs["label"].tolist() == ["odour", "salt"]
    first = found.epochs.iloc[0]
    at_start = np.argmin(np.abs(found.bin_time_s - first["start_s"]))
    np.testing.assert_allclose(found.source_time_s[at_start], [40.0, 12.0], atol=0.2)


def test_windows_never_reach_beyond_the_middle_between_epochs():
    views = [view_of(name, ["AVA", "AVB", "AVE"], epochs=SALT) for name in "ab"]
    found = align(views, settings(pre_s=15.0, post_s=15.0))
    used = found.source_time_s[:, 0]
    assert np.unique(used.round(6)).size == used.size
    # The gap between the epochs is 20 s, so 10 s on each side of 10 s of epoch, twice.
    assert found.bin_time_s.size == 2 * 30 * 3


def test_epochs_that_fill_the_recording_give_no_shared_clock():
    epochs = [(0.0, 79.0, "on_food")]
    views = [view_of(name, ["AVA", "AVB", "AVE"], epochs=epochs) for name in "ab"]
    assert align(views, CONFIG).mode == "concatenate"


def test_epochs_of_unequal_number_or_length_lead_to_concatenation():
    one = view_of("a", ["AVA", "AVB", "AVE"], epochs=SALT)
    fewer = view_of("b", ["AVA", "AVB", "AVE"], epochs=SALT[:1])
    longer = view_of("b", ["AVA", "AVB", "AVE"], epochs=[(10.0, 24.0, "salt"), SALT[1]])
    for other in (fewer, longer):
        found = align([one, other], CONFIG)
        assert found.mode == "concatenate"
        assert np.bincount(found.bin_recording).tolist() == [240, 240]
        with pytest.raises(NotApplicable, match="cannot be aligned by epoch"):
            align([one, other], settings(alignment="by_epoch"))


def test_pairs_that_never_occur_together_are_not_in_the_table():
    views = [
        view_of("a", ["AVA", "AVB", "AVE"]),
        view_of("b", ["AVB", "AVE", "RIM"]),
    ]
    found = align(views, CONFIG)
    pairs = {tuple(found.unit[pair]) for pair in found.pairs}
    assert ("AVA", "RIM") not in pairs
    assert len(pairs) == 5


def test_the_order_of_units_does_not_change_the_table():
    names = ["AVA", "AVB", "AVE", "RIM"]
    view = view_of("a", names)
    order = np.array([2, 0, 3, 1])
    mixed = dataclasses.replace(
        view,
        values=view.values[:, order],
        identity=view.identity[order],
        unit=view.unit[order],
    )
    one = affinity_table(align([view], CONFIG), CONFIG)
    other = affinity_table(align([mixed], CONFIG), CONFIG)
    np.testing.assert_array_equal(one.values, other.values)


def test_the_order_of_animals_changes_only_their_order_in_the_table():
    names = ["AVA", "AVB", "AVE", "RIM"]
    views = [view_of(name, names, epochs=SALT) for name in "abc"]
    one = affinity_table(align(views, CONFIG), CONFIG)
    other = affinity_table(align(views[::-1], CONFIG), CONFIG)
    np.testing.assert_allclose(one.values, other.values[:, ::-1], rtol=1e-6)


def test_block_means_are_means_of_affinities():
    view = view_of("a", ["AVA", "AVB", "AVE"])
    fine = affinity_table(align([view], settings(coarse_grain=1)), CONFIG)
    coarse = affinity_table(align([view], settings(coarse_grain=4)), settings(coarse_grain=4))
    np.testing.assert_allclose(
        coarse.values[:, 0], fine.values[:, 0].reshape(60, 4, 3).mean(axis=1), atol=1e-6
    )


def test_recordings_are_scaled_to_the_same_size():
    views = [view_of("a", ["AVA", "AVB", "AVE"]), view_of("b", ["AVA", "AVB", "AVE"], seed=3)]
    found = align(views, CONFIG)
    table = affinity_table(found, CONFIG)
    norms = [np.linalg.norm(table.values[found.bin_recording == index]) for index in range(2)]
    assert norms[0] == pytest.approx(norms[1], rel=1e-5)


def test_surrogates_keep_names_and_frames_and_change_the_affinities():
    view = view_of("a", ["AVA", "AVB", "AVE"])
    data, moved = align([view], CONFIG), align([view], CONFIG, shift_with=stream(0, "shift"))
    np.testing.assert_array_equal(data.pairs, moved.pairs)
    assert (affinity_table(data, CONFIG).values != affinity_table(moved, CONFIG).values).any()


@pytest.mark.parametrize(
    ("views", "changes", "reason"),
    [
        ([], {}, "No recording"),
        ([view_of("a", ["AVA", "AVB"])], {}, "^2 units are left, at least 3"),
        ([view_of("a", ["", "", ""]), view_of("b", ["", "", ""])], {}, "name unknown .*: 6"),
        ([view_of("a", ["AVA", "AVB", "AVE"], n_frames=12)], {}, "12 frames at 3 Hz.*least 21"),
        ([view_of("a", ["AVA", "AVA", "AVE"])], {}, "AVA more than once"),
        ([view_of("a", ["AVA", "AVB", "AVE"])], {"rank": 4}, "4 components .* 3 pairs"),
        ([view_of("a", ["AVA", "AVB", "AVE"])], {"min_snr": 100.0}, "not above noise: 3"),
        (
            [view_of("a", [f"N{index}" for index in range(100)], n_frames=600)],
            {"max_tensor_mb": 1, "coarse_grain": 1, "engine": "tensorly"},
            "would take 12 MB with 4950 pairs",
        ),
    ],
)
def test_data_that_cannot_serve_are_refused_with_numbers(views, changes, reason):
    config = settings(**changes)
    with pytest.raises(NotApplicable, match=reason):
        affinity_table(align(views, config), config)


def test_silent_units_are_refused_as_having_no_affinity():
    view = view_of("a", ["AVA", "AVB", "AVE"])
    silent = dataclasses.replace(view, values=np.ones_like(view.values))
    with pytest.raises(NotApplicable, match="No two of the 3 units are active"):
        affinity_table(align([silent], CONFIG), CONFIG)


def test_infinite_samples_are_told_with_their_place():
    view = view_of("a", ["AVA", "AVB", "AVE"])
    values = view.values.copy()
    values[30, 1] = np.inf
    with pytest.raises(NotApplicable, match=r"1 infinite samples, the first of unit roi1 at 10\.0"):
        align([dataclasses.replace(view, values=values)], CONFIG)


def test_absolute_alignment_starts_together_and_misses_what_is_beyond_the_shorter_end():
    names = ["AVA", "AVB", "AVE"]
    late = dataclasses.replace(view_of("b", names, n_frames=120), time=100 + np.arange(120) / 3)
    epoch = pd.DataFrame({"start_s": [110.0], "stop_s": [115.0], "label": ["salt"]})
    views = [view_of("a", names), dataclasses.replace(late, epochs=epoch)]
    config = settings(alignment="absolute", coarse_grain=1)
    found = align(views, config)
    assert found.mode == "absolute"
    assert found.speed.shape == (240, 2, 3)
    # Back to the times of each recording.
    np.testing.assert_allclose(found.source_time_s[:, 0], views[0].time)
    np.testing.assert_allclose(found.source_time_s[:120, 1], views[1].time)
    assert np.isnan(found.source_time_s[120:, 1]).all()
    assert found.observed[:120].all()
    assert not found.observed[120:, 1].any()
    alone = align([views[1]], settings(alignment="concatenate", coarse_grain=1))
    np.testing.assert_allclose(found.speed[:120, 1], alone.speed[:, 0], atol=1e-6)
    np.testing.assert_array_equal(found.sign[:120, 1], alone.sign[:, 0])
    assert found.epochs[["start_s", "stop_s", "recording"]].to_numpy().tolist() == [[10, 15, "b"]]
    problem = affinity_problem(found, config, threads=1)
    energy = problem.products.energy.reshape(240, 2)
    assert energy[:120].any()
    assert (energy[120:, 1] == 0).all()
    # What is missing has no weight: the second slot's Gram matrix knows 120 rows only.
    ones = np.ones((240, 1)), np.ones((2, 1)), np.ones((3, 1))
    grams = problem.observed.slot_grams(ones[0], problem.observed.pair_sums(ones[2]))
    assert grams[:, 0, 0].tolist() == [720, 360]
