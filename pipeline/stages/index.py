"""Reports of all experiments become the index and the last word."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.core.errors import DataError, ResultError
from pipeline.io.atomic import replacing
from pipeline.io.documents import read_plain
from pipeline.report.document import sections_of
from pipeline.report.index import IndexEntry, render_index


def index(*, documents: Sequence[Path], output: Path) -> None:
    """Write the overview over experiments from their ``report.json`` files."""
    entries = tuple(
        IndexEntry.of(document, link=f"{path.parent.name}/report.html")
        for path, document in _read(documents)
    )
    with replacing(output) as temporary:
        temporary.write_text(render_index(entries), encoding="utf-8")


def summary(*, documents: Sequence[Path], output: Path) -> None:
    """Print one line a method and store them; refuse when a method or a recording failed.

    Raises
    ------
    ResultError
        If something failed. The reports are there all the same; only the table is not, so that
        the next run says it again.
    """
    rows = [row for _, document in _read(documents) for row in summary_rows(document)]
    for row in rows:
        print("  ".join(row).rstrip(), file=sys.stderr)  # noqa: T201 - the run's last words
    failed = [row for row in rows if row[2] == "failed"]
    if failed:
        raise ResultError(
            code="RN-R12",
            place=", ".join(f"{row[0]}/{row[1]}" for row in failed),
            found=f"{len(failed)} of {len(rows)} lines of the summary say failed",
            fix="open the reports of these experiments; each tells the cause and what to do",
        )
    with replacing(output) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(("experiment", "what", "status", "reason"))
        writer.writerows(rows)


def summary_rows(document: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Experiment, method, status and reason from a ``report.json``.

    One line a method, and one for each recording that could not be read.
    """
    name = document["experiment"]
    recordings = [row for row in document["recordings"] if row["status"] == "failed"]
    return [
        *((name, f"recording {row['recording']}", "failed", row["reason"]) for row in recordings),
        *(
            (name, method, entry["status"], entry["reason"])
            for method, entry in sections_of(document).items()
        ),
    ]


def exit_code_of(document: Mapping[str, Any]) -> int:
    """The class of what failed in an experiment: 3 for a recording, 1 for a method, else 0."""
    if any(row["status"] == "failed" for row in document["recordings"]):
        return DataError.exit_code
    return int(any(entry["status"] == "failed" for entry in sections_of(document).values()))


def _read(documents: Sequence[Path]) -> list[tuple[Path, dict[str, Any]]]:
    return [(path, read_plain(path)) for path in documents]
