"""Dynamic functional connectome: number of components, restarts and surrogates, their joining."""

# The number of components follows from all runs of the candidates, each fit from that number alone.
CONNECTOME_BATCHES = [
    (batch, parts_of("connectome", number - 1) if number else [])
    for number, _ in enumerate(SETTINGS.methods.connectome.rounds())
    for batch in batches_of("connectome", number)
]

for number, (batch, earlier) in enumerate(CONNECTOME_BATCHES):

    rule:
        name:
            f"connectome_fit_{number}"
        input:
            views=views_of("connectome"),
            earlier=earlier,
        output:
            parts=batch,
        log:
            f"{OUT}/logs/{{experiment}}/connectome_fit_{number}.log",
        benchmark:
            f"{OUT}/timings/{{experiment}}/connectome_fit_{number}.tsv"
        conda:
            "../../envs/neuroptych.yaml"
        threads: 1
        resources:
            mem_mb=memory(fit_cost("connectome", batch), 3_000, 20),
            runtime=minutes(fit_cost("connectome", batch), 120),
            gpu=cards("connectome"),
        params:
            method="connectome",
            settings=method_settings(SETTINGS, "connectome"),
            seed=SETTINGS.seed,
        message:
            f"Connectome of {{wildcards.experiment}}, parts {number}"
        script:
            "../scripts/fit.py"


rule connectome_gather:
    input:
        views=views_of("connectome"),
        parts=joined_parts("connectome"),
        tables=tables_of("connectome"),
    output:
        fit=f"{OUT}/{{experiment}}/connectome/fit.h5",
    log:
        f"{OUT}/logs/{{experiment}}/connectome_gather.log",
    benchmark:
        f"{OUT}/timings/{{experiment}}/connectome_gather.tsv"
    conda:
        "../../envs/neuroptych.yaml"
    threads: 1
    resources:
        mem_mb=memory(method_cost("connectome", "gather"), 3_000, 50),
        runtime=minutes(method_cost("connectome", "gather"), 60),
    params:
        **content_of_tables("connectome"),
        method="connectome",
        settings=method_settings(SETTINGS, "connectome"),
        seed=SETTINGS.seed,
    message:
        "Joining the connectome of {wildcards.experiment}"
    script:
        "../scripts/gather.py"


rule connectome_assess:
    input:
        recordings=per_recording(
            f"{OUT}/{{experiment}}/recordings/{{recording}}/recording.h5"
        ),
        fits=[f"{OUT}/{{experiment}}/connectome/fit.h5"],
        views=views_of("connectome"),
        truths=truths,
    output:
        checks=f"{OUT}/{{experiment}}/connectome/checks.json",
        section=f"{OUT}/{{experiment}}/connectome/section.json",
    log:
        f"{OUT}/logs/{{experiment}}/connectome_assess.log",
    benchmark:
        f"{OUT}/timings/{{experiment}}/connectome_assess.tsv"
    conda:
        "../../envs/neuroptych.yaml"
    threads: 1
    resources:
        mem_mb=memory(
            method_cost("connectome", "assess"), 2_000, 50, aside="recordings"
        ),
        runtime=minutes(method_cost("connectome", "assess"), 30),
    params:
        method="connectome",
        settings=method_settings(SETTINGS, "connectome"),
        seed=SETTINGS.seed,
        truths=checksums_of(truths),
        version=__version__,  # its words
    message:
        "Questioning the connectome of {wildcards.experiment}"
    script:
        "../scripts/assess.py"
