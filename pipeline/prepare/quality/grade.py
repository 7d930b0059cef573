"""Grades of units: which are not used, which are doubtful, and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import DataError
from pipeline.core.notes import Note
from pipeline.core.quality import Cell, Grades
from pipeline.core.recording import Recording, SampledActivity
from pipeline.core.words import for_number
from pipeline.prepare.config import QualityConfig
from pipeline.prepare.quality.duplicates import (
    Alike,
    alike_traces,
    alike_trains,
    best_of_duplicates,
)
from pipeline.prepare.quality.gathering import Gathering
from pipeline.prepare.quality.measured import Measured
from pipeline.prepare.quality.spikes import measure_spikes
from pipeline.prepare.quality.traces import measure_traces

NAMED = 5
"""Units, or groups of them, that a remark names."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A finding that leaves a unit in use, in words."""

    beside: str
    """As it stands beside the unit."""
    code: str
    """Of the remark on the recording; empty where the reader of the file made it already."""
    kind: Literal["info", "warn"]
    text: str
    """Of the remark, after "5 of 80 units"."""


DOUBTS: Mapping[str, Doubt] = {
    "cut off": Doubt(
        "cut off at the top",
        "IN-C19",
        "warn",
        "[has|have] 1 % or more of [its|their] samples at the maximum and [looks|look] saturated",
    ),
    "bleached": Doubt(
        "bleaching",
        "IN-C40",
        "warn",
        "[loses|lose] 30 % or more of [its|their] baseline, as when dye bleaches",
    ),
    "drifted": Doubt(
        "slow drift",
        "IN-C41",
        "info",
        "[changes|change] steadily by more than 60 % of [its|their] range; what [it shares|they "
        "share] may be drift",
    ),
    "quiet": Doubt(
        "no activity above the noise", "IN-C42", "info", "[holds|hold] nothing but noise"
    ),
    "contaminated": Doubt(
        "spikes of other neurons",
        "IN-S18",
        "warn",
        "[has|have] more spikes within 1.5 ms than 10 % of foreign spikes would explain; [it "
        "is|they are] probably several neurons[| each]",
    ),
    "changed": Doubt(
        "rate changes nine-fold",
        "IN-S19",
        "info",
        "[changes its|change their] rate at least nine-fold from the first to the last third of "
        "the recording; [it|they] may have drifted out of reach",
    ),
    "repeated": Doubt("spikes at the same time", "", "warn", ""),
}


def grade_units(
    recording: Recording, config: QualityConfig, *, gathered: Gathering | None = None
) -> tuple[Recording, Grades, tuple[Note, ...]]:
    """The recording with units that should not be used marked, each with its reason.

    Units are never dropped and no number is changed; a unit that was already marked keeps its
    reason. What is doubtful about units that stay in use is remarked on.

    Parameters
    ----------
    recording
        As it was read.
    config
        From when on a unit is not used.
    gathered
        What was gathered of all samples of the traces while they were read for something else.

    Returns
    -------
    The recording, what was measured of each unit, and remarks for the reader.

    Raises
    ------
    DataError
        If no trace varies (IN-C07).
    """
    place = recording.about.source_series or "-"
    activity = recording.activity
    alike: tuple[Alike, ...] = ()
    if isinstance(activity, SampledActivity):
        seen = gathered if gathered is not None else Gathering.of(activity)
        measured = measure_traces(activity, seen)
        _refuse_constant(measured, place=place)
        if activity.signal != "events":  # these have no noise by which copies could be told
            alike = alike_traces(seen.sample, least=config.duplicate_from)
    else:
        measured = measure_spikes(activity)
        if "violations" not in measured.not_assessed:  # made-up times coincide
            alike = alike_trains(activity, least=config.duplicate_from)
    copies = _Copies.of(measured, alike, left_out=config.duplicates == "leave_out")
    known = [str(reason) for reason in recording.units["reason"]]
    used = recording.units["good"].to_numpy(dtype=bool)
    reasons = [
        old if old or not good else new
        for old, good, new in zip(known, used, _reasons(measured, config), strict=True)
    ]
    ids = list(recording.units["unit_id"].astype(str))
    good = used & np.array([not reason for reason in reasons], dtype=bool)
    for unit, kept in copies.replaced(measured, good).items():
        reasons[unit], good[unit] = f"duplicate of {ids[kept]}", False
    units = recording.units.assign(good=good)
    units["reason"] = units["reason"].astype("str").where(units["reason"] != "", reasons)
    notes = _notes(measured, used, config, ids=ids, place=place)
    notes += copies.notes(config, ids=ids, place=place)
    graded = dataclasses.replace(recording, units=units)
    return graded, _grades(graded, measured, copies), notes


@dataclass(frozen=True, slots=True, eq=False)
class _Copies:
    """Units that are there twice."""

    identical: tuple[tuple[int, ...], ...]
    """Groups of units with the same activity, by index."""
    alike: tuple[Alike, ...]
    """Other pairs that were probably taken from one neuron."""
    left_out: bool
    """Whether only one of them is used."""

    @classmethod
    def of(cls, measured: Measured, alike: Sequence[Alike], *, left_out: bool) -> _Copies:
        same = {(a, b) for group in measured.identical for a in group for b in group}
        others = tuple(pair for pair in alike if (pair.one, pair.other) not in same)
        return cls(measured.identical, others, left_out)

    def replaced(self, measured: Measured, good: NDArray[np.bool_]) -> dict[int, int]:
        """Units that are left out, each with the one that stays."""
        if not self.left_out:
            return {}
        pairs = [
            *(Alike(group[0], unit, 1.0) for group in self.identical for unit in group[1:]),
            *self.alike,
        ]
        usable = [pair for pair in pairs if good[pair.one] and good[pair.other]]
        worth = measured.numbers["snr" if "snr" in measured.numbers else "n_spikes"]
        return best_of_duplicates(usable, worth)

    def remarks(self, ids: Sequence[str]) -> dict[int, list[str]]:
        """What stands beside each of them while all are used."""
        found: dict[int, list[str]] = {}
        if self.left_out:
            return found
        for group in self.identical:
            for unit in group:
                others = [ids[other] for other in group if other != unit]
                found.setdefault(unit, []).append(f"identical to {_listed(others)}")
        partners: dict[int, list[str]] = {}
        for pair in self.alike:
            for unit, other in ((pair.one, pair.other), (pair.other, pair.one)):
                partners.setdefault(unit, []).append(f"{ids[other]} (alike {pair.likeness:.2f})")
        for unit, others in partners.items():
            found.setdefault(unit, []).append(f"duplicate of {_listed(others)}")
        return found

    def notes(self, config: QualityConfig, *, ids: Sequence[str], place: str) -> tuple[Note, ...]:
        """Warnings on the recording."""
        end = (
            "The clearest of each group is used."
            if self.left_out
            else "They were left as they are; probably one cell was taken twice, and counts twice."
        )
        texts = []
        if self.identical:
            named = _listed([" = ".join(ids[unit] for unit in group) for group in self.identical])
            n_units = sum(map(len, self.identical))
            texts.append(f"{n_units} units have activity identical to another one's ({named}).")
        if self.alike:
            pairs = [f"{ids[a.one]} and {ids[a.other]}: {a.likeness:.2f}" for a in self.alike]
            words = for_number(len(pairs), "[pair of units is|pairs of units are]")
            limit = f"{config.duplicate_from:g}"
            texts.append(
                f"{len(pairs)} {words} near-identical, alike by {limit} or more ({_listed(pairs)})."
            )
        kind: Literal["warn", "repair"] = "repair" if self.left_out else "warn"
        return tuple(
            Note(code="IN-C08", kind=kind, place=place, text=f"Duplicates: {text} {end}")
            for text in texts
        )


def _refuse_constant(measured: Measured, *, place: str) -> None:
    constant, empty = measured.findings["constant"], measured.findings["empty"]
    if (constant | empty).all() and constant.any():
        others = f", the other {empty.sum()} have no valid sample" if empty.any() else ""
        raise DataError(
            code="IN-C07",
            place=place,
            found=f"no trace varies: {constant.sum()} of {constant.size} are constant{others}",
            fix="export the recording again, or name another series in column 'series' of the "
            "sheet",
        )


def _reasons(measured: Measured, config: QualityConfig) -> list[str]:
    """Why each unit is not used; empty for those that are."""
    numbers, findings = measured.numbers, measured.findings
    reasons = [""] * next(iter(numbers.values())).size

    def give(units: NDArray[np.bool_], words: Sequence[str] | str) -> None:
        for unit in np.flatnonzero(units).tolist():
            reasons[unit] = reasons[unit] or (words if isinstance(words, str) else words[unit])

    if "missing" in numbers:
        missing = numbers["missing"]
        give(findings["empty"], "no valid samples")
        words = [f"{100 * share:.0f} % of the samples are missing" for share in missing]
        give(missing > config.max_missing, words)
        give(findings["constant"], "constant trace")
        give(numbers["snr"] < config.min_snr, f"SNR below {config.min_snr:g}")
    else:
        give(findings["silent"], "no spikes")
        give(numbers["n_spikes"] < config.min_spikes, f"fewer than {config.min_spikes} spikes")
        limit = config.max_contamination
        give(numbers["contamination"] > limit, f"contamination above {limit:g}")
        give(numbers["presence"] < config.min_presence, f"presence below {config.min_presence:g}")
    return reasons


def _notes(
    measured: Measured,
    used: NDArray[np.bool_],
    config: QualityConfig,
    *,
    ids: Sequence[str],
    place: str,
) -> tuple[Note, ...]:
    """Remarks on the recording, from what was found in units that were not marked before."""

    def note(
        code: str, kind: Literal["info", "warn", "repair"], found: NDArray[np.bool_], text: str
    ) -> tuple[Note, ...]:
        units = found & used
        if not units.any():
            return ()
        which = _listed([ids[unit] for unit in np.flatnonzero(units).tolist()])
        number = int(units.sum())
        text = f"{number} of {units.size} units {for_number(number, text)} ({which})."
        return (Note(code=code, kind=kind, place=place, text=text),)

    notes: tuple[Note, ...] = ()
    if "missing" in measured.numbers:
        missing = measured.numbers["missing"] > config.max_missing
        text = (
            f"[misses|miss] more than {100 * config.max_missing:.0f} % of [its|their] samples and "
            "[is|are] not used"
        )
        notes += note("IN-C03", "repair", missing | measured.findings["empty"], text)
        constant = measured.findings["constant"] & ~missing
        notes += note("IN-C06", "repair", constant, "[is|are] constant and [is|are] not used")
    for name, doubt in DOUBTS.items():
        if doubt.code and name in measured.findings:
            notes += note(doubt.code, doubt.kind, measured.findings[name], doubt.text)
    if "violations" in measured.not_assessed:
        text = (
            f"{measured.not_assessed['violations'].capitalize()}; refractory violations, "
            "contamination, presence and near-duplicates were not assessed."
        )
        notes += (Note(code="IN-S20", kind="warn", place=place, text=text),)
    return notes


def _listed(names: Sequence[str]) -> str:
    more = f", and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _grades(recording: Recording, measured: Measured, copies: _Copies) -> Grades:
    units = recording.units
    ids = list(units["unit_id"].astype(str))
    remarks: list[list[str]] = [[] for _ in ids]
    for name, doubt in DOUBTS.items():
        for unit in np.flatnonzero(measured.findings.get(name, ())).tolist():
            remarks[unit].append(doubt.beside)
    for unit, words in copies.remarks(ids).items():
        remarks[unit] += words
    columns: dict[str, tuple[Cell, ...]] = {
        "unit_id": tuple(ids),
        "good": tuple(units["good"].astype(bool).tolist()),
        "reason": tuple(units["reason"].astype(str)),
        "remarks": tuple("; ".join(each) for each in remarks),
    }
    for name, values in measured.numbers.items():
        columns[name] = tuple(
            float(f"{value:.6g}") if np.isfinite(value) else None for value in values.tolist()
        )
    return Grades(units=columns, not_assessed=dict(measured.not_assessed))
