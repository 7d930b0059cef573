"""Settings of the topology of representations, and which parts of it can run apart."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.core.method import MethodConfig, Part, SettingsBlock

EstimatorName = Literal[
    "crossnobis",
    "mahalanobis2",
    "euclidean2",
    "euclidean",
    "cosine",
    "correlation",
    "poisson_kl",
    "poisson_kl_cv",
]

Choice = Literal["far", "dense"]

COMPARISON_PARTS = 6
"""Parts over which pairs of populations go round, since plans follow from settings alone: 300 pairs
of 300 units each in 80 conditions take an hour. With all other parts of the defaults they fit
into one job (``run.parts_per_job``)."""


class HomologyConfig(SettingsBlock):
    """Holes of each population's conditions and states (persistent homology)."""

    n_shuffles: int = Field(
        default=199,
        description=(
            "Shuffles of each unit by itself that bars are compared with, 0 to 99999; 0 looks for "
            "no holes. 200 states take 4 s a population on one thread without voids, 3 minutes "
            "with them."
        ),
        ge=0,
        le=99_999,
    )
    scale: Literal["rank", "median"] = Field(
        default="rank",
        description=(
            "What bars of conditions are measured in: 'rank's of dissimilarities, which do not "
            "take cells of a lattice for loops, or multiples of their 'median'."
        ),
    )
    states: Literal["auto", "trials", "bins", "none"] = Field(
        default="auto",
        description=(
            "What a state is: the responses of a 'trials' entry, or of a bin of its time ('bins', "
            "where prepare.patterns.time_bin_s is set); 'auto' takes bins where trials are fewer "
            "than 200."
        ),
    )
    choice: Choice = Field(
        default="far",
        description=(
            "Which states are kept, and how far apart they are: those 'far' from each other, by "
            "their distance; or those in 'dense' places, by the neighbours that they share, which "
            "finds rings and tori through more noise (the published recipe, but for neighbours: "
            "half of the states kept, not two thirds)."
        ),
    )
    max_states: int = Field(
        default=200,
        description=(
            "States that are kept, 10 to 2000; no ring or torus is named from fewer than 200. "
            "Published: 1200."
        ),
        ge=10,
        le=2000,
    )
    axes: int = Field(
        default=6,
        description="Principal axes that states are reduced to, 2 to 100. Published: 6.",
        ge=2,
        le=100,
    )
    voids: Literal["auto", "always", "never"] = Field(
        default="auto",
        description=(
            "Whether voids are looked for, without which no shape is named: 'auto' does up to 60 "
            "points. Time grows with the fourth power of their number."
        ),
    )
    draws_per_part: int = Field(
        default=50,
        description="Shuffles in one part of the fit, 1 to 10000.",
        ge=1,
        le=10_000,
    )


class TrsaConfig(MethodConfig):
    """Settings of the topology of representations."""

    estimators: list[EstimatorName] = Field(
        default=["crossnobis", "correlation"],
        description=(
            "Dissimilarities of conditions; all are stored and shown, the first is compared and "
            "tested. 'crossnobis' is cross-validated over repeats: 0 on average where two "
            "conditions are answered alike. Paper: Euclidean distance, correlation distance."
        ),
        min_length=1,
        max_length=8,
    )
    noise: Literal["shrink_diag", "diag", "shrink_eye", "full", "none"] = Field(
        default="shrink_diag",
        description=(
            "Noise covariance by which 'crossnobis' and 'mahalanobis2' are whitened; "
            "'shrink_diag' shrinks correlations of units by as much as the data ask for."
        ),
    )
    scale: Literal["rank", "quantile", "fraction"] = Field(
        default="rank",
        description=(
            "What levels of the transform are measured in: quantiles of 'rank's (the published "
            "form), 'quantile's of dissimilarities, or a 'fraction' of the largest one."
        ),
    )
    level_step: float = Field(
        default=0.1,
        description="Step of the map over lower and upper levels, 0.02 to 0.5. Paper: 0.05.",
        ge=0.02,
        le=0.5,
    )
    min_units: int = Field(
        default=6,
        description=(
            "Least number of units of a region that is used. Tests within a recording need 12."
        ),
        ge=2,
        le=10_000,
    )
    conditions: Literal["shared", "strict"] = Field(
        default="shared",
        description=(
            "Conditions that are not in all recordings: 'shared' does without them, 'strict' is a "
            "failure."
        ),
    )
    condition_order: Literal["auto", "none", "linear", "circular"] = Field(
        default="auto",
        description=(
            "Whether neighbouring conditions are alike by nature: 'linear' (seconds of a movie), "
            "'circular' (directions) or 'none'. Decides which shuffles of conditions are a fair "
            "null. 'auto' is 'linear' where conditions always came in the same order."
        ),
    )
    distinct_neurons: bool = Field(
        default=False,
        description=(
            "Whether recordings without subjects of their own hold different neurons, so that "
            "they may stand for subjects; claims are then over sessions."
        ),
    )
    n_splits: int = Field(
        default=50,
        description="Random halves of units and repeats within a recording, 2 to 1000.",
        ge=2,
        le=1000,
    )
    n_permutations: int = Field(
        default=999,
        description=(
            "Relabellings of units, regions and conditions for p values, 19 to 99999. Paper: none."
        ),
        ge=19,
        le=99_999,
    )
    n_bootstraps: int = Field(
        default=1000,
        description="Resamples of subjects and conditions, 20 to 100000. Paper: 1000.",
        ge=20,
        le=100_000,
    )
    draws_per_part: int = Field(
        default=250,
        description="Relabellings or resamples in one part of the fit, 1 to 10000.",
        ge=1,
        le=10_000,
    )
    pairs_per_family: int = Field(
        default=10,
        description="Random pairs of levels that stand for a family, 1 to 100. Paper: 10.",
        ge=1,
        le=100,
    )
    measure: Literal[
        "rho_a",
        "tau_a",
        "spearman",
        "tau_b",
        "corr",
        "cosine",
        "whitened_cosine",
        "whitened_corr",
        "bures",
    ] = Field(
        default="rho_a",
        description=(
            "How dissimilarities of regions and models are compared; 'rho_a' is the rank "
            "correlation that is fair to ties, 'tau_a' Kendall's, 'bures' the cosine of the angle "
            "of clouds of conditions after the best turn (0 to 1, above 0 by chance), for squared "
            "distances. 'tau_a', 'tau_b' and 'bures' take longer."
        ),
    )
    models: Literal["auto", "none"] | list[Annotated[str, Field(min_length=1)]] = Field(
        default="auto",
        description=(
            "Model dissimilarities: names of columns of the trials (numbers: their difference; "
            "text: same or not; 'NAME:circular' for degrees around a circle, 'NAME:same' for "
            "numbers that are labels), 'pixels' of the frames shown, and 'region:NAME' for what "
            "that region has in the other subjects. 'auto' takes all but regions."
        ),
    )
    model_tables: list[Annotated[str, Field(min_length=1)]] = Field(
        default=[],
        description=(
            "CSV or TSV files with more models: a symmetric matrix with names of conditions in the "
            "first column and in the header, or one line a condition with columns of features "
            "(numbers: their mean squared difference; words: same or not), or lines of condition, "
            "feature and value. A relative path starts at this settings file."
        ),
    )
    fitted_models: list[Literal["weighted", "interpolated"]] = Field(
        default=[],
        description=(
            "Models that are fitted to each region: 'weighted' is the best sum of all models with "
            "weights of at least 0, 'interpolated' the best mixture of two that follow each other. "
            "They are scored on conditions and subjects that did not fit them; needs 12 conditions."
        ),
    )
    legacy: bool = Field(
        default=False,
        description=(
            "Whether numbers are those of the published code, to be held beside them: noise with "
            "the degrees of freedom of rsatoolbox, a bootstrap of rows (subject and region) in "
            "place of subjects, families compared by mean over standard deviation, uncorrected. "
            "No basis for claims, and the report says so."
        ),
    )
    correction: Literal["bh", "holm", "bonferroni", "none"] = Field(
        default="bh",
        description="Adjustment of p values for the number of pairs of regions, or of models.",
    )

    n_comparisons: int = Field(
        default=199,
        description=(
            "Shuffles of conditions for likeness of shape, dependence and matching of units of "
            "every two populations, 0 to 99999; 0 does without these comparisons."
        ),
        ge=0,
        le=99_999,
    )
    n_graphs: int = Field(
        default=199,
        description=(
            "Shuffles, and resamples of the units, for graphs of conditions over thresholds, 0 to "
            "99999; 0 draws no graphs."
        ),
        ge=0,
        le=99_999,
    )
    homology: HomologyConfig = HomologyConfig()
    """Holes of each population's conditions and states (persistent homology)."""

    @model_validator(mode="after")
    def _each_estimator_once(self) -> Self:
        if len(set(self.estimators)) < len(self.estimators):
            raise ValueError("an estimator stands twice in 'estimators'")
        return self

    @model_validator(mode="after")
    def _legacy_noise(self) -> Self:
        if self.legacy and self.noise in ("shrink_eye", "full"):
            raise ValueError(
                f"noise '{self.noise}' has no legacy form; take 'shrink_diag' or 'diag'"
            )
        return self

    @model_validator(mode="after")
    def _each_table_and_fit_once(self) -> Self:
        for name in ("model_tables", "fitted_models"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise ValueError(f"an entry stands twice in '{name}'")
        return self

    def tables(self) -> tuple[str, ...]:
        """Tables of models."""
        return tuple(self.model_tables)

    def plan(self) -> tuple[Part, ...]:
        """Chunks of relabellings, of resamples, and of shuffles for holes."""
        holes = self.homology
        return (
            *_chunks("permutation", self.n_permutations, self.draws_per_part),
            *_chunks("bootstrap", self.n_bootstraps, self.draws_per_part),
            *_chunks("homology", holes.n_shuffles, holes.draws_per_part),
            *_chunks("graphs", self.n_graphs, self.draws_per_part),
            # Some pairs each: the shuffles of a pair are held against each other.
            *_chunks("comparison", COMPARISON_PARTS if self.n_comparisons else 0, 1),
        )


def _chunks(kind: str, total: int, size: int) -> list[Part]:
    return [Part(f"{kind}-{index:03d}") for index in range(-(-total // size))]
