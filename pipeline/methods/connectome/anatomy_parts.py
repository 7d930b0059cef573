"""The comparison with known connections in the report: a figure, a table and its words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.core.parts import Bars, Figure, Number, Panel, Table
from pipeline.core.words import counted, for_number
from pipeline.methods.connectome.result import Anatomy

LEVEL = 0.05


def graph_names(anatomy: Anatomy) -> tuple[str, ...]:
    """Names of what was compared: components, then the static graph."""
    return (*(str(index + 1) for index in range(len(anatomy.auroc) - 1)), "static")


def above_rewired(anatomy: Anatomy) -> NDArray[np.bool_]:
    """What follows connections more than rewired ones explain, (graph, kind)."""
    return (anatomy.auroc_p <= LEVEL) | (anatomy.correlation_p <= LEVEL)


def anatomy_words(anatomy: Anatomy) -> str:
    """What follows known connections, in a sentence or two."""
    above = above_rewired(anatomy)
    parts = []
    for index, kind in enumerate(anatomy.kind):
        names = [
            f"component {name}" if name != "static" else "the static graph"
            for name, flag in zip(graph_names(anatomy), above[:, index], strict=True)
            if flag
        ]
        parts.append(
            f"{kind} ({counted(int(anatomy.n_edges[index]), 'connected pair')} of "
            f"{anatomy.n_units[index]} units): {', '.join(names) or 'none'}"
        )
    return (
        "What follows known connections more than connections that are rewired, each unit keeping "
        f"their number: {'; '.join(parts)} (p <= {LEVEL} for all components and kinds together, "
        f"{anatomy.n_rewired} rewired graphs, one each for order and size). Affinity has no "
        "direction, and so connections are taken without theirs."
    )


def anatomy_figure(anatomy: Anatomy) -> Figure:
    """How well strengths tell connected pairs, beside rewired connections; one panel a kind."""
    names = graph_names(anatomy)
    panels: list[Panel] = []
    for index, kind in enumerate(anatomy.kind):
        excess = anatomy.auroc[:, index] - anatomy.auroc_range[:, :, index]
        panels.append(
            Bars(
                title=f"{kind}",
                labels=names,
                values=anatomy.auroc[:, index] - anatomy.auroc_rewired[:, index],
                lower=excess[1],
                upper=excess[0],
                x_title="Component",
                y_title="AUROC above rewired",
                reference=0.0,
                reference_label="rewired",
            )
        )
    n_above = int(above_rewired(anatomy)[:-1].any(axis=1).sum())
    best = np.unravel_index(int(anatomy.auroc.argmax()), anatomy.auroc.shape)
    return Figure(
        id="anatomy",
        title="Against known connections",
        finding=(
            f"{n_above} of {counted(len(names) - 1, 'component')} "
            f"{for_number(n_above, '[follows|follow]')} known connections more than rewired ones; "
            f"the largest AUROC is {anatomy.auroc[best]:z.2f} "
            f"({'static graph' if names[best[0]] == 'static' else f'component {names[best[0]]}'}, "
            f"{anatomy.kind[best[1]]})."
        ),
        caption=(
            "Area under the ROC curve (AUROC) of pair strengths for connected against other pairs ("
            + "; ".join(
                f"{kind}: {counted(int(n_edges), 'connected pair')} of {n_units} units"
                for kind, n_edges, n_units in zip(
                    anatomy.kind, anatomy.n_edges, anatomy.n_units, strict=True
                )
            )
            + "), less its mean over "
            f"{counted(anatomy.n_rewired, 'graph')} in which connections were rewired and each "
            "unit keeps their number; 'static' is the mean affinity over all the time. Lines span "
            "the difference to 95 % of rewired graphs, each by itself; the table's p values hold "
            "for all bars together. Connections that another component holds count against one, "
            "so that the static graph often does best where connections form several groups. "
            "Good: lines wholly above 0. Bad: lines that hold 0, where strengths know no more of "
            "connections than how many each unit has."
        ),
        alt="Bars of how well each component tells connected pairs of units from others.",
        panels=tuple(panels),
        columns=2 if len(panels) > 1 else 1,
    )


def anatomy_table(anatomy: Anatomy) -> Table:
    """One row a kind and graph."""
    names = graph_names(anatomy)
    n_kinds = anatomy.kind.size
    columns: dict[str, tuple[Number, ...]] = {
        "connections": tuple(str(kind) for kind in anatomy.kind for _ in names),
        "component": names * n_kinds,
    }
    for title, values in (
        ("AUROC", anatomy.auroc),
        ("AUROC, rewired", anatomy.auroc_rewired),
        ("p of AUROC", anatomy.auroc_p),
        ("rank correlation", anatomy.correlation),
        ("rank correlation, rewired", anatomy.correlation_rewired),
        ("p of rank correlation", anatomy.correlation_p),
    ):
        columns[title] = tuple(
            round(float(value), 3) if np.isfinite(value) else "not tested"
            for value in values.T.reshape(-1)
        )
    return Table(
        id="anatomy-table",
        title="Against known connections",
        caption=(
            "AUROC: chance that a connected pair is stronger than another; 0.5 is none. Rank "
            "correlation (Spearman) is with the connections' weights, 0 where there is none. p: "
            f"one-sided, by the largest of all rows over {anatomy.n_rewired} rewired graphs. 'Not "
            "tested': connections so dense that rewiring moves few of them."
        ),
        columns=columns,
    )
