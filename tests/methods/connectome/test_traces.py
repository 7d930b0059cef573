"""Members' traces beside the moments their component is active."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.core.method import Part
from pipeline.core.provenance import Provenance
from pipeline.core.rng import stream
from pipeline.methods.connectome.algorithm import combine, fit_part
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.simulate import simulate
from pipeline.methods.connectome.traces import signs, traces_figure

PROVENANCE = Provenance(stage="fit", experiment="x", package_version="0", code_digest="")
CONFIG = ConnectomeConfig(
    rank=4, n_surrogates=0, n_partitions=20, baselines=False, leave_one_out=False
)


@pytest.fixture(scope="module")
def worms():
    return simulate(stream(3, "sim"), size="tiny")


@pytest.fixture(scope="module")
def result(worms):
    part = fit_part(worms[0], CONFIG, Part("restart-00"), stream(0, "part"), provenance=PROVENANCE)
    return combine(
        {"restart-00": part}, worms[0], CONFIG, stream(0, "combine"), provenance=PROVENANCE
    )


def test_signs_make_traces_agree_and_turn_few():
    rng = stream(0, "signs")
    common = rng.standard_normal(200)
    planted = np.array([1, 1, -1, 1, -1])
    traces = common[:, None] * planted + 0.3 * rng.standard_normal((200, 5))
    assert signs(traces).tolist() == planted.tolist()
    assert signs(-traces).tolist() == planted.tolist()


def test_members_that_rise_together_and_stay_there_have_one_sign():
    rng = stream(1, "signs")
    high = 3 + 0.5 * rng.standard_normal((12, 4)) * [1, -1, 1, 1]
    assert signs(high).tolist() == [1, 1, 1, 1]


def test_planted_signs_are_seen_in_the_members_traces(worms, result):
    figure = traces_figure(result, worms[0], result.unit)
    assert figure is not None
    n_right = n_all = 0
    for panel in figure.panels:
        names = [name.removeprefix("\N{MINUS SIGN}") for name in panel.y_labels]
        own = max(range(len(worms[1].group)), key=lambda g: in_group(worms[1], g, names))
        drawn = np.array(
            [-1 if name.startswith("\N{MINUS SIGN}") else 1 for name in panel.y_labels]
        )
        planted = np.array([worms[1].sign[own, list(worms[1].unit).index(name)] for name in names])
        kept = planted != 0
        agree = int((drawn == planted)[kept].sum())
        n_right += max(agree, int(kept.sum()) - agree)
        n_all += int(kept.sum())
        assert panel.spans
        assert len(panel.y_labels) == len(panel.values)
        assert panel.x.size == panel.values.shape[1] <= 500
    assert n_right >= 0.85 * n_all


def in_group(truth, group, names):
    return sum(truth.member[group, list(truth.unit).index(name)] for name in names)


def test_without_groups_there_are_no_traces_to_show(worms, result):
    flat = dataclasses.replace(result, structured=np.zeros(4, dtype=bool))
    assert traces_figure(flat, worms[0], flat.unit) is None
