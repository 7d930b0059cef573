"""Write the report of one experiment."""

from pathlib import Path

from pipeline.stages.costs import records_job
from pipeline.stages.report import report
from pipeline.stages.run_context import StageRun, stage_run

run = StageRun(
    stage="report",
    experiment=snakemake.wildcards.experiment,
    inputs=tuple(Path(path) for path in snakemake.input),
    settings=snakemake.params.settings,
    cost=records_job("report", snakemake.input.recordings).fact(),
)
names, found = snakemake.params.recordings, snakemake.input
outputs = [Path(path) for path in snakemake.output]
with stage_run(run, log=Path(snakemake.log[0]), outputs=outputs) as run:
    report(
        run,
        recordings=dict(zip(names, map(Path, found.recordings), strict=True)),
        qualities=dict(zip(names, map(Path, found.qualities), strict=True)),
        sections=dict(zip(snakemake.params.methods, map(Path, found.sections), strict=True)),
        agreement=Path(found.agreement),
        left_out=snakemake.params.left_out,
        settings=snakemake.params.settings,
        changed=snakemake.params.changed,
        timings=Path(snakemake.params.timings),
        redact=snakemake.params.redact,
        page_limit_mb=snakemake.params.page_limit_mb,
        table_formats=snakemake.params.table_formats,
        figure_formats=snakemake.params.figure_formats,
        html=outputs[0],
        document=outputs[1],
        tables=Path(snakemake.output.tables),
        figures=Path(snakemake.output.figures),
    )
