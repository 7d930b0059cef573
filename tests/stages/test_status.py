"""What today's code, settings or inputs might make otherwise is listed, and what was made of it."""

from __future__ import annotations

import dataclasses
import os
import shutil

import pytest

from pipeline.cli.main import main
from pipeline.config import method_settings, report_settings, view_name, view_settings
from pipeline.core.recording import RECORDING_VERSION
from pipeline.core.views import VIEW_VERSION
from pipeline.io.hashing import sha256_of
from pipeline.io.records import read_digest, write_record
from pipeline.stages.check import load_project
from pipeline.stages.ingest import reading_settings
from pipeline.stages.run_context import StageRun, stage_run
from pipeline.stages.status import outdated
from tests.support import records

SETTINGS = "recordings: sheet.tsv\nmethods: {connectome: {rank: 2}}\n"


class Results:
    """Finished results of two recordings: any record stands in for views and fits."""

    def __init__(self, folder):
        self.folder, self.out, self.e = folder, folder / "results", folder / "results" / "e"
        (folder / "sheet.tsv").write_text(
            "experiment\trecording\tnwb\ne\tone\tone.nwb\ne\ttwo\ttwo.nwb\n"
        )
        (folder / "settings.yaml").write_text(SETTINGS)
        for name in ("one", "two"):
            (folder / f"{name}.nwb").write_text(name)
        project = load_project(folder / "settings.yaml")
        self.settings = project.settings
        self.view = self.e / "views" / view_name(self.settings, "ensemble")
        for row in project.experiments["e"]:
            self.ingest(row)
        self.make_views()
        self.fit = self.e / "connectome" / "fit.h5"
        wanted = method_settings(self.settings, "connectome")
        seed, version = self.settings.seed, wanted.pop("results_version")
        views = {f"{self.view.name}/{p.name}": read_digest(p) for p in self.view.glob("*.h5")}
        self.record(
            StageRun(stage="gather", experiment="e", method="connectome"),
            self.fit,
            settings=wanted,
            inputs=views,
            seed=seed,
            results_version=version,
        )
        self.documents(
            StageRun(
                stage="assess",
                experiment="e",
                method="connectome",
                inputs=(self.fit,),
                settings={**method_settings(self.settings, "connectome"), "seed": seed},
            ),
            "connectome/checks.json",
            "connectome/section.json",
        )
        self.documents(
            StageRun(
                stage="agreement",
                experiment="e",
                inputs=(self.fit, *self.e.glob("recordings/*/recording.h5")),
                settings={**self.settings.agreement.model_dump(), "seed": seed},
            ),
            "agreement/section.json",
            "units.csv",
        )
        self.documents(
            StageRun(
                stage="report",
                experiment="e",
                inputs=tuple(
                    self.e / name / "section.json" for name in ("connectome", "agreement")
                ),
                settings=report_settings(self.settings),
            ),
            "report.html",
            "report.json",
        )
        self.documents(
            StageRun(stage="index", experiment="all", inputs=(self.e / "report.json",)),
            "../index.html",
        )
        (self.out / "summary.tsv").write_text("e")

    def record(self, run, path, **facts):
        provenance = run.provenance(**facts)
        write_record(path, dataclasses.replace(records.calcium(), provenance=provenance))

    def ingest(self, row):
        output = self.e / "recordings" / row.recording / "recording.h5"
        prepare = self.settings.prepare
        run = StageRun(stage="ingest", experiment="e", recording=row.recording)
        settings = reading_settings(
            row.options, subject=row.subject, strict=prepare.strict, limits=prepare.quality
        )
        quality = output.with_name("quality.json")
        with stage_run(run, log=None, outputs=[output, quality]):
            self.record(
                run,
                output,
                settings=settings,
                inputs={row.nwb.name: sha256_of(row.nwb)},
                results_version=RECORDING_VERSION,
            )
            quality.write_text("{}")

    def make_views(self):
        for recording in sorted(self.e.glob("recordings/*/recording.h5")):
            name = recording.parent.name
            self.record(
                StageRun(stage="prepare", experiment="e", recording=name),
                self.view / f"{name}.h5",
                settings=view_settings(self.settings, "ensemble"),
                inputs={"recording.h5": read_digest(recording)},
                results_version=VIEW_VERSION,
            )

    def documents(self, run, *names):
        paths = [self.e / name for name in names]
        for path in paths:
            path.parent.mkdir(exist_ok=True)
            path.write_text(run.stage)
        with stage_run(run, log=None, outputs=paths):
            pass

    def listed(self, **overrides):
        """Reasons, by the place of a result."""
        project = load_project(self.folder / "settings.yaml", overrides)
        ages = outdated(project, self.out)
        return {age.path.relative_to(self.out).as_posix(): "; ".join(age.reasons) for age in ages}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    Results(folder)
    return folder


@pytest.fixture
def results(made, tmp_path):
    found = Results.__new__(Results)
    found.folder = tmp_path / "copy"
    shutil.copytree(made, found.folder)
    found.out = found.folder / "results"
    found.e = found.out / "e"
    found.settings = load_project(found.folder / "settings.yaml").settings
    found.view = found.e / "views" / view_name(found.settings, "ensemble")
    return found


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
    assert results.listed() == {}


def test_a_setting_of_a_method_concerns_its_fit_and_what_is_made_of_it(results):
    found = results.listed(**{"methods.connectome.rank": 3})
    assert set(found) == AFTER_VIEWS
    assert found["e/connectome/fit.h5"] == "rank 2, now 3"
    assert "made of e/connectome/fit.h5" in found["e/units.csv"]


def test_limits_of_units_concern_everything(results):
    found = results.listed(**{"prepare.quality.min_snr": 9.0})
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
    found = results.listed()
    assert set(found) == of_recording(results, "one") | AFTER_VIEWS
    assert word in found["e/recordings/one/recording.h5"]


def test_another_content_of_a_file_concerns_its_recording(results):
    (results.folder / "one.nwb").write_text("ONE")
    os.utime(results.folder / "one.nwb", (10**9, 10**9))
    found = results.listed()
    assert set(found) == of_recording(results, "one") | AFTER_VIEWS
    assert "content of one.nwb changed" in found["e/recordings/one/recording.h5"]


def test_a_view_that_was_made_anew_concerns_the_fit(results):
    view = results.view / "one.h5"
    shutil.copy(results.view / "two.h5", view)
    found = results.listed()
    assert f"e/views/{view.parent.name}/one.h5 was made anew since" in found["e/connectome/fit.h5"]


def test_other_settings_of_views_concern_the_fits_on_them(results):
    shutil.rmtree(results.view)
    found = results.listed(**{"prepare.ensemble.rate_hz": 1})
    assert set(found) == AFTER_VIEWS
    assert results.view.name in found["e/connectome/fit.h5"]


def test_settings_of_agreement_and_report_concern_these_alone(results):
    found = results.listed(**{"agreement.min_units": 7})
    assert set(found) == AFTER_FITS - {"e/connectome/checks.json", "e/connectome/section.json"}
    found = results.listed(**{"run.redact": True})
    assert set(found) == {"e/report.html", "e/report.json", "index.html", "summary.tsv"}


def test_recordings_that_the_sheet_no_longer_has_do_not_count(results):
    (results.folder / "sheet.tsv").write_text("experiment\trecording\tnwb\ne\ttwo\ttwo.nwb\n")
    assert not of_recording(results, "one") & set(results.listed(**{"prepare.strict": True}))


def test_other_code_concerns_all_that_it_made(results, monkeypatch):
    monkeypatch.setattr("pipeline.stages.status.code_digest", lambda: "0" * 64)
    found = results.listed()
    assert "made by other code" in found["e/recordings/one/recording.h5"]
    assert "made by other code" in found["e/report.html"]


def test_another_version_of_recordings_concerns_everything(results, monkeypatch):
    monkeypatch.setattr("pipeline.stages.status.RECORDING_VERSION", 99)
    both = of_recording(results, "one") | of_recording(results, "two")
    assert set(results.listed()) == both | AFTER_VIEWS


def test_no_results_are_not_current(results, monkeypatch, capsys):
    monkeypatch.chdir(results.folder)
    assert main(["status", "--configfile", "settings.yaml", "--config", "out=elsewhere"]) == 0
    assert capsys.readouterr().out == "No results at elsewhere.\n"
    assert main(["status", "--configfile", "settings.yaml"]) == 0
    assert capsys.readouterr().out == "All results are current.\n"
    main(["status", "--configfile", "settings.yaml", "--config", "methods.connectome.rank=3"])
    assert "results/e/connectome/fit.h5: rank 2, now 3\n" in capsys.readouterr().out
