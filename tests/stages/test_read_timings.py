"""Times and peaks of jobs reach the report from the tables that Snakemake writes."""

from __future__ import annotations

import dataclasses
import re

from pipeline.report.page import Timing
from pipeline.report.render import render
from pipeline.stages.report import read_timings
from tests.support.fake_page import fake_page

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def table(seconds, peak):
    return f"{HEADER}{seconds}\t0:00:00\t{peak}\t-\t-\t-\t-\t-\t-\t-\n"


def test_jobs_are_read_in_order_with_peaks_where_they_were_measured(tmp_path):
    (tmp_path / "report.tsv").write_text(table("0.1", "-"))
    (tmp_path / "ingest_one.tsv").write_text(table("421.0", "1890.25"))
    (tmp_path / "fit.tsv").write_text(table("8.63", "NA"))
    (tmp_path / "notes.txt").write_text("not a table")
    assert read_timings(tmp_path) == (
        Timing(job="fit", seconds=8.63),
        Timing(job="ingest_one", seconds=421.0, peak_mb=1890.25),
        Timing(job="report", seconds=0.1),
    )


def test_an_experiment_without_tables_has_no_times(tmp_path):
    assert read_timings(tmp_path / "gone") == ()


def test_the_page_has_each_job_with_its_time_and_peak():
    timings = (Timing(job="ingest one", seconds=421.0, peak_mb=1890.25), Timing(job="r", seconds=2))
    text = render(dataclasses.replace(fake_page(), timings=timings))
    section = text.partition('<section id="timings"')[2].partition("</section>")[0]
    rows = re.findall(r"<tr><td>(.*?)</td><td[^>]*>(.*?)</td><td[^>]*>(.*?)</td></tr>", section)
    assert rows == [("ingest one", "7.0 min", "1890 MB"), ("r", "2.0 s", "")]
    assert 'id="timings"' not in render(dataclasses.replace(fake_page(), timings=()))
