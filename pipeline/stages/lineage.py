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
from pipeline.io.hashing import remembered_sha256
from pipeline.io.records import read_provenance
from pipeline.stages.ingest import UNITS
from pipeline.stages.run_context import digest_of, facts_file

ABOVE_REPORTS = ("index.html", "summary.tsv", "provenance.json")
"""What is made of the reports of all experiments; nothing lies beside the last two."""
RECORDING = "recording.h5"
PARTS = "parts"
CHECKSUMS = ".checksums"
"""Folder of remembered checksums in the folder of results."""
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
    ours: bool = True
    """Whether the workflow made it: of files of the user's, often only the name is known."""
    sources: int = 0
    """Number of files that it is known to be made of."""

    @property
    def gone(self) -> bool:
        """Whether it is a file of the workflow's that is no longer there."""
        return self.ours and not self.path.exists()

    @property
    def joined(self) -> bool:
        """Whether it is a part of a fit, which is not needed any more once parts are joined."""
        return self.path.parent.name == PARTS

    @property
    def lost(self) -> bool:
        """Whether nothing tells any more how it was made, so that the chain ends here."""
        return self.gone and not self.sources and not self.joined

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
    _follow(_Source(path=path), depth=0, seen=seen)
    return tuple(seen.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """A file that another one was made of."""

    path: Path
    recorded: str = ""
    """Its digest then; empty where it is not known."""
    ours: bool = True
    at: Path | None = None
    """Where a file of the user's lies, if that is known."""
    memory: Path | None = None
    """Folder of remembered checksums."""


def _follow(source: _Source, *, depth: int, seen: dict[Path, Ancestor]) -> None:
    path = source.path
    if path in seen:
        return
    facts, folder = facts_about(path) if source.ours else ({}, path.parent)
    provenance = None
    with suppress(DataError):  # planted truth in the form of another version
        if source.ours and path.suffix == RECORD_ENDING and path.exists():
            provenance = read_provenance(path)
    sources = _sources(path, provenance, facts, folder) if source.ours else []
    seen[path] = Ancestor(
        path=path,
        depth=depth,
        provenance=provenance,
        facts=facts,
        recorded=source.recorded,
        found=_found(path) if source.ours else _checksum(source.at, source.memory),
        ours=source.ours,
        sources=len(sources),
    )
    for above in sources:
        _follow(above, depth=depth + 1, seen=seen)


def _found(path: Path) -> str:
    with suppress(DataError):
        return digest_of(path) if path.is_file() else ""
    return ""


def _checksum(path: Path | None, memory: Path | None) -> str:
    """SHA-256 of a file of the user's; empty where it is not to be found or to be read."""
    with suppress(OSError):
        return remembered_sha256(path, memory) if path is not None and path.is_file() else ""
    return ""


def _sources(
    path: Path, provenance: Provenance | None, facts: Mapping[str, Any], folder: Path
) -> list[_Source]:
    """What a file was made of, and its digests then where they are known."""
    if provenance is not None:
        maker = (provenance.stage, provenance.experiment, provenance.recording)
        return _of_record(path, provenance.inputs, maker, facts, folder)
    if path.suffix != RECORD_ENDING:
        told = _of_document(path)
        return [_Source(path=above, recorded=digest) for above, digest in told.items()]
    if path.exists() or not facts:
        return []
    # The record is gone, and what its job left beside it tells the same.
    maker = (facts["stage"], facts["experiment"], facts["recording"])
    return _of_record(path, facts.get("inputs", {}), maker, facts, folder)


def _of_record(
    path: Path,
    inputs: Mapping[str, str],
    maker: tuple[str, str, str],
    facts: Mapping[str, Any],
    folder: Path,
) -> list[_Source]:
    stage, experiment, recording = maker
    kept = (folder / CHECKSUMS for folder in path.parents)
    memory = next((folder for folder in kept if folder.is_dir()), None)
    found = []
    for name, digest in inputs.items():
        ours = not _is_of_user(name, stage)
        place = place_of(path, name, stage=stage, experiment=experiment, recording=recording)
        at = None if ours else _place_of_users(name, stage, facts, folder)
        found.append(_Source(path=place, recorded=digest, ours=ours, at=at, memory=memory))
    return found


def _is_of_user(name: str, stage: str) -> bool:
    return stage == "ingest" or not name.endswith(RECORD_ENDING)


def _place_of_users(name: str, stage: str, facts: Mapping[str, Any], folder: Path) -> Path | None:
    """Where a file of the user's lay when it was read, as far as its job told that."""
    if stage == "ingest":
        return folder / facts["read_from"] / name if "read_from" in facts else None
    directory = facts.get("started", {}).get("directory")
    return Path(directory) / name if directory is not None else None


def _of_document(path: Path) -> dict[Path, str]:
    if path.name in ABOVE_REPORTS and not facts_file(path).exists():
        return dict.fromkeys(sorted(path.parent.glob("*/report.json")), "")
    facts, folder = facts_about(path)
    record = (path.parent if path.name == UNITS else folder) / RECORDING
    beside = path.name == UNITS and (record.exists() or facts_file(record).exists())
    if facts.get("stage") == "ingest" or beside:
        return {record: ""}
    return sources_told(facts, folder)


def place_of(path: Path, name: str, *, stage: str, experiment: str, recording: str) -> Path:
    """Where an input lies, by the layout of the results.

    Parameters
    ----------
    path
        The record that was made of it.
    name
        What the record calls it.
    stage, experiment, recording
        What made the record.
    """
    within = next((folder for folder in path.parents if folder.name == experiment), path.parent)
    if _is_of_user(name, stage):
        return Path(name)  # of which only the name is known
    if stage == "prepare":
        return within / "recordings" / recording / name
    if stage == "halves":
        return Path(os.path.normpath(path.parent / name))
    beside = path.parent / name
    return beside if name.startswith(f"{PARTS}/") else within / "views" / name


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
