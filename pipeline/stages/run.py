"""The whole pipeline: demo data, check, workflow, and where the reports are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pipeline
from pipeline.stages.check import Project, load_project
from pipeline.stages.demo import write_demo
from pipeline.stages.forget import forget_failed
from pipeline.stages.index import exit_code_of

ROOT = Path(pipeline.__file__).resolve().parents[1]
"""The checkout: Snakefile, config.yaml and profiles lie beside the package."""


def run_workflow(
    words: Sequence[str],
    *,
    config_path: Path | None,
    overrides: Mapping[str, object],
    changes_results: bool,
) -> int:
    """Run Snakemake with these words and say where the reports are.

    Parameters
    ----------
    words
        Arguments for Snakemake, as the user gave them.
    config_path
        Settings file named among them; ``None`` runs the shipped demo, whose recordings are
        written first.
    overrides
        What ``--config`` among them says.
    changes_results
        False for dry runs and the like.

    Returns
    -------
    0, or the class of what went wrong: 2 settings, 3 recordings, 1 otherwise.
    """
    if config_path is None:
        write_demo(ROOT / "data" / "simulated")
    project = load_project(config_path or ROOT / "config.yaml", overrides)
    out = Path(project.settings.out)
    if changes_results and out.exists():
        forget_failed(out)
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), *words]
    code = subprocess.run(command, check=False, env=_environment()).returncode  # noqa: S603
    if not changes_results:
        return code
    return _last_words(project, out=out, code=code)


def _environment() -> dict[str, str]:
    """The environment of the workflow: figures need no display, and threads are the rules'."""
    return {**os.environ, "MPLBACKEND": "Agg"}


def _last_words(project: Project, *, out: Path, code: int) -> int:
    documents = [out / experiment / "report.json" for experiment in project.experiments]
    made = [path for path in documents if path.exists()]
    for path in made:
        print(f"Report: {path.with_suffix('.html')}")  # noqa: T201 - what the run is for
    if (out / "index.html").exists():
        print(f"Index:  {out / 'index.html'}")  # noqa: T201
    if code == 0:
        return 0
    loaded = [json.loads(path.read_text(encoding="utf-8")) for path in made]
    return max((exit_code_of(document) for document in loaded), default=0) or code
