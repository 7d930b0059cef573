"""Models and clusterings that were interrupted anywhere go on to the same bytes, with less work."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.core.method import Part
from pipeline.core.provenance import Provenance
from pipeline.core.rng import stream
from pipeline.io.records import read_record, write_record
from pipeline.methods.celltypes import remembering
from pipeline.methods.celltypes.algorithm import Checkpoint, fit_part
from pipeline.methods.celltypes.config import CelltypesConfig
from pipeline.methods.celltypes.model import find_types
from pipeline.methods.celltypes.remembering import Remembered, RememberingClimber
from tests.support.planted_units import planted_filters, population_of
from tests.support.small_stimuli import planted_view

RNG = np.random.default_rng
CONFIG = CelltypesConfig.model_validate(
    {"ascent": {"steps": 6, "compare_steps": 15, "polish_steps": 20}, "split": {"null_from": 20}}
)


class Interrupted(BaseException):
    """What ends a process in the middle."""


@dataclasses.dataclass
class Counting:
    """A climber that counts its ascents, and draws in each as if a stimulus had no slope."""

    climber: object
    n: int = 0

    def responses(self, stimuli):
        return self.climber.responses(stimuli)

    def project(self, stimuli):
        return self.climber.project(stimuli)

    def climb(self, *given):
        self.n += 1
        given[3].standard_normal(3)
        return self.climber.climb(*given)


def types(checkpoint=lambda _: None, resume=None):
    """Types of planted units from four clusters at the start, and how many ascents were made."""
    filters, _ = planted_filters(RNG(4), [24, 24, 24], spread=0.6)
    who = population_of(filters)
    counting = Counting(who.engine)
    who = dataclasses.replace(who, engine=RememberingClimber(counting, checkpoint, resume))
    strata = np.zeros(len(who.points), dtype=np.int64)
    found = find_types(who, CONFIG, n_start=4, strata=strata, rng=RNG(5))
    return found, counting.n


def assert_same(one, other):
    for name in ("stimuli", "responses", "labels"):
        first, second = (getattr(each.clustering, name) for each in (one, other))
        assert first.dtype == second.dtype
        assert first.tobytes() == second.tobytes()
    assert one.pair_fraction.tobytes() == other.pair_fraction.tobytes()
    assert one.objective.tobytes() == other.objective.tobytes()
    assert one.events.equals(other.events)
    assert one.history.equals(other.history)
    assert one.flags == other.flags


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(remembering, "SECONDS_BETWEEN", 0.0)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_it_goes_on_from_anywhere_to_the_same_bytes(share, tmp_path):
    whole, n_whole = types()
    at = max(1, round(share * n_whole))
    kept = []

    def interrupting(state):
        kept.append(state)
        if len(kept) == at:
            raise Interrupted

    with pytest.raises(Interrupted):
        types(interrupting)
    write_record(tmp_path / "left.h5", kept[-1])
    left = read_record(tmp_path / "left.h5", Remembered)
    again, n_again = types(resume=left)
    assert n_again == n_whole - at
    assert_same(again, whole)


def test_what_is_too_much_to_remember_is_made_anew(monkeypatch):
    whole, n_whole = types()
    monkeypatch.setattr(remembering, "MOST_BYTES", 10_000)
    kept = []
    types(kept.append)
    assert 0 < kept[-1].n_stimuli.size < n_whole
    again, n_again = types(resume=kept[-1])
    assert n_again == n_whole - kept[-1].n_stimuli.size
    assert_same(again, whole)


def test_an_interrupted_clustering_that_went_on_can_be_interrupted_again():
    whole, n_whole = types()
    kept = []
    types(kept.append)
    first = kept[2]
    later = []
    types(later.append, resume=first)
    assert later[0].n_stimuli.size == 4  # what was handed on, and one more
    again, _ = types(resume=later[3])
    assert_same(again, whole)
    assert n_whole > 7


def model(checkpoint=None, resume=None):
    """A linear model and two networks, and how many epochs were made."""
    views = planted_view(stream(1, "linear"), n_frames=600, memory=4)[:1]
    encoding = {
        "network": "cnn_factorised",
        "members": 2,
        "readout": "point",  # is random while it learns
        "n_features": 4,
        "memory_s": 4 / views[0].rate_hz,
        "max_epochs": 4,
        "patience": 1,
    }
    epochs = []
    part = fit_part(
        views,
        CelltypesConfig.model_validate({"encoding": encoding}),
        Part("model-0"),
        RNG(0),
        lambda *told: epochs.append(told),
        provenance=Provenance(stage="test", experiment="test", package_version="", code_digest=""),
        checkpoint=checkpoint,
        resume=resume,
    )
    return part, len(epochs)


@pytest.fixture(scope="module")
def whole_model(tmp_path_factory):
    part, n_epochs = model()
    path = tmp_path_factory.mktemp("model") / "whole.h5"
    write_record(path, part)
    return path.read_bytes(), n_epochs


@pytest.mark.parametrize("at", [1, 3, 7])
def test_a_model_goes_on_from_any_epoch_of_any_network(at, whole_model, tmp_path):
    seen = []

    def interrupting(left):
        seen.append([len(one.history) - 1 for one in left.trainings])
        if len(seen) == at:
            write_record(tmp_path / "left.h5", left)
            raise Interrupted

    whole, n_whole = whole_model
    with pytest.raises(Interrupted):
        model(interrupting)
    again, n_again = model(resume=read_record(tmp_path / "left.h5", Checkpoint))
    assert n_again == n_whole - at
    write_record(tmp_path / "again.h5", again)
    assert (tmp_path / "again.h5").read_bytes() == whole
