"""Settings of the encoding models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.core.method import SettingsBlock

NetworkName = Literal["ln", "cnn_small", "cnn_factorised", "cnn_image"]
"""Models that are fitted here."""
ReadoutName = Literal["gaussian", "factorised", "point"]


class UnitFilterConfig(SettingsBlock):
    """Which units a model predicts well enough to be typed."""

    min_correlation: float = Field(
        default=0.2,
        description=(
            "Least correlation of a unit's answers with their prediction in the validation frames. "
            "Where frames were shown again it is relative to the highest correlation that the "
            "unit's variability allows; else it is that of single answers."
        ),
        ge=0,
        le=1,
    )
    min_reliability: float = Field(
        default=0.1,
        description=(
            "Least reliability: correlation of one answer with the mean of the others to the same "
            "frames. Asked only where frames were shown again."
        ),
        ge=0,
        le=1,
    )
    min_valid: float = Field(
        default=0.5,
        description="Least share of the frames in which a unit was observed.",
        ge=0,
        le=1,
    )
    min_rate_hz: float = Field(
        default=0.05, description="Least rate in spikes a second; asked of spikes only.", ge=0
    )


class SuppliedConfig(SettingsBlock):
    """A model of the user's own, which is taken as it is instead of being fitted.

    It takes stimuli (batch, channel, frame, y, x) in standard deviations from the mean of the
    frames to learn from, on the view's grid and at its rate, and gives (batch, answered frame,
    unit), or (batch, unit) for the last frame alone. Units are those of the views, in their order.
    """

    kind: Literal["none", "torchscript", "state_dict", "callable"] = Field(
        default="none",
        description=(
            "How the model is given: a TorchScript file; a file of weights ('state_dict') for the "
            "module that 'factory' makes; or a function ('callable') that 'factory' names. Code "
            "that is named here is run."
        ),
    )
    path: str = Field(
        default="",
        description=(
            "File of the model or of its weights; a relative path starts where the run does."
        ),
    )
    factory: str = Field(
        default="",
        description=(
            "What makes the module, or the function itself, as 'package.module:name'; it must be "
            "importable."
        ),
    )
    memory_frames: int = Field(
        default=1,
        description="Frames that an answer depends on: those lost at the start, and one.",
        ge=1,
        le=10_000,
    )
    centred: bool = Field(
        default=False,
        description=(
            "Whether all units of the model look at the middle already. Otherwise parameters "
            "called 'mu', '_mu' or 'mask_mean' are set to 0, the middle."
        ),
    )


class EncodingConfig(SettingsBlock):
    """How encoding models are built and fitted."""

    network: Literal["auto"] | NetworkName = Field(
        default="auto",
        description=(
            "The model. 'ln' is a filter in space and time a unit; 'cnn_small', 'cnn_factorised' "
            "and 'cnn_image' share features among units. 'auto' takes 'ln' for fewer than 30 "
            "units or less than 3 minutes to learn from, 'cnn_image' for single images, else "
            "'cnn_small' on a processor and 'cnn_factorised' on a graphics card. A network that "
            "does not predict better than 'ln' is dropped for it."
        ),
    )
    readout: Literal["auto"] | ReadoutName = Field(
        default="auto",
        description=(
            "How a unit reads the features of a network: from a round Gaussian spot, from a free "
            "map ('factorised'), or from a point. 'auto' takes points for 'cnn_image' and spots "
            "else."
        ),
    )
    memory_s: Literal["auto"] | Annotated[float, Field(gt=0, le=10)] = Field(
        default="auto",
        description=(
            "How far back in time a model looks, in seconds; 'auto' is 0.5, and 1 for "
            "'cnn_factorised'."
        ),
    )
    n_features: int = Field(
        default=16, description="Features of each layer of a network.", ge=1, le=512
    )
    ln_rank: int = Field(
        default=1,
        description="Pairs of a filter in space and one in time that the 'ln' of a unit has.",
        ge=1,
        le=4,
    )
    least_gain: float = Field(
        default=0.01,
        description=(
            "By how much a network must predict better than 'ln', in mean correlation in the "
            "validation frames, to be kept."
        ),
        ge=0,
        le=1,
    )
    members: Literal["auto"] | Annotated[int, Field(ge=1, le=20)] = Field(
        default="auto",
        description=(
            "Networks from different starts whose answers are averaged; 'auto' is one on a "
            "processor and five on a graphics card."
        ),
    )
    loss: Literal["auto", "poisson", "squares", "correlation"] = Field(
        default="auto",
        description=(
            "What is made small: 'poisson' for counts and inferred events, 'squares' or one minus "
            "the 'correlation' for traces. 'auto' takes the Poisson loss for spikes and events, "
            "squares else."
        ),
    )
    decay_s: float = Field(
        default=0.0,
        description=(
            "Decay time of the indicator in seconds: predictions are smeared by it before they are "
            "compared with traces. 0 compares them as they are; not used for spikes and events."
        ),
        ge=0,
        le=10,
    )
    max_epochs: int = Field(
        default=60, description="Passes over the frames at most.", ge=1, le=10_000
    )
    learning_rate: float = Field(
        default=0.008, description="Step size of the optimiser at the start.", gt=0, le=1
    )
    weight_decay: Literal["auto"] | Annotated[float, Field(ge=0, le=1)] = Field(
        default="auto",
        description=(
            "Pull of all weights towards zero; 'auto' is 0.01, or 0.001 for less than 10 minutes "
            "to learn from."
        ),
    )
    patience: int = Field(
        default=10,
        description="Passes without improvement after which a fit ends.",
        ge=1,
        le=1000,
    )
    window_frames: int = Field(
        default=10,
        description=(
            "Last frames of a stimulus over which the answer is averaged; with single images it "
            "has no meaning."
        ),
        ge=1,
        le=1000,
    )
    filter: UnitFilterConfig = Field(
        default_factory=UnitFilterConfig,
        description="From when on a unit is predicted well enough.",
    )
    supplied: SuppliedConfig = Field(
        default_factory=SuppliedConfig, description="A model of one's own instead."
    )
