"""What one report shows, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.core.parts import Number, Section

DATA = "data"
"""Id of the section about what was recorded."""
AGREEMENT = "agreement"
"""Id of the section about agreement between methods."""
PLACEHOLDER_DAYS = frozenset({"1900-01-01", "1970-01-01"})
"""Dates that files carry when the date of recording is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What one job took."""

    job: str
    seconds: float
    peak_mb: float | None = None
    """Largest resident memory in megabytes; ``None`` where it was not measured."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Page:
    """Everything on the report of one experiment.

    Methods that did not run come as sections too, with ``not_applicable`` and the reason.
    """

    experiment: str
    version: str
    """Version of the package."""
    sections: tuple[Section, ...]
    """The section ``data`` first, then the methods in their order, ``agreement`` last."""
    recordings: tuple[Mapping[str, Number], ...] = ()
    """One row a recording, as :func:`pipeline.report.data_section.recording_rows` makes them."""
    reading: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Recording id to the sheet's columns by which it was read, and their entries."""
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Recording id to the names of the files it was read from, in the order of provenance."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """All settings used, nested as in the settings file."""
    changed: tuple[str, ...] = ()
    """Dotted keys of the settings that are not the default."""
    provenance: Mapping[str, object] = field(default_factory=dict)
    computed: str = ""
    """Commit, machines and scheduler's jobs in words: facts of the run, not of its result."""
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Section id to the files it was made from, relative to the experiment's folder;
    ``RECORDING`` in a path stands for the id of each of several recordings."""
    timings: tuple[Timing, ...] = ()
    methods_text: str = ""
    """A paragraph for the methods section of a paper; empty where there is nothing to tell."""
    bibtex: str = ""
    """Entries of what to cite."""
    note: str = ""
    """Why the report is partial, when it is."""
    redact: bool = False
    """Hide who was recorded, where it was computed, and free text."""
    limit_bytes: int = 3_000_000
    """Size to which figures are coarsened or left out, with a visible note."""

    @property
    def methods(self) -> tuple[Section, ...]:
        """The sections of methods."""
        return tuple(each for each in self.sections if each.id not in (DATA, AGREEMENT))

    @property
    def merged(self) -> dict[str, tuple[str, ...]]:
        """Names of units that a method takes as one, by the name of all of them together."""
        return {whole: parts for each in self.sections for whole, parts in each.merged.items()}

    @property
    def agreement(self) -> Section | None:
        """The section about agreement between methods, where there is one."""
        return next((each for each in self.sections if each.id == AGREEMENT), None)
