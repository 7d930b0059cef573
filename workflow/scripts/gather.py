"""Join the parts of a method to its result."""

from pathlib import Path

from pipeline.stages.fit import MethodJob, gather
from pipeline.stages.run_context import StageRun, stage_run

run = StageRun(
    stage="gather",
    experiment=snakemake.wildcards.experiment,
    recording=snakemake.wildcards.get("recording", ""),
    method=snakemake.params.method,
    threads=snakemake.threads,
)
job = MethodJob.of(run.method, settings=snakemake.params.settings, seed=snakemake.params.seed)
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
