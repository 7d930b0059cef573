"""What a run of the dynamic functional connectome found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes, table
from pipeline.core.provenance import Provenance
from pipeline.methods.connectome.windows import EPOCH_COLUMNS, SIDE_BY_SIDE

COMPONENTS = "components"
"""The analysis that simpler ones are compared with."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RankPart:
    """One run of one candidate number of components.

    Factors have unit-norm columns, largest weight first; there are none of a candidate with more
    components than frames or pairs.
    """

    name: str
    rank: int
    run: int
    weight: NDArray[np.float64] = axes("component")
    component_time: NDArray[np.float64] = axes("frame", "component")
    component_slot: NDArray[np.float64] = axes("slot", "component")
    component_pair: NDArray[np.float64] = axes("pair", "component")
    relative_error: float
    reproducibility: float
    """Mean over components of their agreement across recordings (or halves of the only one)."""
    core_consistency: float
    """In percent; NaN where it means nothing."""
    held_out_residual: NDArray[np.float64] = axes("block")
    """Sum of squared residuals of each block that the fit did not see."""
    held_out_energy: NDArray[np.float64] = axes("block")
    """Sum of squared affinities of each block."""
    surrogate_error: float
    surrogate_reproducibility: float
    provenance: Provenance

    def __post_init__(self) -> None:
        check_axes(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RankChoice:
    """Criteria of all candidate numbers of components, and the number that was taken."""

    rank: NDArray[np.int64] = axes("candidate")
    run: NDArray[np.int64] = axes("run")
    error: NDArray[np.float64] = axes("candidate", "run")
    """Relative error over observed entries."""
    similarity: NDArray[np.float64] = axes("candidate", "run")
    """Factor match score with the candidate's best run (1 for itself)."""
    held_out: NDArray[np.float64] = axes("candidate", "run")
    """Relative error of held-out blocks, 1 for predicting nothing; NaN where nothing could be held
    out."""
    reproducibility: NDArray[np.float64] = axes("candidate", "run")
    surrogate_error: NDArray[np.float64] = axes("candidate", "run")
    surrogate_reproducibility: NDArray[np.float64] = axes("candidate", "run")
    core_consistency: NDArray[np.float64] = axes("candidate")
    """Of the best run in percent; NaN where it means nothing."""
    within: NDArray[np.bool_] = axes("candidate")
    """Whether the held-out error is within one standard error of the smallest."""
    one_slot: bool
    """Whether recordings do not stand side by side in time (or there is a single one)."""
    ruled: int
    """The number that the rule takes."""
    because: str
    """What decided: ``stable``, ``unstable``, ``unpredicted`` or ``unjudged``."""
    chosen: int
    """The number that was fitted: the rule's, or the one that was set by hand."""
    n_impossible: int
    """Candidates with more components than frames or pairs, which are not listed."""
    provenance: Provenance

    def __post_init__(self) -> None:
        check_axes(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FitPart:
    """One fit: of the data from one random start, or of one surrogate.

    Factors have unit-norm columns, largest weight first; those of surrogates are not kept.
    """

    name: str
    surrogate: bool
    weight: NDArray[np.float64] = axes("component")
    component_time: NDArray[np.float64] | None = axes("frame", "component", optional=True)
    component_slot: NDArray[np.float64] | None = axes("slot", "component", optional=True)
    component_pair: NDArray[np.float64] | None = axes("pair", "component", optional=True)
    relative_error: float
    error_trace: NDArray[np.float64] = axes("round")
    """Relative error after each iteration (before the first and after each five by TensorLy)."""
    converged: bool
    kkt: float
    """Residual of the conditions of a minimum; NaN where it was not computed."""
    effective_rank: int
    """Components that are not all zero."""
    static_explained: float
    """Explained share of one fixed graph of changing strength per recording."""
    component_gain: NDArray[np.float64] = axes("component")
    """Explained share that is lost without the component."""
    reproducibility: NDArray[np.float64] = axes("component")
    """Mean cosine of the pair factors refitted in each recording (or time half) by itself."""
    n_communities: NDArray[np.int64] = axes("component")
    modularity: NDArray[np.float64] = axes("component")
    concentration: NDArray[np.float64] = axes("component")
    recording_explained: NDArray[np.float64] = axes("recording")
    provenance: Provenance

    def __post_init__(self) -> None:
        check_axes(self)

    @property
    def explained(self) -> float:
        """Share of the sum of squares explained, over observed entries."""
        return 1.0 - self.relative_error**2


PartResult = FitPart | RankPart | RankChoice
"""Records of parts, by the name all methods use."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Baselines:
    """What each analysis explains where it was not learned, and its communities."""

    baseline: NDArray[np.str_] = axes("baseline")
    """Names; the components come first."""
    piece: NDArray[np.str_] = axes("piece")
    """Recordings, or halves of the only one."""
    explained: NDArray[np.float64] = axes("baseline", "piece")
    """Share of a piece's affinities that patterns of the other half of the pieces explain; NaN
    where the analysis could not be made."""
    n_patterns: NDArray[np.int64] = axes("baseline")
    """Patterns of all the data whose communities are listed; 0 for the components, which have
    their own."""
    pattern_of: NDArray[np.int64] = axes("pattern")
    """Index of the baseline that each pattern of all the data belongs to."""
    community: NDArray[np.int64] = axes("pattern", "unit")
    """Leiden's communities of each pattern, -1 for none."""

    def __post_init__(self) -> None:
        check_axes(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EpochTest:
    """Which epochs components follow."""

    label: NDArray[np.str_] = axes("label")
    contrast: NDArray[np.float64] = axes("component", "label", "recording")
    """Mean inside the epochs less mean outside, trend removed, over its standard deviation by
    shifts; NaN where the recording lacks the label or is too short to tell."""
    p_value: NDArray[np.float64] = axes("component", "label")
    """Family-wise over components and labels (largest of all); NaN where nothing can be tested."""
    over_recordings: bool
    """Whether the test is one over recordings (sign flips), or within them (shifts)."""

    def __post_init__(self) -> None:
        check_axes(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Anatomy:
    """Pair strengths against known connections; graphs are the components, then the static one."""

    kind: NDArray[np.str_] = axes("kind")
    """Kinds of connections."""
    n_edges: NDArray[np.int64] = axes("kind")
    """Connected pairs among those that were observed."""
    n_units: NDArray[np.int64] = axes("kind")
    auroc: NDArray[np.float64] = axes("graph", "kind")
    """Chance that a connected pair is stronger than one that is not."""
    auroc_rewired: NDArray[np.float64] = axes("graph", "kind")
    """Mean of rewired connections, in which each unit has as many."""
    auroc_range: NDArray[np.float64] = axes("bound", "graph", "kind")
    """95 % of rewired connections."""
    auroc_p: NDArray[np.float64] = axes("graph", "kind")
    """By the largest of graphs and kinds; NaN where connections cannot be rewired."""
    correlation: NDArray[np.float64] = axes("graph", "kind")
    """Spearman's, of pair strengths with weights of connections (0 for none)."""
    correlation_rewired: NDArray[np.float64] = axes("graph", "kind")
    correlation_p: NDArray[np.float64] = axes("graph", "kind")
    n_rewired: int

    def __post_init__(self) -> None:
        check_axes(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LeadLag:
    """Which of two units changes first while a component is active; this is no causation.

    Each row is one pair in one component, found in one half of the recordings (or of the time of
    the only one) and measured in the other, in stretches that were chosen without the two units.
    """

    lag_s: NDArray[np.float64] = axes("lag", unit="s")
    """Lags that were looked at; positive where the second unit follows the first."""
    component: NDArray[np.int64] = axes("row")
    """The component of all the data that is most like the one of the half; -1 where none is."""
    pair: NDArray[np.int64] = axes("row", "end")
    """Units; where there is a lag the first is ahead."""
    strength: NDArray[np.float64] = axes("row")
    """Pair strength in the half in which the pair was found, as a share of the largest there."""
    half: NDArray[np.int64] = axes("row")
    """Of the recordings, the one in which the lag was measured."""
    status: NDArray[np.str_] = axes("row")
    """Of the test; see :mod:`pipeline.numerics.lagged`."""
    n_stretches: NDArray[np.int64] = axes("row")
    n_recordings: NDArray[np.int64] = axes("row")
    n_alike: NDArray[np.int64] = axes("row")
    """Recordings whose own lag has the same sign."""
    curve: NDArray[np.float64] = axes("row", "lag")
    """Correlation of the units' derivatives."""
    correlation: NDArray[np.float64] = axes("row")
    """At its peak."""
    chance: NDArray[np.float64] = axes("row")
    """What the largest absolute correlation stays below in 95 % of shifted courses."""
    delay_s: NDArray[np.float64] = axes("row", unit="s")
    """How much later the second unit changes, not below 0; NaN where nothing can be said."""
    delay_range_s: NDArray[np.float64] = axes("row", "bound", unit="s")
    """95 % of draws of the stretches."""
    p_locked: NDArray[np.float64] = axes("row")
    """Of any correlation within the lags."""
    p_apart: NDArray[np.float64] = axes("row")
    """Of a delay of more than half a frame."""
    q_value: NDArray[np.float64] = axes("row")
    """False discovery rate over all rows at which the first unit is ahead: locked, and apart."""
    frame_s: float
    """Distance of the frames in which lags were measured."""

    def __post_init__(self) -> None:
        check_axes(self)


def places(unit: NDArray[np.str_], sides: NDArray[np.str_] | None) -> dict[str, int]:
    """Row of each pooled unit by its name, and by those of its sides where they are merged."""
    place = {str(name): index for index, name in enumerate(unit)}
    if sides is not None:
        place |= {str(name): at[0] for at, name in np.ndenumerate(sides) if name}
    return place


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConnectomeResult:
    """Components that couple when, in which recordings and between which units.

    Time and pair factors have unit-norm columns; components are sorted by decreasing weight.
    """

    recording: NDArray[np.str_] = axes("recording")
    baseline: NDArray[np.str_] = axes("recording")
    """Words on how the traces became dF/F; empty where they are used as recorded."""
    regressed: NDArray[np.str_] | None = axes("recording", optional=True)
    """Words on what was taken out of the traces by regression; nothing where nothing was."""
    unit: NDArray[np.str_] = axes("unit")
    """Name of a matched unit, or ``RECORDING:unit_id`` of one that cannot be matched."""
    sides: NDArray[np.str_] | None = axes("unit", "side", optional=True)
    """Names of the left and the right unit that one of both stands for, empty where it stands for
    itself; nothing where sides are not merged."""
    presence: NDArray[np.bool_] = axes("recording", "unit")
    """Whether the unit was found, observed and above noise in the recording."""
    pair_units: NDArray[np.int64] = axes("pair", "end")
    """Units of each pair. Pairs that were never observed together are not listed."""
    frame_time_s: NDArray[np.float64] = axes("frame", unit="s")
    """Time in the frame's recording, or on the common axis where recordings share frames."""
    frame_recording: NDArray[np.int64] = axes("frame")
    """Index of the frame's recording; -1 for a frame that all share."""
    source_time_s: NDArray[np.float64] = axes("frame", "recording", unit="s")
    """Time of each frame in each recording; NaN where the frame is not of that recording."""
    epochs: pd.DataFrame = table("epoch", EPOCH_COLUMNS)
    """Epochs in the time of ``frame_time_s``; ``recording`` is empty on the common axis."""
    selection: pd.DataFrame = table("selection", ("what", "count"))
    """How many units were used and left out, and why."""
    alignment: str
    """``by_epoch``, ``absolute`` (recordings share frames) or ``concatenate`` (one by one)."""
    affinity: str
    """What affinity of pairs was factorised."""
    coarse_grain: int
    bin_s: float
    component_time: NDArray[np.float64] = axes("frame", "component")
    component_recording: NDArray[np.float64] = axes("component", "recording")
    """Share of the component's size in each recording; each row sums to 1."""
    component_pair: NDArray[np.float64] = axes("pair", "component")
    """Of norm 1; with ``split_sign`` the sum of two channels that together have norm 1."""
    component_opposite: NDArray[np.float64] | None = axes("pair", "component", optional=True)
    """How much of the pair factor is opposite change; nothing where directions do not count."""
    weight: NDArray[np.float64] = axes("component")
    relative_error: float
    static_explained: float
    component_gain: NDArray[np.float64] = axes("component")
    reproducibility: NDArray[np.float64] = axes("component")
    recording_explained: NDArray[np.float64] = axes("recording")
    group: NDArray[np.int64] = axes("component", "level", "unit")
    """Groups of units, finest level first, from 0 by decreasing size; -1 without an edge. Levels
    above a component's last hold one group."""
    community: NDArray[np.int64] = axes("component", "unit")
    """Groups of the finest level that are tied more than the average, from 0 by decreasing size;
    -1 for units in none."""
    membership: NDArray[np.float64] = axes("component", "unit")
    """How often a unit is in its group when groups are drawn again, 0 to 1."""
    community_agreement: NDArray[np.float64] = axes("component")
    """Mean adjusted Rand index of groups drawn again."""
    structured: NDArray[np.bool_] = axes("component")
    """Whether groups describe the component better than one group of all its units."""
    saved_nats: NDArray[np.float64] = axes("component")
    """What groups save in the description of the component; NaN where that is not asked."""
    block_variant: NDArray[np.str_] = axes("component")
    """Models of weights and degrees that described the component best."""
    second_opinion: NDArray[np.int64] = axes("component", "unit")
    """Communities by the other notion (Leiden's, unless that is the first)."""
    second_agreement: NDArray[np.float64] = axes("component")
    """Adjusted Rand index of both, units in none counting as one group."""
    modularity: NDArray[np.float64] = axes("component")
    concentration: NDArray[np.float64] = axes("component")
    """Share of the pair strengths inside communities, less their share of all unit pairs; 0 for
    components that are not structured."""
    restart: NDArray[np.str_] = axes("restart")
    best_restart: str
    restart_error: NDArray[np.float64] = axes("restart")
    restart_similarity: NDArray[np.float64] = axes("restart")
    """Factor match score with the best restart (1 for itself)."""
    restart_converged: NDArray[np.bool_] = axes("restart")
    restart_kkt: NDArray[np.float64] = axes("restart")
    """Residual of the conditions of a minimum."""
    effective_rank: int
    """Components of the best restart that are not all zero."""
    restart_gain: NDArray[np.float64] = axes("restart", "component")
    """Explained share lost without each component in each restart, where the component is the one
    that is most like it there; 0 where none is alike."""
    restart_explained: NDArray[np.float64] = axes("restart")
    restart_reproducibility: NDArray[np.float64] = axes("restart")
    restart_communities: NDArray[np.float64] = axes("restart")
    restart_concentration: NDArray[np.float64] = axes("restart")
    surrogate: NDArray[np.str_] = axes("surrogate")
    surrogate_explained: NDArray[np.float64] = axes("surrogate")
    surrogate_static: NDArray[np.float64] = axes("surrogate")
    surrogate_largest_gain: NDArray[np.float64] = axes("surrogate")
    """Explained share lost without the surrogate's most important component."""
    surrogate_reproducibility: NDArray[np.float64] = axes("surrogate")
    surrogate_communities: NDArray[np.float64] = axes("surrogate")
    """Mean number of communities of a component."""
    surrogate_concentration: NDArray[np.float64] = axes("surrogate")
    left_out_likeness: NDArray[np.float64] | None = axes("component", "recording", optional=True)
    """Cosine of each component's pairs with those found without the recording."""
    epoch_test: EpochTest | None = None
    """Nothing where no recording has epochs."""
    anatomy: Anatomy | None = None
    """Nothing where no connections are known, or too few of the units."""
    lead_lag: LeadLag | None = None
    """Nothing where it was not asked for, or nothing is active in one of the halves."""
    baselines: Baselines | None = None
    """Simpler analyses; nothing where they were switched off."""
    rank_choice: RankChoice | None = None
    """Criteria of the number of components; nothing where no candidates were tried."""
    provenance: Provenance

    def __post_init__(self) -> None:
        check_axes(self)

    @property
    def side_by_side(self) -> bool:
        """Whether several recordings share their frames."""
        return self.alignment in SIDE_BY_SIDE and self.recording.size > 1

    @property
    def rank(self) -> int:
        """Number of components."""
        return int(self.weight.size)

    @property
    def explained(self) -> float:
        """Share of the sum of squares explained, over observed entries."""
        return 1.0 - self.relative_error**2

    @property
    def place(self) -> dict[str, int]:
        """Row of each unit by its name, and by those of its sides."""
        return places(self.unit, self.sides)

    def pair_matrix(self, component: int) -> NDArray[np.float64]:
        """Pair factor as a symmetric (unit, unit) matrix, NaN on the diagonal and if unknown."""
        matrix = np.full((self.unit.size, self.unit.size), np.nan)
        first, second = self.pair_units.T
        matrix[first, second] = matrix[second, first] = self.component_pair[:, component]
        return matrix


Result = ConnectomeResult
"""The method's result, by the name all methods use."""
