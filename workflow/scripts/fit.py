"""Fit some parts of a method."""

from pathlib import Path

from pipeline.stages.fit import MethodJob, fit_parts
from pipeline.stages.run_context import StageRun, stage_run

run = StageRun(
    stage="fit",
    experiment=snakemake.wildcards.experiment,
    recording=snakemake.wildcards.get("recording", ""),
    method=snakemake.params.method,
    threads=snakemake.threads,
)
job = MethodJob.of(run.method, settings=snakemake.params.settings, seed=snakemake.params.seed)
outputs = [Path(path) for path in snakemake.output]
with stage_run(run, log=Path(snakemake.log[0]), outputs=outputs) as run:
    fit_parts(
        run,
        job,
        views=[Path(path) for path in snakemake.input.views],
        outputs=outputs,
        earlier=[Path(path) for path in snakemake.input.get("earlier", [])],
        tables=[Path(path) for path in snakemake.input.get("tables", [])],
    )
