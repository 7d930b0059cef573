"""Join the parts of a method to its result."""

from pathlib import Path

from pipeline.stages.costs import method_job, view_sizes
from pipeline.stages.fit import MethodJob, gather
from pipeline.stages.run_context import StageRun, stage_run

job = MethodJob.of(
    snakemake.params.method, settings=snakemake.params.settings, seed=snakemake.params.seed
)
run = StageRun(
    stage="gather",
    experiment=snakemake.wildcards.experiment,
    recording=snakemake.wildcards.get("recording", ""),
    method=job.spec.name,
    threads=snakemake.threads,
    cost=method_job(
        job.spec, job.config, view_sizes(job.spec, snakemake.input.views), "gather"
    ).fact(),
)
outputs = [Path(path) for path in snakemake.output]
with stage_run(run, log=Path(snakemake.log[0]), outputs=outputs) as run:
    gather(
        run,
        job,
        views=[Path(path) for path in snakemake.input.views],
        parts=[Path(path) for path in snakemake.input.parts],
        tables=[Path(path) for path in snakemake.input.get("tables", [])],
        output=outputs[0],
    )
