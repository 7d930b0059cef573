"""The last words of a run."""

from __future__ import annotations

import pytest

from pipeline.core.errors import ResultError
from pipeline.io.documents import write_plain
from pipeline.stages.index import exit_code_of, index, summary


def document(name, *, recording="ok", method="ok"):
    return {
        "experiment": name,
        "recordings": [
            {"recording": "r", "status": recording, "reason": "", "units": 3, "units_used": 2}
        ],
        "methods": {
            "connectome": {
                "title": "Connectome",
                "status": method,
                "reason": "why",
                "key_numbers": [{"name": "components", "value": 2}],
            }
        },
        "provenance": {},
    }


def written(folder, *documents):
    paths = []
    for content in documents:
        path = folder / content["experiment"] / "report.json"
        write_plain(path, content)
        paths.append(path)
    return paths


def test_the_table_has_a_line_a_method(tmp_path, capsys):
    paths = written(tmp_path, document("a"), document("b", method="warn"))
    summary(documents=paths, output=tmp_path / "summary.tsv")
    assert (tmp_path / "summary.tsv").read_text() == (
        "experiment\twhat\tstatus\treason\na\tconnectome\tok\twhy\nb\tconnectome\twarn\twhy\n"
    )
    assert "b  connectome  warn  why" in capsys.readouterr().err


@pytest.mark.parametrize("failed", [{"recording": "failed"}, {"method": "failed"}])
def test_a_failure_refuses_the_table_and_names_its_line(tmp_path, failed):
    paths = written(tmp_path, document("a", **failed))
    with pytest.raises(ResultError, match="RN-R12 -: -: a/"):
        summary(documents=paths, output=tmp_path / "summary.tsv")
    assert not (tmp_path / "summary.tsv").exists()


def test_the_exit_code_is_the_class_of_what_failed():
    assert exit_code_of(document("a", method="not_applicable")) == 0
    assert exit_code_of(document("a", method="failed")) == 1
    assert exit_code_of(document("a", recording="failed", method="failed")) == 3


def test_the_index_links_every_report(tmp_path):
    paths = written(tmp_path, document("a"), document("b"))
    index(documents=paths, output=tmp_path / "index.html")
    text = (tmp_path / "index.html").read_text()
    assert 'href="a/report.html"' in text
    assert 'href="b/report.html"' in text
