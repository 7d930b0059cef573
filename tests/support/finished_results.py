"""Finished results in a few small files, as fast as they can be written."""

from __future__ import annotations

import dataclasses
import shutil

from pipeline.config import method_settings, report_settings, view_name, view_settings
from pipeline.core.recording import RECORDING_VERSION
from pipeline.core.views import VIEW_VERSION
from pipeline.io.hashing import sha256_of
from pipeline.io.records import read_digest, write_record
from pipeline.stages.check import load_project
from pipeline.stages.ingest import reading_settings
from pipeline.stages.run_context import StageRun, stage_run
from tests.support import records

EDGES = "known/edges.csv"
SETTINGS = f"recordings: sheet.tsv\nmethods: {{connectome: {{rank: 2, edges: {EDGES}}}}}\n"


class Results:
    """Finished results of two recordings: any record stands in for views and fits."""

    def __init__(self, folder):
        self.folder, self.out, self.e = folder, folder / "results", folder / "results" / "e"
        self.fit = self.e / "connectome" / "fit.h5"

    @classmethod
    def copied(cls, source, target):
        """The same in another folder, which must not be there yet."""
        shutil.copytree(source, target)
        return cls(target)._known()

    def _known(self):
        self.settings = self.project().settings
        self.view = self.e / "views" / view_name(self.settings, "ensemble")
        return self

    def project(self):
        """Settings and sheet."""
        return load_project(self.folder / "settings.yaml")

    def make(self):
        """Write everything, each file from those before it."""
        folder = self.folder
        (folder / "sheet.tsv").write_text(
            "experiment\trecording\tnwb\ne\tone\tone.nwb\ne\ttwo\ttwo.nwb\n"
        )
        (folder / "settings.yaml").write_text(SETTINGS)
        (folder / EDGES).parent.mkdir()
        (folder / EDGES).write_text("pre,post,weight\n")
        for name in ("one", "two"):
            (folder / f"{name}.nwb").write_text(name)
        self._known()
        for row in self.project().experiments["e"]:
            self.ingest(row)
        self.make_views()
        wanted = method_settings(self.settings, "connectome")
        seed, version = self.settings.seed, wanted.pop("results_version")
        views = {f"{self.view.name}/{p.name}": read_digest(p) for p in self.view.glob("*.h5")}
        self.record(
            StageRun(stage="gather", experiment="e", method="connectome"),
            self.fit,
            settings=wanted,
            inputs={**views, EDGES: sha256_of(folder / EDGES)},
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
            "tables",
            "figures",
        )
        self.documents(
            StageRun(stage="index", experiment="all", inputs=(self.e / "report.json",)),
            "../index.html",
        )
        for name in ("tables/units.csv", "figures/data-1.svg"):
            (self.e / name).parent.mkdir()
            (self.e / name).write_text("unit")
        (self.out / "summary.tsv").write_text("e")
        return self

    def record(self, run, path, **facts):
        provenance = run.provenance(**facts)
        write_record(path, dataclasses.replace(records.calcium(), provenance=provenance))

    def ingest(self, row):
        output = self.e / "recordings" / row.recording / "recording.h5"
        prepare = self.settings.prepare
        run = StageRun(
            stage="ingest", experiment="e", recording=row.recording, read_from=row.nwb.parent
        )
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
            quality.with_name("units.tsv").write_text("unit")

    def make_views(self):
        for recording in sorted(self.e.glob("recordings/*/recording.h5")):
            name = recording.parent.name
            run = StageRun(stage="prepare", experiment="e", recording=name)
            with stage_run(run, log=None, outputs=[self.view / f"{name}.h5"]):
                self.record(
                    run,
                    self.view / f"{name}.h5",
                    settings=view_settings(self.settings, "ensemble"),
                    inputs={"recording.h5": read_digest(recording)},
                    results_version=VIEW_VERSION,
                )

    def documents(self, run, *names):
        paths = [self.e / name for name in names]
        for path in paths:
            path.parent.mkdir(exist_ok=True)
            if path.suffix:
                path.write_text(run.stage)
        with stage_run(run, log=None, outputs=paths):
            pass
