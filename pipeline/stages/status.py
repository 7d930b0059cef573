"""Which results today's code, settings or inputs might make otherwise."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline import registry
from pipeline.config import (
    method_settings,
    method_tables,
    report_settings,
    view_name,
    view_settings,
)
from pipeline.core.provenance import Provenance
from pipeline.core.recording import RECORDING_VERSION
from pipeline.core.views import VIEW_VERSION
from pipeline.core.words import joined
from pipeline.io.hashing import code_digest, sha256_of
from pipeline.io.records import read_provenance
from pipeline.io.sheets import SheetRow
from pipeline.stages.check import Project
from pipeline.stages.contents import checksums_now
from pipeline.stages.forget import RECORDS
from pipeline.stages.ingest import reading_settings
from pipeline.stages.lineage import (
    ABOVE_REPORTS,
    RECORD_ENDING,
    facts_about,
    place_of,
    sources_told,
)
from pipeline.stages.run_context import digest_of

DOCUMENTS = (
    "recordings/*/quality.json",
    "*/checks.json",
    "*/section.json",
    "units.csv",
    "report.html",
    "report.json",
)
"""Where the workflow puts what is no record, in the folder of an experiment."""
NAMED = 2
"""So many files are named that something was made of; the others are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """A result that today's code, settings or inputs might make otherwise."""

    path: Path
    reasons: tuple[str, ...]


def outdated(project: Project, out: Path) -> list[Age] | None:
    """Results of other code, settings, seed, versions or inputs than today's, and what is of them.

    Parameters
    ----------
    out
        The folder of results. Checksums of recordings are looked up in it; a recording is read only
        where its size or time is another than then.

    Returns
    -------
    In the order in which they are made; ``None`` where there is no result at all.

    Raises
    ------
    EnvironmentFault
        If a result cannot be read (RN-R10).
    DataError
        If one comes from another version of the format (RN-R11).
    """
    out = Path(os.path.normpath(out))
    looking = _Looking(project=project, out=out)
    paths = list(_results(project, out))
    ages = [Age(path=path, reasons=looking.reasons(path)) for path in paths]
    return [age for age in ages if age.reasons] if paths else None


def _results(project: Project, out: Path) -> Iterator[Path]:
    for experiment, rows in project.experiments.items():
        read = {row.recording for row in rows}
        for pattern in (*RECORDS, *DOCUMENTS):
            for path in sorted((out / experiment).glob(pattern)):
                if path.parents[1].name != "recordings" or path.parent.name in read:
                    yield path
    yield from (out / name for name in ABOVE_REPORTS if (out / name).exists())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looking:
    """Remembers what it found of each file, since many were made of the same ones."""

    project: Project
    out: Path
    known: dict[Path, tuple[str, ...]] = field(default_factory=dict)

    def reasons(self, path: Path) -> tuple[str, ...]:
        """Why a file might be another one today; nothing for those that are current or gone."""
        if path not in self.known:
            self.known[path] = ()  # whatever is made of itself
            self.known[path] = tuple(self._found(path)) if path.exists() else ()
        return self.known[path]

    def _found(self, path: Path) -> list[str]:
        if self.out not in path.parents:  # planted truth
            return []
        if path.suffix != ".h5":
            return self._of_document(path)
        provenance = read_provenance(path, sealed=False)
        if provenance is None:  # why there is no result
            return []
        reasons = self._of_code(provenance.code_digest, f" (version {provenance.package_version})")
        if provenance.stage == "ingest":
            reasons += self._of_version(provenance, RECORDING_VERSION)
            return reasons + self._of_recording(provenance)
        reasons += self._of_settings(provenance) + self._of_tables(provenance)
        above = {
            place_of(
                path,
                name,
                stage=provenance.stage,
                experiment=provenance.experiment,
                recording=provenance.recording,
            ): digest
            for name, digest in provenance.inputs.items()
            if name.endswith(RECORD_ENDING)
        }
        return reasons + self._of_inputs(above)

    def _of_code(self, digest: str, version: str = "") -> list[str]:
        return [] if digest == code_digest() else [f"made by other code{version}"]

    def _of_version(self, provenance: Provenance, version: int) -> list[str]:
        if provenance.results_version == version:
            return []
        return ["of another results version, so the next run makes it anew"]

    def _of_recording(self, provenance: Provenance) -> list[str]:
        row = self._row(provenance)
        if row is None:
            return []
        prepare = self.project.settings.prepare
        wanted = reading_settings(
            row.options, subject=row.subject, strict=prepare.strict, limits=prepare.quality
        )
        reasons = differences(provenance.settings, wanted)
        if not row.nwb.exists():
            return reasons
        now = checksums_now(row.nwb, provenance, memory=self.out / ".checksums")
        if row.nwb.name not in provenance.inputs:
            reasons.append(f"read from another file than {row.nwb.name}")
        changed = [name for name, digest in now.items() if provenance.inputs[name] != digest]
        return reasons + [f"the content of {name} changed" for name in changed]

    def _row(self, provenance: Provenance) -> SheetRow | None:
        rows = self.project.experiments.get(provenance.experiment, ())
        return next((row for row in rows if row.recording == provenance.recording), None)

    def _of_settings(self, provenance: Provenance) -> list[str]:
        settings = self.project.settings
        if provenance.stage == "prepare":
            # Settings of a view are part of its name: it is only no longer asked for.
            kinds = {kind for spec in registry.methods().values() for kind in spec.kinds}
            blocks = [view_settings(settings, kind) for kind in sorted(kinds)]
            if all(differences(provenance.settings, block) for block in blocks):
                return ["a view with settings that no method asks for now"]
            return self._of_version(provenance, VIEW_VERSION)
        wanted = method_settings(settings, provenance.method)
        reasons = self._of_version(provenance, wanted.pop("results_version"))
        if provenance.seed != settings.seed:
            reasons.append(f"seed {provenance.seed}, now {settings.seed}")
        records = [name for name in provenance.inputs if name.endswith(RECORD_ENDING)]
        used = {name.split("/")[0] for name in records if name.count("/") == 1}
        asked = {view_name(settings, kind) for kind in registry.methods()[provenance.method].kinds}
        if provenance.stage != "halves" and (others := used - asked - {"parts"}):
            reasons.append(f"made of other views than are asked for now ({joined(sorted(others))})")
        return reasons + differences(provenance.settings, wanted)

    def _of_tables(self, provenance: Provenance) -> list[str]:
        """Tables that the settings of a method name, as far as something was made of them."""
        if not provenance.method:
            return []
        settings = self.project.settings
        names = getattr(settings.methods, provenance.method).tables()
        files = map(Path, method_tables(settings, provenance.method))
        return [
            f"the content of {name} changed"
            for name, file in zip(names, files, strict=True)
            if name in provenance.inputs
            and file.exists()
            and sha256_of(file) != provenance.inputs[name]
        ]

    def _of_document(self, path: Path) -> list[str]:
        if path.parent == self.out and path.name in ABOVE_REPORTS[1:]:
            return self._of_inputs(dict.fromkeys(sorted(self.out.glob("*/report.json")), ""))
        facts, folder = facts_about(path)
        if not facts:
            return []
        reasons = self._of_code(facts.get("code_digest", code_digest()))
        if facts["stage"] == "ingest":
            return reasons + self._of_inputs({folder / "recording.h5": ""})
        now = self._settings_of_stage(facts)
        if "settings" in facts and now is not None:
            reasons += differences(facts["settings"], now)
        return reasons + self._of_inputs(sources_told(facts, folder))

    def _settings_of_stage(self, facts: Mapping[str, Any]) -> Mapping[str, Any] | None:
        settings = self.project.settings
        seed = {"seed": settings.seed}
        if facts["stage"] == "report":
            return report_settings(settings)
        if facts["stage"] == "agreement":
            return {**settings.agreement.model_dump(), **seed}
        if facts["stage"] == "assess":
            return {**method_settings(settings, facts["method"]), **seed}
        return None

    def _of_inputs(self, above: Mapping[Path, str]) -> list[str]:
        """What follows from what something was made of; digests may be unknown (empty)."""
        old = [path for path in above if self.reasons(path)]
        anew = [
            path
            for path, digest in above.items()
            if digest and path not in old and path.exists() and digest_of(path) != digest
        ]
        return [
            *([f"made of {self._named(old)}, which might be another now"] if old else []),
            *([f"{self._named(anew)} was made anew since"] if anew else []),
        ]

    def _named(self, paths: list[Path]) -> str:
        shown = [Path(os.path.relpath(path, self.out)).as_posix() for path in paths[:NAMED]]
        more = [f"{len(paths) - NAMED} more"] if len(paths) > NAMED else []
        return joined([*shown, *more])


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What differs between two blocks of settings, in words."""
    before, now = dict(_leaves(old)), dict(_leaves(new))
    return [
        f"{key} {json.dumps(before.get(key))}, now {json.dumps(now.get(key))}"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key)
    ]


def _leaves(block: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Dotted keys and values, as they come back from a file."""
    plain: dict[str, Any] = json.loads(json.dumps(block, default=list))
    for key, value in plain.items():
        if isinstance(value, dict) and value:
            yield from ((f"{key}.{inner}", entry) for inner, entry in _leaves(value))
        else:
            yield key, value
