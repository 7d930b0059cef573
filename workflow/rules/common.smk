"""Settings, sheet and path patterns that the rules share. No computation."""

import os
from dataclasses import asdict
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

from pipeline import __version__, registry
from pipeline.config import (
    changed_settings,
    method_settings,
    method_tables,
    report_settings,
    view_name,
    view_settings,
)
from pipeline.core.errors import ConfigErrors, EnvironmentFault
from pipeline.core.halves import HALVES_VERSION
from pipeline.core.recording import ID_PATTERN, RECORDING_VERSION
from pipeline.core.views import VIEW_VERSION
from pipeline.io.hashing import sha256_of
from pipeline.stages import costs
from pipeline.stages.check import fitted_to_halves, load_project, nothing_to_fit
from pipeline.stages.claims import claim_results, release_results
from pipeline.stages.contents import content_mark
from pipeline.stages.machine import COMMIT_VARIABLE, commit_told
from pipeline.stages.own_process import STALLED_VARIABLE
from pipeline.stages.run_context import (
    ON_ERROR_VARIABLE,
    RUN_VARIABLE,
    STARTED_VARIABLE,
    how_started,
    run_id,
)
from pipeline.stages.schedulers import refuse_unwatched

# Not `configfile:`, which would merge a user's file over the demo's (settings have one source).
CONFIG_FILES = [Path(file) for file in workflow.config_settings.configfiles]
DEFAULT_CONFIG = Path(workflow.basedir) / "config.yaml"

try:
    PROJECT = load_project(
        CONFIG_FILES[-1] if CONFIG_FILES else DEFAULT_CONFIG,
        overrides=dict(workflow.config_settings.config),
    )
except ConfigErrors as error:
    raise WorkflowError(f"Nothing was started.\n{error}") from None

SETTINGS = PROJECT.settings
os.environ[ON_ERROR_VARIABLE] = SETTINGS.run.on_method_error
os.environ[STALLED_VARIABLE] = str(SETTINGS.run.stalled_after_s)
os.environ.setdefault(COMMIT_VARIABLE, commit_told())
os.environ.setdefault(
    STARTED_VARIABLE,
    how_started(
        directory=Path.cwd(),
        out=SETTINGS.out,
        configfiles=CONFIG_FILES[-1:],
        config=workflow.config_settings.config,
    ),
)
os.environ.setdefault(RUN_VARIABLE, run_id(SETTINGS.as_dict()))
if (
    DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method
    and not SETTINGS.run.container
):
    raise WorkflowError(
        "Nothing was started: --sdm apptainer needs an image. Fix: name it in the settings, "
        "'run: {container: IMAGE}'."
    )
# Snakemake itself tells the other libraries, and numba not.
shell.prefix("export NUMBA_NUM_THREADS=$OMP_NUM_THREADS; ")
OUT = SETTINGS.out
EXPERIMENTS = PROJECT.experiments
METHODS = [
    name for name in registry.methods() if getattr(SETTINGS.methods, name).enabled
]
HALVED = [
    spec.name
    for spec in registry.methods().values()
    if any(spec in fitted_to_halves(SETTINGS, rows) for rows in EXPERIMENTS.values())
]
VIEWS = {
    view_name(SETTINGS, kind): kind
    for name in METHODS
    for kind in registry.methods()[name].kinds
}
STREAMED_MB = 1_000
"""Least memory of jobs that stream; beside it the scheduler's own Python needs room."""
GROUP_CORES = 10
"""Most processors that jobs of a group ask for together; ten recordings are read side by side."""


wildcard_constraints:
    experiment=ID_PATTERN.pattern,
    recording=ID_PATTERN.pattern,
    view="|".join(VIEWS) or "none",


def row_of(wildcards):
    """The sheet's line for a recording."""
    rows = EXPERIMENTS[wildcards.experiment]
    return next(row for row in rows if row.recording == wildcards.recording)


def content_of(wildcards):
    """A word that changes with the content of a recording's files; jobs do not look again."""
    record = (
        f"{OUT}/{wildcards.experiment}/recordings/{wildcards.recording}/recording.h5"
    )
    return content_mark(
        row_of(wildcards).nwb,
        record=Path(record),
        memory=Path(OUT) / ".checksums",
        look=workflow.is_main_process,
    )


def checksums_of(files):
    """Params function: checksums of files of the user's, which count by them and not by their times.

    Copied files have new times, and those from an archive old ones.
    """

    def find(wildcards):
        named = files(wildcards) if callable(files) else files
        # Of what is missing, the workflow says more.
        return [sha256_of(path) for path in map(Path, named) if path.exists()]

    return find


def tables_of(method):
    """Input: the tables that a method's settings name."""
    return ancient(method_tables(SETTINGS, method))  # their content counts


def content_of_tables(method):
    """Params of the content of a method's tables: none without tables."""
    tables = method_tables(SETTINGS, method)
    return {"content": checksums_of(tables)} if tables else {}


def per_recording(pattern):
    """Input function: one path for each of an experiment's recordings, in the sheet's order."""
    return lambda wildcards: [
        pattern.format(experiment=wildcards.experiment, recording=row.recording)
        for row in EXPERIMENTS[wildcards.experiment]
    ]


def views_of(method):
    """Input function: the views of a method, by kind those it prefers first."""
    kinds = registry.methods()[method].kinds
    folders = [
        f"{OUT}/{{experiment}}/views/{view_name(SETTINGS, kind)}" for kind in kinds
    ]
    each = [per_recording(f"{folder}/{{recording}}.h5") for folder in folders]
    return lambda wildcards: [file for files in each for file in files(wildcards)]


def view_of(method):
    """File pattern: the one view of a method that does not pool recordings."""
    view = view_name(SETTINGS, registry.methods()[method].needs)
    return f"{OUT}/{{experiment}}/views/{view}/{{recording}}.h5"


def folder_of(method):
    """Folder pattern of a fit: one an experiment, or one a recording."""
    folder = f"{OUT}/{{experiment}}/{method}"
    pools = registry.methods()[method].pools_recordings
    return folder if pools else f"{folder}/{{recording}}"


def fits_of(method):
    """Input function: the results of a method, one an experiment or one a recording."""
    fit = f"{folder_of(method)}/fit.h5"
    return [fit] if registry.methods()[method].pools_recordings else per_recording(fit)


def halves_of(method):
    """Input function: fits to halves of the data; none where they could not be held together."""
    spec = registry.methods()[method]

    def find(wildcards):
        rows = EXPERIMENTS[wildcards.experiment]
        if spec not in fitted_to_halves(SETTINGS, rows):
            return []
        file = f"{folder_of(method)}/halves.h5"
        if spec.pools_recordings:
            return [file.format(experiment=wildcards.experiment)]
        return [
            file.format(experiment=wildcards.experiment, recording=row.recording)
            for row in rows
            if not nothing_to_fit(SETTINGS, spec, [row])
        ]

    return find


def views_beside(method):
    """Input function: views of the other methods that are fitted to halves.

    They tell whether these have anything to fit, and do not change with settings of theirs.
    """

    def find(wildcards):
        rows = EXPERIMENTS[wildcards.experiment]
        return [
            view
            for spec in fitted_to_halves(SETTINGS, rows)
            if spec.name != method
            for view in views_of(spec.name)(wildcards)
        ]

    return find


def parts_of(method, number=None):
    """File patterns of all parts of a method's fit, or of those of one round."""
    config = getattr(SETTINGS.methods, method)
    parts = config.plan() if number is None else config.rounds()[number]
    return [f"{folder_of(method)}/parts/{part.name}.h5" for part in parts]


def joined_parts(method):
    """Input function: the parts to join; none where the sheet tells that nothing can be fitted."""
    spec, parts = registry.methods()[method], parts_of(method)

    def find(wildcards):
        experiment = EXPERIMENTS[wildcards.experiment]
        rows = experiment if spec.pools_recordings else [row_of(wildcards)]
        if nothing_to_fit(SETTINGS, spec, rows):
            return []
        return [part.format(**wildcards) for part in parts]

    return find


def batches_of(method, number=None):
    """The parts, in groups that share a job and with it the start of an interpreter."""
    parts = parts_of(method, number)
    share = registry.methods()[method].parts_share_jobs
    size = SETTINGS.run.parts_per_job if share else 1
    return [parts[start : start + size] for start in range(0, len(parts), size)]


def truths(wildcards):
    """Input function: what was planted, a file a method, in simulated experiments; else nothing."""
    folders = {row.truth for row in EXPERIMENTS[wildcards.experiment] if row.truth}
    files = {
        file.stem: file
        for folder in sorted(folders, reverse=True)  # of several the first counts
        for file in [folder / f"{method}.h5" for method in registry.methods()]
        if file.exists()
    }
    return [ancient(str(file)) for file in files.values()]


def fit_cost(method, parts):
    """Function of a job's inputs: what fitting these parts takes."""
    spec = registry.methods()[method]
    names = [Path(part).stem for part in parts]
    config = getattr(SETTINGS.methods, method)
    return lambda input: costs.fit_estimate(spec, config, input.views, names)


def method_cost(method, stage):
    """Function of a job's inputs: what another stage of a method takes."""
    spec = registry.methods()[method]
    config = getattr(SETTINGS.methods, method)
    return lambda input: costs.method_job(
        spec, config, costs.view_sizes(spec, input.views), stage
    ).estimate


def records_cost(kind):
    """Function of a job's inputs: what a stage takes that works on whole recordings."""
    return lambda input: costs.records_job(kind, input.recordings).estimate


def agreement_cost(input):
    """What holding the labels of all methods against each other takes."""
    return costs.agreement_job_of(
        input.recordings, SETTINGS.agreement.n_permutations
    ).estimate


def prepare_cost(wildcards, input):
    """What making a view takes: by the recording, or by its NWB file where that is still to be read.

    In a group of jobs both are asked for together, before the recording is there.
    """
    if Path(input.recording).exists():
        return costs.records_job("prepare", [input.recording]).estimate
    return costs.prepare_job_of_file(row_of(wildcards).nwb).estimate


def memory(cost, floor, per_input_mb, aside=""):
    """Resource function: megabytes by what was measured, and at least by the size of the inputs.

    Larger recordings than were measured need more than prices tell. More with each attempt.
    Inputs named by ``aside`` do not count: little is read of them.
    """

    def ask(wildcards, input, attempt):
        files = map(Path, getattr(input, aside) if aside else [])
        aside_mb = sum(file.stat().st_size for file in files if file.exists()) / 2**20
        size_mb = input.size_mb - aside_mb
        return max(
            cost(input).memory_to_ask_mb(attempt),
            attempt * max(floor, int(floor / 2 + per_input_mb * size_mb)),
        )

    return ask


def minutes(cost, least):
    """Resource function: minutes by what was measured, and at least so many, each attempt more."""
    return lambda wildcards, input, attempt: max(
        cost(input).minutes_to_ask(attempt), least * attempt
    )


def cards(method):
    """Graphics cards that a job of a fit asks for: one where the settings insist on it."""
    config = getattr(SETTINGS.methods, method)
    computes_there = getattr(config, "engine", "torch") == "torch"
    return int(computes_there and getattr(config, "device", "") == "cuda")


def drop_default_rate_limit():
    """Leave out Snakemake's own limit of jobs a second; one that was asked for stays.

    For a limit, Snakemake looks again for jobs to start a second after every look, and every job
    that ends begins another such row of looks: hundreds of them a second in a run of hundreds of
    jobs, each with a look at the files of all jobs that wait.
    """
    limiter = workflow.scheduler.job_rate_limiter
    if limiter is not None and (limiter.max_jobs, limiter.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


def refuse_silent_slurm():
    """End a run on Slurm now that would wait for ever to hear how its first job ended."""
    asked = workflow.executor_settings
    if hasattr(asked, "status_command"):
        refuse_unwatched(
            asked.status_command, first_look_s=asked.init_seconds_before_status_checks
        )


def leave_out_login_cores():
    """Let groups of jobs ask for what they need, whatever machine the driver is on.

    Snakemake packs their jobs into the cores that the driver may use, which it counts on its own
    machine. They limit nothing else when jobs go to a scheduler.
    """
    if not workflow.local_exec:
        workflow.global_resources["_cores"] = GROUP_CORES
