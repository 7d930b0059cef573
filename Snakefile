"""Neuroptych: from NWB recordings to one report per experiment."""

from snakemake.utils import min_version

min_version("9.27")


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"


# Used with --sdm apptainer alone.
container: SETTINGS.run.container


onstart:
    drop_default_rate_limit()
    leave_out_login_cores()
    try:
        refuse_silent_slurm()
        claim_results(Path(OUT))
    except EnvironmentFault as error:
        raise WorkflowError(str(error)) from None


onsuccess:
    release_results(Path(OUT))


onerror:
    release_results(Path(OUT))


rule all:
    default_target: True
    input:
        f"{OUT}/index.html",
        f"{OUT}/provenance.json",
        f"{OUT}/summary.tsv",


include: "workflow/rules/ingest.smk"
include: "workflow/rules/prepare.smk"


for name in METHODS:

    include: f"workflow/rules/{name}.smk"


include: "workflow/rules/agreement.smk"
include: "workflow/rules/report.smk"
