"""Stimuli for a display, and new units typed from a table of answers, by command."""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.__main__ import main
from pipeline.core.provenance import Provenance
from pipeline.io.records import write_record
from pipeline.methods.celltypes.algorithm import combine, fit_part
from pipeline.methods.celltypes.config import CelltypesConfig
from pipeline.methods.celltypes.simulate import simulate
from pipeline.methods.celltypes.typing_units import accuracy_by_showings, own_scale, type_units

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
    assert len(capsys.readouterr().out.splitlines()) == 2 + result.n_types
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


def test_scale_of_a_unit_does_not_matter_and_more_showings_type_better():
    answers = RNG(1).standard_normal((4, 6))
    gain = RNG(2).uniform(0.1, 9, 6)
    np.testing.assert_allclose(own_scale(gain * answers + 3), own_scale(answers))
    labels = np.repeat([0, 1, 2], 20)
    counts = np.where(np.arange(3)[:, None] == labels, 2.0, 1.0)
    few, many = accuracy_by_showings(counts, labels, (1, 30), RNG(0))
    assert 1 / 3 < few < 0.8 < 0.95 < many
