import pytest

from pipeline.report.document import report_document
from pipeline.report.index import IndexEntry, render_index
from tests.support.fake_page import HOSTILE, fake_page
from tests.support.pressing import press

pytestmark = pytest.mark.browser


@pytest.fixture
def index_file(tmp_path):
    entries = []
    for name, units, seed in (("b2", 30, 1), ("a10", 4, 1), ("a9", 200, 2)):
        document = report_document(fake_page(experiment=name))
        document["settings"] = {"seed": seed, "methods": {"trsa": {"scale": "rank"}}}
        document["recordings"] = [{"units": units, "units_used": units}]
        document["methods"]["trsa"]["reason"] = HOSTILE
        numbers = document["methods"]["connectome"]["key_numbers"]
        if name == "a9":
            numbers.pop()
        else:
            value = units / 100
            numbers[-1] |= {"value": value, "low": value / 2, "high": 2 * value}
        entries.append(IndexEntry.of(document, link=f"{name}/report.html"))
    path = tmp_path / "index.html"
    path.write_text(render_index(entries), encoding="utf-8")
    return path


def shown(page):
    return page.locator("tr[data-experiment]:visible td:first-child").all_text_contents()


def test_the_table_is_sorted_by_the_heading_that_is_pressed(opened, index_file):
    watched = opened(index_file)
    page = watched.page
    press(page.get_by_role("button", name="Experiment"))
    assert shown(page) == ["a9", "a10", "b2"]
    press(page.get_by_role("button", name="Experiment"))
    assert shown(page) == ["b2", "a10", "a9"]
    press(page.get_by_role("button", name="Units used"))
    assert shown(page) == ["a10", "b2", "a9"]
    assert page.locator("th[aria-sort=ascending]").count() == 1
    assert watched.complaints == []
    assert watched.page.evaluate("window.pwned") is None


def test_all_is_sorted_by_the_key_number_that_is_pressed_with_missing_ones_last(opened, index_file):
    watched = opened(index_file)
    page = watched.page
    chart = page.locator("#multiples figure").filter(has_text="reproducibility")
    for order, word in ((["a10", "b2", "a9"], "ascending"), (["b2", "a10", "a9"], "descending")):
        press(chart.get_by_role("button"))
        assert shown(page) == order
        assert chart.locator(".label").all_text_contents() == order[:2]
        assert chart.get_by_role("button").text_content().endswith(f", {word}")
        assert page.evaluate("document.activeElement.matches('figcaption button')")
    assert page.locator("th[aria-sort=none]").count() == page.locator("th[aria-sort]").count()
    press(page.get_by_role("button", name="Experiment"))
    assert shown(page) == ["a9", "a10", "b2"]
    assert page.locator("[data-sorted]").count() == 0
    assert watched.complaints == []


def test_a_bar_has_its_range_and_ends_where_its_value_is(opened, index_file):
    page = opened(index_file).page
    chart = page.locator("#multiples figure").filter(has_text="reproducibility")
    line = chart.locator("li").filter(has_text="b2")
    bar, drawn = (line.locator(f".{name}").bounding_box() for name in ("bar", "range"))
    assert bar["x"] < drawn["x"] < bar["x"] + bar["width"] < drawn["x"] + drawn["width"]
    assert line.locator(".value").text_content() == "0.3"
    assert line.get_attribute("title") == "0.3 (0.15 to 0.6, over 5 animals)"


def test_the_table_can_be_searched(opened, index_file):
    page = opened(index_file).page
    page.get_by_role("searchbox").fill("a1")
    assert shown(page) == ["a10"]
    assert page.locator("#shown").text_content() == "1 of 3"


@pytest.mark.parametrize("width", [375, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_index_fits_and_has_no_barrier(opened, barriers, index_file, width, scheme):
    watched = opened(index_file, width=width, scheme=scheme)
    assert watched.overflow() <= 0
    assert barriers(watched.page) == []


@pytest.mark.parametrize("width", [1024, 1920, 3840])
def test_nothing_of_the_index_lies_beside_the_window(opened, index_file, width):
    assert opened(index_file, width=width).overflow() <= 0


@pytest.fixture
def wide_file(tmp_path):
    """An index of five columns of long words, as those of real recordings are."""
    reason = "Recording s719161530 has more than methods.biclustering.max_counts_of_it allows."
    number = {"name": "regions recognised by halves of the data (share)", "value": 0.58}
    method = {"status": "warn", "reason": reason, "key_numbers": [number]}
    titles = {
        "connectome": "Dynamic functional connectome",
        "biclustering": "Bi-clustering of units and states",
        "trsa": "Topology of representations",
        "celltypes": "Functional cell types",
        "agreement": "Agreement between methods",
    }
    document = report_document(fake_page(experiment="salamander"))
    document["methods"] = {name: {**method, "title": title} for name, title in titles.items()}
    document["recordings"] = [{"units": 1118, "units_used": 1118}]
    path = tmp_path / "index.html"
    path.write_text(render_index([IndexEntry.of(document, link="a")]), encoding="utf-8")
    return path


@pytest.mark.parametrize(("width", "fits"), [(1280, True), (1024, False)])
def test_a_table_is_as_narrow_as_a_desk_or_says_that_there_is_more(opened, wide_file, width, fits):
    page = opened(wide_file, width=width).page
    box = page.get_by_role("region", name="Experiments", exact=True)
    assert box.evaluate("box => box.scrollWidth <= box.clientWidth") == fits
    hint = page.get_by_text("Scroll sideways for more columns").first
    assert hint.is_visible() != fits
    page.set_viewport_size({"width": 1920, "height": 900})
    hint.wait_for(state="hidden")


@pytest.fixture
def toolbox(opened, index_file):
    page = opened(index_file).page
    press(page.get_by_text("Highlight, rename and hide"))
    return page


def charted(page):
    return page.locator("#multiples figure").first.locator(".label").all_text_contents()


def test_a_hidden_experiment_is_hidden_everywhere(toolbox):
    assert charted(toolbox) == ["b2", "a10", "a9"]
    toolbox.get_by_label("Show a10").uncheck()
    assert shown(toolbox.locator("#experiments")) == ["b2", "a9"]
    assert charted(toolbox) == ["b2", "a9"]
    assert toolbox.locator("#differences th[data-experiment]:visible").count() == 2
    press(toolbox.get_by_role("button", name="Undo all"))
    assert charted(toolbox) == ["b2", "a10", "a9"]


def test_a_new_name_is_shown_everywhere_sorted_by_and_kept_as_text(toolbox):
    toolbox.get_by_label("Name to show for b2").fill(f"a1 {HOSTILE}")
    assert charted(toolbox)[0] == f"a1 {HOSTILE}"
    assert toolbox.locator("#differences th .named").first.text_content() == f"a1 {HOSTILE}"
    press(toolbox.get_by_role("button", name="Experiment"))
    assert charted(toolbox)[1:] == ["a9", "a10"]
    link = toolbox.locator("#experiments tbody a.named").first
    assert link.get_attribute("href") == "b2/report.html"
    assert toolbox.evaluate("window.pwned") is None


def test_a_highlight_is_seen_in_table_charts_and_settings(toolbox):
    toolbox.get_by_label("Highlight a9").select_option("orange")
    assert toolbox.locator("#experiments tr.lit").count() == 1
    assert toolbox.locator("#multiples figure").first.locator(
        "li.lit .label"
    ).all_text_contents() == ["a9"]
    assert toolbox.locator("#differences .lit").count() >= 2


def test_what_the_filter_leaves_out_can_be_hidden_for_good(toolbox):
    toolbox.get_by_role("searchbox").fill("a9")
    press(toolbox.get_by_role("button", name="Hide all that"))
    toolbox.get_by_role("searchbox").fill("")
    assert shown(toolbox.locator("#experiments")) == ["a9"]


def test_choices_are_there_again_when_the_page_is_opened_again(toolbox):
    toolbox.get_by_label("Name to show for a9").fill("control")
    # A browser writes what a page stores when it has time: one that is reloaded at once may be told
    # what was there before.
    for _ in range(20):
        toolbox.reload()
        if "control" in shown(toolbox.locator("#experiments")):
            return
        toolbox.wait_for_timeout(250)
    pytest.fail("the name was not there again")


def test_only_settings_that_differ_are_listed(toolbox):
    assert toolbox.locator("#differences tbody th").all_text_contents() == ["seed"]
    assert toolbox.locator("#differences tbody td").all_text_contents() == ["1", "1", "2"]
    assert toolbox.locator("#differ").text_content().startswith("1 setting differs between exp")


def test_settings_that_are_alike_in_what_is_shown_are_not_listed_as_different(toolbox):
    rows, words = toolbox.locator("#differences tbody tr:visible"), toolbox.locator("#differ")
    assert rows.count() == 1
    toolbox.get_by_label("Show b2").uncheck()
    assert rows.count() == 1
    assert words.text_content().startswith("1 setting differs between the experiments shown;")
    toolbox.get_by_label("Show b2").check()
    toolbox.get_by_label("Show a9").uncheck()
    assert rows.count() == 0
    assert toolbox.locator("#differences").is_hidden()
    assert words.text_content() == "The experiments shown were analysed with the same settings."
    toolbox.get_by_role("searchbox").fill("b2")
    assert words.text_content().startswith("Settings are compared where two experiments or more")
    press(toolbox.get_by_role("button", name="Undo all"))
    assert rows.count() == 1


def test_bars_of_numbers_are_printed(opened, index_file):
    page = opened(index_file).page
    page.emulate_media(media="print")
    bars = page.locator(".multiple .bar")
    assert bars.count() > 0
    assert bars.first.evaluate("(bar) => getComputedStyle(bar).printColorAdjust") == "exact"


def test_without_scripts_nothing_stands_there_that_needs_them(chromium, index_file):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(index_file.as_uri())
    assert page.locator("#experiments").is_visible()
    assert page.get_by_role("columnheader", name="Recordings").is_visible()
    for dead in ("#filter", "#toolbox", "#numbers-title", ".by-script"):
        assert not page.locator(dead).is_visible()
    context.close()
