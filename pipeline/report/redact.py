"""The same page without who was recorded, where it was computed, and free text."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.core.parts import Section
from pipeline.report.page import PLACEHOLDER_DAYS, Page

HIDDEN = "(hidden)"

SENSITIVE = frozenset(
    {
        "subject", "subject_id", "animal", "session_id", "session_start", "recorded", "identifier",
        "nwb_identifier", "description", "institution", "lab", "genotype", "strain", "age", "sex",
        "host", "hostname", "user", "username", "path", "folder", "cwd", "log", "log_path",
        "log_tail",
        "command", "job_id", "slurm_job", "allow_external",
    }
)  # fmt: skip
"""Names of fields and table columns, in lower case with ``_``, whose values are hidden."""
PLACES = frozenset({"recordings", "out", "edges", "model_tables"})
"""Settings that may name places on a disk, beside those whose names are :data:`SENSITIVE`."""
AS_THEY_ARE = frozenset({"status", "scale"})
"""Fields of records whose words are ours."""

FILE_ENDINGS = (
    "nwb|hdf5|zarr|mat|npy|npz|bin|dat|raw|avi|mp4|mov|mkv|tiff?|png|jpe?g|bmp|gif|xlsx?|pkl"
)
"""Endings of files that are not the pipeline's own, which are hidden by their names alone."""
OWN_FILE = re.compile(r"(?:recording|fit|halves|quality|section|checks|report)\.(?:h5|json)")
HDF5_ROOTS = "acquisition|processing|stimulus|units|intervals|general|specifications|activity"
"""First parts of places within files, which stay. NWB knows ``scratch`` and ``analysis`` as well,
but these are names of folders, too."""
CALLED = "subject|subj|sub|animal|mouse|rat|ferret|monkey|worm|fish|fly|participant|patient|donor"
"""Words behind which even a short name is a subject's."""

_PART = r"[^\s/\\'\"<>|:;,()\[\]]"
_ROOT = (
    rf"(?<![^\s'\"(\[=:,])(?<!https:)(?<!http:)(?:~[\w-]*|\.{{1,2}}|[a-z]:)?[/\\]{{1,3}}"
    rf"(?!(?:{HDF5_ROOTS})(?![\w.-]))(?=\w|\.\w)"
)
_PATH = (
    rf"(?<=['\"]){_ROOT}[^'\"\n]*[/\\][^'\"\n]*(?=['\"])"
    rf"|{_ROOT}(?:(?![.,;] )[^'\"\n;:|<>])*?\.(?:{FILE_ENDINGS}|h5|csv|tsv|json)(?!\w)"
    rf"|{_ROOT}{_PART}+[/\\]{_PART}*(?:[/\\]+{_PART}*)*"
)
_FILE = rf"(?<![^\s'\"<>|:;,()\[\]])(?!FILE\.nwb)[^\s'\"<>|:;,()\[\]]+\.(?:{FILE_ENDINGS})(?!\w)"
_UNREADABLE_START = r"(?<=start of the session is not readable \()(?:'[^']*'|\"[^\"]*\")"


def redacted(page: Page) -> Page:
    """The page with sensitive fields and columns hidden, and what they tell wherever it occurs.

    Hidden in all texts are subjects' names and the days of sessions in the forms in which file
    names have them, paths of the file system, and names of files; a file that was read is told by
    its number among the files of its recording, as in ``provenance.json``. Names of one or two
    letters, or of up to three digits, are hidden in columns and behind words such as ``sub-``.

    Ids of experiments and recordings stay: the person who wrote the sheet chose them.
    """
    secrets = Secrets.of(page)
    return dataclasses.replace(
        page,
        sections=tuple(secrets.without(section) for section in page.sections),
        recordings=tuple(secrets.without(row) for row in page.recordings),
        reading={name: secrets.of_settings(columns) for name, columns in page.reading.items()},
        settings=secrets.of_settings(page.settings),
        provenance=secrets.of_provenance(page.provenance, page.files),
        computed=secrets.hidden(page.computed),
        methods_text=secrets.hidden(page.methods_text),
        note=secrets.hidden(page.note),
        timings=tuple(secrets.without(timing) for timing in page.timings),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Secrets:
    """What must not be told, and how it is found in texts."""

    pattern: re.Pattern[str]
    files: Mapping[str, str]
    """Name of a file that was read, in lower case, to what stands in its place."""
    ids: frozenset[str] = frozenset()

    @classmethod
    def of(cls, page: Page) -> Secrets:
        """What the rows of recordings and the names of their files tell."""
        ids = {page.experiment, *page.files, *(str(row["recording"]) for row in page.recordings)}
        subjects = {str(row["subject"]) for row in page.recordings if row.get("subject")}
        starts = {str(row["session_start"]) for row in page.recordings if row.get("session_start")}
        return cls.made(
            ids=ids,
            subjects=subjects,
            starts=starts,
            files=page.files,
            places=places_named(page.settings),
        )

    @classmethod
    def made(
        cls,
        *,
        ids: Iterable[str] = (),
        subjects: Iterable[str] = (),
        starts: Iterable[str] = (),
        files: Mapping[str, Sequence[str]] | None = None,
        places: Iterable[str] = (),
    ) -> Secrets:
        """The patterns for these names.

        Parameters
        ----------
        ids
            Of experiments and recordings, which stay.
        subjects
            Names of those who were recorded.
        starts
            When sessions began, as ISO 8601 text.
        files
            Recording id to the files it was read from, in the order of their numbers.
        places
            Files and folders that the settings name.
        """
        known = numbered_files(files or {})
        kept = sorted(set(ids))
        patterns = {name: _subject_pattern(name) for name in sorted(set(subjects))}
        patterns |= {  # of a subject called as a recording, the id stays
            name: rf"(?P<id{place}>(?<![^\W_]){re.escape(name)}(?![^\W_]))"
            for place, name in enumerate(kept)
        }
        # Longer ones first, so that none is taken for another by its beginning.
        words = [patterns[name] for name in sorted(patterns, key=len, reverse=True)]
        names = sorted(known, key=len, reverse=True)
        parts = [
            _UNREADABLE_START,
            *(rf"(?<!\w){re.escape(place)}(?!\w)" for place in sorted(places, key=len)[::-1]),
            _PATH,
            *(rf"(?<![\w-]){re.escape(name)}(?!\w)" for name in names),
            _FILE,
            *words,
            *filter(None, map(_day_pattern, sorted(set(starts)))),
        ]
        pattern = re.compile("|".join(f"(?:{part})" for part in parts), re.IGNORECASE)
        return cls(pattern=pattern, files=known, ids=frozenset(kept))

    def hidden(self, text: str) -> str:
        """The text without secrets."""
        return self.pattern.sub(self._instead, text)

    def file(self, name: str) -> str:
        """What a field that names a file may tell: a number, or one of the pipeline's own names."""
        last = re.split(r"[/\\]", name)[-1]
        if name in ("", "-"):
            return name
        if last.casefold() in self.files:
            return self.files[last.casefold()]
        own = OWN_FILE.fullmatch(last) or last.removesuffix(".h5") in self.ids
        return last if own else HIDDEN

    def without(self, value: Any) -> Any:  # Any: any part of a page
        """A record, mapping, sequence or text without secrets, in the same form."""
        if isinstance(value, str):
            return self.hidden(value)
        if isinstance(value, Mapping):
            return self._mapping(value)
        if isinstance(value, (list, tuple)):
            return type(value)(self.without(item) for item in value)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return dataclasses.replace(
                value,
                **{
                    field.name: self._field(field.name, getattr(value, field.name))
                    for field in dataclasses.fields(value)
                    if field.name not in AS_THEY_ARE
                    and not (isinstance(value, Section) and field.name == "id")
                },
            )
        return value

    def of_settings(self, settings: Mapping[str, Any]) -> dict[str, Any]:  # Any: settings
        """Settings without places on a disk; their keys are ours and stay."""
        return {
            key: self.of_settings(value) if isinstance(value, Mapping) else self._entry(key, value)
            for key, value in settings.items()
        }

    def of_provenance(
        self, provenance: Mapping[str, object], files: Mapping[str, Sequence[str]]
    ) -> dict[str, Any]:  # Any: what stands there
        """Provenance with input files by their numbers."""
        told = {
            f"{recording}: {name}": f"{recording}: {number_of(place)}"
            for recording, names in files.items()
            for place, name in enumerate(names)
        }
        inputs = provenance.get("inputs")
        if isinstance(inputs, Mapping):
            by_number = {told.get(key, key): checksum for key, checksum in inputs.items()}
            provenance = {**provenance, "inputs": by_number}
        return self._mapping(provenance)

    def _instead(self, match: re.Match[str]) -> str:
        found = match[0]
        if match.lastgroup and match.lastgroup.startswith("id"):
            return found
        if match.lastgroup and match.lastgroup.startswith("called"):
            return match[match.lastgroup] + HIDDEN
        end = found[len(found.rstrip(".")) :]
        last = re.split(r"[/\\]", found.removesuffix(end))[-1].casefold()
        return self.files.get(found.casefold(), self.files.get(last, HIDDEN)) + end

    def _mapping(self, value: Mapping[Any, Any]) -> dict[str, Any]:  # Any: any part of a page
        found: dict[str, Any] = {}
        for key, item in value.items():
            name = self.hidden(str(key))
            while name in found:  # two names that are hidden are still two
                name += "'"
            found[name] = self._entry(key, item)
        return found

    def _field(self, name: str, value: Any) -> Any:  # Any: a field's value
        if name == "id":  # part of links and file names
            return self.hidden(value).replace(HIDDEN, "hidden")
        return self.without(value)

    def _entry(self, key: object, item: Any) -> Any:  # Any: an entry's value
        name = str(key).strip().lower().replace(" ", "_")
        if name == "file":
            many = isinstance(item, (list, tuple))
            return type(item)(map(self.file, map(str, item))) if many else self.file(str(item))
        if name not in SENSITIVE:
            return self.without(item)
        if isinstance(item, (list, tuple)):
            return type(item)(HIDDEN for _ in item)
        return None if item is None or isinstance(item, np.ndarray) else HIDDEN


def places_named(settings: Mapping[str, Any]) -> set[str]:  # Any: settings
    """Files and folders that settings name, also nested ones."""
    found: set[str] = set()
    for key, value in settings.items():
        if isinstance(value, Mapping):
            found |= places_named(value)
        elif key in PLACES or key == "path":
            listed = value if isinstance(value, (list, tuple)) else (value,)
            found |= {str(each) for each in listed if re.search(r"[/\\.]", str(each))}
    return found


def number_of(place: int) -> str:
    """What stands for the name of a recording's input file, counted from 0."""
    return f"file {place + 1}"


def numbered_files(files: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Name of each file in lower case, with and without its folders, to number and recording.

    The recording is left out where recordings share the file, and so is the number where it is
    another in each.
    """
    found: dict[str, set[tuple[str, str]]] = {}
    for recording, names in files.items():
        for place, name in enumerate(names):
            for known in {name.casefold(), re.split(r"[/\\]", name)[-1].casefold()}:
                found.setdefault(known, set()).add((number_of(place), recording))
    told = {}
    for name, owners in found.items():
        numbers = {number for number, _ in owners}
        ((number, recording), *others) = sorted(owners)
        whose = "" if others else f" of {recording}"
        told[name] = f"{number}{whose}" if len(numbers) == 1 else HIDDEN
    return told


def _subject_pattern(name: str) -> str:
    """Finds a subject's name as a word, also with other signs between its parts; empty for none.

    ``_`` ends a word here: names of files join with it what they tell.
    """
    parts = re.findall(r"[^\W_]+", name)
    core = "".join(parts)
    if not core:
        return re.escape(name)
    joined = r"[\W_]?".join(map(re.escape, parts))
    joined = rf"(?<![^\W_]){joined}(?![^\W_])"
    exact = rf"(?<![^\W_]){re.escape(name)}(?![^\W_])" if name[0].isalnum() else re.escape(name)
    if core.isdigit():
        # Not within a number of more digits or with decimals.
        joined = rf"(?<!\d[.,]){joined}(?![.,]\d)"
        short = len(core) < 4
    else:
        short = len(core) < 3 and core.isalpha()
    if short:
        group = "called" + "".join(f"{ord(letter):x}_" for letter in name)
        return rf"(?P<{group}>(?<![^\W_])(?:{CALLED})s?[\W_]{{1,2}}){joined}"
    return joined if core.isdigit() else f"{exact}|{joined}"


def _day_pattern(start: str) -> str:
    """Finds the day of a session, with or without its time; empty for placeholders."""
    day = re.match(r"(\d\d)(\d\d)-(\d\d)-(\d\d)", start)
    if day is None or start[:10] in PLACEHOLDER_DAYS:
        return ""
    century, year, month, number = day.groups()
    time = r"(?:[T_ ]\d\d:?\d\d[\d:.]*(?:Z|[+-]\d\d:?\d\d)?)?"
    return (
        rf"(?<!\d){century}{year}(?:[-_./ ]?{month}[-_./ ]?{number}){time}(?!\d)"
        rf"|(?<!\d){number}[-_./ ]{month}[-_./ ](?:{century})?{year}(?!\d)"
        rf"|(?<![\d.,]){year}{month}{number}(?!\d)"
    )
