"""Topology of representations: relabellings and resamples, then their joining."""

for number, batch in enumerate(batches_of("trsa")):

    rule:
        name:
            f"trsa_fit_{number}"
        input:
            views=views_of("trsa"),
            tables=tables_of("trsa"),
        output:
            parts=batch,
        log:
            f"{OUT}/logs/{{experiment}}/trsa_fit_{number}.log",
        benchmark:
            f"{OUT}/timings/{{experiment}}/trsa_fit_{number}.tsv"
        conda:
            "../../envs/neuroptych.yaml"
        threads: 1
        resources:
            mem_mb=memory(fit_cost("trsa", batch), 2_000, 50),
            runtime=minutes(fit_cost("trsa", batch), 120),
        params:
            **content_of_tables("trsa"),
            method="trsa",
            settings=method_settings(SETTINGS, "trsa"),
            seed=SETTINGS.seed,
        message:
            f"Representations of {{wildcards.experiment}}, parts {number}"
        script:
            "../scripts/fit.py"


rule trsa_gather:
    input:
        views=views_of("trsa"),
        parts=joined_parts("trsa"),
        tables=tables_of("trsa"),
    output:
        fit=f"{OUT}/{{experiment}}/trsa/fit.h5",
    log:
        f"{OUT}/logs/{{experiment}}/trsa_gather.log",
    benchmark:
        f"{OUT}/timings/{{experiment}}/trsa_gather.tsv"
    conda:
        "../../envs/neuroptych.yaml"
    threads: 1
    resources:
        mem_mb=memory(method_cost("trsa", "gather"), 2_000, 50),
        runtime=minutes(method_cost("trsa", "gather"), 60),
    params:
        **content_of_tables("trsa"),
        method="trsa",
        settings=method_settings(SETTINGS, "trsa"),
        seed=SETTINGS.seed,
    message:
        "Joining the representations of {wildcards.experiment}"
    script:
        "../scripts/gather.py"


rule trsa_assess:
    input:
        recordings=per_recording(
            f"{OUT}/{{experiment}}/recordings/{{recording}}/recording.h5"
        ),
        fits=[f"{OUT}/{{experiment}}/trsa/fit.h5"],
        views=views_of("trsa"),
        truths=truths,
    output:
        checks=f"{OUT}/{{experiment}}/trsa/checks.json",
        section=f"{OUT}/{{experiment}}/trsa/section.json",
    log:
        f"{OUT}/logs/{{experiment}}/trsa_assess.log",
    benchmark:
        f"{OUT}/timings/{{experiment}}/trsa_assess.tsv"
    conda:
        "../../envs/neuroptych.yaml"
    threads: 1
    resources:
        mem_mb=memory(method_cost("trsa", "assess"), 2_000, 50, aside="recordings"),
        runtime=minutes(method_cost("trsa", "assess"), 30),
    params:
        method="trsa",
        settings=method_settings(SETTINGS, "trsa"),
        seed=SETTINGS.seed,
        truths=checksums_of(truths),
        version=__version__,  # its words
    message:
        "Questioning the representations of {wildcards.experiment}"
    script:
        "../scripts/assess.py"
