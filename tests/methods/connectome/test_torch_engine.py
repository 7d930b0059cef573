"""Engine ``torch`` beside the compiled one: products, fits with gaps, devices that are missing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from pipeline.core.errors import EnvironmentFault
from pipeline.core.method import Part
from pipeline.core.provenance import Provenance
from pipeline.core.rng import stream
from pipeline.methods.connectome import torch_engine
from pipeline.methods.connectome.algorithm import fit_part
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.contraction import SplitProducts, UnitColumns, UnitProducts
from pipeline.methods.connectome.factorisation import Search, factorise
from pipeline.methods.connectome.hals import Problem
from pipeline.methods.connectome.masks import Observed
from pipeline.methods.connectome.simulate import simulate
from pipeline.methods.connectome.torch_engine import TorchProducts, device_for

PROVENANCE = Provenance(stage="fit", experiment="x", package_version="0", code_digest="")
DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=pytest.mark.skipif(
            not torch.cuda.is_available(),
            reason=f"torch {torch.__version__} finds no graphics card here",
        ),
    ),
]


def columns_of(rng, n_columns, n_units, *, n_cells=None):
    """Sparse columns; with ``n_cells`` several of them in some cells and none in others."""
    values = rng.random((n_columns, n_units)) * (rng.random((n_columns, n_units)) > 0.6)
    if n_cells is None:
        return UnitColumns.of(values)
    return UnitColumns.of(
        values, cell=np.sort(rng.integers(n_cells, size=n_columns)), n_cells=n_cells
    )


def assert_same_products(one, other, rng, *, n_columns=13):
    pair = rng.standard_normal((one.n_pairs, n_columns))
    weight = rng.standard_normal((one.energy.size, n_columns))
    np.testing.assert_allclose(other.over_pairs(pair), one.over_pairs(pair), atol=2e-4)
    np.testing.assert_allclose(other.over_cells(weight), one.over_cells(weight), atol=2e-4)
    np.testing.assert_array_equal(other.energy, one.energy)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("n_cells", [None, 90])
def test_products_are_those_of_the_compiled_engine(device, n_cells, monkeypatch):
    # little room and short sums, so that columns and cells come in several batches
    monkeypatch.setitem(torch_engine.ROOM_BYTES, device, 4 * 31 * 31 * 4)
    monkeypatch.setattr(torch_engine, "CELLS_A_SUM", 50)
    rng = stream(0, "torch", str(n_cells))
    columns = columns_of(rng, 200, 31, n_cells=n_cells)
    one, other = UnitProducts(columns), TorchProducts(columns, device=device)
    assert_same_products(one, other, rng)
    cells = rng.permutation(one.energy.size)[:40]
    assert_same_products(one.of_cells(cells), other.of_cells(cells), rng)
    factor = rng.random(one.energy.size)
    assert_same_products(one.scaled(factor), other.scaled(factor), rng)
    seen = rng.random((one.energy.size, 31)) > 0.3
    assert_same_products(one.seen_only(seen), other.seen_only(seen), rng)


@pytest.mark.parametrize("device", DEVICES)
def test_two_channels_have_the_same_products(device):
    rng = stream(1, "torch")
    every, same = columns_of(rng, 60, 9), columns_of(rng, 60, 9)
    one = SplitProducts(UnitProducts(every), UnitProducts(same))
    other = SplitProducts(*(TorchProducts(one, device=device) for one in (every, same)))
    assert_same_products(one, other, rng)


def gappy(device, seed=2):
    """Three planted components; units missing in slots, and for some time."""
    rng = stream(seed, "torch", "gaps")
    n_rows, n_slots, n_units = 80, 3, 12
    group = np.arange(n_units) % 3
    course = rng.random((n_rows, 3)) * (rng.random((n_rows, 3)) > 0.5)
    values = course[:, None, group] * rng.uniform(0.5, 1, (1, n_slots, n_units))
    observed = np.ones(values.shape, dtype=bool)
    observed[:, 0, 2] = observed[:, 2, [4, 7]] = observed[30:50, 1, 5] = False
    values = np.where(observed, values, 0).reshape(-1, n_units)
    columns = UnitColumns.of(values)
    products = (
        UnitProducts(columns) if device == "compiled" else TorchProducts(columns, device=device)
    )
    return Problem(products=products, observed=Observed.of(observed))


@pytest.mark.parametrize("device", DEVICES)
def test_fits_with_missing_units_and_gaps_are_those_of_the_compiled_engine(device):
    search = Search(n_starts=4, n_kept=2, burn_in=10, max_iterations=60)
    one, other = (
        factorise(gappy(which), rank=3, search=search, rng=stream(3, "torch", "fit"))
        for which in ("compiled", device)
    )
    assert len(one) == len(other) == 2
    assert one[0].relative_error < 0.5
    for first, second in zip(one, other, strict=True):
        assert second.relative_error == pytest.approx(first.relative_error, abs=2e-5)
        np.testing.assert_allclose(second.errors[:10], first.errors[:10], atol=2e-5)
    np.testing.assert_allclose(other[0].pair, one[0].pair, atol=2e-3)
    np.testing.assert_allclose(other[0].time, one[0].time, atol=2e-3)


@pytest.mark.parametrize("device", DEVICES)
def test_parts_fitted_by_torch_say_where(device):
    views, _ = simulate(stream(4, "torch"), size="tiny")
    config = ConnectomeConfig(rank=2, n_starts=1, max_iterations=15, n_partitions=5)
    by_torch = ConnectomeConfig(**{**config.model_dump(), "engine": "torch", "device": device})
    one, other = (
        fit_part(
            views, asked, Part("restart-00"), stream(4, "torch", "part"), provenance=PROVENANCE
        )
        for asked in (config, by_torch)
    )
    assert one.provenance.device == "cpu"
    assert other.provenance.device.startswith(f"{device} (")
    assert other.relative_error == pytest.approx(one.relative_error, abs=2e-5)
    np.testing.assert_allclose(other.component_gain, one.component_gain, atol=1e-3)


def test_a_graphics_card_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    asked = ConnectomeConfig(rank=2, engine="torch", device="cuda")
    with pytest.raises(EnvironmentFault, match="RN-R18") as told:
        device_for(asked)
    assert "methods.connectome.device" in str(told.value)
    assert device_for(asked.model_copy(update={"device": "auto"})) == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_for(asked) == "cuda"
    assert device_for(asked.model_copy(update={"device": "cpu"})) == "cpu"


def test_affinities_that_need_a_table_are_not_for_torch():
    with pytest.raises(ValidationError, match="take 'compiled'"):
        ConnectomeConfig(engine="torch", affinity="interval")
    assert ConnectomeConfig(engine="torch", affinity="split_sign").device == "auto"


def test_torch_keeps_its_threads_and_precision():
    threads, rounded = torch.get_num_threads(), torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        products = TorchProducts(columns_of(stream(5, "torch"), 10, 4), device="cpu", threads=1)
        products.over_pairs(np.ones((6, 2)))
        assert torch.backends.cuda.matmul.allow_tf32
        assert torch.get_num_threads() == threads
        with torch_engine._exact(1):
            assert not torch.backends.cuda.matmul.allow_tf32
    finally:
        torch.backends.cuda.matmul.allow_tf32 = rounded
