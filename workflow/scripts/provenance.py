"""Say how all results were made."""

from pathlib import Path

from pipeline.stages.provenance import write_provenance
from pipeline.stages.run_context import StageRun, stage_run

run = StageRun(stage="provenance", experiment="all")
document = Path(snakemake.output.document)
with stage_run(run, log=Path(snakemake.log[0]), outputs=[]):
    write_provenance(
        out=document.parent,
        recordings=snakemake.params.recordings,
        settings=snakemake.params.settings,
        changed=snakemake.params.changed,
        redact=snakemake.params.redact,
        output=document,
    )
