"""What was recorded, what of it is used, and what was found while reading."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.core.arrays import blocks
from pipeline.core.notes import Note
from pipeline.core.outcome import Outcome, Status
from pipeline.core.parts import Check, Figure, Number, Section, Table, status_from_checks
from pipeline.core.quality import Grades
from pipeline.core.recording import Recording, SampledActivity, SpikeTrains
from pipeline.core.words import counted
from pipeline.report.contents import behaviour_table, condition_table, stimulus_table
from pipeline.report.example_units import MOST_RECORDINGS, example_units
from pipeline.report.overview import overview, signal_words
from pipeline.report.rasters import raster_figures
from pipeline.report.unit_quality import distributions, measure_table, unit_table

LEAST_USED = 0.8
"""Share of units below which leaving the others out may change the picture."""
MOST_MISSING = 0.05
"""Share of samples above which gaps may change the picture."""
MOST_DOUBTFUL = 0.2
"""Share of units with a remark above which results may be about their faults."""
TOLD_REMARKS = 3
LONGEST_REMARK = 200
"""Remarks, and letters of one, that the check tells; the table has all."""
NAMED_UNITS = 12
NAMED_REGIONS = 6


def data_section(
    recordings: Sequence[Recording],
    notes: Mapping[str, Sequence[Note]],
    failures: Mapping[str, Outcome] | None = None,
    grades: Mapping[str, Grades] | None = None,
) -> Section:
    """The section ``data`` of a report: what was read, remarks, and how good each unit is.

    Parameters
    ----------
    recordings
        Those that could be read, in the order of the sheet.
    notes
        Recording id to remarks made while reading it.
    failures
        Recording id to what happened, for those that could not be read.
    grades
        Recording id to how its units were graded.
    """
    failed = failures or {}
    graded = {each.id: (grades or {}).get(each.id, Grades()) for each in recordings}
    rows = recording_rows(recordings)
    checks = data_checks(recordings, notes, failed, graded)
    if not recordings:
        first = next(iter(failed.values()), None)
        return Section(
            id="data",
            title="Data",
            status="failed",
            sentence="No recording could be read.",
            reason=first.reason if first else "The experiment has no recording.",
            failure=first.failure if first else {},
            body=tuple(_failure_table(failed)),
            checks=checks,
            numbers={"n_recordings": 0, "n_failed": len(failed)},
        )
    status: Status = status_from_checks(checks)
    figures: list[Figure] = [
        overview(recording, n_recordings=len(recordings)) for recording in recordings
    ]
    examples = [
        figure
        for recording in recordings[:MOST_RECORDINGS]
        for make in (example_units, raster_figures)
        for figure in make(recording, graded[recording.id], n_recordings=len(recordings))
    ]
    return Section(
        id="data",
        title="Data",
        status=status,
        sentence=_sentence(recordings, failed, graded),
        body=(
            *_failure_table(failed),
            _recording_table(rows),
            *_unused_table(recordings),
            *_note_table(notes),
            *figures,
            *distributions(recordings, graded),
            *examples,
            *unit_table(recordings, graded),
            *measure_table(recordings, graded),
            *condition_table(recordings),
            *behaviour_table(recordings),
            *stimulus_table(recordings),
        ),
        checks=checks,
        numbers={
            "n_recordings": len(recordings),
            "n_failed": len(failed),
            "n_units": sum(len(recording.units) for recording in recordings),
            "n_units_used": sum(_n_used(recording) for recording in recordings),
            "n_units_doubtful": sum(_n_doubtful(graded[each.id]) for each in recordings),
            "share_missing": missing_share(recordings),
            "duration_s": sum(_duration(recording) for recording in recordings),
        },
    )


def recording_rows(recordings: Sequence[Recording]) -> tuple[dict[str, Number], ...]:
    """One row a recording: who, what, how many, how long."""
    return tuple(_row(recording) for recording in recordings)


def _row(recording: Recording) -> dict[str, Number]:
    activity = recording.activity
    sampled = isinstance(activity, SampledActivity)
    regions = sorted({str(name) for name in recording.units["region"].dropna()} - {""})
    conditions = recording.trials["condition"].dropna().astype(str)
    return {
        "recording": recording.id,
        "subject": recording.about.subject,
        "species": recording.about.species,
        "session_start": recording.about.session_start,
        "kind": recording.kind,
        "signal": activity.signal if isinstance(activity, SampledActivity) else "spikes",
        "units": len(recording.units),
        "units_used": _n_used(recording),
        "duration_s": _duration(recording),
        "rate_hz": activity.rate_hz if isinstance(activity, SampledActivity) else None,
        "mean_spike_rate_hz": None if sampled else _mean_spike_rate(recording),
        "regions": _listed(regions, NAMED_REGIONS),
        "trials": len(recording.trials),
        "conditions": int(conditions[conditions != ""].nunique()),
        "epochs": len(recording.epochs),
    }


def data_checks(
    recordings: Sequence[Recording],
    notes: Mapping[str, Sequence[Note]],
    failures: Mapping[str, Outcome],
    grades: Mapping[str, Grades],
) -> tuple[Check, ...]:
    """Whether recordings were read, units used and clear, samples there, files unremarkable."""
    total = len(recordings) + len(failures)
    checks = [
        Check(
            name="Recordings read",
            status="fail" if failures else "pass",
            value=f"{len(recordings)} of {total}",
            threshold="all",
            meaning="Recordings that could not be read are missing from every result."
            if failures
            else "Every recording of the experiment is part of the results.",
            advice="Repair or exclude the recordings named below." if failures else "",
        )
    ]
    if recordings:
        checks += [_used_check(recordings), *_missing_check(recordings), _note_check(notes)]
        checks += _doubt_check(recordings, grades)
    return tuple(checks)


def _used_check(recordings: Sequence[Recording]) -> Check:
    units = sum(len(recording.units) for recording in recordings)
    used = sum(_n_used(recording) for recording in recordings)
    share = used / units if units else 0.0
    enough = share >= LEAST_USED
    few = "Few units were left out." if used < units else "No unit was left out."
    return Check(
        name="Units used",
        status="pass" if enough else "warn",
        value=f"{used} of {units} ({_whole_percent(used, units)})",
        threshold=f"at least {100 * LEAST_USED:.0f} %",
        meaning=few if enough else "Results describe a selection of the recorded units.",
        advice="" if enough else "Read the reasons below before generalising.",
    )


def _doubt_check(recordings: Sequence[Recording], grades: Mapping[str, Grades]) -> list[Check]:
    known = [grades[recording.id] for recording in recordings if grades[recording.id].units]
    used = sum(sum(map(bool, each.units["good"])) for each in known)
    if not used:
        return []
    doubtful = sum(map(_n_doubtful, known))
    few = doubtful <= MOST_DOUBTFUL * used
    return [
        Check(
            name="Units without remarks",
            status="pass" if few else "warn",
            value=f"{used - doubtful} of {used} ({_whole_percent(used - doubtful, used)})",
            threshold=f"at least {100 * (1 - MOST_DOUBTFUL):.0f} %",
            meaning="No unit that is used is doubtful."
            if not doubtful
            else "Few of the units used are doubtful."
            if few
            else "Many of the units used are doubtful, so that results may be about their faults.",
            advice=""
            if few
            else "See the units below; prepare.quality has settings that leave units out.",
        )
    ]


def _missing_check(recordings: Sequence[Recording]) -> list[Check]:
    share = missing_share(recordings)
    if share is None:
        return []
    few = share <= MOST_MISSING
    return [
        Check(
            name="Missing samples",
            status="pass" if few else "warn",
            value=f"{100 * share:.2g} %",
            threshold=f"at most {100 * MOST_MISSING:.0f} %",
            meaning="No sample of the units used is missing."
            if share == 0
            else "Almost all samples of the units used are there."
            if few
            else "Gaps are large enough to carry structure of their own.",
            advice="" if few else "See where the gaps lie in the overviews below.",
        )
    ]


def _note_check(notes: Mapping[str, Sequence[Note]]) -> Check:
    kinds = [note.kind for each in notes.values() for note in each]
    warned, repaired = kinds.count("warn"), kinds.count("repair")
    kinds_told = ((warned, "warning"), (repaired, "repair"))
    told = ", ".join(counted(number, noun) for number, noun in kinds_told if number)
    return Check(
        name="Files as expected",
        status="warn" if warned or repaired else "pass",
        value=told or "no warning",
        threshold="none",
        meaning=remarks_in_short(notes)
        if told
        else "Nothing had to be mended or doubted while reading.",
        advice="Each file's remarks are in a table below." if told else "",
    )


def remarks_in_short(notes: Mapping[str, Sequence[Note]]) -> str:
    """What was doubted or mended, remarks that differ only in numbers told once."""
    alike: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    for recording, each in notes.items():
        for note in each:
            if note.kind != "info":
                key = (note.kind, note.place, re.sub(r"[0-9.]+", "#", note.text))
                alike.setdefault(key, []).append((recording, note.text))
    told = []
    ordered = sorted(alike.items(), key=lambda item: item[0][0] != "warn")
    for (kind, _, _), found in ordered[:TOLD_REMARKS]:
        recording, text = found[0]
        word = "Repaired" if kind == "repair" else "Warning"
        recordings = {name for name, _ in found}
        others = f" (alike in {len(recordings)} recordings)" if len(recordings) > 1 else ""
        short = text if len(text) <= LONGEST_REMARK else f"{text[:LONGEST_REMARK].rstrip()}…"
        told.append(f"{word} in {recording}{others}: {short}")
    more = len(alike) - len(told)
    return " ".join([*told, *([f"And {counted(more, 'remark')} more."] if more else [])])


def missing_share(recordings: Sequence[Recording]) -> float | None:
    """Share of samples of used units that are missing; ``None`` without sampled activity."""
    missing = total = 0
    for recording in recordings:
        activity = recording.activity
        if not isinstance(activity, SampledActivity):
            continue
        good = recording.units["good"].to_numpy(dtype=bool)
        present = sum(int(np.count_nonzero(valid[:, good])) for _, valid in blocks(activity.valid))
        cells = activity.time.size * int(good.sum())
        missing, total = missing + cells - present, total + cells
    return missing / total if total else None


def _sentence(
    recordings: Sequence[Recording],
    failures: Mapping[str, Outcome],
    grades: Mapping[str, Grades],
) -> str:
    units = sum(len(recording.units) for recording in recordings)
    used = sum(_n_used(recording) for recording in recordings)
    subjects = {recording.about.subject for recording in recordings} - {""}
    kinds = " and ".join(sorted({recording.kind for recording in recordings}))
    durations = [_duration(recording) for recording in recordings]
    lasting = (
        f"lasting {durations[0]:.4g} s"
        if len(durations) == 1
        else f"lasting {durations[0]:.4g} s each"
        if max(durations) - min(durations) < 0.01 * max(durations)
        else f"lasting {min(durations):.4g} to {max(durations):.4g} s"
    )
    # Files of one animal may name it differently, and files of several may not name any.
    animals = f" of {counted(len(subjects), 'named animal')}" if subjects else ""
    doubtful = sum(_n_doubtful(grades[recording.id]) for recording in recordings)
    doubted = f", {doubtful} of them doubtful" if doubtful else ""
    missed = f"; {counted(len(failures), 'recording')} could not be read" if failures else ""
    return (
        f"{counted(len(recordings), 'recording')} ({kinds}){animals}, {lasting}; {used} of {units} "
        f"units are used{doubted}{missed}."
    )


def _recording_table(rows: Sequence[Mapping[str, Number]]) -> Table:
    names = {
        "recording": "Recording",
        "subject": "Subject",
        "kind": "Kind",
        "units": "Units",
        "units_used": "Used",
        "duration_s": "Duration (s)",
        "rate_hz": "Sampling (Hz)",
        "mean_spike_rate_hz": "Spike rate (Hz)",
        "regions": "Regions",
        "trials": "Trials",
        "conditions": "Conditions",
        "epochs": "Epochs",
    }
    columns = {name: tuple(row[key] for row in rows) for key, name in names.items()}
    columns["Kind"] = tuple(
        str(row["kind"])
        if row["signal"] == row["kind"]
        else f"{row['kind']}, {signal_words(str(row['signal']))}"
        for row in rows
    )
    told = {
        name: cells for name, cells in columns.items() if any(c not in (None, "", 0) for c in cells)
    }
    return Table(
        id="recordings",
        title="Recordings",
        caption=(
            "As the files tell it; duration is first to last sample, or the time observed. Columns "
            "without any entry are left out."
        ),
        columns=told,
    )


def _unused_table(recordings: Sequence[Recording]) -> list[Table]:
    rows: list[tuple[Number, ...]] = []
    for recording in recordings:
        unused = recording.units[~recording.units["good"].to_numpy(dtype=bool)]
        for reason, group in unused.groupby("reason", sort=True):
            ids = [str(unit) for unit in group["unit_id"]]
            rows.append((recording.id, str(reason), len(ids), _listed(ids, NAMED_UNITS)))
    if not rows:
        return []
    return [
        Table(
            id="units-not-used",
            title="Units not used",
            caption="They stay in the stored recording, marked with the reason.",
            columns=dict(
                zip(
                    ("Recording", "Reason", "Units", "Which"),
                    zip(*rows, strict=True),
                    strict=True,
                )
            ),
        )
    ]


def _note_table(notes: Mapping[str, Sequence[Note]]) -> list[Table]:
    words = {"warn": "warning", "repair": "repair", "info": "remark"}
    rows = [
        (recording, words[note.kind], note.place, note.text)
        for recording, each in notes.items()
        for note in sorted(each, key=lambda note: ("warn", "repair", "info").index(note.kind))
    ]
    if not rows:
        return []
    return [
        Table(
            id="notes",
            title="Remarks on the files",
            caption="Warnings were left as they are; repairs change what is analysed.",
            columns=dict(
                zip(("Recording", "Kind", "Place", "Text"), zip(*rows, strict=True), strict=True)
            ),
        )
    ]


def _failure_table(failures: Mapping[str, Outcome]) -> list[Table]:
    if not failures:
        return []
    return [
        Table(
            id="not-read",
            title="Recordings that could not be read",
            caption="",
            columns={
                "Recording": tuple(failures),
                "Code": tuple(str(each.failure.get("code", "")) for each in failures.values()),
                "Found": tuple(
                    str(each.failure.get("found", each.reason)) for each in failures.values()
                ),
                "What to do": tuple(str(each.failure.get("fix", "")) for each in failures.values()),
            },
        )
    ]


def _whole_percent(part: int, whole: int) -> str:
    """Share in per cent, rounded down, so that 100 % means all; ``0 %`` of nothing."""
    return f"{100 * part // whole if whole else 0} %"


def _n_used(recording: Recording) -> int:
    return int(recording.units["good"].to_numpy(dtype=bool).sum())


def _n_doubtful(grades: Grades) -> int:
    """Units that are used though something is doubtful about them."""
    pairs = zip(grades.units.get("good", ()), grades.units.get("remarks", ()), strict=True)
    return sum(bool(good and remark) for good, remark in pairs)


def _duration(recording: Recording) -> float:
    activity = recording.activity
    if isinstance(activity, SpikeTrains):
        return float(np.diff(activity.observed, axis=1).sum())
    start, stop = activity.span_s
    return stop - start


def _mean_spike_rate(recording: Recording) -> float | None:
    activity = recording.activity
    duration = _duration(recording)
    if not isinstance(activity, SpikeTrains) or duration <= 0 or activity.n_units == 0:
        return None
    return float(activity.n_spikes.mean() / duration)


def _listed(names: Sequence[str], most: int) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
