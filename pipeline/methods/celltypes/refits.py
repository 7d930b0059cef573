"""Types from a part of the showings, for comparison with what another part says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.core.errors import NotApplicable
from pipeline.core.labelling import UnitLabels, item_names
from pipeline.core.views import StimulusResponses, View
from pipeline.methods.celltypes.config import CelltypesConfig
from pipeline.methods.celltypes.discrete import fit, normalised
from pipeline.methods.celltypes.result import CelltypesResult
from pipeline.methods.celltypes.showings import pooled


def refit(
    views: Sequence[View],
    result: CelltypesResult,
    config: CelltypesConfig,
    rng: np.random.Generator,
    *,
    threads: int,
) -> tuple[UnitLabels, ...]:
    """Types by the stimuli that were shown; each stimulus must have been shown once.

    Parameters
    ----------
    views
        A part of the data of each recording.
    result
        The main fit, of which the number of types is taken and nothing else.
    config
        The method's settings.
    rng
        For the restarts.
    threads
        Not used: no model is fitted.

    Raises
    ------
    NotApplicable
        If types come from an encoding model, or too little was shown.
    """
    if result.mode == "model":
        raise NotApplicable(
            "types through an encoding model are not sought again in halves of the data, as the "
            "model would have to be learned from each half; set methods.celltypes.mode to "
            "discrete for types by the stimuli that were shown again"
        )
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
    item = np.concatenate([item_names(view.recording, view.unit) for view in views])
    has = found.labels >= 0
    return (
        UnitLabels(
            name="type",
            kind="types",
            from_activity=True,
            recording=recording[has],
            unit=unit[has],
            item=item[has],
            label=(found.labels[has] + 1).astype(np.str_),
            probability=np.full(int(has.sum()), np.nan),
        ),
    )


def _is_movie(view: View) -> bool:
    return isinstance(view, StimulusResponses) and not view.presentations
