"""How a result came about: what it was made of, back to the recordings."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.errors import DataError
from pipeline.core.provenance import Provenance
from pipeline.io.records import read_provenance
from pipeline.stages.ingest import UNITS
from pipeline.stages.run_context import digest_of, facts_file

ABOVE_REPORTS = ("index.html", "summary.tsv", "provenance.json")
"""What is made of the reports of all experiments; nothing lies beside the last two."""
RECORDING = "recording.h5"
RECORD_ENDING = ".h5"
"""Of the names of records among inputs; tables of the user's have others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ancestor:
    """A file on the way from a result back to the recordings."""

    path: Path
    depth: int
    """Steps from the file that was asked about."""
    provenance: Provenance | None
    """``None`` for recordings in NWB, and for records of why there is no result."""
    facts: Mapping[str, Any]
    """What its job left beside it: time, host, seconds, memory. Empty if that is gone."""
    recorded: str
    """The digest that the file made of this one remembers; empty for the first."""
    found: str
    """The digest that the file has now; empty when it is not there."""

    @property
    def changed(self) -> bool:
        """Whether it is no longer what its successor was made of."""
        return bool(self.recorded and self.found and self.recorded != self.found)


def lineage(path: Path) -> tuple[Ancestor, ...]:
    """A result and all that it was made of, back to the NWB files, each file once.

    Raises
    ------
    DataError
        If the file is no result of the pipeline (RN-R11).
    """
    path = Path(os.path.normpath(path))
    if path.suffix != ".h5" and not _of_document(path):
        raise DataError(
            code="RN-R11",
            file=str(path),
            found="nothing tells how it was made",
            fix="name a file that the workflow made, where it made it, such as "
            "results/EXPERIMENT/METHOD/fit.h5 or results/EXPERIMENT/report.html",
        )
    seen: dict[Path, Ancestor] = {}
    _follow(path, depth=0, recorded="", seen=seen)
    return tuple(seen.values())


def _follow(path: Path, *, depth: int, recorded: str, seen: dict[Path, Ancestor]) -> None:
    if path in seen:
        return
    facts, _ = facts_about(path)
    ours = path.suffix == ".h5" or bool(facts) or path.name in ABOVE_REPORTS
    provenance = None
    with suppress(DataError):  # planted truth in the form of another version
        if path.suffix == ".h5" and path.exists():
            provenance = read_provenance(path)
    seen[path] = Ancestor(
        path=path,
        depth=depth,
        provenance=provenance,
        facts=facts,
        recorded=recorded,
        found=_found(path) if ours else "",
    )
    for above, digest in _sources(path, provenance).items():
        _follow(above, depth=depth + 1, recorded=digest, seen=seen)


def _found(path: Path) -> str:
    with suppress(DataError):
        return digest_of(path) if path.is_file() else ""
    return ""


def _sources(path: Path, provenance: Provenance | None) -> dict[Path, str]:
    """What a file was made of, and its digests then where they are known."""
    if provenance is not None:
        inputs = provenance.inputs.items()
        return {place_of(path, name, provenance): digest for name, digest in inputs}
    return {} if path.suffix == ".h5" else _of_document(path)


def _of_document(path: Path) -> dict[Path, str]:
    if path.name in ABOVE_REPORTS and not facts_file(path).exists():
        return dict.fromkeys(sorted(path.parent.glob("*/report.json")), "")
    facts, folder = facts_about(path)
    record = (path.parent if path.name == UNITS else folder) / RECORDING
    if (facts.get("stage") == "ingest" or path.name == UNITS) and record.exists():
        return {record: ""}
    return sources_told(facts, folder)


def place_of(path: Path, name: str, provenance: Provenance) -> Path:
    """Where an input lies, by the layout of the results."""
    experiment = next(
        (folder for folder in path.parents if folder.name == provenance.experiment), path.parent
    )
    if provenance.stage == "ingest" or not name.endswith(RECORD_ENDING):
        return Path(name)  # a file of the user's, of which only the name is known
    if provenance.stage == "prepare":
        return experiment / "recordings" / provenance.recording / name
    if provenance.stage == "halves":
        return Path(os.path.normpath(path.parent / name))
    beside = path.parent / name
    return beside if name.startswith("parts/") else experiment / "views" / name


def facts_about(path: Path) -> tuple[Mapping[str, Any], Path]:
    """What the job told that made a file, and the folder from which its paths start.

    The facts lie beside the first file of a job, and name the others. Empty if there are none.
    """
    path = Path(os.path.normpath(path))
    return next(((facts, folder) for facts, folder, _ in _facts_around(path)), ({}, path.parent))


def output_with(path: Path) -> Path:
    """The output that the workflow makes a file with: the file, its folder, or a file beside it."""
    path = Path(os.path.normpath(path))
    if path.name == UNITS:
        return path.with_name(RECORDING)
    return next((output for _, _, output in _facts_around(path)), path)


def _facts_around(path: Path) -> Iterator[tuple[Mapping[str, Any], Path, Path]]:
    """Facts of the job that made a file, the folder of its paths, and the output that it is in."""
    own = facts_file(path)
    around = (own, *(found for where in (".", "*", "..") for found in _facts_files(path, where)))
    for found in around:
        facts = _read_facts(found)
        told = facts.get("outputs", [path.name] if facts and found == own else [])
        places = {Path(os.path.normpath(found.parent / name)) for name in told}
        # Tables and figures of a report are named by their folders.
        for output in (path, path.parent):
            if output in places:
                yield facts, found.parent, output


def sources_told(facts: Mapping[str, Any], folder: Path) -> dict[Path, str]:
    """What a job was given to make documents of, and their digests then."""
    inputs: Mapping[str, str] = facts.get("inputs", {})
    return {Path(os.path.normpath(folder / name)): digest for name, digest in inputs.items()}


def _facts_files(path: Path, where: str) -> list[Path]:
    folder = path.parent.parent if where == ".." else path.parent
    ending = facts_file(Path("any")).name.removeprefix("any")
    return sorted(folder.glob(f"*/*{ending}" if where == "*" else f"*{ending}"))


def _read_facts(path: Path) -> Mapping[str, Any]:
    try:
        facts: Mapping[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return facts
