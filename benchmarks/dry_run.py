"""How long a dry run takes on many recordings, against a bare workflow.

The peer is a Snakefile of the same number of jobs and files without settings, sheet or scripts, so
that the ratio is what our checking and our input functions cost on top of Snakemake itself.

    .venv/bin/python benchmarks/dry_run.py [--experiments 100] [--recordings 3]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.submissions import submissions  # noqa: E402

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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiments", type=int, default=100)
    parser.add_argument("--recordings", type=int, default=3, help="of each experiment")
    chosen = parser.parse_args()
    n_experiments, n_recordings = chosen.experiments, chosen.recordings
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "one.nwb").write_bytes(b"never opened in a dry run")
        sheet = ["experiment\trecording\tnwb\tactivity"]
        for i in range(n_experiments):
            for j in range(n_recordings):
                copy = folder / f"e{i:03d}_r{j}.nwb"
                copy.hardlink_to(folder / "one.nwb")
                sheet.append(f"e{i:03d}\tr{j}\t{copy.name}\tcalcium")
        (folder / "recordings.tsv").write_text("\n".join(sheet) + "\n")
        (folder / "settings.yaml").write_text("recordings: recordings.tsv\n")
        ours = ["--snakefile", str(ROOT / "Snakefile"), "--configfile", "settings.yaml"]
        seconds, jobs = dry_run_seconds(folder, *ours)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        busy = used.ru_utime + used.ru_stime
        profile = ["--profile", str(ROOT / "profiles" / "slurm")]
        _, submitted, _ = submissions(folder, *ours, *profile)
        fixed = 2 * n_experiments * n_recordings + 3 * n_experiments + 3
        parts = round((jobs - fixed) / n_experiments)
        bare = folder / "bare.smk"
        bare.write_text(
            BARE.format(experiments=n_experiments, recordings=n_recordings, parts=parts)
        )
        bare_seconds, bare_jobs = dry_run_seconds(folder, "--snakefile", str(bare))
    print(f"ours: {seconds:.1f} s for {jobs} jobs; bare: {bare_seconds:.1f} s for {bare_jobs} jobs")
    print(f"ratio {seconds / bare_seconds:.2f}; budget 15 s for 100 x 3")
    print(f"ours: {submitted} submissions with profiles/slurm")
    print(f"ours: {busy:.1f} s of a processor, {used.ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
