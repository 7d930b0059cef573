"""What a run of the functional cell types found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes, table
from pipeline.core.provenance import Provenance
from pipeline.methods.celltypes.discrete import SCAN_COLUMNS
from pipeline.methods.celltypes.encoding.fit import EncodingFit
from pipeline.methods.celltypes.splitting import EVENT_COLUMNS

HISTORY_COLUMNS = ("clusters", "objective", "moved")
UNIT_COLUMNS = (
    "recording",
    "unit",
    "label",
    "used",
    "reason",
    "validation_correlation",
    "test_correlation",
    "reliability",
    "field_y",
    "field_x",
    "x_um",
    "y_um",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelPart:
    """One encoding model, or why there is none."""

    name: str
    fit: EncodingFit | None
    status: str
    """``ok``, ``no_model`` (not asked for, or no frames), ``too_few_cells`` or
    ``model_not_predictive``."""
    reason: str
    """Why there is no model, or none that serves."""
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClusteringPart:
    """One clustering of what a model answers: a restart, one of another model, or a null."""

    name: str
    status: str
    """``ok``, or that of the model."""
    type_of_unit: NDArray[np.int64] = axes("used_unit")
    """Of the units that the model predicts well enough, in its order."""
    held_out: NDArray[np.bool_] = axes("used_unit")
    stimuli: NDArray[np.float32] | None = axes(
        "cell_type", "channel", "frame", "y", "x", optional=True
    )
    responses: NDArray[np.float64] = axes("cell_type", "used_unit")
    """Normalised answers to the stimuli."""
    objective: NDArray[np.float64] = axes("cell_type")
    """J of each type, at the temperature of the objective, over units that shaped the stimuli."""
    held_out_objective: NDArray[np.float64] = axes("cell_type")
    """Over held-out units; without a model, in showings that shaped neither stimuli nor labels."""
    """The same over held-out units; NaN for types without any."""
    pair_fraction: NDArray[np.float64] = axes("cell_type", "rival")
    selection_temperature: float
    n_start: int
    """Clusters at the start."""
    n_removed: int
    """Clusters that were too small."""
    ended: str
    flags: tuple[str, ...]
    history: pd.DataFrame = table("iteration", HISTORY_COLUMNS)
    events: pd.DataFrame = table("event", EVENT_COLUMNS)
    provenance: Provenance

    def __post_init__(self) -> None:
        check_axes(self)

    @property
    def n_types(self) -> int:
        """How many types it found."""
        return int(self.objective.size)


FOLD_SCAN_COLUMNS = ("n_types", "objective", "outer_objective")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoldPart:
    """Types found without some of the units, and what these answer to the stimuli."""

    name: str
    status: str
    """``ok``, that of the model, or ``too_few_cells``."""
    outer: NDArray[np.bool_] = axes("used_unit")
    """Units without part in stimuli, splits, merges and the choice of a restart."""
    type_of_unit: NDArray[np.int64] = axes("used_unit")
    """By the stimuli; of outer units as a new unit would be typed."""
    by_answers: NDArray[np.int64] = axes("used_unit")
    """The type whose units answer to the training stimulus most as this one does."""
    responses: NDArray[np.float64] = axes("cell_type", "used_unit")
    """Normalised answers to the stimuli."""
    floor: float
    """Least spread by which answers were normalised."""
    restart_types: NDArray[np.int64] = axes("restart")
    """Types that each restart found."""
    scan: pd.DataFrame = table("tried", FOLD_SCAN_COLUMNS)
    """Mean J for other numbers of types: over the units that shaped the stimuli, and over outer
    units by their answers (NaN where a type has none)."""
    scan_labels: NDArray[np.int64] = axes("tried", "used_unit")
    provenance: Provenance

    def __post_init__(self) -> None:
        check_axes(self)

    @property
    def n_types(self) -> int:
        """How many types it found."""
        return len(self.responses)


CURVE_COLUMNS = (
    "n_types",
    "n_folds",
    "objective",
    "outer_objective",
    "outer_error",
    "agreement",
    "least_agreement",
    "most_agreement",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OuterEvidence:
    """What units say that had no part in any choice: all folds, each unit where it was left out.

    Types of folds are matched to the types by the units that both have; a fold may lack a type.
    """

    fold: NDArray[np.str_] = axes("fold")
    fold_types: NDArray[np.int64] = axes("fold")
    """Types that each fold found."""
    type_of_unit: NDArray[np.int64] = axes("typed_unit")
    """By the stimuli of the fold; -1 for a type of the fold that is none of the types."""
    by_answers: NDArray[np.int64] = axes("typed_unit")
    """By the answers to the training stimulus, without any of the types' stimuli."""
    responses: NDArray[np.float64] = axes("cell_type", "typed_unit")
    """NaN where the fold has no such type."""
    confusion: NDArray[np.float64] = axes("cell_type", "rival")
    """Mean answer of the units of each column's type (by answers) to the stimulus of each row."""
    objective: NDArray[np.float64] = axes("cell_type")
    """J of these means; NaN for types without units or stimuli in the folds. Types that were in no
    fold with a type's stimulus are not among its opponents."""
    objective_error: NDArray[np.float64] = axes("cell_type")
    """Standard error over units."""
    mean_objective_error: float
    accuracy: float
    """Share of units whose type by stimuli is that by answers, the mean over types."""
    accuracy_error: float
    """Standard error over units."""
    agreement: float
    """Adjusted Rand index of types by the folds' stimuli with the types."""
    label_accuracy: float
    """Share of units that get their known type, the mean over these, where every type of a fold is
    called what most of its own units are; NaN without known types."""
    typing: pd.DataFrame = table("outer_typing", ("repeats", "accuracy"))
    """As that of the model, over units that were left out."""
    curve: pd.DataFrame = table("curve", CURVE_COLUMNS)
    """One row a number of types: mean over folds with its standard error, and adjusted Rand index
    between folds: mean, least and most over pairs."""

    def __post_init__(self) -> None:
        check_axes(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelEvidence:
    """What only a model can tell: stimuli, and what stands beside the types."""

    network: str
    """The encoding model that was kept, and why, in the next field."""
    network_reason: str
    stimuli: NDArray[np.float32] = axes("cell_type", "channel", "frame", "y", "x")
    """In standard deviations of the training stimulus from its mean, by channel."""
    channel: NDArray[np.str_] = axes("channel")
    frame_rate_hz: float
    window_frames: int
    """Last frames of a stimulus over which answers are averaged."""
    mean: NDArray[np.float64] = axes("channel")
    """Of the training stimulus, in the recording's own units."""
    sd: NDArray[np.float64] = axes("channel")
    low: NDArray[np.float64] = axes("channel")
    """Range of pixels, in standard deviations."""
    high: NDArray[np.float64] = axes("channel")
    stimulus_unit: str
    resemblance: NDArray[np.float64] = axes("cell_type")
    """Largest cosine of a stimulus with a stretch of the training stimulus: 1 is the same."""
    traces: NDArray[np.float32] = axes("cell_type", "frame", "rival")
    """Mean normalised answers of each type (last axis) in every frame of each stimulus."""
    descriptors: pd.DataFrame = table(
        "cell_type",
        ("polarity", "centre_px", "surround", "peak_hz", "biphasic", "colour_angle"),
    )
    restart: NDArray[np.str_] = axes("restart")
    restart_labels: NDArray[np.int64] = axes("restart", "typed_unit")
    restart_start: NDArray[np.int64] = axes("restart")
    restart_objective: NDArray[np.float64] = axes("restart")
    restart_held_out: NDArray[np.float64] = axes("restart")
    best_restart: str
    twin: NDArray[np.str_] = axes("twin")
    """Clusterings through models that were fitted independently."""
    twin_labels: NDArray[np.int64] = axes("twin", "typed_unit")
    """-1 for units that the other model does not predict well enough."""
    null: NDArray[np.str_] = axes("null")
    null_types: NDArray[np.int64] = axes("null")
    permutation_observed: float
    """Mean J of the types, after as many steps as permuted labels are given; NaN without."""
    permutation_objective: NDArray[np.float64] = axes("permutation")
    """Mean J of permuted labels with stimuli of their own."""
    typing: pd.DataFrame = table("typing", ("repeats", "accuracy", "chance"))
    """Share of units whose type is found again from simulated answers to so many showings."""
    history: pd.DataFrame = table("iteration", HISTORY_COLUMNS)
    events: pd.DataFrame = table("event", EVENT_COLUMNS)
    selection_temperature: float
    n_removed: int
    flags: tuple[str, ...]

    def __post_init__(self) -> None:
        check_axes(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShownEvidence:
    """What the model-free mode tells."""

    scan: pd.DataFrame = table("scan", SCAN_COLUMNS)
    """One row a number of types: what one half of the showings says about the other."""
    half_labels: NDArray[np.int64] = axes("half", "typed_unit")
    """Types from the odd and from the even showings alone; numbered each in its own way."""
    retyped: NDArray[np.int64] = axes("half", "typed_unit")
    """Types from the other half of the showings by the stimuli of each half, -1 without."""
    shown_stimulus: NDArray[np.str_] = axes("shown_stimulus")
    """What was shown."""
    tuning: NDArray[np.float64] = axes("shown_stimulus", "cell_type")
    """Mean answer of each type to everything that was shown, each unit on its own scale."""
    typing: pd.DataFrame = table("typing", ("repeats", "accuracy", "chance"))
    """Share of units typed as by one half from so many showings of the other half."""
    n_stimuli: int
    """Stimuli to choose from."""
    least_showings: int

    def __post_init__(self) -> None:
        check_axes(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CelltypesResult:
    """Types of units, what tells them apart, and how far to trust it."""

    mode: str
    """``model``, or ``discrete``: stimuli among those that were shown."""
    status: str
    """``ok``; ``single_cluster``, ``too_few_cells`` or ``model_not_predictive``."""
    reason: str
    recording: NDArray[np.str_] = axes("recording")
    units: pd.DataFrame = table("unit", UNIT_COLUMNS)
    """All units of the views; NaN for what is not known."""
    type_of_unit: NDArray[np.int64] = axes("unit")
    """-1 for units without a type."""
    status_of_unit: NDArray[np.str_] = axes("unit")
    """``typed``, ``held out`` (typed, but shaped no stimulus), or the reason why there is no
    type."""
    margin: NDArray[np.float64] = axes("unit")
    """Normalised answer to the own stimulus less that to the best other."""
    probability: NDArray[np.float64] = axes("unit")
    """Share of the own type in the softmax over stimuli."""
    test_correlation: NDArray[np.float64] = axes("unit")
    typed_unit: NDArray[np.int64] = axes("typed_unit")
    """Rows of ``units`` that took part in the clustering."""
    responses: NDArray[np.float64] = axes("cell_type", "unit")
    """Normalised answers to the types' stimuli."""
    stimulus: NDArray[np.str_] = axes("cell_type")
    """Names of the types' stimuli."""
    objective: NDArray[np.float64] = axes("cell_type")
    held_out_objective: NDArray[np.float64] = axes("cell_type")
    """Over held-out units; without a model, in showings that shaped neither stimuli nor labels."""
    response_confusion: NDArray[np.float64] = axes("cell_type", "rival")
    """Mean answer of the type of each column to the stimulus of each row."""
    pair_fraction: NDArray[np.float64] = axes("cell_type", "rival")
    """How far two types are told apart by their stimuli, 0 to 1; without a model in showings that
    shaped neither stimuli nor labels."""
    temperature: float
    separation: float
    """Margin that nine of ten units exceed, over the mean answer to the own stimulus."""
    null_separation: NDArray[np.float64] = axes("null")
    """The same of surrogate populations without types that went through the clustering."""
    reappearance: NDArray[np.float64] = axes("cell_type")
    """Overlap (Jaccard) of the type with its best match in independent clusterings."""
    verdict: NDArray[np.str_] = axes("cell_type")
    """``supported``, ``unconfirmed`` or ``continuum``."""
    stability: float
    """Mean adjusted Rand index between restarts; NaN with one."""
    agreement: float
    """Adjusted Rand index with types through independently fitted models, or from the other half
    of the showings; NaN without."""
    session_information: float
    """Adjusted mutual information of type and recording; NaN with one recording."""
    session_p: float
    baselines: pd.DataFrame = table(
        "baseline",
        ("baseline", "n_clusters", "ari_types", "ari_labels", "ari_independent"),
    )
    """Other clusterings of the same units: agreement with the types, with known labels, and of
    itself between independent models or halves."""
    model: ModelEvidence | None
    outer: OuterEvidence | None
    shown: ShownEvidence | None
    provenance: Provenance

    def __post_init__(self) -> None:
        check_axes(self)

    @property
    def n_types(self) -> int:
        """How many types there are."""
        return int(self.objective.size)

    @property
    def size(self) -> NDArray[np.int64]:
        """Units of each type that took part in the clustering, shape (cell_type,)."""
        labels = self.type_of_unit[self.typed_unit]
        return np.bincount(labels[labels >= 0], minlength=self.n_types)


PartResult = ModelPart | ClusteringPart | FoldPart
"""What parts end in: models in the first round, clusterings and folds in the second."""

Result = CelltypesResult
"""The method's result, by the name all methods use."""
