"""Labels of all methods, joined unit by unit and held against each other."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import registry
from pipeline.agreement.config import AgreementConfig
from pipeline.agreement.moments import states_beside_courses
from pipeline.agreement.pairs import compare_pairs
from pipeline.agreement.section import ID, TITLE, agreement_section
from pipeline.agreement.unit_table import activity_levels, positions, regions, unit_table
from pipeline.core.labelling import Labels
from pipeline.core.outcome import Outcome
from pipeline.core.parts import Section
from pipeline.core.quality import Quality
from pipeline.core.recording import Recording
from pipeline.io.documents import read_document, write_document
from pipeline.io.records import open_record, read_record
from pipeline.io.tables import write_csv
from pipeline.stages.assess import section_without_result
from pipeline.stages.run_context import StageRun


def agreement(
    run: StageRun,
    *,
    recordings: Mapping[str, Path],
    qualities: Mapping[str, Path],
    fits: Mapping[str, Sequence[Path]],
    settings: Mapping[str, Any],
    seed: int,
    section: Path,
    table: Path,
) -> Section:
    """Write what the report says about agreement between methods, and one row a unit.

    Parameters
    ----------
    recordings, qualities
        Recording id to ``recording.h5`` and ``quality.json``, in the order of the sheet.
    fits
        Method to its results: one, or one a recording in folders named by the recordings' ids.
    settings
        The block ``agreement``.
    section, table
        ``section.json`` and ``units.csv``.
    """
    config = AgreementConfig.model_validate(settings)
    rows = pd.DataFrame({"recording": [], "unit": []}, dtype="str")
    try:
        units = unit_tables(recordings)
        grades = {name: read_document(path, Quality).grades for name, path in qualities.items()}
        labels = [method_labels(name, paths, units) for name, paths in fits.items()]
        groupings = [regions(units), *(one for each in labels for one in each.units)]
        groupings = [one for one in groupings if one.label.size]
        rows = unit_table(units, grades, groupings)
        pairs = compare_pairs(
            groupings,
            levels=activity_levels(units, grades),
            places=positions(units),
            unit_ids={name: list(each["unit_id"].astype(str)) for name, each in units.items()},
            n_permutations=config.n_permutations,
            least=config.min_units,
            seed=seed,
        )
        moments = [
            *(one for each in labels for one in each.associations),
            *states_beside_courses(
                [one for each in labels for one in each.states],
                [one for each in labels for one in each.courses],
            ),
        ]
        written = agreement_section(rows, groupings, pairs, moments)
    except Exception as error:
        written = section_without_result(ID, TITLE, run.outcome_of(error))
    write_csv(table, rows)
    write_document(section, written)
    return written


def unit_tables(recordings: Mapping[str, Path]) -> dict[str, pd.DataFrame]:
    """Tables of units of the recordings that could be read."""
    found = {}
    for name, path in recordings.items():
        with open_record(path, Recording, Outcome) as record:
            if isinstance(record, Recording):
                found[name] = record.units
    return found


def method_labels(name: str, paths: Sequence[Path], units: Mapping[str, pd.DataFrame]) -> Labels:
    """Labels of a method; none where it has no result, or groups nothing."""
    spec = registry.methods()[name]
    if importlib.util.find_spec(f"pipeline.methods.{name}.labels") is None:
        return Labels()
    kind = spec.room("result").Result
    results = {path.parent.name: read_record(path, kind, Outcome) for path in paths}
    usable = {key: one for key, one in results.items() if not isinstance(one, Outcome)}
    if not usable:
        return Labels()
    result = next(iter(usable.values())) if spec.pools_recordings else usable
    found: Labels = spec.room("labels").labels(result, units)
    return found
