"""Figures and tables of a report as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pipeline.core.parts import Figure, Section, Table
from pipeline.io.atomic import replacing
from pipeline.io.documents import read_document
from pipeline.io.tables import WRITERS
from pipeline.viz.draw import draw_figure, picture

Part = TypeVar("Part", Figure, Table)


def draw_section(section: Path, *, folder: Path, tables: str) -> tuple[Path, ...]:
    """Write each figure of a section as SVG and each table as a file; the files made.

    Parameters
    ----------
    section
        A ``section.json``; figures are drawn from the same data as on the page.
    folder
        Where to write; made if absent.
    tables
        Format of tables: a name in :data:`pipeline.io.tables.WRITERS`.
    """
    made = []
    for part in read_document(section, Section).body:
        if isinstance(part, Figure):
            made.append(folder / f"{part.id}.svg")
            with replacing(made[-1]) as temporary:
                temporary.write_text(draw_figure(part), encoding="utf-8")
        elif isinstance(part, Table):
            made.append(folder / f"{part.id}.{tables}")
            WRITERS[tables](made[-1], part)
    return tuple(made)


def write_tables(folder: Path, sections: Sequence[Section], *, formats: Sequence[str]) -> None:
    """Write every table of some sections as ``SECTION-TABLE.FORMAT``; other files there are gone.

    Parameters
    ----------
    folder
        Made if absent.
    formats
        Names in :data:`pipeline.io.tables.WRITERS`.
    """
    for path, kind, table in _files(folder, sections, Table, formats):
        WRITERS[kind](path, table)


def write_figures(folder: Path, sections: Sequence[Section], *, formats: Sequence[str]) -> None:
    """Draw every figure of some sections as ``SECTION-FIGURE.FORMAT``; other files there are gone.

    Parameters
    ----------
    folder
        Made if absent.
    formats
        Names in :data:`pipeline.viz.draw.PICTURES`.
    """
    for path, kind, figure in _files(folder, sections, Figure, formats):
        with replacing(path) as temporary:
            temporary.write_bytes(picture(figure, kind))


def _files(
    folder: Path, sections: Sequence[Section], kind_of_part: type[Part], formats: Sequence[str]
) -> list[tuple[Path, str, Part]]:
    """Place, format and content of each file; the folder is made, and other files in it go."""
    files = [
        (folder / f"{section.id}-{part.id}.{kind}", kind, part)
        for section in sections
        for part in section.body
        if isinstance(part, kind_of_part)
        for kind in formats
    ]
    folder.mkdir(parents=True, exist_ok=True)
    for path in set(folder.iterdir()) - {path for path, _, _ in files}:
        path.unlink()
    return files
