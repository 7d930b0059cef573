"""The whole pipeline on the real recordings, with as little fitting as shows that it works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.support.quick_settings import QUICK_METHODS

pytestmark = [pytest.mark.real, pytest.mark.slow]

SHEET = Path(__file__).resolve().parents[3] / "shared" / "data" / "real" / "recordings.tsv"
UNITS = {
    "worms": 146 + 141 + 145 + 135,
    "allen": 63,
    "dots": 402 + 50,
    "salamander": 118,
    "zebrafish": 114,
}
"""One experiment of each source; the others are read in ``tests/io/nwb/test_nwb_real.py``."""

CALCIUM = ("worms", "zebrafish")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    if not SHEET.exists():
        pytest.skip(f"the real recordings are not beside the checkout ({SHEET.parent.name})")
    folder = tmp_path_factory.mktemp("real")
    sheet = pd.read_csv(SHEET, sep="\t", dtype=str)
    sheet["nwb"] = [str(SHEET.parent / name) for name in sheet["nwb"]]
    sheet[sheet["experiment"].isin(UNITS)].to_csv(folder / "sheet.tsv", sep="\t", index=False)
    settings = {
        "recordings": "sheet.tsv",
        "methods": QUICK_METHODS
        | {
            "biclustering": {"enabled": False},
            "connectome": QUICK_METHODS["connectome"] | {"max_iterations": 5},
            "celltypes": QUICK_METHODS["celltypes"] | {"encoding": {"max_epochs": 1}},
        },
    }
    (folder / "settings.yaml").write_text(json.dumps(settings))
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "run", "--", "--configfile", "settings.yaml"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "results"


@pytest.mark.parametrize("experiment", UNITS)
def test_every_experiment_has_a_report_of_all_its_units(results, experiment):
    document = json.loads((results / experiment / "report.json").read_text())
    assert sum(row["units"] for row in document["recordings"]) == UNITS[experiment]
    assert {row["status"] for row in document["recordings"]} == {"ok"}
    assert (results / experiment / "report.html").stat().st_size < 3_000_000


@pytest.mark.parametrize("experiment", UNITS)
def test_the_connectome_runs_on_traces_and_says_why_not_on_spikes(results, experiment):
    document = json.loads((results / experiment / "report.json").read_text())
    entry = document["methods"]["connectome"]
    if experiment in CALCIUM:
        assert entry["status"] in ("ok", "warn")
        assert entry["numbers"]["rank"] == 2
        assert 0 < entry["numbers"]["explained"] < 1
    else:
        assert entry["status"] == "not_applicable"
        assert "spike times" in entry["reason"]


def test_worms_without_common_epochs_are_laid_one_after_another(results):
    document = json.loads((results / "worms" / "report.json").read_text())
    numbers = document["methods"]["connectome"]["numbers"]
    assert numbers["alignment"] == "concatenate"
    assert numbers["n_recordings"] == 4


def test_the_index_lists_every_experiment(results):
    text = (results / "index.html").read_text()
    assert [name for name in UNITS if f'href="{name}/report.html"' not in text] == []
