"""Clusters of a part of the data, for comparison with what another part says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.core.labelling import UnitLabels, item_names
from pipeline.core.views import SpikeCounts
from pipeline.methods.biclustering.algorithm import MOST_UNIT_DRAWS, STARTS, Checkpoint, evenly
from pipeline.methods.biclustering.config import BiclusteringConfig
from pipeline.methods.biclustering.matching import membership
from pipeline.methods.biclustering.problem import priors_of, problem_of, schedule_of
from pipeline.methods.biclustering.result import BiclusteringResult
from pipeline.methods.biclustering.sampler.chain import run_chain
from pipeline.numerics.point_partitions import CoClustering, point_partition


def refit(
    views: tuple[SpikeCounts, ...],
    result: BiclusteringResult,
    config: BiclusteringConfig,
    rng: np.random.Generator,
    *,
    threads: int,
    checkpoint: Callable[[Checkpoint], None] | None = None,
    resume: Checkpoint | None = None,
) -> tuple[UnitLabels, ...]:
    """Clusters of one chain, as long as those that only check predictions.

    Parameters
    ----------
    views
        A part of the data of one recording.
    result
        The main fit. Nothing of it is used: numbers of clusters and states are drawn again.
    config
        The method's settings.
    rng
        Random stream.
    threads
        Not used: a chain has one thread.
    checkpoint, resume
        As of a chain of the main fit.

    Raises
    ------
    NotApplicable
        If the part has too few bins or spikes.
    """
    (view,) = views
    problem = problem_of(view, config)
    draws = run_chain(
        problem.data,
        priors_of(config, bin_s=view.bin_s),
        schedule_of(config, checks=True),
        rng,
        start=STARTS[0],
        kernel=config.kernel,
        checkpoint=checkpoint,
        resume=resume,
    )
    drawn = evenly([draws], "cluster", MOST_UNIT_DRAWS)
    clusters = point_partition(CoClustering(drawn))
    unit = view.unit[problem.used]
    return (
        UnitLabels(
            name="cluster",
            kind="clusters",
            from_activity=True,
            recording=np.full(unit.size, view.recording),
            unit=unit,
            item=item_names(view.recording, unit),
            label=(clusters + 1).astype(np.str_),
            probability=membership(clusters, drawn)[np.arange(unit.size), clusters],
        ),
    )
