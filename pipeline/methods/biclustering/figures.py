"""What the figures of a bi-clustering show; how they are drawn is decided elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.core.parts import REMARK, Bars, Figure, Heatmap, Line, Lines, Panel, Points
from pipeline.core.unit_names import NO_NAMES, UnitNames
from pipeline.core.views import SpikeCounts
from pipeline.core.words import counted
from pipeline.methods.biclustering.associations import OF_UNITS, bin_labels, epoch_names
from pipeline.methods.biclustering.config import MASKS, BiclusteringConfig
from pipeline.methods.biclustering.recovery import recovery
from pipeline.methods.biclustering.result import BiclusteringResult
from pipeline.methods.biclustering.scores import MODEL, PIT_BINS
from pipeline.methods.biclustering.timeline import Timeline, timeline
from pipeline.methods.biclustering.truth import BiclusteringTruth
from pipeline.methods.biclustering.verdict import bits_of, chains_agree, gain_over, moving_chains
from pipeline.numerics.partitions import contingency

SHOWN_BINS = 800
SHOWN_UNITS = 150
SHOWN_CLUSTERS = 8
SHOWN_DRAWS = 400
SHOWN_LAGS = "autocorrelation, lag 1"
"""Bounds on what a page carries."""


def figures(
    results: Mapping[str, BiclusteringResult],
    views: tuple[SpikeCounts, ...],
    config: BiclusteringConfig,
    truth: BiclusteringTruth | None = None,
    names: UnitNames = NO_NAMES,
) -> tuple[Figure, ...]:
    """All figures of all recordings in reading order.

    Their ids end in the recording's id where there are several.

    Parameters
    ----------
    results
        The joined fit of each recording.
    views
        What was fitted, in the same order.
    config
        The method's settings.
    truth
        What was planted, for simulated recordings.
    names
        What units are called.
    """
    shown: list[Figure] = []
    for (name, result), view in zip(results.items(), views, strict=True):
        axis = timeline(view)
        called = [names.called(name, str(unit)) for unit in result.unit]
        end = f"-{name}" if len(results) > 1 else ""
        shown.append(_overview(result, view, axis, end, called))
        if len(result.scores):
            shown.append(_scores(result, end))
        shown.append(_together(result, end, called))
        shown.append(_states(result, view, axis, end))
        shown.append(_trajectories(result, axis, end))
        if contains_regions(result):
            shown.append(_regions(result, end))
        shown += [_chains(result, end), _dynamics(result, end), _replicas(result, end, called)]
        if truth is not None:
            shown.append(_truth(result, truth, axis, end))
    return tuple(shown)


def contains_regions(result: BiclusteringResult) -> bool:
    """Whether units that took part are of more than one region."""
    return np.unique(result.region[result.used]).size > 1


def order_of_units(result: BiclusteringResult) -> NDArray[np.int64]:
    """Units that took part by cluster, the surest of each first; indices among all units."""
    used = np.flatnonzero(result.used)
    sureness = np.nan_to_num(result.own_probability[used], nan=0.0)
    return used[np.lexsort((-sureness, result.cluster_of_unit[used]))]


def unit_labels(
    result: BiclusteringResult, units: NDArray[np.int64], called: Sequence[str]
) -> tuple[str, ...]:
    """What units are called, with regions and clusters as remarks."""
    return tuple(
        REMARK.join(
            word
            for word in (
                called[unit],
                str(result.region[unit]),
                f"cluster {result.cluster_of_unit[unit] + 1}",
            )
            if word
        )
        for unit in units
    )


def _overview(
    result: BiclusteringResult, view: SpikeCounts, axis: Timeline, end: str, called: Sequence[str]
) -> Figure:
    """Counts sorted by cluster, above the states."""
    order = order_of_units(result)[:SHOWN_UNITS]
    counts = np.where(view.observed[:, order], view.counts[:, order], np.nan)
    level = np.nanmean(counts, axis=0)
    relative = np.log2((counts + 0.5) / (level + 0.5)).T
    bins = thinning(result.state_of_bin.size)
    sizes = np.bincount(result.cluster_of_unit[result.used])
    members = ", ".join(f"cluster {index + 1}: {size}" for index, size in enumerate(sizes))
    panels: tuple[Panel, ...] = (
        Heatmap(
            title="Counts of units, sorted by cluster",
            values=np.round(averaged(relative, bins), 2).astype(np.float32),
            x=axis.shown(bins),
            x_title=axis.title,
            y_title="Unit",
            value_title="Count over the unit's mean (log2)",
            y_labels=unit_labels(result, order, called),
            scale="diverging",
            limits=(-3.0, 3.0),
            spans=axis.spans,
            breaks=axis.breaks,
        ),
        Heatmap(
            title="Clusters: mean of their units",
            values=np.round(averaged(_cluster_means(result, view), bins), 2).astype(np.float32),
            x=axis.shown(bins),
            x_title=axis.title,
            y_title="Cluster",
            value_title="Count over the unit's mean (log2)",
            y_labels=tuple(f"Cluster {index + 1}" for index in range(result.n_clusters)),
            scale="diverging",
            limits=(-1.5, 1.5),
            spans=axis.spans,
            breaks=axis.breaks,
        ),
        _ribbon(result.state_of_bin, axis, title="State of the population", bins=bins),
    )
    return Figure(
        id=f"overview{end}",
        title="Units by cluster, and states of the population",
        finding=(
            f"{int(result.used.sum())} units in {counted(result.n_clusters, 'cluster')} "
            f"({members}) and {counted(result.n_states, 'state')} in "
            f"{result.state_of_bin.size} bins of {result.bin_s:g} s."
        ),
        caption=(
            f"Top: counts of {order.size} of {int(result.used.sum())} units relative to each "
            "unit's mean, one row a unit, by cluster and within it the surest first; grey: not "
            "observed. Middle: mean over the units of each cluster. Bottom: the state of each bin "
            f"(point estimate). {averaged_words(bins, result)} Shaded: epochs. No band: how sure "
            "clusters and states are is shown below. Good: units of a "
            "cluster rise and fall together at times when others do not. Bad: rows of a cluster "
            "that do not resemble each other."
        ),
        alt="Matrix of counts of units over time sorted by cluster, above a ribbon of states.",
        panels=panels,
    )


def _cluster_means(result: BiclusteringResult, view: SpikeCounts) -> NDArray[np.float64]:
    """Mean log ratio of counts to their unit's mean over the units of each cluster."""
    rows = []
    for cluster in range(result.n_clusters):
        units = np.flatnonzero(result.cluster_of_unit == cluster)
        seen = view.observed[:, units]
        counts = np.where(seen, view.counts[:, units], 0).astype(np.float64)
        level = counts.sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
        expected = np.where(seen, level, 0.0).sum(axis=1)
        rows.append(np.log2((counts.sum(axis=1) + 0.5) / (expected + 0.5)))
    return np.stack(rows)


def _ribbon(
    states: NDArray[np.int64], axis: Timeline, *, title: str, bins: NDArray[np.int64]
) -> Heatmap:
    """States over time as one coloured row."""
    return Heatmap(
        title=title,
        values=(states[bins][None, :] + 1).astype(np.float32),
        x=axis.shown(bins),
        x_title=axis.title,
        y_title="",
        value_title="State",
        scale="categorical",
        spans=axis.spans,
        breaks=axis.breaks,
    )


HIDDEN_WORDS = {
    "speckled": "Speckled: single counts.",
    "blocked": "Blocked: stretches of some units, so that neighbours in time of the same unit do "
    "not help.",
}
"""Which counts a mask hides."""


def _scores(result: BiclusteringResult, end: str) -> Figure:
    """Predictions of hidden counts side by side."""
    panels: list[Panel] = []
    for mask in MASKS:
        rows = result.scores[result.scores["mask"] == mask]
        if rows.empty:
            continue
        error = rows["error"].to_numpy(dtype=np.float64)
        bits = rows["bits"].to_numpy(dtype=np.float64)
        own = bits_of(result, MODEL, mask)
        panels.append(
            Bars(
                title=f"{mask.capitalize()} hidden counts",
                labels=tuple(str(name) for name in rows["prediction"]),
                values=np.round(bits, 4),
                x_title="Prediction",
                y_title=f"Bits {unit_word(result)} above the mean rate",
                lower=np.round(bits - error, 4),
                upper=np.round(bits + error, 4),
                reference=round(own.bits, 4),
                reference_label=MODEL,
            )
        )
    shown = set(result.scores["mask"])
    gain = gain_over(result, "one cluster")
    best = result.scores[result.scores["mask"] == MASKS[0]].iloc[0]
    return Figure(
        id=f"scores{end}",
        title="Predictions of hidden counts",
        finding=(
            f"Of counts hidden here and there, {best['prediction']} predicts most "
            f"({best['bits']:.3f} bits {unit_word(result)}); this model gains {gain.said()} over "
            "one cluster."
        ),
        caption=(
            "; ".join(
                f"{mask.capitalize()}: {counts} counts with {spikes} spikes"
                for mask, counts, spikes in zip(
                    result.n_hidden["mask"],
                    result.n_hidden["counts"],
                    result.n_hidden["spikes"],
                    strict=True,
                )
            )
            + f". {' '.join(HIDDEN_WORDS[mask] for mask in MASKS if mask in shown)} "
            "Bars: log2 probability of the hidden counts above that under each unit's mean rate "
            "(Poisson), per spike; whiskers: one standard error over 20 blocks of time; dashed: "
            "this model. All but the mean rate have a free spread of counts. Good: this model "
            "stands above one cluster, one state, and what single units predict of themselves. "
            "Bad: it does not; clusters or states are then not needed to describe the counts."
        ),
        alt="Bar charts of bits a spike for predictions by the model, simpler ones and baselines.",
        panels=tuple(panels),
        columns=2,
    )


def unit_word(result: BiclusteringResult) -> str:
    """What scores are counted in."""
    return "a spike" if result.source == "spikes" else "an event"


def _together(result: BiclusteringResult, end: str, called: Sequence[str]) -> Figure:
    """Probabilities that units are together."""
    order = order_of_units(result)[:SHOWN_UNITS]
    place = np.cumsum(result.used) - 1
    rows = place[order]
    sure = result.own_probability[result.used]
    unsure = int(np.sum(sure < 0.5))
    return Figure(
        id=f"together{end}",
        title="Probability that units are together",
        finding=(
            f"Units are with the others of their cluster with a probability of "
            f"{np.nanmean(sure):z.2f} on average; {unsure} of {sure.size} below 0.5."
            if np.isfinite(sure).any()
            else "No two units are in one cluster."
        ),
        caption=(
            f"Share of draws of all chains in which two units are in one cluster; {order.size} of "
            f"{int(result.used.sum())} units in the order of the figure above. Good: blocks of "
            "high probability on the diagonal and little elsewhere. Bad: colours between, where "
            "chains or draws differ on who belongs together."
        ),
        alt="Square matrix of probabilities that two units are in one cluster.",
        panels=(
            Heatmap(
                title="Co-clustering",
                values=np.round(result.co_clustering[np.ix_(rows, rows)], 2).astype(np.float32),
                x_title="Unit",
                y_title="Unit",
                value_title="Probability",
                x_labels=unit_labels(result, order, called),
                y_labels=unit_labels(result, order, called),
                limits=(0.0, 1.0),
                square=True,
            ),
        ),
    )


def _states(result: BiclusteringResult, view: SpikeCounts, axis: Timeline, end: str) -> Figure:
    """Probabilities of states over time, and what clusters do in them."""
    bins = thinning(result.state_of_bin.size)
    panels: list[Panel] = [
        Lines(
            title="Probability of each state",
            x=axis.shown(bins),
            lines=tuple(
                Line(
                    name=f"State {state + 1}",
                    y=np.round(averaged(result.state_probability[:, state][None], bins)[0], 3),
                    group=state,
                )
                for state in range(result.n_states)
            ),
            x_title=axis.title,
            y_title="Probability",
            spans=axis.spans,
            breaks=axis.breaks,
        ),
    ]
    several = result.n_states > 1
    if several:
        panels.append(
            Heatmap(
                title="Clusters in each state",
                values=np.round(mean_by_state(result), 2).astype(np.float32),
                x_title="Cluster",
                y_title="State",
                value_title="Mean log rate around the cluster's mean",
                x_labels=tuple(f"Cluster {index + 1}" for index in range(result.n_clusters)),
                y_labels=tuple(f"State {index + 1}" for index in range(result.n_states)),
                scale="diverging",
            )
        )
    epochs = bin_labels(view)
    names = epoch_names(view)
    if several and np.unique(epochs[epochs >= 0]).size > 1 and len(names) <= 40:
        seconds = np.zeros((len(names), result.n_states))
        inside = epochs >= 0
        np.add.at(seconds, (epochs[inside], result.state_of_bin[inside]), result.bin_s)
        share = seconds / np.maximum(seconds.sum(axis=1, keepdims=True), 1e-12)
        panels.append(
            Heatmap(
                title="States in each kind of epoch",
                values=np.round(share, 3).astype(np.float32),
                x_title="State",
                y_title="Epoch",
                value_title="Share of the epoch's time",
                x_labels=tuple(f"State {index + 1}" for index in range(result.n_states)),
                y_labels=names,
                limits=(0.0, 1.0),
            )
        )
    visits = result.visits
    told = "; ".join(
        f"State {int(state) + 1}: {100 * share:.0f} % of bins in {int(n)} visits of {length:.1f} s"
        for state, share, n, length in zip(
            visits["state"], visits["share"], visits["visits"], visits["mean_visit_s"], strict=True
        )
    )
    unsure = float(np.mean(result.state_probability.max(axis=1) < 0.8))
    below = (
        "Below: mean of the clusters' common log rates while a state lasts, and how the time of "
        "each kind of epoch is shared by states. "
        if several
        else ""
    )
    return Figure(
        id=f"states{end}",
        title="States of the population",
        finding=f"{told}. In {100 * unsure:.0f} % of bins no state has a probability of 0.8.",
        caption=(
            f"{'Top: share' if several else 'Share'} of draws in which a bin "
            f"({result.state_of_bin.size} bins) is in the counterpart of a state. "
            f"{averaged_words(bins, result)} {below}States are told apart by how activity moves "
            "on, not only by its level. Good: probabilities near 0 or 1 that stay there for "
            "seconds. Bad: flicker between states."
        ),
        alt="Curves of state probabilities over time"
        + (", and matrices of states by cluster and epoch." if several else "."),
        panels=tuple(panels),
    )


def mean_by_state(result: BiclusteringResult) -> NDArray[np.float64]:
    """Mean common log rate of each cluster in each state, shape (state, cluster)."""
    common = result.trajectories.mean[..., 0].astype(np.float64)
    means = [common[result.state_of_bin == state].mean(axis=0) for state in range(result.n_states)]
    stacked: NDArray[np.float64] = np.stack(means).astype(np.float64)
    return stacked


def _trajectories(result: BiclusteringResult, axis: Timeline, end: str) -> Figure:
    """Courses of clusters with bands."""
    n_shown = min(result.n_clusters, SHOWN_CLUSTERS)
    bins = thinning(result.state_of_bin.size)
    found = result.trajectories
    sizes = np.bincount(result.cluster_of_unit[result.used])
    panels: list[Panel] = []
    for cluster in range(n_shown):
        names = ["common log rate", *(f"factor {k}" for k in range(1, found.mean.shape[2]))]
        panels.append(
            Lines(
                title=f"Cluster {cluster + 1} ({sizes[cluster]} units)",
                x=axis.shown(bins),
                lines=tuple(
                    Line(
                        name=name,
                        y=_course(found.mean, cluster, latent, bins),
                        lower=_course(found.low, cluster, latent, bins),
                        upper=_course(found.high, cluster, latent, bins),
                        group=latent,
                    )
                    for latent, name in enumerate(names)
                ),
                x_title=axis.title,
                y_title="Log rate",
                spans=axis.spans,
                breaks=axis.breaks,
            )
        )
    spread = found.mean.std(axis=0)
    strongest = int(np.nanargmax(spread[:, 0]))
    return Figure(
        id=f"trajectories{end}",
        title="What units of a cluster share",
        finding=(
            f"The common log rate varies most in cluster {strongest + 1} (standard deviation "
            f"{spread[strongest, 0]:z.2f})."
        ),
        caption=(
            f"Posterior means and 95 % bands of {n_shown} of "
            f"{counted(result.n_clusters, 'cluster')}. The "
            "common log rate is the mean over the cluster's units; factors are the directions in "
            "which they differ most around it, per standard deviation of their loadings; all are "
            f"0 on average. {averaged_words(bins, result)} Factors of draws are turned to agree, "
            "so only their plane has a meaning. Good: narrow bands against the variation. Bad: "
            "bands that hold 0 throughout."
        ),
        alt="Curves with bands over time, one panel a cluster.",
        panels=tuple(panels),
        columns=2,
    )


def _course(
    values: NDArray[np.float32], cluster: int, latent: int, bins: NDArray[np.int64]
) -> NDArray[np.float64]:
    """One course as it is drawn."""
    course = values[:, cluster, latent].astype(np.float64)
    return np.asarray(np.round(averaged(course[None], bins)[0], 3))


def _regions(result: BiclusteringResult, end: str) -> Figure:
    """Where the units of clusters are."""
    used = result.used
    names, region = np.unique(result.region[used], return_inverse=True)
    table = contingency(region, result.cluster_of_unit[used])
    clusters = tuple(f"Cluster {index + 1}" for index in range(result.n_clusters))
    shown = tuple(str(name) or "(no region)" for name in names)
    share = table / table.sum(axis=1, keepdims=True)
    row = _association(result, OF_UNITS)
    return Figure(
        id=f"regions{end}",
        title="Clusters and regions",
        finding=association_words(row) if row is not None else "Regions were not compared.",
        caption=(
            f"Left: {int(table.sum())} units by region and cluster. Right: share of each region's "
            "units in each cluster. Good or bad: neither; clusters may well cross regions."
        ),
        alt="Two matrices of regions by clusters: numbers of units, and shares of each region.",
        panels=(
            Heatmap(
                title="Units",
                values=table.astype(np.float32),
                x_title="Cluster",
                y_title="Region",
                value_title="Units",
                x_labels=clusters,
                y_labels=shown,
            ),
            Heatmap(
                title="Share of the region's units",
                values=np.round(share, 3).astype(np.float32),
                x_title="Cluster",
                y_title="Region",
                value_title="Share",
                x_labels=clusters,
                y_labels=shown,
                limits=(0.0, 1.0),
            ),
        ),
        columns=2,
    )


Row = Mapping[str, object]
AGREEMENT = "Agreement between methods"
"""Title of the section that holds clusters against regions."""


def _association(result: BiclusteringResult, what: str) -> Row | None:
    """One row of the table of associations."""
    rows = result.associations[result.associations["what"] == what]
    if rows.empty:
        return None
    found: Row = {str(key): value for key, value in rows.iloc[0].items()}
    return found


def association_words(row: Row) -> str:
    """Agreement and where it stands, in a sentence.

    Of units, chance is told where methods are held against regions, and there alone: shuffles over
    all units, which the table of associations has, are a weaker null than exchanges of units that
    are alike in activity.
    """
    what = str(row["what"])
    ari = f"{row['ari']:z.2f} ({row['ari_low']:z.2f} to {row['ari_high']:z.2f} over draws)"
    start = f"Agreement of {what}: adjusted Rand index {ari}"
    if what == OF_UNITS:
        return f"{start}; whether that is more than chance is asked under '{AGREEMENT}'."
    if not row["testable"]:
        return f"{start}; not tested: {row['note']}."
    verdict = "above" if float(str(row["p_value"])) <= 0.05 else "not above"
    return (
        f"{start}, normalised mutual information {row['nmi']:z.2f} against {row['null_nmi']:z.2f} "
        f"by chance (95th percentile {row['null_high']:z.2f}), {verdict} chance "
        f"(p = {float(str(row['p_value'])):.3g}, {row['n_null']} shifts)."
    )


def _chains(result: BiclusteringResult, end: str) -> Figure:
    """What chains did."""
    posterior, stats = result.posterior, result.sample_stats
    n_chains, n_draws = posterior.n_clusters.shape
    picked = np.unique(np.linspace(0, n_draws - 1, SHOWN_DRAWS).astype(int))

    def traces(title: str, values: NDArray[np.number], y_title: str) -> Lines:
        return Lines(
            title=title,
            x=picked.astype(np.float64),
            lines=tuple(
                Line(
                    name=f"Chain {chain + 1}",
                    y=np.round(values[chain, picked].astype(np.float64), 2),
                    group=chain,
                )
                for chain in range(n_chains)
            ),
            x_title="Draw",
            y_title=y_title,
        )

    panels: list[Panel] = [
        traces("Log joint density", stats.log_joint, "Log density"),
        _histogram("Clusters", posterior.n_clusters, "Number of clusters"),
        _histogram("States", posterior.n_states, "Number of states in use"),
    ]
    if n_chains > 1:
        names = tuple(f"Chain {index + 1}" for index in range(n_chains))
        panels.append(
            Heatmap(
                title="Agreement of chains on units",
                values=np.round(result.chain_agreement, 2).astype(np.float32),
                x_title="Chain",
                y_title="Chain",
                value_title="Adjusted Rand index",
                x_labels=names,
                y_labels=names,
                limits=(0.0, 1.0),
                square=True,
            )
        )
    agree = chains_agree(result.chain_agreement)
    return Figure(
        id=f"chains{end}",
        title="Chains",
        finding=(
            (
                f"The partitions of units of {n_chains} chains agree with an adjusted Rand index "
                f"of {agree:z.2f} or more; "
                if n_chains > 1
                else "There is one chain, so nothing is known about agreement; "
            )
            + f"the number of clusters moved in {moving_chains(result)} of {n_chains}."
        ),
        caption=(
            f"{n_chains} {'chain' if n_chains == 1 else 'chains from different starts'}, {n_draws} "
            "draws each after the tune phase. "
            "Traces of the log joint density; how often draws have how many clusters and states; "
            "agreement of the partitions of units that each chain gives by itself. Good: traces "
            "of one level without trend, and agreement near 1. Bad: chains at different levels. "
            "Chains seldom change their number of clusters, so its spread over chains counts as "
            "much as that within them."
        ),
        alt="Traces of the log joint density by chain, and bar charts of numbers of clusters.",
        panels=tuple(panels),
        columns=2,
    )


def _histogram(title: str, values: NDArray[np.int64], x_title: str) -> Bars:
    """How often a number occurs among all draws."""
    low, high = int(values.min()), int(values.max())
    numbers = np.arange(max(1, low - 1), high + 2)
    shares = [float(np.mean(values == number)) for number in numbers]
    return Bars(
        title=title,
        labels=tuple(str(number) for number in numbers),
        values=np.round(shares, 4),
        x_title=x_title,
        y_title="Share of draws",
    )


def _dynamics(result: BiclusteringResult, end: str) -> Figure:
    """Eigenvalues of the states' transition matrices."""
    real = result.eigenvalue_real.astype(np.float64)
    imaginary = result.eigenvalue_imaginary.astype(np.float64)
    panels: list[Panel] = []
    for cluster in range(min(result.n_clusters, SHOWN_CLUSTERS)):
        x = real[:, :, cluster].transpose(1, 0, 2).reshape(result.n_states, -1)
        y = imaginary[:, :, cluster].transpose(1, 0, 2).reshape(result.n_states, -1)
        group = np.repeat(np.arange(result.n_states), x.shape[1])
        known = np.isfinite(x.ravel())
        panels.append(
            Points(
                title=f"Cluster {cluster + 1}",
                x=np.round(x.ravel()[known], 3),
                y=np.round(y.ravel()[known], 3),
                x_title="Real part",
                y_title="Imaginary part",
                group=group[known],
                group_names=tuple(f"State {index + 1}" for index in range(result.n_states)),
            )
        )
    table = result.dynamics
    radius = table["radius"].to_numpy(dtype=np.float64)
    largest = table.iloc[int(np.nanargmax(radius))] if np.isfinite(radius).any() else None
    return Figure(
        id=f"dynamics{end}",
        title="Dynamics of states",
        finding=(
            "No state's dynamics are known."
            if largest is None
            else f"The slowest dynamics are those of cluster {int(largest['cluster']) + 1} in "
            f"state {int(largest['state']) + 1}: spectral radius {largest['radius']:z.2f} "
            f"({largest['radius_low']:z.2f} to {largest['radius_high']:z.2f})."
        ),
        caption=(
            f"Eigenvalues of the transition matrices of each state within a cluster, {len(real)} "
            "draws. A radius near 1 means slow change, near 0 that a bin does not depend on the "
            "one before; imaginary parts mean turning. Without dependence on labels within a "
            "state. Good: clouds of states lie apart. Bad: clouds that overlap in every cluster, "
            "so that states differ in level or noise at most."
        ),
        alt="Points of eigenvalues in the complex plane, one panel a cluster, coloured by state.",
        panels=tuple(panels),
        columns=2,
    )


def _replicas(result: BiclusteringResult, end: str, called: Sequence[str]) -> Figure:
    """Real beside replicated statistics, and the calibration of hidden counts."""
    replicas = result.replicas
    panels: list[Panel] = []
    for name in ("variance", "Fano factor", "share of zeros", SHOWN_LAGS):
        row = int(np.flatnonzero(replicas.statistic == name)[0])
        known = np.isfinite(replicas.observed[row]) & np.isfinite(replicas.replicated[row])
        logarithmic = name == "variance"
        values = [replicas.replicated[row][known], replicas.observed[row][known]]
        if logarithmic:
            values = [np.log10(np.maximum(each, 1e-6)) for each in values]
        panels.append(
            Points(
                title=name.capitalize() + (" (log10)" if logarithmic else ""),
                x=np.round(values[0], 4),
                y=np.round(values[1], 4),
                x_title="Replicated",
                y_title="Real",
                labels=tuple(called[unit] for unit in np.flatnonzero(result.used)[known]),
                group=result.cluster_of_unit[result.used][known],
                group_names=tuple(f"Cluster {index + 1}" for index in range(result.n_clusters)),
                diagonal=True,
            )
        )
    if np.isfinite(result.pit).all():
        panels.append(
            Bars(
                title="Probability integral transform of hidden counts",
                labels=tuple(f"{(index + 0.5) / PIT_BINS:.3g}" for index in range(PIT_BINS)),
                values=np.round(result.pit, 3),
                x_title="Transform",
                y_title="Density",
                reference=1.0,
                reference_label="calibrated",
            )
        )
    shares = np.nanmean((replicas.p_value < 0.02) | (replicas.p_value > 0.98), axis=1)
    worst = int(np.argmax(shares))
    return Figure(
        id=f"replicas{end}",
        title="Counts that the model would make",
        finding=(
            f"The model misses {replicas.statistic[worst]} most: {100 * shares[worst]:.0f} % of "
            "units stand out there (4 % would by chance)."
        ),
        caption=(
            f"One point a unit ({int(result.used.sum())} units): a statistic of its counts "
            f"(vertical) beside the mean of {replicas.n_replicas} replicas drawn from the fitted "
            "model (horizontal), and where hidden counts fall in their predicted distributions. "
            "Dashed: equal values. Replicas are drawn around the fitted trajectories. Good: points "
            "on the diagonal and a flat transform. Bad: points "
            "to one side; a transform high at both ends means more spread than predicted."
        ),
        alt="Scatter plots of real against replicated statistics of units, and a bar chart.",
        panels=tuple(panels),
        columns=2,
    )


def _truth(
    result: BiclusteringResult, truth: BiclusteringTruth, axis: Timeline, end: str
) -> Figure:
    """Planted beside found."""
    seen = recovery(result, truth)
    bins = thinning(result.state_of_bin.size)
    return Figure(
        id=f"truth{end}",
        title="Planted beside found",
        finding=(
            f"Units: adjusted Rand index {seen.unit_agreement:z.2f}. States: "
            f"{100 * seen.state_accuracy:.0f} % of bins right, adjusted Rand index "
            f"{seen.state_agreement:z.2f}."
        ),
        caption=(
            f"A simulated recording. Left: {int(seen.clusters.sum())} units by planted and found "
            f"cluster. Right: {int(seen.states.sum())} bins by planted and found state. Below: "
            "planted states over time. No band: labels are counted. Good: one strong entry in "
            "every row and column. Bad: two in "
            "a row (a planted group was cut) or in a column (groups were merged)."
        ),
        alt="Two matrices of planted against found groups, and a ribbon of planted states.",
        panels=(
            Heatmap(
                title="Units",
                values=seen.clusters.astype(np.float32),
                x_title="Found cluster",
                y_title="Planted cluster",
                value_title="Units",
                x_labels=tuple(f"Cluster {index + 1}" for index in range(seen.clusters.shape[1])),
                y_labels=tuple(str(name) for name in truth.cluster)
                if seen.clusters.shape[0] == truth.cluster.size
                else (),
            ),
            Heatmap(
                title="Bins",
                values=seen.states.astype(np.float32),
                x_title="Found state",
                y_title="Planted state",
                value_title="Bins",
                x_labels=tuple(f"State {index + 1}" for index in range(seen.states.shape[1])),
                y_labels=tuple(str(name) for name in truth.state)
                if seen.states.shape[0] == truth.state.size
                else (),
            ),
            _ribbon(seen.planted_state_of_bin, axis, title="Planted states", bins=bins),
        ),
        columns=2,
    )


def thinning(n_bins: int) -> NDArray[np.int64]:
    """First of every few bins that are drawn as one, so that a page stays small."""
    return np.arange(0, n_bins, -(-n_bins // SHOWN_BINS))


def averaged(values: NDArray[np.floating], bins: NDArray[np.int64]) -> NDArray[np.float64]:
    """Means over the bins that are drawn as one, shape (row, drawn bin); NaN where all are."""
    known = np.isfinite(values)
    sums = np.add.reduceat(np.where(known, values, 0.0), bins, axis=1)
    counts = np.add.reduceat(known.astype(np.float64), bins, axis=1)
    out = np.full(sums.shape, np.nan)
    np.divide(sums, counts, out=out, where=counts > 0)
    return out


def averaged_words(bins: NDArray[np.int64], result: BiclusteringResult) -> str:
    """How time was coarsened, if it was."""
    step = int(bins[1] - bins[0]) if bins.size > 1 else 1
    return "" if step == 1 else f"Drawn as means over {step} bins ({step * result.bin_s:g} s)."
