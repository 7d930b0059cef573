"""Stimuli for a display, and new units typed from a table of answers, by command."""

from __future__ import annotations

import dataclasses

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.__main__ import main
from pipeline.core.parts import Section
from pipeline.core.provenance import Provenance
from pipeline.core.recording import About
from pipeline.io.documents import write_document, write_plain
from pipeline.io.nwb.write import write_recording
from pipeline.io.records import write_record
from pipeline.methods.celltypes.algorithm import combine, fit_part
from pipeline.methods.celltypes.config import CelltypesConfig
from pipeline.methods.celltypes.simulate import simulate
from pipeline.methods.celltypes.typing_units import (
    accuracy_by_showings,
    own_scale,
    resampled_mean,
    type_units,
)
from pipeline.stages.export_results import export_results
from tests.methods.celltypes.test_trials import TUNING, recording, settings, typed, view
from tests.support.small_recordings import trains
from tests.support.small_stimuli import recording_of, spikes_of

RNG = np.random.default_rng
PROVENANCE = Provenance(stage="test", experiment="test", package_version="", code_digest="")


@pytest.fixture(scope="module")
def fit(tmp_path_factory):
    """A result of a tiny simulated retina as a file, and the result."""
    view, _ = simulate(RNG(0), size="tiny")
    config = CelltypesConfig.model_validate(
        {
            "n_models": 1,
            "n_restarts": 1,
            "n_nulls": 0,
            "n_permutations": 0,
            "baselines": False,
            "n_types": 3,
            "ascent": {"steps": 5, "compare_steps": 5, "polish_steps": 20},
            "encoding": {"max_epochs": 15},
        }
    )
    parts = {}
    for parts_of_round in config.rounds():
        earlier = {"earlier": dict(parts)} if parts else {}
        for part in parts_of_round:
            parts[part.name] = fit_part(
                (view,), config, part, RNG(1), provenance=PROVENANCE, **earlier
            )
    result = combine(parts, (view,), config, RNG(2), provenance=PROVENANCE)
    path = tmp_path_factory.mktemp("fit") / "fit.h5"
    write_record(path, result)
    return path, result


def test_stimuli_are_written_within_the_range_of_a_display(fit, tmp_path, capsys):
    path, result = fit
    assert main(["export-stimuli", str(path), "--out", str(tmp_path)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3 + 2 * result.n_types
    with h5py.File(tmp_path / "stimuli_display.h5") as file:
        frames = file["frames"][()]
        assert [dim.label for dim in file["frames"].dims] == [
            "stimulus",
            "frame",
            "channel",
            "y",
            "x",
        ]
        assert file["channel"].asstr()[()].tolist() == ["green", "uv"]
        assert ((file["grey"][()] > 0) & (file["grey"][()] < 1)).all()
    assert frames.min() >= 0
    assert frames.max() <= 1
    model = result.model
    back = model.low + (model.high - model.low) * frames.transpose(0, 1, 3, 4, 2)
    np.testing.assert_allclose(back.transpose(0, 4, 1, 2, 3), model.stimuli, atol=1e-5)
    assert (pd.read_csv(tmp_path / "stimuli.tsv", sep="\t")["out_of_gamut"] == 0).all()
    with Image.open(tmp_path / "type-01.gif") as picture:
        assert picture.n_frames > 1
    pictures = sorted(path.name for path in (tmp_path / "type-02").iterdir())
    assert len(pictures) == 2 * frames.shape[1]
    with Image.open(tmp_path / "type-02" / "uv-0003.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), np.round(255 * frames[1, 3, 1]))


def test_stimuli_as_nwb_are_what_the_display_file_holds(fit, tmp_path):
    from nwbinspector import Importance, inspect_nwbfile
    from pynwb import NWBHDF5IO

    path, result = fit
    assert main(["export-stimuli", str(path), "--out", str(tmp_path)]) == 0
    with h5py.File(tmp_path / "stimuli_display.h5") as file:
        frames = file["frames"][()]
    with NWBHDF5IO(str(tmp_path / "stimuli.nwb"), "r") as io:
        templates = io.read().stimulus_template
        assert sorted(templates) == [
            f"type_{kind}_{channel}" for kind in (1, 2, 3) for channel in ("green", "uv")
        ]
        series = templates["type_2_uv"]
        assert series.rate == pytest.approx(result.model.frame_rate_hz)
        np.testing.assert_array_equal(series.data[()], frames[1, :, 1].swapaxes(1, 2))
    told = list(inspect_nwbfile(nwbfile_path=tmp_path / "stimuli.nwb"))
    severe = (Importance.CRITICAL, Importance.ERROR, Importance.PYNWB_VALIDATION)
    # Stimuli are of no animal; everything else the inspector asks for is there.
    missing = [one.message for one in told if one.importance in severe]
    assert missing == ["Subject is missing."]


def test_stimuli_are_in_the_exported_recordings(fit, tmp_path):
    from nwbinspector import Importance, inspect_nwbfile
    from pynwb import NWBHDF5IO

    result = fit[1]
    folder = tmp_path / "e"
    name = str(result.recording[0])
    units = result.units[result.units["recording"] == name]
    rng = RNG(0)
    record = recording_of(
        trains([np.sort(rng.uniform(0, 60, 9)) for _ in range(len(units))], observed=[(0, 60)]),
        {},
        name=name,
        units={"unit_id": units["unit"].tolist(), "region": "retina"},
    )
    about = About(
        subject="m1", species="Mus musculus", sex="F", age="P90D", session_start="2024-05-01T10:00Z"
    )
    record = dataclasses.replace(record, about=about)
    write_record(folder / "recordings" / name / "recording.h5", record)
    write_record(folder / "celltypes" / "fit.h5", result)
    section = Section(id="celltypes", title="Cell types", status="ok", sentence="Found.")
    write_document(folder / "celltypes" / "section.json", section)
    write_plain(folder / "report.json", {"settings": {}})
    (made,) = export_results(folder, output=tmp_path / "nwb")
    model = result.model
    with NWBHDF5IO(str(made), "r") as io:
        nwb = io.read()
        module = nwb.processing["celltypes"]
        assert len(nwb.stimulus) == len(nwb.stimulus_template) == 0
        for kind in range(result.n_types):
            for at, channel in enumerate(map(str, model.channel)):
                series = module[f"type_{kind + 1}_{channel}"]
                low, high = model.low[at], model.high[at]
                back = low + (high - low) * series.data[()].swapaxes(1, 2)
                np.testing.assert_allclose(back, model.stimuli[kind, at], atol=1e-5)
                assert series.rate == pytest.approx(model.frame_rate_hz)
    serious = (Importance.CRITICAL, Importance.ERROR, Importance.PYNWB_VALIDATION)
    serious += (Importance.BEST_PRACTICE_VIOLATION,)
    told = [
        f"{one.location}: {one.message}"
        for one in inspect_nwbfile(nwbfile_path=made)
        if one.importance in serious
    ]
    assert told == []


@pytest.fixture(scope="module")
def shown_types(tmp_path_factory):
    """Types from trials of ten conditions, as a file, and the result."""
    result = typed((view(RNG(0), np.repeat([0, 1, 2], 8), tuning=TUNING),), settings())
    path = tmp_path_factory.mktemp("shown") / "fit.h5"
    write_record(path, result)
    return path, result


def test_new_units_of_an_nwb_file_are_typed_by_its_trials(shown_types, tmp_path, capsys):
    path, result = shown_types
    labels = np.array([2, 0, 1, 1])
    write_recording(tmp_path / "new.nwb", recording(RNG(5), labels, tuning=TUNING))
    assert main(["assign-new", str(path), str(tmp_path / "new.nwb")]) == 0
    assert "4 of 4 units have a type" in capsys.readouterr().out
    found = pd.read_csv(tmp_path / "new.types.tsv", sep="\t")
    wanted = [result.stimulus.tolist().index(("c1", "c4", "c7")[label]) + 1 for label in labels]
    assert found["type"].tolist() == wanted
    assert (found["confidence"] > 0.9).all()


def test_trials_name_optimised_stimuli_by_the_number_of_their_type(fit, tmp_path, capsys):
    path, result = fit
    model = result.model
    stop = model.stimuli.shape[2] / model.frame_rate_hz
    counts = stop - model.window_frames / model.frame_rate_hz
    # Units fire in the frames that count of their own stimulus, and before them in all others.
    start = 2.0 * np.arange(3 * 6)
    kind = np.tile([0, 1, 2], 6)
    trains = [
        np.concatenate(
            [
                at + RNG(unit).uniform(*((counts, stop) if one == unit else (0, counts)), 8)
                for at, one in zip(start, kind, strict=True)
            ]
        )
        for unit in range(3)
    ]
    names = np.array(["type 1", "TYPE-02", "stimulus_3"])[kind]
    seen = recording_of(spikes_of(trains, stop_s=40.0), {})
    trials = pd.DataFrame(
        {"start_s": start, "stop_s": start + stop, "condition": pd.Series(names, dtype="str")}
    )
    write_recording(tmp_path / "new.nwb", dataclasses.replace(seen, trials=trials))
    assert main(["assign-new", str(path), str(tmp_path / "new.nwb")]) == 0
    assert pd.read_csv(tmp_path / "new.types.tsv", sep="\t")["type"].tolist() == [1, 2, 3]
    assert main(["assign-new", str(path), str(tmp_path / "new.nwb"), "--window", "3", "1"]) == 3
    assert "no window of answers" in capsys.readouterr().err
    others = trials.assign(condition=pd.Series(["grating"] * len(trials), dtype="str"))
    write_recording(tmp_path / "other.nwb", dataclasses.replace(seen, trials=others))
    assert main(["assign-new", str(path), str(tmp_path / "other.nwb")]) == 3
    told = capsys.readouterr().err
    assert told.startswith("ERROR IN-T02")
    assert "conditions are 'grating'" in told


def answers_table(path, expected, rng, n_showings):
    """Poisson answers of units to showings of every type's stimulus, as a table."""
    rows = [
        (f"u{unit}", kind + 1, rng.poisson(expected[kind, unit]))
        for unit in range(expected.shape[1])
        for kind in range(len(expected))
        for _ in range(n_showings)
    ]
    pd.DataFrame(rows, columns=["unit", "type", "response"]).to_csv(path, sep="\t", index=False)


def test_new_units_are_typed_from_a_table(fit, tmp_path, capsys):
    path, result = fit
    expected = np.full((result.n_types, 5), 2.0)
    expected[[0, 1, 2, 1], [0, 1, 2, 3]] = 12.0
    expected[:, 4] = 4.0  # answers alike
    answers_table(tmp_path / "new.tsv", expected, RNG(0), 9)
    assert main(["assign-new", str(path), str(tmp_path / "new.tsv")]) == 0
    assert "units have a type" in capsys.readouterr().out
    found = pd.read_csv(tmp_path / "new.types.tsv", sep="\t").set_index("unit")
    assert found["type"].iloc[:4].tolist() == [1, 2, 3, 2]
    assert (found["confidence"].iloc[:4] > 0.9).all()
    assert found["confidence"].iloc[4] < 0.95


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("unit\ttype\nu\t1\n", "the column is missing"),
        ("unit\ttype\tresponse\nu\t9\t1\n", "names none of the types 1 to 3"),
        ("unit\ttype\tresponse\nu\t1\tmany\n", "line 2 holds 'many'"),
        ("", "cannot be read"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(fit, tmp_path, capsys, text, words):
    (tmp_path / "new.tsv").write_text(text)
    assert main(["assign-new", str(fit[0]), str(tmp_path / "new.tsv")]) == 3
    told = capsys.readouterr().err
    assert told.startswith("ERROR IN-T02")
    assert words in told
    assert not (tmp_path / "new.types.tsv").exists()


def test_units_that_answer_alike_or_were_not_seen_stay_without_a_type():
    answers = np.ones((2, 3, 3))
    answers[0, :, 0] = 9
    answers[1, :, 2] = np.nan
    found = type_units(answers, RNG(0))
    assert found.labels.tolist() == [0, -1, -1]
    assert found.reason.tolist() == [
        "",
        "answers alike to all stimuli",
        "not seen during every stimulus",
    ]
    assert found.confidence[0] == 1
    once = type_units(answers[:, :1, :1], RNG(0))
    assert once.labels.tolist() == [0]
    assert np.isnan(once.confidence).all()


def test_a_unit_with_fewer_showings_than_others_is_as_sure_as_alone():
    answers = RNG(3).normal(0, 0.1, (8, 10, 2)) + 5 * (np.arange(8)[:, None, None] == [2, 6])
    answers[:, 3:, 1] = np.nan
    assert type_units(answers[:, :, 1:], RNG(0)).confidence.tolist() == [1]
    both = type_units(answers, RNG(0))
    assert both.labels.tolist() == [2, 6]
    assert both.confidence.tolist() == [1, 1]
    answers[:, 1:, 1] = np.nan
    once = type_units(answers, RNG(0))
    assert once.labels.tolist() == [2, 6]
    assert once.confidence[0] == 1
    assert np.isnan(once.confidence[1])


def test_showings_are_drawn_with_replacement_from_those_of_each_unit():
    answers = np.array([[[1.0, np.nan], [np.nan, np.nan], [4.0, 7.0]]])
    rng = RNG(5)
    means = np.array([resampled_mean(answers, np.isfinite(answers), rng)[0] for _ in range(2000)])
    assert set(means[:, 1]) == {7.0}
    values, counts = np.unique(means[:, 0], return_counts=True)
    assert values.tolist() == [1.0, 2.5, 4.0]
    np.testing.assert_allclose(counts / 2000, [0.25, 0.5, 0.25], atol=0.05)


def test_scale_of_a_unit_does_not_matter_and_more_showings_type_better():
    answers = RNG(1).standard_normal((4, 6))
    gain = RNG(2).uniform(0.1, 9, 6)
    np.testing.assert_allclose(own_scale(gain * answers + 3), own_scale(answers))
    labels = np.repeat([0, 1, 2], 20)
    counts = np.where(np.arange(3)[:, None] == labels, 2.0, 1.0)
    few, many = accuracy_by_showings(counts, labels, (1, 30), RNG(0))
    assert 1 / 3 < few < 0.8 < 0.95 < many
