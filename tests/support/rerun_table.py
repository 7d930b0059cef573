"""What is made anew after a change: the cases that ``test_reruns`` proves, and their table.

.venv/bin/python -m tests.support.rerun_table       writes the table into docs/clusters.md
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "clusters.md"
BEGIN = "<!-- by `python -m tests.support.rerun_table` -->\n"
END = "<!-- end -->\n"

PAGES = frozenset({"report", "index", "provenance", "summary", "all"})
AGREEMENT = frozenset({"agreement"}) | PAGES
HALVES = frozenset({"connectome_halves", "celltypes_halves"}) | AGREEMENT
METHOD = frozenset({"connectome_fit", "connectome_gather", "connectome_assess"})
CONNECTOME = METHOD | AGREEMENT
ONE_OF_TWO = frozenset({"connectome_halves"}) | CONNECTOME
JOINED = CONNECTOME - {"connectome_fit"}
ASSESSED = frozenset({"connectome_assess", "trsa_assess"}) | AGREEMENT
ON_VIEW = frozenset({"prepare_view"}) | CONNECTOME
METHODS = frozenset({"trsa_fit", "trsa_gather", "trsa_assess"}) | CONNECTOME
VIEWS = frozenset({"prepare_view"}) | METHODS
EVERYTHING = frozenset({"ingest"}) | VIEWS
WORDS = {
    frozenset(): "nothing",
    PAGES: "reports, index",
    AGREEMENT: "agreement, reports, index",
    HALVES: "fits to halves of all methods, agreement, reports, index",
    CONNECTOME: (
        "fits, joining and assessment of this method and no other; its fits to halves where there "
        "are any, agreement, reports, index"
    ),
    ONE_OF_TWO: (
        "fits, joining, assessment and fits to halves of this method and no other; agreement, "
        "reports, index"
    ),
    JOINED: (
        "what reads it (of a connectome its joining, of tRSA its fits too) and assessment of this "
        "method; its fits to halves, agreement, reports, index"
    ),
    ASSESSED: "assessment of all methods, agreement, reports, index",
    METHODS: (
        "fits, joining and assessment of all methods; fits to halves, agreement, reports, index"
    ),
    ON_VIEW: "these views, the methods on them and no others, agreement, reports, index",
    VIEWS: "views, all methods on them, agreement, reports, index",
    EVERYTHING: "everything",
}


@dataclass(frozen=True)
class Change:
    """Something that a user, or a new version, changes after a finished run."""

    what: str
    """In words, for the table."""
    anew: frozenset[str]
    """Rules whose jobs are run again."""
    settings: Mapping[str, str | float] = field(default_factory=dict)
    """What is changed in the settings of the test."""
    raised: tuple[str, str] | None = None
    """Module of the package, and the version in it that is raised."""
    project: Callable[[Path], None] | None = None
    """What is done to recordings and sheet in the project's folder."""
    grouped: bool = False
    """Whether it is tried where two methods group units, which are fitted to halves then."""
    words: str = ""
    """What runs again, where it is less than all jobs of these rules."""


def touch_files(folder: Path) -> None:
    """Give recordings, tables and truth a new time and the same content."""
    for path in (*folder.glob("*.nwb"), folder / "known.csv", *folder.glob("truth/*")):
        os.utime(path)


def rewrite_recording(folder: Path) -> None:
    """Give one recording another content of the same size: HDF5 does not look behind its end."""
    with (folder / "one.nwb").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"1")


def put_back_an_old_one(folder: Path) -> None:
    """Give one recording another content and an old time."""
    rewrite_recording(folder)
    os.utime(folder / "one.nwb", (10**9, 10**9))


def put_back_an_old_table(folder: Path) -> None:
    """Give the table of known connections another content and an old time."""
    (folder / "known.csv").write_text("pre,post,weight\nN00,N03,2\n", encoding="utf-8")
    os.utime(folder / "known.csv", (10**9, 10**9))


def plant_something_else(folder: Path) -> None:
    """Give the truth another content, behind what HDF5 looks at, and an old time."""
    with (folder / "truth" / "connectome.h5").open("ab") as file:
        file.write(b"1")
    os.utime(folder / "truth" / "connectome.h5", (10**9, 10**9))


def list_another(folder: Path) -> None:
    """Give the sheet one more recording."""
    with (folder / "sheet.tsv").open("a", encoding="utf-8") as sheet:
        sheet.write("e\tfour\ttwo.nwb\tcalcium\tidentity\ttruth\t\n")


def name_a_subject(folder: Path) -> None:
    """Say in the sheet whose recordings these are."""
    sheet = folder / "sheet.tsv"
    header, *lines = sheet.read_text(encoding="utf-8").splitlines()
    rows = [f"{header}\tsubject", *(f"{line}\tworm" for line in lines)]
    sheet.write_text("\n".join(rows) + "\n", encoding="utf-8")


def move_recordings(folder: Path) -> None:
    """Put the recordings into another folder, and name it in the sheet."""
    (folder / "moved").mkdir(exist_ok=True)
    for path in folder.glob("*.nwb"):
        path.rename(folder / "moved" / path.name)
    sheet = folder / "sheet.tsv"
    text = sheet.read_text(encoding="utf-8")
    sheet.write_text(re.sub(r"\b\w+\.nwb", r"moved/\g<0>", text), encoding="utf-8")


OF_ITS_EXPERIMENT = (
    "the recording and its views; methods, agreement and report of its experiment; index"
)
CHANGES = (
    Change("nothing, or where the checkout lies", frozenset()),
    Change(
        "`run.parts_per_job`, `run.on_method_error`, `run.stalled_after_s`, `run.container`",
        frozenset(),
        {"parts": 1, "on_error": "raise", "stalled": 77, "container": "another.sif"},
    ),
    Change(
        "times of recordings, of tables in settings, of planted truth, and not their content",
        frozenset(),
        project=touch_files,
    ),
    Change(
        "the content of a recording",
        EVERYTHING,
        project=rewrite_recording,
        words=OF_ITS_EXPERIMENT,
    ),
    Change(
        "a recording is replaced by one with an older time",
        EVERYTHING,
        project=put_back_an_old_one,
        words=OF_ITS_EXPERIMENT,
    ),
    Change(
        "a table that a method's settings name is replaced by one with an older time",
        JOINED,
        project=put_back_an_old_table,
    ),
    Change(
        "what was planted is replaced by something with an older time",
        ASSESSED,
        project=plant_something_else,
    ),
    Change(
        "a recording more in the sheet", EVERYTHING, project=list_another, words=OF_ITS_EXPERIMENT
    ),
    Change(
        "what the sheet says of a recording: `subject`",
        EVERYTHING,
        project=name_a_subject,
        words=OF_ITS_EXPERIMENT,
    ),
    Change("the folder in which recordings lie", EVERYTHING, project=move_recordings),
    Change("a setting of the report: `run.redact`", PAGES, {"redact": "true"}),
    Change("`run.page_limit_mb`", PAGES, {"page_limit": 2}),
    Change("`run.table_formats`", PAGES, {"tables": "[csv, parquet]"}),
    Change("`run.figure_formats`", PAGES, {"figures": "[svg]"}),
    Change(
        "a new version of the package that raises none of the others",
        ASSESSED,
        raised=("__init__.py", "__version__"),
    ),
    Change("`agreement.min_units`", AGREEMENT, {"min_units": 9}),
    Change("`agreement.gap_s`, where two methods group units", HALVES, {"gap": 20}, grouped=True),
    Change(
        "`agreement.halves`: false, where two methods group units",
        AGREEMENT,
        {"halves": "false"},
        grouped=True,
    ),
    Change("a setting of one method", CONNECTOME, {"rank": 3}),
    Change(
        "a setting of one method, where two methods group units",
        ONE_OF_TWO,
        {"rank": 3},
        grouped=True,
    ),
    Change("`seed`", METHODS, {"seed": 2}),
    Change(
        "a method's `results_version`",
        CONNECTOME,
        raised=("methods/connectome/__init__.py", "results_version"),
    ),
    Change("settings of views: `prepare.ensemble.rate_hz`", ON_VIEW, {"rate": 1}),
    Change(
        "settings of views that no method sees: `prepare.counts.bin_width_s` without spikes",
        PAGES,
        {"bin_width": 0.25},
    ),
    Change("`VIEW_VERSION`", VIEWS, raised=("core/views.py", "VIEW_VERSION")),
    Change("how recordings are read: `prepare.strict`", EVERYTHING, {"strict": "true"}),
    Change("limits of units: `prepare.quality.min_snr`", EVERYTHING, {"snr": 0.01}),
    Change("`RECORDING_VERSION`", EVERYTHING, raised=("core/recording.py", "RECORDING_VERSION")),
)


def table() -> str:
    """The table in Markdown."""
    rows = [f"| {change.what} | {change.words or WORDS[change.anew]} |" for change in CHANGES]
    return "\n".join(["| what changes | what runs again |", "| --- | --- |", *rows]) + "\n"


def page_with(text: str) -> str:
    """The page with today's table between its marks."""
    found = re.subn(
        rf"(?<={re.escape(BEGIN)}).*(?={re.escape(END)})", lambda _: table(), text, flags=re.DOTALL
    )
    if found[1] != 1:
        raise ValueError(f"{PAGE.name} has no place for the table.")
    return found[0]


if __name__ == "__main__":
    PAGE.write_text(page_with(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
