"""Read one NWB file into a recording, in a process that may die of it."""

from pathlib import Path

from pipeline.stages.costs import ingest_job
from pipeline.stages.ingest import ingest_apart
from pipeline.stages.run_context import StageRun, stage_run

run = StageRun(
    stage="ingest",
    experiment=snakemake.wildcards.experiment,
    recording=snakemake.wildcards.recording,
    threads=snakemake.threads,
    cost=ingest_job(snakemake.input.nwb).fact(),
    read_from=Path(snakemake.input.nwb).parent,
)
outputs = [Path(path) for path in snakemake.output]
with stage_run(run, log=Path(snakemake.log[0]), outputs=outputs) as run:
    ingest_apart(
        run,
        nwb=Path(snakemake.input.nwb),
        options=snakemake.params.options,
        subject=snakemake.params.subject,
        strict=snakemake.params.strict,
        limits=snakemake.params.limits,
        output=outputs[0],
        quality=outputs[1],
        checksums=outputs[0].parents[3] / ".checksums",
    )
