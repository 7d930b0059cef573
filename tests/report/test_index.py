import dataclasses

from pipeline.report.document import report_document
from pipeline.report.index import IndexEntry, differences, render_index
from tests.report.test_render import Outline
from tests.support.fake_page import HOSTILE, fake_page


def entry(**changes):
    document = report_document(fake_page(**changes))
    return IndexEntry.of(document, link=f"{document['experiment']}/report.html")


def test_an_entry_tells_status_and_numbers_of_each_method():
    found = entry()
    assert (found.recordings, found.units, found.units_used) == (2, 238, 228)
    assert found.methods["connectome"].status == "warn"
    told = {one.name: one.value for one in found.methods["connectome"].key_numbers}
    assert told == {"components": 4, "reproducibility": 0.61}


def test_the_index_names_methods_by_title_and_key_numbers_with_their_ranges():
    text = Outline(render_index((entry(),))).text
    assert "Reproducibility: 0.61 (0.55 to 0.7, over 5 animals)" in " ".join(text.split())
    assert "Tensor connectome" in text
    assert "biclustering" not in text


def test_the_index_links_each_report_and_says_how_methods_ended():
    outline = Outline(render_index((entry(), entry(experiment="b"))))
    links = [a["href"] for tag, a in outline.elements if tag == "a" and "href" in a]
    assert "worms_2023/report.html" in links
    assert "b/report.html#connectome" in links
    for word in ("Read with care", "Failed", "Not applicable", "228 of 238"):
        assert word in outline.text


def test_markup_in_an_experiment_or_reason_is_shown_as_text():
    document = report_document(fake_page())
    document["experiment"] = HOSTILE
    document["methods"]["trsa"]["reason"] = HOSTILE
    outline = Outline(render_index((IndexEntry.of(document, link="a/report.html"),)))
    assert not [tag for tag, _ in outline.elements if tag == "img"]
    assert outline.text.count(HOSTILE) == 2


def test_settings_that_differ_are_told_and_others_are_not():
    entries = [
        dataclasses.replace(entry(experiment=name), settings={"seed": seed, "a.b": "1"})
        for name, seed in (("x", "1"), ("y", "2"))
    ]
    assert differences(entries) == {"seed": ("1", "2")}
    assert "1 setting differs" in Outline(render_index(entries)).text
    assert "with the same settings" in Outline(render_index(entries[:1])).text


def test_entries_of_the_sheet_that_differ_are_told_by_the_one_of_all_recordings():
    def read(name, *conditions):
        rows = [{"reading": {"activity": "auto", "condition": one}} for one in conditions]
        document = {**report_document(fake_page(experiment=name)), "recordings": rows}
        return IndexEntry.of(document, link=f"{name}/report.html")

    entries = [read("a", "angle", "angle"), read("b", "angle", "angle+contrast"), read("c", "")]
    assert differences(entries) == {"sheet: condition": ("angle", "several", "(empty)")}


def test_an_index_without_experiments_says_so():
    assert "No experiment has a report yet." in Outline(render_index(())).text
