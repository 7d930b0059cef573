"""Settings of the comparison of methods."""

from __future__ import annotations

from pydantic import Field

from pipeline.core.method import SettingsBlock


class AgreementConfig(SettingsBlock):
    """Settings of the comparison of methods with each other and with regions."""

    n_permutations: int = Field(
        default=999,
        description=(
            "Exchanges of units with which the agreement of labels with regions, and with types "
            "that the file names, is compared, 99 to 99999."
        ),
        ge=99,
        le=99_999,
    )
    min_units: int = Field(
        default=10,
        description=(
            "Units of a recording that must have both labels for these to be compared, 4 to 10000."
        ),
        ge=4,
        le=10_000,
    )
    halves: bool = Field(
        default=True,
        description=(
            "Whether methods are fitted again, lightly, to each half of the data where several "
            "group units by their activity; without it their agreement has no p."
        ),
    )
    gap_s: float = Field(
        default=10.0,
        description=(
            "Seconds between the halves that belong to neither, at least, 0 to 600: longer than "
            "traces are smoothed and than the indicator glows. Where activity stays alike for "
            "longer than a third of it (autocorrelation), three times that."
        ),
        ge=0,
        le=600,
    )
