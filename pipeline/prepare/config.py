"""Settings of how recordings are read, and of the views that methods see."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from pipeline.core.method import SettingsBlock


class BaselineConfig(SettingsBlock):
    """How fluorescence becomes dF/F."""

    compute: Literal["auto", "always", "never"] = Field(
        default="auto",
        description=(
            "Whether traces are divided by their running baseline. 'auto' does so with "
            "fluorescence if at least half of the units have a positive baseline throughout; "
            "otherwise the file's traces seem to be corrected already and are taken as they are. "
            "'always' also divides what the file calls dF/F, which mends a ratio to the mean. "
            "Inferred events are never divided."
        ),
    )
    percentile: float = Field(
        default=8.0,
        description=(
            "Percentile of the samples in the window that is the baseline. Lower ones suit units "
            "that are active most of the time."
        ),
        ge=0,
        le=50,
    )
    window_s: float = Field(
        default=60.0,
        description=(
            "Width of the window in seconds, centred on each sample. It should be several times "
            "longer than a unit's activity lasts, and shorter than bleaching takes."
        ),
        gt=0,
        le=86400,
    )
    nonpositive: Literal["leave_out", "missing"] = Field(
        default="leave_out",
        description=(
            "What happens where a baseline is not positive, or below 1 % of the trace's median "
            "size: 'leave_out' does without such units, 'missing' marks only these samples as "
            "missing."
        ),
    )


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
    rate_sigma_s: float = Field(
        default=0.0,
        description=(
            "Width (sigma) in seconds of the Gaussian that turns spikes into rates, 0 to 60, such "
            "as 0.25; 0 leaves recordings of spikes to other methods. The grid then has two frames "
            "a width, unless 'rate_hz' says otherwise."
        ),
        ge=0,
        le=60,
    )
    regress_out: list[Annotated[str, Field(min_length=1)]] = Field(
        default=[],
        description=(
            "What is taken out of every trace by linear regression, before anything else: "
            "'global_mean' (the mean over the units used of their traces in standard deviations) "
            "and series of behaviour by their names in the file, 'NAME[0]' for one channel of "
            "several, without delays. Empty for nothing. Taking out the mean removes common drive "
            "such as movement, and makes units that have nothing to do with each other change in "
            "opposite directions."
        ),
    )
    classes: list[Annotated[str, Field(min_length=1)]] = Field(
        default=[],
        description=(
            "Classes of the units that are used, as they stand in 'class_column', such as "
            "[sensory, inter]; empty for all units."
        ),
    )
    class_column: str = Field(
        default="neuron_class",
        description="Column of the unit table with the class of each unit, for 'classes'.",
        min_length=1,
    )
    dff: BaselineConfig = Field(
        default_factory=BaselineConfig,
        description="dF/F of recordings that hold fluorescence: the change relative to a baseline, "
        "a running percentile.",
    )


class CountsConfig(SettingsBlock):
    """How spikes are counted in bins."""

    bin_width_s: float = Field(
        default=0.5,
        description=(
            "Width of the bins in seconds. Counts should not be nearly all 0 (a mean below 0.02 "
            "is remarked on), and states last for several bins."
        ),
        gt=0,
        le=60,
    )
    cut_at: Literal["auto", "gaps", "epochs"] = Field(
        default="auto",
        description=(
            "Where a stretch of bins ends, across which nothing goes on: 'gaps' of the recording, "
            "or where 'epochs' start and stop as well. 'auto' takes epochs, which may be repeats "
            "laid end to end, unless they cut the recording into pieces of less than 20 bins."
        ),
    )
    event_size: Literal["median"] | Annotated[float, Field(gt=0, le=1e9)] = Field(
        default="median",
        description=(
            "What counts as one event of deconvolved calcium activity: each unit's 'median' of all "
            "values above 0, or a size in the file's unit."
        ),
    )


Window = Annotated[
    list[Annotated[float, Field(ge=-600, le=600)]], Field(min_length=2, max_length=2)
]
"""Start and stop in seconds."""


class PatternsConfig(SettingsBlock):
    """How trials become one response a unit."""

    window_s: Literal["auto"] | Window = Field(
        default="auto",
        description=(
            "Response window as [start, stop] in seconds from the start of a trial. 'auto' is the "
            "median duration of the trials, and half a second more for calcium where no trial "
            "follows before."
        ),
    )
    baseline: Literal["auto", "none", "subtract", "zscore"] = Field(
        default="auto",
        description=(
            "Whether the activity before a trial is subtracted from the response, or also divides "
            "it ('zscore', by its spread over trials). 'auto' subtracts for traces of calcium "
            "whose trials have pauses between them; without pauses it would bring in the trial "
            "before."
        ),
    )
    baseline_s: Literal["auto"] | Window = Field(
        default="auto",
        description=(
            "Baseline window as [start, stop] in seconds from the start of a trial. 'auto' is the "
            "half second before it, or the time of two frames where that is longer."
        ),
    )
    stabilise: Literal["auto", "none", "sqrt", "anscombe"] = Field(
        default="auto",
        description=(
            "What makes the variance of spike counts even: the square root of rates, or "
            "'anscombe' of counts. 'auto' is 'sqrt' for spikes and 'none' for calcium; "
            "Poisson dissimilarities need 'none'."
        ),
    )
    time_bin_s: float = Field(
        default=0.0,
        description=(
            "Width in seconds of the bins in which responses are also kept, for results along the "
            "time of the trial; 0 keeps none."
        ),
        ge=0,
        le=60,
    )
    smooth_s: float = Field(
        default=0.0,
        description="Width (sigma) in seconds of the smoothing over these bins; 0 for none.",
        ge=0,
        le=60,
    )
    min_events: int = Field(
        default=10,
        description=(
            "Least number of spikes in all response windows together of a unit that is used."
        ),
        ge=0,
        le=1_000_000,
    )
    min_reliability: float = Field(
        default=-1.0,
        description=(
            "Least correlation of a unit's mean responses between odd and even repeats; -1 asks "
            "for nothing. Choosing units by it makes populations look more reliable than they are."
        ),
        ge=-1,
        le=1,
    )
    fold: str = Field(
        default="",
        description=(
            "Column of the trials that numbers the blocks for cross-validation; empty counts the "
            "repeats of each condition."
        ),
    )
    normalise_labels: bool = Field(
        default=False,
        description=(
            "Whether conditions whose labels differ only in case and blanks are the same."
        ),
    )
    dff: BaselineConfig = Field(
        default_factory=BaselineConfig,
        description="dF/F of recordings that hold fluorescence, as for the ensemble.",
    )

    @field_validator("window_s", "baseline_s")
    @classmethod
    def _window(cls, value: Literal["auto"] | list[float]) -> Literal["auto"] | list[float]:
        if value != "auto" and not value[0] < value[1]:
            raise ValueError(f"the window starts at {value[0]} and stops at {value[1]}")
        return value


Pixels = Annotated[list[Annotated[int, Field(ge=1, le=1024)]], Field(min_length=2, max_length=2)]
"""Along y and x."""


class ResponsesConfig(SettingsBlock):
    """How a stimulus and the answers to it are put on one grid of frames."""

    stimulus: list[Annotated[str, Field(min_length=1)]] = Field(
        default=[],
        description=(
            "Names of the stimulus series that are used; all where empty. Series whose frames "
            "appeared at the same times are channels of one movie, such as two colours; others "
            "follow one another."
        ),
    )
    rate_hz: Literal["auto"] | Annotated[float, Field(gt=0)] = Field(
        default="auto",
        description=(
            "Frames a second of the view, above 0; 'auto' keeps the stimulus' own rate up to 30. "
            "Frames of another rate are averages of those that were shown, each as long as it "
            "stood."
        ),
    )
    grid: Literal["auto"] | Pixels = Field(
        default="auto",
        description=(
            "Pixels of a frame along y and x; frames are averaged over the area of each. 'auto' "
            "keeps the file's pixels, or joins whole squares of them, up to 48 along each side. "
            "Recordings with frames of different sizes need it to be told."
        ),
    )
    image_window_s: list[Annotated[float, Field(ge=0, le=60)]] = Field(
        default=[0.05, 0.25],
        description=(
            "Where the answer to a single image is looked for, in seconds from its onset. Frames "
            "of movies are answered in their own bins."
        ),
        min_length=2,
        max_length=2,
    )
    repeat_s: float = Field(
        default=1.0,
        description=(
            "Least length in seconds of a stretch of frames that comes again to the bit, for it "
            "to count as shown again. What is shown again is the test."
        ),
        ge=0.1,
        le=60,
    )
    block_s: float = Field(
        default=5.0,
        description=(
            "Length in seconds of the blocks into which frames that are shown once are cut; each "
            "block is for learning, for choosing or for testing."
        ),
        ge=1,
        le=600,
    )
    border_s: Literal["auto"] | Annotated[float, Field(ge=0, le=60)] = Field(
        default="auto",
        description=(
            "How much is left out at the start of a block that follows on one of another kind, in "
            "seconds; the frames that a model needs before its first answer come on top. 'auto' "
            "is none for spikes and 2 for traces, whose indicator remembers."
        ),
    )
    validation_share: float = Field(
        default=0.1,
        description="Share of the blocks by which models are chosen.",
        gt=0,
        le=0.4,
    )
    test_share: float = Field(
        default=0.1,
        description="Share of the blocks kept for the test where nothing is shown again.",
        gt=0,
        le=0.4,
    )
    label_column: str = Field(
        default="cell_type",
        description=(
            "Column of the unit table with types that are known already; only ever compared with."
        ),
        min_length=1,
    )
    dff: BaselineConfig = Field(
        default_factory=BaselineConfig,
        description="dF/F of recordings that hold fluorescence.",
    )

    @field_validator("image_window_s")
    @classmethod
    def _window(cls, value: list[float]) -> list[float]:
        if value[0] >= value[1]:
            raise ValueError(f"the window starts at {value[0]:g} s and ends at {value[1]:g} s")
        return value


class LimitsConfig(SettingsBlock):
    """What a recording may be like at most."""

    max_series_gb: Literal["auto"] | Annotated[float, Field(gt=0, le=10_000)] = Field(
        default="auto",
        description=(
            "Largest series that is read, in gigabytes (10^9 bytes) in memory as its file declares "
            "them; a larger one is refused before anything of it is read. 'auto' is half of the "
            "memory of the machine or job for what must lie in memory, such as spike times, and no "
            "limit for traces and movies, which are read piece by piece."
        ),
    )
    rate_hz: list[Annotated[float, Field(gt=0, le=1e6)]] = Field(
        default=[0.1, 1000.0],
        description=(
            "Lowest and highest believable sampling rate of traces, in Hz. Outside of it the times "
            "are probably no seconds, and the recording is refused."
        ),
        min_length=2,
        max_length=2,
    )

    @field_validator("rate_hz")
    @classmethod
    def _ascending(cls, value: list[float]) -> list[float]:
        if value[0] >= value[1]:
            raise ValueError(
                f"the lowest rate, {value[0]:g}, is not below the highest, {value[1]:g}"
            )
        return value


class QualityConfig(SettingsBlock):
    """From when on a unit is not used. What is merely doubtful is remarked on and used."""

    max_missing: float = Field(
        default=0.5,
        description=(
            "Largest share of missing samples of a trace that is used. Methods see which samples "
            "are missing, so that it need not be small."
        ),
        ge=0,
        le=1,
    )
    min_snr: float = Field(
        default=0.0,
        description=(
            "Least signal to noise of a trace that is used: the distance from the median to the "
            "99th percentile, in standard deviations of the sample-to-sample noise. Pure noise has "
            "2.3; 0 asks for nothing."
        ),
        ge=0,
        le=1000,
    )
    min_spikes: int = Field(
        default=1,
        description="Least number of spikes of a unit that is used.",
        ge=1,
        le=1_000_000,
    )
    max_contamination: float = Field(
        default=1.0,
        description=(
            "Largest share of foreign spikes, as estimated from intervals below 1.5 ms, of a unit "
            "that is used. 0.1 is usual for single units; 1 asks for nothing. Units of which it "
            "cannot be estimated stay in use."
        ),
        ge=0,
        le=1,
    )
    min_presence: float = Field(
        default=0.0,
        description=(
            "Least presence ratio of a unit that is used: the share of a hundred equal stretches "
            "of the recording in which it fires. 0.9 is usual for long recordings of lively units; "
            "0 asks for nothing."
        ),
        ge=0,
        le=1,
    )
    duplicate_from: float = Field(
        default=0.8,
        description=(
            "Likeness from which two units count as one that was taken twice: of traces the "
            "smaller of the correlations of their samples and of their noise, which neurons that "
            "do the same do not share; of spike trains the share of spikes that agree within half "
            "a millisecond. 1 finds only identical ones."
        ),
        ge=0.5,
        le=1,
    )
    duplicates: Literal["remark", "leave_out"] = Field(
        default="remark",
        description=(
            "What happens with units that were taken twice: a 'remark' on each, or 'leave_out', "
            "which uses the one of a group with the best signal to noise, or most spikes."
        ),
    )


class PrepareConfig(SettingsBlock):
    """How recordings are read; and the views, each with its own block."""

    strict: bool = Field(
        default=False,
        description=(
            "Whether a recording is refused when anything about it would be repaired or warned "
            "about."
        ),
    )
    allow_external: list[Annotated[str, Field(min_length=1)]] = Field(
        default=[],
        description=(
            "Folders, besides that of the recording itself, into which links of a recording may "
            "lead; a relative path starts at this settings file."
        ),
    )
    limits: LimitsConfig = Field(
        default_factory=LimitsConfig, description="What a recording may be like at most."
    )
    quality: QualityConfig = Field(
        default_factory=QualityConfig, description="From when on a unit is not used."
    )
    ensemble: EnsembleConfig = Field(
        default_factory=EnsembleConfig, description="Traces on a regular grid, with identities."
    )
    counts: CountsConfig = Field(
        default_factory=CountsConfig, description="Spikes or inferred events counted in bins."
    )
    patterns: PatternsConfig = Field(
        default_factory=PatternsConfig,
        description="Responses of units to trials of named conditions.",
    )
    responses: ResponsesConfig = Field(
        default_factory=ResponsesConfig,
        description="Frames of a stimulus, and the answers to them.",
    )
