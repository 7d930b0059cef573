"""Settings of the dynamic functional connectome.

The paper names neither rank, smoothing, restarts nor a formula for the affinity; where a
description says "paper: not stated", the default is ours.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.core.method import MethodConfig, Part

OF_UNITS = ("geometric", "geometric_same_sign", "split_sign")
"""Affinities that follow from products of what single units do."""

WORM = "celegans"
"""Name of the connections that a package brings."""

LARGEST_CANDIDATE = 12
"""Most components that are tried unless the settings say which."""


class ConnectomeConfig(MethodConfig):
    """Settings of the dynamic functional connectome."""

    rank: Literal["auto"] | Annotated[int, Field(ge=1, le=60)] = Field(
        default="auto",
        description=(
            "Number of components, 1 to 60, or 'auto' for the one that the candidates' criteria "
            "speak for. Paper: not stated."
        ),
    )
    ranks: Literal["auto"] | list[Annotated[int, Field(ge=1, le=60)]] = Field(
        default="auto",
        description=(
            "Candidate numbers of components whose criteria are shown, each 1 to 60; 'auto' is 1 "
            f"to {LARGEST_CANDIDATE} where 'rank' is 'auto', and none where it is set. Paper: "
            "none."
        ),
    )
    n_rank_runs: int = Field(
        default=5,
        description=(
            "Runs of each candidate, 2 to 99: each fits the data from another start, predicts "
            "other held-out blocks, and fits another surrogate. Paper: none."
        ),
        ge=2,
        le=99,
    )
    n_restarts: int = Field(
        default=6,
        description=(
            "Fits of the data, each from starts of its own, 1 to 99; the one with the lowest error "
            "is the result and the others show how stable the optimiser is. Paper: not stated."
        ),
        ge=1,
        le=99,
    )
    n_surrogates: int = Field(
        default=199,
        description=(
            "Surrogate data sets (each unit's activity shifted in time by itself), 0 to 999. Fewer "
            "than 199 are a first look: the report then gives no verdict on chance. Paper: none."
        ),
        ge=0,
        le=999,
    )
    affinity: (
        Literal["geometric", "geometric_same_sign", "minimum", "ratio", "interval", "split_sign"]
        | Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
    ) = Field(
        default="geometric",
        description=(
            "Affinity of two units at one time. 'geometric' is the square root of the product of "
            "their speeds, whatever the signs; 'geometric_same_sign' counts it only while both "
            "rise or both fall; 'split_sign' fits same and opposite changes side by side; "
            "'minimum' is the smaller speed; 'ratio' is 'geometric' times the smaller speed over "
            "the larger; 'interval' is the likeness of both speeds on each run (of half a second "
            "or more) in which neither turns. Or a function of your own, 'module:function', of "
            "speeds and signs (frame, unit) of consecutive frames, which returns values of at "
            "least 0 (frame, pair) in the order of numpy.triu_indices; code that is named here is "
            "run. Paper: prose only, no formula; 'interval' is nearest to it."
        ),
    )
    sigma_s: float = Field(
        default=0.75,
        description="Width of the smoothing derivative filter in seconds. Paper: not stated.",
        gt=0,
        le=60,
    )
    max_gap_s: float = Field(
        default=1.0,
        description="Longest run of missing samples to bridge by a straight line, in seconds.",
        ge=0,
        le=60,
    )
    theta: Literal["noise"] | Annotated[float, Field(ge=0, le=0.95)] = Field(
        default="noise",
        description=(
            "Dead zone: speeds below it count as 0. A share of the unit's own scale, 0 to 0.95, "
            "or 'noise' for three times each unit's own noise speed, at most 0.9."
        ),
    )
    min_snr: float = Field(
        default=3.0,
        description=(
            "Smallest ratio of a unit's fast speeds (the quantile below) to its noise speed, 0 to "
            "100; units below it are left out of their recording. Gaussian noise alone has 2.6."
        ),
        ge=0,
        le=100,
    )
    quantile: float = Field(
        default=0.99,
        description="Quantile of a unit's absolute speed that counts as full speed, 0.5 to 1.",
        ge=0.5,
        le=1,
    )
    alignment: Literal["auto", "by_epoch", "absolute", "concatenate"] = Field(
        default="auto",
        description=(
            "How recordings share time: 'by_epoch' cuts out the same epochs from all of them, "
            "'absolute' puts them side by side from their starts (the rest of shorter ones is "
            "missing; only for recordings whose clock is common, else nothing but drift is), "
            "'concatenate' puts them one after another, 'auto' takes 'by_epoch' only where every "
            "recording has the same epochs as often and as long, none filling half of it. Paper: "
            "stimulus epochs."
        ),
    )
    pre_s: float = Field(
        default=10.0,
        description=(
            "Seconds before an epoch that are kept with it under 'by_epoch'; less where the next "
            "epoch is near."
        ),
        ge=0,
        le=600,
    )
    post_s: float = Field(
        default=20.0,
        description=(
            "Seconds after an epoch that are kept with it under 'by_epoch'; less where the next "
            "epoch is near."
        ),
        ge=0,
        le=600,
    )
    min_animals: Literal["auto"] | Annotated[int, Field(ge=1, le=1000)] = Field(
        default="auto",
        description=(
            "Recordings in which a unit's name must occur, 1 to 1000; 'auto' is 2 from three "
            "recordings on, else 1."
        ),
    )
    min_observed: float = Field(
        default=0.5,
        description="Share of frames in which a unit must be observed in a recording, 0 to 1.",
        ge=0,
        le=1,
    )
    merge_sides: bool = Field(
        default=False,
        description=(
            "Whether left and right homologues are one unit: certain names that differ in a last "
            "letter L or R only and occur in one recording, such as AVAL and AVAR, become AVA. "
            "Its trace is the mean of both where both are known; where that is in less than "
            "'min_observed' of the frames, and in recordings with one side, it is the one side. "
            "Wrong for sides that do different things (ASEL, ASER). Paper: none."
        ),
    )
    animal_norm: bool = Field(
        default=True,
        description="Whether each recording's affinities are scaled to the same total size.",
    )
    coarse_grain: Literal["auto"] | Annotated[int, Field(ge=1, le=1000)] = Field(
        default="auto",
        description=(
            "Frames whose affinities are averaged to one, 1 to 1000; 'auto' averages over at most "
            "half of sigma_s, and over more, up to 4 times sigma_s, where a table would not fit."
        ),
    )
    max_tensor_mb: int = Field(
        default=500,
        description=(
            "Largest table of affinities in megabytes, 1 to 100000, that is held in memory. "
            "Engine 'tensorly' needs one, and about four times as much memory; 'compiled' needs "
            "one for the affinities 'minimum', 'ratio', 'interval' and your own, and puts a larger "
            "one into a temporary file (in TMPDIR)."
        ),
        ge=1,
        le=100_000,
    )
    engine: Literal["compiled", "torch", "tensorly"] = Field(
        default="compiled",
        description=(
            "Solver of the factorisation: 'compiled' works on the units' activity and, for most "
            "affinities, never makes a table of them; 'torch' is the same with products of whole "
            "matrices, for many units that are active often, on a graphics card ('device'), and "
            "serves only affinities that need no table; 'tensorly' is slower, needs the table, "
            "and serves to check."
        ),
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto",
        description=(
            "Where engine 'torch' multiplies: 'auto' takes a graphics card if there is one, and "
            "'cuda' ends the run where there is none."
        ),
    )
    start: Literal["random", "nndsvd", "deflation"] = Field(
        default="random",
        description=(
            "Starts of the factorisation: 'random', 'nndsvd' (from singular vectors) or "
            "'deflation' (one component after another from what is left). Paper: not stated."
        ),
    )
    n_starts: int = Field(
        default=4,
        description=(
            "Starts of each fit, 1 to 100; after the burn-in only the best go on. Paper: not "
            "stated."
        ),
        ge=1,
        le=100,
    )
    burn_in: int = Field(
        default=20,
        description="Iterations of all starts of a fit before the best are chosen, 1 to 1000.",
        ge=1,
        le=1000,
    )
    n_kept: int = Field(
        default=1,
        description="Starts of a fit that go on after the burn-in, 1 to 100.",
        ge=1,
        le=100,
    )
    max_iterations: int = Field(
        default=500,
        description="Most iterations of one fit, 1 to 100000. Paper: not stated.",
        ge=1,
        le=100_000,
    )
    tolerance: float = Field(
        default=1e-6,
        description=(
            "A fit ends when its relative error falls by less than this share over five "
            "iterations, above 0 to 0.1, and the conditions of a minimum hold. Paper: not stated."
        ),
        gt=0,
        le=0.1,
    )
    max_patterns: int = Field(
        default=256,
        description=(
            "Most sets of units observed together (in one recording or slot) that are treated "
            "exactly, 1 to 100000; beyond, missing affinities are filled with the model."
        ),
        ge=1,
        le=100_000,
    )
    sparse: float = Field(
        default=0.0,
        description="Penalty on the sum of pair strengths, 0 to 1e6; needs 'ridge'. Paper: none.",
        ge=0,
        le=1e6,
    )
    smooth: float = Field(
        default=0.0,
        description=(
            "Penalty on squared steps of the time courses, 0 to 1e6; needs 'ridge'. Paper: none."
        ),
        ge=0,
        le=1e6,
    )
    ridge: float = Field(
        default=0.0,
        description="Penalty on the squares of all factors, 0 to 1e6. Paper: none.",
        ge=0,
        le=1e6,
    )
    communities: Literal["block_model", "graph_tool", "leiden"] = Field(
        default="block_model",
        description=(
            "What finds communities: 'block_model' (nested, weighted), 'graph_tool' (the same "
            "kind of model by the program of that name, where Debian's python3-graph-tool is "
            "installed) or 'leiden' (modularity). Paper: graph-tool."
        ),
    )
    sparsify: Literal["none", "backbone", "density"] = Field(
        default="none",
        description=(
            "Which ties of a component are looked at when communities are sought: all ('none'), "
            "those that hold more of one of their units' strength than chance gives "
            "('backbone', the disparity filter), or the strongest ('density'). How much strength "
            "communities hold is always counted over all ties. Paper: none."
        ),
    )
    backbone_alpha: float = Field(
        default=0.05,
        description="Level of the disparity filter, above 0 to 1; less keeps fewer ties.",
        gt=0,
        le=1,
    )
    density: float = Field(
        default=0.2,
        description="Share of all pairs whose ties 'sparsify: density' keeps, above 0 to 1.",
        gt=0,
        le=1,
    )
    resolution: float = Field(
        default=1.0,
        description=(
            "Resolution of Leiden, the second opinion on communities, above 0 to 10; more gives "
            "more and smaller ones. Paper: none."
        ),
        gt=0,
        le=10,
    )
    min_strength: float = Field(
        default=0.25,
        description=(
            "Units whose summed pair strengths in a component are below this share of the "
            "strongest unit's take no part in Leiden's communities, 0 to 1. Paper: none."
        ),
        ge=0,
        le=1,
    )
    n_partitions: int = Field(
        default=100,
        description=(
            "Partitions from which the probabilities of membership are taken, 2 to 1000: drawn "
            "around the best block model, or runs of Leiden. Paper: none."
        ),
        ge=2,
        le=1000,
    )

    baselines: bool = Field(
        default=True,
        description=(
            "Whether simpler analyses (correlation, correlation in windows, one graph, matrix "
            "factors) are fitted for comparison."
        ),
    )
    seeds: list[str] = Field(
        default=[],
        description=(
            "Names of units known to belong to a circuit; others that share communities with them "
            "are ranked as predictions."
        ),
    )
    edges: str = Field(
        default="",
        description=(
            "Table of known connections between named units, against which components are held: "
            "a CSV or TSV file with the columns pre, post, weight and, for several kinds of "
            "connections, kind; a relative path starts at the settings file. 'celegans' takes "
            "synapses, gap junctions and functional coupling from the package of the extra "
            "'references'. Empty for none."
        ),
    )
    leave_one_out: bool = Field(
        default=True,
        description=(
            "Whether everything is fitted again without each recording, to see which components "
            "come back; needs three recordings."
        ),
    )
    lead_lag_pairs: int = Field(
        default=6,
        description=(
            "Strongest pairs of each component for which it is asked which unit changes first "
            "while the component is active (found in one half of the recordings, measured in the "
            "other), 0 to 100; 0 for none. Paper: none."
        ),
        ge=0,
        le=100,
    )
    max_lag_s: float = Field(
        default=3.0,
        description="Largest lag between two units that is looked at, in seconds, 0.1 to 60.",
        ge=0.1,
        le=60,
    )
    window_s: float = Field(
        default=8.0,
        description="Length of the windows of the sliding correlation in seconds, 1 to 600.",
        ge=1,
        le=600,
    )

    @model_validator(mode="after")
    def _penalties_mean_something(self) -> Self:
        if (self.sparse > 0 or self.smooth > 0) and self.ridge == 0:
            raise ValueError("'sparse' and 'smooth' do nothing without 'ridge' above 0")
        return self

    @model_validator(mode="after")
    def _engine_serves_affinity(self) -> Self:
        if self.engine == "torch" and self.affinity not in OF_UNITS:
            raise ValueError(
                f"'engine: torch' makes no table, and the affinity '{self.affinity}' needs one; "
                f"take 'compiled', or one of {', '.join(OF_UNITS)}"
            )
        return self

    @model_validator(mode="after")
    def _candidates_mean_something(self) -> Self:
        if self.rank == "auto" and not self.candidates:
            raise ValueError("'rank: auto' needs candidates in 'ranks'")
        if len(set(self.candidates)) < len(self.candidates):
            raise ValueError("'ranks' has a candidate more than once")
        return self

    @property
    def candidates(self) -> tuple[int, ...]:
        """Numbers of components that are tried, smallest first."""
        if self.ranks != "auto":
            return tuple(sorted(self.ranks))
        return tuple(range(1, LARGEST_CANDIDATE + 1)) if self.rank == "auto" else ()

    @property
    def n_components(self) -> int:
        """The number of components, once it is known."""
        if self.rank == "auto":
            raise ValueError("The number of components has not been chosen yet.")
        return self.rank

    def with_rank(self, rank: int) -> Self:
        """The same settings with the number of components set."""
        return self.model_copy(update={"rank": rank})

    def plan(self) -> tuple[Part, ...]:
        """All parts of all rounds."""
        return tuple(part for parts in self.rounds() for part in parts)

    def tables(self) -> tuple[str, ...]:
        """The table of known connections, where it is the user's."""
        return (self.edges,) if self.edges and self.edges != WORM else ()

    def rounds(self) -> tuple[tuple[Part, ...], ...]:
        """Runs of candidates and the choice of one; then restarts of the fit, and surrogates."""
        fits = (
            *(Part(f"restart-{index:02d}") for index in range(self.n_restarts)),
            *(Part(f"surrogate-{index:03d}") for index in range(self.n_surrogates)),
        )
        if not self.candidates:
            return (fits,)
        runs = tuple(
            Part(f"rank-{rank:02d}-run-{index:02d}")
            for rank in self.candidates
            for index in range(self.n_rank_runs)
        )
        return runs, (Part(CHOICE),), fits

    def of_part(self, part: Part) -> Self:
        """The settings of one part: names that begin with ``rank-NN-`` bring their own rank."""
        head, _, rest = part.name.partition("-")
        return self.with_rank(int(rest.partition("-")[0])) if head == "rank" else self


CHOICE = "choice"
"""Name of the part that chooses among the candidates."""
