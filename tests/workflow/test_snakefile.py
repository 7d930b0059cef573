"""The job graph, without running any job."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.stages.check import count_jobs, load_project

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path):
    """Two experiments, of two and one recordings, whose files are never opened."""
    for name in ("a1", "a2", "b1"):
        (tmp_path / f"{name}.nwb").write_bytes(b"not opened in a dry run")
    (tmp_path / "recordings.tsv").write_text(
        "experiment\trecording\tnwb\tactivity\n"
        "first\ta1\ta1.nwb\t\nfirst\ta2\ta2.nwb\tcalcium\nsecond\tb1\tb1.nwb\tspikes\n"
    )
    (tmp_path / "settings.yaml").write_text(
        "recordings: recordings.tsv\n"
        "methods:\n"
        "  connectome: {n_restarts: 3, n_surrogates: 2, rank: 8}\n"
        "  trsa: {enabled: false}\n"
        "  biclustering: {n_chains: 2, held_out: none}\n"
        "  celltypes: {enabled: false}\n"
        "run: {parts_per_job: 2}\n"
    )
    return tmp_path


def snakemake(folder, *arguments, config="settings.yaml"):
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "snakemake",
            "--snakefile",
            str(ROOT / "Snakefile"),
            "--configfile",
            config,
            *arguments,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def job_counts(text):
    """Rule to number of jobs, from the table of a dry run."""
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", text, re.MULTILINE)}


def test_a_dry_run_plans_every_job_once(project):
    done = snakemake(project, "-n", "--quiet", "rules")
    assert done.returncode == 0, done.stderr
    counts = job_counts(done.stdout)
    # No chains of traces, and no connectome of spikes: the sheet tells. Halves are fitted where
    # both methods may group units.
    assert counts == {
        "agreement": 2,
        "all": 1,
        "biclustering_assess": 2,
        "biclustering_fit_chain_00": 2,
        "biclustering_fit_chain_01": 2,
        "biclustering_gather": 3,
        "biclustering_halves": 1,
        "connectome_assess": 2,
        "connectome_fit_0": 1,
        "connectome_fit_1": 1,
        "connectome_fit_2": 1,
        "connectome_gather": 2,
        "connectome_halves": 1,
        "index": 1,
        "ingest": 3,
        "prepare_view": 6,
        "provenance": 1,
        "report": 2,
        "summary": 1,
        "total": 35,
    }
    assert count_jobs(load_project(project / "settings.yaml")) == counts["total"]


@pytest.mark.slow
def test_jobs_that_compute_on_a_graphics_card_ask_for_one(project):
    text = (project / "settings.yaml").read_text()
    text = text.replace("celltypes: {enabled: false}", "celltypes: {device: cuda}")
    (project / "settings.yaml").write_text(text)
    (project / "asked").write_text(
        f'include: "{ROOT / "Snakefile"}"\n'
        "for rule in workflow.rules:\n"
        "    if getattr(rule.resources.get('gpu'), 'value', 0): print('card', rule.name)\n"
    )
    done = snakemake(project, "--snakefile", "asked", "--list-rules")
    assert done.returncode == 0, done.stderr
    with_one = set(re.findall(r"^card (\w+)$", done.stdout, re.MULTILINE))
    assert {"celltypes_fit_model_0", "celltypes_fit_restart_00", "celltypes_gather"} <= with_one
    assert {name for name in with_one if "celltypes" not in name or "assess" in name} == set()


def test_the_default_profile_is_picked_up(project):
    done = snakemake(project, "-n")
    assert "profiles/default" in done.stderr + done.stdout


def test_a_method_switched_off_leaves_no_job(project):
    text = (project / "settings.yaml").read_text()
    (project / "settings.yaml").write_text(
        text.replace("{n_restarts", "{enabled: false, n_restarts")
    )
    done = snakemake(project, "-n", "--quiet", "rules")
    assert done.returncode == 0, done.stderr
    assert [name for name in job_counts(done.stdout) if "connectome" in name] == []


def test_wrong_settings_stop_before_any_job_and_without_a_traceback(project):
    (project / "settings.yaml").write_text(
        "recordings: recordings.tsv\nmethods:\n  connectome:\n    rnak: 3\n    n_restarts: -1\n"
    )
    done = snakemake(project, "-n")
    assert done.returncode != 0
    shown = done.stdout + done.stderr
    assert "rnak" in shown
    assert "'rank'" in shown or '"rank"' in shown
    assert "n_restarts" in shown
    assert "Traceback" not in shown
    assert not (project / "results").exists()


def test_the_workflow_passes_snakemakes_lint(project):
    done = snakemake(project, "--lint")
    assert done.returncode == 0, done.stdout + done.stderr


def test_rule_files_are_formatted():
    command = Path(sys.executable).with_name("snakefmt")
    assert command.exists() or shutil.which("snakefmt")
    done = subprocess.run(
        [command, "--check", str(ROOT / "Snakefile"), str(ROOT / "workflow")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
