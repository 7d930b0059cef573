"""What is told of the holes of every cloud: its bars, their tests, and how clouds differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.homology import N_LONGEST, Cloud
from pipeline.methods.trsa.model import Sample
from pipeline.methods.trsa.result import (
    BAR_COLUMNS,
    DIAGRAM_COLUMNS,
    PERSISTENCE_COLUMNS,
    PartResult,
)
from pipeline.methods.trsa.topology import (
    BETTI_LEVELS,
    MIN_STATES,
    Holes,
    bars,
    betti_levels,
    bottleneck,
    judged,
    lifetimes,
    persistence_entropy,
    verdict,
    wasserstein,
)
from pipeline.numerics.dissimilarity import condensed_form
from pipeline.numerics.permutation import adjusted

Floats = NDArray[np.float64]

NULL_QUANTILES = (0.05, 0.5, 0.95)
MOST_COMPARED = 40
"""Clouds of one kind of which all pairs are compared."""
UNDETERMINED = "not determined"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Persistence:
    """Tables of bars."""

    table: pd.DataFrame
    """One row a cloud and dimension."""
    bars: pd.DataFrame
    lengths: Floats
    """Longest bars seen, shape (row, bar), 0 where there are fewer."""
    null: Floats
    """Quantiles of those of shuffles, shape (row, bar, quantile)."""
    betti: NDArray[np.int64]
    """Holes that are there at each quantile of the distances, shape (row, level)."""
    betti_null: Floats
    """Quantiles of those of shuffles, shape (row, level, quantile)."""
    distances: pd.DataFrame


def observed(
    sample: Sample, clouds: Sequence[Cloud], parts: Sequence[PartResult], config: TrsaConfig
) -> Persistence:
    """Bars of every cloud beside those of its shuffles."""
    made = [part.longest_bars for part in parts if part.longest_bars is not None]
    drawn = [part.betti_curves for part in parts if part.betti_curves is not None]
    rows: list[dict[str, object]] = []
    listed: list[tuple[object, ...]] = []
    lengths, null, betti, betti_null = [], [], [], []
    diagrams = []
    names = [
        (sample.sessions[index].recording, sample.sessions[index].regions[region])
        for index, region in sample.populations()
    ]
    for place, cloud in enumerate(clouds):
        longest = np.concatenate(made)[:, place]
        alive = np.concatenate(drawn)[:, place]
        distances = cloud.distances(cloud.responses)
        found = bars(distances, max_dimension=cloud.max_dimension)
        diagrams.append(found)
        curves = betti_levels(found, distances)
        holes = [
            judged(diagram, longest[:, dimension, 0], as_distances=_measured(cloud, diagram))
            for dimension, diagram in enumerate(found)
        ]
        named, why = _verdict(cloud, holes)
        for dimension, one in enumerate(holes):
            rows.append(
                {
                    **_identity(names[cloud.population], cloud),
                    "dimension": dimension,
                    **_summary(one, longest[:, dimension, 0]),
                    "verdict": named,
                    "reason": why,
                }
            )
            listed += [
                (*names[cloud.population], cloud.source, dimension, *bar, p, universal)
                for bar, p, universal in zip(
                    one.diagram.tolist(), one.shuffle_p, one.universal_p, strict=True
                )
            ]
            own = np.zeros(N_LONGEST)
            kept = lifetimes(one.diagram)[:N_LONGEST]
            own[: kept.size] = kept
            lengths.append(own)
            null.append(np.quantile(longest[:, dimension], NULL_QUANTILES, axis=0).T)
            betti.append(curves[dimension])
            betti_null.append(np.quantile(alive[:, dimension], NULL_QUANTILES, axis=0).T)
    table = _typed(pd.DataFrame(rows, columns=list(PERSISTENCE_COLUMNS)))
    # Loops and voids of conditions and of states are a question each; parts are none: they tell
    # how far points lie apart.
    for source, dimension in product(("conditions", "states"), (1, 2)):
        asked = ((table["dimension"] == dimension) & (table["source"] == source)).to_numpy()
        table.loc[asked, "p_adjusted"] = adjusted(
            table.loc[asked, "p"].to_numpy(), config.correction
        )
    return Persistence(
        table=table,
        bars=_typed(pd.DataFrame(listed, columns=list(BAR_COLUMNS))),
        lengths=np.array(lengths).reshape(-1, N_LONGEST),
        null=np.array(null).reshape(-1, N_LONGEST, len(NULL_QUANTILES)),
        betti=np.array(betti, dtype=np.int64).reshape(-1, BETTI_LEVELS.size),
        betti_null=np.array(betti_null).reshape(-1, BETTI_LEVELS.size, len(NULL_QUANTILES)),
        distances=_distances(names, clouds, diagrams),
    )


def why_none(clouds: Sequence[Cloud], config: TrsaConfig) -> str:
    """Why no holes were looked for; empty where they were."""
    if clouds:
        return ""
    if not config.homology.n_shuffles:
        return "methods.trsa.homology.n_shuffles is 0"
    return "no population has dissimilarities of all pairs of conditions, or states enough"


def _identity(name: tuple[str, str], cloud: Cloud) -> dict[str, object]:
    return {
        "recording": name[0],
        "region": name[1],
        "source": cloud.source,
        "n_units": cloud.responses.shape[1],
        "n_points": cloud.n_points,
        "n_available": cloud.n_available,
    }


def _summary(holes: Holes, longest: Floats) -> dict[str, object]:
    lengths = lifetimes(holes.diagram)
    universal = holes.universal_p[:1]
    return {
        "n_bars": len(lengths),
        "longest": lengths.max(initial=0),
        "second": lengths[1] if len(lengths) > 1 else 0.0,
        "shuffled": float(np.quantile(longest, 0.95)),
        "p": holes.shuffle_p[0] if len(lengths) else 1.0,
        "p_adjusted": np.nan,
        "universal_p": universal[0] if universal.size else np.nan,
        "n_passing": holes.n_passing,
        "n_by_gap": holes.n_by_gap,
        "total": lengths.sum(),
        "entropy": persistence_entropy(holes.diagram),
    }


def _measured(cloud: Cloud, diagram: Floats) -> Floats:
    """Births and deaths in units of the distance, of bars of ranks or of medians.

    Scaling keeps the order of distances, so that each birth and death is one of them.
    """
    measured = np.sort(cloud.measured(cloud.responses))
    scaled = np.sort(condensed_form(cloud.distances(cloud.responses)))
    place = np.searchsorted(scaled, diagram - 1e-6 * scaled[-1])
    there = measured[np.minimum(place, measured.size - 1)]
    return np.where(diagram == 0, 0.0, there)


def _verdict(cloud: Cloud, holes: Sequence[Holes]) -> tuple[str, str]:
    """The shape that may be named, and why none may."""
    voids = holes[2] if len(holes) > 2 else None
    found = verdict(holes[1], voids, cloud.n_points)
    if found != "not determined":
        return found, ""
    if cloud.n_points < MIN_STATES:
        return UNDETERMINED, f"{cloud.n_points} points; {MIN_STATES} are needed"
    if voids is None:
        return UNDETERMINED, "voids were not looked for"
    return UNDETERMINED, "bars that pass and gaps between them are those of no ring or torus"


def _distances(
    names: Sequence[tuple[str, str]],
    clouds: Sequence[Cloud],
    diagrams: Sequence[tuple[Floats, ...]],
) -> pd.DataFrame:
    """How far diagrams of loops are from each other, for all pairs of clouds of one kind."""
    rows: list[tuple[object, ...]] = []
    for source in ("conditions", "states"):
        places = [place for place, cloud in enumerate(clouds) if cloud.source == source]
        if len(places) > MOST_COMPARED:
            continue
        for a, b in combinations(places, 2):
            one, other = diagrams[a][1], diagrams[b][1]
            first, second = names[clouds[a].population], names[clouds[b].population]
            rows.append((source, *first, *second, bottleneck(one, other), wasserstein(one, other)))
    return _typed(pd.DataFrame(rows, columns=list(DIAGRAM_COLUMNS)))


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    """Text, whole numbers and numbers as such, also in empty tables."""
    words = {"recording", "region", "source", "verdict", "reason"}
    words |= {"first_recording", "first_region", "second_recording", "second_region"}
    whole = ("dimension", "n_units", "n_points", "n_available", "n_bars", "n_passing", "n_by_gap")
    kinds = {
        name: "str" if name in words else "int64" if name in whole else "float64"
        for name in table.columns
    }
    return table.astype(kinds)
