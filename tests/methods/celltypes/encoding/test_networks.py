"""Networks against formulas by hand, finite differences, and what moving units must not change."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from pipeline.methods.celltypes.encoding.design import Design, Layer, layers_of, memory_frames
from pipeline.methods.celltypes.encoding.networks import build, with_noise
from pipeline.methods.celltypes.encoding.readouts import shifted

GRID = (12, 10)
READOUTS = ("gaussian", "factorised", "point")
NETWORKS = ("ln", "cnn_small", "cnn_factorised", "cnn_image")


def design(network, *, readout="gaussian", memory=6, grid=GRID, n_units=4, rank=1) -> Design:
    memory = 1 if network == "cnn_image" else memory
    return Design(
        network=network,
        n_units=n_units,
        n_channels=2,
        grid=grid,
        memory=memory,
        output="rate",
        rank=rank,
        n_features=3,
        readout=readout,
        layers=layers_of(network, memory=memory, grid=grid),
        mixed=network == "cnn_small",
    )


def network_of(*args, seed=0, **kwargs):
    """A network with weights large enough for its answers to differ, in double precision."""
    network = build(design(*args, **kwargs), torch.Generator().manual_seed(seed))
    with torch.no_grad():
        if hasattr(network, "readout"):
            network.readout.weight.mul_(20)
    return network.double().eval()


def movie(n_frames, *, batch=2, grid=GRID, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, n_frames, 2, *grid, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("network", NETWORKS)
def test_the_first_frames_of_memory_are_not_answered(network):
    found = network_of(network)(movie(9))
    assert found.shape == (2, 9 if network == "cnn_image" else 4, 4)
    assert (found > 0).all()


@pytest.mark.parametrize("network", NETWORKS)
def test_an_answer_depends_on_its_memory_and_on_nothing_else(network):
    model = network_of(network)
    memory = model.design.memory
    shown = movie(memory + 8)
    before = model(shown)
    changed = shown.clone()
    changed[:, 5] += 1.0
    moved = (model(changed) - before).abs().amax((0, 2)) > 1e-12
    answered = torch.arange(memory - 1, memory + 8)
    assert moved.tolist() == [5 <= t <= 5 + memory - 1 for t in answered.tolist()]


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("network", NETWORKS)
def test_gradients_are_those_of_finite_differences(network, readout):
    model = network_of(network, readout=readout, memory=3, grid=(6, 6))
    model.requires_grad_(False)
    shown = movie(model.design.memory + 1, batch=1, grid=(6, 6)).requires_grad_()
    assert torch.autograd.gradcheck(model, (shown,), atol=1e-6)


def test_a_linear_filter_is_the_sum_by_hand():
    model = network_of("ln", rank=2)
    shown = movie(7, batch=1)
    space, time = (each.detach().numpy() for each in (model.space, model.time))
    for frame, unit in ((0, 0), (1, 3)):
        total = sum(
            time[unit, r, lag] * (space[unit, r] * shown[0, frame + 5 - lag].numpy()).sum()
            for r in range(2)
            for lag in range(6)
        )
        expected = np.log1p(np.exp(total))
        assert model(shown)[0, frame, unit].item() == pytest.approx(expected, rel=1e-10)


def test_features_in_time_are_those_of_a_convolution():
    layer = network_of("cnn_small").layers[0]
    features = torch.randn(2, 3, 11, 5, generator=torch.Generator().manual_seed(3)).double()
    found = layer._in_time(features)
    expected = torch.nn.functional.conv2d(features, layer.time.flip(1)[:, None, :, None], groups=3)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("readout", ["gaussian", "factorised"])
def test_masks_of_spots_sum_to_one_at_the_start_and_are_where_they_are_told(readout):
    model = network_of("cnn_factorised", readout=readout)
    centre = torch.tensor([[3.0, 4.0], [6.0, 2.0], [5.5, 5.5], [8.0, 7.0]]).double()
    model.readout.start_at(centre)
    mask = model.readout.mask(slice(None))
    torch.testing.assert_close(mask.sum(1), torch.ones(4).double())
    # A spot that reaches over the border is cut there.
    assert (model.readout.where()[0] - centre).abs().max() < 0.6


def test_a_point_between_places_is_read_in_proportion():
    model = network_of("cnn_factorised", readout="point")
    model.readout.start_at(torch.tensor([[3.0, 4.0], [3.25, 4.0], [3.0, 4.5], [3.5, 4.5]]).double())
    mask = model.readout.mask(slice(None)).view(4, *GRID)
    assert mask[0, 3, 4] == 1
    assert mask[1, 3, 4] == 0.75
    assert mask[1, 4, 4] == 0.25
    assert mask[2, 3, 4] == mask[2, 3, 5] == 0.5
    assert mask[3, 3:5, 4:6].tolist() == [[0.25, 0.25], [0.25, 0.25]]
    torch.testing.assert_close(mask.sum((1, 2)), torch.ones(4).double())


def test_a_point_is_uncertain_only_while_it_is_learned():
    model = network_of("cnn_factorised", readout="point")
    shown = movie(8)
    steady = model(shown)
    model.train()
    assert torch.equal(model.readout.mask(slice(None)), model.readout.mask(slice(None)))
    with_noise(model, torch.Generator().manual_seed(0))
    assert not torch.equal(model.readout.mask(slice(None)), model.readout.mask(slice(None)))
    model.eval()
    torch.testing.assert_close(model(shown), steady)


def test_maps_are_moved_by_whole_places_exactly_and_between_them_in_proportion():
    maps = torch.randn(3, 2, 6, 5, generator=torch.Generator().manual_seed(4)).double()
    shift = torch.tensor([[0.0, 0.0], [2.0, -1.0], [0.5, 0.0]]).double()
    found = shifted(maps, shift)
    torch.testing.assert_close(found[0], maps[0])
    torch.testing.assert_close(found[1, :, 2:, :-1], maps[1, :, :-2, 1:])
    assert (found[1, :, :2] == 0).all()
    assert (found[1, :, :, -1] == 0).all()
    torch.testing.assert_close(found[2, :, 1:], (maps[2, :, 1:] + maps[2, :, :-1]) / 2)


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("network", ["cnn_small", "cnn_factorised", "cnn_image"])
def test_centred_units_that_differ_in_place_alone_answer_alike(network, readout):
    # Odd sides: the middle is a place of the features, and whole shifts reach it.
    grid = (25, 25)
    model = network_of(network, readout=readout, grid=grid)
    with torch.no_grad():
        for parameter in (model.readout.weight, model.readout.bias):
            parameter.copy_(parameter[:1].expand_as(parameter))
    stride = model.design.stride
    away = torch.tensor([[0, 0], [1, -1], [-2, 1], [1, 2]]).double() * stride
    model.readout.start_at(12.0 + away)
    shown = movie(model.design.memory + 2, grid=grid)
    apart, together = model(shown), model.centred()(shown)
    assert (apart - apart[..., :1]).abs().max() > 1e-3
    spread = (together - together[..., :1]).abs().max()
    # A free map loses what is moved over the border.
    allowed = 0.1 * (apart - apart[..., :1]).abs().max() if readout == "factorised" else 1e-10
    assert spread < allowed
    middle, _ = model.centred().where()
    assert (middle - 12).abs().max() < 0.2


def test_centred_filters_that_differ_in_place_alone_answer_alike():
    model = network_of("ln", grid=(17, 17))
    y, x = torch.meshgrid(torch.arange(17.0), torch.arange(17.0), indexing="ij")
    with torch.no_grad():
        for unit, (row, column) in enumerate([(8, 8), (6, 9), (10, 7), (7, 11)]):
            spot = torch.exp(-((y - row) ** 2 + (x - column) ** 2) / 4)
            model.space[unit] = torch.where(spot > 1e-3, spot, 0.0)
        model.time.copy_(model.time[:1].expand_as(model.time))
    together = model.centred()(movie(9, grid=(17, 17)))
    torch.testing.assert_close(
        together, together[..., :1].expand_as(together), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("network", ["cnn_small", "cnn_factorised", "cnn_image"])
def test_a_unit_moved_with_its_stimulus_answers_as_before(network):
    grid = (25, 25)
    model = network_of(network, grid=grid, memory=4)
    stride = model.design.stride
    model.readout.start_at(torch.full((4, 2), 12.0).double())
    with torch.no_grad():
        model.readout.log_width.fill_(-0.5)
    shown = torch.zeros(1, model.design.memory, 2, *grid).double()
    patch = movie(model.design.memory, batch=1, grid=(9, 9))
    shown[..., 8:17, 8:17] = patch
    before = model(shown)
    moved = torch.zeros_like(shown)
    moved[..., 8 + stride : 17 + stride, 8 - stride : 17 - stride] = patch
    model.readout.start_at(torch.tensor([12.0 + stride, 12.0 - stride]).double().expand(4, 2))
    torch.testing.assert_close(model(moved), before, rtol=1e-6, atol=1e-8)


def test_some_of_the_units_are_answered_for_alone():
    for network in NETWORKS:
        model = network_of(network)
        shown = movie(8)
        torch.testing.assert_close(model(shown, slice(1, 3)), model(shown)[..., 1:3])


def test_kernels_are_no_larger_than_frames_and_memory_adds_up():
    for network in ("cnn_small", "cnn_factorised"):
        for memory in (2, 3, 15, 31):
            layers = layers_of(network, memory=memory, grid=(6, 9))
            assert sum(layer.frames - 1 for layer in layers) == memory - 1
            assert all(layer.kernel % 2 and layer.kernel <= 6 for layer in layers)
    assert memory_frames("cnn_small", memory_s=None, rate_hz=30.0) == 15
    published = layers_of("cnn_factorised", memory=31, grid=(18, 16))
    assert [layer.kernel for layer in published] == [11, 5]
    assert [layer.frames for layer in published] == [21, 11]
    assert memory_frames("cnn_image", memory_s=0.5, rate_hz=4.0) == 1


def test_the_same_start_gives_the_same_weights_whatever_else_was_drawn():
    torch.manual_seed(1)
    one = build(design("cnn_small"), torch.Generator().manual_seed(7)).state_dict()
    torch.manual_seed(2)
    other = build(design("cnn_small"), torch.Generator().manual_seed(7)).state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_design_is_a_record_that_compares():
    assert design("cnn_small") == design("cnn_small")
    assert dataclasses.replace(design("cnn_small"), n_units=5) != design("cnn_small")
    assert isinstance(design("cnn_small").layers[0], Layer)
