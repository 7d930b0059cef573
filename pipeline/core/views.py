"""What methods see: plain numbers with names, made from a recording by ``pipeline.prepare``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.arrays import ArraySource
from pipeline.core.axes import axes, check_axes, strictly_increasing, table
from pipeline.core.provenance import Provenance

ROLES = ("train", "validation", "test")
"""What a stretch of a stimulus may be for: learning, choosing, judging."""
MEAN_OF_UNITS = "the mean of all units"
"""How views call what regression took out of their traces, where it was that."""
OTHER_CLASS = "class not chosen"
"""Why a view leaves out units that the settings do not choose."""
VIEW_VERSION = 6
"""Raised by hand in the change that alters what views hold, so that they are made anew."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TraceEnsemble:
    """Traces of one recording on a regular time grid, with identities and epochs."""

    recording: str
    time: NDArray[np.float64] = axes("time", unit="s")
    values: NDArray[np.float32] = axes("time", "unit")
    valid: NDArray[np.bool_] = axes("time", "unit")
    unit: NDArray[np.str_] = axes("unit")
    """Ids of the units used."""
    identity: NDArray[np.str_] = axes("unit")
    """Name by which a unit is matched over recordings; empty where it cannot be matched."""
    epochs: pd.DataFrame = table("epoch", ("start_s", "stop_s", "label"))
    left_out: pd.DataFrame = table("left_out", ("what", "count", "reason"))
    rate_hz: float
    signal: str
    value_unit: str
    baseline: str = ""
    """How dF/F was computed here, or why not, in words; empty where that was not in question."""
    regressed: str | None = None
    """What was taken out of the traces by regression, in words; nothing where nothing was."""
    provenance: Provenance

    def __post_init__(self) -> None:
        check_axes(self)
        if not strictly_increasing(self.time):
            raise ValueError("Times of the view do not increase.")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpikeCounts:
    """Spikes of one recording counted in bins of equal width.

    Entries that are not ``observed`` hold 0 and say nothing.
    """

    recording: str
    time_s: NDArray[np.float64] = axes("time_bin", unit="s")
    """Start of each bin."""
    counts: NDArray[np.int32] = axes("time_bin", "unit")
    observed: NDArray[np.bool_] = axes("time_bin", "unit")
    exposure_s: NDArray[np.float32] = axes("time_bin", "unit", unit="s")
    """How much of the bin the unit was seen."""
    segment: NDArray[np.int32] = axes("time_bin")
    """Which stretch without a break a bin belongs to, from 0 on: nothing goes on across a join."""
    unit: NDArray[np.str_] = axes("unit")
    """Ids of the units used."""
    region: NDArray[np.str_] = axes("unit")
    epochs: pd.DataFrame = table("epoch", ("start_s", "stop_s", "label"))
    trials: pd.DataFrame = table("trial", ("start_s", "stop_s", "condition"))
    left_out: pd.DataFrame = table("left_out", ("what", "count", "reason"))
    covariate: NDArray[np.str_] | None = axes("covariate", optional=True)
    """Names of the channels of behaviour; none where the recording has no behaviour."""
    behaviour: NDArray[np.float64] | None = axes("time_bin", "covariate", optional=True)
    """Mean in each bin; NaN where a series does not reach."""
    bin_s: float
    source: str
    """``spikes`` or ``events`` (inferred from calcium)."""
    conversion: str
    """How events became counts, in words; empty for spikes."""
    cut_at: str
    """What ends a stretch: ``gaps`` of the recording, or ``epochs`` as well."""
    provenance: Provenance

    def __post_init__(self) -> None:
        check_axes(self)
        if not strictly_increasing(self.time_s):
            raise ValueError("Times of the view do not increase.")
        if np.any(self.counts < 0) or np.any(self.counts[~self.observed] != 0):
            raise ValueError("Counts are below 0, or stand where nothing was observed.")
        if np.any(np.diff(self.segment) < 0):
            raise ValueError("Segments do not follow each other.")


NO_BASELINE = "no baseline is subtracted"
"""How :attr:`ResponsePatterns.baseline` begins where responses are what was measured."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ResponsePatterns:
    """Responses of one recording's units to trials of named conditions.

    Entries that are not ``valid`` hold 0 and say nothing. Units of one region are a population.
    """

    recording: str
    subject: str
    """Empty where neither the sheet nor the file names it."""
    kind: str
    """``spikes``, or ``calcium`` for any sampled activity."""
    unit: NDArray[np.str_] = axes("unit")
    """Ids of the units used."""
    region: NDArray[np.str_] = axes("unit")
    """``all`` for units without a region."""
    stratum: NDArray[np.str_] = axes("unit")
    """Imaging plane or probe of a unit; empty where the file does not say."""
    position_um: NDArray[np.float64] = axes("unit", "coordinate", unit="um")
    """NaN where not known."""
    condition: NDArray[np.str_] = axes("condition")
    """Labels in the order of the numbers they begin with."""
    condition_of_trial: NDArray[np.int64] = axes("trial")
    fold: NDArray[np.int64] = axes("trial")
    """Repeat or block: the partition for cross-validation."""
    start_s: NDArray[np.float64] = axes("trial", unit="s")
    responses: NDArray[np.float32] = axes("trial", "unit")
    valid: NDArray[np.bool_] = axes("trial", "unit")
    time_bin: NDArray[np.float64] | None = axes("time_bin", unit="s", optional=True)
    """Middle of each bin from the start of the trial; none without courses."""
    courses: NDArray[np.float32] | None = axes("trial", "unit", "time_bin", optional=True)
    """Responses in successive bins."""
    properties: pd.DataFrame = table("condition", ())
    """Columns of the trials that have one value in all trials of a condition."""
    pixels: NDArray[np.float32] | None = axes("condition", "pixel", optional=True)
    """Frames shown in the condition, coarse in space and time."""
    left_out: pd.DataFrame = table("left_out", ("what", "count", "reason"))
    window_s: NDArray[np.float64] = axes("bound", unit="s")
    """Start and stop of the response window from the start of the trial."""
    value_unit: str
    stabilised: str
    """``none``, ``sqrt`` or ``anscombe``."""
    baseline: str
    """What was subtracted, or why nothing, in words."""
    fixed_order: bool
    """Whether conditions followed each other in one order, so that time and condition are mixed."""
    gapless: bool
    """Whether a trial follows the one before it without a pause."""
    provenance: Provenance

    def __post_init__(self) -> None:
        sizes = check_axes(self)
        codes = self.condition_of_trial
        if np.any((codes < 0) | (codes >= sizes["condition"])):
            raise ValueError("A trial has a condition that is not listed.")
        if not np.all(np.isfinite(self.responses)):
            raise ValueError("Responses are not finite.")
        if (self.time_bin is None) != (self.courses is None):
            raise ValueError("Courses and their time bins come together.")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StimulusResponses:
    """Frames of a stimulus, and what the units of one recording answered in each."""

    recording: str
    time: NDArray[np.float64] = axes("frame", unit="s")
    """When each frame appeared."""
    stimulus: ArraySource = axes("frame", "channel", "y", "x")
    """Of type float32, in ``stimulus_unit``."""
    stimulus_unit: str
    channel: NDArray[np.str_] = axes("channel")
    """Names of the channels of the movie, such as colours."""
    content: NDArray[np.int64] = axes("frame")
    """A number for every frame, the same where frames are the same, also in other recordings."""
    again: NDArray[np.int64] = axes("frame")
    """Class of the frames that are shown again after the same frames; -1 where shown once."""
    stretches: pd.DataFrame = table("stretch", ("first", "stop", "role"))
    """Uninterrupted frames from ``first`` to before ``stop``: for ``train``, ``validation`` or
    ``test``. A model never sees frames of one stretch when it answers to another."""
    responses: NDArray[np.float32] = axes("frame", "unit")
    """Spikes in each frame, or the mean trace; 0 where not valid."""
    valid: NDArray[np.bool_] = axes("frame", "unit")
    unit: NDArray[np.str_] = axes("unit")
    """Ids of the units used."""
    label: NDArray[np.str_] = axes("unit")
    """Type of each unit where it is known already; else empty."""
    position: NDArray[np.float64] = axes("unit", "axis", unit="um")
    """Of the unit in the tissue, x and y; NaN where unknown."""
    left_out: pd.DataFrame = table("left_out", ("what", "count", "reason"))
    rate_hz: float
    presentations: bool
    """Whether frames are images that stand by themselves, with no movement between."""
    signal: str
    """``spikes``, or as in :class:`~pipeline.core.recording.SampledActivity`."""
    value_unit: str
    baseline: str = ""
    """How dF/F was computed here, or why not, in words; empty where that was not in question."""
    provenance: Provenance

    def __post_init__(self) -> None:
        sizes = check_axes(self)
        if not strictly_increasing(self.time):
            raise ValueError("Times of the frames do not increase.")
        first, stop = (self.stretches[name].to_numpy(dtype=np.int64) for name in ("first", "stop"))
        if np.any(first < 0) or np.any(stop > sizes["frame"]) or np.any(first >= stop):
            raise ValueError("A stretch has no frames, or frames that are not there.")
        order = np.argsort(first)
        if np.any(first[order][1:] < stop[order][:-1]):
            raise ValueError("A frame belongs to two stretches.")
        unknown = set(self.stretches["role"]) - set(ROLES)
        if unknown:
            raise ValueError(f"Stretches have the unknown roles {sorted(unknown)}.")

    def frames_of(self, role: str) -> NDArray[np.bool_]:
        """Which frames have a role, shape (frame,)."""
        found = np.zeros(self.time.size, dtype=bool)
        for first, stop, name in self.stretches[["first", "stop", "role"]].itertuples(index=False):
            found[first:stop] |= name == role
        return found


View = TraceEnsemble | SpikeCounts | ResponsePatterns | StimulusResponses
"""Any view a method can ask for."""
