"""Views as showings of stimuli, and the types that follow without a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.errors import NotApplicable
from pipeline.core.provenance import Provenance
from pipeline.core.resuming import ALONE, Loops
from pipeline.core.views import ResponsePatterns, StimulusResponses, View
from pipeline.core.words import counted, for_number, with_article
from pipeline.methods.celltypes.config import CelltypesConfig
from pipeline.methods.celltypes.discrete import (
    DiscreteTypes,
    Shown,
    discrete_types,
    normalised,
    shown,
)
from pipeline.methods.celltypes.evidence import (
    OWN,
    baseline_row,
    baseline_table,
    k_means_labels,
    mixture_labels,
    own_agreement,
    separation,
    session_association,
    verdicts,
)
from pipeline.methods.celltypes.objective import (
    Floats,
    Labels,
    cluster_means,
    margins,
    membership,
    posterior,
)
from pipeline.methods.celltypes.result import UNIT_COLUMNS, CelltypesResult, ShownEvidence
from pipeline.methods.celltypes.shown_halves import (
    Showings,
    in_the_other_half,
    null_separation,
    typing_by_showings,
)

LEAST_SHOWINGS = 2
"""Times a stimulus must have been shown, one for each half."""
N_COMPONENTS = 10
"""Of the answers to all stimuli, for other clusterings."""


def stimulus_views(views: Sequence[View]) -> tuple[StimulusResponses, ...]:
    """The views that hold frames of a stimulus."""
    return tuple(view for view in views if isinstance(view, StimulusResponses))


def showings(
    view: StimulusResponses | ResponsePatterns, window_s: float
) -> tuple[Floats, NDArray[np.str_], Floats]:
    """Answers to every showing of what was shown more than once.

    Parameters
    ----------
    view
        Trials of named conditions; or frames: then stimuli are images, or pieces of a movie that
        comes again.
    window_s
        Length of these pieces.

    Returns
    -------
    Answers (showing, unit) with NaN where not known, name of the stimulus of each showing, and
    where in the movie it starts, in seconds (NaN for trials and images).
    """
    values = np.where(view.valid, view.responses, np.nan).astype(np.float64)
    if isinstance(view, ResponsePatterns):
        names = view.condition[view.condition_of_trial]
        return values, names.astype(str), np.full(names.size, np.nan)
    if view.presentations:
        names = np.char.add("image ", view.content.astype(str))
        return values, names, np.full(names.size, np.nan)
    return _pieces(view, values, max(1, round(window_s * view.rate_hz)))


def _pieces(
    view: StimulusResponses, values: Floats, length: int
) -> tuple[Floats, NDArray[np.str_], Floats]:
    """Mean answers to pieces of a movie, wherever the same frames come again."""
    again = view.again
    # A piece begins where its frames were first shown; the same frames follow wherever it begins.
    order, first = np.unique(again[again >= 0], return_index=True)
    place = np.flatnonzero(again >= 0)[first]
    starts: dict[int, int] = {}
    covered = -1
    for frame, one in sorted(zip(place.tolist(), order.tolist(), strict=True)):
        if frame > covered and _runs_on(again, frame, length):
            starts[one] = frame
            covered = frame + length - 1
    answers, names, when = [], [], []
    origin = min(starts.values(), default=0)
    for one, frame in starts.items():
        begin_s = (frame - origin) / view.rate_hz
        for showing in np.flatnonzero(again == one).tolist():
            if not _runs_on(again, showing, length):
                continue
            piece = values[showing : showing + length]
            known = np.isfinite(piece)
            enough = known.sum(axis=0) == length
            answers.append(np.where(enough, np.where(known, piece, 0).mean(axis=0), np.nan))
            names.append(f"{begin_s:z.2f} s")
            when.append(begin_s)
    return (
        np.array(answers).reshape(-1, values.shape[1]),
        np.array(names, dtype=str),
        np.array(when, dtype=np.float64),
    )


def _runs_on(again: NDArray[np.int64], frame: int, length: int) -> bool:
    """Whether frames that come again follow without a gap."""
    piece = again[frame : frame + length]
    return bool(piece.size == length and (piece >= 0).all())


def pooled(
    views: Sequence[View], window_s: float, *, part: bool = False
) -> tuple[Shown, list[Showings]]:
    """Stimuli that all recordings saw at least twice, and all their units.

    Parameters
    ----------
    views
        One a recording.
    window_s
        Length of pieces of a movie.
    part
        Whether views are a part of the data: then one showing of what the whole data show again
        is enough.

    Returns
    -------
    The stimuli, and of each recording the answers to every showing of them.

    Raises
    ------
    NotApplicable
        If fewer than two stimuli were shown so often in every recording.
    """
    kept = [view for view in views if isinstance(view, StimulusResponses | ResponsePatterns)]
    found = [showings(view, window_s) for view in kept]
    shared: set[str] | None = None
    for view, (_, names, _) in zip(kept, found, strict=True):
        unique, counts = np.unique(names, return_counts=True)
        often = set(unique[counts >= (1 if part else LEAST_SHOWINGS)].tolist())
        if part and isinstance(view, StimulusResponses) and view.presentations:
            often &= set(names[view.again >= 0].tolist())
        shared = often if shared is None else shared & often
    n_shared = len(shared or ())
    if not shared or n_shared < 2:
        often_enough = "at all" if part else "at least twice"
        raise NotApplicable(
            f"{counted(n_shared, 'stimulus', 'stimuli')} {for_number(n_shared, '[was|were]')} "
            "shown "
            f"{often_enough} in every recording, and two "
            "are needed to type units without a model. Column 'condition' of the sheet chooses "
            "what tells stimuli apart."
        )
    start = {
        str(name): float(at)
        for _, names, when in found
        for name, at in zip(names, when, strict=True)
    }
    # Trials and images have no place in a movie: NaN, beside which no order holds.
    stimuli = np.array(sorted(shared, key=lambda name: (np.nan_to_num(start[name]), name)))
    start_s = np.array([start[str(name)] for name in stimuli])
    place = {str(name): index for index, name in enumerate(stimuli)}
    recordings: list[Showings] = []
    for answers, names, _ in found:
        which = np.isin(names, stimuli)
        condition = np.array([place[str(name)] for name in names[which]], dtype=np.int64)
        recordings.append((answers[which], condition))
    each = [shown(answers, condition, stimuli, start_s) for answers, condition in recordings]
    together = Shown(
        stimulus=stimuli,
        halves=np.concatenate([one.halves for one in each], axis=2),
        whole=np.concatenate([one.whole for one in each], axis=1),
        start_s=start_s,
        n_showings=np.min([one.n_showings for one in each], axis=0),
    )
    return together, recordings


def types_of_shown(
    views: Sequence[View],
    config: CelltypesConfig,
    rng: np.random.Generator,
    *,
    provenance: Provenance,
    loops: Loops = ALONE,
) -> CelltypesResult:
    """Types by the stimuli that were shown, with what halves of the showings say of each other.

    Raises
    ------
    NotApplicable
        If too few stimuli were shown again, or too few units answered.
    """
    settings = config.discrete
    seen, recordings = pooled(views, settings.window_s)
    units = pd.concat([_units(view) for view in views], ignore_index=True)
    try:
        found = discrete_types(
            seen,
            n_types=None if config.n_types == "auto" else int(config.n_types),
            max_types=settings.max_types,
            n_restarts=settings.n_restarts,
            temperature=config.loop.temperature,
            distinct=settings.distinct,
            tolerance=settings.tolerance,
            rng=rng,
            loops=loops,
        )
    except ValueError as error:
        raise NotApplicable(str(error)) from error
    labels = found.chosen.labels
    answers = found.normalised[found.chosen.stimuli]
    typed = np.flatnonzero(labels >= 0)
    inside = labels[typed]
    n_types = len(found.chosen.stimuli)
    means = cluster_means(answers[:, typed], membership(inside, n_types))
    halves = [normalised(half) for half in seen.halves]
    held = in_the_other_half(found, halves, typed, config.loop.temperature)
    null = null_separation(
        seen,
        n_types=n_types,
        n_nulls=config.n_nulls,
        n_restarts=settings.n_restarts,
        temperature=config.loop.temperature,
        distinct=settings.distinct,
        rng=rng,
        loops=loops,
    )
    apart = separation(answers[:, typed], inside)
    row = found.scan[found.scan["n_types"] == found.n_asked]
    independent = float(row["independent_ari"].iloc[0])
    names = np.array([view.recording for view in views], dtype=str)
    session = np.searchsorted(np.sort(names), units["recording"].to_numpy(dtype=str)[typed])
    association = session_association(inside, session, rng)
    status = np.where(labels >= 0, "typed", "too few answers, or alike to all stimuli")
    return CelltypesResult(
        mode="discrete",
        status="ok" if n_types > 1 else "single_cluster",
        reason="",
        recording=names,
        units=units.assign(used=labels >= 0, reason=np.where(labels >= 0, "", status)),
        type_of_unit=labels,
        status_of_unit=status.astype(str),
        margin=margins(answers, labels),
        probability=_own_share(answers, labels, config.loop.temperature),
        test_correlation=np.full(labels.size, np.nan),
        typed_unit=typed.astype(np.int64),
        responses=answers,
        stimulus=seen.stimulus[found.chosen.stimuli],
        objective=found.chosen.objective,
        held_out_objective=held.objective,
        response_confusion=means,
        pair_fraction=held.pair_fraction,
        temperature=config.loop.temperature,
        separation=apart,
        null_separation=null,
        reappearance=held.reappearance,
        verdict=verdicts(
            np.bincount(inside, minlength=n_types),
            held.reappearance,
            held.pair_fraction,
            least_pair=config.split.min_pair_fraction,
            observed=apart,
            null=null,
        ),
        stability=float("nan"),
        agreement=float(row["retyping_ari"].iloc[0]),
        session_information=association[0],
        session_p=association[1],
        baselines=_baselines(
            seen,
            found,
            units,
            inside,
            typed,
            config,
            independent=independent,
        ),
        model=None,
        outer=None,
        shown=ShownEvidence(
            scan=found.scan,
            half_labels=np.stack([half.labels for half in found.halves])[:, typed],
            retyped=found.retyped[:, typed],
            shown_stimulus=seen.stimulus,
            tuning=cluster_means(found.normalised[:, typed], membership(inside, n_types)),
            typing=typing_by_showings(found, recordings, rng),
            n_stimuli=int(seen.stimulus.size),
            least_showings=int(seen.n_showings.min()),
        ),
        provenance=provenance,
    )


def _own_share(answers: Floats, labels: Labels, temperature: float) -> Floats:
    """Share of the own type in the softmax over stimuli; NaN without a type."""
    share = np.full(labels.size, np.nan)
    typed = np.flatnonzero(labels >= 0)
    share[typed] = posterior(answers[:, typed], temperature)[labels[typed], np.arange(typed.size)]
    return share


def _baselines(
    seen: Shown,
    found: DiscreteTypes,
    units: pd.DataFrame,
    types: Labels,
    typed: NDArray[np.intp],
    config: CelltypesConfig,
    *,
    independent: float,
) -> pd.DataFrame:
    """Other clusterings of the same units by their answers to all stimuli.

    ``independent`` is the agreement of the types of the two halves.
    """
    n_types = len(found.chosen.stimuli)
    if not config.baselines or n_types < 2:
        return baseline_table([])
    known = units["label"].to_numpy(dtype=str)[typed]
    whole, odd, even = (
        principal(np.nan_to_num(part[:, typed]).T)
        for part in (found.normalised, *(normalised(half) for half in seen.halves))
    )
    rows = [baseline_row(OWN, types, types=types, known=known)]
    rows[0]["ari_independent"] = independent
    ways: dict[str, Callable[[Floats], Labels]] = {
        "k-means: all stimuli": partial(k_means_labels, n_clusters=n_types, seed=0),
        "mixture: all stimuli": partial(mixture_labels, seed=0),
    }
    for name, cluster in ways.items():
        row = baseline_row(name, cluster(whole), types=types, known=known)
        row["ari_independent"] = own_agreement(cluster(odd), cluster(even))
        rows.append(row)
    return baseline_table(rows)


def principal(points: Floats) -> Floats:
    """The first principal components of points, shape (unit, component)."""
    centred = points - points.mean(axis=0)
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    n = min(N_COMPONENTS, *centred.shape)
    return np.asarray(left[:, :n] * size[:n])


def _units(view: View) -> pd.DataFrame:
    """Rows of the table of units of one view."""
    if isinstance(view, StimulusResponses):
        label, position = view.label, view.position
    elif isinstance(view, ResponsePatterns):
        label, position = np.full(view.unit.size, ""), view.position_um[:, :2]
    else:
        raise TypeError(f"Units of {with_article(type(view).__name__)} cannot be typed.")
    n = view.unit.size
    unknown = {name: np.full(n, np.nan) for name in UNIT_COLUMNS[5:10]}
    return pd.DataFrame(
        {
            "recording": pd.Series([view.recording] * n, dtype="str"),
            "unit": pd.Series(view.unit.tolist(), dtype="str"),
            "label": pd.Series(label.tolist(), dtype="str"),
            "used": np.zeros(n, dtype=bool),
            "reason": pd.Series([""] * n, dtype="str"),
            **unknown,
            "x_um": position[:, 0].astype(np.float64),
            "y_um": position[:, 1].astype(np.float64),
        }
    )
