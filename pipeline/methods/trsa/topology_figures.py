"""What the figures of holes in conditions and states show."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.core.parts import Figure, Line, Lines, Panel
from pipeline.core.words import counted
from pipeline.methods.trsa.cells import populations_drawn
from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.result import TrsaResult
from pipeline.methods.trsa.topology import BETTI_LEVELS

LEVEL = 0.05
SHOWN_POPULATIONS = 4
SHOWN_BARS = 8
KINDS = ("parts", "loops", "voids")
SOURCES = {"conditions": "conditions", "states": "states"}


def holes_figures(result: TrsaResult, config: TrsaConfig) -> tuple[Figure, ...]:
    """Barcodes and Betti curves of conditions and of states, where there are any."""
    made: list[Figure] = []
    for source in SOURCES:
        rows = result.persistence[result.persistence["source"] == source]
        if len(rows):
            made.append(_barcodes(result, rows, source, config.homology.scale))
            made.append(_betti(result, rows, source, config))
    return tuple(made)


def found_loops(table: pd.DataFrame) -> pd.DataFrame:
    """Rows whose longest loop is longer than those of shuffles, adjusted for their number."""
    return table[(table["dimension"] == 1) & (table["p_adjusted"] <= LEVEL)]


def cloud_name(row: pd.Series, result: TrsaResult) -> str:
    """Region of a cloud, with its recording where there are several."""
    several = len(set(result.populations["recording"])) > 1
    return f"{row['region']} ({row['recording']})" if several else str(row["region"])


def _barcodes(result: TrsaResult, rows: pd.DataFrame, source: str, scale: str) -> Figure:
    ranks = source == "conditions" and scale == "rank"
    scale_title = "Share of pairs joined" if ranks else "Distance over its median"
    loops = rows[rows["dimension"] == 1]
    passing = found_loops(rows)
    told = ", ".join(
        f"{cloud_name(row, result)} ({int(row['n_by_gap'])} before the largest gap)"
        for _, row in passing.iterrows()
    )
    n_points = sorted({int(n) for n in loops["n_points"]})
    points = f"{n_points[0]}" if len(n_points) == 1 else f"{n_points[0]} to {n_points[-1]}"
    named = [
        f"{cloud_name(row, result)}: {row['verdict']}"
        for _, row in loops.iterrows()
        if row["verdict"] != "not determined"
    ]
    panels: list[Panel] = []
    for place, (_, row) in zip(loops.index, loops.iterrows(), strict=True):
        if len(panels) < 2 * SHOWN_POPULATIONS:
            panels += [_barcode(result, row, source, scale_title), _profile(result, place, row)]
    return Figure(
        id=f"holes-{source}",
        title=f"Loops among {source}",
        finding=(
            f"The longest loop is longer than that of shuffled units in {len(passing)} of "
            f"{counted(len(loops), 'population')}"
            + (f": {told}. " if told else ". ")
            + ("Named: " + "; ".join(named) if named else "No topology is determined")
            + "."
        ),
        caption=(
            f"Points ({points} {source} a population) are joined in the order of their distances. "
            "Left: each bar lasts from where a part, a loop or a void appears to where it is "
            f"joined or filled ({scale_title.lower()}); the {SHOWN_BARS} longest of each "
            "kind, longest lowest. Under each loop: the length that 95 % of shuffles do not "
            "exceed, from the "
            "same start. Right: lengths of the longest loops in order, and those of shuffles "
            "(median, 5 to 95 %). Good: one or few loops far above the band, then a step down into "
            "it. Bad: many bars a little above the band, with no step: units are not independent, "
            "but no number of loops follows. "
            f"{populations_drawn(len(loops), SHOWN_POPULATIONS)}."
        ),
        alt="Bars of parts, loops and voids, and curves of the lengths of loops in order.",
        panels=tuple(panels),
        columns=2,
    )


def _betti(result: TrsaResult, rows: pd.DataFrame, source: str, config: TrsaConfig) -> Figure:
    """How many parts, loops and voids there are as pairs are joined, beside shuffles."""
    # The part that never ends is no bar, but is there.
    always = (rows["dimension"] == 0).to_numpy()
    seen = result.persistence_betti[rows.index] + always[:, None]
    null = result.persistence_betti_null[rows.index] + always[:, None, None]
    busy = (seen > always[:, None]) | (null[:, :, 2] > always[:, None])
    # Few points have no voids, and neither have their shuffles; rows of panels stay whole.
    dimensions = [
        place
        for place in range(len(KINDS))
        if place < 2 or busy[(rows["dimension"] == place).to_numpy()].any()
    ]
    last = min(int(np.flatnonzero(busy.any(axis=0)).max(initial=0)) + 1, BETTI_LEVELS.size - 1)
    shown = slice(0, last + 1)
    clouds = list(dict.fromkeys(zip(rows["recording"], rows["region"], strict=True)))
    drawn = set(clouds[:SHOWN_POPULATIONS])
    panels: list[Panel] = []
    told = []
    for place, (_, row) in enumerate(rows.iterrows()):
        if (row["recording"], row["region"]) not in drawn or row["dimension"] not in dimensions:
            continue
        kind, name = KINDS[int(row["dimension"])], cloud_name(row, result)
        low, middle, high = null[place].T
        if row["dimension"] == 1:
            most = int(seen[place].argmax())
            outside = int(((seen[place] < low) | (seen[place] > high))[shown].sum())
            told.append(
                f"{name} {int(seen[place][most])} (shuffles {low[most]:.0f} to {high[most]:.0f} "
                f"there; outside their band at {outside} of {last + 1} levels)"
            )
        panels.append(
            Lines(
                title=f"{name}: {kind}",
                x=100 * BETTI_LEVELS[shown],
                lines=(
                    Line(name=kind, y=seen[place][shown], group=int(row["dimension"])),
                    Line(
                        name="shuffles",
                        y=middle[shown],
                        lower=low[shown],
                        upper=high[shown],
                        group=-1,
                    ),
                ),
                x_title="Pairs joined (%)",
                y_title=f"Number of {kind}",
            )
        )
    n_points = sorted({int(n) for n in rows["n_points"]})
    points = f"{n_points[0]}" if len(n_points) == 1 else f"{n_points[0]} to {n_points[-1]}"
    named = " and ".join(
        part
        for part in (", ".join(KINDS[place] for place in dimensions[:-1]), KINDS[dimensions[-1]])
    )
    end = (
        "up to all pairs"
        if last + 1 == BETTI_LEVELS.size
        else f"up to {100 * BETTI_LEVELS[last]:.2g} % of pairs, beyond which there is one part and "
        "nothing else"
    )
    return Figure(
        id=f"holes-betti-{source}",
        title=f"Holes among {source} as they are joined (Betti curves)",
        finding=f"Most loops at once: {'; '.join(told)}.",
        caption=(
            f"Numbers of {named} when the nearest pairs are joined, {end}; {points} {source} a "
            f"population. Grey: median and 5 to 95 % of {config.homology.n_shuffles} shuffles, at "
            "their own quantiles of distances, level by level: one level in ten is outside by "
            "chance. Good: a low plateau over many levels, as one loop of a ring where shuffles "
            "have several at once. It may well lie within the band, which is of numbers at one "
            "level and not of how long one hole lasts; that is what the tests of bars are for. "
            "Below the band: fewer holes than units make that go their own ways, as of points "
            "along few dimensions. Bad: a high and narrow peak like that of the shuffles, of small "
            "holes between neighbours. "
            f"{populations_drawn(len(clouds), len(drawn))}."
        ),
        alt=f"Curves of the numbers of {named} over the share of pairs joined.",
        panels=tuple(panels),
        columns=len(dimensions),
    )


def _barcode(result: TrsaResult, row: pd.Series, source: str, scale_title: str) -> Lines:
    """Bars as stretches of one curve a kind, separated by gaps."""
    table = result.persistence_bars
    mine = table[
        (table["recording"] == row["recording"])
        & (table["region"] == row["region"])
        & (table["source"] == source)
    ]
    x: list[float] = []
    curves: list[tuple[str, int, list[tuple[int, float]]]] = []
    height = 0.0
    null: list[tuple[int, float]] = []
    for dimension, kind in enumerate(KINDS):
        bars = mine[mine["dimension"] == dimension]
        points: list[tuple[int, float]] = []
        for birth, death in bars[["birth", "death"]].to_numpy()[:SHOWN_BARS]:
            height += 1
            points += _stretch(x, birth, death, height)
            if dimension == 1:
                null += _stretch(x, birth, birth + row["shuffled"], height - 0.35)
        if points:
            curves.append((kind, dimension, points))
        height += 1
    if null:
        curves.append(("95 % of shuffles", -1, null))
    lines = []
    for name, group, points in curves:
        y = np.full(len(x), np.nan)
        for place, value in points:
            y[place] = value
        lines.append(Line(name=name, y=y, group=group))
    return Lines(
        title=f"{cloud_name(row, result)}: bars",
        x=np.array(x).round(4),
        lines=tuple(lines),
        x_title=scale_title,
        y_title="Bar",
    )


def _stretch(x: list[float], start: float, stop: float, height: float) -> list[tuple[int, float]]:
    """Add the ends of a bar, and a gap, to the horizontal axis; places and heights of the ends."""
    first = len(x)
    x += [float(start), float(stop), float(stop)]
    return [(first, height), (first + 1, height)]


def _profile(result: TrsaResult, place: int, row: pd.Series) -> Lines:
    lengths = result.persistence_lengths[place]
    low, middle, high = result.persistence_null[place].T
    return Lines(
        title=f"{cloud_name(row, result)}: lengths of loops",
        x=np.arange(1.0, lengths.size + 1),
        lines=(
            Line(name="loops", y=lengths.round(4), group=1),
            Line(
                name="shuffles",
                y=middle.round(4),
                lower=low.round(4),
                upper=high.round(4),
                group=-1,
            ),
        ),
        x_title="Loop, longest first",
        y_title="Length",
    )
