"""Bi-clustering of units and states: chains of each recording, then their joining."""

for part in parts_of("biclustering"):

    rule:
        name:
            f"biclustering_fit_{Path(part).stem.replace('-', '_')}"
        input:
            views=[view_of("biclustering")],
        output:
            parts=part,
        log:
            f"{OUT}/logs/{{experiment}}/biclustering_{{recording}}_{Path(part).stem}.log",
        benchmark:
            f"{OUT}/timings/{{experiment}}/biclustering_{{recording}}_{Path(part).stem}.tsv"
        conda:
            "../../envs/neuroptych.yaml"
        threads: 1
        resources:
            mem_mb=memory(fit_cost("biclustering", [part]), 2_000, 400),
            runtime=minutes(fit_cost("biclustering", [part]), 720),
        params:
            method="biclustering",
            settings=method_settings(SETTINGS, "biclustering"),
            seed=SETTINGS.seed,
        message:
            f"Bi-clustering of {{wildcards.experiment}}/{{wildcards.recording}}, {Path(part).stem}"
        script:
            "../scripts/fit.py"


rule biclustering_gather:
    input:
        views=[view_of("biclustering")],
        parts=joined_parts("biclustering"),
    output:
        fit=f"{folder_of('biclustering')}/fit.h5",
    log:
        f"{OUT}/logs/{{experiment}}/biclustering_{{recording}}_gather.log",
    benchmark:
        f"{OUT}/timings/{{experiment}}/biclustering_{{recording}}_gather.tsv"
    conda:
        "../../envs/neuroptych.yaml"
    threads: 1
    resources:
        mem_mb=memory(method_cost("biclustering", "gather"), 4_000, 60),
        runtime=minutes(method_cost("biclustering", "gather"), 120),
    params:
        method="biclustering",
        settings=method_settings(SETTINGS, "biclustering"),
        seed=SETTINGS.seed,
    message:
        "Joining the bi-clustering of {wildcards.experiment}/{wildcards.recording}"
    script:
        "../scripts/gather.py"


rule biclustering_assess:
    input:
        recordings=per_recording(
            f"{OUT}/{{experiment}}/recordings/{{recording}}/recording.h5"
        ),
        fits=per_recording(f"{folder_of('biclustering')}/fit.h5"),
        views=views_of("biclustering"),
        truths=truths,
    output:
        checks=f"{OUT}/{{experiment}}/biclustering/checks.json",
        section=f"{OUT}/{{experiment}}/biclustering/section.json",
    log:
        f"{OUT}/logs/{{experiment}}/biclustering_assess.log",
    benchmark:
        f"{OUT}/timings/{{experiment}}/biclustering_assess.tsv"
    conda:
        "../../envs/neuroptych.yaml"
    threads: 1
    resources:
        mem_mb=memory(
            method_cost("biclustering", "assess"), 3_000, 50, aside="recordings"
        ),
        runtime=minutes(method_cost("biclustering", "assess"), 60),
    params:
        method="biclustering",
        settings=method_settings(SETTINGS, "biclustering"),
        seed=SETTINGS.seed,
        truths=checksums_of(truths),
        version=__version__,  # its words
    message:
        "Questioning the bi-clustering of {wildcards.experiment}"
    script:
        "../scripts/assess.py"
