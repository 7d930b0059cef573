"""Make one view of a recording."""

from pathlib import Path

from pipeline.stages.costs import records_job
from pipeline.stages.prepare import prepare
from pipeline.stages.run_context import StageRun, stage_run

run = StageRun(
    stage="prepare",
    experiment=snakemake.wildcards.experiment,
    recording=snakemake.wildcards.recording,
    threads=snakemake.threads,
    cost=records_job("prepare", [snakemake.input.recording]).fact(),
)
output = Path(snakemake.output.view)
with stage_run(run, log=Path(snakemake.log[0]), outputs=[output]) as run:
    prepare(
        run,
        view=snakemake.params.kind,
        settings=snakemake.params.settings,
        recording=Path(snakemake.input.recording),
        output=output,
    )
