"""A small run that is killed at random moments, resumed, and compared with one that was not.

Every start is killed at a moment between its beginning and the time that a whole run takes, with
all of its jobs, as when a node is lost; every other one loses the driver alone, whose job goes on
as an orphan. The locks are lifted and the run is started again. Runs that come to their end are
compared, byte for byte, and the next begins in an empty folder, until there were enough kills.

    .venv/bin/python benchmarks/kill_and_resume.py [--kills 20] [--folder DIR]
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pipeline.core.rng import stream  # noqa: E402
from tests.support.killed_runs import killed_run, results_of, unlocked  # noqa: E402
from tests.support.tiny_project import pipeline_run, write_tiny_recordings  # noqa: E402

SETTINGS = """\
recordings: sheet.tsv
out: OUT
methods:
  connectome: {rank: 2, n_restarts: 2, n_surrogates: 1, max_iterations: 20, min_animals: 1}
  trsa: {enabled: false}
  biclustering: {enabled: false}
  celltypes: {enabled: false}
run: {parts_per_job: 1}
"""
SHEET = "experiment\trecording\tnwb\tactivity\tidentity\n" + "".join(
    f"e\t{name}\t{name}.nwb\tcalcium\tidentity\n" for name in ("one", "two")
)


def main() -> None:
    """Kill, resume, compare; the exit code is 1 if anything differed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--folder", type=Path, default=None)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        sys.exit(0 if run(Path(name), chosen.kills) else 1)


def run(folder: Path, n_kills: int) -> bool:
    """Whether every resumed run ended with the same results."""
    write_tiny_recordings(folder)
    (folder / "sheet.tsv").write_text(SHEET)
    for out in ("whole", "killed"):
        (folder / f"{out}.yaml").write_text(SETTINGS.replace("OUT", out))
    began = time.monotonic()
    done = pipeline_run(folder, "--cores", "2", "--configfile", "whole.yaml")
    assert done.returncode == 0, done.stderr[-3000:]
    whole_s = time.monotonic() - began
    wanted = results_of(folder / "whole")
    print(f"An uninterrupted run: {whole_s:.0f} s, {len(wanted)} results", flush=True)
    moments = stream(1, "kills and resumes")
    words = ("--cores", "2", "--configfile", "killed.yaml")
    kills, finished, same = 0, 0, True
    while True:
        if kills < n_kills:
            moment = float(moments.uniform(0, whole_s))
            if killed_run(folder, *words, after_s=moment, all_of_it=kills % 2 == 0):
                kills += 1
                unlocked(folder, "killed.yaml")
                found = results_of(folder / "killed")
                half = [place for place, content in found.items() if content != wanted.get(place)]
                same = same and not half
                print(f"kill {kills} after {moment:.1f} s: {len(found)} results, {half or 'whole'}")
                sys.stdout.flush()
                continue
        else:
            done = pipeline_run(folder, *words)
            assert done.returncode == 0, done.stderr[-3000:]
        finished += 1
        equal = results_of(folder / "killed") == wanted
        same = same and equal
        word = "with the same results" if equal else "otherwise"
        print(f"run {finished} ended {word}", flush=True)
        if kills >= n_kills:
            word = "all equal" if same else "NOT EQUAL"
            print(f"{kills} kills, {finished} runs to the end: {word}")
            return same
        shutil.rmtree(folder / "killed")


if __name__ == "__main__":
    main()
