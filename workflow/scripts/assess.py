"""Question a method's result and write its section of the report."""

from pathlib import Path

from pipeline.stages.assess import assess
from pipeline.stages.costs import method_job, view_sizes
from pipeline.stages.fit import MethodJob
from pipeline.stages.run_context import StageRun, stage_run

job = MethodJob.of(
    snakemake.params.method, settings=snakemake.params.settings, seed=snakemake.params.seed
)
run = StageRun(
    stage="assess",
    experiment=snakemake.wildcards.experiment,
    method=job.spec.name,
    threads=snakemake.threads,
    inputs=tuple(Path(path) for path in snakemake.input),
    settings={**snakemake.params.settings, "seed": snakemake.params.seed},
    cost=method_job(
        job.spec, job.config, view_sizes(job.spec, snakemake.input.views), "assess"
    ).fact(),
)
outputs = [Path(path) for path in snakemake.output]
with stage_run(run, log=Path(snakemake.log[0]), outputs=outputs) as run:
    assess(
        run,
        job,
        recordings={Path(path).parent.name: Path(path) for path in snakemake.input.recordings},
        fits=[Path(path) for path in snakemake.input.fits],
        views=[Path(path) for path in snakemake.input.views],
        truths=[Path(path) for path in snakemake.input.truths],
        checks=outputs[0],
        section=outputs[1],
    )
