"""Simulated recordings with known truth, written as NWB files."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline import registry
from pipeline.core.errors import ConfigErrors, PipelineError
from pipeline.core.recording import About, Recording, SampledActivity
from pipeline.core.rng import stream
from pipeline.core.views import TraceEnsemble
from pipeline.io.atomic import replacing
from pipeline.io.nwb.write import write_recording
from pipeline.io.records import read_record, write_record
from pipeline.io.sheets import read_sheet
from pipeline.stages.run_context import StageRun

SEED = 2402
"""The simulation's own seed, so that the demo is the same whatever the run's seed."""
SESSION_START = datetime(2024, 1, 1, 12, tzinfo=UTC)
SHEET_COLUMNS = ("experiment", "recording", "nwb", "subject", "activity", "identity", "truth")
SHEET_NAME = "recordings.tsv"


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
        rows = _write_worms(folder / "worms")
        with replacing(sheet) as temporary:
            lines = ["\t".join(SHEET_COLUMNS), *("\t".join(row) for row in rows)]
            temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return sheet


def _is_there(sheet: Path) -> bool:
    """Whether all that the sheet names is there, and the truth in the form of this version."""
    truth = registry.methods()["connectome"].room("simulate").Truth
    try:
        for folder in {row.truth for row in read_sheet(sheet) if row.truth is not None}:
            read_record(folder / "connectome.h5", truth)
    except (ConfigErrors, PipelineError):
        return False
    return True


def _write_worms(folder: Path) -> list[tuple[str, ...]]:
    """Six simulated worms with named neurons, for the connectome; sheet lines."""
    shutil.rmtree(folder, ignore_errors=True)
    simulate = registry.methods()["connectome"].room("simulate")
    views, truth = simulate.simulate(stream(SEED, "worms"), size="demo")
    write_record(folder / "truth" / "connectome.h5", truth)
    rows: list[tuple[str, ...]] = []
    for view in views:
        recording = recording_of(view)
        write_recording(
            folder / f"{recording.id}.nwb",
            recording,
            description="Simulated worm with planted communities; not a recording of an animal.",
            session_start=SESSION_START,
        )
        path, subject = f"{folder.name}/{recording.id}.nwb", recording.about.subject
        planted = f"{folder.name}/truth"
        rows.append(("worms", recording.id, path, subject, "calcium", "identity", planted))
    return rows


def recording_of(view: TraceEnsemble) -> Recording:
    """A simulated view as the recording that a lab would have made of it."""
    n_units = view.unit.size
    run = StageRun(stage="demo", experiment="worms", recording=view.recording)
    return Recording(
        id=view.recording,
        activity=SampledActivity(
            values=view.values,
            valid=view.valid,
            time=view.time,
            value_unit=view.value_unit,
            signal="dff",
        ),
        units=pd.DataFrame(
            {
                "unit_id": [str(name) for name in view.unit],
                "region": ["head"] * n_units,
                "identity": [str(name) for name in view.identity],
                "identity_certain": view.identity != "",
                "good": np.ones(n_units, dtype=bool),
                "reason": [""] * n_units,
            }
        ),
        trials=pd.DataFrame(
            {"start_s": pd.Series(dtype=float), "stop_s": pd.Series(dtype=float), "condition": []}
        ).astype({"condition": "str"}),
        epochs=view.epochs,
        intervals={},
        stimuli={},
        behaviour={},
        about=About(
            session_id=view.recording,
            subject=f"simulated-{view.recording}",
            species="Caenorhabditis elegans",
            strain="none (simulated)",
            sex="XX",
            age="P3D",
            lab="none (simulated)",
            institution="none (simulated)",
            device="simulation",
            indicator="GCaMP6s (simulated)",
        ),
        provenance=run.provenance(settings={"simulation": "worms"}, inputs={}, seed=SEED),
    )
