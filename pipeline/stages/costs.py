"""Memory and time of a job, from its sizes and from what such sizes cost where it was measured.

Each kind of job has a floor and a cost of each of its sizes (``Work``), fitted to the facts that
jobs leave beside their results (``benchmarks/costs.py``). Memory hardly depends on the machine.
Time does: it is that of the processor on which was measured.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.method import MethodConfig, MethodSpec, Part
from pipeline.core.work import Sizes, Work, several
from pipeline.io.record_sizes import axis_sizes, state_of, stored_entries, unit_rows
from pipeline.prepare.kinds import KINDS

MEASURED = Path(__file__).with_name("costs.json")
MARGIN = 1.3
"""How much more memory is asked for than is expected: a job that takes more is killed."""
SLOWER = 4.0
"""How much slower than where it was measured a machine may be before a job runs out of time."""
LEAST_MEMORY_MB = 500
LEAST_MINUTES = 30
STEP_MB = 100
INGEST_BYTES_HELD = 1.4e8
PREPARE_ENTRIES_HELD = 7e7
"""Of longer recordings no more is in memory at a time, since they are streamed: by the peaks of one
of 5000 units in 200 000 frames (``benchmarks/full_size.py``), 0.69 and 0.70 GiB."""
BYTES_PER_ENTRY = 4
"""Of traces in single precision, which most large files hold."""
UNKNOWN: Mapping[str, Mapping[str, float]] = {
    "memory_mb": {"floor": 1000.0},
    "seconds": {"floor": 60.0},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a job is expected to take."""

    memory_mb: float
    seconds: float
    """Of a processor."""

    def memory_to_ask_mb(self, attempt: int, *, least: float = LEAST_MEMORY_MB) -> int:
        """Memory that a scheduler is asked for; more with each attempt."""
        asked = max(least, MARGIN * self.memory_mb)
        return attempt * STEP_MB * math.ceil(asked / STEP_MB)

    def minutes_to_ask(self, attempt: int) -> int:
        """Time that a scheduler is asked for; more with each attempt."""
        return attempt * max(LEAST_MINUTES, math.ceil(SLOWER * self.seconds / 60))


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A kind of job, with how much there is to do."""

    kind: str
    """Stage; for a method's stages after its name, and for fits with the first word of the part."""
    work: Work

    @property
    def estimate(self) -> Estimate:
        """Memory and time."""
        known = _measured()
        method, _, part = self.kind.partition(".fit.")
        alike = [known[kind] for kind in known if part and kind.startswith(f"{method}.fit.")]
        # A kind of part that was never measured is taken to be like the dearest of its method.
        prices = [known[self.kind]] if self.kind in known else alike or [UNKNOWN]
        return Estimate(
            memory_mb=max(_priced(one["memory_mb"], self.work.numbers) for one in prices),
            seconds=max(_priced(one["seconds"], self.work.steps) for one in prices),
        )

    def fact(self) -> dict[str, object]:
        """What is kept beside a result, to be held against what its making took."""
        expected = self.estimate
        return {
            "kind": self.kind,
            "numbers": dict(self.work.numbers),
            "steps": dict(self.work.steps),
            "memory_mb": round(expected.memory_mb),
            "seconds": round(expected.seconds, 1),
        }


def ingest_job(nwb: str | Path) -> Job:
    """Reading a recording: the bytes of its file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    """
    n_bytes = float(state_of(nwb).st_size)
    held = min(n_bytes, INGEST_BYTES_HELD)
    return Job(kind="ingest", work=Work(numbers={"bytes": held}, steps={"bytes": n_bytes}))


def prepare_job(n_entries: float) -> Job:
    """Making a view of a recording of so many stored entries."""
    held = min(n_entries, PREPARE_ENTRIES_HELD)
    return Job(kind="prepare", work=Work(numbers={"entries": held}, steps={"entries": n_entries}))


def prepare_job_of_file(nwb: str | Path) -> Job:
    """The same before the recording is read, by the size of its file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    """
    return prepare_job(state_of(nwb).st_size / BYTES_PER_ENTRY)


def records_job(kind: str, recordings: Sequence[str | Path]) -> Job:
    """A stage that works on whole recordings: all entries that are stored of them.

    Raises
    ------
    FileNotFoundError
        If one was not read yet.
    """
    n_entries = sum(stored_entries(path) for path in recordings)
    return prepare_job(n_entries) if kind == "prepare" else entries_job(kind, n_entries)


def entries_job(kind: str, n_entries: float) -> Job:
    """A stage that works on as many entries of recordings."""
    return Job(kind=kind, work=Work(numbers={"entries": n_entries}, steps={"entries": n_entries}))


def agreement_job(n_entries: float, units: Sequence[int], n_permutations: int) -> Job:
    """Holding labels of so many units of each recording, all of so many entries, against others."""
    steps = {
        "exchanges": float(len(units) * n_permutations),
        "exchanged": float(sum(units) * n_permutations),
    }
    return Job(kind="agreement", work=Work(numbers={"entries": n_entries}, steps=steps))


def agreement_job_of(recordings: Sequence[str | Path], n_permutations: int) -> Job:
    """The same of recordings that were read.

    Raises
    ------
    FileNotFoundError
        If one was not read yet.
    """
    entries = sum(stored_entries(path) for path in recordings)
    units = [rows for rows in map(unit_rows, recordings) if rows]
    return agreement_job(entries, units, n_permutations)


def fit_jobs(
    spec: MethodSpec, config: MethodConfig, views: Sequence[Sizes], parts: Sequence[str]
) -> list[Job]:
    """Parts of a fit that share a job, by their kind."""
    by_kind: dict[str, list[str]] = {}
    for part in parts:
        by_kind.setdefault(f"{spec.name}.fit.{part.partition('-')[0]}", []).append(part)
    room = spec.room("work")
    return [
        Job(
            kind=kind,
            work=several(room.fit_work(views, config, Part(part)) for part in alike)
            if any(views)
            else Work(),
        )
        for kind, alike in by_kind.items()
    ]


def fit_estimate(
    spec: MethodSpec, config: MethodConfig, views: Sequence[str | Path], parts: Sequence[str]
) -> Estimate:
    """Memory and time of some parts of a fit in one job.

    Raises
    ------
    FileNotFoundError
        If a view was not made yet.
    """
    return together(job.estimate for job in fit_jobs(spec, config, view_sizes(spec, views), parts))


def fit_fact(
    spec: MethodSpec, config: MethodConfig, views: Sequence[str | Path], outputs: Sequence[str]
) -> dict[str, object]:
    """What is kept beside the first of some parts; nothing where they are of several kinds."""
    parts = [Path(output).stem for output in outputs]
    jobs = fit_jobs(spec, config, view_sizes(spec, views), parts)
    return jobs[0].fact() if len(jobs) == 1 else {}


def together(estimates: Iterable[Estimate]) -> Estimate:
    """One after another in one process."""
    known = list(estimates)
    return Estimate(
        memory_mb=max((one.memory_mb for one in known), default=0.0),
        seconds=sum(one.seconds for one in known),
    )


def method_job(spec: MethodSpec, config: MethodConfig, views: Sequence[Sizes], stage: str) -> Job:
    """The stage ``gather``, ``halves`` or ``assess`` of a method."""
    work = getattr(spec.room("work"), f"{stage}_work")(views, config) if any(views) else Work()
    return Job(kind=f"{spec.name}.{stage}", work=work)


def view_sizes(spec: MethodSpec, paths: Sequence[str | Path]) -> list[Sizes]:
    """Axes of each recording's view, from the heads of files; of the kind that comes first.

    Raises
    ------
    FileNotFoundError
        If one was not made yet.
    """
    kinds = [KINDS[kind].view for kind in spec.kinds]
    found: dict[str, Sizes] = {}
    for path in paths:
        sizes = axis_sizes(path, kinds)
        if not found.get(Path(path).stem):
            found[Path(path).stem] = sizes
    return list(found.values())


def _priced(prices: Mapping[str, float], sizes: Mapping[str, float]) -> float:
    return prices["floor"] + sum(prices.get(name, 0.0) * count for name, count in sizes.items())


@functools.cache
def _measured() -> Mapping[str, Mapping[str, Mapping[str, float]]]:
    found: dict[str, dict[str, dict[str, float]]] = json.loads(MEASURED.read_text("utf-8"))
    return found
