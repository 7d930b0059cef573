"""How a result came about, and which results are not those of today's code and settings."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import registry
from pipeline.config import Settings, method_settings, view_settings
from pipeline.core.errors import DataError
from pipeline.core.provenance import Provenance
from pipeline.io.hashing import code_digest
from pipeline.io.records import read_digest, read_provenance
from pipeline.stages.forget import RECORDS


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
    """A record and all that it was made of, back to the NWB files, each file once.

    Raises
    ------
    DataError
        If the file is no record of the pipeline (RN-R11).
    """
    if path.suffix != ".h5":
        raise DataError(
            code="RN-R11",
            file=str(path),
            found="it is no result file",
            fix="name a file that ends in .h5, such as results/EXPERIMENT/METHOD/fit.h5",
        )
    seen: dict[Path, Ancestor] = {}
    _follow(path, depth=0, recorded="", seen=seen)
    return tuple(seen.values())


def _follow(path: Path, *, depth: int, recorded: str, seen: dict[Path, Ancestor]) -> None:
    if path in seen:
        return
    is_record = path.suffix == ".h5" and path.exists()
    provenance = read_provenance(path) if is_record else None
    seen[path] = Ancestor(
        path=path,
        depth=depth,
        provenance=provenance,
        facts=_facts(path),
        recorded=recorded,
        found=read_digest(path) if is_record else "",
    )
    if provenance is None:
        return
    for name, digest in provenance.inputs.items():
        _follow(_place(path, name, provenance), depth=depth + 1, recorded=digest, seen=seen)


def _place(path: Path, name: str, provenance: Provenance) -> Path:
    """Where an input lies, by the layout of the results."""
    experiment = next(
        (folder for folder in path.parents if folder.name == provenance.experiment), path.parent
    )
    if provenance.stage == "ingest":
        return Path(name)  # an NWB file, of which only the name is known
    if provenance.stage == "prepare":
        return experiment / "recordings" / provenance.recording / name
    if provenance.stage == "halves":
        return Path(os.path.normpath(path.parent / name))
    beside = path.parent / name
    return beside if name.startswith("parts/") else experiment / "views" / name


def _facts(path: Path) -> Mapping[str, Any]:
    try:
        facts: Mapping[str, Any] = json.loads(path.with_suffix(".run.json").read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """A result that today's code or settings might make otherwise."""

    path: Path
    reasons: tuple[str, ...]


def outdated(settings: Settings, out: Path, experiments: Iterable[str]) -> list[Age]:
    """Results of other code, other settings, another seed or results version than today's."""
    found = []
    for experiment in experiments:
        for pattern in RECORDS:
            for path in sorted((out / experiment).glob(pattern)):
                provenance = read_provenance(path)
                reasons = _reasons(settings, provenance) if provenance is not None else ()
                if reasons:
                    found.append(Age(path=path, reasons=reasons))
    return found


def _reasons(settings: Settings, provenance: Provenance) -> tuple[str, ...]:
    reasons = []
    if provenance.code_digest != code_digest():
        reasons.append(f"made by other code (version {provenance.package_version})")
    if provenance.method in registry.methods():
        wanted = method_settings(settings, provenance.method)
        if provenance.results_version != wanted.pop("results_version"):
            reasons.append("of another results version, so the next run makes it anew")
        if provenance.seed != settings.seed:
            reasons.append(f"seed {provenance.seed}, now {settings.seed}")
        reasons += differences(provenance.settings, wanted)
    elif provenance.stage == "prepare":
        kinds = {kind for spec in registry.methods().values() for kind in spec.kinds}
        blocks = [view_settings(settings, kind) for kind in sorted(kinds)]
        differing = [differences(provenance.settings, block) for block in blocks]
        if all(
            differing
        ):  # settings of a view are part of its name: it is only no longer asked for
            reasons.append("a view with settings that no method asks for now")
    return tuple(reasons)


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What differs between two blocks of settings, in words."""
    before, now = _plain(old), _plain(new)
    return [
        f"{key} {json.dumps(before.get(key))}, now {json.dumps(now.get(key))}"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key)
    ]


def _plain(block: Mapping[str, Any]) -> dict[str, Any]:
    """As it comes back from a file."""
    plain: dict[str, Any] = json.loads(json.dumps(block, default=list))
    return plain
