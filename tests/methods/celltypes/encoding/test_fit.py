"""Fits: what is tried and kept, several recordings, traces, images, and who is left out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.core.errors import NotApplicable
from pipeline.core.rng import stream
from pipeline.io.records import read_record, write_record
from pipeline.methods.celltypes.encoding.config import EncodingConfig, UnitFilterConfig
from pipeline.methods.celltypes.encoding.fit import EncodingFit, fit_encoding
from tests.support.small_stimuli import drive_of, planted_filters, planted_view, view_of

MEMORY = 6
SMALL = {
    "memory_s": MEMORY / 30.0,
    "n_features": 4,
    "max_epochs": 4,
    "window_frames": 2,
    "members": 1,
}


def fit(views, *, seed=0, **settings) -> EncodingFit:
    return fit_encoding(views, EncodingConfig(**{**SMALL, **settings}), stream(seed, "fit"), "cpu")


def energy_view(n_units=12, *, n_frames=6000, grid=(9, 9), name="r1"):
    """Units that answer to contrast of either sign, which no linear filter can follow."""
    rng = stream(0, "energy", name)
    stimulus = rng.standard_normal((n_frames, 1, *grid))
    space, time, _ = planted_filters(rng, n_units, grid=grid, memory=MEMORY)
    rate = 0.5 * np.abs(drive_of(stimulus, space, time))
    cuts = [0, 8 * n_frames // 10, 9 * n_frames // 10, n_frames]
    roles = ("train", "validation", "test")
    stretches = list(zip(cuts[:-1], cuts[1:], roles, strict=True))
    content = rng.integers(0, 2**62, n_frames)
    return view_of(stimulus, rng.poisson(rate), stretches, name=name, content=content)


@pytest.fixture(scope="module")
def linear():
    return planted_view(stream(1, "linear"), n_frames=3000, memory=MEMORY)[0]


def test_a_network_that_is_not_better_gives_way_to_ln(linear):
    found = fit([linear], network="cnn_small")
    assert (found.network, found.tried) == ("ln", "cnn_small")
    assert "ln was kept because cnn_small is not better by 0.01" in found.reason
    assert found.model.design.network == "ln"
    assert set(found.history["network"]) == {"ln", "cnn_small"}
    np.testing.assert_array_equal(
        found.units["validation_correlation"], found.units["validation_correlation_ln"]
    )


def test_a_network_is_kept_where_units_are_not_linear():
    found = fit([energy_view()], network="cnn_small", n_features=8, max_epochs=15)
    assert found.network == "cnn_small"
    assert "it predicts better than ln" in found.reason
    gain = found.units["validation_correlation"] - found.units["validation_correlation_ln"]
    assert gain.mean() > 0.1
    stages = found.history.query("network == 'cnn_small'")
    assert stages["epoch"].tolist() == list(range(len(stages)))
    assert stages["correlation"].max() > 0.2


def test_one_kind_that_is_told_is_fitted_alone(linear):
    for kind in ("cnn_small", "ln"):
        found = fit_encoding([linear], EncodingConfig(**SMALL), stream(0, "fit"), "cpu", kind=kind)
        assert (found.network, set(found.history["network"])) == (kind, {kind})
        assert found.units["validation_correlation_ln"].isna().all() == (kind != "ln")


def test_few_units_or_little_to_learn_from_get_ln_unasked(linear):
    few = fit([linear])
    assert few.tried == "ln"
    assert "there are 6 units, and a network needs 30" in few.reason
    short = planted_view(stream(2, "short"), 31, n_frames=900, memory=MEMORY)[0]
    brief = fit([short], max_epochs=1)
    assert "there are 24 s to learn from, and a network needs 180" in brief.reason


def test_a_mean_of_networks_answers_as_their_mean(tmp_path):
    import torch

    found = fit(
        [energy_view(4)],
        network="cnn_small",
        members=2,
        least_gain=0.0,
        n_features=8,
        max_epochs=8,
    )
    assert found.network == "cnn_small"
    assert len(found.model.members) == 2
    assert set(found.history.query("network == 'cnn_small'")["member"]) == {0, 1}
    shown = torch.randn(
        3, 1, found.model.shortest, 9, 9, generator=torch.Generator().manual_seed(0)
    )
    alone = [
        dataclasses.replace(found.model, members=(member,)).responses(shown)
        for member in found.model.members
    ]
    torch.testing.assert_close(found.model.responses(shown), (alone[0] + alone[1]) / 2)
    write_record(tmp_path / "fit.h5", found)
    again = read_record(tmp_path / "fit.h5", EncodingFit)
    assert torch.equal(again.model.responses(shown), found.model.responses(shown))


def test_recordings_share_a_network_and_keep_their_units():
    views = [energy_view(5, name="a"), energy_view(7, name="b")]
    found = fit(views, network="cnn_small", n_features=8, max_epochs=10)
    assert found.network == "cnn_small"
    assert found.units["recording"].tolist() == ["a"] * 5 + ["b"] * 7
    assert found.units["unit"].tolist() == [f"u{i}" for i in range(5)] + [f"u{i}" for i in range(7)]
    assert found.model.recording.tolist() == found.units["recording"].tolist()
    assert found.n_train == 9600
    by_recording = found.units.groupby("recording")["test_correlation"].mean()
    assert by_recording.min() > 0.15


def test_units_of_one_recording_do_not_feel_another_under_ln():
    views = [
        energy_view(5, name="a"),
        planted_view(stream(3, "b"), 6, n_frames=3000, grid=(9, 9), memory=MEMORY)[0],
    ]
    alone, both = fit(views[1:], network="ln"), fit(views, network="ln")
    np.testing.assert_allclose(
        both.units["validation_correlation"].to_numpy()[5:],
        alone.units["validation_correlation"].to_numpy(),
        atol=0.03,
    )


def test_traces_that_decay_are_followed_by_rates_that_do_not():
    rng = stream(4, "calcium")
    n_frames, decay = 6000, 0.2
    stimulus = rng.standard_normal((n_frames, 1, 9, 8))
    space, time, _ = planted_filters(rng, 5, grid=(9, 8), memory=MEMORY)
    rate = np.logaddexp(0, 2.0 * drive_of(stimulus, space, time))
    trace = np.zeros_like(rate)
    for frame in range(1, n_frames):
        trace[frame] = np.exp(-1 / (decay * 30)) * trace[frame - 1] + rate[frame]
    trace = 3.0 + 0.2 * trace + 0.2 * rng.standard_normal(trace.shape)
    cuts = [(0, 4800, "train"), (4800, 5400, "validation"), (5400, 6000, "test")]
    view = view_of(stimulus, trace, cuts, signal="dff")
    found = fit([view], network="ln", decay_s=decay, max_epochs=25)
    plain = fit([view], network="ln", max_epochs=25)
    assert found.model.design.output == "rate_with_offset"
    assert found.units["test_correlation"].mean() > 0.8

    def against_rates(each):
        shown = each.model.scale.scaled(view.stimulus)
        predicted = each.model.traces(shown, centred=False)
        return [np.corrcoef(predicted[:, u], rate[MEMORY - 1 :, u])[0, 1] for u in range(5)]

    assert np.min(against_rates(found)) > 0.85
    assert np.mean(against_rates(found)) > np.mean(against_rates(plain)) + 0.05
    assert found.units["rate_hz"].isna().all()


def test_single_images_are_answered_without_time():
    rng = stream(5, "images")
    stimulus = rng.standard_normal((3000, 1, 12, 12))
    y, x = np.mgrid[:12, :12]
    spots = np.stack([np.exp(-((y - r) ** 2 + (x - c) ** 2) / 4) for r, c in [(4, 5), (7, 6)] * 16])
    drive = np.einsum("tyx,nyx->tn", stimulus[:, 0], spots)
    cuts = [(0, 2400, "train"), (2400, 2700, "validation"), (2700, 3000, "test")]
    content = rng.integers(0, 2**62, 3000)
    view = view_of(stimulus, rng.poisson(np.abs(drive)), cuts, presentations=True, content=content)
    found = fit([view], max_epochs=8, n_features=8)
    assert found.tried == "cnn_image"
    assert found.network == "cnn_image"
    assert found.model.shortest == found.model.design.memory == 1
    assert found.model.design.readout == "point"
    assert found.units["test_correlation"].min() > 0.2
    where = found.units[["field_y", "field_x"]].to_numpy()
    np.testing.assert_allclose(where, [(4, 5), (7, 6)] * 16, atol=1.0)


@pytest.mark.parametrize("loss", ["squares", "correlation"])
def test_other_losses_learn_too(linear, loss):
    found = fit([linear], network="ln", loss=loss, max_epochs=3)
    assert found.units["validation_correlation"].mean() > 0.3


def test_units_that_cannot_be_typed_have_their_reason():
    view, _ = planted_view(stream(6, "filter"), 5, n_frames=3000, memory=MEMORY)
    responses, valid = view.responses, view.valid
    responses[:, 0] = 0
    valid[:1800, 1] = False
    responses[:, 2] = 0
    responses[[10, 2500, 2750], 2] = 1
    responses[:, 3] = stream(6, "noise").permutation(responses[:, 3])
    found = fit([view], network="ln", filter=UnitFilterConfig(min_rate_hz=0.1))
    assert found.units["reason"].tolist() == [
        "silent or constant",
        "observed in too few frames",
        "fires too rarely",
        "not predicted",
        "",
    ]
    assert found.units["used"].tolist() == [False] * 4 + [True]
    assert np.isfinite(found.mean).all()
    assert np.isfinite(found.sd).all()


def test_correlation_is_asked_relative_to_the_ceiling_where_there_is_one():
    rng = stream(7, "repeats")
    once, again = rng.standard_normal((4000, 1, 9, 8)), rng.standard_normal((300, 1, 9, 8))
    stimulus = np.concatenate([once, *[again] * 8])
    space, time, _ = planted_filters(rng, 4, grid=(9, 8), memory=MEMORY)
    rate = 0.05 * np.logaddexp(0, 3 * drive_of(stimulus, space, time))
    cuts = [(0, 3500, "train"), (3500, 4000, "validation"), (4000, 6400, "test")]
    classes = np.full(6400, -1)
    for showing in range(8):
        start = 4000 + 300 * showing
        classes[start + MEMORY : start + 300] = np.arange(MEMORY, 300)
    view = view_of(stimulus, rng.poisson(rate), cuts, again=classes)
    bar = 0.4
    found = fit([view], network="ln", filter=UnitFilterConfig(min_correlation=bar))
    units = found.units
    assert units["validation_correlation"].max() < bar
    assert (units["validation_correlation"] / units["single_ceiling"]).min() > bar
    assert units["used"].all()
    assert (units["normalised_correlation"] > units["mean_correlation"]).all()
    assert units["normalised_correlation"].between(0.6, 1.1).all()


def test_nothing_to_learn_from_is_told(linear):
    only = view_of(linear.stimulus, linear.responses, [(0, 3000, "test")])
    with pytest.raises(NotApplicable, match="no frames to learn from"):
        fit([only])
    brief = [(first, first + 4, "train") for first in range(0, 400, 10)]
    pieces = view_of(linear.stimulus, linear.responses, [*brief, (500, 600, "validation")])
    with pytest.raises(NotApplicable, match="as long as the 6 frames of memory"):
        fit([pieces])


def test_a_graphics_card_that_is_asked_for_and_not_there_is_told(linear, monkeypatch):
    import torch

    from pipeline.core.errors import EnvironmentFault
    from pipeline.numerics.device import device_of

    def found(asked):
        return device_of(asked, setting="methods.celltypes.device")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert [found(asked) for asked in ("auto", "cpu")] == ["cpu"] * 2
    with pytest.raises(EnvironmentFault, match="RN-R18") as told:
        fit_encoding([linear], EncodingConfig(), np.random.default_rng(0), device="cuda")
    assert "methods.celltypes.device" in str(told.value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [found(asked) for asked in ("auto", "cpu", "cuda")] == ["cuda", "cpu", "cuda"]


def test_a_movie_read_clip_by_clip_gives_the_same_fit(linear, monkeypatch):
    held = fit([linear], network="ln")
    monkeypatch.setattr("pipeline.methods.celltypes.encoding.clips.HELD_BYTES", 0)
    source = Read(linear.stimulus)
    streamed = fit([dataclasses.replace(linear, stimulus=source)], network="ln")
    assert source.most <= 2000
    for name, values in held.model.members[0].arrays.items():
        np.testing.assert_array_equal(values, streamed.model.members[0].arrays[name])


class Read:
    """A source that remembers how much was read at once."""

    def __init__(self, values):
        self.values, self.shape, self.dtype, self.most = values, values.shape, values.dtype, 0

    def __getitem__(self, key):
        found = self.values[key]
        self.most = max(self.most, len(found))
        return found
