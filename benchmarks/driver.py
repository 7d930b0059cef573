"""What the driver of a run takes beside its jobs, on many small recordings.

Every recording is the same little file under a name of its own, and all methods are switched off,
so that jobs only read, hold labels against each other and write reports. Printed are the processor
time and the memory of the driver (Snakemake) itself, those of the jobs, and the time of the whole.

    .venv/bin/python benchmarks/driver.py [--experiments 50] [--recordings 4] [--cores 2]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.killed_runs import driver  # noqa: E402
from tests.support.nwb_factory import imaging_file  # noqa: E402

METHODS = ("connectome", "biclustering", "trsa", "celltypes")
SECONDS_BETWEEN_LOOKS = 0.5
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Write recordings, run, and print what was taken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiments", type=int, default=50)
    parser.add_argument("--recordings", type=int, default=4, help="of each experiment")
    parser.add_argument("--cores", type=int, default=2)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_project(folder, chosen.experiments, chosen.recordings)
        began = time.monotonic()
        busy_s, peak_mb = run(folder, chosen.cores)
        whole_s = time.monotonic() - began
        facts = [json.loads(path.read_text()) for path in folder.rglob("*.run.json")]
        n_jobs = int(re.findall(r"of (\d+) steps", (folder / "driver.log").read_text())[-1])
    jobs_s = sum(each["processor_seconds"] for each in facts)
    print(
        f"{chosen.experiments * chosen.recordings} recordings, {n_jobs} jobs, "
        f"{chosen.cores} cores: {whole_s:.0f} s"
    )
    print(
        f"driver: {busy_s:.1f} s of a processor ({1000 * busy_s / n_jobs:.0f} ms a job), "
        f"{peak_mb:.0f} MB; jobs: {jobs_s:.0f} s of a processor"
    )


def write_project(folder: Path, n_experiments: int, n_recordings: int) -> None:
    """Sheet and settings over links to one file."""
    imaging_file(folder / "one.nwb")
    sheet = ["experiment\trecording\tnwb"]
    for i in range(n_experiments):
        for j in range(n_recordings):
            copy = folder / f"e{i:03d}_r{j}.nwb"
            copy.hardlink_to(folder / "one.nwb")
            sheet.append(f"e{i:03d}\tr{j}\t{copy.name}")
    (folder / "recordings.tsv").write_text("\n".join(sheet) + "\n")
    off = {name: {"enabled": False} for name in METHODS}
    settings = {"recordings": "recordings.tsv", "methods": off}
    (folder / "settings.yaml").write_text(json.dumps(settings))


def run(folder: Path, cores: int) -> tuple[float, float]:
    """Processor seconds and largest memory in MB of the driver alone, without its jobs."""
    words = ("--configfile", "settings.yaml", "--cores", str(cores))
    busy_s, peak_mb = 0.0, 0.0
    with (folder / "driver.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", "run", "--", *words],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        while process.poll() is None:
            for pid in driver(process.pid):
                seen = Path(f"/proc/{pid}")
                try:
                    fields = (seen / "stat").read_text().rpartition(")")[2].split()
                    status = (seen / "status").read_text()
                except OSError:  # it has just ended
                    continue
                busy_s = max(busy_s, (int(fields[11]) + int(fields[12])) / TICKS)
                peak_mb = max(peak_mb, int(status.partition("VmHWM:")[2].split()[0]) / 1024)
            time.sleep(SECONDS_BETWEEN_LOOKS)
    if process.returncode:
        sys.exit((folder / "driver.log").read_text()[-3000:])
    return busy_s, peak_mb


if __name__ == "__main__":
    main()
