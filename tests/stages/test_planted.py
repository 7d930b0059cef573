"""What was planted stands beside every finding in simulated recordings, and beside no other."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline import registry
from pipeline.core.rng import stream
from pipeline.io.records import write_record
from pipeline.methods.trsa.simulate import simulate as representations
from pipeline.report.index import IndexEntry, IndexMethod, render_index
from pipeline.report.render import render
from pipeline.stages.demo import SEED, cortex, retina
from pipeline.stages.planted import planted, planted_words, read_truths
from tests.support.fake_page import connectome_section, data_stub, fake_page

SAID = "Planted: 3 groups. Found: 2 of them."


@pytest.fixture(scope="module")
def truths():
    session = cortex.simulate(stream(SEED, "cortex"))
    return {
        "biclustering": session.clusters,
        "trsa": session.geometries,
        "celltypes": retina.cells(stream(SEED, "retina")),
        "connectome": registry.methods()["connectome"]
        .room("simulate")
        .simulate(stream(SEED, "worms"), size="demo")[1],
    }


def test_every_method_tells_what_the_demo_planted_for_it(truths):
    assert {name: one.words for name, one in planted(truths).items()} == {
        "biclustering": "4 clusters of units with trajectories of their own, under 3 states",
        "trsa": "answers to 12 conditions: on a ring in VISp, in clusters in VISl, none in CA1",
        "celltypes": "8 types of cells",
        "connectome": "8 groups of neurons that change together, each in the epochs of one of 3 "
        "labels",
    }


def test_every_method_has_the_words_for_what_it_planted():
    for spec in registry.methods().values():
        room = spec.room("recovery")
        assert callable(room.planted)
        assert callable(room.recovered)


def test_a_method_of_which_nothing_was_planted_tells_what_the_recordings_hold(truths):
    spec = registry.methods()["trsa"]
    told = planted_words(spec, None, {"celltypes": truths["celltypes"]}, {})
    assert told == (
        "Nothing of this kind was planted in these simulated recordings, which hold 8 types of "
        "cells."
    )


def test_recordings_of_animals_have_no_planted_truth():
    assert read_truths([]) == ({}, ())
    for spec in registry.methods().values():
        assert planted_words(spec, None, {}, {}) == ""


def test_truths_are_read_by_the_names_of_methods(tmp_path):
    truth = representations(np.random.default_rng(1))[1]
    write_record(tmp_path / "trsa.h5", truth)
    found, doubts = read_truths([tmp_path / "trsa.h5"])
    assert list(found) == ["trsa"]
    assert doubts == ()


def test_the_page_shows_it_on_the_first_screen_and_at_the_head_of_the_section():
    simulated = dataclasses.replace(connectome_section(), planted=SAID)
    text = render(fake_page(sections=(data_stub(), simulated)))
    first, section = (text.index(SAID), text.rindex(SAID))
    assert first < text.index('<section id="connectome"') < section
    assert text.count("Simulated</span>") == 2
    assert 'class="planted"' not in render(fake_page())


def test_the_index_shows_it_below_the_status():
    def entry(**told):
        return IndexEntry(
            experiment="e",
            link="e/report.html",
            recordings=1,
            units=1,
            units_used=1,
            methods={"trsa": IndexMethod(title="t", status="ok", **told)},
        )

    assert SAID in render_index([entry(planted=SAID)])
    assert "Planted" not in render_index([entry()])
