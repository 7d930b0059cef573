"""Labels of all methods held against each other, for which they are fitted to halves as well."""

for method in HALVED:
    # One job an experiment, or one a recording, as the method's fit.
    pools = registry.methods()[method].pools_recordings
    subject = method if pools else f"{method}_{{recording}}"
    # Types may come through a model of each half.
    environment = "neuroptych-gpu" if method == "celltypes" else "neuroptych"

    rule:
        name:
            f"{method}_halves"
        input:
            views=views_of(method) if pools else [view_of(method)],
            recordings=(
                per_recording(
                    f"{OUT}/{{experiment}}/recordings/{{recording}}/recording.h5"
                )
                if pools
                else [f"{OUT}/{{experiment}}/recordings/{{recording}}/recording.h5"]
            ),
            fit=f"{folder_of(method)}/fit.h5",
            others=views_beside(method),
        output:
            halves=f"{folder_of(method)}/halves.h5",
        log:
            f"{OUT}/logs/{{experiment}}/{subject}_halves.log",
        benchmark:
            f"{OUT}/timings/{{experiment}}/{subject}_halves.tsv"
        conda:
            f"../../envs/{environment}.yaml"
        threads: 1
        resources:
            mem_mb=memory(method_cost(method, "halves"), 3_000, 60, aside="others"),
            runtime=minutes(method_cost(method, "halves"), 120),
            gpu=cards(method),
        params:
            method=method,
            settings=method_settings(SETTINGS, method),
            seed=SETTINGS.seed,
            gap_s=SETTINGS.agreement.gap_s,
            version=HALVES_VERSION,
        message:
            f"Fitting {method} to halves of {{wildcards.experiment}}"
        script:
            "../scripts/halves.py"


rule agreement:
    input:
        **{method: fits_of(method) for method in METHODS},
        **{f"halves_of_{method}": halves_of(method) for method in HALVED},
        recordings=per_recording(
            f"{OUT}/{{experiment}}/recordings/{{recording}}/recording.h5"
        ),
        qualities=per_recording(
            f"{OUT}/{{experiment}}/recordings/{{recording}}/quality.json"
        ),
        truths=truths,
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
        mem_mb=memory(agreement_cost, 2_000, 8),
        runtime=minutes(agreement_cost, 30),
    params:
        recordings=lambda wildcards: [
            row.recording for row in EXPERIMENTS[wildcards.experiment]
        ],
        methods=METHODS,
        halved=HALVED,
        settings=SETTINGS.agreement.model_dump(),
        seed=SETTINGS.seed,
        truths=checksums_of(truths),
        version=__version__,  # its words
    message:
        "Holding the methods of {wildcards.experiment} against each other"
    script:
        "../scripts/agreement.py"
