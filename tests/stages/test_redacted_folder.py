"""Nothing that is shared of a redacted run tells who was recorded, by whom, where and when."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.agreement.section import ID, TITLE
from pipeline.core.errors import DataError
from pipeline.core.outcome import Outcome
from pipeline.core.parts import Bars, Figure, Section, Table
from pipeline.io.documents import write_document
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.nwb.write import write_recording
from pipeline.prepare.config import QualityConfig
from pipeline.stages.assess import section_without_result
from pipeline.stages.index import index, summary_rows
from pipeline.stages.ingest import ingest
from pipeline.stages.provenance import write_provenance
from pipeline.stages.report import report
from pipeline.stages.run_context import StageRun, stage_run
from tests.support.small_recordings import calcium

SUBJECTS = ("mus7", "Rat_Zoela")
SECRETS = ("mus7", "zoela", "20210304", "2021-03-04", "anna", "asleep", "778899", "node-under-desk")
PACKED = re.compile(r'<script class="(?:packed|rows)"[^>]*>([^<]+)</script>')
SETTINGS = {
    "recordings": "/home/anna/lab/sheet.tsv",
    "seed": 3,
    "methods": {"connectome": {"edges": "anna/edges.csv"}},
}


def nwb_file(folder: Path, subject: str) -> Path:
    """A recording with a name as DANDI gives it."""
    path = folder / f"sub-{subject}_ses-20210304_ophys.nwb"
    made = calcium(name="r")
    write_recording(
        path,
        dataclasses.replace(made, about=dataclasses.replace(made.about, subject=subject)),
        description=f"{subject} by anna",
        session_start=datetime(2021, 3, 4, 10, tzinfo=UTC),
    )
    return path


def telling_section() -> Section:
    """A method whose figure and table name subjects and files."""
    bars = Bars(
        title="Units of mus7",
        labels=SUBJECTS,
        values=np.array([1.0, 2.0]),
        x_title="",
        y_title="Units in sub-mus7_ses-20210304",
    )
    figure = Figure(
        id="units",
        title="Units of mus7",
        finding="Rat-Zoela has more.",
        caption="Rat_Zoela and mus7.",
        alt="Bars of mus7.",
        panels=(bars,),
    )
    table = Table(
        id="of-animals",
        title="Animals",
        caption="From /home/anna/lab.",
        columns={
            "Subject": SUBJECTS,
            "Text": ("sub-mus7_ses-20210304_ophys.nwb", "rat zoela"),
            "N": (1, 2),
        },
    )
    return Section(
        id="connectome",
        title="Connectome",
        status="ok",
        sentence="As in mus7.",
        body=(figure, table),
        numbers={"units_mus7": 1},
    )


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """The results of a redacted run, without what is not for others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_JOB_ID", "778899")
        patch.setattr("platform.node", lambda: "node-under-desk")
        return written(tmp_path_factory.mktemp("house") / "anna")


def written(folder: Path) -> Path:
    lab, out = folder / "lab", folder / "results"
    lab.mkdir(parents=True)
    files = {f"r{number}": nwb_file(lab, name) for number, name in enumerate(SUBJECTS, start=1)}
    files["r3"] = lab / "sub-m9_ses-20210304_ophys.nwb"
    files["r3"].write_bytes(b"nothing")
    records = {name: out / "e/recordings" / name / "recording.h5" for name in files}
    qualities = {name: path.with_name("quality.json") for name, path in records.items()}
    for name, path in files.items():
        run = StageRun(stage="ingest", experiment="e", recording=name)
        with stage_run(run, log=None, outputs=[records[name]]) as run:
            ingest(
                run,
                nwb=path,
                options=dataclasses.asdict(ReadOptions(activity="calcium")),
                subject="",
                strict=False,
                limits=QualityConfig().model_dump(),
                output=records[name],
                quality=qualities[name],
            )
    sections = {name: out / "e" / name / "section.json" for name in ("connectome", "trsa", ID)}
    fault = DataError(
        code="ME-N01",
        file=str(files["r1"]),
        place="/home/anna/lab/models.csv",
        found=f"nothing fits in {files['r1']}, nor in /home/anna/lab/models.csv",
        fix="use '/home/anna/my lab/other.csv'",
    )
    failed = Outcome(status="failed", reason=fault.found, failure=fault.parts())
    nothing = Outcome(status="not_applicable", reason="one method has no result")
    write_document(sections["connectome"], telling_section())
    write_document(sections["trsa"], section_without_result("trsa", "Topology", failed))
    write_document(sections[ID], section_without_result(ID, TITLE, nothing))
    document = out / "e" / "report.json"
    report(
        StageRun(stage="report", experiment="e"),
        recordings=records,
        qualities=qualities,
        sections={name: sections[name] for name in ("connectome", "trsa")},
        agreement=sections[ID],
        left_out={"r4": "anna's animal fell asleep"},
        settings=SETTINGS,
        changed=["seed"],
        timings=out / "timings" / "e",
        redact=True,
        page_limit_mb=10.0,
        table_formats=["csv", "parquet"],
        figure_formats=["svg"],
        html=out / "e" / "report.html",
        document=document,
        tables=out / "e" / "tables",
        figures=out / "e" / "figures",
    )
    index(documents=[document], output=out / "index.html")
    # What a summary tells, which is not written as a file where something failed.
    rows = summary_rows(json.loads(document.read_text()))
    (out / "summary.tsv").write_text("\n".join("\t".join(row) for row in rows))
    write_provenance(
        out=out,
        recordings={"e": list(files)},
        settings=SETTINGS,
        changed=["seed"],
        redact=True,
        output=out / "provenance.json",
    )
    return out


def test_no_file_that_is_shared_tells_a_secret(shared):
    files = [
        *(shared / name for name in ("index.html", "summary.tsv", "provenance.json")),
        *(shared / "e" / name for name in ("report.html", "report.json")),
        *(path for name in ("tables", "figures") for path in (shared / "e" / name).iterdir()),
    ]
    assert {path.suffix for path in files} >= {".html", ".json", ".csv", ".parquet", ".svg"}
    for path in files:
        text = path.read_bytes().decode("latin-1")
        if path.suffix == ".parquet":
            text += str(pd.read_parquet(path).to_dict())
        elif path.suffix == ".html":
            text = PACKED.sub(unpacked, text)
        found = {one for one in SECRETS if holds(text, one)}
        assert (path.name, found) == (path.name, set())
        assert not any(holds(path.name, one) for one in SECRETS)


def unpacked(match: re.Match[str]) -> str:
    """What a script of the page unpacks: figures and the rows of tables."""
    return gzip.decompress(base64.b64decode(match[1])).decode()


def holds(text: str, secret: str) -> bool:
    """Whether a text has a secret as a word of its own, however it is written."""
    words = "".join(letter if letter.isalnum() else " " for letter in text.casefold()).split()
    return secret in words or (not secret.isalnum() and secret in text)


def test_files_have_the_same_numbers_everywhere(shared):
    told = json.loads((shared / "provenance.json").read_text())["experiments"]["e"]["recordings"]
    document = json.loads((shared / "e" / "report.json").read_text())
    numbered = {
        f"{name}: {file}": digest for name, files in told.items() for file, digest in files.items()
    }
    assert list(numbered) == ["r1: file 1", "r2: file 1"]
    assert document["provenance"]["inputs"] == numbered
    reason = document["methods"]["trsa"]["reason"]
    assert reason == "nothing fits in file 1 of r1, nor in (hidden)"
    (failed,) = [row for row in document["recordings"] if row["status"] == "failed"]
    assert failed["recording"] == "r3"


def test_what_is_no_secret_stays(shared):
    page = (shared / "e" / "report.html").read_text()
    assert "<dt>Animals</dt><dd>2</dd>" in page
    assert "Left out: (hidden)" in page
    first, *_ = json.loads((shared / "e" / "report.json").read_text())["recordings"]
    assert {name: one for name, one in first["reading"].items() if one} == {"activity": "calcium"}
    table = pd.read_csv(shared / "e/tables/connectome-of-animals.csv")
    assert list(table["N"]) == [1, 2]
    assert list(table["Subject"]) == ["(hidden)", "(hidden)"]
    assert (
        "Units in sub-(hidden)_ses-(hidden)"
        in (shared / "e/figures/connectome-units.svg").read_text()
    )
