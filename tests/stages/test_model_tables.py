"""Tables that a method's settings name: found before a run, read by stages, in the provenance."""

from __future__ import annotations

import hashlib

import pytest

from pipeline.config import method_tables
from pipeline.core.errors import ConfigErrors
from pipeline.core.outcome import Outcome
from pipeline.core.rng import stream
from pipeline.io.records import read_record, write_record
from pipeline.methods.trsa.result import PartResult, TrsaResult
from pipeline.methods.trsa.simulate import simulate
from pipeline.stages.check import load_project
from pipeline.stages.fit import MethodJob, fit_parts, gather
from pipeline.stages.run_context import StageRun

SETTINGS = {
    "model_tables": ["models/mine.csv"],
    "n_permutations": 19,
    "n_bootstraps": 20,
    "n_splits": 2,
    "level_step": 0.5,
    "pairs_per_family": 1,
    "n_comparisons": 0,
    "n_graphs": 0,
    "homology": {"n_shuffles": 0},
    "results_version": 1,
}


def fit(folder, text):
    views, _ = simulate(stream(0, "tables"))
    (folder / "models").mkdir(exist_ok=True)
    table = folder / "models" / "mine.csv"
    lines = [f"{name},{place}" for place, name in enumerate(views[0].condition)]
    table.write_text(text or "condition,x\n" + "\n".join(lines) + "\n")
    write_record(folder / "view.h5", views[0])
    job = MethodJob.of("trsa", settings=SETTINGS, seed=1)
    parts = [folder / f"{part.name}.h5" for part in job.config.plan()]
    run = StageRun(stage="fit", experiment="e", method="trsa")
    shared = {"views": [folder / "view.h5"], "tables": [table]}
    fit_parts(run, job, outputs=parts, **shared)
    gather(run, job, parts=parts, output=folder / "fit.h5", **shared)
    resampled = next(path for path in parts if path.stem.startswith("bootstrap"))
    return table, read_record(resampled, PartResult, Outcome), folder / "fit.h5"


def test_a_table_becomes_a_model_with_its_checksum_in_the_provenance(tmp_path):
    table, part, path = fit(tmp_path, "")
    digest = hashlib.sha256(table.read_bytes()).hexdigest()
    assert part.provenance.inputs["models/mine.csv"] == digest
    result = read_record(path, TrsaResult, Outcome)
    assert "mine" in result.model.tolist()
    assert result.provenance.inputs["models/mine.csv"] == digest


def test_a_part_needs_no_table_that_only_their_joining_reads(tmp_path):
    write_record(tmp_path / "view.h5", Outcome(status="not_applicable", reason="it has spikes"))
    job = MethodJob.of("connectome", settings={"edges": "known.csv"}, seed=1)
    run = StageRun(stage="fit", experiment="e", method="connectome")
    part = tmp_path / "restart-00.h5"
    fit_parts(run, job, views=[tmp_path / "view.h5"], outputs=[part])
    assert read_record(part, Outcome).reason == "it has spikes"


def test_a_table_that_does_not_fit_is_recorded_with_its_line(tmp_path):
    _, part, path = fit(tmp_path, "condition,x\nnone,1\n")
    for found in (part, read_record(path, TrsaResult, Outcome)):
        assert found.status == "failed"
        assert found.failure["code"] == "CF-K13"
        assert found.failure["file"] == "models/mine.csv"


def test_a_missing_table_is_told_before_the_run(tmp_path):
    (tmp_path / "one.nwb").write_bytes(b"")
    (tmp_path / "sheet.tsv").write_text("experiment\trecording\tnwb\ne\tone\tone.nwb\n")
    settings = tmp_path / "settings.yaml"
    text = "recordings: sheet.tsv\nmethods: {trsa: {model_tables: [mine.csv]}}\n"
    settings.write_text(text)
    with pytest.raises(ConfigErrors, match=r"CF-K13 .* there is no table 'mine.csv'"):
        load_project(settings)
    (tmp_path / "mine.csv").write_text("x\n")
    project = load_project(settings)
    assert method_tables(project.settings, "trsa") == (str(tmp_path / "mine.csv"),)
    settings.write_text(text.replace("model_tables", "enabled: false, model_tables"))
    (tmp_path / "mine.csv").unlink()
    load_project(settings)
