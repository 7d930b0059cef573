import dataclasses
import html
import json
import re
from pathlib import Path

import numpy as np

from pipeline.report.data_section import data_section
from pipeline.report.document import plain, report_document, sections_of
from pipeline.report.render import render
from pipeline.report.saved_tables import tables_of_no_section
from pipeline.report.wording import CHECK_WORDS, typeset
from pipeline.stages.report import sources_of
from tests.support.fake_page import fake_page
from tests.support.small_recordings import calcium, spikes

CHECK_ROW = re.compile(
    r'<tr id="(\w+)-check-(\d+)"><td><span [^>]*>.*?</svg> ([^<]*)</span></td>'
    r'<td><strong>([^<]*)</strong></td><td data-name="Value">([^<]*)</td>',
    re.DOTALL,
)


def test_the_document_has_the_methods_with_status_reason_and_numbers():
    document = report_document(fake_page())
    assert set(document) == {
        "experiment",
        "recordings",
        "data",
        "methods",
        "settings",
        "changed_settings",
        "provenance",
    }
    assert list(document["methods"]) == ["connectome", "biclustering", "trsa", "celltypes"]
    connectome = document["methods"]["connectome"]
    assert connectome["status"] == "warn"
    assert connectome["reason"] == (
        "failed: Held-out gain over static correlation; read first: Reproducible across animals"
    )
    assert connectome["numbers"]["n_communities"] == 6
    assert document["methods"]["trsa"]["reason"].startswith("Not applicable")
    assert document["recordings"][0]["units_used"] == 118


def test_every_check_of_the_page_stands_in_the_document_with_its_value_and_status():
    page = fake_page()
    document = report_document(page)
    sections = {"data": document["data"], **sections_of(document)}
    assert list(sections) == [section.id for section in page.sections]
    rows = CHECK_ROW.findall(render(page))
    assert len(rows) == sum(len(each["checks"]) for each in sections.values()) == 5
    for section, place, word, name, value in rows:
        told = sections[section]["checks"][int(place)]
        assert html.unescape(name) == told["name"]
        assert html.unescape(value) == typeset(told["value"])
        assert word == CHECK_WORDS[told["status"]].text
    doubted = document["methods"]["connectome"]["checks"][1]
    assert doubted == {
        "name": "Reproducible across animals",
        "status": "warn",
        "value": "0.61 (n = 5)",
        "threshold": "at least 0.7",
        "meaning": "Components recur in most animals, but not in all.",
        "advice": "Look at animal 3 before pooling.",
        "confound": False,
    }


def test_each_recording_tells_by_which_entries_of_the_sheet_it_was_read():
    read = {"condition": "angle+secret-mouse-7", "series": "/processing/ophys/a"}
    page = fake_page(reading={"worm01": read})
    shown, other = report_document(page)["recordings"]
    assert (shown["reading"], other["reading"]) == (read, {})
    hidden = report_document(dataclasses.replace(page, redact=True))["recordings"][0]["reading"]
    assert hidden == {"condition": "angle+(hidden)", "series": "/processing/ophys/a"}


def test_numbers_of_the_data_stand_in_the_document():
    recordings = [calcium(4, name="r1"), spikes(name="r2")]
    section = data_section(recordings, {})
    document = report_document(fake_page(sections=(section,)))
    assert document["data"]["numbers"] == section.numbers
    assert document["data"]["numbers"]["n_units"] == 7
    assert document["data"]["numbers"]["share_missing"] == 0.0
    assert "n_units_doubtful" in document["data"]["numbers"]
    assert document["methods"] == {}


def test_a_section_names_the_files_it_was_made_from():
    sources = sources_of(["r1", "r2"], {"connectome": Path(), "biclustering": Path()})
    assert sources["connectome"][0] == "connectome/fit.h5"
    assert sources["biclustering"][0] == "biclustering/RECORDING/fit.h5"
    assert sources_of(["r1"], {"biclustering": Path()})["biclustering"][0].startswith(
        "biclustering/r1/"
    )
    page = fake_page(sources=sources, redact=True)
    assert report_document(page)["methods"]["connectome"]["sources"] == [*sources["connectome"]]
    assert report_document(page)["methods"]["trsa"]["sources"] == []
    told = "From results files connectome/fit.h5, connectome/checks.json, connectome/section.json;"
    assert told in render(page)
    assert render(page).count("From results files") == 3  # data and the methods that ran


def test_checks_and_timings_can_be_saved_as_tables():
    page = fake_page()
    checks, timings = tables_of_no_section(page)
    assert checks.columns["section"] == ("data", *["connectome"] * 4)
    assert checks.columns["status"] == ("pass", "fail", "warn", "not_tested", "pass")
    assert checks.columns["value"][2] == "0.61 (n = 5)"
    assert checks.columns["advice"][2] == "Look at animal 3 before pooling."
    assert timings.columns["job"] == ("ingest worm01", "fit connectome", "report")
    assert timings.columns["peak_memory_mb"] == (412.0, 1890.5, None)
    assert tables_of_no_section(fake_page(sections=(), timings=())) == ()


def test_numbers_that_are_not_finite_become_null():
    document = report_document(fake_page())
    assert document["methods"]["connectome"]["numbers"]["undefined"] is None
    json.dumps(document, allow_nan=False)


def test_numpy_values_become_plain_ones():
    content = {"a": np.float32(1.5), "b": np.array([1, 2]), "c": np.inf, "d": (np.bool_(True),)}
    assert plain(content) == {"a": 1.5, "b": [1, 2], "c": None, "d": [True]}
