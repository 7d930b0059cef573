"""Functional cell types: encoding models, clusterings of what they answer, then their joining."""

# One job a part: each is minutes of work.
for number, _ in enumerate(SETTINGS.methods.celltypes.rounds()):
    for part in parts_of("celltypes", number):

        rule:
            name:
                f"celltypes_fit_{Path(part).stem.replace('-', '_')}"
            input:
                views=views_of("celltypes"),
                earlier=[
                    file
                    for before in range(number)
                    for file in parts_of("celltypes", before)
                ],
            output:
                parts=[part],
            log:
                f"{OUT}/logs/{{experiment}}/celltypes_fit_{Path(part).stem}.log",
            benchmark:
                f"{OUT}/timings/{{experiment}}/celltypes_fit_{Path(part).stem}.tsv"
            conda:
                "../../envs/neuroptych-gpu.yaml"
            threads: 1
            resources:
                mem_mb=memory(fit_cost("celltypes", [part]), 3_000, 20),
                runtime=minutes(fit_cost("celltypes", [part]), 240),
                gpu=cards("celltypes"),
            params:
                method="celltypes",
                settings=method_settings(SETTINGS, "celltypes"),
                seed=SETTINGS.seed,
            message:
                f"Cell types of {{wildcards.experiment}}: {Path(part).stem}"
            script:
                "../scripts/fit.py"


rule celltypes_gather:
    input:
        views=views_of("celltypes"),
        parts=joined_parts("celltypes"),
    output:
        fit=f"{OUT}/{{experiment}}/celltypes/fit.h5",
    log:
        f"{OUT}/logs/{{experiment}}/celltypes_gather.log",
    benchmark:
        f"{OUT}/timings/{{experiment}}/celltypes_gather.tsv"
    conda:
        "../../envs/neuroptych-gpu.yaml"
    threads: 1
    resources:
        mem_mb=memory(method_cost("celltypes", "gather"), 3_000, 20),
        runtime=minutes(method_cost("celltypes", "gather"), 120),
        gpu=cards("celltypes"),
    params:
        method="celltypes",
        settings=method_settings(SETTINGS, "celltypes"),
        seed=SETTINGS.seed,
    message:
        "Joining the cell types of {wildcards.experiment}"
    script:
        "../scripts/gather.py"


rule celltypes_assess:
    input:
        recordings=per_recording(
            f"{OUT}/{{experiment}}/recordings/{{recording}}/recording.h5"
        ),
        fits=[f"{OUT}/{{experiment}}/celltypes/fit.h5"],
        views=views_of("celltypes"),
        truths=truths,
    output:
        checks=f"{OUT}/{{experiment}}/celltypes/checks.json",
        section=f"{OUT}/{{experiment}}/celltypes/section.json",
    log:
        f"{OUT}/logs/{{experiment}}/celltypes_assess.log",
    benchmark:
        f"{OUT}/timings/{{experiment}}/celltypes_assess.tsv"
    conda:
        "../../envs/neuroptych-gpu.yaml"
    threads: 1
    resources:
        mem_mb=memory(method_cost("celltypes", "assess"), 2_000, 20, aside="recordings"),
        runtime=minutes(method_cost("celltypes", "assess"), 30),
    params:
        method="celltypes",
        settings=method_settings(SETTINGS, "celltypes"),
        seed=SETTINGS.seed,
        truths=checksums_of(truths),
        version=__version__,  # its words
    message:
        "Questioning the cell types of {wildcards.experiment}"
    script:
        "../scripts/assess.py"
