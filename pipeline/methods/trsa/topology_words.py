"""Words and tables about holes in conditions and states."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.core.parts import Check, Figure, Number, Table
from pipeline.methods.trsa.cells import columns, where_told
from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.homology import seconds
from pipeline.methods.trsa.result import TrsaResult
from pipeline.methods.trsa.topology import MIN_STATES
from pipeline.methods.trsa.topology_figures import KINDS, cloud_name, found_loops

LONG_MINUTES = 10.0
"""Minutes from which voids of states are called costly."""


def holes_body(
    result: TrsaResult, by_id: Mapping[str, Figure], config: TrsaConfig
) -> list[str | Figure | Table]:
    """What is said of holes, in reading order."""
    if result.persistence_missing:
        return [f"Holes were not looked for: {result.persistence_missing}."]
    body: list[str | Figure | Table] = [_words(result, config)]
    body += [figure for name, figure in by_id.items() if name.startswith("holes-")]
    body.append(_table(result))
    if len(result.persistence_distances):
        body.append(_distances_table(result))
    return body


def _words(result: TrsaResult, config: TrsaConfig) -> str:
    table = result.persistence
    told = []
    for source in ("conditions", "states"):
        rows = table[(table["source"] == source) & (table["dimension"] == 1)]
        if len(rows):
            names = [cloud_name(row, result) for _, row in found_loops(rows).iterrows()]
            told.append(
                f"Among {source}, {', '.join(names)} "
                f"{'has a loop' if len(names) == 1 else 'have loops'} longer than those of shuffles"
                if names
                else f"Among {source}, no loop is longer than those of shuffles"
            )
    moved = (
        "Each unit's values were permuted over conditions"
        if result.condition_order == "none"
        else "As neighbouring conditions are alike by nature, each unit's values were moved round "
        "their order"
    )
    named = table[table["verdict"] != "not determined"]
    verdict = (
        "; ".join(f"{cloud_name(r, result)}: {r['verdict']}" for _, r in named.iterrows())
        if len(named)
        else "Topology is not determined: a ring or torus is named only where bars that pass and "
        f"gaps agree for loops and voids, in {MIN_STATES} points or more "
        f"({'; '.join(sorted(set(table['reason'])))})"
    )
    return (
        f"Holes (persistent homology). {'. '.join(told)} (adjusted p). {moved}, and units' states "
        f"moved round in time, {config.homology.n_shuffles} times: a loop that is longer rejects "
        "that units go their own ways, and says nothing of how many loops there are; for that "
        f"the gap between lengths and a test without shuffles stand beside it. {verdict}."
        + (
            " States are those in dense places, apart by the neighbours that they share."
            if config.homology.choice == "dense" and "states" in set(table["source"])
            else ""
        )
    )


def _table(result: TrsaResult) -> Table:
    table = result.persistence[result.persistence["dimension"] > 0].copy()
    table["kind"] = [KINDS[dimension] for dimension in table["dimension"]]
    return Table(
        id="holes",
        title="Loops and voids",
        caption=(
            "Lengths of conditions are shares of all pairs, or multiples of the median where "
            "methods.trsa.homology.scale says so; those of states are multiples of the median. "
            "Shuffles: the length that 95 % of their longest bars do not exceed. "
            + where_told(
                table, "p", "p: of the longest bar; adjusted for the number of populations. "
            )
            + "Passing: bars longer than the longest of 95 % of shuffles. Before the gap: bars "
            "before the largest ratio of a length to the next, among those."
            + where_told(
                table,
                "universal_p",
                " p of ratios: of the longest bar by the law that ratios of death to birth follow "
                "in noise, times the number of bars; it needs no shuffles, and is conservative.",
            )
        ),
        columns=columns(
            table,
            {
                "recording": "recording",
                "region": "region",
                "source": "cloud",
                "n_points": "points",
                "n_available": "of",
                "kind": "holes",
                "n_bars": "bars",
                "longest": "longest",
                "second": "second",
                "shuffled": "shuffles",
                "p": "p",
                "p_adjusted": "adjusted p",
                "n_passing": "passing",
                "n_by_gap": "before the gap",
                "universal_p": "p of ratios",
                "verdict": "shape",
            },
        ),
    )


def _distances_table(result: TrsaResult) -> Table:
    return Table(
        id="hole-distances",
        title="How far loops of populations differ",
        caption=(
            "Bottleneck: the farthest that a loop's birth or death must move to turn one set of "
            "loops into the other; Wasserstein: the sum of all moves; both on the scale of "
            "lengths. Descriptive: populations with more noise have other loops for that alone."
        ),
        columns=columns(
            result.persistence_distances,
            {
                "source": "cloud",
                "first_recording": "recording",
                "first_region": "region",
                "second_recording": "other recording",
                "second_region": "other region",
                "bottleneck": "bottleneck",
                "wasserstein": "Wasserstein",
            },
        ),
    )


def holes_check(result: TrsaResult, config: TrsaConfig) -> Check | None:
    """What voids cost, and whether they were looked for where a shape might be named."""
    loops = result.persistence[result.persistence["dimension"] == 1]
    if not len(loops):
        return None
    n_points = int(loops["n_points"].max())
    minutes = (config.homology.n_shuffles + 1) * len(loops) * seconds(n_points, 2) / 60
    voids = result.persistence["dimension"].eq(2).sum()
    enough = loops["n_points"].ge(MIN_STATES)
    waiting = bool(enough.any()) and voids < len(loops)
    return Check(
        name="Enough for a shape",
        status="not_tested" if waiting or not enough.any() else "pass",
        value=f"{int(enough.sum())} of {len(loops)} clouds have {MIN_STATES} points; voids were "
        f"looked for in {voids}",
        threshold=f">= {MIN_STATES} points, with voids",
        meaning="A ring or torus is named only where loops and voids agree in enough points.",
        advice=f"Set methods.trsa.homology.voids: always, which takes about {minutes:.0f} minutes "
        "of one thread more."
        if waiting
        else "",
    )


def holes_numbers(result: TrsaResult) -> dict[str, Number | list[Number]]:
    """Numbers that the words use."""
    loops = result.persistence[result.persistence["dimension"] == 1]
    return {
        "loop_p": [float(p) for p in loops["p_adjusted"]],
        "loops_before_gap": [int(n) for n in loops["n_by_gap"]],
        "shapes_named": int((loops["verdict"] != "not determined").sum()),
    }


def dimensions_table(result: TrsaResult) -> Table:
    """Over how many dimensions conditions spread, one row a population."""
    return Table(
        id="dimensions",
        title="Dimensions of each population",
        caption=(
            "Over how many dimensions mean responses to conditions, in units of noise, spread; "
            f"there are {result.condition.size} conditions, hence at most "
            f"{result.condition.size - 1}. Cross-validated: participation ratio of variances that "
            "halves of the repeats share, with its jackknife standard error over conditions; noise "
            "adds nothing to it, while all others grow with noise. Nearest neighbours: intrinsic "
            "dimension from each condition's two nearest others, a rough guess with few "
            "conditions. Axes: principal axes that hold that share of the variance."
        ),
        columns=columns(
            result.dimensions,
            {
                "recording": "recording",
                "region": "region",
                "cross_validated": "cross-validated",
                "se": "standard error",
                "plain": "participation ratio",
                "two_neighbours": "nearest neighbours",
                "axes_80": "axes for 80 %",
                "axes_95": "axes for 95 %",
            },
        ),
    )
