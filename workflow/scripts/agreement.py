"""Hold the labels of all methods against each other."""

from pathlib import Path

from pipeline.stages.agreement import agreement
from pipeline.stages.costs import agreement_job_of
from pipeline.stages.run_context import StageRun, stage_run

run = StageRun(
    stage="agreement",
    experiment=snakemake.wildcards.experiment,
    inputs=tuple(Path(path) for path in snakemake.input),
    settings={**snakemake.params.settings, "seed": snakemake.params.seed},
    cost=agreement_job_of(
        snakemake.input.recordings, snakemake.params.settings["n_permutations"]
    ).fact(),
)
names, found = snakemake.params.recordings, snakemake.input
outputs = [Path(path) for path in snakemake.output]
with stage_run(run, log=Path(snakemake.log[0]), outputs=outputs) as run:
    agreement(
        run,
        recordings=dict(zip(names, map(Path, found.recordings), strict=True)),
        qualities=dict(zip(names, map(Path, found.qualities), strict=True)),
        fits={
            method: [Path(path) for path in found.get(method, [])]
            for method in snakemake.params.methods
        },
        halves={
            method: [Path(path) for path in found.get(f"halves_of_{method}", [])]
            for method in snakemake.params.halved
        },
        truths=[Path(path) for path in found.truths],
        settings=snakemake.params.settings,
        seed=snakemake.params.seed,
        section=outputs[0],
        table=outputs[1],
    )
