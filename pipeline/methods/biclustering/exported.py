"""Posterior draws and probabilities of a recording as tables of numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline.core.exported import Exported, ResultColumn, ResultRows, ResultSeries
from pipeline.methods.biclustering.result import BiclusteringResult

MOST_DRAWS = 1000
"""Draws of partitions that are exported, evenly picked from each chain."""


def exported(
    results: Mapping[str, BiclusteringResult], recording: str, units: pd.DataFrame
) -> Exported:
    """Which units are how often together, draws of their clusters, and probabilities of states.

    Parameters
    ----------
    results
        The joined fit of each recording.
    recording
        Its id; nothing is exported of one without a fit.
    units
        Its table of units, as in :class:`~pipeline.core.recording.Recording`.
    """
    if recording not in results:
        return Exported()
    result = results[recording]
    row = {str(unit): at for at, unit in enumerate(units["unit_id"])}
    used = np.array([row[str(unit)] for unit in result.unit[result.used]], dtype=np.int64)
    return Exported(
        rows=(_together(result, used), _draws(result)),
        series=(
            ResultSeries(
                name="state_probability",
                description="Share of draws in which the bin is in each state (columns, from state "
                f"1); times are starts of bins of {result.bin_s:g} s.",
                time_s=result.time_bin_s,
                values=result.state_probability,
                unit="n.a.",
            ),
        ),
    )


def _together(result: BiclusteringResult, used: np.ndarray) -> ResultRows:
    return ResultRows(
        name="co_clustering",
        description="How often units are in one cluster; one row a unit that took part.",
        columns=(
            ResultColumn(name="unit", description="The unit.", values=used, of_units=True),
            ResultColumn(
                name="probability",
                description="Share of draws of all chains, 0 to 1, in which the unit is in one "
                "cluster with each unit; columns are units in the order of the rows.",
                values=result.co_clustering,
            ),
        ),
    )


def _draws(result: BiclusteringResult) -> ResultRows:
    posterior = result.posterior
    n_chains, n_draws = posterior.n_clusters.shape
    kept = np.linspace(0, n_draws - 1, max(1, min(n_draws, MOST_DRAWS // n_chains))).astype(int)
    chain, draw = (each.ravel() for each in np.meshgrid(np.arange(n_chains), kept, indexing="ij"))
    some = (
        f"; {kept.size} of {n_draws} draws of each chain, evenly picked"
        if (kept.size < n_draws)
        else ""
    )
    return ResultRows(
        name="posterior_draws",
        description=f"Draws after warm-up, one a row{some}. Numbers of clusters mean nothing over "
        "draws: compare which units are together.",
        columns=(
            ResultColumn(name="chain", description="Chain, from 1.", values=chain + 1),
            ResultColumn(name="draw", description="Draw of the chain, from 1.", values=draw + 1),
            ResultColumn(
                name="n_clusters",
                description="Number of clusters.",
                values=posterior.n_clusters[chain, draw],
            ),
            ResultColumn(
                name="n_states",
                description="Number of states that govern at least one transition.",
                values=posterior.n_states[chain, draw],
            ),
            ResultColumn(
                name="log_joint",
                description="Logarithm of the joint density of counts and unknowns, in nats, up to "
                "a constant.",
                values=result.sample_stats.log_joint[chain, draw],
            ),
            ResultColumn(
                name="cluster",
                description="Cluster of each unit as drawn; columns are units in the order of the "
                "rows of co_clustering.",
                values=posterior.cluster[chain, draw],
            ),
        ),
    )
