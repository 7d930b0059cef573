"""Memory and time of jobs follow from the size of their work, and are told before a run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline import registry
from pipeline.config import load_config
from pipeline.core.axes import check_axes
from pipeline.core.outcome import Outcome
from pipeline.core.views import ResponsePatterns, SpikeCounts, StimulusResponses, TraceEnsemble
from pipeline.core.work import Work, cells, several, total
from pipeline.io.nwb.inspect import inspect_file
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.record_sizes import axis_sizes, stored_entries
from pipeline.io.records import write_record
from pipeline.io.sheets import SheetRow
from pipeline.prepare.kinds import KINDS
from pipeline.stages import costs
from pipeline.stages.check import load_project, outlook
from pipeline.stages.expected import expected_view
from tests.support.nwb_factory import PROVENANCE, imaging_file, probe_file, read
from tests.support.records import calcium

ROOT = Path(__file__).resolve().parents[2]
SIZES = {
    "connectome": {"time": 800, "unit": 60},
    "biclustering": {"time_bin": 500, "unit": 30},
    "trsa": {"trial": 240, "unit": 40, "condition": 24, "time_bin": 5},
    "celltypes": {"frame": 900, "channel": 1, "y": 12, "x": 10, "unit": 20},
}
"""Axes of a small view of each method."""
MEASURED_AGREEMENTS = (((100,), 6), ((300,), 8), ((1000,), 17))
"""Units of each recording, and seconds of a processor (``benchmarks/agreement.py``)."""


def jobs_of(name, views, config=None):
    """One job of each kind that the method has."""
    spec = registry.methods()[name]
    config = spec.config() if config is None else config
    firsts = {part.name.partition("-")[0]: part.name for part in config.plan()}
    fits = [costs.fit_jobs(spec, config, views, [part])[0] for part in firsts.values()]
    stages = ["gather", *(["halves"] if spec.has_room("refits") else []), "assess"]
    return fits + [costs.method_job(spec, config, views, stage) for stage in stages]


def test_work_of_a_job_with_several_parts():
    first = Work(numbers={"a": 3, "b": 1}, steps={"a": 2})
    second = Work(numbers={"a": 1}, steps={"a": 5, "c": 1})
    both = several([first, second])
    assert (dict(both.numbers), dict(both.steps)) == ({"a": 3, "b": 1}, {"a": 7, "c": 1})
    view = {"time": 4, "unit": 3}
    assert cells(view, "time", "unit") == 12
    assert cells(view, "time", "trial") == 0
    assert total([view, view, {}], "unit") == 6


@pytest.mark.parametrize("name", SIZES)
def test_a_method_works_longer_on_more_and_holds_more(name):
    small = SIZES[name]
    for axis in ("unit", "time", "time_bin", "trial", "frame"):
        if axis not in small:
            continue
        larger = small | {axis: 2 * small[axis]}
        for one, other in zip(jobs_of(name, [small]), jobs_of(name, [larger]), strict=True):
            assert one.kind == other.kind
            assert sum(other.work.steps.values()) > sum(one.work.steps.values())
            assert sum(other.work.numbers.values()) > sum(one.work.numbers.values())


@pytest.mark.parametrize("name", SIZES)
def test_more_to_fit_is_told_to_take_longer(name):
    """Where docs/clusters.md names no kind as one whose price knows no size."""
    flat = {"connectome.fit.choice", "connectome.gather", "biclustering.gather"}
    flat |= {"trsa.fit.comparison", *(f"{method}.assess" for method in SIZES)}
    small = SIZES[name]
    large = {axis: 4 * size for axis, size in small.items()}
    for one, other in zip(jobs_of(name, [small]), jobs_of(name, [large]), strict=True):
        if one.kind not in flat:
            assert other.estimate.seconds > one.estimate.seconds, one.kind


@pytest.mark.parametrize("name", SIZES)
def test_jobs_were_measured_and_have_prices_of_their_own_sizes(name):
    known = json.loads(costs.MEASURED.read_text())
    for job in jobs_of(name, [SIZES[name]]):
        assert job.kind in known, "default settings run it"
        prices = known[job.kind]
        assert set(prices["memory_mb"]) - {"floor"} <= set(job.work.numbers)
        assert set(prices["seconds"]) - {"floor"} <= set(job.work.steps)
        assert min(*prices["memory_mb"].values(), *prices["seconds"].values()) >= 0
    assert {"ingest", "prepare", "agreement", "report"} <= set(known)


def test_types_of_halves_ask_for_a_model_where_one_may_be_learned():
    spec = registry.methods()["celltypes"]

    def asked(view, **changed):
        config = spec.config.model_validate(changed)
        return costs.method_job(spec, config, [view], "halves")

    movie = {axis: 10 * size for axis, size in SIZES["celltypes"].items()}
    learned, shown = asked(movie), asked(movie, mode="discrete")
    assert learned.work.steps["learned"] == 30 * cells(movie, "frame", "channel", "y", "x")
    assert (
        asked(movie, encoding={"max_epochs": 10}).work.steps["learned"]
        < 0.5 * (learned.work.steps["learned"])
    )
    assert learned.estimate.seconds > 2 * shown.estimate.seconds
    trials = asked(SIZES["trsa"])
    assert trials.work.steps["learned"] == trials.work.steps["answers"] == 0


def test_agreement_is_priced_by_the_units_that_are_exchanged(tmp_path):
    recording = calcium()
    write_record(tmp_path / "recording.h5", recording)
    write_record(tmp_path / "none.h5", Outcome(status="failed", reason="broken"))
    paths = [tmp_path / "recording.h5", tmp_path / "none.h5"]
    job = costs.agreement_job_of(paths, 99)
    assert job.kind == "agreement"
    assert job.work.steps["exchanged"] == 99 * len(recording.units)
    assert job.work.numbers["entries"] == sum(map(stored_entries, paths))
    assert job.work.steps["exchanges"] == 99
    for units, measured_s in MEASURED_AGREEMENTS:
        expected_s = costs.agreement_job(0, units, 999).estimate.seconds
        assert 0.5 <= expected_s / measured_s <= 2, units


def test_where_there_is_no_view_a_job_is_a_small_one():
    spec = registry.methods()["connectome"]
    config = spec.config()
    (none,) = costs.fit_jobs(spec, config, [{}, {}], ["restart-00"])
    (some,) = costs.fit_jobs(spec, config, [{"time": 20_000, "unit": 900}, {}], ["restart-00"])
    assert none.work == Work()
    assert some.estimate.memory_mb > none.estimate.memory_mb
    assert some.estimate.seconds > none.estimate.seconds


def test_parts_of_two_kinds_in_one_job_follow_each_other():
    spec = registry.methods()["trsa"]
    config, view = spec.config(), SIZES["trsa"]
    names = ["permutation-003", "bootstrap-000", "bootstrap-001"]
    apart = costs.fit_jobs(spec, config, [view], names)
    assert [job.kind for job in apart] == ["trsa.fit.permutation", "trsa.fit.bootstrap"]
    whole = costs.together(job.estimate for job in apart)
    assert whole.seconds == pytest.approx(sum(job.estimate.seconds for job in apart))
    assert whole.memory_mb == max(job.estimate.memory_mb for job in apart)


def test_peaks_at_full_size_are_told_within_a_factor_of_two(tmp_path):
    # 5000 units in 200 000 frames, and their connectome at 1 Hz (benchmarks/full_size.py).
    with (tmp_path / "a.nwb").open("wb") as file:
        file.truncate(3_700_000_000)
    spec = registry.methods()["connectome"]
    config = spec.config.model_validate({"rank": 5})
    (restart,) = costs.fit_jobs(spec, config, [{"time": 6667, "unit": 5000}], ["restart-00"])
    for job, peak_gib in (
        (costs.ingest_job(tmp_path / "a.nwb"), 0.69),
        (costs.prepare_job(1e9), 0.70),
        (restart, 3.83),
    ):
        assert 0.5 <= job.estimate.memory_mb / (1024 * peak_gib) <= 2, job.kind
    # Before the recording is read, its view is priced by the file.
    by_file = costs.prepare_job_of_file(tmp_path / "a.nwb")
    assert by_file.work.steps["entries"] == pytest.approx(1e9, rel=0.1)
    # What is streamed takes longer of a larger file, and holds no more.
    with (tmp_path / "a.nwb").open("wb") as file:
        file.truncate(100_000_000_000)
    assert costs.ingest_job(tmp_path / "a.nwb").estimate.memory_to_ask_mb(1) < 4_000
    assert costs.ingest_job(tmp_path / "a.nwb").estimate.seconds > 3600


def test_what_is_asked_for_has_a_margin_and_grows_with_each_attempt():
    much = costs.Estimate(memory_mb=1000.0, seconds=7200.0)
    assert much.memory_to_ask_mb(1) >= 1000 * costs.MARGIN
    assert much.memory_to_ask_mb(3) == 3 * much.memory_to_ask_mb(1)
    assert much.minutes_to_ask(2) == 2 * 120 * costs.SLOWER
    little = costs.Estimate(memory_mb=1.0, seconds=0.1)
    assert little.memory_to_ask_mb(1) == costs.LEAST_MEMORY_MB
    assert little.minutes_to_ask(1) == costs.LEAST_MINUTES


def test_prices_add_up(monkeypatch):
    prices = {"memory_mb": {"floor": 10.0, "a": 2.0}, "seconds": {"floor": 1.0, "b": 0.5}}
    monkeypatch.setattr(costs, "_measured", lambda: {"kind": prices})
    job = costs.Job(kind="kind", work=Work(numbers={"a": 3.0, "z": 9.0}, steps={"b": 4.0}))
    assert job.estimate == costs.Estimate(memory_mb=16.0, seconds=3.0)
    assert job.fact()["memory_mb"] == 16


def test_a_kind_of_part_that_was_not_measured_is_like_the_dearest_of_its_method(monkeypatch):
    known = {
        f"m.fit.{kind}": {"memory_mb": {"floor": floor}, "seconds": {"floor": 9.0 - floor}}
        for kind, floor in (("a", 3.0), ("b", 5.0))
    }
    monkeypatch.setattr(costs, "_measured", lambda: known)
    job = costs.Job(kind="m.fit.c", work=Work())
    assert job.estimate == costs.Estimate(memory_mb=5.0, seconds=6.0)
    assert costs.Job(kind="m.gather", work=Work()).estimate.memory_mb == 1000.0


def test_sizes_come_from_the_head_of_a_file(tmp_path):
    view = KINDS["ensemble"].build(calcium(), KINDS["ensemble"].settings(), PROVENANCE)
    write_record(tmp_path / "view.h5", view)
    assert axis_sizes(tmp_path / "view.h5", [SpikeCounts, TraceEnsemble]) == {
        axis: size for axis, size in check_axes(view).items() if axis in ("time", "unit")
    }
    assert axis_sizes(tmp_path / "view.h5", [ResponsePatterns, StimulusResponses]) == {}
    assert stored_entries(tmp_path / "view.h5") >= view.values.size
    write_record(tmp_path / "none.h5", Outcome(status="not_applicable", reason="spikes"))
    assert axis_sizes(tmp_path / "none.h5", [TraceEnsemble]) == {}


def test_a_view_that_is_yet_to_be_made_is_told_by_its_name(tmp_path):
    # Snakemake asks again later where the error names one of the job's inputs as it knows it.
    spec = registry.methods()["connectome"]
    place = str(tmp_path / "later.h5")
    with pytest.raises(FileNotFoundError) as caught:
        costs.fit_estimate(spec, spec.config(), [place], ["restart-00"])
    assert caught.value.filename == place


@pytest.mark.parametrize("kind", ["ensemble", "counts", "patterns"])
def test_axes_that_are_expected_are_those_of_the_view(tmp_path, kind):
    make = imaging_file if kind == "ensemble" else probe_file
    path = make(tmp_path / "a.nwb")
    (tmp_path / "config.yaml").write_text("recordings: sheet.tsv\n")
    settings = load_config(tmp_path / "config.yaml")
    options = ReadOptions(intervals="trials", condition=("grating",))
    row = SheetRow(
        experiment="e", recording="r", nwb=path, nwb_text="a.nwb", options=options, line=2
    )
    expected = expected_view(kind, settings, row, inspect_file(path))
    recording, _ = read(path, intervals="trials", condition=("grating",))
    view = KINDS[kind].build(recording, getattr(settings.prepare, kind), PROVENANCE)
    axes = check_axes(view)
    for axis, size in expected.items():
        # Units that are not used are still counted.
        assert size >= axes[axis] if axis == "unit" else size == pytest.approx(axes[axis], abs=1)


def test_a_check_tells_what_a_run_takes(tmp_path, capsys):
    from pipeline.cli.main import main

    for name in ("a", "b"):
        imaging_file(tmp_path / f"{name}.nwb")
    (tmp_path / "sheet.tsv").write_text(
        "experiment\trecording\tnwb\none\ta\ta.nwb\none\tb\tb.nwb\n"
    )
    (tmp_path / "config.yaml").write_text("recordings: sheet.tsv\n")
    expected = outlook(load_project(tmp_path / "config.yaml")).expected
    named = [job.name for job in expected.jobs]
    assert [name for name in named if name.startswith("ingest")] == [
        "ingest one/a",
        "ingest one/b",
    ]
    assert any(name.startswith("connectome one, rank-01") for name in named)
    assert [name for name in named if name.startswith("biclustering")] == [
        "biclustering one, assess"
    ]
    assert expected.seconds == pytest.approx(sum(job.estimate.seconds for job in expected.jobs))
    assert expected.longest.estimate.seconds == max(job.estimate.seconds for job in expected.jobs)
    assert main(["check", "--configfile", str(tmp_path / "config.yaml")]) == 0
    told = capsys.readouterr().out
    assert "of one processor for all jobs together" in told
    assert "Most memory: " in told


def test_facts_of_a_job_hold_what_was_expected_and_what_it_took(tmp_path):
    from pipeline.stages.run_context import StageRun, stage_run

    output = tmp_path / "out.h5"
    fact = costs.entries_job("prepare", 5.0).fact()
    run = StageRun(stage="prepare", experiment="e", cost=fact)
    with stage_run(run, log=None, outputs=[output]):
        np.linalg.norm(np.ones((300, 300)), 2)
    facts = json.loads(output.with_suffix(".run.json").read_text())
    assert facts["cost"] == json.loads(json.dumps(fact))
    assert facts["processor_seconds"] > 0
