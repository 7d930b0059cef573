"""Graphs of conditions over thresholds: their curves, bands over units, and a test.

At each level the closest share of pairs of conditions is joined. Bands resample units. Shuffles
treat each unit by itself, as for holes; a curve's largest excess over all levels is held against
that of every shuffle, each measured by the mean and spread of all, the data among them, so that p
is exact.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.progress import Progress, silent
from pipeline.core.resuming import ALONE, Loops
from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.homology import Cloud, condition_clouds
from pipeline.methods.trsa.model import Sample
from pipeline.methods.trsa.relations import Order
from pipeline.methods.trsa.result import GRAPH_COLUMNS, GraphsResult, PartResult
from pipeline.methods.trsa.transforms import geo_topological
from pipeline.numerics.dissimilarity import squared_form
from pipeline.numerics.graphs import summarise
from pipeline.numerics.permutation import adjusted

Floats = NDArray[np.float64]

STATISTICS = ("parts", "clustering", "path length", "modularity")
"""The mean degree is the level times the number of other conditions, and tells nothing more."""
LEVELS = np.array([0.1, 0.2, 0.3, 0.5, 0.7])
"""Dense where graphs fall apart; Louvain's method takes some milliseconds a graph."""
BAND = (0.025, 0.975)


def curves(condensed: Floats) -> Floats:
    """Statistics of the graphs of dissimilarities, shape (..., statistic, level).

    Parameters
    ----------
    condensed
        Shape (..., pair).
    """
    near = geo_topological(condensed, np.stack([LEVELS, LEVELS], axis=1)) == 0
    adjacent = squared_form(near.astype(np.float64)) > 0
    found = summarise(adjacent)
    values = (found.n_components, found.clustering, found.path_length, found.modularity)
    return np.stack([np.asarray(value, dtype=np.float64) for value in values], axis=-2)


def drawn(
    sample: Sample,
    config: TrsaConfig,
    order: Order,
    n_draws: int,
    rng: np.random.Generator,
    progress: Progress = silent,
    loops: Loops = ALONE,
) -> tuple[Floats, Floats] | None:
    """Curves of shuffles, and of resampled units; each (draw, population, statistic, level)."""
    clouds = condition_clouds(sample, config, order)
    if not clouds:
        return None
    shape = (2, n_draws, len(STATISTICS), LEVELS.size)
    found = []
    for place, cloud in enumerate(clouds):
        n_units = cloud.responses.shape[1]
        moved = [cloud.measured(cloud.shuffle(cloud.responses, rng)) for _ in range(n_draws)]
        again = [
            cloud.measured(cloud.responses[:, rng.integers(n_units, size=n_units)])
            for _ in range(n_draws)
        ]
        found.append(np.empty(shape))
        for draw in loops.steps(n_draws, {"curves": found[-1]}):
            found[-1][:, draw] = curves(np.stack([moved[draw], again[draw]]))
        progress(place + 1, len(clouds), "graphs of conditions")
    shuffles, resamples = np.stack(found, axis=2)
    return shuffles, resamples


def observed(
    sample: Sample, config: TrsaConfig, order: Order, parts: Sequence[PartResult]
) -> GraphsResult | None:
    """Curves beside their bands and shuffles; None where none were drawn."""
    null = [part.graph_shuffles for part in parts if part.graph_shuffles is not None]
    again = [part.graph_resamples for part in parts if part.graph_resamples is not None]
    if not null:
        return None
    clouds = condition_clouds(sample, config, order)
    seen = np.stack([curves(cloud.measured(cloud.responses)) for cloud in clouds])
    shuffles = np.concatenate(null)
    low, high = _quantiles(np.concatenate(again), BAND)
    null_low, null_high = _quantiles(shuffles, BAND)
    return GraphsResult(
        tests=_tests(sample, clouds, seen, shuffles, config),
        graph_statistic=np.array(STATISTICS),
        graph_level=LEVELS,
        curves=seen,
        lower=low,
        upper=high,
        shuffles_lower=null_low,
        shuffles_upper=null_high,
    )


def largest_excess(seen: Floats, null: Floats) -> tuple[float, int, float]:
    """Largest excess of a curve in standard deviations, its level, and its two-sided p.

    Parameters
    ----------
    seen
        Shape (level,).
    null
        Shape (draw, level). Levels at which some draw is not defined (NaN) do not count.
    """
    whole = np.concatenate([seen[None], null])
    usable = np.isfinite(whole).all(axis=0)
    spread = np.where(usable, whole.std(axis=0), 0.0)
    usable &= spread > 1e-12
    if not usable.any():
        return float("nan"), 0, float("nan")
    score = np.where(usable, (whole - whole.mean(axis=0)) / np.where(usable, spread, 1), 0.0)
    size = np.abs(score)
    largest = size.max(axis=1)
    place = int(size[0].argmax())
    return float(score[0, place]), place, float(np.mean(largest >= largest[0] - 1e-12))


def _quantiles(draws: Floats, quantiles: tuple[float, float]) -> tuple[Floats, Floats]:
    """Over draws; NaN where one is not defined."""
    low, high = np.quantile(draws, quantiles, axis=0)
    return low, high


def _tests(
    sample: Sample, clouds: Sequence[Cloud], seen: Floats, shuffles: Floats, config: TrsaConfig
) -> pd.DataFrame:
    rows: list[tuple[object, ...]] = []
    for place, cloud in enumerate(clouds):
        index, region = sample.populations()[cloud.population]
        session = sample.sessions[index]
        for number, name in enumerate(STATISTICS):
            excess, level, p = largest_excess(seen[place, number], shuffles[:, place, number])
            rows.append(
                (session.recording, session.regions[region], name, excess, LEVELS[level], p, np.nan)
            )
    table = pd.DataFrame(rows, columns=list(GRAPH_COLUMNS))
    words = GRAPH_COLUMNS[:3]
    table = table.astype({name: "str" if name in words else "float64" for name in table.columns})
    for name in STATISTICS:
        mine = (table["statistic"] == name).to_numpy()
        table.loc[mine, "p_adjusted"] = adjusted(table.loc[mine, "p"].to_numpy(), config.correction)
    return table
