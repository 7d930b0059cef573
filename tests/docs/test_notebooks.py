"""Every notebook runs from top to bottom and shows what it says."""

from __future__ import annotations

import nbformat
import numpy as np
import pytest

from tests.support.notebooks import NOTEBOOKS, run_notebook
from tests.support.small_results import write_small_results


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.name)
def test_notebooks_are_stored_without_what_they_put_out(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert path.stat().st_size < 20_000


def test_the_first_look_finds_the_mean_and_the_components(tmp_path, monkeypatch):
    import matplotlib.pyplot as plt

    write_small_results(tmp_path / "results")
    names = run_notebook("first_look.ipynb", folder=tmp_path, monkeypatch=monkeypatch)
    recording, means, result = (names[name] for name in ("recording", "means", "result"))
    good = recording.units["good"].to_numpy()
    assert set(means) == set(recording.epochs["label"])
    assert all(mean.shape == (names["time_s"].size, good.sum()) for mean in means.values())
    label = names["label"]
    onsets = recording.epochs.loc[recording.epochs["label"] == label, "start_s"]
    at = [np.argmin(np.abs(recording.activity.time - onset)) for onset in onsets]
    by_hand = np.where(recording.activity.valid, recording.activity.values, np.nan)[at]
    zero = np.argmin(np.abs(names["time_s"]))
    np.testing.assert_allclose(means[label][zero], np.nanmean(by_hand, axis=0)[good], rtol=1e-5)
    assert result["component_time"].dims == ("frame", "component")
    left, right = plt.gcf().axes[:2]
    assert left.get_title() == f"around {label}"
    assert len(right.lines) == result.sizes["component"]
    assert all(np.isfinite(line.get_ydata()).all() for line in right.lines)
    plt.close("all")
