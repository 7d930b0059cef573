"""The linear-nonlinear model finds planted filters and places."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.io.records import read_record, write_record
from pipeline.methods.celltypes.encoding.config import EncodingConfig
from pipeline.methods.celltypes.encoding.fit import EncodingFit, fit_encoding
from pipeline.methods.celltypes.encoding.model import EncodingModel
from tests.support.small_stimuli import drive_of, planted_view

MEMORY = 8
SETTINGS = EncodingConfig(network="ln", memory_s=MEMORY / 30.0, max_epochs=15, window_frames=3)


@pytest.fixture(scope="module")
def planted():
    return planted_view(stream(0, "planted"), n_frames=9000, memory=MEMORY, channels=2)


@pytest.fixture(scope="module")
def fit(planted) -> EncodingFit:
    return fit_encoding([planted[0]], SETTINGS, stream(0, "fit"), "cpu")


def cosine(one, other):
    one, other = (np.asarray(each).reshape(len(each), -1) for each in (one, other))
    size = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return (one * other).sum(axis=1) / size


def test_planted_filters_are_found(planted, fit):
    space, time, _ = planted[1]
    arrays = fit.model.members[0].arrays
    # The sign may stand with either of the two.
    seen = (arrays["space"] * arrays["window"])[:, 0]
    whole = np.einsum("ncyx,nl->nclyx", seen, arrays["time"][:, 0])
    planted_whole = np.einsum("ncyx,nl->nclyx", space, time)
    assert cosine(whole, planted_whole).min() > 0.9


def test_units_are_found_where_they_look(planted, fit):
    found = fit.units[["field_y", "field_x"]].to_numpy()
    assert np.abs(found - planted[1][2]).max() < 0.75


def test_predictions_come_near_the_planted_rates(planted, fit):
    view, (space, time, _) = planted
    stimulus = fit.model.scale.scaled(view.stimulus)
    rate = 0.35 * np.logaddexp(0, 1.8 * drive_of(view.stimulus, space, time))
    predicted = fit.model.traces(stimulus, centred=False)
    for unit in range(view.unit.size):
        r = np.corrcoef(predicted[:, unit], rate[MEMORY - 1 :, unit])[0, 1]
        assert r > 0.95
    assert fit.units["test_correlation"].min() > 0.35
    assert fit.units["used"].all()


def test_a_stored_fit_answers_as_before(fit, tmp_path):
    import torch

    write_record(tmp_path / "fit.h5", fit)
    again = read_record(tmp_path / "fit.h5", EncodingFit)
    stimuli = torch.randn(
        3, 2, fit.model.shortest, 9, 8, generator=torch.Generator().manual_seed(0)
    )
    assert torch.equal(again.model.responses(stimuli), fit.model.responses(stimuli))
    assert again.model.design == fit.model.design


def test_the_same_seed_gives_the_same_model_and_another_a_similar_one(planted, fit):
    again = fit_encoding([planted[0]], SETTINGS, stream(0, "fit"), "cpu")
    for name, values in fit.model.members[0].arrays.items():
        np.testing.assert_array_equal(values, again.model.members[0].arrays[name])
    other = fit_encoding([planted[0]], SETTINGS, stream(1, "fit"), "cpu")
    assert cosine(
        fit.model.members[0].arrays["space"], other.model.members[0].arrays["space"]
    ).min() == pytest.approx(1, abs=0.05)


def test_answers_look_at_the_middle_and_only_at_the_last_frames(fit):
    import torch

    model: EncodingModel = fit.model
    generator = torch.Generator().manual_seed(1)
    stimuli = torch.randn(2, 2, model.shortest + 7, 9, 8, generator=generator)
    whole = model.responses(stimuli)
    assert whole.shape == (2, model.unit.size)
    assert torch.equal(model.responses(stimuli[:, :, 7:]), whole)
    traces = model.traces(stimuli[0].transpose(0, 1).numpy())
    np.testing.assert_allclose(traces[-3:].mean(axis=0), whole[0].numpy(), rtol=1e-5)
    network = model._built("cpu")[0].centred()
    middle = network.where()[0].numpy()
    assert np.abs(middle - [4.0, 3.5]).max() < 0.6


def test_stimuli_that_do_not_fit_are_refused(fit):
    import torch

    with pytest.raises(ValueError, match="do not fit"):
        fit.model.responses(torch.zeros(1, 2, 20, 8, 8))
    with pytest.raises(ValueError, match=f"too short: {MEMORY + 2} are needed"):
        fit.model.responses(torch.zeros(1, 2, 9, 9, 8))
