import dataclasses
import json

import h5py
import pytest

from pipeline.core.parts import Section, Table
from pipeline.io.nwb.about import session_start_note
from pipeline.report.document import report_document
from pipeline.report.redact import HIDDEN, Secrets, redacted
from pipeline.report.render import header_facts, render
from tests.support.fake_page import CLOSING, fake_page

SECRETS = ("secret-mouse-7", "cluster-node-12", "2021-03-04", "fit starts", "worm01.nwb")
DANDI = "sub-m7_ses-20210304_ophys.nwb"


def test_without_redaction_the_page_tells_who_and_where():
    text = render(fake_page())
    for secret in SECRETS:
        assert secret in text


def test_redaction_hides_subject_host_and_date_everywhere():
    page = fake_page(redact=True, note="Animal secret-mouse-7 is missing.")
    for text in (render(page), json.dumps(report_document(page))):
        for secret in (*SECRETS, CLOSING):
            assert secret not in text
        assert "worm01" in text
        assert "(hidden)" in text


def test_redaction_leaves_numbers_alone():
    page = fake_page(redact=True)
    shown = report_document(page)
    assert shown["methods"]["connectome"]["numbers"]["n_communities"] == 6
    assert shown["recordings"][0]["units"] == 120


def test_animals_are_counted_before_they_are_hidden():
    page = fake_page()
    assert dict(header_facts(page))["Animals"] == "2"
    text = render(dataclasses.replace(page, redact=True))
    assert "<dt>Animals</dt><dd>2</dd>" in text
    assert "<dt>Recorded</dt>" not in text


SUBJECT_M7 = Secrets.made(
    ids=["worms", "m7_left"],
    subjects=["m7", "A", "12", "4512", "Big mouse_3"],
    starts=["2021-03-04T10:00:00+00:00", "1970-01-01T00:00:00"],
    files={"m7_left": [DANDI, "movies/m7.avi"], "worm2": ["two.nwb"]},
    places=["lab/edges.csv"],
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        # A name of DANDI holds subject and day; "_" ends a word.
        ("sub-m7_ses-20210304 is short", "sub-(hidden)_ses-(hidden) is short"),
        ("of M7 and m70", "of (hidden) and m70"),
        ("big-mouse-3, bigmouse3", "(hidden), (hidden)"),
        # Files that were read have the numbers of provenance.json; of others nothing is told.
        (f"in {DANDI}: no unit", "in file 1 of m7_left: no unit"),
        (f"/home/anna/my lab/{DANDI}.", "file 1 of m7_left."),
        ("movies/m7.avi and M7.AVI", "file 2 of m7_left and file 2 of m7_left"),
        ("other/film.mov lacks frames", "(hidden) lacks frames"),
        # Places on a disk go, places within a file stay.
        ("cannot read /home/anna/lab/x: no", "cannot read (hidden): no"),
        ("'/home/anna/my lab' is a folder", "'(hidden)' is a folder"),
        ("file:///home/anna/a and ~/lab/b", "file:(hidden) and (hidden)"),
        (r"C:\Users\anna\x.nwb is gone", "(hidden) is gone"),
        (r"\\store\anna\x is gone", "(hidden) is gone"),
        ("table 'lab/edges.csv' has no rows", "table '(hidden)' has no rows"),
        ("/processing/ophys/DfOverF/data", "/processing/ophys/DfOverF/data"),
        ("/units/spike_times, /session_start_time", "/units/spike_times, /session_start_time"),
        ("dF/F at 3 / 4, https://doi.org/10.1/x", "dF/F at 3 / 4, https://doi.org/10.1/x"),
        # Days in the forms of file names.
        ("2021-03-04T10:00:00+00:00", HIDDEN),
        ("on 04.03.2021, 2021_03_04 and 210304", "on (hidden), (hidden) and (hidden)"),
        ("0.210304 and 1970-01-01", "0.210304 and 1970-01-01"),
        # Names too short to be told from words and numbers, unless something says what they are.
        ("A unit of 12 in area A", "A unit of 12 in area A"),
        ("sub-12, subject A, Animal 12", "sub-(hidden), subject (hidden), Animal (hidden)"),
        ("4512 and 0.4512, 4512.5", "(hidden) and 0.4512, 4512.5"),
        # Ids of experiments and recordings stay, also where a subject's name is part of them.
        ("recording m7_left of worms", "recording m7_left of worms"),
    ],
)
def test_a_text_tells_neither_names_nor_days_nor_places(text, shown):
    assert SUBJECT_M7.hidden(text) == shown


def test_a_start_that_is_no_date_is_not_quoted():
    with h5py.File("written", "w", driver="core", backing_store=False) as file:
        file["session_start_time"] = "4 March, m8's day"
        (note,) = session_start_note(file)
    assert "March" in note.text
    assert "March" not in Secrets.made().hidden(note.text)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (f"/home/anna/lab/{DANDI}", "file 1 of m7_left"),
        ("/home/anna/results/worms/connectome/fit.h5", "fit.h5"),
        ("views/m7_left.h5", "m7_left.h5"),
        ("anna.h5", HIDDEN),
        ("-", "-"),
    ],
)
def test_a_field_that_names_a_file_tells_a_number_or_a_name_of_ours(name, shown):
    assert SUBJECT_M7.file(name) == shown


def test_a_file_of_two_recordings_is_that_of_neither():
    files = {"r1": ["planes.nwb"], "r2": ["planes.nwb", "data.nwb"], "r3": ["data.nwb"]}
    secrets = Secrets.made(files=files)
    assert secrets.hidden("planes.nwb and data.nwb") == f"file 1 and {HIDDEN}"


def test_a_failure_tells_no_place_on_a_disk():
    failure = {
        "code": "IN-F14",
        "file": f"/home/anna/lab/{DANDI}",
        "place": "/home/anna/lab/links/raw",
        "found": "the link leads to /home/anna/lab/raw.h5, outside of sub-m7_ses-20210304",
        "fix": "copy it beside the recording",
    }
    section = Section(id="trsa", title="T", status="failed", sentence="", failure=failure)
    page = fake_page(
        sections=(section,),
        redact=True,
        recordings=(
            {"recording": "r1", "subject": "m7", "session_start": "2021-03-04T10:00:00+00:00"},
        ),
        files={"r1": (DANDI,)},
    )
    shown = redacted(page).sections[0].failure
    assert shown == {
        "code": "IN-F14",
        "file": "file 1 of r1",
        "place": HIDDEN,
        "found": "the link leads to (hidden), outside of sub-(hidden)_ses-(hidden)",
        "fix": "copy it beside the recording",
    }


def test_hidden_names_of_columns_stay_two():
    table = Table(id="t", title="T", caption="", columns={"m7": (1,), "m8": (2,), "n": (3,)})
    rows = [{"recording": name, "subject": name[-2:]} for name in ("r-m7", "r-m8")]
    page = fake_page(
        sections=(Section(id="data", title="D", status="ok", sentence="", body=(table,)),),
        recordings=tuple(rows),
    )
    (shown,) = redacted(page).sections[0].body
    assert list(shown.columns.values()) == [(1,), (2,), (3,)]
    assert not {"m7", "m8"} & set(shown.columns)


def test_settings_keep_their_names_and_lose_their_places():
    settings = {
        "recordings": "/home/anna/sheet.tsv",
        "out": "results",
        "methods": {
            "connectome": {"rank": 2, "edges": "lab/edges.csv"},
            "celltypes": {"path": "models/m7.pt"},
        },
    }
    page = fake_page(settings=settings, recordings=({"recording": "r1", "subject": "rank"},))
    assert redacted(page).settings == {
        "recordings": HIDDEN,
        "out": "results",
        "methods": {
            "connectome": {"rank": 2, "edges": HIDDEN},
            "celltypes": {"path": HIDDEN},
        },
    }
