"""The words of the report about a bi-clustering."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.core.parts import (
    Check,
    Figure,
    KeyNumber,
    Number,
    Numbers,
    Section,
    Table,
    key_numbers,
    middle_with_range,
    qualified,
    status_from_checks,
    with_error,
)
from pipeline.core.unit_names import NO_NAMES, UnitNames
from pipeline.core.words import counted
from pipeline.methods.biclustering.associations import OF_UNITS
from pipeline.methods.biclustering.config import MASKS, BiclusteringConfig
from pipeline.methods.biclustering.figures import association_words, mean_by_state, unit_word
from pipeline.methods.biclustering.result import BiclusteringResult
from pipeline.methods.biclustering.scores import MODEL, NAMES
from pipeline.methods.biclustering.verdict import (
    AGREE,
    bits_of,
    chains_agree,
    clusters_by_chain,
    clusters_verdict,
    gain_over,
    moving_chains,
    states_verdict,
)

FIGURES_BEFORE = ("overview", "scores", "together")
FIGURES_AFTER = ("states", "trajectories", "regions", "chains", "dynamics", "replicas", "truth")


def section(
    results: Mapping[str, BiclusteringResult],
    checks: tuple[Check, ...],
    figures: tuple[Figure, ...],
    config: BiclusteringConfig,
    names: UnitNames = NO_NAMES,
) -> Section:
    """All that the report says about the recordings of an experiment, in reading order.

    Parameters
    ----------
    results
        The joined fit of each recording.
    checks, figures
        What :mod:`diagnostics` and :mod:`figures` made of them.
    config
        The method's settings.
    names
        What units are called; no table shows a single one.
    """
    by_id = {figure.id: figure for figure in figures}
    body: list[str | Figure | Table] = [_what_was_done(results, config)]
    if len(results) > 1:
        body.append(_recordings_table(results))
    for name, result in results.items():
        end = f"-{name}" if len(results) > 1 else ""
        if end:
            own = [check for check in checks if check.name.startswith(f"{name}: ")]
            told = (f"Recording {name}.", qualified(_sentence(result), own), _simple_words(result))
            body.append(" ".join(words for words in told if words))
        body += _figures(by_id, FIGURES_BEFORE, end)
        body.append(_clusters_table(result, end))
        body.append(_states_words(result))
        body += _figures(by_id, FIGURES_AFTER, end)
        if len(result.gains):
            body.append(_gains_table(result, end))
        if len(result.scores):
            body.append(_scores_table(result, end))
        body.append(_convergence_table(result, end))
    body.append(_limits(results, config))
    numbers: Numbers = (
        {name: _flat(_numbers(result)) for name, result in results.items()}
        if len(results) > 1
        else _numbers(next(iter(results.values())))
    )
    return Section(
        id="biclustering",
        title="Bi-clustering of units and states",
        status=status_from_checks(checks),
        sentence=_sentences(results),
        further=_further(results),
        body=tuple(body),
        checks=checks,
        numbers=numbers,
        key_numbers=_key_numbers(list(results.values())),
        citation="Wei (2023)",
    )


def _figures(by_id: Mapping[str, Figure], names: tuple[str, ...], end: str) -> list[Figure]:
    """The figures of a recording that were made, in order."""
    return [by_id[f"{name}{end}"] for name in names if f"{name}{end}" in by_id]


def _sentences(results: Mapping[str, BiclusteringResult]) -> str:
    """The finding for the first screen: of the only recording, or of all in short."""
    if len(results) == 1:
        return _sentence(next(iter(results.values())))
    verdicts = [clusters_verdict(result) for result in results.values()]
    supported = sum(verdict == "supported" for verdict in verdicts)
    return (
        f"Clusters of units are supported in {supported} of {len(results)} recordings: chains from "
        "different starts find the same ones, and they predict hidden counts better than one "
        f"cluster{_range_of_gains(results)}."
    )


def _range_of_gains(results: Mapping[str, BiclusteringResult]) -> str:
    """Least and most of the gains of several clusters over one; nothing where none was tested."""
    gains = [gain_over(one, NAMES["one-cluster"]) for one in results.values() if one.n_clusters > 1]
    bits = [gain.bits for gain in gains if gain.tested]
    if not bits:
        return ""
    ranged = f"{min(bits):z.3f} to {max(bits):z.3f}" if len(bits) > 1 else f"{bits[0]:z.3f}"
    return f" ({ranged} bits a spike or event better, {counted(len(bits), 'recording')} tested)"


def _further(results: Mapping[str, BiclusteringResult]) -> str:
    """The model beside predictions from units alone, or each of several recordings in short."""
    if len(results) == 1:
        return _simple_words(next(iter(results.values())))
    return "; ".join(f"{name}: {_in_short(result)}" for name, result in results.items()) + "."


def _in_short(result: BiclusteringResult) -> str:
    """Clusters and states of a recording, and how sure they are."""
    found = (
        ("cluster", result.n_clusters, result.chain_agreement),
        ("state", result.n_states, result.chain_state_agreement),
    )
    told = []
    for thing, count, agreement in found:
        gain, agree = gain_over(result, NAMES[f"one-{thing}"]), chains_agree(agreement)
        better = f"{gain.said()} over one" if gain.tested else "not tested beside one"
        alike = "" if np.isnan(agree) else f"; chains agree to {agree:z.2f}, adjusted Rand index"
        told.append(counted(count, thing) + (f" ({better}{alike})" if count > 1 else ""))
    return " and ".join(told)


def _sentence(result: BiclusteringResult) -> str:
    """Whether clusters are supported, first; then states."""
    gain = gain_over(result, NAMES["one-cluster"])
    agree = chains_agree(result.chain_agreement)
    by_chain = _chain_words(result)
    after_semicolon, in_brackets = (f"; {by_chain}", f" ({by_chain})") if by_chain else ("", "")
    k, n = result.n_clusters, int(result.used.sum())
    words = {
        "one": f"The {n} units form one cluster: there is no sign of several{in_brackets}",
        "supported": (
            f"The {k} clusters of {n} units are supported: they predict hidden counts better than "
            f"one cluster ({gain.said()}), and chains from different starts agree on them "
            f"(adjusted Rand index {agree:z.2f} or more{after_semicolon})"
        ),
        "unsettled": (
            f"{n} units fall into several clusters ({gain.said()} over one cluster), but which "
            f"({k} in the point estimate) is not settled: chains agree with an adjusted Rand index "
            f"of {agree:z.2f} only{in_brackets}"
        ),
        "not better": (
            f"The {k} clusters of {n} units are not supported: they predict hidden counts "
            f"no better than one cluster ({_both(result, 'one-cluster')}{after_semicolon})"
        ),
        "untested": (
            f"{k} clusters of {n} units were found, and nothing tested whether they are more than "
            f"one{in_brackets}"
        ),
    }
    state_gain = _both(result, "one-state")
    s = result.n_states
    state_words = {
        "one": "one state describes the whole recording",
        "supported": f"{s} states of the population are supported ({state_gain} over one state)",
        "unsettled": (
            f"there is more than one state ({state_gain} over one state), but chains do not agree "
            f"on when ({s} in the point estimate)"
        ),
        "not better": f"{s} states predict no better than one ({state_gain})",
        "untested": f"{s} states were found and not tested",
    }
    return f"{words[clusters_verdict(result)]}; {state_words[states_verdict(result)]}."


def _chain_words(result: BiclusteringResult) -> str:
    """Clusters of each chain by itself; nothing of a single one."""
    if len(result.chain_cluster) < 2:
        return ""
    counts = ", ".join(str(number) for number in clusters_by_chain(result))
    return f"clusters by chain: {counts}"


def _simple_words(result: BiclusteringResult) -> str:
    """The model beside predictions that use one unit only, in counts hidden here and there."""
    gains = [
        (words, gain_over(result, name))
        for name, words in (
            ("smoothed rate", "its smoothed rate"),
            ("PSTH", "its mean response to the condition"),
        )
    ]
    told = " and ".join(f"{gain.said()} over {words}" for words, gain in gains if gain.tested)
    return f"Beside predictions from each unit alone the model gains {told}." if told else ""


def _both(result: BiclusteringResult, variant: str) -> str:
    """Gains over a simpler model under all masks."""
    gains = [(mask, gain_over(result, NAMES[variant], mask)) for mask in MASKS]
    return "; ".join(f"{mask} {gain.said()}" for mask, gain in gains if gain.tested)


def _what_was_done(results: Mapping[str, BiclusteringResult], config: BiclusteringConfig) -> str:
    """Data and model in words."""
    first = next(iter(results.values()))
    counts = "Spikes" if first.source == "spikes" else "Inferred events"
    offset = (
        " Each unit's mean response to a trial's condition in the other trials was taken as known, "
        "so that clusters and states describe what is left."
        if config.stimulus == "psth"
        else " Nothing was known of the stimulus, so states and clusters can follow it."
    )
    if config.behaviour:
        offset += (
            f" Each unit followed {', '.join(config.behaviour)} with a gain of its own, sampled "
            "with all else; clusters and states describe what is left. Bins without a value had "
            "the mean."
        )
    joins = max(int(result.segment.max()) for result in results.values())
    cut = (
        f" Nothing goes on across {joins} joins of a recording."
        if joins
        else " The recordings are without gaps."
        if len(results) > 1
        else " The recording is without gaps."
    )
    chains, draws = first.posterior.n_clusters.shape
    sampled = (
        f"The posterior was sampled by {chains} chains from different starts ({draws} draws each)"
        if chains > 1
        else f"The posterior was sampled by one chain ({draws} draws)"
    )
    tested = (
        f"; for the test of predictions {100 * config.held_out_share:.0f} % of the counts were "
        "hidden and all models fitted anew."
        if len(first.scores)
        else "."
    )
    return (
        f"{counts} were counted in bins of {first.bin_s:g} s.{cut} Units of one cluster share a "
        f"trajectory: a common log rate and {config.prior.n_factors} factors on which units have "
        "loadings of their own. In each bin one state of the whole population says by which "
        "linear dynamics trajectories move on. Numbers of clusters and of states are not given "
        f"beforehand. Counts are {config.family.replace('_', ' ')}.{offset} {sampled}{tested}"
    )


def _recordings_table(results: Mapping[str, BiclusteringResult]) -> Table:
    """One row a recording."""
    found = list(results.values())
    return Table(
        id="recordings",
        title="Recordings",
        caption=(
            "Gains in bits a spike over the same model with one cluster or one state, in "
            f"predicting hidden counts here and there. Agreement: adjusted Rand index, {AGREE} "
            "and more count as the same partition."
        ),
        columns={
            "recording": tuple(results),
            "units": tuple(int(result.used.sum()) for result in found),
            "clusters": tuple(result.n_clusters for result in found),
            "verdict on clusters": tuple(clusters_verdict(result) for result in found),
            "gain over one cluster": tuple(
                _number(gain_over(result, NAMES["one-cluster"]).bits, 4) for result in found
            ),
            "states": tuple(result.n_states for result in found),
            "verdict on states": tuple(states_verdict(result) for result in found),
            "gain over one state": tuple(
                _number(gain_over(result, NAMES["one-state"]).bits, 4) for result in found
            ),
            "agreement of chains on units": tuple(
                _number(chains_agree(result.chain_agreement), 2) for result in found
            ),
        },
    )


def _clusters_table(result: BiclusteringResult, end: str) -> Table:
    """One row a cluster."""
    columns: dict[str, list[Number]] = {
        "cluster": [],
        "units": [],
        "mean probability of being together": [],
        "regions": [],
        "spread of the common log rate": [],
    }
    spread = result.trajectories.mean[..., 0].std(axis=0)
    for cluster in range(result.n_clusters):
        units = result.cluster_of_unit == cluster
        names, counts = np.unique(result.region[units], return_counts=True)
        order = np.argsort(-counts, kind="stable")
        columns["cluster"].append(cluster + 1)
        columns["units"].append(int(units.sum()))
        sure = result.own_probability[units]
        columns["mean probability of being together"].append(
            _number(float(np.mean(sure[np.isfinite(sure)])), 2) if np.isfinite(sure).any() else None
        )
        columns["regions"].append(
            ", ".join(f"{counts[i]} {names[i]}" for i in order if str(names[i]))
        )
        columns["spread of the common log rate"].append(_number(float(spread[cluster]), 2))
    small = int(np.sum(np.bincount(result.cluster_of_unit[result.used]) < 5))
    agreement = result.partition_agreement
    return Table(
        id=f"clusters{end}",
        title="Clusters of units",
        caption=(
            "Point estimate: the partition of least expected variation of information. Partitions "
            f"by other criteria ({', '.join(str(name) for name in result.criterion[1:])}) agree "
            f"with it with adjusted Rand indices of "
            f"{', '.join(f'{value:z.2f}' for value in agreement[0, 1:])}."
            + (f" {small} clusters of fewer than 5 units are unconfirmed." if small else "")
        ),
        columns={name: tuple(values) for name, values in columns.items()},
    )


def _states_words(result: BiclusteringResult) -> str:
    """What states are like, and what they go with."""
    level = mean_by_state(result)
    told = []
    for state in range(result.n_states):
        high = int(np.nanargmax(level[state]))
        low = int(np.nanargmin(level[state]))
        told.append(
            f"state {state + 1} (cluster {high + 1} at {level[state, high]:+.2f}, cluster "
            f"{low + 1} at {level[state, low]:+.2f} of its mean log rate)"
        )
    rows = [
        association_words({str(key): value for key, value in row.items()})
        for _, row in result.associations.iterrows()
    ]
    start = (
        f"States lift and lower clusters: {'; '.join(told)}. "
        if result.n_states > 1
        else "There is one state, so nothing switches. "
    )
    return start + " ".join(rows)


def _gains_table(result: BiclusteringResult, end: str) -> Table:
    """One row a covariate: how many units follow it, and how much."""
    columns: dict[str, list[Number]] = {
        "behaviour": [],
        "units that rise": [],
        "units that fall": [],
        "median gain": [],
        "median size of gain": [],
    }
    for name, own in result.gains.groupby("covariate", sort=False):
        columns["behaviour"].append(str(name))
        columns["units that rise"].append(int((own["low"] > 0).sum()))
        columns["units that fall"].append(int((own["high"] < 0).sum()))
        columns["median gain"].append(_number(float(own["mean"].median()), 3))
        columns["median size of gain"].append(_number(float(own["mean"].abs().median()), 3))
    return Table(
        id=f"gains{end}",
        title="Behaviour that units follow",
        caption=(
            f"Gains of {int(result.used.sum())} units: change of log rate for one standard "
            "deviation of a series, beside clusters and states. Units rise or fall whose 95 % "
            "interval does not hold 0; of units without any relation some do too, and slow series "
            "go along with slow activity by chance."
        ),
        columns={name: tuple(values) for name, values in columns.items()},
    )


def _scores_table(result: BiclusteringResult, end: str) -> Table:
    """Every prediction of hidden counts."""
    scores = result.scores
    return Table(
        id=f"scores-table{end}",
        title="Predictions of hidden counts",
        caption=(
            f"Bits {unit_word(result)} above each unit's mean rate, and how much less than this "
            "model; standard errors over 20 blocks of time."
        ),
        columns={
            "hidden": tuple(str(mask) for mask in scores["mask"]),
            "prediction": tuple(str(name) for name in scores["prediction"]),
            "bits": _rounded(scores["bits"].to_numpy()),
            "standard error": _rounded(scores["error"].to_numpy()),
            "less than this model": _rounded(scores["less_than_model"].to_numpy()),
            "its standard error": _rounded(scores["difference_error"].to_numpy()),
        },
    )


def _convergence_table(result: BiclusteringResult, end: str) -> Table:
    """Every quantity that chains were compared in."""
    table = result.convergence
    return Table(
        id=f"convergence{end}",
        title="Convergence",
        caption=(
            "Mean and 95 % interval over all draws, rank-normalised split R-hat (below 1.01 is "
            "good, above 1.05 bad), effective draws for the mean and for the tails. Empty where a "
            "quantity never moved, so that there is nothing to judge."
        ),
        columns={
            "quantity": tuple(str(name) for name in table["quantity"]),
            "mean": _rounded(table["mean"].to_numpy()),
            "2.5 %": _rounded(table["low"].to_numpy()),
            "97.5 %": _rounded(table["high"].to_numpy()),
            "R-hat": _rounded(table["r_hat"].to_numpy()),
            "effective draws": _rounded(table["ess_bulk"].to_numpy(), 0),
            "in the tails": _rounded(table["ess_tail"].to_numpy(), 0),
        },
    )


def _limits(results: Mapping[str, BiclusteringResult], config: BiclusteringConfig) -> str:
    """What these data and this method cannot show."""
    moved = min(moving_chains(result) for result in results.values())
    fixed = (
        " In some chains the number of clusters never moved after the start; its posterior is "
        "then narrower than it should be, and agreement between chains is the better guide."
        if moved < min(len(result.posterior.n_clusters) for result in results.values())
        else ""
    )
    stimulus = (
        ""
        if config.stimulus == "psth"
        else " Units that answer to the same stimulus are in one cluster, and states can be "
        "stretches of a stimulus; methods.biclustering.stimulus: psth takes the mean response out."
    )
    behaviour = (
        f" Of behaviour {', '.join(config.behaviour)} is in the model, as a gain without delay; "
        "what else the animal did is not."
        if config.behaviour
        else " Movement, pupil and other behaviour are not in the model "
        "(methods.biclustering.behaviour)."
    )
    events = (
        " Counts are inferred events, which follow calcium and the settings of the inference; a "
        "bit is a bit an event, not a spike."
        if any(result.source == "events" for result in results.values())
        else ""
    )
    return (
        "Clusters say that units share a course of activity, not that they are connected. One "
        "cluster of the comparison has as many factors as each of the clusters, so its loss can "
        "also mean that more dimensions are needed rather than groups; the matrix of "
        f"probabilities tells blocks from a continuum.{behaviour}{stimulus}{fixed}{events}"
    )


def _numbers(result: BiclusteringResult) -> dict[str, Number | list[Number]]:
    """Every number the words use; first what is worth comparing over experiments."""
    numbers: dict[str, Number | list[Number]] = {
        "n_clusters": result.n_clusters,
        "n_states": result.n_states,
        "n_units": int(result.used.sum()),
        "n_bins": int(result.state_of_bin.size),
        "bin_s": result.bin_s,
        "clusters_verdict": clusters_verdict(result),
        "states_verdict": states_verdict(result),
        "chains_agree_units": _number(chains_agree(result.chain_agreement), 4),
        "chains_agree_states": _number(chains_agree(result.chain_state_agreement), 4),
        "n_clusters_mean": float(result.posterior.n_clusters.mean()),
        "n_states_mean": float(result.posterior.n_states.mean()),
        "cluster_sizes": [int(size) for size in np.bincount(result.cluster_of_unit[result.used])],
        "state_shares": [_number(float(share), 4) for share in result.visits["share"]],
    }
    for mask in MASKS:
        numbers[f"{mask}_bits"] = _number(bits_of(result, MODEL, mask).bits, 4)
        for variant in ("one-cluster", "one-state", "other-counts"):
            gain = gain_over(result, NAMES[variant], mask)
            key = f"{mask}_gain_over_{variant.replace('-', '_')}"
            numbers[key] = _number(gain.bits, 4)
            numbers[f"{key}_error"] = _number(gain.error, 4)
    for _, row in result.associations.iterrows():
        key = str(row["what"]).replace(" ", "_")
        tested = () if row["what"] == OF_UNITS else ("p_value",)
        for name in ("ari", "ari_low", "ari_high", "nmi", *tested):
            numbers[f"{key}_{name}"] = _number(float(row[name]), 4)
    return numbers


def _key_numbers(results: Sequence[BiclusteringResult]) -> tuple[KeyNumber, ...]:
    """What is compared over experiments; of several recordings the middle and the range."""
    gains = [
        gain for gain in (gain_over(one, NAMES["one-cluster"]) for one in results) if gain.tested
    ]
    gain = "gain over one cluster (bits a spike or event)"
    if len(results) > 1:
        told = [
            middle_with_range("clusters", [one.n_clusters for one in results], "recordings"),
            middle_with_range("states", [one.n_states for one in results], "recordings"),
        ]
        if gains:
            told.append(middle_with_range(gain, [one.bits for one in gains], "recordings"))
        return key_numbers(*told)
    only = results[0]
    return key_numbers(
        _drawn("clusters", only.n_clusters, only.posterior.n_clusters),
        _drawn("states", only.n_states, only.posterior.n_states),
        *(with_error(gain, one.bits, one.error) for one in gains),
    )


def _drawn(name: str, value: int, draws: NDArray[np.int64]) -> KeyNumber:
    """A number of groups, and between what it lies in draws."""
    low, high = np.quantile(draws, [0.025, 0.975])
    return KeyNumber(
        name=name, value=value, low=float(low), high=float(high), beside="95 % of draws"
    )


def _flat(numbers: Mapping[str, Number | list[Number]]) -> Mapping[str, Number]:
    """The numbers of a recording without lists."""
    return {name: value for name, value in numbers.items() if not isinstance(value, list)}


def _number(value: float, digits: int) -> float | None:
    """A rounded float, or nothing where it is not one."""
    return round(float(value), digits) if np.isfinite(value) else None


def _rounded(values: np.ndarray, digits: int = 3) -> tuple[Number, ...]:
    """Rounded floats, nothing where undefined."""
    return tuple(_number(float(value), digits) for value in values)
