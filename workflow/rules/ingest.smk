"""NWB files to recordings."""


rule ingest:
    input:
        nwb=lambda wildcards: ancient(str(row_of(wildcards).nwb)),  # its content counts
    output:
        recording=f"{OUT}/{{experiment}}/recordings/{{recording}}/recording.h5",
        quality=f"{OUT}/{{experiment}}/recordings/{{recording}}/quality.json",
    log:
        f"{OUT}/logs/{{experiment}}/ingest_{{recording}}.log",
    benchmark:
        f"{OUT}/timings/{{experiment}}/ingest_{{recording}}.tsv"
    conda:
        "../../envs/neuroptych.yaml"
    threads: 1
    resources:
        # Streamed: not by the size of the file, which may hold a raw movie.
        mem_mb=lambda wildcards, input, attempt: costs.ingest_job(
            input.nwb
        ).estimate.memory_to_ask_mb(attempt, least=STREAMED_MB),
        runtime=minutes(lambda input: costs.ingest_job(input.nwb).estimate, 60),
    params:
        options=lambda wildcards: asdict(row_of(wildcards).options),
        subject=lambda wildcards: row_of(wildcards).subject,
        strict=SETTINGS.prepare.strict,
        limits=SETTINGS.prepare.quality.model_dump(),
        results_version=RECORDING_VERSION,
        content=content_of,
    message:
        "Reading {wildcards.experiment}/{wildcards.recording}"
    script:
        "../scripts/ingest.py"
