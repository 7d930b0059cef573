"""The simulated recordings as NWB files, what was planted in them, and their sheet."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from pipeline import registry
from pipeline.core.errors import ConfigErrors, PipelineError
from pipeline.core.recording import Recording, SpikeTrains
from pipeline.core.rng import stream
from pipeline.io.atomic import replacing
from pipeline.io.nwb.write import write_recording
from pipeline.io.records import read_record, write_record
from pipeline.io.sheets import read_sheet
from pipeline.stages.demo import cortex, retina
from pipeline.stages.demo.recordings import (
    SEED,
    SESSION_START,
    cortex_recording,
    probe_electrodes,
    retina_recording,
    worm_recording,
)
from pipeline.stages.demo.spiking import SAMPLING_HZ

SIMULATION = "3"
"""Raised by hand in the change that alters a simulation, so that it is written anew."""
SHEET_NAME = "recordings.tsv"
SHEET_COLUMNS = (
    "experiment",
    "recording",
    "nwb",
    "subject",
    "activity",
    "intervals",
    "condition",
    "region",
    "identity",
    "truth",
    "simulation",
)
Row = Mapping[str, str]
"""Entries of a line of the sheet by column."""


def write_demo(folder: Path) -> Path:
    """Write the simulated recordings, their truth and a sheet, unless they are there.

    Parameters
    ----------
    folder
        Where to write; made if absent. The sheet is written last, so that its presence says that
        all is there.

    Returns
    -------
    The sheet.
    """
    sheet = folder / SHEET_NAME
    if not _is_there(sheet):
        rows: list[Row] = []
        for experiment, write in WRITERS.items():
            shutil.rmtree(folder / experiment, ignore_errors=True)
            rows += write(folder / experiment)
        with replacing(sheet) as temporary:
            lines = [[row.get(column, "") for column in SHEET_COLUMNS] for row in rows]
            table = "\n".join("\t".join(line) for line in (SHEET_COLUMNS, *lines))
            temporary.write_text(f"{table}\n", encoding="utf-8")
    return sheet


def _is_there(sheet: Path) -> bool:
    """Whether all of this version's simulation is there, and the truth in the form it has now."""
    truths = truth_types()
    try:
        rows = read_sheet(sheet)
        for row in rows:
            for method, kind in truths[row.experiment].items():
                read_record((row.truth or sheet.parent) / f"{method}.h5", kind)
    except (ConfigErrors, PipelineError, KeyError):
        return False
    return {row.experiment for row in rows} == set(truths) and all(
        row.variables.get("simulation") == SIMULATION for row in rows
    )


def truth_types() -> Mapping[str, Mapping[str, type]]:
    """The record of what was planted, by experiment and method; its file is ``METHOD.h5``."""
    return {
        "worms": {"connectome": registry.methods()["connectome"].room("simulate").Truth},
        "cortex": {
            "biclustering": registry.methods()["biclustering"].room("simulate").Truth,
            "trsa": registry.methods()["trsa"].room("simulate").Truth,
        },
        "retina": {"celltypes": registry.methods()["celltypes"].room("simulate").Truth},
    }


def _write_worms(folder: Path) -> Sequence[Row]:
    """Six worms with named neurons and planted communities."""
    simulate = registry.methods()["connectome"].room("simulate").simulate
    views, truth = simulate(stream(SEED, "worms"), size="demo")
    _write_truth(folder, connectome=truth)
    return [
        _write_recording(
            folder,
            worm_recording(view),
            description="Simulated worm with planted communities; not a recording of an animal.",
            sheet={"identity": "identity"},
        )
        for view in views
    ]


def _write_cortex(folder: Path) -> Sequence[Row]:
    """One session of three areas with planted unit clusters, states and geometries."""
    session = cortex.simulate(stream(SEED, "cortex"))
    _write_truth(folder, biclustering=session.clusters, trsa=session.geometries)
    return [
        _write_recording(
            folder,
            cortex_recording(session),
            description="Simulated areas of cortex with planted clusters of units, states and "
            "geometries of conditions; not a recording of an animal.",
            electrodes=probe_electrodes(),
            sheet={"intervals": "trials", "condition": "condition", "region": "brain_area"},
        )
    ]


def _write_retina(folder: Path) -> Sequence[Row]:
    """One retina with eight planted cell types."""
    session = retina.simulate(stream(SEED, "retina"))
    _write_truth(folder, celltypes=session.truth)
    return [
        _write_recording(
            folder,
            retina_recording(session),
            description="Simulated retina with planted cell types; not a recording of an animal.",
            sheet={"intervals": "trials", "condition": "condition"},
        )
    ]


WRITERS = {"worms": _write_worms, "cortex": _write_cortex, "retina": _write_retina}


def _write_recording(
    folder: Path,
    recording: Recording,
    *,
    description: str,
    sheet: Row,
    electrodes: pd.DataFrame | None = None,
) -> Row:
    """Write one recording; its line of the sheet."""
    spikes = isinstance(recording.activity, SpikeTrains)
    write_recording(
        folder / f"{recording.id}.nwb",
        recording,
        description=description,
        session_start=SESSION_START,
        resolution_s=1 / SAMPLING_HZ if spikes else None,
        region_column=sheet.get("region", "region"),
        electrodes=electrodes,
    )
    return {
        "experiment": folder.name,
        "recording": recording.id,
        "nwb": f"{folder.name}/{recording.id}.nwb",
        "subject": recording.about.subject,
        "activity": recording.kind,
        "truth": f"{folder.name}/truth",
        "simulation": SIMULATION,
        **sheet,
    }


def _write_truth(folder: Path, **planted: object) -> None:
    for method, truth in planted.items():
        write_record(folder / "truth" / f"{method}.h5", truth)
