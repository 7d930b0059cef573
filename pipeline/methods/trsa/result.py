"""What a comparison of representations found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes, table
from pipeline.core.provenance import Provenance

POPULATION_COLUMNS = (
    "recording",
    "subject",
    "region",
    "n_units",
    "n_trials",
    "n_folds",
    "rate_hz",
    "status",
    "decoding",
    "decoding_low",
    "decoding_high",
    "decoding_equal",
    "dimensionality",
    "reliability",
    "reliability_low",
    "reliability_high",
    "reliability_p",
    "repeat_reliability",
)
PAIR_COLUMNS = (
    "recording",
    "first",
    "second",
    "separation",
    "separation_low",
    "separation_high",
    "chance",
    "p",
    "p_adjusted",
    "relation",
    "relation_p",
    "relation_p_adjusted",
    "ceiling",
)
RECOGNITION_COLUMNS = (
    "recording",
    "region",
    "n_units",
    "sensitivity",
    "sensitivity_low",
    "sensitivity_high",
    "sensitivity_chance",
    "sensitivity_most",
    "specificity",
    "specificity_low",
    "specificity_high",
    "specificity_chance",
    "specificity_most",
)
TAKEN_COLUMNS = ("recording", "region", "assigned", "share", "chance")
SUBJECT_STRETCH_COLUMNS = ("start_s", "stop_s", "mass", "p")
DIMENSION_COLUMNS = (
    "recording",
    "region",
    "cross_validated",
    "se",
    "plain",
    "two_neighbours",
    "axes_80",
    "axes_95",
)
STRETCH_COLUMNS = ("recording", "start_s", "stop_s", "mass", "p")
WEIGHT_COLUMNS = ("region", "fit", "model", "weight")
MODEL_COLUMNS = (
    "region",
    "model",
    "score",
    "se",
    "p",
    "p_adjusted",
    "below_ceiling_p",
    "undefined",
)
MODEL_PAIR_COLUMNS = ("region", "first", "second", "difference", "se", "p", "p_adjusted")
PERSISTENCE_COLUMNS = (
    "recording",
    "region",
    "source",
    "n_units",
    "n_points",
    "n_available",
    "dimension",
    "n_bars",
    "longest",
    "second",
    "shuffled",
    "p",
    "p_adjusted",
    "universal_p",
    "n_passing",
    "n_by_gap",
    "total",
    "entropy",
    "verdict",
    "reason",
)
COMPARISON_COLUMNS = (
    "first_recording",
    "first_region",
    "second_recording",
    "second_region",
    "measure",
    "value",
    "se",
    "chance",
    "p",
    "p_adjusted",
    "reproducible",
    "mutual",
)
GRAPH_COLUMNS = ("recording", "region", "statistic", "excess", "level", "p", "p_adjusted")
BAR_COLUMNS = (
    "recording",
    "region",
    "source",
    "dimension",
    "birth",
    "death",
    "p",
    "universal_p",
)
DIAGRAM_COLUMNS = (
    "source",
    "first_recording",
    "first_region",
    "second_recording",
    "second_region",
    "bottleneck",
    "wasserstein",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PartResult:
    """Draws of one part: relabellings, or resamples."""

    name: str
    halves_accuracy: NDArray[np.float64] | None = axes("draw", "session", "level", optional=True)
    """Of sessions that can be split, in their order."""
    halves_raw: NDArray[np.float64] | None = axes("draw", "session", optional=True)
    halves_taken: NDArray[np.float64] | None = axes("draw", "compared_cell", optional=True)
    """How often halves of a region are taken for each, all regions by all of a session, of the
    sessions with two regions one after another; relabelled units."""
    separation: NDArray[np.float64] | None = axes("draw", "session", optional=True)
    course_separation: NDArray[np.float64] | None = axes(
        "draw", "session", "time_bin", optional=True
    )
    pair_separation: NDArray[np.float64] | None = axes("draw", "region_pair", optional=True)
    """Pairs of regions of all sessions, one session after another."""
    contiguous_separation: NDArray[np.float64] | None = axes("draw", "session", optional=True)
    """After contiguous regroupings; NaN for sessions without positions."""
    halves_both: NDArray[np.float64] | None = axes("draw", "region_cell", optional=True)
    """Correlations of halves, all regions by all of a session, sessions one after another; units
    and conditions resampled."""
    halves_units: NDArray[np.float64] | None = axes("draw", "region_cell", optional=True)
    halves_conditions: NDArray[np.float64] | None = axes("draw", "region_cell", optional=True)
    taken_both: NDArray[np.float64] | None = axes("draw", "region_cell", optional=True)
    """As ``halves_both``: how often halves of a region are taken for each."""
    taken_units: NDArray[np.float64] | None = axes("draw", "region_cell", optional=True)
    taken_conditions: NDArray[np.float64] | None = axes("draw", "region_cell", optional=True)
    decoding_both: NDArray[np.float64] | None = axes("draw", "population", optional=True)
    """Share of conditions that single trials tell; units and conditions resampled."""
    decoding_units: NDArray[np.float64] | None = axes("draw", "population", optional=True)
    decoding_conditions: NDArray[np.float64] | None = axes("draw", "population", optional=True)
    accuracy_null: NDArray[np.float64] | None = axes("draw", "statistic", optional=True)
    """Over subjects; relabelled regions. Unscaled and scaled dissimilarities, then all levels."""
    accuracy_both: NDArray[np.float64] | None = axes("draw", "family_statistic", optional=True)
    """Over subjects; subjects and conditions resampled."""
    accuracy_subjects: NDArray[np.float64] | None = axes("draw", "family_statistic", optional=True)
    accuracy_conditions: NDArray[np.float64] | None = axes(
        "draw", "family_statistic", optional=True
    )
    model_both: NDArray[np.float64] | None = axes("draw", "candidate", "region", optional=True)
    """Scores of models, then the lower noise ceiling."""
    model_subjects: NDArray[np.float64] | None = axes("draw", "candidate", "region", optional=True)
    model_conditions: NDArray[np.float64] | None = axes(
        "draw", "candidate", "region", optional=True
    )
    fitted_both: NDArray[np.float64] | None = axes(
        "draw", "assignment", "fitted", "region", optional=True
    )
    """Scores of fitted models, then the lower noise ceiling on the same folds."""
    fitted_subjects: NDArray[np.float64] | None = axes(
        "draw", "assignment", "fitted", "region", optional=True
    )
    fitted_conditions: NDArray[np.float64] | None = axes(
        "draw", "assignment", "fitted", "region", optional=True
    )
    longest_bars: NDArray[np.float64] | None = axes(
        "draw", "cloud", "dimension", "bar", optional=True
    )
    """Lengths in shuffles, longest first; NaN for dimensions that are not looked at."""
    betti_curves: NDArray[np.float64] | None = axes(
        "draw", "cloud", "dimension", "distance_quantile", optional=True
    )
    """Bars of shuffles that are there at quantiles of their distances; NaN as above."""
    compared: NDArray[np.float64] | None = axes(
        "population_pair", "comparison", "number", optional=True
    )
    """Value, standard error, chance and p of each measure; see ``comparison.NAMES``."""
    matched: NDArray[np.float64] | None = axes("population_pair", "share", optional=True)
    graph_shuffles: NDArray[np.float64] | None = axes(
        "draw", "graph", "graph_statistic", "graph_level", optional=True
    )
    """Curves of graphs of conditions, of populations whose dissimilarities are defined."""
    graph_resamples: NDArray[np.float64] | None = axes(
        "draw", "graph", "graph_statistic", "graph_level", optional=True
    )
    provenance: Provenance

    def __post_init__(self) -> None:
        check_axes(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HalvesResult:
    """Regions of single recordings, told from their halves of units and repeats."""

    session: NDArray[np.str_] = axes("session")
    """Recordings that could be split."""
    n_regions: NDArray[np.int64] = axes("session")
    confounded: NDArray[np.bool_] = axes("session")
    """Whether a region was recorded in a plane, or on a probe, of its own."""
    n_splits: int
    accuracy: NDArray[np.float64] = axes("session", "level")
    chance: NDArray[np.float64] = axes("session", "level")
    """Mean after relabelling of units."""
    p: NDArray[np.float64] = axes("session", "level")
    p_corrected: NDArray[np.float64] = axes("session", "level")
    """Against the largest of all levels."""
    raw_accuracy: NDArray[np.float64] = axes("session")
    raw_chance: NDArray[np.float64] = axes("session")
    raw_p: NDArray[np.float64] = axes("session")
    separation: NDArray[np.float64] = axes("session")
    """Rank correlation of dissimilarities within regions less that between regions."""
    separation_chance: NDArray[np.float64] = axes("session")
    separation_p: NDArray[np.float64] = axes("session")
    separation_low: NDArray[np.float64] = axes("session")
    """95 % interval over units and conditions of this recording; secondary to ``separation_p``."""
    separation_high: NDArray[np.float64] = axes("session")
    contiguous_chance: NDArray[np.float64] = axes("session")
    """Mean separation after contiguous regroupings; NaN where ``contiguous_missing`` says why."""
    contiguous_p: NDArray[np.float64] = axes("session")
    contiguous_missing: NDArray[np.str_] = axes("session")
    all_separation_p: float
    """Of the mean separation over sessions."""
    all_contiguous_p: float
    """The same against contiguous regroupings; NaN where a session has none."""
    all_accuracy: NDArray[np.float64] = axes("level")
    """Mean over sessions."""
    all_chance: NDArray[np.float64] = axes("level")
    all_p_corrected: NDArray[np.float64] = axes("level")
    all_regrouped: NDArray[np.float64] = axes("level", "bound")
    """5 and 95 % of regroupings of the units."""
    raw_regrouped: NDArray[np.float64] = axes("bound")
    """Of dissimilarities of unit norm."""
    accuracy_low: float
    """95 % interval, over units and conditions, of the accuracy by ranks; NaN where no resample
    differs. Of several recordings as if all erred together, which is rather too wide."""
    accuracy_high: float
    recognition: pd.DataFrame = table("halves_region", RECOGNITION_COLUMNS)
    """By ranks, one row a region of a recording. ``chance``, ``most``: mean and 95 % of
    regroupings."""
    taken: pd.DataFrame = table("halves_assigned", TAKEN_COLUMNS)
    """By ranks: how often a region's halves are taken for each of its recording."""
    gain: float
    """Accuracy at the best pair of levels less that of ranks, mean over sessions."""
    gain_p: float
    """Against the same difference after relabelling."""

    def __post_init__(self) -> None:
        check_axes(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SubjectsResult:
    """Regions over subjects, told from the other subjects."""

    subject: NDArray[np.str_] = axes("subject")
    region: NDArray[np.str_] = axes("region")
    row_subject: NDArray[np.int64] = axes("row")
    row_region: NDArray[np.int64] = axes("row")
    excluded: NDArray[np.str_] = axes("excluded")
    """Regions that only one subject has."""
    least_p: float
    """The smallest p that this number of subjects and regions allows."""
    accuracy: NDArray[np.float64] = axes("level")
    chance: NDArray[np.float64] = axes("level")
    p: NDArray[np.float64] = axes("level")
    p_corrected: NDArray[np.float64] = axes("level")
    raw_accuracy: NDArray[np.float64] = axes("raw")
    """Of dissimilarities as they are, and of unit norm."""
    raw_p: NDArray[np.float64] = axes("raw")
    confusion: NDArray[np.float64] = axes("region", "assigned")
    """At the best pair of levels: share of rows of each region assigned to each."""
    rank_confusion: NDArray[np.float64] = axes("region", "assigned")
    distance_ratio: NDArray[np.float64] = axes("row")
    """Mean distance to the same region of other subjects over that to their other regions."""
    nested_accuracy: float
    """With levels chosen without the subject that is judged."""
    family: NDArray[np.str_] = axes("family")
    """Unscaled, unit norm and ranks, then the five families of levels."""
    family_accuracy: NDArray[np.float64] = axes("family")
    family_se: NDArray[np.float64] = axes("family")
    family_p: NDArray[np.float64] = axes("family", "other_family")
    """Of the difference of two families, two-sided, from the bootstrap; adjusted."""
    accuracy_draws: NDArray[np.float64] = axes("draw", "family")
    """Subjects and conditions resampled."""
    degrees: int
    """Degrees of freedom of intervals and of ``family_p``."""

    def __post_init__(self) -> None:
        check_axes(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CoursesResult:
    """Representations along the time of the trial."""

    time_bin: NDArray[np.float64] = axes("time_bin", unit="s")
    """Middle of each bin from the start of the trial."""
    dissimilarities: NDArray[np.float64] = axes("population", "time_bin", "pair")
    reliability: NDArray[np.float64] = axes("population", "time_bin", "other_bin")
    """Rank correlation between bins of halves without common units or repeats."""
    session: NDArray[np.str_] = axes("session")
    separation: NDArray[np.float64] = axes("session", "time_bin")
    chance: NDArray[np.float64] = axes("session", "time_bin")
    p: NDArray[np.float64] = axes("session", "time_bin")
    """Of single bins, not corrected for their number."""
    stretches: pd.DataFrame = table("stretch", STRETCH_COLUMNS)
    """Bins in a row in which regions separate, with p corrected for all stretches."""
    subject: NDArray[np.str_] = axes("subject")
    """Subjects over whom courses are tested; none where they are not."""
    subject_separation: NDArray[np.float64] = axes("subject", "time_bin")
    """Separation less its chance, mean over the recordings of each."""
    subject_stretches: pd.DataFrame = table("subject_stretch", SUBJECT_STRETCH_COLUMNS)
    """Bins in a row in which it is above 0, with p corrected for all stretches."""
    subjects_missing: str
    """Why courses are not tested over subjects; empty where they are."""

    def __post_init__(self) -> None:
        check_axes(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IdentifiedCourse:
    """Regions told from the other subjects in each bin of the time of the trial, by ranks."""

    accuracy: NDArray[np.float64] = axes("time_bin")
    """Share of rows that are assigned to their region; bins are those of the courses."""
    chance: NDArray[np.float64] = axes("time_bin")
    """Mean after relabelling of regions within subjects."""
    lower: NDArray[np.float64] = axes("time_bin")
    upper: NDArray[np.float64] = axes("time_bin")
    """5 and 95 % of relabellings."""
    p: NDArray[np.float64] = axes("time_bin")
    """Of single bins, not corrected for their number; NaN with too few subjects for a test."""
    stretches: pd.DataFrame = table("identified_stretch", SUBJECT_STRETCH_COLUMNS)
    """Bins in a row in which regions are recognised, with p corrected for all stretches."""

    def __post_init__(self) -> None:
        check_axes(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GraphsResult:
    """Graphs of conditions over thresholds."""

    tests: pd.DataFrame = table("graph_test", GRAPH_COLUMNS)
    """One row a population and statistic; p corrected for all levels."""
    graph_statistic: NDArray[np.str_] = axes("graph_statistic")
    graph_level: NDArray[np.float64] = axes("graph_level")
    """Share of pairs that are joined."""
    curves: NDArray[np.float64] = axes("graph", "graph_statistic", "graph_level")
    """Of the populations of ``tests``, in their order."""
    lower: NDArray[np.float64] = axes("graph", "graph_statistic", "graph_level")
    upper: NDArray[np.float64] = axes("graph", "graph_statistic", "graph_level")
    """2.5 and 97.5 % of resamples of the units."""
    shuffles_lower: NDArray[np.float64] = axes("graph", "graph_statistic", "graph_level")
    shuffles_upper: NDArray[np.float64] = axes("graph", "graph_statistic", "graph_level")

    def __post_init__(self) -> None:
        check_axes(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrsaResult:
    """Representations of populations: dissimilarities, and what tells populations apart."""

    condition: NDArray[np.str_] = axes("condition")
    populations: pd.DataFrame = table("population", POPULATION_COLUMNS)
    """One row a region of a recording. ``rate_hz``: median over units of their mean rate in the
    response window; NaN where responses are no rates. ``decoding_equal``: with as many units as
    the smallest region of the recording has."""
    estimator: NDArray[np.str_] = axes("estimator")
    dissimilarities: NDArray[np.float64] = axes("estimator", "population", "pair")
    """Pairs row by row of the upper triangle; NaN where an estimator is not defined."""
    level_bounds: NDArray[np.float64] = axes("level", "bound")
    """Lower and upper level of the transforms."""
    similarity: NDArray[np.float64] = axes("population", "other")
    """Of the first estimator's dissimilarities, by the chosen measure. Populations recorded at
    the same time share noise; ``region_pairs`` has what does not."""
    p_raw: NDArray[np.float64] = axes("population", "other")
    """Of the rank correlation behind each similarity, by shuffles of conditions (shifts, where they
    have an order); NaN within a recording, where ``relation_missing`` says why there is none, and
    for dissimilarities that are not known."""
    p_adjusted: NDArray[np.float64] = axes("population", "other")
    """``p_raw`` adjusted for the number of pairs of populations."""
    halves: HalvesResult | None
    halves_missing: str
    """Why there are no halves; empty where there are."""
    region_pairs: pd.DataFrame = table("region_pair", PAIR_COLUMNS)
    relation_missing: str
    """Why relations have no p; empty where they have."""
    courses: CoursesResult | None
    """None where no time bins were asked for."""
    subjects: SubjectsResult | None
    subjects_missing: str
    subjects_course: IdentifiedCourse | None
    """None without time bins or without subjects to be compared."""
    model: NDArray[np.str_] = axes("model")
    model_dissimilarities: NDArray[np.float64] = axes("model", "pair")
    model_scores: pd.DataFrame = table("model_score", MODEL_COLUMNS)
    """``undefined``: share of the folds of a fitted model that have no score and do not count."""
    model_pairs: pd.DataFrame = table("model_pair", MODEL_PAIR_COLUMNS)
    """Score of the first model less that of the second, with two-sided p; fixed models."""
    model_weights: pd.DataFrame = table("model_weight", WEIGHT_COLUMNS)
    """Of fitted models, from all data; candidates scaled to unit spread, summing to 1."""
    fitted_missing: str
    """Why no model is fitted; empty where one is."""
    noise_ceiling: pd.DataFrame = table("ceiling_region", ("region", "lower", "upper", "n_rows"))
    model_missing: str
    """Why scores of models have no p; empty where they have."""
    comparisons: pd.DataFrame = table("comparison_row", COMPARISON_COLUMNS)
    """Likeness of shape, dependence and matched units: one row a pair and measure."""
    comparisons_missing: str
    """Why populations are not compared two by two; empty where they are."""
    comparisons_no_p: str
    """Why these have no p; empty where they have."""
    graphs: GraphsResult | None
    """None where no graphs were drawn."""
    dimensions: pd.DataFrame = table("dimension_row", DIMENSION_COLUMNS)
    """Over how many dimensions conditions spread, one row a population."""
    persistence: pd.DataFrame = table("persistence_row", PERSISTENCE_COLUMNS)
    """Holes: one row a cloud (conditions or states of a population) and dimension (0 parts, 1
    loops, 2 voids). ``shuffled``: 95 % of shuffles have no longer bar."""
    persistence_bars: pd.DataFrame = table("persistence_bar", BAR_COLUMNS)
    persistence_lengths: NDArray[np.float64] = axes("persistence_row", "longest_bar")
    persistence_null: NDArray[np.float64] = axes("persistence_row", "longest_bar", "quantile")
    """5, 50 and 95 % of the lengths of the longest, second, ... bar of shuffles."""
    persistence_betti: NDArray[np.int64] = axes("persistence_row", "distance_quantile")
    """Holes there at quantiles of the distances (``topology.BETTI_LEVELS``)."""
    persistence_betti_null: NDArray[np.float64] = axes(
        "persistence_row", "distance_quantile", "quantile"
    )
    """5, 50 and 95 % of those of shuffles, level by level."""
    persistence_distances: pd.DataFrame = table("persistence_pair", DIAGRAM_COLUMNS)
    """Bottleneck and Wasserstein distances of the loops of two clouds."""
    persistence_missing: str
    """Why no holes were looked for; empty where they were."""
    left_out: pd.DataFrame = table("left_out", ("what", "count", "reason"))
    condition_order: str
    fixed_order: bool
    gapless: bool
    n_permutations: int
    n_bootstraps: int
    provenance: Provenance

    def __post_init__(self) -> None:
        check_axes(self)


Result = TrsaResult
"""The method's result, by the name all methods use."""
