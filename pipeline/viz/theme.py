"""Colours, marks and scales, stated once for the page, its figures and the SVG files.

The categorical colours follow the palette of Okabe and Ito, darkened for white paper and lightened
for dark screens until each stands out at 3:1; colour never stands alone, because every group also
has its own marker and its own dash.
"""

from __future__ import annotations

from dataclasses import dataclass

Scale = tuple[tuple[float, str], ...]

# Matplotlib's viridis at nine even steps: even in lightness, readable for all colour vision.
VIRIDIS: Scale = (
    (0.0, "#440154"),
    (0.125, "#472d7b"),
    (0.25, "#3b528b"),
    (0.375, "#2c728e"),
    (0.5, "#21918c"),
    (0.625, "#28ae80"),
    (0.75, "#5ec962"),
    (0.875, "#addc30"),
    (1.0, "#fde725"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """Colours of one appearance; all as ``#rrggbb``."""

    name: str
    paper: str
    surface: str
    sunken: str
    ink: str
    muted: str
    line: str
    grid: str
    accent: str
    ok: str
    ok_soft: str
    warn: str
    warn_soft: str
    failed: str
    failed_soft: str
    quiet: str
    quiet_soft: str
    missing: str
    groups: tuple[str, ...]
    sequential: Scale
    diverging: Scale


LIGHT = Theme(
    name="light",
    paper="#fafaf7",
    surface="#ffffff",
    sunken="#f1f2ee",
    ink="#1b222c",
    muted="#56606d",
    line="#dcdfda",
    grid="#e9ebe6",
    accent="#0a5a9c",
    ok="#17683a",
    ok_soft="#e4f3e9",
    warn="#7d4c00",
    warn_soft="#fcf0d8",
    failed="#a02228",
    failed_soft="#fce9e8",
    quiet="#56606d",
    quiet_soft="#eceeea",
    missing="#d3d6d1",
    groups=(
        "#0072b2",
        "#d55e00",
        "#00896a",
        "#b0518a",
        "#9a7400",
        "#4a8fd6",
        "#7a4a2c",
        "#5f6773",
    ),
    sequential=VIRIDIS,
    diverging=(
        (0.0, "#123e73"),
        (0.25, "#4f8fc4"),
        (0.45, "#c9dcea"),
        (0.5, "#f7f7f5"),
        (0.55, "#f3d9c2"),
        (0.75, "#d57a33"),
        (1.0, "#7a3406"),
    ),
)

DARK = Theme(
    name="dark",
    paper="#12161b",
    surface="#1a1f26",
    sunken="#151a20",
    ink="#e5e9ee",
    muted="#a4aebb",
    line="#303842",
    grid="#272e37",
    accent="#83bdf5",
    ok="#7fd3a0",
    ok_soft="#16301f",
    warn="#f0c069",
    warn_soft="#352a12",
    failed="#ff9d98",
    failed_soft="#3b1d1d",
    quiet="#a4aebb",
    quiet_soft="#262d36",
    missing="#3c444e",
    groups=(
        "#57aef0",
        "#ff8b4d",
        "#35c79a",
        "#e696c6",
        "#e0b64b",
        "#a3c9ff",
        "#c99b7d",
        "#aab3be",
    ),
    sequential=VIRIDIS,
    diverging=(
        (0.0, "#9fd0f7"),
        (0.25, "#3f86bf"),
        (0.45, "#24384a"),
        (0.5, "#1d232a"),
        (0.55, "#44301f"),
        (0.75, "#d0782f"),
        (1.0, "#ffc999"),
    ),
)

MARKERS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "triangle-down", "star")
"""Marker of each group, in Plotly's words."""
MPL_MARKERS = ("o", "s", "D", "^", "P", "X", "v", "*")
"""The same markers in Matplotlib's words."""
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "6px 2px", "2px 2px")
"""Dash of each group, in Plotly's words."""
MPL_DASHES: tuple[str | tuple[int, tuple[int, ...]], ...] = (
    "-",
    (0, (5, 2)),
    (0, (1, 1)),
    (0, (5, 1, 1, 1)),
    (0, (8, 2)),
    (0, (8, 1, 1, 1)),
    (0, (4, 1)),
    (0, (1, 2)),
)
"""The same dashes in Matplotlib's words."""


def text_on(ground: str) -> str:
    """Black or white, whichever stands out more from a ground given as ``#rrggbb``.

    One of the two does at 4.58:1 or more on every ground, which ink and surface do not: relative
    luminance and contrast as WCAG 2 defines them.
    """
    parts = [int(ground[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#000000" if (luminance + 0.05) ** 2 > 0.05 * 1.05 else "#ffffff"


def group_index(group: int) -> int:
    """Place of a group in the palette; groups beyond it start again."""
    return group % len(LIGHT.groups)


def mark_index(group: int) -> int:
    """Place of a group's marker and dash; where colours start again, these are others."""
    return (group + group // len(LIGHT.groups)) % len(MARKERS)
