"""Recordings to the views that methods see."""


rule prepare_view:
    input:
        recording=f"{OUT}/{{experiment}}/recordings/{{recording}}/recording.h5",
    output:
        view=f"{OUT}/{{experiment}}/views/{{view}}/{{recording}}.h5",
    log:
        f"{OUT}/logs/{{experiment}}/prepare_{{view}}_{{recording}}.log",
    benchmark:
        f"{OUT}/timings/{{experiment}}/prepare_{{view}}_{{recording}}.tsv"
    conda:
        "../../envs/neuroptych.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, input, attempt: prepare_cost(
            wildcards, input
        ).memory_to_ask_mb(attempt, least=STREAMED_MB),
        runtime=lambda wildcards, input, attempt: prepare_cost(
            wildcards, input
        ).minutes_to_ask(attempt),
    params:
        kind=lambda wildcards: VIEWS[wildcards.view],
        settings=lambda wildcards: view_settings(SETTINGS, VIEWS[wildcards.view]),
        results_version=VIEW_VERSION,
    message:
        "Preparing {wildcards.experiment}/{wildcards.recording}"
    script:
        "../scripts/prepare.py"
