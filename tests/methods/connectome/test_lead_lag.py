"""Which of two units is ahead: planted delays through the whole, and units that know no other."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pipeline.core.parts import REMARK
from pipeline.core.provenance import Provenance
from pipeline.core.rng import stream
from pipeline.core.views import TraceEnsemble
from pipeline.methods.connectome.alignment import align
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.factorisation import Search, factorise
from pipeline.methods.connectome.lead_lag import lead_lag
from pipeline.methods.connectome.lead_lag_parts import (
    WARNING,
    lead_lag_figure,
    lead_lag_table,
    lead_lag_words,
)
from pipeline.methods.connectome.problem import affinity_problem
from pipeline.numerics.lagged import FEW, SHORT, TESTED

PROVENANCE = Provenance(stage="fit", experiment="x", package_version="0", code_digest="")
CONFIG = ConnectomeConfig(
    rank=2, lead_lag_pairs=6, min_animals=1, min_snr=0.0, theta=0.1, max_iterations=100, n_starts=2
)
DELAY_S = 1.2


def view(recording, traces, rate_hz):
    return TraceEnsemble(
        recording=recording,
        time=np.arange(len(traces)) / rate_hz,
        values=traces.astype(np.float32),
        valid=np.ones(traces.shape, dtype=bool),
        unit=np.array([f"roi{index}" for index in range(traces.shape[1])]),
        identity=np.array([f"N{index}" for index in range(traces.shape[1])]),
        epochs=pd.DataFrame(
            {"start_s": np.empty(0), "stop_s": np.empty(0), "label": pd.Series([], dtype="str")}
        ),
        left_out=pd.DataFrame({"what": [], "count": [], "reason": []}),
        rate_hz=rate_hz,
        signal="dff",
        value_unit="dF/F",
        provenance=PROVENANCE,
    )


def recorded(rng, times, *, duration_s, rate_hz):
    """Traces (frame, unit) of events at given times: an indicator's decay, and noise."""
    n_frames = int(duration_s * rate_hz)
    traces = np.zeros((n_frames, len(times)))
    t = np.arange(n_frames) / rate_hz
    for unit, at in enumerate(times):
        for one in at:
            late = t - one
            traces[:, unit] += np.where(late >= 0, np.exp(-np.maximum(late, 0) / 0.8), 0)
    return traces + 0.02 * rng.standard_normal(traces.shape)


def two_groups(seed, *, n_recordings, duration_s=240.0, rate_hz=4.0):
    """Units 0 to 3 and 4 to 7 have common events; in each first group unit 1 is late, 2 inverted.

    Times of events are other ones in each recording, with a jitter of 50 ms of each unit.
    """
    rng = stream(seed, "lead-lag", "data")
    views = []
    for index in range(n_recordings):
        times = []
        for group in range(2):
            n_events = int(duration_s / 12)
            common = np.sort(rng.uniform(5, duration_s - 8, n_events))
            for member in range(4):
                late = DELAY_S if (group, member) == (0, 1) else 0.0
                times.append(common + late + 0.05 * rng.standard_normal(n_events))
        traces = recorded(rng, times, duration_s=duration_s, rate_hz=rate_hz)
        traces[:, 2] *= -1
        views.append(view("abcd"[index], traces, rate_hz))
    return tuple(views)


def independent(seed, *, n_recordings=2, n_units=8):
    """Units with events of their own that last, so that courses are autocorrelated."""
    rng = stream(seed, "lead-lag", "independent")
    views = []
    for index in range(n_recordings):
        times = [np.sort(rng.uniform(0, 200, rng.poisson(200 / 8))) for _ in range(n_units)]
        views.append(view("abcd"[index], recorded(rng, times, duration_s=200, rate_hz=3.0), 3.0))
    return tuple(views)


def found_in(views, config=CONFIG, seed=0):
    alignment = align(views, config)
    problem = affinity_problem(alignment, config, threads=1)
    search = Search(n_starts=2, n_kept=1, max_iterations=100)
    fit = factorise(
        problem, rank=config.n_components, search=search, rng=stream(seed, "lead-lag", "fit")
    )[0]
    rng = stream(seed, "lead-lag", "test")
    return lead_lag(problem, alignment, fit, views, config, threads=1, rng=rng), alignment


def rows_of(found, one, other):
    pairs = np.sort(found.pair, axis=1)
    return np.flatnonzero((pairs == (one, other)).all(axis=1))


@pytest.mark.parametrize("n_recordings", [4, 1])
def test_a_planted_delay_is_found_and_nothing_else(n_recordings):
    duration_s = 240.0 if n_recordings > 1 else 600.0
    found, alignment = found_in(two_groups(1, n_recordings=n_recordings, duration_s=duration_s))
    assert list(alignment.unit) == [f"N{index}" for index in range(8)]
    late = np.flatnonzero((found.pair == 1).any(axis=1) & (found.pair < 4).all(axis=1))
    assert late.size >= 3
    for row in late[found.status[late] == TESTED]:
        assert found.pair[row, 1] == 1  # the late unit is the one behind
        assert found.delay_s[row] == pytest.approx(DELAY_S, abs=0.1)
        assert found.delay_range_s[row, 0] <= DELAY_S + 0.05
        assert found.delay_range_s[row, 1] >= DELAY_S - 0.05
        assert found.q_value[row] <= 0.05
        assert found.n_alike[row] == found.n_recordings[row]
        inverted = 2 in found.pair[row]
        assert found.correlation[row] * (-1 if inverted else 1) > 0.8
    others = np.setdiff1d(np.flatnonzero(found.status == TESTED), late)
    assert others.size >= 4
    assert (found.p_locked[others] <= 0.01).all()
    assert (found.delay_s[others] < found.frame_s / 2).all()
    assert (found.q_value[others] > 0.05).all()


def test_recordings_of_other_rates_are_laid_on_one_grid_of_lags():
    views = two_groups(2, n_recordings=2)
    finer = two_groups(2, n_recordings=2, rate_hz=8.0)
    mixed = (views[0], dataclasses.replace(finer[1], recording="b"))
    found, _ = found_in(mixed)
    late = rows_of(found, 0, 1)
    assert late.size
    told = late[found.status[late] == TESTED]
    assert (found.pair[told] == (0, 1)).all()
    np.testing.assert_allclose(found.delay_s[told], DELAY_S, atol=0.15)


def test_independent_units_are_not_ahead_of_each_other():
    least = []
    for seed in range(6):
        found, _ = found_in(independent(seed), seed=seed)
        if found is not None and np.isfinite(found.q_value).any():
            least.append(np.nanmin(found.q_value))
    assert len(least) >= 4
    assert np.mean(np.array(least) <= 0.05) <= 0.2


@pytest.mark.slow
def test_p_values_keep_their_level_in_whole_fits_of_independent_units():
    config = CONFIG.model_copy(update={"lead_lag_pairs": 2, "max_iterations": 30})
    locked = []
    for seed in range(40):
        found, _ = found_in(independent(100 + seed), config, seed=seed)
        if found is not None:
            locked += [p for p in found.p_locked if np.isfinite(p)]
    locked = np.array(locked)
    assert locked.size >= 100
    # Tests of one data set share units: twice the binomial variance is allowed for.
    for level in (0.05, 0.2):
        error = np.sqrt(2 * level * (1 - level) / locked.size)
        assert np.mean(locked <= level) <= level + 3 * error


def test_short_recordings_get_a_status_and_no_number():
    found, alignment = found_in(two_groups(3, n_recordings=2, duration_s=60.0))
    assert np.isin(found.status, [FEW, SHORT]).all()
    assert np.isnan(found.delay_s).all()
    assert np.isnan(found.q_value).all()
    result = shown(found, alignment)
    assert lead_lag_figure(result, result.unit) is None
    assert "0 could be made (" in lead_lag_words(result, 0.75)
    table = lead_lag_table(result, found, result.unit)
    assert set(table.columns["delay (s)"]) == {None}


def shown(found, alignment):
    return SimpleNamespace(
        lead_lag=found,
        recording=alignment.recording,
        unit=alignment.unit,
        community=np.zeros((2, alignment.unit.size), dtype=int),
    )


def test_figure_and_table_name_who_is_ahead_and_warn():
    found, alignment = found_in(two_groups(1, n_recordings=2))
    result = shown(found, alignment)
    figure = lead_lag_figure(result, result.unit)
    assert WARNING.lower() in figure.title
    assert WARNING in figure.caption
    assert WARNING in lead_lag_words(result, 0.75)
    table = lead_lag_table(result, found, result.unit)
    assert WARNING.lower() in table.title
    n_ahead = int((found.q_value <= 0.05).sum())
    assert n_ahead
    assert figure.finding.startswith(f"In {n_ahead} of ")
    # the rows that are told best come first, and name the late unit as behind
    assert table.columns["behind"][:n_ahead] == ("N1",) * n_ahead
    bars = figure.panels[0]
    assert bars.labels[0].partition(REMARK)[0].endswith("\N{RIGHTWARDS ARROW} N1")
    assert bars.labels[0].partition(REMARK)[2] in (f"1{REMARK}*", f"2{REMARK}*")
    assert (bars.lower[:n_ahead] > 0).all()
