"""Pages for people, and the last word on what failed."""


localrules:
    index,
    provenance,
    summary,


rule report:
    input:
        recordings=per_recording(
            f"{OUT}/{{experiment}}/recordings/{{recording}}/recording.h5"
        ),
        qualities=per_recording(
            f"{OUT}/{{experiment}}/recordings/{{recording}}/quality.json"
        ),
        sections=[f"{OUT}/{{experiment}}/{method}/section.json" for method in METHODS],
        agreement=f"{OUT}/{{experiment}}/agreement/section.json",
    output:
        html=report(
            f"{OUT}/{{experiment}}/report.html",
            caption="../report/experiment.rst",
            category="Reports",
            labels={"experiment": "{experiment}", "what": "report"},
        ),
        document=f"{OUT}/{{experiment}}/report.json",
        tables=directory(f"{OUT}/{{experiment}}/tables"),
        figures=directory(f"{OUT}/{{experiment}}/figures"),
    log:
        f"{OUT}/logs/{{experiment}}/report.log",
    benchmark:
        f"{OUT}/timings/{{experiment}}/report.tsv"
    conda:
        "../../envs/neuroptych.yaml"
    threads: 1
    resources:
        mem_mb=memory(records_cost("report"), 2_000, 8),
        runtime=minutes(records_cost("report"), 30),
    params:
        recordings=lambda wildcards: [
            row.recording for row in EXPERIMENTS[wildcards.experiment]
        ],
        left_out=lambda wildcards: {
            row.recording: row.exclude
            for row in PROJECT.left_out(wildcards.experiment)
        },
        methods=METHODS,
        settings=report_settings(SETTINGS),
        changed=changed_settings(SETTINGS, among=report_settings(SETTINGS)),
        redact=SETTINGS.run.redact,
        page_limit_mb=SETTINGS.run.page_limit_mb,
        table_formats=SETTINGS.run.table_formats,
        figure_formats=SETTINGS.run.figure_formats,
        timings=f"{OUT}/timings/{{experiment}}",
        version=__version__,
    message:
        "Writing the report of {wildcards.experiment}"
    script:
        "../scripts/report.py"


rule index:
    input:
        documents=expand(f"{OUT}/{{experiment}}/report.json", experiment=EXPERIMENTS),
        pages=expand(f"{OUT}/{{experiment}}/report.html", experiment=EXPERIMENTS),
    output:
        html=report(
            f"{OUT}/index.html",
            caption="../report/index.rst",
            category="Overview",
            labels={"experiment": "all", "what": "index"},
        ),
    log:
        f"{OUT}/logs/index.log",
    benchmark:
        f"{OUT}/timings/index.tsv"
    conda:
        "../../envs/neuroptych.yaml"
    threads: 1
    resources:
        mem_mb=1_000,
        runtime=10,
    params:
        version=__version__,
    message:
        "Writing the index over all experiments"
    script:
        "../scripts/index.py"


rule provenance:
    input:
        documents=expand(f"{OUT}/{{experiment}}/report.json", experiment=EXPERIMENTS),
    output:
        document=f"{OUT}/provenance.json",
    log:
        f"{OUT}/logs/provenance.log",
    benchmark:
        f"{OUT}/timings/provenance.tsv"
    conda:
        "../../envs/neuroptych.yaml"
    threads: 1
    resources:
        mem_mb=1_000,
        runtime=10,
    params:
        recordings={
            name: [row.recording for row in rows] for name, rows in EXPERIMENTS.items()
        },
        settings=report_settings(SETTINGS),
        changed=changed_settings(SETTINGS, among=report_settings(SETTINGS)),
        redact=SETTINGS.run.redact,
        version=__version__,
    message:
        "Writing down how all results were made"
    script:
        "../scripts/provenance.py"


rule summary:
    input:
        documents=expand(f"{OUT}/{{experiment}}/report.json", experiment=EXPERIMENTS),
        index=f"{OUT}/index.html",
    output:
        table=f"{OUT}/summary.tsv",  # not there when anything failed, so not in reports
    log:
        f"{OUT}/logs/summary.log",
    benchmark:
        f"{OUT}/timings/summary.tsv"
    conda:
        "../../envs/neuroptych.yaml"
    threads: 1
    resources:
        mem_mb=1_000,
        runtime=10,
    message:
        "How each method ended"
    script:
        "../scripts/summary.py"
