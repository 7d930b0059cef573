"""What figures of connectomes call units, and how they thin curves."""

from __future__ import annotations

import dataclasses

import numpy as np

from pipeline.core.rng import stream
from pipeline.core.unit_names import UnitNames
from pipeline.methods.connectome.algorithm import combine, fit_part
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.figures import figures, thinned
from pipeline.methods.connectome.section import section
from pipeline.methods.connectome.simulate import simulate
from tests.support.named_units import ids_of, names_shown, two_recordings
from tests.support.small_results import PROVENANCE

CONFIG = ConnectomeConfig(
    rank=2,
    n_restarts=1,
    n_surrogates=0,
    max_iterations=20,
    n_partitions=20,
    baselines=False,
    lead_lag_pairs=3,
    seeds=["N90001"],
)


def test_units_of_the_only_recording_taken_are_called_as_in_the_data():
    view = simulate(stream(3, "names"), size="tiny")[0][0]
    units = two_recordings(view.recording, view.unit.size)
    named = units[view.recording]
    view = dataclasses.replace(
        view,
        unit=ids_of(view.unit.size),
        identity=np.where(named["identity_certain"], named["identity"], "").astype(np.str_),
    )
    parts = {
        part.name: fit_part((view,), CONFIG, part, stream(0, part.name), provenance=PROVENANCE)
        for part in CONFIG.plan()
    }
    result = combine(parts, (view,), CONFIG, stream(0, "combine"), provenance=PROVENANCE)
    names = UnitNames.of(units)
    drawn = figures(result, (view,), CONFIG, names=names)
    matrix = next(one for one in drawn if one.id == "components").panels[-1]
    assert np.isnan(matrix.values.diagonal()).all()
    assert matrix.missing_title == "diagonal, or never together"
    body = section(result, (), drawn, CONFIG, names=names).body
    assert {"network", "traces", "lead-lag-table", "predictions"} <= {
        part.id for part in body if not isinstance(part, str)
    }
    shown = names_shown(body)
    assert shown <= set(names.of_unit.values())
    every_kind = {(True, True), (False, True), (False, False)}
    assert {("?" in name, ":" in name) for name in shown} == every_kind


def test_the_drawn_curve_reaches_its_maximum_at_one():
    x, y = thinned(np.arange(6.0), np.array([0.0, 0.0, 8.0, 0.0, 1.0, 1.0]), 3)
    np.testing.assert_array_equal(x, [0.5, 2.5, 4.5])
    np.testing.assert_array_equal(y, [0.0, 1.0, 0.25])
    assert thinned(np.arange(2.0), np.zeros(2), 5)[1].tolist() == [0.0, 0.0]
