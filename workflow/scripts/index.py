"""Write the index over all experiments."""

from pathlib import Path

from pipeline.stages.index import index
from pipeline.stages.run_context import StageRun, stage_run

run = StageRun(
    stage="index",
    experiment="all",
    inputs=tuple(Path(path) for path in snakemake.input.documents),
)
outputs = [Path(path) for path in snakemake.output]
with stage_run(run, log=Path(snakemake.log[0]), outputs=outputs) as run:
    index(documents=[Path(path) for path in snakemake.input.documents], output=outputs[0])
