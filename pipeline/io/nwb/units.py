"""The unit table of a recording: ids, regions and names of neurons."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence

import pandas as pd

from pipeline.core.errors import DataError
from pipeline.core.notes import Note
from pipeline.core.recording import UNIT_COLUMNS
from pipeline.core.words import counted, for_number
from pipeline.io.nwb.accepted import accepted_units
from pipeline.io.nwb.labels import names_region, oddities, told_region, with_counts
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.nwb.tables import as_label, is_text_column

REGION_COLUMNS = ("brain_area", "brain_region", "region", "location")
"""Columns that name a region when the sheet names none; only columns of text count."""

IDENTITY_COLUMNS = ("identity", "neuron", "neuron_name", "neuron_id", "cell_name", "name")
"""Columns that often hold names of identified neurons; they count only if the sheet names them."""


def unit_table(
    ids: Sequence[str],
    columns: pd.DataFrame,
    *,
    place: str,
    fallback_region: Sequence[str],
    options: ReadOptions,
) -> tuple[pd.DataFrame, tuple[Note, ...]]:
    """The unit table with the columns every recording has, then those of the file.

    Parameters
    ----------
    ids
        Row ids of the file's table, one a unit.
    columns
        Scalar columns of the file's table, one row a unit.
    place
        HDF5 path of the file's table.
    fallback_region
        Region of each unit from electrodes or imaging plane, used when no column tells it.

    Raises
    ------
    DataError
        If the sheet names a column that the table does not have.
    """
    unit_ids, notes = _unique_ids(ids, place=place)
    identity, certain, name_notes = _identities(columns, place=place, options=options)
    regions, region_notes = _regions(
        columns, place=place, fallback=fallback_region, options=options
    )
    used, reason, used_notes = accepted_units(columns, place=place, options=options)
    core = pd.DataFrame(
        {
            "unit_id": pd.Series(unit_ids, dtype="str"),
            "region": pd.Series(regions, dtype="str"),
            "identity": pd.Series(identity, dtype="str"),
            "identity_certain": pd.Series(certain, dtype=bool),
            "good": pd.Series(used, dtype=bool),
            "reason": pd.Series(["" if good else reason for good in used], dtype="str"),
        }
    )
    source = _region_source(columns, options=options)
    told = {source: "region", options.identity: "identity"}  # already there under our own name
    there = [name for name, ours in told.items() if name == ours]
    if "region" in there and [as_label(value) for value in columns["region"]] != regions:
        there.remove("region")  # what it says in words is more than the region
    further = columns.drop(columns=there)
    further = further.rename(columns=_own_name).reset_index(drop=True)
    notes += region_notes + name_notes + used_notes
    return pd.concat([core, further], axis=1), notes


def named_column(columns: pd.DataFrame, name: str, *, place: str, sheet_column: str) -> list[str]:
    """A column as labels.

    Raises
    ------
    DataError
        If the table has no such column; the message lists those it has.
    """
    if name not in columns:
        there = ", ".join(columns.columns) or "no columns of one value a row"
        raise DataError(
            code="IN-T02",
            place=place,
            found=f"there is no column '{name}'; the table has: {there}",
            fix=f"correct column '{sheet_column}' of the sheet",
        )
    return [as_label(value) for value in columns[name]]


def _own_name(name: str) -> str:
    """Columns of the file that are called like ours keep their content under another name."""
    return f"{name}_in_file" if name in UNIT_COLUMNS else name


def _unique_ids(ids: Sequence[str], *, place: str) -> tuple[list[str], tuple[Note, ...]]:
    counts = Counter(ids)
    if len(counts) == len(ids):
        return list(ids), ()
    repeated = sorted(one for one, count in counts.items() if count > 1)
    text = (
        f"Duplicate ids: {_twice(repeated, 'id')}; later units with such an id are called id#2 and "
        "so on."
    )
    return _numbered(ids), (Note(code="IN-S12", kind="warn", place=f"{place}/id", text=text),)


def _region_source(columns: pd.DataFrame, *, options: ReadOptions) -> str:
    """The column that tells the region; empty where none does."""
    if options.region:
        return options.region
    known = [name for name in REGION_COLUMNS if name in columns and is_text_column(columns[name])]
    return known[0] if known else ""


def _regions(
    columns: pd.DataFrame, *, place: str, fallback: Sequence[str], options: ReadOptions
) -> tuple[list[str], tuple[Note, ...]]:
    """Region of each unit, and what is odd about the labels; labels are not made one."""
    source = _region_source(columns, options=options)
    if not source:
        return list(fallback), _region_notes(fallback, place=place)
    labels = named_column(columns, source, place=place, sheet_column="region")
    place = f"{place}/{source}"
    written = [
        value if isinstance(value, str) else label
        for value, label in zip(columns[source], labels, strict=True)
    ]
    if not any(map(names_region, labels)):
        return labels, _region_notes(written, place=place)
    regions = [told_region(label) for label in labels]
    text = (
        f"The column describes places in words; the regions named there were taken: "
        f"{with_counts(regions)}."
    )
    note = Note(code="IN-S17", kind="info", place=place, text=text)
    return regions, (note, *_region_notes(regions, place=place))


def _region_notes(labels: Sequence[str], *, place: str) -> tuple[Note, ...]:
    odd = oddities(labels)
    if not odd:
        return ()
    text = (
        f"Region labels: {odd}. Only blanks around a label are taken away; labels are not made "
        f"one. Labels and counts: {with_counts(labels)}."
    )
    return (Note(code="IN-S13", kind="warn", place=place, text=text),)


def _twice(names: Sequence[str], noun: str) -> str:
    """How many names stand twice or more, and the first of them."""
    listed = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    verb = for_number(len(names), "[stands|stand]")
    return f"{counted(len(names), noun)} {verb} twice or more ({listed})"


def _identities(
    columns: pd.DataFrame, *, place: str, options: ReadOptions
) -> tuple[list[str], list[bool], tuple[Note, ...]]:
    if not options.identity:
        return [""] * len(columns), [False] * len(columns), _unused_names(columns, place=place)
    raw = [
        _as_name(name)
        for name in named_column(columns, options.identity, place=place, sheet_column="identity")
    ]
    names = [name.rstrip("? ") for name in raw]
    counts = Counter(name for name in names if name)
    certain = [
        bool(name) and name == written and counts[name] == 1
        for name, written in zip(names, raw, strict=True)
    ]
    twice = sorted(name for name, count in counts.items() if count > 1)
    if not twice:
        return names, certain, ()
    text = (
        f"Duplicate names: {_twice(twice, 'name')}; later ones are called name#2 and so on, and "
        "none of these units counts as identified for certain."
    )
    note = Note(code="IN-C23", kind="repair", place=f"{place}/{options.identity}", text=text)
    return _numbered(names), certain, (note,)


def _unused_names(columns: pd.DataFrame, *, place: str) -> tuple[Note, ...]:
    """A warning about duplicates in a column that seems to name neurons, though it is not used."""
    source = next((name for name in IDENTITY_COLUMNS if name in columns), "")
    if not source or not is_text_column(columns[source]):
        return ()
    counts = Counter(filter(None, (_as_name(as_label(name)) for name in columns[source])))
    twice = sorted(name for name, count in counts.items() if count > 1)
    if not twice or 2 * len(twice) > len(counts):  # rather kinds than names
        return ()
    text = (
        f"Duplicate names: {_twice(twice, 'name')} in column '{source}'; it is not used, as "
        "column 'identity' of the sheet does not name it."
    )
    return (Note(code="IN-C23", kind="warn", place=f"{place}/{source}", text=text),)


def _as_name(text: str) -> str:
    """A name as it is compared: accents written in one way, empty for ``nan``."""
    name = unicodedata.normalize("NFC", text).strip()
    return "" if name.lower() == "nan" else name


def _numbered(names: Sequence[str]) -> list[str]:
    """Names of which later equal ones get ``#2``, ``#3``; empty ones stay empty."""
    taken = set(names)
    seen: Counter[str] = Counter()
    unique: list[str] = []
    for name in names:
        seen[name] += 1
        number, called = seen[name], name
        while name and number > 1 and (called := f"{name}#{number}") in taken:
            number += 1  # the file has such a name of its own
        taken.add(called)
        unique.append(called)
    return unique
