"""Answers of new units to the types' stimuli, from the trials of an NWB file."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import DataError, NotApplicable
from pipeline.core.provenance import Provenance
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.nwb.read import read_recording
from pipeline.methods.celltypes.objective import Floats
from pipeline.methods.celltypes.result import CelltypesResult
from pipeline.prepare.config import PatternsConfig
from pipeline.prepare.patterns import response_patterns

NUMBERED = re.compile(r"(?:type|stimulus)?[\s_-]*0*(\d+)")
"""How a trial may name an optimised stimulus: ``3``, ``type 3``, ``type-03``, ``stimulus_3``."""
STAGE = "assign-new"


def answers_of_recording(
    path: Path,
    result: CelltypesResult,
    *,
    options: ReadOptions,
    window_s: tuple[float, float] | None,
) -> tuple[NDArray[np.str_], Floats]:
    """Answers of all usable units to every showing of every type's stimulus.

    Trials name the stimulus: by the number of its type where stimuli were optimised (``type 3``),
    by the condition where they were chosen among what was shown. Other trials have no part.

    Parameters
    ----------
    path
        A recording with trials.
    result
        The types.
    options
        How the file is read: which table of intervals, which column, which series.
    window_s
        When units answer, in seconds from the start of a trial. Where ``None``: the frames that
        counted when the stimuli were optimised, or the whole trial (and half a second for calcium).

    Returns
    -------
    Ids of units, and answers of shape (type, showing, unit) with NaN where not known.

    Raises
    ------
    DataError
        If the file has no trials of the stimuli (IN-T02), or cannot be read.
    """
    provenance = Provenance(stage=STAGE, experiment="", package_version="", code_digest="")
    recording, _ = read_recording(path, recording=path.stem, options=options, provenance=provenance)
    window = window_s or _window_of(result)
    try:
        config = PatternsConfig(
            window_s="auto" if window is None else list(window),
            baseline="none" if result.mode == "model" else "auto",
        )
    except ValueError as error:
        raise _unusable(path, f"{window} s is no window of answers") from error
    try:
        view = response_patterns(recording, config, provenance)
    except NotApplicable as error:
        raise _unusable(path, str(error)) from error
    kinds = [type_named(str(name), result) for name in view.condition]
    rows = [
        np.flatnonzero(np.isin(view.condition_of_trial, _places(kinds, kind)))
        for kind in range(result.n_types)
    ]
    most = max(of.size for of in rows)
    if most == 0:
        named = ", ".join(repr(str(name)) for name in view.condition[:6])
        raise _unusable(path, f"no trial names one of the types' stimuli; conditions are {named}")
    answers = np.full((result.n_types, most, view.unit.size), np.nan)
    values = np.where(view.valid, view.responses, np.nan)
    for kind, of in enumerate(rows):
        answers[kind, : of.size] = values[of]
    return view.unit, answers


def type_named(name: str, result: CelltypesResult) -> int | None:
    """The type whose stimulus a condition names, from 0; nothing where it names none."""
    stimuli = [str(stimulus).casefold() for stimulus in result.stimulus]
    if result.mode != "model":
        return stimuli.index(name.casefold()) if name.casefold() in stimuli else None
    found = NUMBERED.fullmatch(name.strip().casefold())
    number = int(found.group(1)) if found else 0
    return number - 1 if 1 <= number <= result.n_types else None


def _places(kinds: list[int | None], kind: int) -> list[int]:
    return [place for place, one in enumerate(kinds) if one == kind]


def _window_of(result: CelltypesResult) -> tuple[float, float] | None:
    """The frames over which answers to an optimised stimulus were averaged, in seconds."""
    model = result.model
    if model is None:
        return None
    n_frames = model.stimuli.shape[2]
    return (
        max(0, n_frames - model.window_frames) / model.frame_rate_hz,
        n_frames / model.frame_rate_hz,
    )


def _unusable(path: Path, found: str) -> DataError:
    return DataError(
        code="IN-T02",
        file=path.name,
        place="trials",
        found=found,
        fix="name the table with --intervals and the column with --condition; trials say 'type 1', "
        "'type 2', ... or, for types without a model, the conditions that the report names",
    )
