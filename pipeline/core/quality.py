"""What is known of a recording's quality: remarks, grades of units, and the numbers behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pipeline.core.notes import Note

Cell = float | int | str | bool | None
Verdict = Literal["accept", "warn", "repair", "reject"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A number of a unit that tells about its quality."""

    title: str
    """Short, with its unit: the head of a column."""
    meaning: str
    """How it is computed and what good and bad look like, in sentences."""


TRACE_MEASURES: Mapping[str, Measure] = {
    "missing": Measure(
        title="Missing (%)", meaning="Share of samples that are NaN or infinite in the file."
    ),
    "noise": Measure(
        title="Noise",
        meaning="Standard deviation of sample-to-sample noise, in the unit of the trace: the "
        "median size of steps between neighbouring samples over 0.954, which is what Gaussian "
        "noise has. Fast activity adds to it.",
    ),
    "noise_per_sqrt_hz": Measure(
        title="Noise (% / sqrt(Hz))",
        meaning="The same made comparable over sampling rates: median step of dF/F in per cent "
        "over the square root of the rate (Rupprecht et al. 2021, Nat Neurosci 24:1324). About 1 "
        "is excellent, 8 is poor.",
    ),
    "snr": Measure(
        title="SNR",
        meaning="Signal to noise: how far the 99th percentile lies above the median, in noise. "
        "Pure noise has 2.3; above 5 transients are plain to see.",
    ),
    "skew": Measure(
        title="Skew",
        meaning="Skewness of the samples: 0 for noise, above 1 for a quiet trace with transients, "
        "negative for dips.",
    ),
    "event_rate_hz": Measure(
        title="Events (Hz)",
        meaning="How often a second the trace rises from its median to 4 times its noise above it.",
    ),
    "baseline_loss": Measure(
        title="Baseline lost (%)",
        meaning="Fall of the baseline (20th percentile) from the first to the last tenth of the "
        "recording, as a share of the first: bleaching where most units have it; negative where it "
        "rises. Only of raw fluorescence and of ratios.",
    ),
    "drift": Measure(
        title="Drift (share of range)",
        meaning="Change of the baseline from the first to the last tenth, as a share of the range "
        "from 5th to 99th percentile. Beyond 0.6 either way slow change is most of the trace.",
    ),
    "at_maximum": Measure(
        title="At maximum (%)",
        meaning="Samples that equal the largest one. More than 1 % look cut off at the top.",
    ),
}
"""Measures of sampled traces, in the order in which they are shown."""

SPIKE_MEASURES: Mapping[str, Measure] = {
    "n_spikes": Measure(title="Spikes", meaning="Number of spikes in the file."),
    "rate_hz": Measure(title="Rate (Hz)", meaning="Spikes a second while the unit was observed."),
    "violations": Measure(
        title="Violations (%)",
        meaning="Share of intervals below 1.5 ms, too short for one neuron.",
    ),
    "contamination": Measure(
        title="Contamination (%)",
        meaning="Spikes of other neurons that would explain these intervals: 1 - sqrt(1 - v T / "
        "(N^2 t)) with v violations among N spikes in T seconds and t = 1.5 ms, if other neurons "
        "fire at random (Hill et al. 2011, J Neurosci 31:8699, for many of them: Llobet et al. "
        "2022, bioRxiv 2022.02.08.479192). Below 10 % is usual for a single unit.",
    ),
    "presence": Measure(
        title="Presence (%)",
        meaning="Hundredths of the observed time with at least one spike. A unit that drifted out "
        "of reach lacks many; so does one that rarely fires.",
    ),
    "rate_change": Measure(
        title="Change of rate",
        meaning="Last minus first third of the observed time over their sum, in spikes: -1 for a "
        "unit that was lost, 1 for one that appeared.",
    ),
    "duplicate_spikes": Measure(
        title="Same time (%)", meaning="Spikes at the very time of another one of the unit."
    ),
}
"""Measures of spike trains, in the order in which they are shown."""

MEASURES: Mapping[str, Measure] = {**TRACE_MEASURES, **SPIKE_MEASURES}

PER_CENT = (
    *("missing", "baseline_loss", "at_maximum"),
    *("violations", "contamination", "presence", "duplicate_spikes"),
)
"""Measures stored as shares that people read in per cent."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grades:
    """How the units of a recording were graded."""

    units: Mapping[str, tuple[Cell, ...]] = field(default_factory=dict)
    """Columns of one entry a unit: ``unit_id``, ``good``, ``reason``, ``remarks``, then measures,
    None where one does not exist for a unit."""
    not_assessed: Mapping[str, str] = field(default_factory=dict)
    """Measure to why it was not taken, for all units."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quality:
    """What ingest accepted, repaired or warned about, and how units were graded."""

    file: str
    verdict: Verdict
    """The gravest of what happened: used as it is, doubted, mended, or not used at all."""
    notes: tuple[Note, ...] = ()
    """What was accepted as it is (``info``), doubted (``warn``) and mended (``repair``)."""
    n_units: int = 0
    n_used: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Reason for not using a unit, and how many units have it."""
    grades: Grades = field(default_factory=Grades)
