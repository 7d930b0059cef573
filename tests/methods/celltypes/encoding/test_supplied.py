"""Models of the user's own: every form, what must fit, and the published banks of filters."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.core.errors import ConfigError, NotApplicable
from pipeline.core.rng import stream
from pipeline.io.records import read_record, write_record
from pipeline.methods.celltypes.encoding.config import EncodingConfig, SuppliedConfig
from pipeline.methods.celltypes.encoding.design import Design
from pipeline.methods.celltypes.encoding.fit import EncodingFit, fit_encoding
from pipeline.methods.celltypes.encoding.networks import SuppliedNetwork
from tests.support.golden import golden_files
from tests.support.small_stimuli import planted_view

MEMORY, GRID = 3, (9, 8)
HERE = f"{__name__}:"


class Spots(nn.Module):
    """Units that see the mean of a spot around their place ``mu``, in [-1, 1], over 3 frames."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.mu = nn.Parameter(torch.rand(6, 2, generator=generator) - 0.5)
        y, x = (torch.linspace(-1, 1, size) for size in GRID)
        self.register_buffer("y", y[:, None].expand(GRID).clone())
        self.register_buffer("x", x[None].expand(GRID).clone())

    def forward(self, stimuli: torch.Tensor) -> torch.Tensor:
        square = (self.y - self.mu[:, 0, None, None]) ** 2 + (
            self.x - self.mu[:, 1, None, None]
        ) ** 2
        seen = torch.einsum("bctyx,nyx->btn", stimuli, torch.exp(-8 * square))
        return nn.functional.softplus(seen[:, 2:] + seen[:, 1:-1] + seen[:, :-2])


def spots() -> Spots:
    return Spots()


def last_frame(stimuli: torch.Tensor) -> torch.Tensor:
    return spots()(stimuli)[:, -1]


@pytest.fixture(scope="module")
def view():
    return planted_view(stream(0, "supplied"), 6, n_frames=1200, grid=GRID)[0]


def given(tmp_path: Path, kind: str) -> SuppliedConfig:
    path = tmp_path / "model.pt"
    if kind == "torchscript":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.jit.save(torch.jit.script(spots()), str(path))
    if kind == "state_dict":
        torch.save(spots().state_dict(), path)
    factory = {"state_dict": "spots", "callable": "last_frame"}.get(kind, "")
    return SuppliedConfig(
        kind=kind,
        path="" if kind == "callable" else str(path),
        factory=HERE + factory if factory else "",
        memory_frames=MEMORY,
    )


def fit(view, supplied: SuppliedConfig) -> EncodingFit:
    settings = EncodingConfig(supplied=supplied, window_frames=2)
    return fit_encoding([view], settings, stream(0, "fit"), "cpu")


@pytest.mark.parametrize("kind", ["torchscript", "state_dict"])
def test_a_module_is_taken_as_it_is_and_moved_to_the_middle(view, tmp_path, kind):
    found = fit(view, given(tmp_path, kind))
    assert (found.network, found.tried, found.reason) == ("supplied",) * 2 + (
        "a model was supplied",
    )
    frames = found.model.scale.scaled(view.stimulus)
    shown = torch.from_numpy(frames).transpose(0, 1)[None]
    own = spots()
    with torch.no_grad():
        expected = own(shown)[0].numpy()
        np.testing.assert_allclose(found.model.traces(frames, centred=False), expected, rtol=1e-4)
        own.mu.zero_()
        middle = own(shown[:, :, :20])[:, -2:].mean(1)
    torch.testing.assert_close(found.model.responses(shown[:, :, :20]), middle)
    np.testing.assert_allclose(found.mean, own(shown[:, :, :960])[0].detach().mean(0), rtol=0.01)
    assert found.units["validation_correlation_ln"].isna().all()
    assert len(found.history) == 0


def test_a_stored_result_needs_no_file(view, tmp_path):
    supplied = given(tmp_path, "torchscript")
    found = fit(view, supplied)
    write_record(tmp_path / "fit.h5", found)
    Path(supplied.path).unlink()
    again = read_record(tmp_path / "fit.h5", EncodingFit)
    shown = torch.randn(2, 1, 6, *GRID, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(again.model.responses(shown), found.model.responses(shown))


def test_a_function_that_answers_for_the_last_frame_is_run_frame_by_frame(view, tmp_path):
    found = fit(view, given(tmp_path, "callable"))
    frames = found.model.scale.scaled(view.stimulus[:50])
    with torch.no_grad():
        expected = spots()(torch.from_numpy(frames).transpose(0, 1)[None])[0].numpy()
    np.testing.assert_allclose(found.model.traces(frames, centred=False), expected, rtol=1e-4)
    assert found.reason.endswith("could not be moved to the middle of the frame")
    shown = torch.randn(1, 1, 6, *GRID).requires_grad_()
    (slope,) = torch.autograd.grad(found.model.responses(shown).sum(), shown)
    assert torch.isfinite(slope).all()
    assert (slope != 0).any()


def test_a_model_of_other_units_or_memory_is_refused(view, tmp_path):
    wrong = given(tmp_path, "state_dict").model_copy(update={"memory_frames": 5})
    with pytest.raises(NotApplicable, match=r"answers 6 frames with \(1, 4, 6\); expected"):
        fit(view, wrong)


@pytest.mark.parametrize(
    ("kind", "path", "factory"),
    [
        ("torchscript", "missing.pt", ""),
        ("torchscript", "text.pt", ""),
        ("state_dict", "text.pt", HERE + "spots"),
        ("callable", "", "nowhere.at.all:f"),
        ("callable", "", HERE + "nothing"),
    ],
)
def test_a_model_that_cannot_be_loaded_is_told(view, tmp_path, kind, path, factory):
    (tmp_path / "text.pt").write_text("no model")
    supplied = SuppliedConfig(
        kind=kind, path=str(tmp_path / path) if path else "", factory=factory, memory_frames=MEMORY
    )
    with pytest.raises(ConfigError, match=r"cannot be (read|loaded)") as caught:
        fit(view, supplied)
    assert caught.value.code == "CF-K05"


KEYS = ("filters", "gain", "bias", "nonlinearity", "n_em")


@pytest.mark.parametrize("bank", golden_files("mds_celltypes", *KEYS))
def test_published_banks_of_filters_assign_units_as_published(bank):
    """Where units went in every step of the published loop follows from our answers."""
    bend = {"identity": lambda x: x, "softplus": nn.functional.softplus, "relu": torch.relu}[
        str(bank["nonlinearity"])
    ]
    filters, gain, bias = (torch.from_numpy(bank[key]).float() for key in KEYS[:3])

    def model(stimuli):
        return bend(gain * torch.einsum("bctyx,nyx->bn", stimuli, filters) + bias)

    n_units, y, x = filters.shape
    design = Design(
        network="supplied", n_units=n_units, n_channels=1, grid=(y, x), memory=1, output="rate"
    )
    network = SuppliedNetwork(design, model, centred=True)
    for step in range(int(bank["n_em"])):
        stimuli = torch.from_numpy(bank[f"em{step}_stimuli"]).float()
        answers = network(stimuli[:, None, None])[:, 0]
        np.testing.assert_array_equal(answers.argmax(0), bank[f"em{step}_assign_raw"])


def test_weights_are_not_read_as_code(view, tmp_path):
    """A pickle that would run something is no file of weights."""
    buffer = io.BytesIO()
    torch.save({"mu": Danger()}, buffer)
    (tmp_path / "model.pt").write_bytes(buffer.getvalue())
    supplied = SuppliedConfig(
        kind="state_dict",
        path=str(tmp_path / "model.pt"),
        factory=HERE + "spots",
        memory_frames=MEMORY,
    )
    with pytest.raises(ConfigError, match="cannot be loaded"):
        fit(view, supplied)


class Danger:
    def __reduce__(self):
        return (pytest.fail, ("code of a file was run",))
