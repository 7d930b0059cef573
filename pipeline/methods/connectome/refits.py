"""Communities of a part of the data, for comparison with what another part says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipeline.core.labelling import UnitLabels, item_names
from pipeline.core.views import TraceEnsemble
from pipeline.methods.connectome.alignment import align
from pipeline.methods.connectome.communities import find_communities, graph
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.factorisation import Search, Snapshots, factorise, fits_in_turn
from pipeline.methods.connectome.pair_affinity import channels_of
from pipeline.methods.connectome.problem import affinity_problem, over_channels, rows_of_pairs
from pipeline.methods.connectome.result import ConnectomeResult, places
from pipeline.methods.connectome.sides import sides_of_units, with_sides_merged


def refit(
    views: tuple[TraceEnsemble, ...],
    result: ConnectomeResult,
    config: ConnectomeConfig,
    rng: np.random.Generator,
    *,
    threads: int,
    checkpoint: Callable[[Snapshots], None] | None = None,
    resume: Snapshots | None = None,
) -> tuple[UnitLabels, ...]:
    """Communities of every component of one restart that has groups.

    Components stand in the order of their own weights: which of them is which of the main fit is
    not asked, since the main fit has seen all of the data.

    Parameters
    ----------
    views
        A part of the data of each recording.
    result
        The main fit, of which the number of components is taken and nothing else.
    config
        The method's settings; engine ``tensorly`` is replaced by the compiled one.
    rng
        Random stream.
    threads
        For the products; changes no digit.
    checkpoint, resume
        As of a part of the main fit.

    Raises
    ------
    NotApplicable
        If the part is too short, or has too few units.
    """
    config = config.with_rank(result.rank)
    alignment = align(with_sides_merged(views, config), config)
    keep, left = fits_in_turn(checkpoint, resume).next()
    fit = factorise(
        affinity_problem(alignment, config, threads=threads),
        rank=config.n_components,
        search=Search(
            start=config.start,
            n_starts=config.n_starts,
            burn_in=config.burn_in,
            n_kept=1,
            max_iterations=config.max_iterations,
            tolerance=config.tolerance,
        ),
        rng=rng,
        checkpoint=keep,
        resume=left,
    )[0]
    channels = channels_of(config.affinity)
    pair = fit.pair[rows_of_pairs(alignment, channels=channels)]
    strengths = over_channels(pair, channels=channels)
    graphs = [graph(one, alignment.pairs, alignment.unit.size) for one in strengths.T]
    found = find_communities(graphs, config, rng=rng)
    recording, unit, pooled = _units(views)
    place = places(alignment.unit, sides_of_units(alignment.unit, views, config))
    column = np.array([place.get(str(name), -1) for name in pooled], dtype=np.int64)
    row = {str(name): at for at, name in enumerate(alignment.recording)}
    seen = np.array(
        [
            at >= 0 and name in row and alignment.presence[row[name], at]
            for name, at in zip(map(str, recording), column, strict=True)
        ],
        dtype=bool,
    )
    labels = []
    for number, one in enumerate(found, start=1):
        has = seen & (one.label[column] >= 0)
        if one.structured and has.any():
            labels.append(
                UnitLabels(
                    name=f"community of component {number}",
                    kind="communities",
                    from_activity=True,
                    recording=recording[has],
                    unit=unit[has],
                    item=pooled[has],
                    label=(one.label[column[has]] + 1).astype(np.str_),
                    probability=one.membership[column[has]],
                )
            )
    return tuple(labels)


def _units(
    views: tuple[TraceEnsemble, ...],
) -> tuple[NDArray[np.str_], NDArray[np.str_], NDArray[np.str_]]:
    """Recording, id and pooled name of all units of all views."""
    recording = np.concatenate([np.full(view.unit.size, view.recording) for view in views])
    unit = np.concatenate([view.unit for view in views])
    pooled = np.concatenate(
        [item_names(view.recording, view.unit, view.identity) for view in views]
    )
    return recording, unit, pooled
