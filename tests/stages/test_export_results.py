"""Results as NWB: read back by pynwb, accepted by the inspector, the source untouched."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from pipeline.core.errors import EnvironmentFault
from pipeline.core.exported import ResultColumn, ResultRows, ResultSeries
from pipeline.core.parts import Section, Table
from pipeline.core.recording import About, Recording
from pipeline.core.rng import stream
from pipeline.io.documents import write_document, write_plain
from pipeline.io.records import read_record, write_record
from pipeline.methods.biclustering.algorithm import combine
from pipeline.methods.biclustering.problem import problem_of
from pipeline.methods.biclustering.replicas import replicate
from pipeline.methods.biclustering.result import PartResult
from pipeline.methods.biclustering.simulate import simulate
from pipeline.methods.connectome.result import ConnectomeResult
from pipeline.stages.export_results import export_results
from tests.support.small_biclusters import PROVENANCE, config_of, drawn
from tests.support.small_recordings import trains
from tests.support.small_results import write_small_results
from tests.support.small_stimuli import recording_of

TABLE = Table(
    id="components-table",
    title="Components",
    caption="One row a component.",
    columns={
        "component": (1, 2),
        "explained (%)": (0.5, None),
        "rate (1/s)": (1.5, 2.0),
        "name": ("a", None),
    },
)


def times(series):
    """Of the samples of a series, as its timestamps or its rate tell them."""
    if series.timestamps is not None:
        return series.timestamps[:]
    return series.starting_time + np.arange(len(series.data)) / series.rate


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Results of simulated worms, both components with groups."""
    out = tmp_path_factory.mktemp("results")
    write_small_results(out)
    folder = out / "worms"
    fit = folder / "connectome" / "fit.h5"
    result = read_record(fit, ConnectomeResult)
    write_record(
        fit,
        dataclasses.replace(
            result,
            structured=np.array([True, False]),
            community=np.arange(result.unit.size) % 3 + 0 * result.community - 1,
        ),
    )
    section = Section(
        id="connectome", title="Connectome", status="ok", sentence="Found.", body=(TABLE,)
    )
    write_document(folder / "connectome" / "section.json", section)
    failed = Section(id="trsa", title="tRSA", status="failed", sentence="", body=(TABLE,))
    write_document(folder / "trsa" / "section.json", failed)
    write_plain(folder / "report.json", {"settings": {"seed": 7}})
    return folder


@pytest.fixture(scope="module")
def exported(finished):
    (path,) = export_results(finished, output=finished / "nwb")
    return path


def test_labels_are_columns_of_the_rois(finished, exported):
    from pynwb import NWBHDF5IO

    result = read_record(finished / "connectome" / "fit.h5", ConnectomeResult)
    recording = read_record(finished / "recordings" / "worm-1" / "recording.h5", Recording)
    with NWBHDF5IO(str(exported), "r") as io:
        nwb = io.read()
        rois = nwb.processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"].to_dataframe()
    place = {str(name): at for at, name in enumerate(result.unit)}
    expected = []
    for unit, identity in zip(recording.units["unit_id"], recording.units["identity"], strict=True):
        at = place.get(identity or f"worm-1:{unit}")
        known = at is not None and result.presence[0, at] and result.community[0, at] >= 0
        expected.append(str(result.community[0, at] + 1) if known else "")
    assert rois["connectome_community_of_component_1"].tolist() == expected
    assert any(expected)
    assert "connectome_community_of_component_2" not in rois


def test_tables_series_and_settings_are_there_and_failed_methods_are_not(finished, exported):
    from pynwb import NWBHDF5IO

    result = read_record(finished / "connectome" / "fit.h5", ConnectomeResult)
    with NWBHDF5IO(str(exported), "r") as io:
        nwb = io.read()
        assert "trsa" not in nwb.processing
        module = nwb.processing["connectome"]
        table = module["components-table"].to_dataframe()
        series = module["component_strength"]
        seen = np.isfinite(result.source_time_s[:, 0])
        np.testing.assert_allclose(series.data[:], result.component_time[seen])
        np.testing.assert_allclose(times(series), result.source_time_s[seen, 0])
        assert json.loads(nwb.scratch["neuroptych_settings"].data) == {"seed": 7}
        assert nwb.identifier.endswith("_neuroptych")
    assert table["component"].tolist() == [1, 2]
    assert np.isnan(table["explained (%)"].iloc[1])
    assert table["rate (1_s)"].tolist() == [1.5, 2.0]
    assert table["name_"].tolist() == ["a", ""]


@pytest.fixture(scope="module")
def spiking(tmp_path_factory):
    """A recording of spikes, a bi-clustering of it in which one unit took no part, and its file."""
    view, truth = simulate(stream(0, "export"), size="tiny")
    config = config_of(held_out="none")
    problem = problem_of(view, config)
    parts = {}
    for name in ("chain-00", "chain-01"):
        rng = stream(1, "draws", name)
        draws = drawn(truth, problem.used, rng, wrong=0.03)
        replicas = replicate(draws, problem.data, rng)
        parts[name] = PartResult(
            name=name, draws=draws, replicas=replicas, predicted=None, provenance=PROVENANCE
        )
    result = combine(parts, (view,), config, stream(2, "combine"), provenance=PROVENANCE)
    folder = tmp_path_factory.mktemp("spiking") / "e"
    # Another order than that of the fit, and a unit more.
    unit_id = ["extra", *map(str, result.unit[::-1])]
    rng = stream(3, "spikes")
    recording = recording_of(
        trains([np.sort(rng.uniform(0, 60, 30)) for _ in unit_id], observed=[(0.0, 60.0)]),
        {},
        name=result.recording,
        units={"unit_id": unit_id, "region": "VISp"},
    )
    about = About(
        subject="m1", species="Mus musculus", sex="F", age="P90D", session_start="2024-05-01T10:00Z"
    )
    recording = dataclasses.replace(recording, about=about)
    write_record(folder / "recordings" / result.recording / "recording.h5", recording)
    write_record(folder / "biclustering" / result.recording / "fit.h5", result)
    section = Section(id="biclustering", title="Bi-clustering", status="warn", sentence="Found.")
    write_document(folder / "biclustering" / "section.json", section)
    write_plain(folder / "report.json", {"settings": {}})
    (path,) = export_results(folder, output=folder / "nwb")
    return path, result, unit_id


def test_strengths_of_pairs_are_those_of_the_fit_between_the_units_of_the_recording(
    finished, exported
):
    from pynwb import NWBHDF5IO

    result = read_record(finished / "connectome" / "fit.h5", ConnectomeResult)
    recording = read_record(finished / "recordings" / "worm-1" / "recording.h5", Recording)
    names = [
        identity or f"worm-1:{unit}"
        for unit, identity in zip(
            recording.units["unit_id"], recording.units["identity"], strict=True
        )
    ]
    wanted = {
        frozenset(result.unit[pair].tolist()): strength
        for pair, strength in zip(result.pair_units, result.component_pair, strict=True)
        if result.presence[0, pair].all()
    }
    with NWBHDF5IO(str(exported), "r") as io:
        nwb = io.read()
        table = nwb.processing["connectome"]["pair_strengths"]
        rois = nwb.processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"]
        assert table["unit"].table is rois
        ends = [table[name].data[:] for name in ("unit", "other_unit")]
        found = {
            frozenset((names[first], names[second])): strength
            for first, second, strength in zip(*ends, table["strength"].data[:], strict=True)
        }
        assert "norm 1" in table["strength"].description
    assert found.keys() == wanted.keys()
    assert len(found) == 78
    for pair, strength in wanted.items():
        np.testing.assert_allclose(found[pair], strength, rtol=1e-6)


def test_draws_and_probabilities_are_those_of_the_fit(spiking):
    from pynwb import NWBHDF5IO

    path, result, unit_id = spiking
    with NWBHDF5IO(str(path), "r") as io:
        nwb = io.read()
        module = nwb.processing["biclustering"]
        together, draws = module["co_clustering"], module["posterior_draws"]
        rows = together["unit"].data[:]
        assert together["unit"].table is nwb.units
        assert [unit_id[row] for row in rows] == result.unit[result.used].tolist()
        np.testing.assert_array_equal(together["probability"].data[:], result.co_clustering)
        n_chains, n_draws = result.posterior.n_clusters.shape
        assert draws["chain"].data[:].tolist() == np.repeat([1, 2], n_draws).tolist()
        assert draws["draw"].data[:].tolist() == [*range(1, n_draws + 1)] * n_chains
        np.testing.assert_array_equal(
            draws["cluster"].data[:].reshape(n_chains, n_draws, -1), result.posterior.cluster
        )
        for name, wanted in (
            ("n_clusters", result.posterior.n_clusters),
            ("n_states", result.posterior.n_states),
            ("log_joint", result.sample_stats.log_joint),
        ):
            np.testing.assert_array_equal(draws[name].data[:], wanted.ravel())
        states = module["state_probability"]
        np.testing.assert_array_equal(states.data[:], result.state_probability)
        np.testing.assert_allclose(times(states), result.time_bin_s)
        # What the tables say together: the share of draws is that of the draws.
        cluster = draws["cluster"].data[:]
        same = (cluster[:, :, None] == cluster[:, None, :]).mean(axis=0)
    off = ~np.eye(len(rows), dtype=bool)
    np.testing.assert_allclose(same[off], result.co_clustering[off], atol=1e-6)


def test_many_draws_are_picked_evenly_from_every_chain(spiking, monkeypatch):
    from pipeline.methods.biclustering import exported as room

    _, result, unit_id = spiking
    monkeypatch.setattr(room, "MOST_DRAWS", 10)
    units = pd.DataFrame({"unit_id": unit_id})
    found = room.exported({result.recording: result}, result.recording, units)
    (_, draws) = found.rows
    columns = {column.name: np.asarray(column.values) for column in draws.columns}
    n_draws = result.posterior.n_clusters.shape[1]
    assert columns["chain"].tolist() == [1] * 5 + [2] * 5
    assert columns["draw"][[0, 4, 5, 9]].tolist() == [1, n_draws, 1, n_draws]
    assert f"5 of {n_draws} draws of each chain" in draws.description
    assert room.exported({result.recording: result}, "another", units).rows == ()


def test_what_would_make_the_file_huge_is_left_out_and_named(tmp_path, monkeypatch):
    from pipeline.io.nwb import results

    monkeypatch.setattr(results, "MOST_BYTES", 100)
    column = ResultColumn(name="value", description="Without unit.", values=np.arange(20.0))
    rows = ResultRows(name="large", description="Numbers.", columns=(column,))
    series = ResultSeries(
        name="kept",
        description="Numbers.",
        time_s=np.arange(3.0),
        values=np.arange(3.0),
        unit="n.a.",
    )
    module = results.ResultModule(name="m", description="Found.", rows=(rows,), series=(series,))
    from pynwb.testing.mock.file import mock_NWBFile

    nwb = mock_NWBFile()
    results.add_results(nwb, [module], settings="{}")
    assert sorted(nwb.processing["m"].data_interfaces) == ["kept"]
    assert nwb.processing["m"].description == "Found. Too large for this file: large."


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("which", ["exported", "spiking"])
def test_the_inspector_of_the_community_finds_nothing_serious(which, request):
    from nwbinspector import Importance, inspect_nwbfile

    made = request.getfixturevalue(which)
    exported = made[0] if which == "spiking" else made
    serious = (Importance.CRITICAL, Importance.BEST_PRACTICE_VIOLATION, Importance.ERROR)
    found = [
        f"{message.importance.name} {message.location}: {message.message}"
        for message in inspect_nwbfile(nwbfile_path=exported)
        if message.importance in serious or "VALIDATION" in message.importance.name
    ]
    assert found == []


def test_an_export_is_made_anew_in_one_go(finished, exported):
    before = exported.stat().st_mtime_ns
    export_results(finished, output=finished / "nwb")
    assert exported.stat().st_mtime_ns > before
    assert [path.name for path in exported.parent.iterdir()] == ["worm-1.nwb"]


def test_without_a_report_it_says_so(tmp_path):
    with pytest.raises(EnvironmentFault, match=r"RN-R27"):
        export_results(tmp_path, output=tmp_path / "nwb")
