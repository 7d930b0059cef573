from pathlib import Path

import pytest

from pipeline.core.parts import Figure
from pipeline.core.provenance import Provenance
from pipeline.core.recording import SpikeTrains
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.nwb.read import read_recording
from pipeline.prepare.config import QualityConfig
from pipeline.prepare.quality.grade import grade_units
from pipeline.report.data_section import data_section, recording_rows
from pipeline.report.page import Page
from pipeline.report.render import render
from pipeline.viz.draw import draw_figure

pytestmark = pytest.mark.real
REAL = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "real"


@pytest.mark.parametrize(
    "name",
    [
        "allen_719161530",
        "celegans_dag2023",
        "mouse_hva_yu2022",
        "retina_liu2017",
        "zebrafish_triplett2018",
    ],
)
def test_real_recordings_fit_on_a_page_with_an_overview_each(name):
    files = sorted((REAL / name).glob("*.nwb"))
    if not files:
        pytest.skip(f"the real recordings ({name}) are not beside the checkout")
    made = Provenance(stage="ingest", experiment=name, package_version="0", code_digest="")
    read = [
        read_recording(path, recording=path.stem, options=ReadOptions(), provenance=made)
        for path in files
    ]
    graded = [grade_units(recording, QualityConfig()) for recording, _ in read]
    recordings = [recording for recording, _, _ in graded]
    section = data_section(
        recordings,
        {recording.id: notes for recording, notes in read},
        grades={recording.id: grades for recording, grades, _ in graded},
    )
    page = Page(
        experiment=name, version="0", sections=(section,), recordings=recording_rows(recordings)
    )
    text = render(page)
    assert len(text.encode()) < 1_700_000
    assert "to keep this page small" not in text
    figures = [part for part in section.body if isinstance(part, Figure)]
    spikes = isinstance(recordings[0].activity, SpikeTrains)
    of_each = ["examples", "rasters"] if spikes else ["examples"]
    assert [figure.id.partition("-")[0] for figure in figures] == [
        *["overview"] * len(files),
        "unit",
        *of_each * len(files),
    ]
    assert all("<svg" in draw_figure(figures[place]) for place in (0, -1))
