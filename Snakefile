"""Neuroptych: from NWB recordings to one report per experiment."""

from snakemake.utils import min_version

min_version("9.27")


include: "workflow/rules/common.smk"


rule all:
    default_target: True
    input:
        f"{OUT}/index.html",
        f"{OUT}/summary.tsv",


include: "workflow/rules/ingest.smk"
include: "workflow/rules/prepare.smk"


for name in METHODS:

    include: f"workflow/rules/{name}.smk"


include: "workflow/rules/report.smk"
