"""Stimuli of cell types written for a display, and new units typed by their answers to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.errors import DataError
from pipeline.core.rng import stream
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.records import read_record
from pipeline.io.stimulus_files import (
    write_display_file,
    write_moving_picture,
    write_pictures,
    write_stimulus_nwb,
)
from pipeline.io.tables import write_tsv
from pipeline.methods.celltypes.constraints import Display
from pipeline.methods.celltypes.exported import shown_stimuli, stimulus_frames
from pipeline.methods.celltypes.result import CelltypesResult, ModelEvidence
from pipeline.methods.celltypes.typing_units import type_units
from pipeline.stages.typing_recording import answers_of_recording

COLUMNS = ("unit", "type", "response")
"""Of a table of answers: one row a unit and showing; types are numbered from 1, as in reports."""


def export_stimuli(fit: Path, *, folder: Path) -> tuple[Path, ...]:
    """Write the stimuli of all types within the range of the training stimulus.

    Parameters
    ----------
    fit
        The ``fit.h5`` of cell types through a model.
    folder
        Where to write ``stimuli_display.h5``, ``stimuli.nwb``, one moving picture a type and a
        folder with its frames, and the order of the types with their verdicts; made if absent.

    Raises
    ------
    DataError
        If the result has no stimuli of its own (ME-N01).
    """
    result = read_record(fit, CelltypesResult)
    model = _model_of(result, fit)
    display = Display.of_range(model.low, model.high)
    shown = shown_stimuli(model)
    names = tuple(f"type {index + 1}" for index in range(result.n_types))
    channels = tuple(str(name) for name in model.channel)
    made = [folder / "stimuli_display.h5", folder / "stimuli.tsv", folder / "stimuli.nwb"]
    write_display_file(
        made[0],
        shown,
        names=names,
        channels=channels,
        rate_hz=model.frame_rate_hz,
        grey=display.offset,
    )
    write_tsv(
        made[1],
        pd.DataFrame(
            {
                "type": np.arange(1, result.n_types + 1),
                "units": result.size,
                "verdict": result.verdict,
                "out_of_gamut": [display.out_of_gamut(one[None]) for one in model.stimuli],
                "last_frames_that_count": model.window_frames,
            }
        ),
    )
    write_stimulus_nwb(made[2], stimulus_frames(model), source=result.provenance.experiment)
    for index, one in enumerate(shown):
        name = f"type-{index + 1:02d}"
        made += [folder / f"{name}.gif", folder / name]
        write_moving_picture(folder / f"{name}.gif", one, rate_hz=model.frame_rate_hz)
        write_pictures(folder / name, one, channels=channels)
    return tuple(made)


def assign_new(
    fit: Path,
    responses: Path,
    *,
    output: Path,
    seed: int,
    options: ReadOptions | None = None,
    window_s: tuple[float, float] | None = None,
) -> pd.DataFrame:
    """Type new units by which type's stimulus drives them most on their own scale.

    Parameters
    ----------
    fit
        The ``fit.h5`` whose types' stimuli were shown.
    responses
        A tab-separated table with one row a unit and showing: ``unit``, ``type`` (number of the
        type whose stimulus was shown, from 1) and ``response``; or an NWB file with the showings as
        trials, see :func:`~pipeline.stages.typing_recording.answers_of_recording`.
    output
        The table to write: ``unit``, ``type`` (empty where there is none), ``confidence`` (share
        of resamplings of the showings that agree) and ``reason``.
    seed
        Of the resampling.
    options, window_s
        Of an NWB file: how it is read, and when units answer.

    Raises
    ------
    DataError
        If the table lacks a column, names a type that is not there, or holds no number where an
        answer belongs (IN-T02).
    """
    result = read_record(fit, CelltypesResult)
    if responses.suffix.casefold() == ".nwb":
        units, answers = answers_of_recording(
            responses, result, options=options or ReadOptions(), window_s=window_s
        )
    else:
        units, answers = _answers(_table(responses, result.n_types), result.n_types)
    typed = type_units(answers, stream(seed, "assign-new", *units.tolist()))
    found = pd.DataFrame(
        {
            "unit": pd.Series(units.tolist(), dtype="str"),
            "type": pd.array(np.where(typed.labels >= 0, typed.labels + 1, 0), dtype="Int64"),
            "confidence": typed.confidence.round(3),
            "reason": pd.Series(typed.reason.tolist(), dtype="str"),
        }
    )
    found.loc[typed.labels < 0, "type"] = pd.NA
    write_tsv(output, found)
    return found


def _model_of(result: CelltypesResult, fit: Path) -> ModelEvidence:
    if result.model is None:
        raise DataError(
            code="ME-N01",
            file=fit.name,
            found="these types have no stimuli of their own: they come from what was shown",
            fix="show the stimuli that the report names, or fit types through a model",
        )
    return result.model


def _table(path: Path, n_types: int) -> pd.DataFrame:
    """The table of answers, checked."""
    try:
        table = pd.read_csv(path, sep="\t", dtype={"unit": "str"})
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise _unusable(
            path, "-", f"it cannot be read as a tab-separated table: {error}"
        ) from error
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise _unusable(path, missing[0], f"the column is missing; there are {list(table.columns)}")
    for name in ("type", "response"):
        numbers = pd.to_numeric(table[name], errors="coerce")
        wrong = numbers.isna() & table[name].notna()
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise _unusable(path, name, f"line {row + 2} holds {table[name].iloc[row]!r}")
        table[name] = numbers
    known = table["type"].isin(range(1, n_types + 1))
    if not known.all() or table.empty:
        row = int(np.flatnonzero(~known)[0]) if len(table) else 0
        raise _unusable(path, "type", f"line {row + 2} names none of the types 1 to {n_types}")
    return table


def _unusable(path: Path, place: str, found: str) -> DataError:
    return DataError(
        code="IN-T02",
        file=path.name,
        place=place,
        found=found,
        fix=f"give a tab-separated table with the columns {', '.join(COLUMNS)}",
    )


def _answers(table: pd.DataFrame, n_types: int) -> tuple[NDArray[np.str_], NDArray[np.float64]]:
    """Names of units, and answers of shape (type, showing, unit) with NaN where not known."""
    units, column = np.unique(table["unit"].astype(str).to_numpy(dtype=str), return_inverse=True)
    kind = table["type"].to_numpy(dtype=np.int64) - 1
    showing = table.groupby([kind, column]).cumcount().to_numpy()
    answers = np.full((n_types, int(showing.max()) + 1, units.size), np.nan)
    answers[kind, showing, column] = table["response"].to_numpy(dtype=np.float64)
    return units, answers
