"""Results as NWB: read back by pynwb, accepted by the inspector, the source untouched."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from pipeline.core.errors import EnvironmentFault
from pipeline.core.parts import Section, Table
from pipeline.core.recording import Recording
from pipeline.io.documents import write_document, write_plain
from pipeline.io.records import read_record, write_record
from pipeline.methods.connectome.result import ConnectomeResult
from pipeline.stages.export_results import export_results
from tests.support.small_results import write_small_results

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
        np.testing.assert_allclose(series.timestamps[:], result.source_time_s[seen, 0])
        assert json.loads(nwb.scratch["neuroptych_settings"].data) == {"seed": 7}
        assert nwb.identifier.endswith("_neuroptych")
    assert table["component"].tolist() == [1, 2]
    assert np.isnan(table["explained (%)"].iloc[1])
    assert table["rate (1_s)"].tolist() == [1.5, 2.0]
    assert table["name_"].tolist() == ["a", ""]


@pytest.mark.filterwarnings("ignore")
def test_the_inspector_of_the_community_finds_nothing_serious(exported):
    from nwbinspector import Importance, inspect_nwbfile

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
