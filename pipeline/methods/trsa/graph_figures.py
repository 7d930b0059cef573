"""Figure and table of graphs of conditions over thresholds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipeline.core.parts import Figure, Line, Lines, Table
from pipeline.core.words import counted, for_number
from pipeline.methods.trsa.cells import columns, populations_drawn, where_told
from pipeline.methods.trsa.result import GraphsResult, TrsaResult

LEVEL = 0.05
SHOWN_POPULATIONS = 3
TITLES = {
    "parts": "Number of parts",
    "clustering": "Clustering coefficient",
    "path length": "Mean path (steps)",
    "modularity": "Modularity",
}


def graph_figures(result: TrsaResult) -> tuple[Figure, ...]:
    """Curves of the graphs of conditions, where there are any."""
    found = result.graphs
    return () if found is None else (_curves(result, found),)


def graph_body(result: TrsaResult, by_id: Mapping[str, Figure]) -> list[str | Figure | Table]:
    """What is said of graphs, in reading order."""
    if result.graphs is None:
        return []
    return [by_id["graphs"], _table(result.graphs)]


def _curves(result: TrsaResult, found: GraphsResult) -> Figure:
    tests = found.tests
    several = len(set(result.populations["recording"])) > 1
    shown = tests["region"] + (" (" + tests["recording"] + ")" if several else "")
    names = list(dict.fromkeys(shown))
    good = tests.assign(region=shown)[tests["p_adjusted"] <= LEVEL]
    told = "; ".join(
        f"{row.statistic} of {row.region} is {'above' if excess > 0 else 'below'} shuffles, "
        f"most at level {row.level:g}"
        for row, excess in zip(
            good.head(4).itertuples(index=False), good["excess"].to_numpy(np.float64), strict=False
        )
    )
    panels = []
    for number, name in enumerate(map(str, found.graph_statistic)):
        lines = [
            Line(
                name=names[place],
                y=found.curves[place, number].round(4),
                lower=found.lower[place, number].round(4),
                upper=found.upper[place, number].round(4),
                group=place,
            )
            for place in range(min(len(names), SHOWN_POPULATIONS))
        ]
        low = found.shuffles_lower[:, number].mean(axis=0)
        high = found.shuffles_upper[:, number].mean(axis=0)
        middle = (low + high) / 2
        lines.append(
            Line(
                name="shuffles",
                y=middle.round(4),
                lower=low.round(4),
                upper=high.round(4),
                group=-1,
            )
        )
        panels.append(
            Lines(
                title=TITLES[name],
                x=np.asarray(found.graph_level).round(4),
                lines=tuple(lines),
                x_title="Share of pairs joined",
                y_title=TITLES[name],
            )
        )
    return Figure(
        id="graphs",
        title="Graphs of conditions over thresholds",
        finding=(
            f"{len(good)} of {counted(int(tests['p'].notna().sum()), 'curve')} "
            f"{for_number(len(good), '[differs|differ]')} from those of shuffled "
            f"units (adjusted p <= {LEVEL})"
            + (f": {told}" if told else "")
            + (" ..." if len(good) > 4 else "")
            + "."
        ),
        caption=(
            "At each level the closest share of pairs of conditions is joined. Parts: pieces that "
            "hang together; clustering: share of a condition's neighbours that are neighbours; "
            "mean path: steps between conditions that are connected; modularity: of the best split "
            "that Louvain's method finds. Bands: 95 % of resamples of the units. Grey: 95 % of "
            "shuffles of each unit by itself, mean over populations. Resamples hold some units "
            "twice and are noisier than the data, which need not lie in the middle of its band. "
            f"{populations_drawn(len(names), SHOWN_POPULATIONS)}. Good: a "
            "curve with its band outside the grey over several levels. Bad: at one level only."
        ),
        alt="Curves over thresholds with bands, one panel a statistic.",
        panels=tuple(panels),
        columns=2,
    )


def _table(found: GraphsResult) -> Table:
    return Table(
        id="graph-tests",
        title="Graphs of conditions beside shuffles",
        caption=(
            "Excess: the largest over levels, in standard deviations of shuffles."
            + where_told(
                found.tests,
                "p",
                " p: two-sided, corrected for having looked at all levels; adjusted for the number "
                "of populations.",
            )
        ),
        columns=columns(
            found.tests,
            {
                "recording": "recording",
                "region": "region",
                "statistic": "statistic",
                "excess": "excess",
                "level": "level",
                "p": "p",
                "p_adjusted": "adjusted p",
            },
        ),
    )
