"""The shipped profiles, as Snakemake reads them, and the commands of other schedulers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from snakemake.cli import parse_args, parse_set_resources

from pipeline import registry
from pipeline.core.outcome import Outcome
from pipeline.io.records import read_record
from pipeline.stages.claims import RUN
from tests.support.submissions import submissions
from tests.support.tiny_project import WITHOUT_METHODS

ROOT = Path(__file__).resolve().parents[2]
SCHEDULER = ROOT / "profiles" / "generic" / "scheduler.sh"
NAMES = ("default", "slurm", "generic")
RESOURCES = {"mem_mb", "runtime", "slurm_partition", "slurm_account", "readers", "gpu"}
"""What lines of profiles name besides rules."""

EFFECTIVE = """
import json, sys
from snakemake.cli import parse_args
_, asked = parse_args(["--snakefile", sys.argv[1], "--profile", sys.argv[2]])
resources = {name: asked.default_resources[name].value for name in ("mem_mb", "runtime")}
print(json.dumps([asked.jobs, asked.retries, asked.latency_wait, resources["mem_mb"],
    resources["runtime"], asked.executor, asked.keep_going, asked.rerun_incomplete]))
"""


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    """Names of all rules with the settings that hold by default."""
    folder = tmp_path_factory.mktemp("rules")
    (folder / "a.nwb").write_text("not opened")
    (folder / "sheet.tsv").write_text("experiment\trecording\tnwb\ne\tr\ta.nwb\n")
    (folder / "settings.yaml").write_text("recordings: sheet.tsv\n")
    words = ("--snakefile", str(ROOT / "Snakefile"), "--configfile", "settings.yaml")
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *words, "--list-rules"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def profile(name):
    return yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text())


@pytest.mark.parametrize(("name", "executor"), [("slurm", "slurm"), ("generic", "cluster-generic")])
def test_the_default_profile_takes_nothing_back_of_a_clusters(tmp_path, name, executor):
    words = [str(ROOT / "Snakefile"), str(ROOT / "profiles" / name)]
    done = subprocess.run(
        [sys.executable, "-c", EFFECTIVE, *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert yaml.safe_load(done.stdout) == [100, 2, 60, 4000, 120, executor, True, True]
    assert f"and workflow specific profile {ROOT}/profiles/default" in done.stderr


def asked_by_a_group(tmp_path, *words):
    """What sbatch is asked for by the job that reads and prepares ten recordings of 30 MB."""
    programs = tmp_path / "bin"
    programs.mkdir()
    answers = {"sbatch": f'printf "%s\\n" "$*" >>{tmp_path}/asked; exit 1'}
    for name in ("sacct", "squeue", "sinfo", "scontrol", "scancel", "sbatch"):
        (programs / name).write_text(f"#!/bin/sh\n{answers.get(name, 'exit 0')}\n")
        (programs / name).chmod(0o755)
    lines = ["experiment\trecording\tnwb\tactivity"]
    for number in range(10):
        with (tmp_path / f"{number}.nwb").open("wb") as file:
            file.truncate(30_000_000)
        lines.append(f"e\tr{number}\t{number}.nwb\tcalcium")
    (tmp_path / "sheet.tsv").write_text("\n".join(lines) + "\n")
    methods = WITHOUT_METHODS.replace("connectome: {enabled: false}", "connectome: {}")
    (tmp_path / "settings.yaml").write_text(f"recordings: sheet.tsv\n{methods}")
    profile = ("--profile", ROOT / "profiles" / "slurm", "--retries", "0", "--slurm-no-account")
    files = ("--snakefile", ROOT / "Snakefile", "--configfile", "settings.yaml")
    subprocess.run(
        [sys.executable, "-m", "snakemake", *files, *profile, *words],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        check=False,
        timeout=300,
    )
    (line,) = (tmp_path / "asked").read_text().splitlines()
    return {
        name: int(re.search(rf"{word}[= ](\d+)", line)[1])
        for name, word in (("mem_mb", "--mem"), ("runtime", "-t"), ("cpus", "--cpus-per-task"))
    }


@pytest.mark.slow
def test_a_group_asks_by_its_jobs_and_not_by_the_cores_of_the_login_node(tmp_path):
    asked = asked_by_a_group(tmp_path, "--cores", "1")
    # An hour to read, and half an hour to prepare, ten of each side by side.
    assert (asked["cpus"], asked["runtime"]) == (10, 90)
    assert 2_500 <= asked["mem_mb"] <= 10_000


PAGES = sorted(["agreement", "report", *(f"{name}_assess" for name in registry.methods())])


@pytest.mark.slow
def test_what_follows_the_fits_of_an_experiment_is_submitted_once(tmp_path):
    lines = ["experiment\trecording\tnwb\tactivity"]
    for number in range(12):
        (tmp_path / f"{number}.nwb").write_text("not opened")
        lines.append(f"e{number // 4}\tr{number}\t{number}.nwb\tcalcium")
    (tmp_path / "sheet.tsv").write_text("\n".join(lines) + "\n")
    (tmp_path / "settings.yaml").write_text("recordings: sheet.tsv\n")
    n_jobs, n_submissions, shared = submissions(
        tmp_path,
        *("--snakefile", ROOT / "Snakefile", "--configfile", "settings.yaml"),
        *("--profile", ROOT / "profiles" / "slurm"),
    )
    assert shared.count(PAGES) == 3
    readers = [rules for rules in shared if rules != PAGES]
    assert {rule for rules in readers for rule in rules} == {"ingest", "prepare_view"}
    assert len(readers) == 2  # of ten recordings, and of two
    assert n_submissions == n_jobs - sum(len(rules) - 1 for rules in shared)


def test_jobs_share_one_on_other_schedulers_as_on_slurm():
    slurm, generic = profile("slurm"), profile("generic")
    assert slurm["groups"] == generic["groups"]
    assert slurm["group-components"] == generic["group-components"]


@pytest.mark.slow
def test_plain_snakemake_is_refused_on_a_slurm_that_keeps_no_accounts(tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sacct", "sbatch", "squeue", "sinfo", "scontrol", "scancel"):
        answer = "echo 'MinJobAge = 300 sec'" if name == "scontrol" else "exit 1"
        (programs / name).write_text(f"#!/bin/sh\n{answer}\n")
        (programs / name).chmod(0o755)
    (tmp_path / "a.nwb").write_text("no recording")
    (tmp_path / "sheet.tsv").write_text("experiment\trecording\tnwb\ne\tr\ta.nwb\n")
    (tmp_path / "settings.yaml").write_text(f"recordings: sheet.tsv\n{WITHOUT_METHODS}")
    words = ("--snakefile", ROOT / "Snakefile", "--configfile", "settings.yaml")
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *words, "--profile", ROOT / "profiles" / "slurm"],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode != 0
    assert "RN-R28" in done.stderr
    assert "--slurm-status-command squeue" in done.stderr
    assert not (tmp_path / "results" / RUN).exists()


@pytest.mark.parametrize("name", NAMES)
def test_profiles_name_rules_that_are_there(name, rules):
    text = (ROOT / "profiles" / name / "config.yaml").read_text()
    # Examples in comments too, which a reader takes away the mark of.
    named = set(re.findall(r"^[# ]*- (\w+)[:=]", text, re.MULTILINE)) - RESOURCES
    for listed in re.findall(r"slurm-array-jobs: \"(.*)\"", text):
        named |= set(listed.split(","))
    assert len(named) > 1 or name == "default"
    assert named - rules == set()


def uncommented(name, *, group):
    """A profile whose example lines hold: those that are settings once their mark is taken away."""
    lines = []
    for line in (ROOT / "profiles" / name / "config.yaml").read_text().splitlines():
        found = re.fullmatch(r"(\s*)# ((?:  )?- \w+[:=].*|[a-z-]+:(?: \S.*)?)", line)
        lines.append(found[1] + found[2] if found and group in found[2] else line)
    return yaml.safe_load("\n".join(lines))


@pytest.mark.parametrize(
    ("group", "key", "value"),
    [
        ("slurm_partition=Y", "default-resources", "slurm_partition=YOUR_PARTITION"),
        ("slurm_account=Y", "default-resources", "slurm_account=YOUR_ACCOUNT"),
        ("slurm-status-command", "slurm-status-command", "squeue"),
        ("slurm-no-account", "slurm-no-account", True),
        ("slurm-array-jobs", "slurm-array-jobs", "connectome_fit_0,connectome_fit_1"),
        ("deployment-method: conda", "software-deployment-method", "conda"),
        ("deployment-method: apptainer", "software-deployment-method", "apptainer"),
        ("apptainer-args", "apptainer-args", "--bind /path/to/checkout,/path/to/data"),
    ],
)
def test_lines_that_wait_for_their_mark_to_go_are_settings(tmp_path, group, key, value):
    profile = uncommented("slurm", group=group)
    assert value == profile[key] or value in profile[key]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(profile))
    _, asked = parse_args(["--snakefile", str(ROOT / "Snakefile"), "--profile", str(tmp_path)])
    assert asked.executor == "slurm"


def test_examples_for_single_rules_are_what_snakemake_reads():
    text = (ROOT / "profiles" / "slurm" / "config.yaml").read_text()
    examples = re.findall(r"^#   - (\w+:\w+=.*)$", text, re.MULTILINE)
    assert len(examples) >= 4
    parsed = parse_set_resources(examples)
    assert parsed["connectome_gather"]["mem_mb"].value == 16000
    assert set(parsed["celltypes_gather"]) == {"slurm_partition"}


def test_only_profiles_of_clusters_try_again():
    assert "retries" not in profile("default")
    for file in (ROOT / "workflow" / "rules").glob("*.smk"):
        assert "retries" not in file.read_text()


FAKES = {
    "qsub": 'printf "%s " "$@" >asked; echo 4711',
    "qstat": "cat alive 2>/dev/null",
    "qacct": "cat ended 2>/dev/null",
    "qdel": 'echo "$@" >cancelled',
    "bsub": 'printf "%s " "$@" >asked; echo "Job <4711> is submitted to queue <normal>."',
    "bjobs": "cat alive 2>/dev/null",
    "bkill": 'echo "$@" >cancelled',
}


@pytest.fixture
def scheduler(tmp_path):
    """Runs scheduler.sh beside commands that answer from files in the folder."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in FAKES.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)

    def _scheduler(*words, **environment):
        path = f"{programs}:{os.environ['PATH']}"
        return subprocess.run(
            [SCHEDULER, *words],
            cwd=tmp_path,
            env={**os.environ, "PATH": path, "STATUS_PAUSE": "0", **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    return _scheduler


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("sge", ["-pe smp 3", "h_vmem=1334M", "h_rt=7500", "-q long", "job.sh"]),
        ("lsf", ["-n 3", "rusage[mem=4000]", "-W 125", "-q long", "sh job.sh"]),
        ("pbs", ["select=1:ncpus=3:mem=4000mb", "walltime=02:05:00", "-q long", "job.sh"]),
    ],
)
def test_a_job_is_submitted_with_what_its_rule_asks_for(scheduler, tmp_path, kind, words):
    done = scheduler("submit", kind, "3", "4000", "125", "0", "job.sh", SUBMIT_OPTIONS="-q long")
    assert (done.returncode, done.stdout) == (0, "4711\n"), done.stderr
    asked = (tmp_path / "asked").read_text()
    for word in words:
        assert word in asked
    assert "gpu" not in asked


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("sge", "-l h_rt=7500 -l gpu=2 -o"),
        ("lsf", "-W 125 -gpu num=2 -o"),
        ("pbs", "select=1:ncpus=3:mem=4000mb:ngpus=2 -l"),
    ],
)
def test_a_job_is_submitted_with_its_graphics_cards(scheduler, tmp_path, kind, words):
    done = scheduler("submit", kind, "3", "4000", "125", "2", "job.sh")
    assert (done.returncode, done.stdout) == (0, "4711\n"), done.stderr
    asked = (tmp_path / "asked").read_text()
    assert words in asked
    assert "job.sh" in asked


ANSWERS = [
    ("sge", "4711 0.5 job me r 11/24/2026\n", None, "running"),
    ("sge", "4711 0.5 job me Eqw 11/24/2026\n", None, "failed"),
    ("sge", "471 0.5 job me r 11/24/2026\n", "failed       0\nexit_status  0\n", "success"),
    ("sge", None, "failed       0\nexit_status  137\n", "failed"),
    ("sge", None, "failed       37 : qmaster enforced h_rt limit\nexit_status  0\n", "failed"),
    ("lsf", "PEND\n", None, "running"),
    ("lsf", "DONE\n", None, "success"),
    ("lsf", "EXIT\n", None, "failed"),
    ("pbs", "Job Id: 4711\n    job_state = R\n", None, "running"),
    ("pbs", "    job_state = F\n    Exit_status = 0\n", None, "success"),
    ("pbs", "    job_state = F\n    Exit_status = -29\n", None, "failed"),
    ("pbs", "    job_state = F\n", None, "failed"),
]


@pytest.mark.parametrize(("kind", "alive", "ended", "state"), ANSWERS)
def test_the_state_of_a_job_is_told_in_one_word(scheduler, tmp_path, kind, alive, ended, state):
    if alive is not None:
        (tmp_path / "alive").write_text(alive)
    if ended is not None:
        (tmp_path / "ended").write_text(ended)
    done = scheduler("status", kind, "4711")
    assert (done.returncode, done.stdout) == (0, f"{state}\n"), done.stderr


@pytest.mark.parametrize("kind", ["sge", "lsf", "pbs"])
def test_a_job_that_nobody_knows_has_failed(scheduler, kind):
    assert scheduler("status", kind, "4711").stdout == "failed\n"


@pytest.mark.parametrize("kind", ["sge", "lsf", "pbs"])
def test_a_job_is_cancelled(scheduler, tmp_path, kind):
    assert scheduler("cancel", kind, "4711").returncode == 0
    assert (tmp_path / "cancelled").read_text() == "4711\n"


GRID_ENGINE = {
    # Runs the job at once, and keeps what it was asked for and how the job ended.
    "qsub": """echo "$*" >>{folder}/asked; for script; do :; done
code=0; sh "$script" >/dev/null 2>&1 || code=$?
printf 'failed 0\\nexit_status %s\\n' $code >{folder}/ended; echo 4711""",
    "qstat": "exit 1",
    "qacct": "cat {folder}/ended",
    "qdel": "exit 0",
}


@pytest.mark.slow
def test_a_run_on_grid_engine_goes_through_the_shipped_profile(tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in GRID_ENGINE.items():
        (programs / name).write_text(f"#!/bin/sh\n{text.format(folder=tmp_path)}\n")
        (programs / name).chmod(0o755)
    profile = tmp_path / "profile"
    shutil.copytree(ROOT / "profiles" / "generic", profile)
    text = (profile / "config.yaml").read_text()
    text = text.replace("profiles/generic/scheduler.sh", str(SCHEDULER))
    (profile / "config.yaml").write_text(text)
    (tmp_path / "a.nwb").write_text("no recording")
    (tmp_path / "sheet.tsv").write_text("experiment\trecording\tnwb\ne\tr\ta.nwb\n")
    (tmp_path / "settings.yaml").write_text(f"recordings: sheet.tsv\n{WITHOUT_METHODS}")
    read = "results/e/recordings/r/recording.h5"
    words = ("--configfile", "settings.yaml", "--profile", profile, "--latency-wait", "5", read)
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", *words],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "STATUS_PAUSE": "0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    # That the file is no recording is told in its place, by the job.
    assert read_record(tmp_path / read, Outcome).status == "failed"
    (asked,) = (tmp_path / "asked").read_text().splitlines()
    for word in ("-pe smp 1", "h_vmem=1000M", "h_rt=3600"):
        assert word in asked
    assert "gpu" not in asked


def test_an_unknown_scheduler_is_refused(scheduler):
    done = scheduler("status", "moab", "4711")
    assert done.returncode == 2
    assert "not moab" in done.stderr
