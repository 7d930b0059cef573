"""A method fitted to halves of the data: what is stored, and in which cases nothing is fitted."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from pipeline.core.halves import Halves
from pipeline.core.labelling import UnitLabels, item_names
from pipeline.core.outcome import Outcome
from pipeline.io.records import read_digest, read_record, write_record
from pipeline.methods.connectome.factorisation import Snapshot, Snapshots
from pipeline.stages import checkpoints
from pipeline.stages.agreement import read_halves
from pipeline.stages.check import fitted_to_halves, load_project
from pipeline.stages.halves import ALONE
from pipeline.stages.lineage import lineage
from tests.workflow.test_damaged_intermediates import Stages, finished  # noqa: F401


@pytest.fixture
def stages(finished, tmp_path):  # noqa: F811
    return Stages(shutil.copytree(finished, tmp_path / "copy"))


def two_groups(views, result, config, rng, **_):
    """Units in two groups at random, with the last time of the part as the name of the grouping."""
    (view,) = views[:1]
    n = view.unit.size
    return (
        UnitLabels(
            name=f"until {view.time[-1]:.2f}",
            kind="communities",
            from_activity=True,
            recording=np.full(n, view.recording),
            unit=view.unit,
            item=item_names(view.recording, view.unit),
            label=rng.permutation(np.arange(n) % 2).astype(np.str_),
            probability=np.full(n, np.nan),
        ),
    )


@pytest.fixture
def refitted(stages, monkeypatch):
    """With a quick method in place of the connectome."""
    monkeypatch.setattr("pipeline.methods.connectome.refits.refit", two_groups)
    stages.refit_halves()
    return stages


def test_labels_of_both_halves_are_stored_with_what_they_were_made_of(refitted):
    stages = refitted
    found = read_record(stages.halves, Halves, Outcome)
    assert isinstance(found, Halves), found.reason
    assert found.kind == "communities"
    assert found.recording.tolist() == list(stages.recordings)
    assert (np.diff(found.span_s.reshape(-1, 4), axis=1) >= 0).all()
    first, second = (float(one.name.removeprefix("until ")) for one in found.first + found.second)
    assert first <= found.span_s[0, 0, 1] < second
    above = {one.path: one for one in lineage(stages.halves)}
    for path in (*stages.views.values(), *stages.recordings.values(), stages.fit):
        assert above[path].recorded == above[path].found == read_digest(path)


def test_the_same_stream_gives_the_same_labels(refitted):
    stages = refitted
    before = read_digest(stages.halves)
    stages.refit_halves()
    assert read_digest(stages.halves) == before


def test_a_half_that_was_fitted_is_kept_when_its_job_is_ended(stages, monkeypatch):
    fitted = []

    def ended(views, result, config, rng, **resuming):
        fitted.append(len(fitted))
        if len(fitted) == 2:
            raise SystemExit(143)  # as SIGTERM does
        return two_groups(views, result, config, rng, **resuming)

    monkeypatch.setattr("pipeline.methods.connectome.refits.refit", ended)
    stages.halves.unlink(missing_ok=True)
    with pytest.raises(SystemExit):
        stages.refit_halves()
    assert not stages.halves.exists()
    # With other spans nothing of it is used.
    stages.refit_halves(gap_s=20.0)
    assert len(fitted) == 4
    stages.halves.unlink()
    fitted.clear()
    with pytest.raises(SystemExit):
        stages.refit_halves()
    fitted.extend([1, 1])
    stages.refit_halves()
    assert len(fitted) == 5, "the first half was fitted again"
    resumed = read_digest(stages.halves)
    assert not list(stages.halves.parent.glob("checkpoints/half-*"))
    stages.halves.unlink()
    stages.refit_halves()
    assert read_digest(stages.halves) == resumed


def test_a_half_on_its_way_goes_on_from_what_it_left(stages, monkeypatch, caplog):
    monkeypatch.setattr(checkpoints, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    monkeypatch.setattr(checkpoints, "WORK_BETWEEN_CHECKPOINTS", 0.0)
    steps, ending = [], []

    def in_steps(views, result, config, rng, *, threads, checkpoint, resume):
        for step in range(resume.fits[0].iteration if resume else 0, 10):
            steps.append(step)
            checkpoint(Snapshots(fits=(Snapshot(iteration=step + 1, models=(), done=()),)))
            if len(steps) in ending:
                raise SystemExit(143)  # as SIGTERM does
        return two_groups(views, result, config, rng)

    monkeypatch.setattr("pipeline.methods.connectome.refits.refit", in_steps)
    stages.halves.unlink(missing_ok=True)
    ending[:] = [14]
    with pytest.raises(SystemExit):
        stages.refit_halves()
    (left,) = set(stages.halves.parent.glob("checkpoints/half-1.*"))
    # With other spans nothing of it is used, and neither is a damaged one.
    ending[:] = [14 + 3]
    with pytest.raises(SystemExit):
        stages.refit_halves(gap_s=20.0)
    assert steps[14:] == [0, 1, 2]
    whole = left.read_bytes()
    left.write_bytes(whole[:-100])
    ending[:] = [17 + 2]
    with pytest.raises(SystemExit):
        stages.refit_halves()
    assert steps[17:] == [0, 1]
    assert "starting anew" in caplog.text
    left.write_bytes(whole)
    ending.clear()
    stages.refit_halves()
    assert steps[19:] == [4, 5, 6, 7, 8, 9]
    assert not list(stages.halves.parent.glob("checkpoints/half-*"))
    resumed = read_digest(stages.halves)
    stages.refit_halves()
    assert read_digest(stages.halves) == resumed


def test_without_another_method_nothing_is_fitted(stages):
    other = stages.folder / "other.h5"
    write_record(other, Outcome(status="not_applicable", reason="no trials"))
    stages.refit_halves(others=[other])
    found = read_record(stages.halves, Outcome)
    assert (found.status, found.reason) == ("not_applicable", ALONE)


def test_why_there_is_no_main_fit_is_handed_on(stages):
    write_record(
        stages.fit, Outcome(status="failed", reason="it broke", failure={"code": "MT-D01"})
    )
    stages.refit_halves()
    assert read_record(stages.halves, Outcome).reason == "it broke"


def test_too_short_halves_are_told_in_words_and_a_defect_is_recorded(stages, monkeypatch):
    stages.refit_halves(gap_s=1e6)
    found = read_record(stages.halves, Outcome)
    assert found.status == "not_applicable"
    assert found.reason.startswith("in the first half of the data: ")

    def broken(*_, **__):
        raise RuntimeError("a defect")

    monkeypatch.setattr("pipeline.methods.connectome.refits.refit", broken)
    stages.refit_halves()
    assert read_record(stages.halves, Outcome).status == "failed"


def test_a_half_whose_units_are_all_in_one_group_is_told(stages):
    found = read_record(stages.halves, Outcome)  # of 19 units in few groups
    assert found.reason.endswith("half of the data has no two groups of units")


def test_reasons_are_read_for_each_kind(refitted, tmp_path):
    stages = refitted
    lacking = tmp_path / "lacking.h5"
    write_record(lacking, Outcome(status="not_applicable", reason="too short"))
    kinds = {"connectome": "communities", "biclustering": "clusters", "celltypes": "types"}
    files = {"connectome": [stages.halves], "biclustering": [lacking, lacking]}
    found, reasons = read_halves(kinds, files, asked=True)
    assert [len(found[kind]) for kind in kinds.values()] == [1, 0, 0]
    assert reasons["clusters"] == "too short"
    assert "not fitted" in reasons["types"]
    assert "agreement.halves" in read_halves(kinds, {}, asked=False)[1]["types"]


def test_which_methods_are_fitted_to_halves_follows_from_the_sheet_and_settings(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.nwb").write_bytes(b"not opened")
    (tmp_path / "sheet.tsv").write_text(
        "experiment\trecording\tnwb\tactivity\ntraces\ta\ta.nwb\tcalcium\nspikes\tb\tb.nwb\tspikes\n"
    )
    (tmp_path / "settings.yaml").write_text("recordings: sheet.tsv\n")

    def names(experiment, overrides=None):
        project = load_project(tmp_path / "settings.yaml", overrides or {})
        rows = project.experiments[experiment]
        return [spec.name for spec in fitted_to_halves(project.settings, rows)]

    assert names("traces") == ["connectome", "celltypes"]
    assert names("spikes") == ["biclustering", "celltypes"]
    assert names("spikes", {"methods.celltypes.enabled": False}) == []
    assert names("spikes", {"agreement.halves": False}) == []
