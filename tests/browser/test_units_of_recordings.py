"""Units of two recordings with the same ids: the chosen one is marked wherever it is, no other."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from pipeline.agreement.section import units_table
from pipeline.agreement.unit_table import unit_table
from pipeline.core.parts import PAIR, REMARK, Bars, Figure, Heatmap, Line, Lines, Section, Table
from pipeline.core.unit_names import UnitNames
from pipeline.prepare.config import QualityConfig
from pipeline.prepare.quality.grade import grade_units
from pipeline.report.data_section import data_section
from pipeline.report.render import render
from tests.support.fake_page import fake_page
from tests.support.pressing import press
from tests.support.small_recordings import spikes

pytestmark = pytest.mark.browser

RECORDINGS = ("r1", "r2")
IDS = ("3", "5", "7")
MARKED = """() => {
  const figures = Object.fromEntries([...document.querySelectorAll('figure.drawn')].map((one) => [
    one.id, [...one.querySelectorAll('.plot')].flatMap((box) => [
      ...(box.layout?.shapes || []).filter((each) => each.line.width === 1.75),
      ...(box.data || []).filter((each) => each.line?.width === 3.5 || each.marker?.size === 18),
    ]).length + one.querySelectorAll('h4.marked').length]));
  const rows = [...document.querySelectorAll('tr.marked')].map((row) =>
    [row.closest('.tabled').id, [...row.cells].slice(0, 2).map((one) => one.textContent.trim())]);
  const titles = [...document.querySelectorAll('h4.marked')].map((one) => one.textContent);
  return { figures, rows, titles };
}"""


def method_section(called):
    """Figures in which a sign stands before names, and in which names stand in pairs."""
    x = np.arange(4.0)
    first, second = (called(each, "3") for each in RECORDINGS)
    doubted = called("r1", "5")
    pair = f"{first}{PAIR}{doubted}"
    curve = (Line(name="data", y=x),)
    return Section(
        id="connectome",
        title="Tensor connectome",
        status="ok",
        sentence="Units of 2 recordings.",
        body=(
            Figure(
                id="traces",
                title="Back to the traces",
                finding="Found.",
                caption="Made up.",
                alt="Traces.",
                panels=(
                    Heatmap(
                        title="r1",
                        values=np.zeros((3, 4), dtype=np.float32),
                        x_title="Time (s)",
                        y_title="Unit",
                        value_title="Trace (SD)",
                        y_labels=(
                            f"\N{MINUS SIGN}{first}",
                            doubted,
                            f"{second}{REMARK}V1",
                        ),
                    ),
                ),
            ),
            Figure(
                id="lead-lag",
                title="Who changes first",
                finding="Found.",
                caption="Made up.",
                alt="Delays.",
                panels=(
                    Bars(
                        title="Delay",
                        labels=(f"{pair}{REMARK}7{REMARK}*", f"{second}{PAIR}{called('r2', '5')}"),
                        values=np.array([1.0, 2.0]),
                        x_title="Pair",
                        y_title="Delay (s)",
                    ),
                    Lines(title=pair, x=x, lines=curve, x_title="Lag (s)", y_title="Correlation"),
                ),
            ),
            Table(
                id="members",
                title="Members",
                caption="",
                columns={"unit": (first, second), "community": (3, 3)},
            ),
            Table(
                id="counts",
                title="Units by what became of them",
                caption="",
                columns={"what": ("used", "left out"), "units": (3, 5)},
            ),
        ),
    )


def page_of(names, merged=None):
    """A page of recordings with the same ids, the second of which may be the same neuron."""
    records, grades = [], {}
    for name in names:
        record = spikes(name=name)
        units = record.units.assign(
            unit_id=pd.Series(IDS, dtype="str"),
            identity=pd.Series(["", "AVAL", ""], dtype="str"),
            identity_certain=False,
        )
        record, grades[name], _ = grade_units(
            dataclasses.replace(record, units=units), QualityConfig()
        )
        records.append(record)
    data = data_section(records, {}, grades=grades)
    units = {record.id: record.units for record in records}
    rows = unit_table(units, grades, [])
    agreement = Section(
        id="agreement",
        title="Agreement",
        status="ok",
        sentence="One row a unit.",
        body=(units_table(rows),),
    )
    methods = (method_section(UnitNames.of(units).called),) if len(names) > 1 else ()
    methods = tuple(dataclasses.replace(each, merged=merged or {}) for each in methods)
    return fake_page(sections=(data, *methods, agreement))


@pytest.fixture(scope="module")
def page_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    files = {}
    for names in (RECORDINGS, RECORDINGS[:1]):
        files[len(names)] = folder / f"{len(names)}.html"
        files[len(names)].write_text(render(page_of(names)), encoding="utf-8")
    return files


def marked(opened, path, name):
    watched = opened(path)
    watched.page.wait_for_function("() => document.documentElement.dataset.ready === 'yes'")
    watched.draw_all()
    watched.page.locator("#find").fill(name)
    press(watched.page.get_by_role("button", name=f"Mark {name} in "))
    told = watched.page.evaluate(MARKED)
    assert watched.complaints == []
    return {name: count for name, count in told["figures"].items() if count}, told, watched.page


def test_the_unit_of_one_recording_is_marked_in_every_figure_and_row_and_no_other(
    opened, page_files
):
    figures, told, page = marked(opened, page_files[2], "r2:3")
    assert figures == {
        "data-overview-r2": 1,
        "data-examples-r2": 2,  # its curve and its title
        "data-rasters-r2": 1,
        "connectome-traces": 1,
        "connectome-lead-lag": 1,
    }
    assert sorted(told["rows"]) == [
        ["agreement-units", ["r2", "3"]],
        ["connectome-members", ["r2:3", "3"]],
        ["data-units", ["r2", "3"]],
    ]
    assert all(title.startswith("r2:3: ") for title in told["titles"])
    assert page.locator("#marked span").text_content() == (
        "r2:3 is marked in 5 figures and 3 table rows."
    )


def test_a_unit_is_marked_upside_down_and_in_each_of_its_pairs(opened, page_files):
    figures, _, page = marked(opened, page_files[2], "r1:3")
    assert figures["connectome-traces"] == 1
    assert figures["connectome-lead-lag"] == 2  # a bar, and the title of the pair's curve
    assert figures["data-rasters-r1"] == 1
    assert not [name for name in figures if name.endswith("r2")]
    page.locator("#find").fill("r1:")
    page.wait_for_function("() => document.querySelectorAll('#found button').length > 1")
    offered = page.locator("#found button").all_text_contents()
    assert sorted(each.partition(" in ")[0] for each in offered) == [
        f"Mark r1:{name}" for name in ("3", "7", "AVAL?")
    ]


def test_a_unit_whose_identity_is_in_doubt_is_marked_in_its_own_recording_alone(opened, page_files):
    figures, told, _ = marked(opened, page_files[2], "r1:AVAL?")
    assert {"connectome-traces", "connectome-lead-lag", "data-overview-r1"} <= set(figures)
    assert not [name for name in figures if name.endswith("r2")]
    assert sorted(told["rows"]) == [["agreement-units", ["r1", "5"]], ["data-units", ["r1", "5"]]]


def test_the_units_of_an_only_recording_are_called_and_found_without_it(opened, page_files):
    figures, told, _ = marked(opened, page_files[1], "unit 3")
    assert set(figures) == {"data-overview-r1", "data-examples-r1", "data-rasters-r1"}
    assert sorted((table, "3" in cells) for table, cells in told["rows"]) == [
        ("agreement-units", True),
        ("data-units", True),
    ]


def test_a_unit_is_marked_with_the_one_that_stands_for_it_and_for_its_counterpart(opened, tmp_path):
    path = tmp_path / "merged.html"
    path.write_text(render(page_of(RECORDINGS, {"r1:3": ("r2:3", "r2:7")})), encoding="utf-8")
    _, alone, _ = marked(opened, path, "r1:7")
    _, one, page = marked(opened, path, "r2:3")
    assert page.locator("#marked span").text_content().startswith("r2:3 (with r1:3) is marked in ")
    _, both, page = marked(opened, path, "r1:3")
    told = page.locator("#marked span").text_content()
    assert told.startswith("r1:3 (with r2:3 and r2:7) is marked in ")
    units = [
        {tuple(cells) for table, cells in told["rows"] if table == "data-units"}
        for told in (alone, one, both)
    ]
    assert units == [
        {("r1", "7")},
        {("r1", "3"), ("r2", "3")},
        {("r1", "3"), ("r2", "3"), ("r2", "7")},
    ]
    assert one["figures"]["connectome-traces"] == 2
