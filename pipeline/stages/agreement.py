"""Labels of all methods, joined unit by unit and held against each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import registry
from pipeline.agreement.config import AgreementConfig
from pipeline.agreement.halves import Population, compare_halves
from pipeline.agreement.moments import states_beside_courses
from pipeline.agreement.pairs import compare_pairs
from pipeline.agreement.planted import planted_agreement
from pipeline.agreement.section import ID, TITLE, agreement_section
from pipeline.agreement.unit_table import (
    activity_levels,
    positions,
    regions,
    unit_items,
    unit_table,
)
from pipeline.core.halves import Halves
from pipeline.core.labelling import Labels
from pipeline.core.outcome import Outcome
from pipeline.core.parts import Section
from pipeline.core.quality import Quality
from pipeline.core.resuming import Checkpoint, Loops
from pipeline.io.documents import read_document, write_document
from pipeline.io.hashing import sha256_of
from pipeline.io.records import read_digest, read_record
from pipeline.io.tables import write_csv
from pipeline.stages.assess import section_without_result, unit_tables
from pipeline.stages.checkpoints import Checkpoints, remove_checkpoints
from pipeline.stages.planted import planted, read_truths
from pipeline.stages.run_context import StageRun
from pipeline.stages.termination import checkpointed_work


def agreement(
    run: StageRun,
    *,
    recordings: Mapping[str, Path],
    qualities: Mapping[str, Path],
    fits: Mapping[str, Sequence[Path]],
    halves: Mapping[str, Sequence[Path]],
    truths: Sequence[Path],
    settings: Mapping[str, Any],
    seed: int,
    section: Path,
    table: Path,
) -> Section:
    """Write what the report says about agreement between methods, and one row a unit.

    Ended early, it goes on with the exchanges it was at, as a joining does.

    Parameters
    ----------
    recordings, qualities
        Recording id to ``recording.h5`` and ``quality.json``, in the order of the sheet.
    fits
        Method to its results: one, or one a recording in folders named by the recordings' ids.
    halves
        Method to what was fitted to halves of the data, in the same way; methods that cannot be,
        or were not, are left out.
    truths
        What was planted for all methods, ``METHOD.h5`` each, in simulated recordings.
    settings
        The block ``agreement``.
    section, table
        ``section.json`` and ``units.csv``.
    """
    config = AgreementConfig.model_validate(settings)
    rows = pd.DataFrame({"recording": [], "unit": []}, dtype="str")
    place = section.parent / "parts" / "comparing.h5"
    try:
        units = unit_tables(recordings)
        grades = {name: read_document(path, Quality).grades for name, path in qualities.items()}
        of_method = {name: method_labels(name, paths, units) for name, paths in fits.items()}
        labels = list(of_method.values())
        groupings = [regions(units), *(one for each in labels for one in each.units)]
        groupings = [one for one in groupings if one.label.size]
        rows = unit_table(units, grades, groupings)
        levels, places = activity_levels(units, grades), positions(units)
        unit_ids = {name: list(each["unit_id"].astype(str)) for name, each in units.items()}
        records = [*recordings.values(), *chain(*fits.values()), *chain(*halves.values())]
        made_of = {str(path): read_digest(path) for path in records}
        made_of |= {str(path): sha256_of(path) for path in qualities.values()}
        provenance = run.provenance(settings=settings, inputs=made_of, seed=seed)
        checkpoints = Checkpoints.of(Checkpoint, place, provenance)
        loops = Loops(**checkpoints.arguments())
        with checkpointed_work():
            pairs = compare_pairs(
                groupings,
                levels=levels,
                places=places,
                unit_ids=unit_ids,
                n_permutations=config.n_permutations,
                least=config.min_units,
                seed=seed,
                loops=loops,
            )
        moments = [
            *(one for each in labels for one in each.associations),
            *states_beside_courses(
                [one for each in labels for one in each.states],
                [one for each in labels for one in each.courses],
            ),
        ]
        kind_of = {
            name: one.kind
            for name, each in of_method.items()
            for one in each.units
            if one.from_activity
        }
        found, reasons = read_halves(kind_of, halves, asked=config.halves)
        with checkpointed_work():
            tests = compare_halves(
                list(kind_of.values()),
                found,
                reasons,
                {
                    name: Population(
                        unit=unit_ids[name],
                        item=list(map(str, unit_items(name, units[name]))),
                        level=levels[name],
                        place=places[name],
                    )
                    for name in units
                },
                n_permutations=config.n_permutations,
                least=config.min_units,
                seed=seed,
                loops=loops,
            )
        written = agreement_section(rows, groupings, pairs, moments, tests)
        if written.status == "not_applicable":
            lacking = run.not_applicable(written.reason)
            written = dataclasses.replace(written, failure=lacking.failure)
        elif known := list(planted(read_truths(truths)[0]).values()):
            beside = planted_agreement(known, groupings, pairs, moments)
            written = dataclasses.replace(written, planted=beside)
    except Exception as error:
        written = section_without_result(ID, TITLE, run.outcome_of(error))
    write_csv(table, rows)
    write_document(section, written, experiment=run.experiment)
    remove_checkpoints(place)
    return written


def read_halves(
    kind_of: Mapping[str, str], paths: Mapping[str, Sequence[Path]], *, asked: bool
) -> tuple[dict[str, list[Halves]], dict[str, str]]:
    """Kind of grouping to what was fitted to halves of the data, and to why nothing was.

    Parameters
    ----------
    kind_of
        Method to the kind of its groupings.
    paths
        Method to its files.
    asked
        Whether halves were to be fitted at all.
    """
    found, reasons = {}, {}
    for name, kind in kind_of.items():
        records = [read_record(path, Halves, Outcome) for path in paths.get(name, ())]
        found[kind] = [one for one in records if not isinstance(one, Outcome)]
        lacking = [one.reason for one in records if isinstance(one, Outcome)]
        unasked = "fits to halves of the data were not asked for (agreement.halves)"
        cannot = "it is not fitted to halves of the data"
        reasons[kind] = "; ".join(dict.fromkeys(lacking)) or (cannot if asked else unasked)
    return found, reasons


def method_labels(name: str, paths: Sequence[Path], units: Mapping[str, pd.DataFrame]) -> Labels:
    """Labels of a method; none where it has no result, or groups nothing."""
    spec = registry.methods()[name]
    if not spec.has_room("labels"):
        return Labels()
    kind = spec.room("result").Result
    results = {path.parent.name: read_record(path, kind, Outcome) for path in paths}
    usable = {key: one for key, one in results.items() if not isinstance(one, Outcome)}
    if not usable:
        return Labels()
    result = next(iter(usable.values())) if spec.pools_recordings else usable
    found: Labels = spec.room("labels").labels(result, units)
    return found
