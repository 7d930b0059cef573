"""Four shapes of which two by two are alike in geometry, and two by two in topology.

Fifty conditions lie on a figure eight, flat or with one lobe turned out of the plane, whose strands
meet at the crossing or leave it open. Flat and turned ones differ in far distances; open ones are a
ring, and no eight. Dissimilarities, their transform and the shortest paths over it (levels 0 and
0.075, as in the paper) are held against each other; pictures and numbers are those of
docs/trsa_shapes.md.

    .venv/bin/python -m benchmarks.trsa_figure_eights --write docs

Source: Lin & Kriegeskorte (2024), PNAS: figure eights, flat or twisted, crossed or untangled. The
formulas here are not theirs, which are not published.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

from pipeline.core.parts import Figure, Heatmap, Panel, Points
from pipeline.core.rng import stream
from pipeline.methods.trsa.geodesics import two_step
from pipeline.methods.trsa.transforms import geo_topological
from pipeline.numerics.dissimilarity import squared_form
from pipeline.numerics.embedding import classical_scaling
from pipeline.numerics.similarity import compare
from pipeline.viz.draw import picture

Floats = NDArray[np.float64]

N_POINTS = 50
LEVELS = np.array([[0.0, 0.075]])
TURN_DEG = 125.0
WAIST = 0.4
"""Half of the gap between the strands of an open eight, whose lobes are 1 long."""
NOISE = (0.0, 0.01, 0.02, 0.05)
SHAPES = {
    "flat, crossed": (0.0, 0.0),
    "flat, untangled": (0.0, WAIST),
    "twisted, crossed": (TURN_DEG, 0.0),
    "twisted, untangled": (TURN_DEG, WAIST),
}
"""How far one lobe is turned, and how far strands are apart."""
STATISTICS = ("dissimilarities", "transformed", "shortest paths")
TWINS = {"geometry": ((0, 1), (2, 3)), "topology": ((0, 2), (1, 3)), "neither": ((0, 3), (1, 2))}
"""Pairs of shapes that have it in common."""
MEASURED = "<!-- measured: everything below is written by benchmarks/trsa_figure_eights.py -->"


def figure_eight(turn_deg: float, waist: float, n_points: int = N_POINTS) -> Floats:
    """Points along a figure eight, shape (point, 3).

    Parameters
    ----------
    turn_deg
        How far the left lobe is turned about the line through the crossing that parts the lobes.
    waist
        Half of the gap between the strands; 0 lets them meet.
    """
    angle = 2 * np.pi * (np.arange(n_points) + 0.5) / n_points
    along = np.sin(angle)
    across = np.cos(angle) * np.hypot(along, waist)
    turn = np.where(along < 0, np.radians(turn_deg), 0.0)
    return np.stack([along * np.cos(turn), across, along * np.sin(turn)], axis=1)


def statistics(noise: float = 0.0, seed: int = 0) -> Floats:
    """Of all shapes, with normal noise on every coordinate, shape (statistic, shape, pair)."""
    rng = stream(seed, "figure eights")
    points = [figure_eight(*shape) for shape in SHAPES.values()]
    moved = np.stack([one + noise * rng.standard_normal(one.shape) for one in points])
    apart = np.stack([distances(one) for one in moved])
    transformed = geo_topological(apart, LEVELS)[:, 0]
    return np.stack([apart, transformed, two_step(apart, LEVELS).values[:, 0]])


def distances(points: Floats) -> Floats:
    """Of all pairs of points; those that are equal by symmetry are so to the last digit."""
    return np.asarray(np.round(pdist(points), 9))


def likeness(found: Floats) -> Floats:
    """Rank correlations of all shapes, shape (statistic, shape, shape)."""
    return np.stack([compare(rows, rows, "spearman").values for rows in found])


def nearest_twin(alike: Floats, kind: str) -> Floats:
    """Share of shapes of which the most alike other one is the twin of a kind, (statistic,)."""
    twin = np.zeros(len(SHAPES), dtype=np.int64)
    for one, other in TWINS[kind]:
        twin[one], twin[other] = other, one
    others = alike - 2 * np.eye(len(SHAPES))
    return np.asarray((others.argmax(axis=2) == twin).mean(axis=1))


def shapes_figure(found: Floats) -> Figure:
    """Maps and matrices, one row a shape."""
    panels: list[Panel] = []
    lobe = (np.sin(2 * np.pi * (np.arange(N_POINTS) + 0.5) / N_POINTS) < 0).astype(np.int64)
    for place, name in enumerate(SHAPES):
        panels.append(_map(found[0, place], lobe, title=name))
        panels += [
            _matrix(rows[place], title=told, limits=(0.0, float(rows.max())))
            for told, rows in zip(STATISTICS, found, strict=True)
        ]
        panels.append(_map(found[2, place], lobe, title="map of paths"))
    return Figure(
        id="shapes",
        title="Four figure eights",
        finding="",
        caption="",
        alt="Maps and matrices of four shapes.",
        panels=tuple(panels),
        columns=5,
    )


def likeness_figure(alike: Floats) -> Figure:
    """Rank correlations of the four shapes, one matrix a statistic."""
    return Figure(
        id="likeness",
        title="Which shapes are alike",
        finding="",
        caption="",
        alt="Three matrices of shapes.",
        panels=tuple(
            Heatmap(
                title=told,
                values=values.astype(np.float32),
                x_title="",
                y_title="",
                value_title="rank correlation",
                x_labels=tuple(SHAPES),
                y_labels=tuple(SHAPES),
                limits=(float(alike.min()), 1.0),
                square=True,
            )
            for told, values in zip(STATISTICS, alike, strict=True)
        ),
        columns=3,
    )


def _map(apart: Floats, lobe: NDArray[np.int64], *, title: str) -> Points:
    """Conditions in the plane that holds most of their distances; colours are lobes."""
    x, y = classical_scaling(squared_form(apart))[0].T
    return Points(
        title=title,
        x=x,
        y=y,
        x_title="",
        y_title="",
        group=lobe,
        group_names=("one lobe", "other lobe"),
    )


def _matrix(values: Floats, *, title: str, limits: tuple[float, float]) -> Heatmap:
    return Heatmap(
        title=title,
        values=squared_form(values).astype(np.float32),
        x_title="",
        y_title="",
        value_title="",
        limits=limits,
        square=True,
    )


def table(n_seeds: int = 100) -> list[str]:
    """Likeness of twins, and how often they are nearest under noise, as lines of Markdown."""
    alike = likeness(statistics())
    lines = [
        "| rank correlation of | same geometry | same topology | neither |",
        "|---|---|---|---|",
    ]
    for told, values in zip(STATISTICS, alike, strict=True):
        cells = [", ".join(f"{values[pair]:.3f}" for pair in pairs) for pairs in TWINS.values()]
        lines.append(f"| {told} | {' | '.join(cells)} |")
    lines += [
        "",
        "| noise | geometry nearest, dissimilarities | topology nearest, transformed "
        "| topology nearest, shortest paths |",
        "|---|---|---|---|",
    ]
    for noise in NOISE:
        drawn = [likeness(statistics(noise, seed)) for seed in range(n_seeds if noise else 1)]
        shares = (
            np.mean([nearest_twin(one, kind)[row] for one in drawn])
            for row, kind in enumerate(("geometry", "topology", "topology"))
        )
        lines.append(f"| {noise:g} | {' | '.join(f'{share:.2f}' for share in shares)} |")
    return lines


def main() -> None:
    """Print the tables; write them and the pictures into a folder of documents."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=Path, help="folder of trsa_shapes.md and pictures/")
    options = parser.parse_args()
    lines = table()
    print("\n".join(lines))
    if options.write:
        found = statistics()
        pictures = options.write / "pictures"
        (pictures / "figure_eights.svg").write_bytes(picture(shapes_figure(found), "svg"))
        (pictures / "figure_eights_alike.svg").write_bytes(
            picture(likeness_figure(likeness(found)), "svg")
        )
        document = options.write / "trsa_shapes.md"
        head = document.read_text(encoding="utf-8").partition(MEASURED)[0]
        document.write_text(head + MEASURED + "\n\n" + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
