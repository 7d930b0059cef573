"""Question a method's result and write its section of the report."""

from pathlib import Path

from pipeline.stages.assess import assess
from pipeline.stages.fit import MethodJob
from pipeline.stages.run_context import StageRun, stage_run

run = StageRun(
    stage="assess",
    experiment=snakemake.wildcards.experiment,
    method=snakemake.params.method,
    threads=snakemake.threads,
)
job = MethodJob.of(run.method, settings=snakemake.params.settings, seed=snakemake.params.seed)
outputs = [Path(path) for path in snakemake.output]
with stage_run(run, log=Path(snakemake.log[0]), outputs=outputs) as run:
    assess(
        run,
        job,
        fits=[Path(path) for path in snakemake.input.fits],
        views=[Path(path) for path in snakemake.input.views],
        truth=next((Path(path) for path in snakemake.input.truth), None),
        checks=outputs[0],
        section=outputs[1],
    )
