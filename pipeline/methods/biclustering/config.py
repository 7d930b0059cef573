"""Settings of the bi-clustering of units and states.

Where a description says "paper", it is the published code's value; other defaults are ours.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.core.method import MethodConfig, Part, SettingsBlock

CHAIN = "chain"
"""What names of parts that sample all of the data begin with."""

MASKS = ("speckled", "blocked")
VARIANTS = ("model", "other-counts", "one-cluster", "one-state")
"""Ways to hold counts out, and models that are fitted to the rest of them."""


class PriorConfig(SettingsBlock):
    """Priors of the model."""

    n_factors: int = Field(
        default=2,
        description=(
            "Factors of each cluster's trajectory beside its common log rate, 0 to 8. Paper: 2."
        ),
        ge=0,
        le=8,
    )
    baseline: Literal["empirical", "zero"] = Field(
        default="empirical",
        description=(
            "Prior mean of a unit's log count: the log of its mean count ('empirical'), or 'zero'. "
            "Paper: zero, which is far from the counts of lively and of quiet units."
        ),
    )
    baseline_sd: float = Field(
        default=1.0, description="Prior spread of baselines. Paper: 1.", gt=0, le=100
    )
    loading_sd: float = Field(
        default=1.0, description="Prior spread of loadings on factors. Paper: 1.", gt=0, le=100
    )
    gain_sd: float = Field(
        default=1.0,
        description=(
            "Prior spread of units' gains on behaviour, in log rate for one standard deviation of "
            "a series. Paper: none."
        ),
        gt=0,
        le=100,
    )
    dispersion_shape: float = Field(
        default=1.0,
        description="Shape of the gamma prior of each unit's dispersion. Paper: 1.",
        gt=0,
        le=1000,
    )
    dispersion_rate: float = Field(
        default=1.0,
        description=(
            "Rate of the gamma prior of each unit's dispersion; a smaller one allows counts nearer "
            "to Poisson. Paper: 1."
        ),
        gt=0,
        le=1000,
    )
    noise_scale: float = Field(
        default=0.01,
        description=(
            "Prior variance of a trajectory's innovations in one bin. Paper: 0.01, in its bins."
        ),
        gt=0,
        le=100,
    )
    dynamics_precision: float = Field(
        default=1.0,
        description=(
            "Prior precision of transitions around staying where one is, relative to innovations. "
            "Paper: 1."
        ),
        gt=0,
        le=1e6,
    )
    cluster_weight: float = Field(
        default=1.0,
        description="Dirichlet weight of each cluster; small ones allow unequal sizes. Paper: 1.",
        gt=0,
        le=100,
    )
    cluster_decay: float = Field(
        default=0.2,
        description=(
            "Of the geometric prior on the number of clusters, whose mean is the inverse. Paper: "
            "0.2 in simulations, 0.415 for the recording."
        ),
        gt=0,
        lt=1,
    )
    n_states: int = Field(
        default=10,
        description="Largest number of states, 1 to 50. Paper: 10 or 20.",
        ge=1,
        le=50,
    )
    state_concentration: float = Field(
        default=5.0,
        description="Prior mean of how alike states' successors are. Paper: 5, fixed.",
        gt=0,
        le=1000,
    )
    weight_concentration: float = Field(
        default=5.0,
        description="Prior mean of the concentration of states' weights. Paper: 5, fixed.",
        gt=0,
        le=1000,
    )
    dwell_s: float = Field(
        default=25.0,
        description=(
            "Expected length of a visit to a state in seconds; twice that in bins is the prior "
            "mean of the extra weight of staying. Paper: a weight of 10, as for 2.5 s here."
        ),
        gt=0,
        le=3600,
    )
    learn_concentrations: bool = Field(
        default=True,
        description=(
            "Whether the three weights of the states are sampled (gamma priors of shape 4 around "
            "the means above) or held there. Paper: held."
        ),
    )


class BiclusteringConfig(MethodConfig):
    """Settings of the bi-clustering of units and states."""

    family: Literal["negative_binomial", "poisson"] = Field(
        default="negative_binomial",
        description=(
            "Distribution of counts around their mean; the other one is fitted too, and held-out "
            "counts say which is better. Paper: both."
        ),
    )
    coupling: Literal["block", "full"] = Field(
        default="block",
        description=(
            "Whether clusters' trajectories may drive each other within a state ('full') or not "
            "('block'). Paper: full; its simulations have no such drive."
        ),
    )
    kernel: Literal["laplace", "polya_gamma"] = Field(
        default="laplace",
        description=(
            "How trajectories and loadings are drawn: proposed around their mode and accepted by "
            "the exact ratio ('laplace'), or by Pólya-Gamma variables ('polya_gamma', for "
            "negative-binomial counts; Poisson counts are drawn the first way). The posterior is "
            "the same. Paper: Pólya-Gamma."
        ),
    )
    stimulus: Literal["none", "psth"] = Field(
        default="none",
        description=(
            "What is known of the mean counts beforehand: nothing, or each unit's mean response to "
            "a trial's condition in the other trials ('psth'), so that states are not just the "
            "stimulus. Paper: nothing."
        ),
    )
    behaviour: list[str] = Field(
        default=[],
        description=(
            "Series in the recordings' files that each unit may follow with a gain of its own, "
            "such as [running_speed]: clusters and states are of what is left. 'NAME[0]' is one "
            "channel of several. Gains are sampled with all else. Paper: none."
        ),
    )
    min_spikes: int = Field(
        default=10,
        description=(
            "Units with fewer spikes in all bins take no part and get no cluster, 1 to 1000000. "
            "Paper: a mean of 1 Hz or more."
        ),
        ge=1,
        le=1_000_000,
    )
    max_counts: int = Field(
        default=10_000_000,
        description=(
            "Largest number of counts (units times bins) that is sampled, 1 to 10^9; a recording "
            "with more is not, and the report says so. Time and memory grow in proportion."
        ),
        ge=1,
        le=1_000_000_000,
    )
    n_chains: int = Field(
        default=4,
        description=(
            "Chains from different starts, 1 to 99; their agreement is what makes a result "
            "believable. Paper: 1."
        ),
        ge=1,
        le=99,
    )
    preset: Literal["quick", "standard", "thorough"] = Field(
        default="standard",
        description=(
            "Sweeps of a chain before and while draws are kept: 'quick' 150 and 150, 'standard' "
            "2000 and 2000, 'thorough' 10000 and 10000; fewer for chains that only check "
            "predictions. Paper: 10000 in all."
        ),
    )
    n_tune: Literal["preset"] | Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        default="preset",
        description="Sweeps before the first draw that is kept, 0 to 1000000, or the preset's.",
    )
    n_draws: Literal["preset"] | Annotated[int, Field(ge=4, le=1_000_000)] = Field(
        default="preset",
        description="Draws of a chain that are kept, 4 to 1000000, or the preset's.",
    )
    thin: int = Field(
        default=1, description="Sweeps for one draw that is kept, 1 to 1000.", ge=1, le=1000
    )
    n_trajectories: int = Field(
        default=200,
        description="Draws of a chain of which trajectories and dynamics are kept, 2 to 10000.",
        ge=2,
        le=10_000,
    )
    held_out: Literal["both", "speckled", "none"] = Field(
        default="both",
        description=(
            "Counts that are hidden from further fits and then predicted: single ones here and "
            "there ('speckled'), those and stretches of some units ('both'), or 'none', in which "
            "case the report cannot say whether clusters are supported. Paper: none."
        ),
    )
    held_out_share: float = Field(
        default=0.1,
        description="Share of the counts that is hidden, 0.01 to 0.5.",
        ge=0.01,
        le=0.5,
    )
    block_s: float = Field(
        default=10.0,
        description="Length of the hidden stretches in seconds, above 0 to 3600.",
        gt=0,
        le=3600,
    )
    n_shifts: int = Field(
        default=999,
        description=(
            "Shifts in time with which agreement of states with epochs and conditions is compared, "
            "99 to 99999. Paper: none."
        ),
        ge=99,
        le=99_999,
    )
    prior: PriorConfig = Field(default_factory=PriorConfig, description="Priors of the model.")

    def plan(self) -> tuple[Part, ...]:
        """One part a chain, and one a model that is to predict hidden counts."""
        masks = {"both": MASKS, "speckled": MASKS[:1], "none": ()}[self.held_out]
        return (
            *(Part(f"{CHAIN}-{index:02d}") for index in range(self.n_chains)),
            *(Part(f"{mask}-{variant}") for mask in masks for variant in VARIANTS),
        )
