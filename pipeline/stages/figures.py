"""Static drawings of a report's figures and tables, made when asked for."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.parts import Figure, Section, Table
from pipeline.io.atomic import replacing
from pipeline.io.documents import read_document
from pipeline.io.tables import WRITERS
from pipeline.viz.draw import draw_figure


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
