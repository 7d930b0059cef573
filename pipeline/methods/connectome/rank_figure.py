"""The figure of the criteria by which the number of components is chosen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.core.parts import Figure, Line, Lines, Panel, Span
from pipeline.core.words import counted
from pipeline.methods.connectome.held_out import BLOCK_S
from pipeline.methods.connectome.rank_choice import (
    CONSISTENT,
    SIMILAR,
    explained_beyond_chance,
    held_out_runs,
    median_similarity,
    reasons,
    standard_error,
    supported,
)
from pipeline.methods.connectome.result import RankChoice

DATA, SHIFTED = 0, 1
"""Colours of the data and of surrogates."""


CORE = (
    "Core consistency: 100 where components do not interact; it cannot be had with more components "
    "than recordings side by side, can be low for good models, and decides nothing. "
)


def rank_figure(choice: RankChoice, *, n_recordings: int) -> Figure:
    """Criteria over the number of components, with the one that was taken shaded.

    Parameters
    ----------
    choice
        Criteria of all candidates.
    n_recordings
        Recordings of the result.
    """
    panels: list[Panel] = [_errors(choice)]
    known = held_out_runs(choice.held_out)
    if known.shape[1] > 1:
        mean, error = known.mean(axis=1), standard_error(known)
        panels.append(
            _panel(
                choice,
                "Held-out blocks",
                "Relative error (1: nothing predicted)",
                Line(name="mean and SE", y=mean, lower=mean - error, upper=mean + error),
                _level(choice, "best + 1 SE", mean.min() + error[mean.argmin()]),
            )
        )
    similarity = median_similarity(choice.similarity)
    panels.append(
        _panel(
            choice,
            "Restart similarity",
            "Similarity to the best restart",
            Line(
                name="median and range",
                y=similarity,
                lower=choice.similarity.min(axis=1),
                upper=np.sort(choice.similarity, axis=1)[:, -2],
            ),
            _level(choice, f"alike ({SIMILAR})", SIMILAR),
        )
    )
    panels.append(
        _panel(
            choice,
            "Explained beyond chance",
            "Share beyond surrogates (points)",
            _ranged("runs", 100 * explained_beyond_chance(choice), DATA),
            _level(choice, "surrogates", 0.0),
        )
    )
    if np.isfinite(choice.reproducibility).any():
        panels.append(
            _panel(
                choice,
                "Repeats across " + ("recordings" if n_recordings > 1 else "halves"),
                "Cosine of pair patterns",
                _ranged("data", choice.reproducibility, DATA),
                _ranged("surrogates", choice.surrogate_reproducibility, SHIFTED),
            )
        )
    consistency = np.isfinite(choice.core_consistency).sum() > 1
    if consistency:
        panels.append(
            _panel(
                choice,
                "Core consistency",
                "Core consistency (%), from -100",
                Line(name="best restart", y=np.maximum(choice.core_consistency, -100.0)),
                _level(choice, f"low ({CONSISTENT:.0f})", CONSISTENT),
            )
        )
    n_runs = choice.run.size
    return Figure(
        id="rank",
        title="How many components the data support",
        finding=" ".join(reasons(choice)[: 2 if choice.chosen != choice.ruled else 1]),
        caption=(
            f"{counted(choice.rank.size, 'candidate')} with {n_runs} runs each; shaded: the number "
            "that was fitted. Error: relative error of the fit to all data, lowest and highest of "
            f"the runs as a band, and of as many surrogates. Held-out blocks: {BLOCK_S:g} s of one "
            "recording for half of the units, which the fit did not see (pairs between held-out "
            "and other units neither); the band is one standard error over runs. Restart "
            "similarity: factor match score of the other runs with the best, with its range. "
            "Beyond chance: explained share less the mean of the surrogates'. Repeats: cosine of "
            f"pair patterns refitted in parts of the data. {CORE if consistency else ''}Good: the "
            "held-out error turns or flattens at the number that was taken, restarts agree there, "
            "and the data are beyond surrogates. Bad: a held-out error near 1, restarts that "
            "disagree everywhere, or surrogates as good as the data. The error of the fit always "
            "falls and tells nothing by itself."
        ),
        alt=f"{len(panels)} curves over the number of components.",
        panels=tuple(panels),
        columns=3,
    )


def _errors(choice: RankChoice) -> Lines:
    """Errors of the fits to the data and to surrogates."""
    ahead = int(supported(choice).sum())
    return _panel(
        choice,
        f"Error (data ahead for {ahead} of {choice.rank.size})",
        "Relative error",
        _ranged("data", choice.error, DATA),
        _ranged("surrogates", choice.surrogate_error, SHIFTED),
    )


def _panel(choice: RankChoice, title: str, y_title: str, *lines: Line) -> Lines:
    """One criterion over the candidates."""
    chosen = Span(start=choice.chosen - 0.25, stop=choice.chosen + 0.25, label="taken")
    among = choice.rank[0] <= choice.chosen <= choice.rank[-1]
    return Lines(
        title=title,
        x=choice.rank.astype(np.float64),
        lines=lines,
        x_title="Number of components",
        y_title=y_title,
        spans=(chosen,) if among else (),
    )


def _ranged(name: str, values: NDArray[np.float64], group: int) -> Line:
    """Median over runs with their range, (candidate, run)."""
    return Line(
        name=name,
        y=np.median(values, axis=1).round(5),
        lower=values.min(axis=1).round(5),
        upper=values.max(axis=1).round(5),
        group=group,
    )


def _level(choice: RankChoice, name: str, height: float) -> Line:
    """A level to compare with."""
    return Line(name=name, y=np.full(choice.rank.size, round(height, 5)), group=2)
