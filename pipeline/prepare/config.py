"""Settings of the views that methods see."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.core.method import SettingsBlock


class EnsembleConfig(SettingsBlock):
    """How traces are put on a regular time grid."""

    rate_hz: Literal["auto"] | Annotated[float, Field(gt=0)] = Field(
        default="auto",
        description=(
            "Sampling rate of the view in Hz, above 0; 'auto' keeps the recording's own median "
            "rate. A lower rate than the recording's is reached with an anti-alias filter."
        ),
    )
    max_gap_s: float = Field(
        default=1.0,
        description=(
            "Longest stretch of missing samples that is bridged by a straight line, in seconds; "
            "longer gaps stay missing."
        ),
        ge=0,
        le=60,
    )


class PrepareConfig(SettingsBlock):
    """Settings of all views; each view has its own block."""

    ensemble: EnsembleConfig = Field(
        default_factory=EnsembleConfig, description="Traces on a regular grid, with identities."
    )
