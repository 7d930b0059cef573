"""Say how each method ended; fail when one failed."""

from pathlib import Path

from pipeline.stages.index import summary
from pipeline.stages.run_context import StageRun, stage_run

run = StageRun(stage="summary", experiment="all")
with stage_run(run, log=Path(snakemake.log[0]), outputs=[]) as run:
    summary(
        documents=[Path(path) for path in snakemake.input.documents],
        output=Path(snakemake.output.table),
    )
