"""The fit in two rounds: encoding models, then clusterings of what they answer; and their joining.

Without frames to learn from there is no model: then types come from the stimuli that were shown,
and all the work is in the joining.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.errors import NotApplicable
from pipeline.core.method import Part
from pipeline.core.progress import Progress, silent
from pipeline.core.provenance import Provenance
from pipeline.core.resuming import ALONE, Loops
from pipeline.core.views import View
from pipeline.methods.celltypes.checkpoint import Checkpoint, Resumption
from pipeline.methods.celltypes.config import FOLD, MODEL, NULL, RESTART, TWIN, CelltypesConfig
from pipeline.methods.celltypes.encoding.fit import DEVICE_SETTING, EncodingFit
from pipeline.methods.celltypes.objective import NO_TYPE
from pipeline.methods.celltypes.result import (
    FOLD_SCAN_COLUMNS,
    HISTORY_COLUMNS,
    CelltypesResult,
    ClusteringPart,
    FoldPart,
    ModelPart,
    PartResult,
)
from pipeline.methods.celltypes.showings import stimulus_views, types_of_shown
from pipeline.methods.celltypes.splitting import EVENT_COLUMNS
from pipeline.numerics.device import device_name, device_of

FEWEST_UNITS = 10
"""Units that a model must predict well enough."""

__all__ = ["Checkpoint", "combine", "fit_part", "serves"]


def fit_part(
    views: tuple[View, ...],
    config: CelltypesConfig,
    part: Part,
    rng: np.random.Generator,
    progress: Progress = silent,
    *,
    provenance: Provenance,
    earlier: Mapping[str, ModelPart] | None = None,
    checkpoint: Callable[[Checkpoint], None] | None = None,
    resume: Checkpoint | None = None,
) -> PartResult:
    """One encoding model, one clustering, or one outer fold.

    Parameters
    ----------
    views
        One view a recording of the experiment.
    config
        The method's settings.
    part
        ``model-N``; then ``restart-NN``, ``null-NN`` and ``fold-NN`` of the first model, and
        ``twin-N`` of another.
    rng
        The random stream of this part.
    progress
        Told how far it is.
    provenance
        Put into the result; its number of threads is used.
    earlier
        The models, for clusterings.
    checkpoint, resume
        Given what a model needs to go on, after every epoch, and a clustering, after its ascents;
        one to go on from.

    Raises
    ------
    NotApplicable
        If a model is asked for and there is nothing to learn from.
    """
    kind, _, number = part.name.partition("-")
    resumption = Resumption(checkpoint, resume)
    if kind == MODEL:
        return _model(views, config, part, rng, progress, provenance, resumption)
    from pipeline.methods.celltypes.model import find_types
    from pipeline.methods.celltypes.population import population

    models = earlier or {}
    source = models[f"{MODEL}-{number if kind == TWIN else 0}"]
    if kind == FOLD:
        return _fold(views, config, source, part, rng, provenance, resumption)
    if source.fit is None or source.status != "ok":
        return _no_clustering(part.name, source.status, provenance)
    provenance = _where(provenance, config)
    movies = stimulus_views(views)
    who = population(source.fit, movies, config, threads=provenance.threads)
    if kind == NULL:
        who = who.without_types(rng)
    types = find_types(
        who.remembering(resumption.keep_ascents, resumption.ascents),
        config,
        n_start=_n_start(config, kind, int(number)),
        strata=_strata(source, kind),
        rng=rng,
    )
    found = types.clustering
    return ClusteringPart(
        name=part.name,
        status="ok",
        type_of_unit=found.labels,
        held_out=types.held_out,
        stimuli=None if kind == NULL else found.stimuli,
        responses=found.responses,
        objective=types.objective,
        held_out_objective=types.held_out_objective,
        pair_fraction=types.pair_fraction,
        selection_temperature=types.selection_temperature,
        n_start=types.n_start,
        n_removed=types.n_removed,
        ended=types.ended,
        flags=types.flags,
        history=types.history,
        events=types.events,
        provenance=provenance,
    )


def combine(
    parts: Mapping[str, PartResult],
    views: tuple[View, ...],
    config: CelltypesConfig,
    rng: np.random.Generator,
    *,
    provenance: Provenance,
    loops: Loops = ALONE,
) -> CelltypesResult:
    """The types of the run that stands for all, with the evidence for and against them.

    Parameters
    ----------
    parts
        All parts by name.
    views, config
        What the parts were given.
    rng
        The random stream of the joining.
    provenance
        Put into the result; its number of threads is used.
    loops
        Its pieces; one that was ended goes on to the same result, to the last bit.

    Raises
    ------
    NotApplicable
        If there is neither a model nor stimuli that were shown again.
    """
    first = parts[f"{MODEL}-0"]
    if not isinstance(first, ModelPart):
        raise TypeError(f"The part {first.name} holds no model.")
    if first.fit is None:
        return types_of_shown(views, config, rng, provenance=provenance, loops=loops)
    from pipeline.methods.celltypes.assembly import types_of_model, without_types

    models = [part for part in parts.values() if isinstance(part, ModelPart)]
    clusterings = [part for part in parts.values() if isinstance(part, ClusteringPart)]
    folds = [part for part in parts.values() if isinstance(part, FoldPart)]
    movies = stimulus_views(views)
    provenance = _where(provenance, config)
    if first.status != "ok":
        return without_types(first, movies, config, provenance=provenance)
    return types_of_model(
        sorted(models, key=lambda part: part.name),
        sorted(clusterings, key=lambda part: part.name),
        sorted(folds, key=lambda part: part.name),
        movies,
        config,
        rng,
        provenance=provenance,
        loops=loops,
    )


def _fold(
    views: Sequence[View],
    config: CelltypesConfig,
    source: ModelPart,
    part: Part,
    rng: np.random.Generator,
    provenance: Provenance,
    resumption: Resumption,
) -> FoldPart:
    """Types without some of the units, where there are enough."""
    status = source.status
    if source.fit is not None and status == "ok":
        if int(source.fit.units["used"].sum()) >= config.folds.least_units:
            from pipeline.methods.celltypes.folds import fold_part

            return fold_part(
                source.fit,
                stimulus_views(views),
                config,
                part,
                n_starts=[
                    _n_start(config, RESTART, index) for index in range(config.folds.n_restarts)
                ],
                strata=_strata(source, FOLD),
                rng=rng,
                provenance=_where(provenance, config),
                checkpoint=resumption.keep_ascents,
                resume=resumption.ascents,
            )
        status = "too_few_cells"
    nobody = np.empty(0, dtype=np.int64)
    return FoldPart(
        name=part.name,
        status=status,
        outer=np.empty(0, dtype=bool),
        type_of_unit=nobody,
        by_answers=nobody,
        responses=np.empty((0, 0)),
        floor=float("nan"),
        restart_types=nobody,
        scan=_empty(FOLD_SCAN_COLUMNS),
        scan_labels=np.empty((0, 0), dtype=np.int64),
        provenance=provenance,
    )


def _model(
    views: Sequence[View],
    config: CelltypesConfig,
    part: Part,
    rng: np.random.Generator,
    progress: Progress,
    provenance: Provenance,
    resumption: Resumption,
) -> ModelPart:
    """One encoding model, with whether it can serve."""
    movies = stimulus_views(views)
    if config.mode == "discrete" or not movies:
        reason = (
            "no model was asked for" if config.mode == "discrete" else "no stimulus frames to learn"
        )
        if config.mode == "model":
            raise NotApplicable(
                "A model was asked for, and no recording has stimulus frames. Set "
                "methods.celltypes.mode to 'auto' or 'discrete'."
            )
        return ModelPart(
            name=part.name, fit=None, status="no_model", reason=reason, provenance=provenance
        )
    import torch

    from pipeline.methods.celltypes.encoding.fit import fit_encoding

    torch.set_num_threads(provenance.threads)
    fit = fit_encoding(
        movies,
        config.encoding,
        rng,
        config.device,
        progress,
        trainings=resumption.trainings,
    )
    status, reason = serves(fit, config)
    return ModelPart(
        name=part.name,
        fit=fit,
        status=status,
        reason=reason,
        provenance=_where(provenance, config),
    )


def _where(provenance: Provenance, config: CelltypesConfig) -> Provenance:
    """With the device on which torch computed."""
    device = device_name(device_of(config.device, setting=DEVICE_SETTING))
    return replace(provenance, device=device)


def serves(fit: EncodingFit, config: CelltypesConfig) -> tuple[str, str]:
    """Whether units can be typed through a model: the status of its part, and why not."""
    n_used = int(fit.units["used"].sum())
    correlations = fit.units["validation_correlation"].to_numpy(dtype=float)
    known = correlations[np.isfinite(correlations)]
    median = float(np.median(known)) if known.size else 0.0
    if median < config.least_correlation:
        return "model_not_predictive", (
            f"the median correlation with the validation frames is {median:.3f}, and "
            f"{config.least_correlation:g} is needed"
        )
    if n_used < FEWEST_UNITS:
        return "too_few_cells", (
            f"{n_used} units are predicted well enough, and {FEWEST_UNITS} are needed"
        )
    return "ok", ""


def _n_start(config: CelltypesConfig, kind: str, number: int) -> int:
    """Clusters to start from: those of the settings in turn, or the number that is fixed."""
    if config.n_types != "auto":
        return int(config.n_types)
    starts = config.loop.start_clusters
    return starts[(number if kind == RESTART else 0) % len(starts)]


def _strata(source: ModelPart, kind: str) -> NDArray[np.int64]:
    """Recording and known type of each unit of a clustering, as numbers."""
    if source.fit is None:
        return np.empty(0, dtype=np.int64)
    units = source.fit.units[source.fit.units["used"].to_numpy(dtype=bool)]
    if kind == NULL:
        return np.zeros(len(units), dtype=np.int64)
    return np.asarray(units.groupby(["recording", "label"]).ngroup(), dtype=np.int64)


def _no_clustering(name: str, status: str, provenance: Provenance) -> ClusteringPart:
    """What stands in place of a clustering where there is no model for it."""
    none = np.empty((0, 0))
    return ClusteringPart(
        name=name,
        status=status,
        type_of_unit=np.full(0, NO_TYPE, dtype=np.int64),
        held_out=np.empty(0, dtype=bool),
        stimuli=None,
        responses=none,
        objective=np.empty(0),
        held_out_objective=np.empty(0),
        pair_fraction=none,
        selection_temperature=float("nan"),
        n_start=0,
        n_removed=0,
        ended="",
        flags=(),
        history=_empty(HISTORY_COLUMNS),
        events=_empty(EVENT_COLUMNS),
        provenance=provenance,
    )


def _empty(columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series([], dtype="float64") for name in columns})
