"""Labels of halves of the data: planted groups come again, and no half knows of the other."""

from __future__ import annotations

import copy
import dataclasses
import functools
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.core.errors import NotApplicable
from pipeline.core.rng import stream
from pipeline.methods.biclustering.refits import refit as refit_clusters
from pipeline.methods.biclustering.simulate import simulate as simulated_counts
from pipeline.methods.celltypes import remembering
from pipeline.methods.celltypes.config import CelltypesConfig
from pipeline.methods.celltypes.refits import refit as refit_types
from pipeline.methods.celltypes.simulate import SIZES, cells, movie, spikes_a_frame
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.refits import refit as refit_communities
from pipeline.methods.connectome.simulate import simulate as simulated_traces
from pipeline.numerics.partitions import adjusted_rand_index
from pipeline.prepare.halves import within
from tests.methods.celltypes.test_trials import TUNING, settings, view
from tests.support.small_biclusters import config_of
from tests.support.small_stimuli import RATE_HZ, view_of

RNG = np.random.default_rng


def halves_at(views, middle):
    return [
        tuple(within(view, np.array(span)) for view in views)
        for span in ([-np.inf, middle], [middle, np.inf])
    ]


def codes(one):
    return np.unique(one.label, return_inverse=True)[1]


# --- types


def types_of(parts, n_types=3, seed=0, mode="discrete"):
    main = SimpleNamespace(mode=mode, n_types=n_types)
    return refit_types(parts, main, settings(), RNG(seed), threads=1)


@pytest.fixture(scope="module")
def trials():
    labels = np.repeat([0, 1, 2], 8)
    views = tuple(view(RNG(0), labels, tuning=TUNING, name=name) for name in ("r1", "r2"))
    return views, np.tile(labels, 2)


def test_planted_types_are_found_in_both_halves_of_two_recordings(trials):
    views, truth = trials
    for parts in halves_at(views, 40.0):
        assert all(0 < part.start_s.size < 41 for part in parts)
        (found,) = types_of(parts)
        assert adjusted_rand_index(codes(found), truth) == 1
        assert found.recording.tolist() == ["r1"] * 24 + ["r2"] * 24
        assert found.kind == "types"


def test_types_of_a_half_do_not_depend_on_the_other(trials):
    views, _ = trials
    changed = tuple(
        dataclasses.replace(
            one,
            responses=np.where(
                one.start_s[:, None] < 40, one.responses, RNG(5).random(one.responses.shape)
            ).astype(np.float32),
        )
        for one in views
    )
    before, after = (types_of(halves_at(of, 40.0)[0])[0] for of in (views, changed))
    np.testing.assert_array_equal(before.label, after.label)


def test_stimuli_of_one_half_are_refused_in_words(trials):
    views, _ = trials
    nothing = tuple(within(one, np.array([-np.inf, 0.5])) for one in views)
    with pytest.raises(NotApplicable, match="shown at all"):
        types_of(nothing)


# --- types through an encoding model

BLOCK, N_BLOCKS = 150, 20
"""Frames of a block, and blocks of a half: the last is a test that both halves show once."""


@pytest.fixture(scope="module")
def retina():
    """Cells of three types under a movie, the middle of it in seconds, and their types."""
    rng = RNG(0)
    plan = SIZES["tiny"]
    truth = cells(rng, plan.kinds, n_pixels=plan.n_pixels)
    n_half = BLOCK * N_BLOCKS
    shown = movie(rng, 2 * n_half, n_pixels=plan.n_pixels)
    content, again = np.arange(2 * n_half), np.full(2 * n_half, -1)
    tests = np.arange(n_half - BLOCK, n_half)
    shown[tests + n_half], content[tests + n_half] = shown[tests], content[tests]
    again[tests] = again[tests + n_half] = np.arange(BLOCK)
    roles = [*(["train", "train", "train", "validation"] * N_BLOCKS)[: N_BLOCKS - 1], "test"]
    stretches = [(at * BLOCK, (at + 1) * BLOCK, role) for at, role in enumerate(2 * roles)]
    view = view_of(
        shown.swapaxes(2, 3),
        rng.poisson(spikes_a_frame(shown, truth)),
        stretches,
        content=content,
        again=again,
    )
    return view, n_half / RATE_HZ - 0.5 / RATE_HZ, truth.type_of_unit


def modelled(views, *, network="ln", n_types=3, checkpoint=None, resume=None, **changed):
    """Types of a part through a model; its fit is short, as what is learned is simple."""
    main = SimpleNamespace(mode="model", n_types=n_types, model=SimpleNamespace(network=network))
    config = CelltypesConfig.model_validate(
        {"encoding": {"max_epochs": 12}, "ascent": {"compare_steps": 30}, **changed}
    )
    (found,) = refit_types(
        views, main, config, RNG(1), threads=1, checkpoint=checkpoint, resume=resume
    )
    return found


@pytest.fixture(scope="module")
def types_of_halves(retina):
    view, middle, _ = retina
    return [modelled(parts) for parts in halves_at((view,), middle)]


def test_planted_types_are_found_through_a_model_of_each_half(retina, types_of_halves):
    view, _, planted = retina
    place = {name: at for at, name in enumerate(view.unit.tolist())}
    for found in types_of_halves:
        assert found.unit.size >= 22
        truth = planted[[place[name] for name in found.unit.tolist()]]
        assert adjusted_rand_index(codes(found), truth) > 0.9
        assert found.kind == "types"
        assert found.item[0] == f"r1:{found.unit[0]}"


def test_recordings_are_pooled_in_one_model_as_in_the_main_fit(retina):
    view, middle, planted = retina
    cells_of = {"r1": np.arange(12), "r2": np.arange(12, 24)}
    views = tuple(
        dataclasses.replace(
            view,
            recording=name,
            unit=view.unit[chosen],
            label=view.label[chosen],
            position=view.position[chosen],
            responses=view.responses[:, chosen],
            valid=view.valid[:, chosen],
        )
        for name, chosen in cells_of.items()
    )
    found = modelled(halves_at(views, middle)[1])
    place = {name: at for at, name in enumerate(view.unit.tolist())}
    at = np.array([place[name] for name in found.unit.tolist()])
    np.testing.assert_array_equal(found.recording, np.where(at < 12, "r1", "r2"))
    assert at.size >= 22
    assert adjusted_rand_index(codes(found), planted[at]) > 0.9


def test_types_through_a_model_of_a_half_do_not_depend_on_the_other(retina, types_of_halves):
    view, middle, _ = retina
    late = view.time[:, None] >= middle
    others = RNG(5).poisson(2, view.responses.shape)
    changed = dataclasses.replace(
        view, responses=np.where(late, others, view.responses).astype(np.float32)
    )
    found = modelled(halves_at((changed,), middle)[0])
    np.testing.assert_array_equal(found.label, types_of_halves[0].label)
    np.testing.assert_array_equal(found.unit, types_of_halves[0].unit)


def test_why_no_types_are_sought_through_a_model_is_told_in_words(retina):
    view, _, _ = retina

    def until(n_frames):
        return (within(view, np.array([-np.inf, n_frames / RATE_HZ])),)

    with pytest.raises(NotApplicable, match="no stimulus frames"):
        modelled(until(0.5))
    with pytest.raises(NotApplicable, match="to choose by"):
        modelled(until(2 * BLOCK))
    with pytest.raises(NotApplicable, match="supplied"):
        modelled((view,), network="supplied")
    with pytest.raises(NotApplicable, match="two types"):
        modelled((view,), n_types=1)
    silent = dataclasses.replace(view, responses=np.zeros_like(view.responses))
    with pytest.raises(NotApplicable, match="is needed"):
        modelled((within(silent, np.array([0, 4 * BLOCK / RATE_HZ])),))


# --- communities


@pytest.fixture(scope="module")
def worms():
    return simulated_traces(stream(3, "sim"), size="tiny")


def communities_of(parts, rank=4, **resuming):
    config = ConnectomeConfig(
        rank=rank, n_starts=2, n_partitions=10, max_iterations=100, communities="leiden"
    )
    return refit_communities(
        parts, SimpleNamespace(rank=rank), config, stream(0, "refit"), threads=1, **resuming
    )


def test_planted_groups_are_communities_of_both_halves(worms):
    views, truth = worms
    middle = float(np.median(views[0].time))
    planted = {str(name): at for at, name in enumerate(truth.unit)}
    for parts in halves_at(views, middle):
        found = communities_of(parts)
        assert found
        overlaps = []
        for group in truth.member:
            members = {name for name, at in planted.items() if group[at]}
            best = max(
                len(members & own) / len(members | own)
                for one in found
                for own in (set(one.item[one.label == label]) for label in np.unique(one.label))
            )
            overlaps.append(best)
        assert np.mean(overlaps) > 0.6


def test_communities_of_a_half_do_not_depend_on_the_other(worms):
    views, _ = worms
    middle = float(np.median(views[0].time))
    changed = tuple(
        dataclasses.replace(
            one, values=np.where(one.time[:, None] < middle, one.values, 0).astype(np.float32)
        )
        for one in views
    )
    before, after = (communities_of(halves_at(of, middle)[0], rank=2) for of in (views, changed))
    assert len(before) == len(after)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one.label, other.label)
        np.testing.assert_array_equal(one.unit, other.unit)


# --- clusters


def clusters_of(parts, *, checkpoint=None, resume=None, **chosen):
    config = config_of(**{"n_tune": 100, "n_draws": 60, **chosen})
    rng = stream(1, "refit")
    return refit_clusters(parts, None, config, rng, threads=1, checkpoint=checkpoint, resume=resume)


@pytest.mark.slow
def test_planted_clusters_are_found_in_both_halves():
    seen, truth = simulated_counts(stream(2, "refits"), size="demo")
    seen = within(seen, np.array([0.0, 240.0]))
    for parts in halves_at((seen,), 120.0):
        (found,) = clusters_of(parts, n_tune=60, n_draws=40)
        assert adjusted_rand_index(codes(found), truth.cluster_of_unit) > 0.8
        assert found.kind == "clusters"


def test_clusters_of_a_half_do_not_depend_on_the_other():
    seen, _ = simulated_counts(stream(3, "refits"), size="tiny")
    seen = within(seen, np.array([45.0, 75.0]))
    late = seen.time_s >= 60
    counts = np.where(late[:, None], 1, seen.counts).astype(np.int32)
    changed = dataclasses.replace(seen, counts=counts)
    before, after = (
        clusters_of(halves_at((of,), 60.0)[0], n_tune=4, n_draws=4)[0] for of in (seen, changed)
    )
    np.testing.assert_array_equal(before.label, after.label)
    np.testing.assert_array_equal(before.probability, after.probability)


# --- halves that were interrupted


class Interrupted(BaseException):
    """What ends a process in the middle."""


def went_on(refit, at):
    """Labels of a refit, those of one that was interrupted and went on, and checkpoints of each."""
    in_peace, resumed = [], []

    def interrupting(state):
        in_peace.append(None)
        if len(in_peace) == at:
            raise Interrupted(copy.deepcopy(state))

    with pytest.raises(Interrupted) as ended:
        refit(checkpoint=interrupting, resume=None)
    in_peace.clear()
    whole = refit(checkpoint=in_peace.append, resume=None)
    again = refit(checkpoint=resumed.append, resume=ended.value.args[0])
    return whole, again, len(in_peace), len(resumed)


def assert_same_labels(some, others):
    assert len(some) == len(others)
    for one, other in zip(some, others, strict=True):
        np.testing.assert_array_equal(one.label, other.label)
        np.testing.assert_array_equal(one.unit, other.unit)
        np.testing.assert_array_equal(one.probability, other.probability)


def test_communities_of_a_half_go_on_where_they_were_interrupted(worms):
    views, _ = worms
    (part, _) = halves_at(views, float(np.median(views[0].time)))
    whole, again, n_whole, n_again = went_on(functools.partial(communities_of, part), 17)
    assert_same_labels(whole, again)
    assert n_again == n_whole - 17 > 0


def test_clusters_of_a_half_go_on_where_they_were_interrupted():
    seen, _ = simulated_counts(stream(3, "refits"), size="tiny")
    part = (within(seen, np.array([45.0, 60.0])),)
    refit = functools.partial(clusters_of, part, n_tune=4, n_draws=4)
    whole, again, n_whole, n_again = went_on(refit, 5)
    assert_same_labels(whole, again)
    assert n_again == n_whole - 5 > 8  # in the midst of the search for a start


@pytest.mark.parametrize("at", [7, 14])  # an epoch, an ascent
def test_types_of_a_half_go_on_in_their_model_or_their_clustering(retina, at, monkeypatch):
    monkeypatch.setattr(remembering, "SECONDS_BETWEEN", 0.0)
    view, middle, _ = retina
    refit = functools.partial(modelled, halves_at((view,), middle)[0])
    whole, again, n_whole, n_again = went_on(refit, at)
    assert_same_labels((whole,), (again,))
    assert n_again == n_whole - at > 0
