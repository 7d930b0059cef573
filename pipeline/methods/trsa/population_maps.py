"""Populations in the plane: near where their dissimilarities are alike, plain and transformed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.core.parts import LEAST_OF_HULL, Figure, Points
from pipeline.core.words import counted, for_number, from_to
from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.diagnostics import LEVEL
from pipeline.methods.trsa.populations import likeness
from pipeline.methods.trsa.result import TrsaResult
from pipeline.methods.trsa.transforms import geo_topological
from pipeline.numerics.embedding import aligned, classical_scaling
from pipeline.numerics.similarity import Measure

Floats = NDArray[np.float64]

TRANSFORMED: dict[Measure, Measure] = {
    "rho_a": "spearman",
    "tau_a": "tau_b",
    "whitened_cosine": "cosine",
    "whitened_corr": "corr",
    "bures": "corr",
}
"""Measures of what a ramp leaves, which has many ties and no squared distances."""


def regions_figure(
    result: TrsaResult,
    config: TrsaConfig,
    names: tuple[str, ...],
    levels: tuple[float, float] | None,
) -> Figure:
    """Populations as points: near where their dissimilarities are alike.

    Parameters
    ----------
    names
        Of populations.
    levels
        The best ones; a second map is of dissimilarities through their ramp.
    """
    apart = 1 - result.similarity
    through = None if levels is None else _apart_through(result, config, levels)
    known = np.isfinite(np.diagonal(apart))
    if through is not None:
        known &= np.isfinite(np.diagonal(through))
    usable = _complete(apart if through is None else apart + through, np.flatnonzero(known))
    n_out = int(known.sum()) - usable.size
    apart = _distances(apart, usable)
    points, share = classical_scaling(apart)
    regions = result.populations["region"].to_numpy()[usable].astype(str)
    panels = [_map("Dissimilarities as measured", points, regions, [names[at] for at in usable])]
    second = ""
    if through is not None and levels is not None:
        moved = _distances(through, usable)
        turned, left = classical_scaling(moved)
        turned = aligned(turned, points)
        words = f"{levels[0]:g} to {levels[1]:g}"
        panels.append(
            _map(f"Through the best levels, {words}", turned, regions, [names[at] for at in usable])
        )
        of_ramps = TRANSFORMED.get(config.measure, config.measure)
        second = (
            f" Right: the same after the ramp of the best levels, {words}"
            + (f" (by '{of_ramps}', as its values are tied)" if of_ramps != config.measure else "")
            + f", {100 * left.sum():.0f} % of the spread, turned towards the left map."
            + _neighbour_words(apart, moved, regions)
        )
    reliable = ~(result.populations["reliability"].to_numpy(dtype=np.float64)[usable] <= 0)
    upper = np.triu_indices(usable.size, 1)
    told = np.where(reliable[upper[0]] & reliable[upper[1]], apart[upper], np.inf)
    recording = result.populations["recording"].to_numpy()[usable]
    finding = "Fewer than two populations are reliable, so none are called alike."
    if told.size and np.isfinite(told.min()):
        nearest = int(np.argmin(told))
        one, other = upper[0][nearest], upper[1][nearest]
        finding = _nearest_words(
            f"{names[usable[one]]} and {names[usable[other]]}",
            config.measure,
            1 - told[nearest],
            alone=np.isfinite(told).sum() == 1,
        )
        p = result.p_adjusted[usable[one], usable[other]]
        if np.isfinite(p) and told[nearest] < 1:
            finding = f"{finding[:-1]}; adjusted p of their rank correlation = {p:.2g}."
        if recording[one] == recording[other]:
            places = int(usable[one]), int(usable[other])
            finding = finding[:-1] + _without_shared_noise(result, *places)
    p_adjusted = result.p_adjusted[np.ix_(usable, usable)][upper]
    n_tested, n_alike = int(np.isfinite(p_adjusted).sum()), int((p_adjusted <= LEVEL).sum())
    return Figure(
        id="regions",
        title="Populations by how alike their dissimilarities are",
        finding=finding,
        caption=(
            f"Classical scaling of 1 - '{config.measure}' between the dissimilarities of "
            f"{usable.size} populations, from all units and trials"
            + (" (left)" if second else "")
            + f"; {100 * share.sum():.0f} % of the spread is in this plane; colours are regions."
            + (
                f" {counted(n_out, 'population')} whose likeness with others is not known "
                f"{for_number(n_out, '[is|are]')} left out."
                if n_out
                else ""
            )
            + f"{second}{_hull_words(regions)} No band: how far noise moves a point is not drawn; "
            "the reliability tells. Good: populations of one region side by side. Bad: those of "
            "one recording. Populations recorded at the same time share noise of single trials and "
            "come too near; the table of pairs of regions is free of that."
            + (
                f" Of {counted(n_tested, 'pair')} of different recordings {n_alike} "
                f"{for_number(n_alike, '[has|have]')} an adjusted p <= {LEVEL} (shuffles of "
                "conditions, one-sided)."
                if n_tested
                else ""
            )
        ),
        alt="Points in a plane, one a population"
        + (", as measured and through the best levels." if second else "."),
        panels=tuple(panels),
        columns=2,
    )


def _apart_through(
    result: TrsaResult, config: TrsaConfig, levels: tuple[float, float]
) -> Floats | None:
    """1 - likeness after the ramp between two levels; None where it keeps all ranks.

    Shape (population, population); NaN where there is nothing to compare.
    """
    if levels == (0.0, 1.0):
        return None
    first = result.dissimilarities[0]
    known = ~np.isnan(first).any(axis=1)
    ramped = np.full(first.shape, np.nan)
    ramped[known] = geo_topological(first[known], np.array([levels]), scale=config.scale)[:, 0]
    return 1 - likeness(ramped, ramped, TRANSFORMED.get(config.measure, config.measure))


def _complete(apart: Floats, usable: NDArray[np.intp]) -> NDArray[np.intp]:
    """Populations of which all distances are known; those without most of them go, one by one."""
    while True:
        missing = np.isnan(apart[np.ix_(usable, usable)])
        np.fill_diagonal(missing, val=False)
        if not missing.any():
            return usable
        usable = np.delete(usable, missing.sum(axis=1).argmax())


def _distances(apart: Floats, usable: NDArray[np.intp]) -> Floats:
    """Of the usable populations, at least 0."""
    found = apart[np.ix_(usable, usable)]
    np.fill_diagonal(found, 0)
    return np.maximum(found, 0)


def _map(title: str, points: Floats, regions: NDArray[np.str_], names: list[str]) -> Points:
    kinds = tuple(dict.fromkeys(map(str, regions)))
    return Points(
        title=title,
        x=points[:, 0].round(4),
        y=points[:, 1].round(4),
        x_title="Dimension 1",
        y_title="Dimension 2",
        labels=tuple(names),
        group=np.array([kinds.index(str(name)) for name in regions], dtype=np.int64),
        group_names=kinds,
        hulls=True,
    )


def _neighbour_words(plain: Floats, moved: Floats, regions: NDArray[np.str_]) -> str:
    """How often the nearest other population is of the same region, in both maps."""
    shared = np.array([(regions == region).sum() > 1 for region in regions])
    if not shared.any():
        return ""
    counts = []
    for apart in (plain, moved):
        others = apart + np.diag(np.full(len(apart), np.inf))
        counts.append(int((regions[others.argmin(axis=1)] == regions)[shared].sum()))
    return (
        f" The nearest other population is of the same region for {counts[0]} of "
        f"{counted(int(shared.sum()), 'population')} as measured and for {counts[1]} through these "
        "levels, which were chosen on the same data."
    )


def _hull_words(regions: NDArray[np.str_]) -> str:
    """What outlines around regions mean; nothing where no region has enough populations."""
    counts = np.unique(regions, return_counts=True)[1]
    outlined = counts[counts >= LEAST_OF_HULL]
    if not outlined.size:
        return ""
    return (
        " Outlines: the smallest convex shapes that hold all populations of a region, around "
        f"regions with {LEAST_OF_HULL} or more (here {from_to(outlined, 'population')}). They are "
        "no intervals: one far population makes an outline wide, and the outline of few, or one "
        "that overlaps others, says nothing."
    )


def _nearest_words(pair: str, measure: str, value: float, *, alone: bool) -> str:
    """What is said of the reliable pair whose dissimilarities are nearest, and of no other."""
    if alone:
        verdict = f"have a {measure} of {value:.2f}"
        if value <= 0:
            verdict = f"are not alike ({measure} {value:z.2f})"
        return f"The two populations that are reliable, {pair}, {verdict}."
    start = "Of the populations that are reliable, "
    if value <= 0:
        return f"{start}no two are alike (the largest {measure}, of {pair}, is {value:z.2f})."
    return f"{start}{pair} are most alike ({measure} {value:.2f})."


def _without_shared_noise(result: TrsaResult, one: int, other: int) -> str:
    """End of a finding: what of a likeness is left in halves that share nothing."""
    first, second = (result.populations.iloc[place] for place in (one, other))
    pairs = result.region_pairs
    rows = pairs[
        (pairs["recording"] == first["recording"])
        & pairs["first"].isin([first["region"], second["region"]])
        & pairs["second"].isin([first["region"], second["region"]])
    ]
    left = rows["relation"].to_numpy(dtype=np.float64)
    if not left.size or not np.isfinite(left[0]):
        return "; they were recorded together and share noise."
    return (
        f"; they were recorded together and share noise, and in halves without common units or "
        f"repeats it is {left[0]:z.2f}."
    )
