"""Figures and tables of a report as files."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from pipeline.core.parts import Figure, Section, Table
from pipeline.io.atomic import replacing
from pipeline.io.documents import read_document
from pipeline.io.tables import WRITERS
from pipeline.viz.draw import draw_figure, picture


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
    tables = {
        f"{section.id}-{part.id}": part
        for section in sections
        for part in section.body
        if isinstance(part, Table)
    }
    _keep_only(folder, {f"{name}.{kind}" for name in tables for kind in formats})
    for name, table in tables.items():
        for kind in formats:
            WRITERS[kind](folder / f"{name}.{kind}", table)


def write_figures(folder: Path, sections: Sequence[Section], *, formats: Sequence[str]) -> None:
    """Draw every figure of some sections as ``SECTION-FIGURE.FORMAT``; other files there are gone.

    Parameters
    ----------
    folder
        Made if absent.
    formats
        Names in :data:`pipeline.viz.draw.PICTURES`.
    """
    figures = {
        f"{section.id}-{part.id}": part
        for section in sections
        for part in section.body
        if isinstance(part, Figure)
    }
    _keep_only(folder, {f"{name}.{kind}" for name in figures for kind in formats})
    for name, figure in figures.items():
        for kind in formats:
            with replacing(folder / f"{name}.{kind}") as temporary:
                temporary.write_bytes(picture(figure, kind))


def _keep_only(folder: Path, names: Collection[str]) -> None:
    """Make a folder, or take out of it what is not among some names."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.name not in names:
            path.unlink()
