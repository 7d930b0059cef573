"""What jobs took, held against what they were expected to take; and the model fitted anew.

Every job leaves beside its result how large its work was and what it took (``*.run.json``). From
the facts of one or several folders of results, the memory and the time of each kind of job are
fitted as a floor and a price of each size, none of them below 0.

    .venv/bin/python benchmarks/costs.py compare RESULTS [RESULTS ...]
    .venv/bin/python benchmarks/costs.py fit RESULTS [RESULTS ...]
    .venv/bin/python benchmarks/costs.py simulate FOLDER

``fit`` writes ``pipeline/stages/costs.json``. ``simulate`` writes recordings of many sizes and
settings, of which a run gives facts over a wide range:

    ./run.sh --configfile FOLDER/settings.yaml
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pipeline.core.outcome import Outcome  # noqa: E402
from pipeline.io.records import record_type  # noqa: E402
from pipeline.stages.costs import MEASURED  # noqa: E402

MEASURES = {
    "memory_mb": ("numbers", "peak_memory_mb"),
    "seconds": ("steps", "processor_seconds"),
}
"""What is estimated, from which sizes, and where it stands among the facts."""
LEAST = {"memory_mb": 50.0, "seconds": 1.0}
"""Below these, differences do not matter."""


def main() -> None:
    """Fit or compare, or write recordings to measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["compare", "fit", "simulate"])
    parser.add_argument("folders", nargs="+", type=Path)
    chosen = parser.parse_args()
    if chosen.what == "simulate":
        simulate(chosen.folders[0])
        return
    kinds: dict[str, list[dict[str, Any]]] = {}
    for facts in facts_of(chosen.folders):
        kinds.setdefault(facts["cost"]["kind"], []).append(facts)
    if chosen.what == "fit":
        found = {kind: prices_of(jobs) for kind, jobs in sorted(kinds.items())}
        MEASURED.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    compare(kinds)


def facts_of(folders: list[Path]) -> Iterator[dict[str, Any]]:
    """Facts of all jobs that had something to do."""
    for folder in folders:
        for path in sorted(folder.rglob("*.run.json")):
            facts = json.loads(path.read_text(encoding="utf-8"))
            result = path.with_name(path.name.replace(".run.json", ".h5"))
            nothing = result.exists() and record_type(result) == Outcome.__name__
            if facts.get("cost", {}).get("numbers") and not nothing:
                yield facts


def prices_of(jobs: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Floor and prices of a kind of job, by least squares in shares of what was measured."""
    return {
        measure: _prices(jobs, sizes=sizes, taken=taken, least=LEAST[measure])
        for measure, (sizes, taken) in MEASURES.items()
    }


def _prices(
    jobs: list[dict[str, Any]], *, sizes: str, taken: str, least: float
) -> dict[str, float]:
    names = sorted({name for job in jobs for name in job["cost"][sizes]})
    took = np.array([float(job[taken]) for job in jobs])
    table = np.array(
        [[1.0, *(job["cost"][sizes].get(name, 0.0) for name in names)] for job in jobs]
    )
    scale = np.maximum(table.max(axis=0), 1e-300)
    # Each job counts alike, whatever its size: what matters is how many times too little it was.
    weight = 1 / np.maximum(took, least)
    found, _ = nnls(table / scale * weight[:, None], took * weight)
    return {
        name: float(f"{price:.4g}")
        for name, price in zip(("floor", *names), found / scale, strict=True)
    }


def compare(kinds: dict[str, list[dict[str, Any]]]) -> None:
    """Print how far the model in the repository is from what was measured."""
    known = json.loads(MEASURED.read_text(encoding="utf-8"))
    print("kind                          jobs   memory (MB)      taken over expected    seconds")
    for kind, jobs in sorted(kinds.items()):
        if kind not in known:
            print(f"{kind:28} {len(jobs):5}   not in the model")
            continue
        cells = []
        for measure, (sizes, taken) in MEASURES.items():
            took = np.array([float(job[taken]) for job in jobs])
            expected = np.array(
                [
                    known[kind][measure]["floor"]
                    + sum(
                        known[kind][measure].get(name, 0.0) * size
                        for name, size in job["cost"][sizes].items()
                    )
                    for job in jobs
                ]
            )
            ratio = np.maximum(took, LEAST[measure]) / np.maximum(expected, LEAST[measure])
            cells.append(
                f"{took.min():8.0f} to {took.max():6.0f}   {ratio.min():4.2f} to {ratio.max():4.2f}"
            )
        print(f"{kind:28} {len(jobs):5}   {'   '.join(cells)}")


def simulate(folder: Path) -> None:
    """Write recordings of many sizes, and settings with which all methods run through quickly."""
    from sized_recordings import write_sized

    from tests.support.quick_settings import QUICK_METHODS

    rows = write_sized(folder)
    lines = ["\t".join(rows[0]), *("\t".join(row.values()) for row in rows)]
    (folder / "recordings.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    settings = {"recordings": "recordings.tsv", "methods": QUICK_METHODS}
    (folder / "settings.yaml").write_text(json.dumps(settings), encoding="utf-8")
    print(f"./run.sh --configfile {folder}/settings.yaml --config out={folder}/results")


if __name__ == "__main__":
    main()
