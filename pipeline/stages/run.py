"""The whole pipeline: demo data, check, workflow, and where the reports are."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from types import FrameType

import pipeline
from pipeline.core.errors import EnvironmentFault, PipelineError
from pipeline.io.claims import Claim
from pipeline.io.documents import read_plain
from pipeline.stages.check import Project, load_project
from pipeline.stages.claims import killed_jobs, refuse_beside_others
from pipeline.stages.demo import write_demo
from pipeline.stages.forget import forget_failed
from pipeline.stages.index import exit_code_of
from pipeline.stages.run_context import RUN_VARIABLE, failure_file, run_id

ROOT = Path(pipeline.__file__).resolve().parents[1]
"""The checkout: Snakefile, config.yaml and profiles lie beside the package."""

PASSED_ON = (signal.SIGINT, signal.SIGTERM)
SIGNALLED = 128
"""Exit codes above this one name the signal that ended a process."""


def run_workflow(
    words: Sequence[str],
    *,
    config_path: Path | None,
    overrides: Mapping[str, object],
    folder: Path,
    makes_results: bool,
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
    folder
        Where the workflow runs (``--directory``); a relative ``out`` starts there.
    makes_results
        False for dry runs and whatever else starts no job.

    Returns
    -------
    0, or the class of what went wrong: 2 settings, 3 recordings, 5 the machine, 1 otherwise; 128
    and the signal's number when one ended the run.

    Raises
    ------
    EnvironmentFault
        If the folder of results cannot be written (RN-R26), or another run (RN-R05) or a job that
        one left (RN-R20) is at work on it.
    """
    if config_path is None:
        write_demo(ROOT / "data" / "simulated")
    project = load_project(config_path or ROOT / "config.yaml", overrides)
    out = folder / project.settings.out
    if makes_results:
        check_writable(out)
        # Snakemake looks too, but later: another run may need the records that are deleted here.
        refuse_beside_others(out)
        forget_failed(out, experiments=project.experiments)
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), *words]
    run, began = run_id(project.settings.as_dict()), Claim.mine().since
    code = run_command(command, environment={RUN_VARIABLE: run})
    if not makes_results or code > SIGNALLED:
        return code
    return _last_words(project, out=out, run=run, began=began, code=code)


def check_writable(out: Path) -> None:
    """Make the folder of results, and see that it takes files, before any job runs for nothing.

    Raises
    ------
    EnvironmentFault
        If it does not (RN-R26).
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise EnvironmentFault(
            code="RN-R26",
            file=str(out),
            found=f"the results folder cannot be written: {error.strerror}",
            fix="make it writable, or choose another folder with the setting 'out'",
        ) from error


def run_command(command: Sequence[str], *, environment: Mapping[str, str]) -> int:
    """How the workflow ended; a signal to this process is left to it, so that it can tidy up.

    Parameters
    ----------
    environment
        What it is told beside the environment of this process.
    """
    received: list[int] = []
    told = {**os.environ, "MPLBACKEND": "Agg", **environment}
    process = subprocess.Popen(command, env=told)  # noqa: S603

    def pass_on(number: int, _: FrameType | None) -> None:
        # A terminal sends its interrupt to the workflow too, which must not get it twice: it would
        # stop in the midst of ending its jobs and lifting its lock.
        if number != signal.SIGINT:
            process.send_signal(number)
        received.append(number)

    heard = [number for number in PASSED_ON if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, pass_on) for number in heard}
    try:
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received or code < 0:
        return SIGNALLED + (received[0] if received else -code)
    return code


def exit_codes_of_jobs(out: Path, *, run: str) -> Iterator[int]:
    """The class of each failure that jobs of a run left: what ended them stands in no report.

    A method's is 1, whatever its data lacked.
    """
    for path in out.rglob(failure_file(Path("*")).name):
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["run"] == run:
            code = int(told["exit_code"])
            known = code == EnvironmentFault.exit_code or told["stage"] == "ingest"
            yield code if known else PipelineError.exit_code


def _last_words(project: Project, *, out: Path, run: str, began: str, code: int) -> int:
    documents = [out / experiment / "report.json" for experiment in project.experiments]
    made = [path for path in documents if path.exists()]
    for path in made:
        print(f"Report: {path.with_suffix('.html')}")  # noqa: T201 - what the run is for
    if (out / "index.html").exists():
        print(f"Index:  {out / 'index.html'}")  # noqa: T201
    if code == 0:
        return 0
    killed = killed_jobs(out, since=began)
    for fault in killed:
        print(fault, file=sys.stderr)  # noqa: T201
    reported = [
        *(exit_code_of(read_plain(path)) for path in made),
        *(fault.exit_code for fault in killed),
    ]
    return max((*reported, *exit_codes_of_jobs(out, run=run)), default=0) or code
