"""Comparisons with surrogates on recordings of independent units, where nothing is to be found."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from pipeline.core.method import Part
from pipeline.core.provenance import Provenance
from pipeline.core.rng import stream
from pipeline.core.views import TraceEnsemble
from pipeline.methods.connectome.algorithm import combine, fit_part
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.rank_choice import supported
from pipeline.methods.connectome.surrogates import TESTED, compare, supported_components

N_DATA_SETS = 60
N_SURROGATES = 19
LEVEL = 0.1
PROVENANCE = Provenance(stage="fit", experiment="x", package_version="0", code_digest="")
CONFIG = ConnectomeConfig(
    rank=2,
    n_restarts=6,
    n_surrogates=N_SURROGATES,
    max_iterations=5,
    n_partitions=2,
    coarse_grain=2,
    theta=0.1,
    min_snr=0.0,
    min_animals=1,
    baselines=False,
    lead_lag_pairs=0,
    leave_one_out=False,
)


def independent_view(recording: str, rng: np.random.Generator) -> TraceEnsemble:
    """Seven units with events of their own, some often and some seldom."""
    n_frames, n_units, rate_hz = 140, 7, 2.0
    rate = np.linspace(0.02, 0.15, n_units)
    events = (rng.random((n_frames + 40, n_units)) < rate) * rng.exponential(size=n_units)
    decay = np.exp(-np.arange(20) / 3)
    traces = np.stack([np.convolve(unit, decay)[40 : 40 + n_frames] for unit in events.T], axis=1)
    return TraceEnsemble(
        recording=recording,
        time=np.arange(n_frames) / rate_hz,
        values=(traces + 0.02 * rng.standard_normal(traces.shape)).astype(np.float32),
        valid=np.ones(traces.shape, dtype=bool),
        unit=np.array([f"roi{index}" for index in range(n_units)]),
        identity=np.array([f"N{index}" for index in range(n_units)]),
        epochs=pd.DataFrame(
            {"start_s": np.empty(0), "stop_s": np.empty(0), "label": pd.Series([], dtype="str")}
        ),
        left_out=pd.DataFrame({"what": [], "count": [], "reason": []}),
        rate_hz=rate_hz,
        signal="dff",
        value_unit="dF/F",
        provenance=PROVENANCE,
    )


@pytest.fixture(scope="module")
def results():
    """Whole fits: every other data set has two recordings of one animal's names."""
    found = []
    for index in range(N_DATA_SETS):
        rng = stream(index, "null", "data")
        views = tuple(independent_view(name, rng) for name in "ab"[: 1 + index % 2])
        parts = {
            part.name: fit_part(
                views, CONFIG, part, stream(index, "null", part.name), provenance=PROVENANCE
            )
            for part in CONFIG.plan()
        }
        found.append(
            combine(parts, views, CONFIG, stream(index, "null", "combine"), provenance=PROVENANCE)
        )
    return found


def most_by_chance(level: float = LEVEL) -> int:
    """What a fair test stays at or below 99 times in 100."""
    from scipy.stats import binom

    return int(binom.isf(0.01, N_DATA_SETS, level))


@pytest.mark.slow
@pytest.mark.parametrize("name", TESTED)
def test_independent_units_stand_out_no_more_often_than_by_chance(results, name):
    p_values = np.array([compare(result)[name].p_value for result in results])
    assert (p_values <= LEVEL).sum() <= most_by_chance()
    assert np.median(p_values) > 0.25  # and the p values are not all of them small


@pytest.mark.slow
def test_components_of_independent_units_are_seldom_supported(results):
    n_with_any = sum(bool(supported_components(result).any()) for result in results)
    assert n_with_any <= most_by_chance(0.05)


@pytest.mark.slow
def test_the_best_restart_against_single_surrogate_fits_would_be_seen_to_be_unfair(results):
    p_values = np.array(
        [
            (1 + (result.surrogate_concentration >= result.restart_concentration.max()).sum())
            / (1 + N_SURROGATES)
            for result in results
        ]
    )
    assert (p_values <= LEVEL).sum() > most_by_chance()


@pytest.fixture(scope="module")
def choices():
    """Choices of the number of components for independent units, two recordings each."""
    config = CONFIG.model_copy(update={"rank": "auto", "ranks": [1, 2, 3], "n_rank_runs": 5})
    found = []
    for index in range(N_DATA_SETS // 3):
        rng = stream(index, "null", "ranks")
        views = tuple(independent_view(name, rng) for name in "ab")
        provenance = dataclasses.replace(PROVENANCE, seed=index)
        parts = {
            part.name: fit_part(
                views, config, part, stream(index, "null", part.name), provenance=provenance
            )
            for part in config.rounds()[0]
        }
        found.append(
            fit_part(views, config, Part("choice"), rng, provenance=provenance, earlier=parts)
        )
    return found


@pytest.mark.slow
def test_no_number_of_components_is_found_in_independent_units(choices):
    from scipy.stats import binom

    # All of five surrogates are worse in one of six data sets by chance, for each number.
    n_supported = np.array([supported(choice) for choice in choices]).sum(axis=0)
    assert (n_supported <= binom.isf(0.005, len(choices), 1 / 6)).all()
    assert sum(choice.ruled == 1 for choice in choices) >= 0.8 * len(choices)
