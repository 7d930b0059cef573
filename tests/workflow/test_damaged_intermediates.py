"""Every file that one stage hands to the next is believed only as it was written."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from pipeline.agreement.config import AgreementConfig
from pipeline.core.errors import EnvironmentFault
from pipeline.io.nwb.options import ReadOptions
from pipeline.prepare.config import EnsembleConfig, QualityConfig
from pipeline.stages.agreement import agreement
from pipeline.stages.assess import assess
from pipeline.stages.fit import MethodJob, fit_parts, gather
from pipeline.stages.halves import refit_halves
from pipeline.stages.index import index, summary
from pipeline.stages.ingest import ingest
from pipeline.stages.prepare import prepare
from pipeline.stages.report import report
from pipeline.stages.run_context import StageRun
from tests.support.tiny_project import write_tiny_recordings

SETTINGS = {
    "rank": 2,
    "n_restarts": 1,
    "n_surrogates": 1,
    "max_iterations": 5,
    "min_animals": 1,
}
RECORDINGS = ("one", "two")


class Stages:
    """The stages of a small experiment, each reading what the one before wrote."""

    def __init__(self, folder):
        self.folder = folder
        self.recordings = {name: folder / name / "recording.h5" for name in RECORDINGS}
        self.qualities = {name: folder / name / "quality.json" for name in RECORDINGS}
        self.views = {name: folder / "views" / f"{name}.h5" for name in RECORDINGS}
        self.job = MethodJob.of("connectome", settings=SETTINGS, seed=1)
        self.parts = [folder / "parts" / f"{part.name}.h5" for part in self.job.config.plan()]
        self.fit = folder / "fit.h5"
        self.truth = folder / "truth" / "connectome.h5"
        self.checks, self.section = folder / "checks.json", folder / "section.json"
        self.halves = folder / "halves.h5"
        self.agreed = folder / "agreement.json"
        self.document = folder / "e" / "report.json"

    def run(self, stage, **names):
        return StageRun(stage=stage, experiment="e", **names)

    def ingest(self):
        for name in RECORDINGS:
            ingest(
                self.run("ingest", recording=name),
                nwb=self.folder / f"{name}.nwb",
                options=dataclasses.asdict(ReadOptions(identity="identity")),
                subject="",
                strict=False,
                limits=QualityConfig().model_dump(),
                output=self.recordings[name],
                quality=self.qualities[name],
            )

    def prepare(self):
        for name in RECORDINGS:
            prepare(
                self.run("prepare", recording=name),
                view="ensemble",
                settings=EnsembleConfig().model_dump(),
                recording=self.recordings[name],
                output=self.views[name],
            )

    def fit_parts(self):
        run = self.run("fit", method="connectome")
        fit_parts(run, self.job, views=list(self.views.values()), outputs=self.parts)

    def gather(self):
        gather(
            self.run("gather", method="connectome"),
            self.job,
            views=list(self.views.values()),
            parts=self.parts,
            output=self.fit,
        )

    def assess(self):
        assess(
            self.run("assess", method="connectome"),
            self.job,
            recordings=self.recordings,
            fits=[self.fit],
            views=list(self.views.values()),
            truths=[self.truth],
            checks=self.checks,
            section=self.section,
        )

    def refit_halves(self, **changed):
        refit_halves(
            self.run("halves", method="connectome"),
            self.job,
            **{
                "recordings": self.recordings,
                "views": list(self.views.values()),
                "fit": self.fit,
                "others": [self.fit],  # in place of a view of another method
                "gap_s": 0.0,
                "output": self.halves,
                **changed,
            },
        )

    def agreement(self):
        agreement(
            self.run("agreement"),
            recordings=self.recordings,
            qualities=self.qualities,
            fits={"connectome": [self.fit]},
            halves={"connectome": [self.halves]},
            truths=[self.truth],
            settings=AgreementConfig().model_dump(),
            seed=1,
            section=self.agreed,
            table=self.folder / "units.csv",
        )

    def report(self):
        report(
            self.run("report"),
            recordings=self.recordings,
            qualities=self.qualities,
            sections={"connectome": self.section},
            agreement=self.agreed,
            left_out={},
            settings={"seed": 1, "methods": {"connectome": self.job.settings}},
            changed=[],
            timings=self.folder / "timings",
            redact=False,
            page_limit_mb=10.0,
            table_formats=["csv"],
            figure_formats=["svg"],
            html=self.document.with_suffix(".html"),
            document=self.document,
            tables=self.folder / "tables",
            figures=self.folder / "figures",
        )

    def index(self):
        index(documents=[self.document], output=self.folder / "index.html")

    def summary(self):
        summary(documents=[self.document], output=self.folder / "summary.tsv")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of an experiment that is through all stages."""
    folder = tmp_path_factory.mktemp("project")
    write_tiny_recordings(folder)
    stages = Stages(folder)
    for stage in (
        "ingest",
        "prepare",
        "fit_parts",
        "gather",
        "assess",
        "refit_halves",
        "agreement",
        "report",
        "index",
    ):
        getattr(stages, stage)()
    stages.summary()
    return folder


FIRST = RECORDINGS[0]
HANDED_ON = [
    ("prepare", lambda s: s.recordings[FIRST], lambda s: s.views[FIRST]),
    ("report", lambda s: s.recordings[FIRST], lambda s: s.document),
    ("report", lambda s: s.qualities[FIRST], lambda s: s.document),
    ("fit_parts", lambda s: s.views[FIRST], lambda s: s.parts[0]),
    ("gather", lambda s: s.views[FIRST], lambda s: s.fit),
    ("gather", lambda s: s.parts[0], lambda s: s.fit),
    ("assess", lambda s: s.fit, lambda s: s.section),
    ("assess", lambda s: s.views[FIRST], lambda s: s.section),
    ("assess", lambda s: s.truth, lambda s: s.section),
    ("assess", lambda s: s.recordings[FIRST], lambda s: s.section),
    ("refit_halves", lambda s: s.recordings[FIRST], lambda s: s.halves),
    ("refit_halves", lambda s: s.views[FIRST], lambda s: s.halves),
    ("refit_halves", lambda s: s.fit, lambda s: s.halves),
    ("agreement", lambda s: s.halves, lambda s: s.agreed),
    ("agreement", lambda s: s.fit, lambda s: s.agreed),
    ("agreement", lambda s: s.truth, lambda s: s.agreed),
    ("agreement", lambda s: s.recordings[FIRST], lambda s: s.agreed),
    ("report", lambda s: s.section, lambda s: s.document),
    ("report", lambda s: s.agreed, lambda s: s.document),
    ("index", lambda s: s.document, lambda s: s.folder / "index.html"),
    ("summary", lambda s: s.document, lambda s: s.folder / "summary.tsv"),
]
"""A stage, a file that it reads, and one that it makes."""


@pytest.mark.parametrize("place", [0.02, 0.5, 0.98])
@pytest.mark.parametrize(("stage", "source", "made"), HANDED_ON)
def test_one_flipped_byte_is_noticed_by_whoever_reads_it_next(
    finished, tmp_path, stage, source, made, place
):
    folder = shutil.copytree(finished, tmp_path / "copy")
    stages = Stages(folder)
    victim, product = source(stages), made(stages)
    before = product.read_bytes()
    raw = bytearray(victim.read_bytes())
    raw[int(place * len(raw))] ^= 1
    victim.write_bytes(raw)
    with pytest.raises(EnvironmentFault) as caught:
        getattr(stages, stage)()
    assert (caught.value.code, caught.value.exit_code) == ("RN-R10", 5)
    assert Path(caught.value.file) == victim
    assert "delete it and rerun" in caught.value.fix
    assert product.read_bytes() == before
