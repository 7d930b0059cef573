"""What the figures of representations along the time of the trial show."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.core.parts import Figure, Heatmap, Line, Lines, Panel
from pipeline.methods.trsa.diagnostics import LEVEL
from pipeline.methods.trsa.result import CoursesResult, TrsaResult
from pipeline.numerics.dissimilarity import squared_form
from pipeline.numerics.embedding import aligned, classical_scaling

SHOWN_POPULATIONS = 6
SHOWN_CONDITIONS = 12


def time_figures(
    result: TrsaResult, courses: CoursesResult, names: tuple[str, ...]
) -> tuple[Figure, ...]:
    """Figures of courses in reading order.

    Parameters
    ----------
    names
        Of the populations.
    """
    return (_separation(result, courses, names), _trajectories(result, courses, names))


def trajectories(dissimilarities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Conditions in a plane in each bin, each bin turned towards the one before.

    Parameters
    ----------
    dissimilarities
        Squared distances, shape (time_bin, pair); negative ones count as 0.

    Returns
    -------
    Shape (time_bin, condition, 2); NaN in bins where a pair is missing.
    """
    complete = np.flatnonzero(~np.isnan(dissimilarities).any(axis=1))
    points: list[NDArray[np.float64]] = []
    for row in dissimilarities[complete]:
        found = classical_scaling(np.sqrt(squared_form(np.maximum(row, 0))))[0]
        points.append(aligned(found, points[-1]) if points else found)
    n_conditions = squared_form(dissimilarities[0]).shape[0]
    placed = np.full((len(dissimilarities), n_conditions, 2), np.nan)
    if points:
        placed[complete] = points
    return placed


def _separation(result: TrsaResult, courses: CoursesResult, names: tuple[str, ...]) -> Figure:
    """When dissimilarities are reliable, and when regions separate."""
    time = courses.time_bin
    own = np.diagonal(courses.reliability, axis1=1, axis2=2)
    known = np.flatnonzero(np.isfinite(own).any(axis=1))
    panels: list[Panel] = []
    if known.size:
        lines = tuple(
            Line(name=names[place], y=own[place].round(4), group=group)
            for group, place in enumerate(known)
        )
        panels.append(
            Lines(
                title="Reliability",
                x=time.round(4),
                lines=lines,
                x_title="Time from the start of the trial (s)",
                y_title="Rank correlation",
            )
        )
    if courses.session.size:
        lines = tuple(
            Line(name=str(name), y=courses.separation[place].round(4), group=place)
            for place, name in enumerate(courses.session)
        )
        chance = Line(name="regroupings", y=courses.chance.mean(axis=0).round(4), group=-1)
        panels.append(
            Lines(
                title="Separation of regions",
                x=time.round(4),
                lines=(*lines, chance),
                x_title="Time from the start of the trial (s)",
                y_title="Within less between",
            )
        )
    most = float(np.nanmax(np.abs(courses.reliability[known]), initial=0.0)) or 1.0
    for place in known[:SHOWN_POPULATIONS]:
        labels = tuple(f"{value:.3g}" for value in time)
        panels.append(
            Heatmap(
                title=f"{names[place]}: bins against bins",
                values=courses.reliability[place].round(4).astype(np.float32),
                x_title="Time (s)",
                y_title="Time (s)",
                value_title="Rank correlation",
                x_labels=labels,
                y_labels=labels,
                scale="diverging",
                limits=(-round(most, 4), round(most, 4)),
                square=True,
            )
        )
    good = courses.stretches[courses.stretches["p"] <= LEVEL]
    told = "; ".join(
        f"{row.start_s:.3g} to {row.stop_s:.3g} s in {row.recording} (p = {row.p:.2g})"
        for row in good.itertuples(index=False)
    )
    return Figure(
        id="time",
        title="When regions differ",
        finding=(
            f"Regions separate from {told}."
            if told
            else "In no stretch of time do regions separate more than regroupings of the units."
        ),
        caption=(
            f"{time.size} bins of the response window. Reliability: rank correlation of "
            "dissimilarities between halves without common units or repeats. Separation: the same "
            "within regions less that between them. Stretches are bins in a row above the 95th "
            f"percentile of {result.n_permutations} regroupings of the units; their p compares "
            "their summed height with the largest of each regrouping. Good: both curves above 0 "
            "for several bins. Bad: curves that scatter around 0. Squares: halves of one bin "
            "against halves of another; a block off the diagonal is a geometry that lasts."
        ),
        alt="Curves over time, and matrices of time bins against time bins.",
        panels=tuple(panels),
        columns=2,
    )


def _trajectories(result: TrsaResult, courses: CoursesResult, names: tuple[str, ...]) -> Figure:
    """Conditions in the plane, along time."""
    shown = np.linspace(
        0, result.condition.size - 1, min(SHOWN_CONDITIONS, result.condition.size)
    ).astype(int)
    usable = [
        place
        for place in range(len(names))
        if np.isfinite(courses.dissimilarities[place]).all(axis=1).any()
    ][:SHOWN_POPULATIONS]
    panels: list[Panel] = []
    spread = []
    for place in usable:
        points = trajectories(courses.dissimilarities[place])
        size = np.square(points).sum(axis=2).mean(axis=1)
        widest = int(np.nanargmax(size))
        spread.append((float(size[widest]), names[place], float(courses.time_bin[widest])))
        for dimension in range(2):
            lines = tuple(
                Line(
                    name=str(result.condition[index]),
                    y=points[:, index, dimension].round(4),
                    group=group,
                )
                for group, index in enumerate(shown)
            )
            panels.append(
                Lines(
                    title=f"{names[place]}: dimension {dimension + 1}",
                    x=courses.time_bin.round(4),
                    lines=lines,
                    x_title="Time from the start of the trial (s)",
                    y_title="Position",
                )
            )
    peak = max(spread, default=(0.0, "no population", 0.0))
    return Figure(
        id="trajectories",
        title="How conditions part and meet",
        finding=f"Conditions are farthest apart in {peak[1]}, {peak[2]:.3g} s into the trial.",
        caption=(
            "Classical scaling of each bin's dissimilarities to two dimensions, each bin turned "
            "and mirrored, but not scaled, towards the one before; blank where a pair is missing. "
            f"{shown.size} of {result.condition.size} conditions are drawn. No band: how far "
            "dissimilarities can be trusted is shown above. Good: curves that "
            "leave 0 together and keep their order. Bad: curves that cross at random."
        ),
        alt="Curves of conditions over time, two panels a population.",
        panels=tuple(panels),
        columns=2,
    )
