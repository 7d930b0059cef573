"""The shipped demo from its sheet to three reports, with methods that are quick to fit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core.halves import Halves
from pipeline.core.outcome import Outcome
from pipeline.io.records import read_record
from pipeline.stages.demo import write_demo
from pipeline.stages.halves import ALONE
from tests.support.notebooks import run_notebook
from tests.support.quick_settings import QUICK_METHODS
from tests.support.tiny_project import pipeline_run

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]

SETTINGS = {
    "recordings": "simulated/recordings.tsv",
    "methods": QUICK_METHODS,
    "run": {"parts_per_job": 3},
}
FINISHED = "NEUROPTYCH_DEMO_RESULTS"
"""Names the results of a demo that was run as shipped, which are then looked at instead."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder after a run that must end well."""
    if FINISHED in os.environ:
        return Path(os.environ[FINISHED]).resolve(strict=True)
    folder = tmp_path_factory.mktemp("demo")
    write_demo(folder / "simulated")
    (folder / "settings.yaml").write_text(json.dumps(SETTINGS))
    done = pipeline_run(folder, "--configfile", "settings.yaml", "--cores", "2")
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "results"


def document(results, experiment):
    return json.loads((results / experiment / "report.json").read_text())


@pytest.mark.parametrize(
    ("experiment", "n_recordings", "n_units"),
    [("worms", 6, 228), ("cortex", 1, 60), ("retina", 1, 200)],
)
def test_every_experiment_has_its_data(finished, experiment, n_recordings, n_units):
    rows = document(finished, experiment)["recordings"]
    assert [row["status"] for row in rows] == ["ok"] * n_recordings
    assert sum(row["units"] for row in rows) == n_units
    assert sum(row["units_used"] for row in rows) > 0.9 * n_units
    assert f'href="{experiment}/report.html"' in (finished / "index.html").read_text()


def test_snakemake_bundles_the_pages_with_their_captions(finished, tmp_path):
    settings = "config.yaml" if FINISHED in os.environ else "settings.yaml"
    bundle = tmp_path / "workflow.html"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--snakefile", os.fspath(ROOT / "Snakefile")),
            *("--configfile", settings, "--report", os.fspath(bundle)),
        ],
        cwd=finished.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    text = bundle.read_text()
    assert text.count("whether it can be trusted") == 3  # the caption of each experiment's page
    assert "units.csv" in text


def test_the_connectome_is_that_of_the_worms_alone(finished):
    assert document(finished, "worms")["methods"]["connectome"]["status"] in ("ok", "warn")
    for experiment in ("cortex", "retina"):
        entry = document(finished, experiment)["methods"]["connectome"]
        assert entry["status"] == "not_applicable"
        assert "spike times" in entry["reason"]


def test_regions_of_the_cortex_are_told_apart(finished):
    entry = document(finished, "cortex")["methods"]["trsa"]
    assert entry["status"] in ("ok", "warn")
    assert entry["numbers"]["within_separation_p"] <= 0.05
    checks = json.loads((finished / "cortex" / "trsa" / "checks.json").read_text())
    verdicts = {check["name"]: check["status"] for check in checks["value"]}
    assert verdicts["Planted geometries found"] == "pass"
    entry = document(finished, "worms")["methods"]["trsa"]
    assert (entry["status"], "no trials" in entry["reason"]) == ("not_applicable", True)
    assert document(finished, "retina")["methods"]["trsa"]["status"] in ("ok", "warn")


def test_the_biclustering_is_that_of_spikes_alone(finished):
    entry = document(finished, "cortex")["methods"]["biclustering"]
    assert entry["status"] in ("ok", "warn"), entry
    assert entry["numbers"]["n_clusters"] >= 1
    for experiment, reason in (("worms", "inferred events"), ("retina", "max_counts")):
        entry = document(finished, experiment)["methods"]["biclustering"]
        assert entry["status"] == "not_applicable"
        assert reason in entry["reason"]


def test_units_of_the_cortex_are_typed_by_its_trials(finished):
    entry = document(finished, "cortex")["methods"]["celltypes"]
    assert entry["status"] in ("ok", "warn"), entry
    assert entry["numbers"]["mode"] == "discrete"
    assert document(finished, "retina")["methods"]["celltypes"]["numbers"]["mode"] == "model"


def test_methods_are_fitted_to_halves_where_two_of_them_group_units(finished):
    types = read_record(finished / "cortex" / "celltypes" / "halves.h5", Halves)
    clusters = read_record(
        finished / "cortex" / "biclustering" / "mouse-1" / "halves.h5", Halves, Outcome
    )
    if isinstance(clusters, Outcome):  # chains of a few sweeps may end with one cluster
        assert "no two groups" in clusters.reason
    else:
        assert clusters.span_s.tolist() == types.span_s.tolist()


def test_the_connectome_is_not_fitted_to_halves_for_itself(finished):
    assert read_record(finished / "worms" / "connectome" / "halves.h5", Outcome).reason == ALONE


def test_the_notebook_runs_on_what_the_demo_made(finished, monkeypatch):
    import matplotlib.pyplot as plt

    names = run_notebook("first_look.ipynb", folder=finished.parent, monkeypatch=monkeypatch)
    assert set(names["means"]) == set(names["recording"].epochs["label"])
    assert names["result"].sizes["recording"] == 6
    plt.close("all")
