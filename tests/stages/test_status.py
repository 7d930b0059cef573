"""What today's code, settings or inputs might make otherwise is listed, and what was made of it."""

from __future__ import annotations

import os
import shutil

import pytest

from pipeline.cli.main import main
from pipeline.stages.check import load_project
from pipeline.stages.status import outdated
from tests.support.finished_results import EDGES, Results


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return Results(tmp_path_factory.mktemp("made")).make().folder


@pytest.fixture
def results(made, tmp_path):
    return Results.copied(made, tmp_path / "copy")


def listed(results, **overrides):
    """Reasons, by the place of a result."""
    project = load_project(results.folder / "settings.yaml", overrides)
    ages = outdated(project, results.out)
    return {age.path.relative_to(results.out).as_posix(): "; ".join(age.reasons) for age in ages}


AFTER_FITS = {
    "e/connectome/checks.json",
    "e/connectome/section.json",
    "e/agreement/section.json",
    "e/units.csv",
    "e/report.html",
    "e/report.json",
    "index.html",
    "summary.tsv",
}
AFTER_VIEWS = {"e/connectome/fit.h5"} | AFTER_FITS


def of_recording(results, name):
    return {
        f"e/recordings/{name}/recording.h5",
        f"e/recordings/{name}/quality.json",
        f"e/views/{results.view.name}/{name}.h5",
    }


def test_what_is_current_is_not_listed(results):
    assert listed(results) == {}


def test_a_setting_of_a_method_concerns_its_fit_and_what_is_made_of_it(results):
    found = listed(results, **{"methods.connectome.rank": 3})
    assert set(found) == AFTER_VIEWS
    assert found["e/connectome/fit.h5"] == "rank 2, now 3"
    assert "made of e/connectome/fit.h5" in found["e/units.csv"]


def test_limits_of_units_concern_everything(results):
    found = listed(results, **{"prepare.quality.min_snr": 9.0})
    both = of_recording(results, "one") | of_recording(results, "two")
    assert set(found) == both | AFTER_VIEWS
    assert "quality.min_snr" in found["e/recordings/one/recording.h5"]


@pytest.mark.parametrize(
    ("line", "word"),
    [("e\tone\tone.nwb\tspikes\n", "activity"), ("e\tone\ttwo.nwb\t\n", "two.nwb")],
)
def test_a_line_of_the_sheet_concerns_its_recording(results, line, word):
    (results.folder / "sheet.tsv").write_text(
        f"experiment\trecording\tnwb\tactivity\n{line}e\ttwo\ttwo.nwb\t\n"
    )
    found = listed(results)
    assert set(found) == of_recording(results, "one") | AFTER_VIEWS
    assert word in found["e/recordings/one/recording.h5"]


def test_another_content_of_a_file_concerns_its_recording(results):
    (results.folder / "one.nwb").write_text("ONE")
    os.utime(results.folder / "one.nwb", (10**9, 10**9))
    found = listed(results)
    assert set(found) == of_recording(results, "one") | AFTER_VIEWS
    assert "content of one.nwb changed" in found["e/recordings/one/recording.h5"]


def test_another_content_of_a_table_of_ones_own_concerns_the_fit_that_read_it(results):
    table = results.folder / EDGES
    before = table.read_text()
    table.write_text(before + "AVAL,AVAR,1\n")
    found = listed(results)
    assert set(found) == AFTER_VIEWS
    assert found["e/connectome/fit.h5"] == f"the content of {EDGES} changed"
    table.write_text(before)
    os.utime(table, (10**9, 10**9))
    assert listed(results) == {}


def test_a_view_that_was_made_anew_concerns_the_fit(results):
    view = results.view / "one.h5"
    shutil.copy(results.view / "two.h5", view)
    found = listed(results)
    assert f"e/views/{view.parent.name}/one.h5 was made anew since" in found["e/connectome/fit.h5"]


def test_other_settings_of_views_concern_the_fits_on_them(results):
    shutil.rmtree(results.view)
    found = listed(results, **{"prepare.ensemble.rate_hz": 1})
    assert set(found) == AFTER_VIEWS
    assert results.view.name in found["e/connectome/fit.h5"]


def test_settings_of_agreement_and_report_concern_these_alone(results):
    found = listed(results, **{"agreement.min_units": 7})
    assert set(found) == AFTER_FITS - {"e/connectome/checks.json", "e/connectome/section.json"}
    found = listed(results, **{"run.redact": True})
    assert set(found) == {"e/report.html", "e/report.json", "index.html", "summary.tsv"}


def test_recordings_that_the_sheet_no_longer_has_do_not_count(results):
    (results.folder / "sheet.tsv").write_text("experiment\trecording\tnwb\ne\ttwo\ttwo.nwb\n")
    assert not of_recording(results, "one") & set(listed(results, **{"prepare.strict": True}))


def test_other_code_concerns_all_that_it_made(results, monkeypatch):
    monkeypatch.setattr("pipeline.stages.status.code_digest", lambda: "0" * 64)
    found = listed(results)
    assert "made by other code" in found["e/recordings/one/recording.h5"]
    assert "made by other code" in found["e/report.html"]


def test_another_version_of_recordings_concerns_everything(results, monkeypatch):
    monkeypatch.setattr("pipeline.stages.status.RECORDING_VERSION", 99)
    both = of_recording(results, "one") | of_recording(results, "two")
    assert set(listed(results)) == both | AFTER_VIEWS


def test_no_results_are_not_current(results, monkeypatch, capsys):
    monkeypatch.chdir(results.folder)
    assert main(["status", "--configfile", "settings.yaml", "--config", "out=elsewhere"]) == 0
    assert capsys.readouterr().out == "No results at elsewhere.\n"
    assert main(["status", "--configfile", "settings.yaml"]) == 0
    assert capsys.readouterr().out == "All results are current.\n"
    main(["status", "--configfile", "settings.yaml", "--config", "methods.connectome.rank=3"])
    assert "results/e/connectome/fit.h5: rank 2, now 3\n" in capsys.readouterr().out
