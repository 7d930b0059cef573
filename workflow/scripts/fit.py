"""Fit some parts of a method."""

from pathlib import Path

from pipeline.stages.costs import fit_fact
from pipeline.stages.fit import MethodJob, fit_parts
from pipeline.stages.run_context import StageRun, stage_run

job = MethodJob.of(
    snakemake.params.method, settings=snakemake.params.settings, seed=snakemake.params.seed
)
run = StageRun(
    stage="fit",
    experiment=snakemake.wildcards.experiment,
    recording=snakemake.wildcards.get("recording", ""),
    method=job.spec.name,
    threads=snakemake.threads,
    cost=fit_fact(job.spec, job.config, snakemake.input.views, snakemake.output),
)
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
