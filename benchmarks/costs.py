"""What jobs took, held against what they were expected to take; and the model fitted anew.

Every job leaves beside its result how large its work was and what it took (``*.run.json``). From
the facts of one or several folders of results, the memory and the time of each kind of job are
fitted as a floor and a price of each size, none of them below 0.

    .venv/bin/python benchmarks/costs.py compare RESULTS [RESULTS ...]
    .venv/bin/python benchmarks/costs.py fit RESULTS [RESULTS ...]
    .venv/bin/python benchmarks/costs.py simulate FOLDER

``fit`` writes ``pipeline/stages/costs.json``; kinds of jobs of which there are few facts, or only
of like sizes, keep their prices. Parts of a fit leave none that shared a job with another kind.
``simulate`` writes recordings of many sizes, and settings of which runs give facts over wide
ranges: few steps for all recordings, and more components, draws and resamples for the smaller ones.
Results of all of them lie in ``FOLDER/results``.

    for settings in FOLDER/*.yaml; do ./run.sh --cores 1 --configfile $settings; done
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
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
LEAST_FACTS = 5
"""A kind of job of which there are fewer facts keeps its prices."""
LEAST_SPREAD = 2.0
"""Sizes that differ by less than this factor among all jobs have no price."""
FEW: dict[str, dict[str, Any]] = {
    "biclustering": {"max_counts": 200_000, "held_out": "both"},
}
"""What differs from the settings of tests: recordings of every size are fitted."""
MANY: dict[str, dict[str, Any]] = {
    "connectome": {"rank": 6, "max_iterations": 60, "n_surrogates": 3},
    "biclustering": {"n_tune": 20, "n_draws": 20, "held_out": "both"},
    "trsa": {
        "n_permutations": 199,
        "n_bootstraps": 100,
        "n_splits": 30,
        "level_step": 0.1,
        "n_comparisons": 99,
        "n_graphs": 29,
        "homology": {"n_shuffles": 29},
    },
    "celltypes": {"encoding": {"max_epochs": 12}},
}
KINDS = {
    "traces": ("connectome",),
    "spikes": ("biclustering", "trsa"),
    "movie": ("celltypes",),
}
"""Methods that are run on recordings of each kind."""
SMALLER = ("traces-1", "spikes-1", "movie-0")
"""Recordings that are run with these too."""
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
        found = json.loads(MEASURED.read_text(encoding="utf-8"))
        found |= {kind: prices_of(jobs) for kind, jobs in kinds.items() if tells_sizes(jobs)}
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


def tells_sizes(jobs: list[dict[str, Any]]) -> bool:
    """Whether there are enough facts, of sizes that differ."""
    held = [job["cost"]["numbers"] for job in jobs]
    sizes = [[each[name] for each in held] for name in held[0]]
    spread = any(max(each) > 0 and max(each) >= LEAST_SPREAD * min(each) for each in sizes)
    return spread and len(jobs) >= LEAST_FACTS


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
    # What jobs of like sizes have in common is laid to the libraries that all of them load, so
    # that much larger jobs are not told to be as many times dearer.
    known = took.min() / 2
    table[:, table.max(axis=0) < LEAST_SPREAD * table.min(axis=0)] = 0.0
    table[:, 0] = 1.0
    scale = np.maximum(table.max(axis=0), 1e-300)
    # Each job counts alike, whatever its size: what matters is how many times too little it was.
    weight = 1 / np.maximum(took, least)
    found, _ = nnls(table / scale * weight[:, None], (took - known) * weight)
    prices = found / scale
    prices[0] += known
    return {
        name: float(f"{price:.4g}") for name, price in zip(("floor", *names), prices, strict=True)
    }


def compare(kinds: Mapping[str, list[dict[str, Any]]]) -> None:
    """Print how far the model in the repository is from what was measured, as a table."""
    known = json.loads(MEASURED.read_text(encoding="utf-8"))
    print("| job | n | peak, MB | expected / measured | processor, s | expected / measured |")
    print("| --- | --- | --- | --- | --- | --- |")
    for kind, jobs in sorted(kinds.items()):
        if kind not in known:
            print(f"| {kind} | {len(jobs)} | not in the model |")
            continue
        cells = []
        for measure, (sizes, taken) in MEASURES.items():
            took = np.array([float(job[taken]) for job in jobs])
            expected = np.array([_expected(known[kind][measure], job, sizes) for job in jobs])
            ratio = np.maximum(expected, LEAST[measure]) / np.maximum(took, LEAST[measure])
            cells.append(f"{took.min():.0f} to {took.max():.0f}")
            cells.append(f"{ratio.min():.2f} to {ratio.max():.2f}")
        print(f"| {kind} | {len(jobs)} | {' | '.join(cells)} |")


def _expected(prices: Mapping[str, float], job: Mapping[str, Any], sizes: str) -> float:
    """What a job is expected to take by its sizes."""
    priced = (prices.get(name, 0.0) * size for name, size in job["cost"][sizes].items())
    return float(prices["floor"] + sum(priced))


def simulate(folder: Path) -> None:
    """Write recordings of many sizes, and settings with which their methods run through quickly."""
    from sized_recordings import write_sized

    from tests.support.quick_settings import QUICK_METHODS

    few = with_changes(QUICK_METHODS, FEW)
    rows = write_sized(folder)
    smaller = [row for row in rows if row["recording"] in SMALLER]
    for steps, methods, sheet in (
        ("few", few, rows),
        ("many", with_changes(few, MANY), smaller),
    ):
        for kind, useful in KINDS.items():
            name = f"{kind}-{steps}"
            chosen = [row for row in sheet if row["recording"].startswith(kind)]
            lines = ["\t".join(chosen[0]), *("\t".join(row.values()) for row in chosen)]
            (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
            settings = {
                "recordings": f"{name}.tsv",
                "out": str(folder.absolute() / "results" / name),
                "run": {"parts_per_job": 1},  # facts are of one kind of part
                "methods": {
                    method: block if method in useful else {"enabled": False}
                    for method, block in methods.items()
                },
            }
            (folder / f"{name}.yaml").write_text(json.dumps(settings), encoding="utf-8")
            print(f"./run.sh --configfile {folder}/{name}.yaml")


def with_changes(methods: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of methods, some of them changed."""
    return {name: {**block, **changes.get(name, {})} for name, block in methods.items()}


if __name__ == "__main__":
    main()
