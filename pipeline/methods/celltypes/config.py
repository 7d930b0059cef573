"""Settings of the functional cell types.

Where a description names the published value, it is that of the code released with the paper.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from pipeline.core.method import MethodConfig, Part, SettingsBlock
from pipeline.methods.celltypes.encoding.config import EncodingConfig


class StimulusConfig(SettingsBlock):
    """What discriminative stimuli may be like."""

    frames: Literal["auto"] | Annotated[int, Field(ge=1, le=1000)] = Field(
        default="auto",
        description=(
            "Length of a stimulus in frames, 1 to 1000; 'auto' is the model's memory and the "
            "frames over which answers are averaged. Published: 40."
        ),
    )
    norm_share: float = Field(
        default=0.6,
        description=(
            "Norm of a stimulus as a share of that of a stretch of the training stimulus of the "
            "same length, above 0 to 10."
        ),
        gt=0,
        le=10,
    )
    clip: bool = Field(
        default=True,
        description=(
            "Whether pixels stay within the range of the training stimulus (percentiles 0.5 and "
            "99.5 of each channel), so that every stimulus can be shown."
        ),
    )
    lowpass_sigma: float = Field(
        default=0.5,
        description="Width in frames of the temporal low-pass, 0 (none) to 10. Published: 0.5.",
        ge=0,
        le=10,
    )
    window: bool = Field(
        default=False,
        description="Whether stimuli fade out beyond the largest receptive field.",
    )
    smoothness: float = Field(
        default=0.0,
        description="Weight of the penalty on the squared spatial Laplacian, 0 to 1e6.",
        ge=0,
        le=1e6,
    )
    variation: float = Field(
        default=0.0,
        description="Weight of the penalty on differences of neighbouring pixels, 0 to 1e6.",
        ge=0,
        le=1e6,
    )
    gradient_blur: float = Field(
        default=0.0,
        description="Width in pixels by which gradients are smoothed, 0 (not) to 10.",
        ge=0,
        le=10,
    )


class AscentConfig(SettingsBlock):
    """How stimuli are optimised."""

    optimizer: Literal["normalised", "sgd"] = Field(
        default="normalised",
        description=(
            "What a step is: 'normalised', a share of the norm along the gradient, or 'sgd', the "
            "gradient times a rate, as published."
        ),
    )
    rate: float = Field(
        default=0.08,
        description=(
            "Size of a step, above 0 to 1e6: a share of the norm, or for 'sgd' what the gradient "
            "is multiplied by (published: 100)."
        ),
        gt=0,
        le=1e6,
    )
    steps: int = Field(
        default=15,
        description="Steps of all stimuli before units are assigned anew, 1 to 10000.",
        ge=1,
        le=10_000,
    )
    polish_steps: int = Field(
        default=150,
        description="Steps of the final stimuli, 1 to 100000.",
        ge=1,
        le=100_000,
    )
    compare_steps: int = Field(
        default=60,
        description="Steps before objectives or pairs of clusters are compared, 1 to 10000.",
        ge=1,
        le=10_000,
    )
    smoothing: float = Field(
        default=0.9,
        description="Weight of the past in the smoothed objective that ends a climb, 0 to 0.999.",
        ge=0,
        le=0.999,
    )
    tolerance: float = Field(
        default=1e-4,
        description="A stimulus is finished when ten steps raise its objective by less, 0 to 1.",
        ge=0,
        le=1,
    )


class LoopConfig(SettingsBlock):
    """How stimuli and labels alternate."""

    temperature: float = Field(
        default=1.6,
        description="Temperature of the objective, above 0 to 1000. Published: 1.6.",
        gt=0,
        le=1000,
    )
    normalise: bool = Field(
        default=True,
        description=(
            "Whether each unit's answers are scaled by the mean and spread of its answers to the "
            "training stimulus. Published: not."
        ),
    )
    floor: float = Field(
        default=0.1,
        description="Least spread for that, as a share of the median unit's, above 0 to 1.",
        gt=0,
        le=1,
    )
    max_iterations: int = Field(
        default=50, description="Most rounds of stimuli and labels, 1 to 1000.", ge=1, le=1000
    )
    balanced: bool = Field(
        default=False,
        description=(
            "Whether the median answer to a stimulus is subtracted before units are assigned, "
            "against one strong stimulus that attracts all."
        ),
    )
    holdout: float = Field(
        default=0.2,
        description=(
            "Share of units that do not shape stimuli and judge splits and restarts, 0 to 0.5."
        ),
        ge=0,
        le=0.5,
    )
    start: Literal["k_means", "random"] = Field(
        default="k_means",
        description=(
            "Labels to start from: k-means on the answers of centred units to the training "
            "stimulus, or chance (as published)."
        ),
    )
    start_clusters: list[Annotated[int, Field(ge=1, le=200)]] = Field(
        default=[5, 30],
        description="Numbers of clusters to start from, 1 to 200; restarts take them in turn.",
        min_length=1,
        max_length=20,
    )


class SplitConfig(SettingsBlock):
    """How the number of types is found."""

    enabled: bool = Field(default=True, description="Whether clusters are split and merged at all.")
    max_clusters: int = Field(default=50, description="Most clusters, 1 to 500.", ge=1, le=500)
    min_cells: Literal["auto"] | Annotated[int, Field(ge=1, le=1000)] = Field(
        default="auto",
        description="Fewest units of a type, 1 to 1000; 'auto' is 3, or 0.5 % of all units.",
    )
    min_pair_fraction: float = Field(
        default=0.7,
        description=(
            "How far the two parts of a cluster must be told apart by their stimuli to be split, "
            "0 (not at all) to 1 (fully), by two standard errors."
        ),
        ge=0,
        le=1,
    )
    merge_pair_fraction: float = Field(
        default=0.7,
        description=(
            "Pairs of clusters that are not told apart by as much, by two standard errors, are "
            "merged unless the merged cluster would be split again, 0 to 1."
        ),
        ge=0,
        le=1,
    )
    null_from: Literal["never"] | Annotated[int, Field(ge=4, le=100_000)] = Field(
        default=40,
        description=(
            "Units of a cluster, 4 to 100000, from which a split must also beat splits of single "
            "Gaussian populations with its mean and covariance; or 'never'."
        ),
    )
    temperature: Literal["auto"] | Annotated[float, Field(gt=0, le=1000)] = Field(
        default="auto",
        description=(
            "Scale on which differences count, above 0 to 1000; 'auto' is a sixth of the answer "
            "to the most exciting stimuli."
        ),
    )
    passes: int = Field(
        default=10, description="Most rounds of merges and splits, 1 to 100.", ge=1, le=100
    )


class FoldsConfig(SettingsBlock):
    """Types of units that had no part in any choice.

    The units that clusterings hold out judge splits, merges and restarts, so numbers of them are
    too good. Outer folds leave a share of the units out of everything but the encoding model, in
    turn.
    """

    number: Annotated[int, Field(ge=0, le=20)] = Field(
        default=5,
        description=(
            "Folds into which units are cut, 2 to 20, or 0 for none. Each is a job with restarts, "
            "splits and merges of its own."
        ),
    )
    least_units: int = Field(
        default=100,
        description="Units below which there are no folds, 10 to 1000000.",
        ge=10,
        le=1_000_000,
    )
    n_restarts: int = Field(
        default=2, description="Restarts of the clustering in each fold, 1 to 100.", ge=1, le=100
    )
    scan: int = Field(
        default=3,
        description=(
            "Numbers of types on either side of that found, 0 (none) to 20, whose objective in "
            "units that were left out is shown with the agreement of folds."
        ),
        ge=0,
        le=20,
    )

    @field_validator("number")
    @classmethod
    def _one_fold_leaves_nothing(cls, number: int) -> int:
        if number == 1:
            raise ValueError("one fold would leave no unit to find types in; 0 is none")
        return number


class DiscreteConfig(SettingsBlock):
    """Types from stimuli that were shown, without a model."""

    n_restarts: int = Field(
        default=200,
        description="Random starts for each number of types, 1 to 10000.",
        ge=1,
        le=10_000,
    )
    max_types: int = Field(
        default=12, description="Most types that are tried, 2 to 100.", ge=2, le=100
    )
    distinct: bool = Field(default=True, description="Whether types have different stimuli.")
    window_s: float = Field(
        default=0.3,
        description=(
            "Length in seconds of the pieces of a movie that count as stimuli, 0.05 to 10."
        ),
        ge=0.05,
        le=10,
    )
    tolerance: float = Field(
        default=0.05,
        description=(
            "The fewest types are taken whose information about labels in the other half of the "
            "trials is within this of the most, in nats, 0 to 1."
        ),
        ge=0,
        le=1,
    )


class CelltypesConfig(MethodConfig):
    """Settings of the functional cell types."""

    mode: Literal["auto", "model", "discrete"] = Field(
        default="auto",
        description=(
            "Where stimuli come from: 'model' optimises them through an encoding model, 'discrete' "
            "chooses among those that were shown; 'auto' takes a model where there are frames."
        ),
    )
    n_types: Literal["auto"] | Annotated[int, Field(ge=1, le=200)] = Field(
        default="auto",
        description="Number of types, 1 to 200, or 'auto' to find it by splits and merges.",
    )
    n_models: int = Field(
        default=2,
        description=(
            "Encoding models that are fitted independently, 1 to 5; types come from the first, "
            "the others say how far the types depend on the model."
        ),
        ge=1,
        le=5,
    )
    n_restarts: int = Field(
        default=5, description="Restarts of the clustering, 1 to 100.", ge=1, le=100
    )
    n_nulls: int = Field(
        default=3,
        description=(
            "Surrogate populations without types (one Gaussian with the units' mean and "
            "covariance) that go through the clustering, 0 to 100."
        ),
        ge=0,
        le=100,
    )
    n_permutations: int = Field(
        default=20,
        description="Permutations of the labels that the objective is compared with, 0 to 1000.",
        ge=0,
        le=1000,
    )
    least_correlation: float = Field(
        default=0.1,
        description=(
            "Median correlation of a model with the validation frames below which it serves no "
            "types, 0 to 1."
        ),
        ge=0,
        le=1,
    )
    baselines: bool = Field(
        default=True, description="Whether other clusterings of the same units are shown beside."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto",
        description=(
            "Where models and stimuli are computed; 'auto' takes a graphics card if any, and "
            "'cuda' ends the run where there is none."
        ),
    )
    encoding: EncodingConfig = Field(
        default_factory=EncodingConfig, description="The encoding model."
    )
    stimulus: StimulusConfig = Field(
        default_factory=StimulusConfig, description="What discriminative stimuli may be like."
    )
    ascent: AscentConfig = Field(
        default_factory=AscentConfig, description="How stimuli are optimised."
    )
    loop: LoopConfig = Field(
        default_factory=LoopConfig, description="How stimuli and labels alternate."
    )
    split: SplitConfig = Field(
        default_factory=SplitConfig, description="How the number of types is found."
    )
    folds: FoldsConfig = Field(
        default_factory=FoldsConfig,
        description="Types of units that had no part in any choice.",
    )
    discrete: DiscreteConfig = Field(
        default_factory=DiscreteConfig,
        description="Types from stimuli that were shown, without a model.",
    )

    @model_validator(mode="after")
    def _merging_agrees_with_splitting(self) -> Self:
        if self.split.merge_pair_fraction > self.split.min_pair_fraction:
            raise ValueError("'merge_pair_fraction' must not be above 'min_pair_fraction'")
        return self

    def plan(self) -> tuple[Part, ...]:
        """All parts of all rounds."""
        return tuple(part for parts in self.rounds() for part in parts)

    def rounds(self) -> tuple[tuple[Part, ...], ...]:
        """Models first, then clusterings of what they answer."""
        models = tuple(Part(f"{MODEL}-{index}") for index in range(self.n_models))
        clusterings = (
            *(Part(f"{RESTART}-{index:02d}") for index in range(self.n_restarts)),
            *(Part(f"{TWIN}-{index}") for index in range(1, self.n_models)),
            *(Part(f"{NULL}-{index:02d}") for index in range(self.n_nulls)),
            *(Part(f"{FOLD}-{index:02d}") for index in range(self.folds.number)),
        )
        return models, clusterings


MODEL, RESTART, TWIN, NULL, FOLD = "model", "restart", "twin", "null", "fold"
"""First words of the names of parts."""
MOST_EPOCHS_OF_A_HALF = 30
"""Passes of a model over half of the frames at most; fits mostly end sooner by themselves."""
