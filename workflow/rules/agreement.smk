"""Labels of all methods held against each other."""


rule agreement:
    input:
        **{method: fits_of(method) for method in METHODS},
        recordings=per_recording(
            f"{OUT}/{{experiment}}/recordings/{{recording}}/recording.h5"
        ),
        qualities=per_recording(
            f"{OUT}/{{experiment}}/recordings/{{recording}}/quality.json"
        ),
    output:
        section=f"{OUT}/{{experiment}}/agreement/section.json",
        table=report(
            f"{OUT}/{{experiment}}/units.csv",
            caption="../report/units.rst",
            category="Tables",
            labels={"experiment": "{experiment}", "what": "labels of units"},
        ),
    log:
        f"{OUT}/logs/{{experiment}}/agreement.log",
    benchmark:
        f"{OUT}/timings/{{experiment}}/agreement.tsv"
    conda:
        "../../envs/neuroptych.yaml"
    threads: 1
    resources:
        mem_mb=memory(records_cost("agreement"), 2_000, 8),
        runtime=minutes(records_cost("agreement"), 30),
    params:
        recordings=lambda wildcards: [
            row.recording for row in EXPERIMENTS[wildcards.experiment]
        ],
        methods=METHODS,
        settings=SETTINGS.agreement.model_dump(),
        seed=SETTINGS.seed,
        version=__version__,  # its words
    message:
        "Holding the methods of {wildcards.experiment} against each other"
    script:
        "../scripts/agreement.py"
