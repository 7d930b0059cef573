"""How long a dry run takes on 100 experiments x 3 recordings, against a bare workflow.

The peer is a Snakefile of the same number of jobs and files without settings, sheet or scripts, so
that the ratio is what our checking and our input functions cost on top of Snakemake itself.

    .venv/bin/python benchmarks/dry_run.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
N_EXPERIMENTS, N_RECORDINGS = 100, 3

BARE = """
EXPERIMENTS = [f"e{{i:03d}}" for i in range({experiments})]
RECORDINGS = [f"r{{i}}" for i in range({recordings})]
PARTS = range({parts})
rule all:
    input: expand("out/{{e}}/page", e=EXPERIMENTS)
rule ingest:
    input: "one.nwb"
    output: "out/{{e}}/{{r}}/recording"
    shell: "touch {{output}}"
rule view:
    input: "out/{{e}}/{{r}}/recording"
    output: "out/{{e}}/{{r}}/view"
    shell: "touch {{output}}"
rule part:
    input: expand("out/{{{{e}}}}/{{r}}/view", r=RECORDINGS)
    output: "out/{{e}}/part{{p}}"
    shell: "touch {{output}}"
rule gather:
    input: expand("out/{{{{e}}}}/part{{p}}", p=PARTS)
    output: "out/{{e}}/fit"
    shell: "touch {{output}}"
rule assess:
    input: "out/{{e}}/fit"
    output: "out/{{e}}/section"
    shell: "touch {{output}}"
rule page:
    input: "out/{{e}}/section"
    output: "out/{{e}}/page"
    shell: "touch {{output}}"
"""


def dry_run_seconds(folder: Path, *arguments: str) -> tuple[float, int]:
    """Wall seconds of a dry run and the number of jobs it would start."""
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    seconds = time.monotonic() - start
    totals = [line.split() for line in done.stdout.splitlines() if line.startswith("total")]
    return seconds, int(totals[-1][-1])


def main() -> None:
    """Print both times and their ratio."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "one.nwb").write_bytes(b"never opened in a dry run")
        sheet = ["experiment\trecording\tnwb\tactivity"]
        for i in range(N_EXPERIMENTS):
            for j in range(N_RECORDINGS):
                copy = folder / f"e{i:03d}_r{j}.nwb"
                copy.hardlink_to(folder / "one.nwb")
                sheet.append(f"e{i:03d}\tr{j}\t{copy.name}\tcalcium")
        (folder / "recordings.tsv").write_text("\n".join(sheet) + "\n")
        (folder / "settings.yaml").write_text("recordings: recordings.tsv\n")
        ours = ["--snakefile", str(ROOT / "Snakefile"), "--configfile", "settings.yaml"]
        seconds, jobs = dry_run_seconds(folder, *ours)
        fixed = 2 * N_EXPERIMENTS * N_RECORDINGS + 3 * N_EXPERIMENTS + 3
        parts = round((jobs - fixed) / N_EXPERIMENTS)
        bare = folder / "bare.smk"
        bare.write_text(
            BARE.format(experiments=N_EXPERIMENTS, recordings=N_RECORDINGS, parts=parts)
        )
        bare_seconds, bare_jobs = dry_run_seconds(folder, "--snakefile", str(bare))
    print(f"ours: {seconds:.1f} s for {jobs} jobs; bare: {bare_seconds:.1f} s for {bare_jobs} jobs")
    print(f"ratio {seconds / bare_seconds:.2f}; budget 15 s")


if __name__ == "__main__":
    main()
