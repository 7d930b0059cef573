"""Results of an experiment written back as NWB, one new file a recording."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import pipeline
from pipeline import registry
from pipeline.core.errors import EnvironmentFault
from pipeline.core.exported import Exported, ResultSeries
from pipeline.core.labelling import Labels, UnitLabels
from pipeline.core.outcome import Outcome
from pipeline.core.parts import Section, Table
from pipeline.core.recording import Recording
from pipeline.io.documents import missing, read_document, read_plain
from pipeline.io.nwb.results import ResultModule, add_results
from pipeline.io.nwb.write import write_recording
from pipeline.io.records import open_record, read_record
from pipeline.stages.agreement import method_labels
from pipeline.stages.assess import unit_tables

AGREEMENT = "agreement"
LEFT_IN_REPORT = ("units",)
"""Tables that the file has elsewhere: labels of units are columns of its units or ROIs."""


def export_results(folder: Path, *, output: Path) -> tuple[Path, ...]:
    """Write one NWB file a recording: activity, trials, behaviour, and all that methods found.

    Labels of units are columns of the table of units or ROIs. Every method with a result has a
    processing module with the tables of its section and, of this recording, states, strengths of
    components, and what its room ``exported`` gives: pair strengths, draws, stimuli of types.
    Movies and images that were shown stay in the files that they came from, and nothing is written
    into these.

    Parameters
    ----------
    folder
        Results of one experiment, such as ``results/E``.
    output
        Folder for ``RECORDING.nwb``; made if absent. Files of an earlier export are replaced.

    Raises
    ------
    EnvironmentFault
        If the experiment has no report yet (RN-R27), or the folder cannot be written (RN-R26).
    """
    document = folder / "report.json"
    if not document.exists():
        fault: EnvironmentFault = missing(document)
        raise fault
    settings = json.dumps(read_plain(document)["settings"], indent=1)
    recordings = {
        path.parent.name: path for path in sorted(folder.glob("recordings/*/recording.h5"))
    }
    units = unit_tables(recordings)
    labels = {name: method_labels(name, _fits(folder, name), units) for name in registry.methods()}
    made = []
    for name, table in units.items():
        modules = _modules(folder, name, labels, table)
        with open_record(recordings[name], Recording) as recording:
            told = _told(recording, _with_labels(table, name, labels))
            made.append(output / f"{name}.nwb")
            write_recording(
                made[-1], told, finish=partial(add_results, modules=modules, settings=settings)
            )
    return tuple(made)


def _fits(folder: Path, method: str) -> list[Path]:
    return [
        path
        for pattern in (f"{method}/fit.h5", f"{method}/*/fit.h5")
        for path in sorted(folder.glob(pattern))
    ]


def _told(recording: Recording, units: pd.DataFrame) -> Recording:
    """The recording with labels, without stimuli, under an identifier of its own."""
    about = recording.about
    identifier = f"{about.nwb_identifier or recording.id}_neuroptych"
    words = f"Results of Neuroptych {pipeline.__version__}. {about.description}".strip()
    return dataclasses.replace(
        recording,
        units=units,
        stimuli={},
        about=dataclasses.replace(about, nwb_identifier=identifier, description=words),
    )


def _with_labels(table: pd.DataFrame, recording: str, labels: Mapping[str, Labels]) -> pd.DataFrame:
    """The table of units with a column a grouping, and one for its probability."""
    found = table.copy()
    for method, each in labels.items():
        for one in each.units:
            name = f"{method}_{one.name}".replace(" ", "_")
            found[name] = _column(one, recording, one.label.astype(object), table, none="")
            if np.isfinite(one.probability).any():
                values = _column(one, recording, one.probability, table, none=np.nan)
                found[f"{name}_probability"] = values.astype(np.float64)
    return found


def _column(
    one: UnitLabels, recording: str, values: np.ndarray, table: pd.DataFrame, *, none: Any
) -> pd.Series[Any]:
    here = one.recording == recording
    known = dict(zip(one.unit[here], values[here], strict=True))
    entries = [known.get(str(unit), none) for unit in table["unit_id"]]
    return pd.Series(entries, index=table.index, dtype="str" if none == "" else "float64")


def _modules(
    folder: Path, recording: str, labels: Mapping[str, Labels], units: pd.DataFrame
) -> list[ResultModule]:
    found = []
    for name in (*registry.methods(), AGREEMENT):
        path = folder / name / "section.json"
        if not path.exists():
            continue
        section = read_document(path, Section)
        if section.status not in ("ok", "warn"):
            continue
        tables = [
            part
            for part in section.body
            if isinstance(part, Table) and part.id not in LEFT_IN_REPORT and _rows(part)
        ]
        beyond = Exported() if name == AGREEMENT else _exported(folder, name, recording, units)
        found.append(
            ResultModule(
                name=name,
                description=f"{section.title}: {section.sentence}",
                tables=tuple(tables),
                rows=beyond.rows,
                series=(*_series(labels.get(name, Labels()), recording), *beyond.series),
                frames=beyond.frames,
            )
        )
    return found


def _exported(folder: Path, method: str, recording: str, units: pd.DataFrame) -> Exported:
    """What a method's result holds of a recording beyond tables and labels."""
    spec = registry.methods()[method]
    if importlib.util.find_spec(f"pipeline.methods.{method}.exported") is None:
        return Exported()
    pooled = spec.pools_recordings
    path = folder / method / "fit.h5" if pooled else folder / method / recording / "fit.h5"
    if not path.exists():
        return Exported()
    result = read_record(path, spec.room("result").Result, Outcome)
    if isinstance(result, Outcome):
        return Exported()
    found: Exported = spec.room("exported").exported(
        result if pooled else {recording: result}, recording, units
    )
    return found


def _rows(table: Table) -> int:
    return max((len(cells) for cells in table.columns.values()), default=0)


def _series(labels: Labels, recording: str) -> list[ResultSeries]:
    states = [
        ResultSeries(
            name="state",
            description="State of the population in each bin, from 1; times are starts of bins of "
            f"{one.bin_s:g} s.",
            time_s=one.start_s,
            values=one.state + 1,
            unit="n.a.",
        )
        for one in labels.states
        if one.recording == recording
    ]
    strengths = [
        ResultSeries(
            name="component_strength",
            description="Strength of each component (column) in each frame.",
            time_s=one.time_s,
            values=one.course,
            unit="a.u.",
        )
        for one in labels.courses
        if one.recording == recording and one.time_s.size
    ]
    return [*states, *strengths]
