"""How many components: criteria over candidates, and the number they speak for.

The rule takes the largest candidate whose restarts agree and whose prediction of held-out blocks is
within one standard error of the best. Where no such candidate has restarts that agree, it takes the
smallest one within one standard error. Without several recordings side by side in time, components
must also repeat across recordings (or halves of the only one) more than in every surrogate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import NotApplicable
from pipeline.core.provenance import Provenance
from pipeline.core.words import counted, for_number
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.result import RankChoice, RankPart
from pipeline.numerics.cp import match_score

SIMILAR = 0.9
"""Median similarity of restarts to the best from which they found the same components."""

CONSISTENT = 50.0
"""Core consistency in percent below which components interact; advice only, as good non-negative
models can be below it."""


Because = Literal["stable", "unstable", "unpredicted", "unjudged"]
"""What decided: prediction and restarts; prediction alone, as restarts disagree; nothing, as no
candidate predicts; restarts and surrogates, as nothing could be held out."""


def choose_rank(
    runs: Iterable[RankPart], config: ConnectomeConfig, *, provenance: Provenance
) -> RankChoice:
    """The criteria of all candidates and the number of components to go on with.

    Parameters
    ----------
    runs
        All runs of all candidates, in any order.
    config
        ``rank`` is an integer where it was set by hand; the rule's own choice is kept beside it.
    provenance
        Put into the result.

    Raises
    ------
    NotApplicable
        If every candidate is larger than the number of frames or of pairs.
    """
    runs = sorted(runs, key=lambda one: (one.rank, one.run))
    possible = [one for one in runs if one.weight.size]
    if not possible:
        largest = min(len(runs[0].component_time), len(runs[0].component_pair))
        raise NotApplicable(
            f"The smallest candidate has {runs[0].rank} components, but the data have only "
            f"{largest} frames or pairs; give methods.connectome.ranks smaller numbers."
        )
    rank = np.unique([one.rank for one in possible])
    of_rank = [[one for one in possible if one.rank == number] for number in rank]

    def each(value: Callable[[RankPart], float]) -> NDArray[np.float64]:
        return np.array([[value(one) for one in same] for same in of_rank])

    error = each(lambda one: one.relative_error)
    best = error.argmin(axis=1)
    found = {
        "error": error,
        "similarity": np.stack(
            [_similarity(same, index) for same, index in zip(of_rank, best, strict=True)]
        ),
        "held_out": each(_held_out),
        "reproducibility": each(lambda one: one.reproducibility),
        "surrogate_error": each(lambda one: one.surrogate_error),
        "surrogate_reproducibility": each(lambda one: one.surrogate_reproducibility),
    }
    consistency = each(lambda one: one.core_consistency)[np.arange(rank.size), best]
    one_slot = len(possible[0].component_slot) == 1
    within = within_one_error(found["held_out"])
    stable = median_similarity(found["similarity"]) >= SIMILAR
    if one_slot:
        stable &= repeats(found["reproducibility"], found["surrogate_reproducibility"])
    if held_out_runs(found["held_out"]).shape[1] < 2:
        because: Because = "unjudged"
        place = _last(stable & (error.max(axis=1) < found["surrogate_error"].min(axis=1)))
    elif not within.any():
        because, place = "unpredicted", 0
    elif (within & stable).any():
        because, place = "stable", _last(within & stable)
    else:
        because, place = "unstable", int(within.argmax())
    ruled = int(rank[place])
    return RankChoice(
        rank=rank,
        run=np.unique([one.run for one in possible]),
        **found,
        core_consistency=consistency,
        within=within,
        one_slot=one_slot,
        ruled=ruled,
        because=because,
        chosen=ruled if config.rank == "auto" else config.rank,
        n_impossible=len({one.rank for one in runs}) - rank.size,
        provenance=provenance,
    )


def median_similarity(similarity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median over the restarts of each candidate but the best; NaN with a single one."""
    others = np.sort(similarity, axis=1)[:, :-1]  # the best one is 1, the largest
    if not others.shape[1]:
        return np.full(len(similarity), np.nan)
    return np.asarray(np.median(others, axis=1))


def held_out_runs(held_out: NDArray[np.float64]) -> NDArray[np.float64]:
    """Held-out errors of the runs that had blocks, (candidate, run)."""
    return held_out[:, np.isfinite(held_out).all(axis=0)]


def within_one_error(held_out: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Candidates whose held-out error is within one standard error of the smallest, (candidate,).

    The standard error is that of the smallest mean, over runs. None where fewer than two runs had
    blocks, or where not even the smallest mean is below 1, the error of predicting nothing.
    """
    known = held_out_runs(held_out)
    if known.shape[1] < 2 or known.mean(axis=1).min() >= 1:
        return np.zeros(len(held_out), dtype=bool)
    mean = known.mean(axis=1)
    best = int(mean.argmin())
    return np.asarray(mean <= mean[best] + standard_error(known)[best])


def standard_error(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the mean over runs, for each candidate."""
    return np.asarray(values.std(axis=1, ddof=1) / np.sqrt(values.shape[1]))


def reasons(choice: RankChoice) -> tuple[str, ...]:
    """Why this number of components, in sentences."""
    at = int(np.flatnonzero(choice.rank == choice.ruled)[0])
    said = [_first_reason(choice, at)]
    known = held_out_runs(choice.held_out)[at]
    if known.size and known.mean() < 1:
        share = 100 * (1 - known.mean() ** 2)
        said.append(
            f"{choice.ruled} {for_number(choice.ruled, '[predicts|predict]')} {share:.1f} % of "
            "the affinities of held-out blocks."
        )
    similarity = median_similarity(choice.similarity)[at]
    if np.isfinite(similarity):
        said.append(
            f"With {choice.ruled} the restarts resemble the best one with a median of "
            f"{similarity:z.2f} (alike from {SIMILAR})."
        )
    gap = 100 * explained_beyond_chance(choice)[at]
    said.append(
        f"They explain {gap.mean():.1f} points more of the affinities than the same number does "
        "in shifted data."
    )
    consistency = choice.core_consistency[at]
    if np.isfinite(consistency):
        said.append(f"Core consistency is {consistency:.0f} %.")
    if choice.chosen != choice.ruled:
        said.insert(
            0,
            f"The number of components, {choice.chosen}, was set by hand; the rule would have "
            f"taken {choice.ruled}.",
        )
    return tuple(said)


def warnings(choice: RankChoice) -> tuple[str, ...]:
    """What speaks against the number, or against any."""
    at = int(np.flatnonzero(choice.rank == choice.ruled)[0])
    found = []
    if not supported(choice).any():
        found.append(
            "no number of components explains more in every run than in every surrogate of the "
            "same number"
        )
    elif not supported(choice)[at]:
        found.append("surrogates explain as much with as many components")
    if choice.because == "unpredicted":
        found.append("no number of components predicts held-out blocks better than nothing does")
    if choice.because == "unstable":
        found.append("restarts disagree for every number that predicts well")
    if choice.because == "unjudged":
        found.append("recordings are too short to hold blocks out")
    if (
        choice.one_slot
        and not repeats(choice.reproducibility[[at]], choice.surrogate_reproducibility[[at]]).all()
    ):
        found.append("patterns of pairs repeat no more than in surrogates")
    if choice.ruled == choice.rank[-1] and choice.rank.size > 1:
        found.append(f"the largest candidate was taken, {choice.ruled}, and more may be better")
    if choice.chosen != choice.ruled:
        found.append(f"set to {choice.chosen} by hand where the rule takes {choice.ruled}")
    return tuple(found)


def supported(choice: RankChoice) -> NDArray[np.bool_]:
    """Candidates with which every run explains more than every surrogate, (candidate,)."""
    return np.asarray(choice.error.max(axis=1) < choice.surrogate_error.min(axis=1))


def explained_beyond_chance(choice: RankChoice) -> NDArray[np.float64]:
    """Explained share less the surrogates' mean share, (candidate, run)."""
    by_chance = (1 - choice.surrogate_error**2).mean(axis=1, keepdims=True)
    return np.asarray(1 - choice.error**2 - by_chance)


def repeats(data: NDArray[np.float64], surrogates: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Candidates whose patterns repeat more, in the median run, than in every surrogate."""
    return np.asarray(np.median(data, axis=1) > surrogates.max(axis=1))


def _held_out(run: RankPart) -> float:
    """Relative error of held-out blocks; NaN where there are none."""
    if not run.held_out_energy.sum() > 0:
        return np.nan
    return float(np.sqrt(run.held_out_residual.sum() / run.held_out_energy.sum()))


def _similarity(runs: list[RankPart], best: int) -> NDArray[np.float64]:
    """Factor match score of each run with the best one, (run,)."""

    def factors(run: RankPart) -> tuple[NDArray[np.float64], ...]:
        return run.component_time, run.component_slot, run.component_pair

    return np.array(
        [
            match_score(runs[best].weight, factors(runs[best]), run.weight, factors(run))
            for run in runs
        ]
    )


def _last(eligible: NDArray[np.bool_]) -> int:
    """The last that is eligible, or the first of all."""
    return int(np.flatnonzero(eligible)[-1]) if eligible.any() else 0


def _first_reason(choice: RankChoice, at: int) -> str:
    """What decided."""
    tried = f"{choice.rank[0]} to {choice.rank[-1]}"
    if choice.because == "unjudged":
        return (
            f"{counted(choice.ruled, 'component')} of {tried}: recordings are too short to hold "
            "blocks out, so this is the largest number whose restarts agree and that explains "
            "more than surrogates do, or the smallest tried where there is none."
        )
    known = held_out_runs(choice.held_out)
    error, mean = standard_error(known), known.mean(axis=1)
    best = int(mean.argmin())
    lowest = f"{mean[best]:.3f} with {choice.rank[best]}"
    if choice.because == "unpredicted":
        return (
            f"{counted(choice.ruled, 'component')}, the smallest number tried: held-out blocks "
            f"are predicted no better than by nothing (relative error {lowest}, 1 is nothing)."
        )
    near = (
        f"within one standard error ({error[best]:.3f}) of the lowest error of held-out blocks "
        f"({lowest}; here {mean[at]:.3f})"
    )
    also = " and whose patterns repeat more than in surrogates" if choice.one_slot else ""
    if choice.because == "stable":
        return (
            f"{counted(choice.ruled, 'component')} of {tried}: the largest number {near} whose "
            f"restarts agree{also}."
        )
    return (
        f"{counted(choice.ruled, 'component')} of {tried}: the smallest number {near}. No number "
        f"as near has restarts that agree{also}, so single components depend on the start."
    )
