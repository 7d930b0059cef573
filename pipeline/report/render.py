"""One self-contained page of HTML from a page's data."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pipeline.core.parts import Figure, Films, Section, Table
from pipeline.report.document import plain
from pipeline.report.films import film_strip
from pipeline.report.fitting import Drawn, Key, fit_to_limit, largest, packed
from pipeline.report.legend import legend, shared_legend
from pipeline.report.packing import plotly_packed, script_hash
from pipeline.report.page import PLACEHOLDER_DAYS, Page
from pipeline.report.redact import SENSITIVE, redacted
from pipeline.report.rows import packed_rows
from pipeline.report.saved_tables import checks_table, timings_table
from pipeline.report.wording import (
    CHECK_WORDS,
    SHORT_TABLE,
    STATUS_WORDS,
    doubtful,
    duration_text,
    failure_facts,
    number_text,
    overall,
    ranked,
    rows_left_out,
    shown_columns,
    shown_rows,
    told,
    typeset,
)
from pipeline.viz.theme import DARK, LIGHT, Theme, text_on

if TYPE_CHECKING:
    import jinja2
    from markupsafe import Markup


MOST_THUMBNAILS = 4


@dataclass(frozen=True, slots=True)
class Node:
    """A setting, or a block of settings, in the tree on the page."""

    key: str
    value: str
    changed: bool
    children: tuple[Node, ...] | None


def render(page: Page) -> str:
    """The report of one experiment as one HTML text that needs nothing else.

    All text from data is escaped; a content security policy allows our two scripts by their
    hashes and no request to anywhere. The same page gives the same text. Above the page's limit
    heat maps and curves are coarsened; where that is not enough, the largest figures and films are
    left out until the page fits, and stand as a note with what they found. The page says so, and
    whether words and tables alone are above the limit.
    """
    shown = redacted(page) if page.redact else page
    # Counted before names are hidden, behind which all animals look the same.
    facts = header_facts(page)
    if page.redact:
        facts = [(name, value) for name, value in facts if name.lower() not in SENSITIVE]
    figures = {
        (section.id, part.id): part
        for section in shown.sections
        for part in section.body
        if isinstance(part, Figure)
    }
    drawn = packed(figures)
    text = _filled(shown, drawn, facts)
    excess = len(text.encode()) - page.limit_bytes
    if excess <= 0:
        return text
    held = sum(len(each.packed) for each in drawn.values())
    coarse = fit_to_limit(figures, budget=held - excess)
    text = _filled(shown, coarse, facts)
    if len(text.encode()) <= page.limit_bytes:
        return text
    return _without_largest(shown, figures, coarse, facts)


def _without_largest(
    page: Page,
    figures: Mapping[Key, Figure],
    coarse: Mapping[Key, Drawn],
    facts: Sequence[tuple[str, str]],
) -> str:
    """The page without as many of its largest figures and films as make it fit."""
    sizes = {key: len(each.packed) for key, each in coarse.items()} | {
        (section.id, part.id): sum(len(film_strip(film, part).style) for film in part.films)
        for section in page.sections
        for part in section.body
        if isinstance(part, Films)
    }
    left_out: set[Key] = set()
    while True:
        text = _filled(page, coarse, facts, left_out=left_out)
        excess = len(text.encode()) - page.limit_bytes
        if excess <= 0:
            break
        rest = {key: size for key, size in sizes.items() if key not in left_out}
        if not rest:
            return _filled(page, coarse, facts, left_out=left_out, oversize=True)
        left_out.update(largest(rest, excess=excess))
    # What was left out may leave room for finer maps and curves.
    kept = {key: figure for key, figure in figures.items() if key not in left_out}
    room = sum(len(coarse[key].packed) for key in kept) - excess
    finer = _filled(page, fit_to_limit(kept, budget=room), facts, left_out=left_out)
    return finer if len(finer.encode()) <= page.limit_bytes else text


def _filled(
    page: Page,
    drawn: Mapping[Key, Drawn],
    facts: Sequence[tuple[str, str]],
    *,
    left_out: Collection[Key] = (),
    oversize: bool = False,
) -> str:
    """The template with everything in its place."""
    from markupsafe import Markup

    script = template_text("page.js")
    library, library_hash = plotly_packed() if set(drawn) - set(left_out) else ("", "")
    return (
        environment()
        .get_template("page.html")
        .render(
            page=page,
            policy=policy(script_hash(script), library_hash),
            tokens=Markup(tokens()),  # noqa: S704 - our own text
            css=Markup(template_text("page.css")),  # noqa: S704 - our own text
            script=Markup(script),  # noqa: S704 - our own text
            themes=Markup(themes_json()),  # noqa: S704 - our own text
            library=library,
            drawn=drawn,
            left_out=left_out,
            oversize=oversize,
            facts=facts,
            overall=overall(page.methods),
            settings=setting_nodes(page.settings, page.changed),
            provenance=json.dumps(plain(page.provenance), indent=2, ensure_ascii=False),
        )
    )


def policy(*script_hashes: str) -> str:
    """A content security policy that allows these scripts and no request."""
    scripts = " ".join(name for name in script_hashes if name)
    return (
        "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; "
        f"script-src {scripts}; base-uri 'none'; form-action 'none'"
    )


@lru_cache(maxsize=1)
def environment() -> jinja2.Environment:
    """The templates, with everything escaped and every missing name an error."""
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        words=STATUS_WORDS,
        check_words=CHECK_WORDS,
        legend=legend,
        shared_legend=shared_legend,
        short_table=SHORT_TABLE,
        typeset=typeset,
        breakable=breakable,
        ranked=ranked,
        doubtful=doubtful,
        failure_facts=failure_facts,
        shown_columns=shown_columns,
        shown_rows=shown_rows,
        rows_left_out=rows_left_out,
        packed_rows=packed_rows,
        checks_table=checks_table,
        timings_table=timings_table,
        duration=duration_text,
        film_strip=film_strip,
        kind_of=_kind_of,
        told=told,
        thumbnails=thumbnails,
    )
    return made


def template_text(name: str) -> str:
    """The text of one of our own style sheets or scripts."""
    return files("pipeline.report").joinpath("templates", name).read_text("utf-8")


def tokens() -> str:
    """The colours of both appearances as custom properties."""

    def properties(theme: Theme) -> str:
        plain_ones = {
            name.replace("_", "-"): getattr(theme, name)
            for name in theme.__dataclass_fields__
            if isinstance(getattr(theme, name), str) and name != "name"
        }
        groups = {f"g{place}": color for place, color in enumerate(theme.groups)}
        texts = {f"on-{name}": text_on(color) for name, color in groups.items()}
        all_ones = {**plain_ones, **groups, **texts}
        return "".join(f"--{name}:{value};" for name, value in all_ones.items())

    light = f"color-scheme:light;{properties(LIGHT)}"
    dark = f"color-scheme:dark;{properties(DARK)}"
    return (
        f":root{{{light}}}"
        f"@media (prefers-color-scheme:dark){{:root{{{dark}}}}}"
        f":root[data-theme=light]{{{light}}}:root[data-theme=dark]{{{dark}}}"
        f"@media print{{:root,:root[data-theme]{{{light}--paper:{LIGHT.surface};}}}}"
    )


def themes_json() -> str:
    """The colours of both appearances for the page's script."""
    return json.dumps(
        {
            theme.name: {
                **{name: getattr(theme, name) for name in theme.__dataclass_fields__},
                "texts": [text_on(color) for color in theme.groups],
            }
            for theme in (LIGHT, DARK)
        },
        separators=(",", ":"),
    )


def header_facts(page: Page) -> list[tuple[str, str]]:
    """Name and value of what stands under the title."""
    rows = page.recordings
    facts = [("Recordings", str(len(rows)))] if rows else []
    subjects = {str(row["subject"]) for row in rows if row.get("subject")}
    if subjects:
        facts.append(("Animals", str(len(subjects))))
    used = [row["units_used"] for row in rows if isinstance(row.get("units_used"), int)]
    if used:
        facts.append(("Units used", str(sum(used))))  # type: ignore[arg-type]
    species = sorted({str(row["species"]) for row in rows if row.get("species")})
    if species:
        facts.append(("Species", ", ".join(species)))
    starts = {str(row["session_start"])[:10] for row in rows if row.get("session_start")}
    days = sorted(starts - PLACEHOLDER_DAYS)
    if days:
        facts.append(("Recorded", days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"))
    return facts


def setting_nodes(
    settings: Mapping[str, object], changed: tuple[str, ...], *, above: str = ""
) -> tuple[Node, ...]:
    """The tree of settings, with those marked that are not the default."""
    nodes = []
    for key, value in settings.items():
        path = f"{above}{key}"
        if isinstance(value, Mapping):
            children = setting_nodes(value, changed, above=f"{path}.")
            nodes.append(Node(str(key), "", False, children))
        else:
            listed = value if isinstance(value, (list, tuple)) else (value,)
            text = ", ".join(number_text(item) for item in listed) or "none"
            nodes.append(Node(str(key), text, path in changed, None))
    return tuple(nodes)


def breakable(text: str) -> Markup:
    """Text in which lines may end behind a slash, an underscore or a dot within a name."""
    from markupsafe import Markup, escape

    broken = re.sub(r"([/_\\]|(?<=[a-z])\.(?=[a-z]))(?=[^/_\\])", r"\1<wbr>", str(escape(text)))
    return Markup(broken)  # noqa: S704 - escaped above


def thumbnails(section: Section, left_out: Collection[Key]) -> list[Figure]:
    """The figures of a section that the first screen shows small: the first that are drawn."""
    figures = [
        part
        for part in section.body
        if isinstance(part, Figure) and (section.id, part.id) not in left_out
    ]
    return figures[:MOST_THUMBNAILS]


def _kind_of(part: Any) -> str:  # Any: a part as the template sees it
    kinds = {Table: "table", Films: "films"}
    return kinds.get(type(part), "figure")
