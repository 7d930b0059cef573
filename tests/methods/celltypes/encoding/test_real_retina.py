"""Salamander ganglion cells: how well linear filters predict them is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.rng import stream
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.nwb.read import read_recording
from pipeline.methods.celltypes.encoding.config import EncodingConfig
from pipeline.methods.celltypes.encoding.fit import fit_encoding
from pipeline.prepare.config import ResponsesConfig
from pipeline.prepare.responses import stimulus_responses
from tests.support.small_stimuli import PROVENANCE

FILE = Path(__file__).resolve().parents[5] / "shared/data/real/retina_liu2017/cells-000-117.nwb"


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.skipif(not FILE.exists(), reason="the recording of salamander cells is not there")
def test_linear_filters_predict_salamander_cells_as_well_as_is_known():
    recording, _ = read_recording(
        FILE, recording="retina", options=ReadOptions(), provenance=PROVENANCE
    )
    view = stimulus_responses(recording, ResponsesConfig(), PROVENANCE)
    assert view.stimulus.shape == (36_000, 1, 18, 20)
    assert view.responses.sum() == recording.activity.times.size
    assert view.frames_of("test").sum() == 3_600
    assert (view.again == -1).all()
    found = fit_encoding([view], EncodingConfig(network="ln"), stream(0, "salamander"), "cpu")
    # Filters in 7 x 7 pixels with a binned nonlinearity reached a median of 0.25.
    assert found.units["test_correlation"].median() > 0.25
    assert (found.units["test_correlation"] > 0.1).mean() > 0.9
    assert found.units["reliability"].isna().all()
    assert 0.6 < found.units["used"].mean() < 0.9
