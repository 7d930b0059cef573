"""Types from a part of the data, for comparison with what another part says.

Types by the stimuli that were shown, or through an encoding model that has learned from the part
alone. Such a model is a light one, as there is half of the data to learn from and nothing of its
own to be shown: one network, of the kind that the main fit kept, and one clustering for a number
of types that is given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import NotApplicable
from pipeline.core.labelling import UnitLabels, item_names
from pipeline.core.views import StimulusResponses, View
from pipeline.methods.celltypes.algorithm import serves
from pipeline.methods.celltypes.checkpoint import Checkpoint, Resumption
from pipeline.methods.celltypes.config import MOST_EPOCHS_OF_A_HALF, CelltypesConfig
from pipeline.methods.celltypes.discrete import fit, normalised
from pipeline.methods.celltypes.encoding.config import NetworkName
from pipeline.methods.celltypes.objective import Labels
from pipeline.methods.celltypes.result import CelltypesResult
from pipeline.methods.celltypes.showings import pooled, stimulus_views

NETWORKS: tuple[NetworkName, ...] = ("ln", "cnn_small", "cnn_factorised", "cnn_image")
"""Models that can be fitted anew; one that was supplied cannot."""


def refit(
    views: Sequence[View],
    result: CelltypesResult,
    config: CelltypesConfig,
    rng: np.random.Generator,
    *,
    threads: int,
    checkpoint: Callable[[Checkpoint], None] | None = None,
    resume: Checkpoint | None = None,
) -> tuple[UnitLabels, ...]:
    """Types as the main fit found them: by what was shown, or through an encoding model.

    Without a model each stimulus must have been shown once.

    Parameters
    ----------
    views
        A part of the data of each recording.
    result
        The main fit, of which the number of types and the kind of model are taken and nothing else.
    config
        The method's settings.
    rng
        For the model and the clustering, or for restarts.
    threads
        Of torch.
    checkpoint, resume
        Given what a model and its clustering need to go on; one to go on from.

    Raises
    ------
    NotApplicable
        If too little was shown, too few units are predicted, or no model can be learned.
    """
    if result.mode == "model":
        resumption = Resumption(checkpoint, resume)
        return _through_a_model(views, result, config, rng, resumption, threads=threads)
    if len(views) > 1 and any(_is_movie(view) for view in views):
        raise NotApplicable("halves of a movie cannot be lined up over several recordings")
    seen, _ = pooled(views, config.discrete.window_s, part=True)
    answers = normalised(seen.whole)
    n_units = int(np.isfinite(answers).any(axis=0).sum())
    if n_units < max(2, result.n_types):
        raise NotApplicable(f"{n_units} units answered unlike to what was shown")
    found = fit(
        answers,
        result.n_types,
        near=seen.near,
        n_restarts=config.discrete.n_restarts,
        temperature=config.loop.temperature,
        distinct=config.discrete.distinct,
        rng=rng,
    )
    recording = np.concatenate([np.full(view.unit.size, view.recording) for view in views])
    unit = np.concatenate([view.unit for view in views])
    return _labels(recording, unit, found.labels)


def _through_a_model(
    views: Sequence[View],
    result: CelltypesResult,
    config: CelltypesConfig,
    rng: np.random.Generator,
    resumption: Resumption,
    *,
    threads: int,
) -> tuple[UnitLabels, ...]:
    """Types of the units that a model which learned from these frames predicts well enough."""
    if result.model is None or result.n_types < 2:
        raise NotApplicable("the whole data have no two types that could be sought again")
    kind = next((one for one in NETWORKS if one == result.model.network), None)
    if kind is None:
        raise NotApplicable(
            "the encoding model was supplied and cannot be learned again from half of the data"
        )
    movies = tuple(_by_itself(view) for view in stimulus_views(views))
    for view in movies:
        if not view.time.size:
            raise NotApplicable(f"{view.recording} has no stimulus frames")
    import torch

    from pipeline.methods.celltypes.encoding.fit import fit_encoding
    from pipeline.methods.celltypes.model import find_types
    from pipeline.methods.celltypes.population import population

    torch.set_num_threads(threads)
    light = config.encoding.model_copy(
        update={"members": 1, "max_epochs": min(config.encoding.max_epochs, MOST_EPOCHS_OF_A_HALF)}
    )
    model = fit_encoding(
        movies, light, rng, config.device, kind=kind, trainings=resumption.trainings
    )
    status, reason = serves(model, config)
    if status != "ok":
        raise NotApplicable(reason)
    used = model.units[model.units["used"].to_numpy(dtype=bool)]
    if len(used) < result.n_types:
        raise NotApplicable(
            f"{len(used)} units are predicted well enough, and {result.n_types} types are sought"
        )
    # The number of types is given, so that nothing is split or merged, and held-out units would
    # have nothing to judge.
    told = config.model_copy(
        update={
            "n_types": result.n_types,
            "loop": config.loop.model_copy(update={"holdout": 0.0}),
            "ascent": config.ascent.model_copy(
                update={
                    "polish_steps": min(config.ascent.compare_steps, config.ascent.polish_steps)
                }
            ),
        }
    )
    who = population(model, movies, told, threads=threads)
    found = find_types(
        who.remembering(resumption.keep_ascents, resumption.ascents),
        told,
        n_start=result.n_types,
        strata=np.zeros(len(used), dtype=np.int64),
        rng=rng,
    )
    return _labels(
        used["recording"].to_numpy(dtype=np.str_),
        used["unit"].to_numpy(dtype=np.str_),
        found.clustering.labels,
    )


def _by_itself(view: StimulusResponses) -> StimulusResponses:
    """A part of a view in which frames count as shown again only if that was within the part."""
    _, place, count = np.unique(view.again, return_inverse=True, return_counts=True)
    return replace(view, again=np.where(count[place] > 1, view.again, -1))


def _labels(
    recording: NDArray[np.str_], unit: NDArray[np.str_], labels: Labels
) -> tuple[UnitLabels, ...]:
    """Types of the units that have one; all arrays of shape (unit,)."""
    item = [item_names(name, unit[at : at + 1])[0] for at, name in enumerate(recording)]
    has = labels >= 0
    return (
        UnitLabels(
            name="type",
            kind="types",
            from_activity=True,
            recording=recording[has],
            unit=unit[has],
            item=np.array(item, dtype=np.str_)[has],
            label=(labels[has] + 1).astype(np.str_),
            probability=np.full(int(has.sum()), np.nan),
        ),
    )


def _is_movie(view: View) -> bool:
    return isinstance(view, StimulusResponses) and not view.presentations
