"""Fit a method to each half of the data, for tests of agreement."""

from pathlib import Path

from pipeline.stages.costs import method_job, view_sizes
from pipeline.stages.fit import MethodJob
from pipeline.stages.halves import refit_halves
from pipeline.stages.run_context import StageRun, stage_run

job = MethodJob.of(
    snakemake.params.method, settings=snakemake.params.settings, seed=snakemake.params.seed
)
run = StageRun(
    stage="halves",
    experiment=snakemake.wildcards.experiment,
    recording=snakemake.wildcards.get("recording", ""),
    method=job.spec.name,
    threads=snakemake.threads,
    cost=method_job(
        job.spec, job.config, view_sizes(job.spec, snakemake.input.views), "halves"
    ).fact(),
)
outputs = [Path(path) for path in snakemake.output]
with stage_run(run, log=Path(snakemake.log[0]), outputs=outputs) as run:
    refit_halves(
        run,
        job,
        recordings={Path(path).parent.name: Path(path) for path in snakemake.input.recordings},
        views=[Path(path) for path in snakemake.input.views],
        fit=Path(snakemake.input.fit),
        others=[Path(path) for path in snakemake.input.others],
        gap_s=snakemake.params.gap_s,
        output=outputs[0],
    )
