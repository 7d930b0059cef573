"""Figures and tables of a report as files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from pipeline.core.parts import Figure, Films, Section, Table
from pipeline.io.atomic import replacing
from pipeline.io.documents import read_document
from pipeline.io.tables import WRITERS
from pipeline.report.films import film_png
from pipeline.viz.draw import draw_figure, picture

Part = TypeVar("Part", Figure, Films, Table)
PIXELS = "png"
"""The format of pictures that are pixels."""


def draw_section(section: Path, *, folder: Path, tables: str) -> tuple[Path, ...]:
    """Write each figure of a section as SVG, each table and each film as a file; the files made.

    Parameters
    ----------
    section
        A ``section.json``; figures are drawn from the same data as on the page.
    folder
        Where to write; made if absent.
    tables
        Format of tables: a name in :data:`pipeline.io.tables.WRITERS`.
    """
    made: list[Path] = []
    for part in read_document(section, Section).body:
        if isinstance(part, Figure):
            made.append(folder / f"{part.id}.svg")
            with replacing(made[-1]) as temporary:
                temporary.write_text(draw_figure(part), encoding="utf-8")
        elif isinstance(part, Table):
            made.append(folder / f"{part.id}.{tables}")
            WRITERS[tables](made[-1], part)
        elif isinstance(part, Films):
            for path, content in _film_files(folder, part.id, part).items():
                made.append(path)
                with replacing(path) as temporary:
                    temporary.write_bytes(content())
    return tuple(made)


def write_tables(
    folder: Path,
    sections: Sequence[Section],
    *,
    formats: Sequence[str],
    beside: Sequence[Table] = (),
) -> None:
    """Write every table of some sections as ``SECTION-TABLE.FORMAT``; other files there are gone.

    Parameters
    ----------
    folder
        Made if absent.
    formats
        Names in :data:`pipeline.io.tables.WRITERS`.
    beside
        Tables of no one section, which become ``TABLE.FORMAT``.
    """
    tables = {**_named(sections, Table), **{table.id: table for table in beside}}
    files = {
        folder / f"{name}.{kind}": (kind, table)
        for name, table in tables.items()
        for kind in formats
    }
    _leave_only(folder, files)
    for path, (kind, table) in files.items():
        WRITERS[kind](path, table)


def write_figures(folder: Path, sections: Sequence[Section], *, formats: Sequence[str]) -> None:
    """Draw every figure of some sections as ``SECTION-FIGURE.FORMAT``; other files there are gone.

    Films are pixels: they become ``SECTION-FILMS-NUMBER.png``, their frames beside each other,
    where a format of pixels is asked for.

    Parameters
    ----------
    folder
        Made if absent.
    formats
        Names in :data:`pipeline.viz.draw.PICTURES`.
    """
    files: dict[Path, Callable[[], bytes]] = {
        folder / f"{name}.{kind}": partial(picture, figure, kind)
        for name, figure in _named(sections, Figure).items()
        for kind in formats
    }
    if PIXELS in formats:
        for name, films in _named(sections, Films).items():
            files |= _film_files(folder, name, films)
    _leave_only(folder, files)
    for path, made in files.items():
        with replacing(path) as temporary:
            temporary.write_bytes(made())


def _named(sections: Sequence[Section], kind_of_part: type[Part]) -> dict[str, Part]:
    """Section and id of all parts of a kind, as in names of files, to the part."""
    return {
        f"{section.id}-{part.id}": part
        for section in sections
        for part in section.body
        if isinstance(part, kind_of_part)
    }


def _film_files(folder: Path, name: str, films: Films) -> dict[Path, Callable[[], bytes]]:
    """Places of films, numbered as on the page, and what makes their content."""
    return {
        folder / f"{name}-{number}.{PIXELS}": partial(film_png, film)
        for number, film in enumerate(films.films, start=1)
    }


def _leave_only(folder: Path, files: Iterable[Path]) -> None:
    """Make a folder, or remove from it what is not among these files."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in set(folder.iterdir()) - set(files):
        path.unlink()
