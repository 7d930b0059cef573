"""Whether a recording's files hold what its record was read from: by content, not by time."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.core.errors import DataError, EnvironmentFault
from pipeline.core.provenance import Provenance
from pipeline.io.atomic import replacing
from pipeline.io.hashing import known_sha256, remembered_sha256
from pipeline.io.records import read_digest, read_provenance

TOLD_FROM_BYTES = 10**9
"""Files from this size on are said to be read, since nothing else is to be seen meanwhile."""

CLOCKS_APART_S = 60.0
"""Clocks of a file server and of this machine may be so far apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Marks:
    """What is kept of a recording's mark."""

    record: str = ""
    """Digest of the record that was found to be made of something else."""
    before: str = ""
    """The mark that it was made with."""
    now: str = ""
    """The mark of the record that is to be made."""


def content_mark(nwb: Path, *, record: Path, memory: Path, look: bool = True) -> str:
    """A word that becomes another one when a recording has to be read again.

    The workflow keeps the word that a record was made with, and compares. Times of files would not
    do: a copied recording has a new one, and one that is put back from an archive an old one. A
    checksum would not do either, since before a recording is read for the first time nobody knows
    it, and reading all files for it would take hours where the run is started. So the word is empty
    at first, and is drawn anew when a file no longer has the checksum that the record remembers.

    Parameters
    ----------
    nwb
        The recording's file. Files beside it that it led to count as well, where the record names
        them and they are there.
    record
        ``EXPERIMENT/recordings/RECORDING/recording.h5`` in the folder of results.
    memory
        Folder of remembered checksums; the word is kept there too. Files that have the size and
        time of then are not read.
    look
        Whether to look at the files; else what is kept is the answer.
    """
    note = memory / "marks" / record.parents[2].name / f"{record.parent.name}.json"
    kept = _Marks()
    with suppress(OSError, ValueError, TypeError):
        kept = _Marks(**json.loads(note.read_text(encoding="utf-8")))
    # Of what cannot be read here, those who need it will say more.
    with suppress(OSError, EnvironmentFault, DataError):
        if look and nwb.exists() and _made(record).exists():
            marks, mark = _looked_up(nwb, record, memory, kept)
            if marks != kept:
                with suppress(EnvironmentFault), replacing(note) as temporary:
                    temporary.write_text(json.dumps(asdict(marks)), encoding="utf-8")
            return mark
    return kept.now


def _looked_up(nwb: Path, record: Path, memory: Path, kept: _Marks) -> tuple[_Marks, str]:
    """What is to be kept, and the mark that holds."""
    digest = read_digest(record) if record.exists() else ""
    provenance = read_provenance(record, sealed=False) if record.exists() else None
    if provenance is None:  # no recording, or why there is none: nothing is known of its files
        found = nwb.stat()
        if found.st_mtime_ns <= _made(record).stat().st_mtime_ns:
            return kept, kept.now
        new = f"{found.st_size} {found.st_mtime_ns}"
    else:
        now = checksums_now(nwb, provenance, memory=memory)
        if all(provenance.inputs[name] == checksum for name, checksum in now.items()):
            # Files may be again as they were, without anything made in between.
            return kept, kept.before if kept.record == digest else kept.now
        new = hashlib.sha256(repr(sorted(now.items())).encode()).hexdigest()
    before = kept.before if kept.record == digest else kept.now
    return _Marks(record=digest, before=before, now=new), new


def _made(record: Path) -> Path:
    """What tells when a recording was read, also once a record of its failure is deleted."""
    return record if record.exists() else record.with_name("quality.json")


def checksums_now(nwb: Path, provenance: Provenance, *, memory: Path) -> dict[str, str]:
    """Today's checksums of the files that a record was read from, of those that are there."""
    files = {name: nwb.parent / name for name in provenance.inputs}
    return {name: _checksum(path, memory) for name, path in files.items() if path.is_file()}


def _checksum(path: Path, memory: Path) -> str:
    known = known_sha256(path, memory)
    if known is not None:
        return known
    found = path.stat()
    if found.st_mtime > time.time() + CLOCKS_APART_S:
        _tell(
            f"WARNING {path.name} is dated in the future, so that each start reads it whole to see "
            "whether its content changed. Fix: `touch` it, and see to the clock of its machine"
        )
    if found.st_size >= TOLD_FROM_BYTES:
        size_gb = found.st_size / 1e9
        _tell(f"{path.name}: reading {size_gb:.0f} GB, to see whether its content changed")
    return remembered_sha256(path, memory)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - shown beside the workflow's log
