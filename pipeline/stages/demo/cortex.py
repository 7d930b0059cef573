"""Simulated cortex: clusters of units under switching states, and areas with known geometries.

Sixty units of three areas spike for six minutes: 45 s of grey screen, 15 repeats of 12 drifting
gratings in random order, 45 s of grey screen, with pauses of 5 s in which nothing is recorded. Two
truths are planted at once.

**Clusters and states.** Every unit belongs to one of four clusters, every bin of 0.5 s to one of
three states. Cluster k has a trajectory x_k = (m_k, f_k) of a common log rate and two factors that
obeys the linear dynamics of the state s into each bin, in the pauses too::

    x_k(t) = mu_sk + A_sk (x_k(t - 1) - mu_sk) + noise of variance Q_s

At rest trajectories stay near 0. In the two other states they are slow, the factors turn, and the
mean log rate of each cluster is a different one, so that a state lifts some clusters and lowers
others. Clusters and areas cross: no area is a cluster and no cluster lies in one area.

**Geometries.** While a grating is shown, the log rate of a unit changes by its tuning. In VISp
that is a bump around a preferred direction, so that the directions lie on a ring. In VISl it is a
response to the spatial frequency, of which each of four belongs to three directions that are far
apart, so that the conditions lie in four clusters. CA1 does not answer to gratings at all.

**Counts.** Running lifts or lowers all rates by some percent. Per bin of 0.5 s one gamma variable
of mean 1 and shape r_i multiplies the rate of unit i, so that its count in a bin is exactly
negative binomial with size r_i and the mean::

    integral over the bin of exp(d_i + m_k + c_i' f_k + tuning_i + running gain) dt

Why both can be found: trajectories last for seconds, gratings come in random order and last 1 s,
units of one cluster share trajectories and no tuning, and every condition is seen in all states.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from pipeline.core.recording import SpikeTrains
from pipeline.methods.biclustering.truth import BiclusteringTruth
from pipeline.methods.trsa.simulate import (
    GEOMETRIES,
    REGIONS,
    TrsaTruth,
    geometry_tuning,
    planted_dissimilarities,
)
from pipeline.stages.demo.spiking import spike_trains

BIN_S = 0.5
STEP_S = 0.01
"""Of the rates; bins are whole numbers of steps."""
STEPS_A_BIN = 50
GREY_S = 45.0
PAUSE_S = 5.0
GRATING_S = 1.0
PERIOD_S = 1.5
"""From one grating to the next."""
N_REPEATS = 15
LATENCY_S = 0.05

DIRECTIONS_DEG = np.arange(0.0, 360.0, 30.0)
FREQUENCIES_CPD = np.array([0.02, 0.04, 0.08, 0.16])
"""Spatial frequencies in cycles a degree."""
FREQUENCY_OF = FREQUENCIES_CPD[np.arange(DIRECTIONS_DEG.size) % FREQUENCIES_CPD.size]
"""Of each direction: those with the same frequency lie 120 degrees apart."""
CONDITIONS = tuple(f"{direction:g} deg" for direction in DIRECTIONS_DEG)

CLUSTERS = ("A", "B", "C", "D")
UNITS_OF = np.array([[9, 6, 5, 0], [6, 4, 0, 10], [0, 5, 10, 5]])
"""Units of each area (rows) in each cluster."""
STATES = ("rest", "alert", "running")

STATE_MEAN = np.array([[0.0, 0.0, 0.0, 0.0], [0.8, -0.7, -0.8, 0.7], [0.7, 0.8, -0.7, -0.8]])
"""Of the common log rate (state, cluster)."""
PERSISTENCE = np.array([0.5, 0.85, 0.85])
"""Share of a deviation that is left after a bin, by state."""
TURN_BINS = (16.0, 22.0, 28.0, 34.0)
"""Bins in which the factors of each cluster turn around once, in the states that are not rest."""
NOISE_VARIANCE = np.array([0.01, 0.03, 0.03])
DWELL_BINS = 30
"""Mean length of a visit to a state."""

LOADING_SD = 0.4
RATE_HZ = (2.5, 10.0)
DISPERSION = (8.0, 20.0)

RUNNING_HZ = 30.0
RUNNING_CM_S = np.array([1.0, 4.0, 20.0])
"""Speed that each state tends to."""
RUNNING_SMOOTH_S, WHIM_S, WHIM = 1.5, 2.0, 0.25
"""Smoothing of the speed, and of the log of its changes within a state with their size."""
RUNNING_GAIN = 0.12
"""Change of the log rate per standard deviation of the speed."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cortex:
    """A simulated session and what was planted in it."""

    spikes: SpikeTrains
    trials: pd.DataFrame
    """``start_s``, ``stop_s``, ``condition``, ``direction_deg``, ``spatial_frequency_cpd``,
    ``repeat``."""
    epochs: pd.DataFrame
    speed: NDArray[np.float64]
    """Running speed in cm/s, shape (sample,)."""
    speed_time: NDArray[np.float64]
    clusters: BiclusteringTruth
    geometries: TrsaTruth


def simulate(rng: np.random.Generator) -> Cortex:
    """A session with both truths planted; see the head of this module.

    Parameters
    ----------
    rng
        Random stream.
    """
    trials, shown = _trials(rng)
    epochs = _epochs()
    observed = epochs[["start_s", "stop_s"]].to_numpy(dtype=np.float64)
    n_bins = round(float(observed[-1, 1]) / BIN_S)
    region, cluster = _memberships(rng)
    unit = np.array([str(index) for index in range(region.size)])
    state = _states(rng, n_bins)
    dynamics, state_mean = _dynamics()
    trajectory = _trajectories(rng, state, dynamics=dynamics, state_mean=state_mean)
    speed, speed_time = _speed(rng, state)
    tuning = np.concatenate(
        [
            geometry_tuning(rng, geometry, DIRECTIONS_DEG, int((region == index).sum()))
            for index, geometry in enumerate(GEOMETRIES)
        ]
    )
    baseline = np.log(rng.permutation(np.geomspace(*RATE_HZ, region.size)))
    loading = LOADING_SD * rng.standard_normal((region.size, 2))
    dispersion = rng.uniform(*DISPERSION, region.size)

    time = STEP_S * (np.arange(n_bins * STEPS_A_BIN, dtype=np.float64) + 0.5)
    own = trajectory[:, cluster]
    shared = baseline + own[..., 0] + np.sum(own[..., 1:] * loading, axis=-1)
    gain = RUNNING_GAIN * np.interp(time, speed_time, (speed - speed.mean()) / speed.std())
    log_rate = np.repeat(shared, STEPS_A_BIN, axis=0) + gain[:, None]
    for start, condition in zip(trials["start_s"] + LATENCY_S, shown, strict=True):
        log_rate[(time > start) & (time < start + GRATING_S)] += tuning[:, condition]
    seen = np.logical_or.reduce([(time > start) & (time < stop) for start, stop in observed])
    mean = np.where(seen[:, None], np.exp(log_rate), 0.0) * STEP_S
    noise = rng.gamma(dispersion, 1 / dispersion, (n_bins, region.size))
    counts = rng.poisson(mean * np.repeat(noise, STEPS_A_BIN, axis=0))
    return Cortex(
        spikes=spike_trains(
            rng, counts, step_start_s=time - STEP_S / 2, step_s=STEP_S, observed=observed
        ),
        trials=trials,
        epochs=epochs,
        speed=speed,
        speed_time=speed_time,
        clusters=BiclusteringTruth(
            unit=unit,
            cluster=np.array(CLUSTERS),
            state=np.array(STATES),
            cluster_of_unit=cluster,
            bin_start=BIN_S * np.arange(n_bins, dtype=np.float64),
            bin_observed=seen[::STEPS_A_BIN],
            state_of_bin=state,
            trajectory=trajectory,
            baseline=baseline,
            loading=loading,
            dispersion=dispersion,
            dynamics=dynamics,
            state_mean=state_mean,
            noise_variance=NOISE_VARIANCE,
            mean_count=mean.reshape(n_bins, STEPS_A_BIN, -1).sum(axis=1),
        ),
        geometries=TrsaTruth(
            unit=unit,
            region=np.array(REGIONS),
            geometry=np.array(GEOMETRIES),
            region_of_unit=region,
            condition=np.array(CONDITIONS),
            direction=DIRECTIONS_DEG,
            frequency=FREQUENCY_OF,
            tuning=tuning,
            dissimilarities=planted_dissimilarities(tuning, region, len(REGIONS)),
        ),
    )


def _epochs() -> pd.DataFrame:
    """Grey screen, gratings and grey screen, with pauses between them."""
    lengths = np.array([GREY_S, PERIOD_S * len(CONDITIONS) * N_REPEATS, GREY_S])
    start = np.concatenate([[0.0], np.cumsum(lengths + PAUSE_S)[:-1]])
    return pd.DataFrame(
        {
            "start_s": start,
            "stop_s": start + lengths,
            "label": pd.Series(["spontaneous", "gratings", "spontaneous"], dtype="str"),
        }
    )


def _trials(rng: np.random.Generator) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Trials, and the index of each one's condition; every repeat has an order of its own."""
    shown = np.concatenate([rng.permutation(len(CONDITIONS)) for _ in range(N_REPEATS)])
    start = GREY_S + PAUSE_S + PERIOD_S * np.arange(shown.size)
    table = pd.DataFrame(
        {
            "start_s": start,
            "stop_s": start + GRATING_S,
            "condition": pd.Series([CONDITIONS[index] for index in shown], dtype="str"),
            "direction_deg": DIRECTIONS_DEG[shown],
            "spatial_frequency_cpd": FREQUENCY_OF[shown],
            "repeat": np.repeat(np.arange(N_REPEATS), len(CONDITIONS)),
        }
    )
    return table, shown


def _memberships(rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Area and cluster of each unit; areas one after another, clusters mixed in each."""
    clusters = np.arange(len(CLUSTERS))
    mixed = [rng.permutation(np.repeat(clusters, counts)) for counts in UNITS_OF]
    region = np.repeat(np.arange(len(REGIONS)), UNITS_OF.sum(axis=1))
    return region.astype(np.int64), np.concatenate(mixed).astype(np.int64)


def _states(rng: np.random.Generator, n_bins: int) -> NDArray[np.int64]:
    """State of each bin: visits of Poisson length, each to another state than the last."""
    visits = [0]
    lengths = [int(rng.poisson(DWELL_BINS))]
    while sum(lengths) < n_bins:
        visits.append(int(rng.choice(np.setdiff1d(np.arange(len(STATES)), visits[-1:]))))
        lengths.append(int(rng.poisson(DWELL_BINS)))
    return np.repeat(visits, lengths)[:n_bins].astype(np.int64)


def _dynamics() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Transition matrices (state, cluster, latent, latent), and means of trajectories."""
    matrices = np.zeros((len(STATES), len(CLUSTERS), 3, 3))
    for state, persistence in enumerate(PERSISTENCE):
        for cluster, turn in enumerate(TURN_BINS):
            angle = 0.0 if STATES[state] == "rest" else 2 * np.pi / turn
            matrix = np.eye(3)
            matrix[1:, 1:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
            matrices[state, cluster] = persistence * matrix
    mean = np.zeros((len(STATES), len(CLUSTERS), 3))
    mean[..., 0] = STATE_MEAN
    return matrices, mean


def _trajectories(
    rng: np.random.Generator,
    state: NDArray[np.int64],
    *,
    dynamics: NDArray[np.float64],
    state_mean: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Trajectories (time_bin, cluster, latent) under the states' dynamics, from 0."""
    deviation = np.sqrt(NOISE_VARIANCE)[state, None, None] * rng.standard_normal(
        (state.size, *state_mean.shape[1:])
    )
    out: NDArray[np.float64] = np.zeros_like(deviation)
    for bin_, s in enumerate(state[1:], start=1):
        away = out[bin_ - 1] - state_mean[s]
        out[bin_] = state_mean[s] + np.einsum("kij,kj->ki", dynamics[s], away) + deviation[bin_]
    return out


def _speed(
    rng: np.random.Generator, state: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Running speed in cm/s and its times: what the state asks for, with whims, smooth in time."""
    time = np.arange(round(state.size * BIN_S * RUNNING_HZ), dtype=np.float64) / RUNNING_HZ
    wanted = RUNNING_CM_S[state[(time / BIN_S).astype(np.int64)]]
    whim = gaussian_filter1d(rng.standard_normal(time.size), WHIM_S * RUNNING_HZ)
    wanted = wanted * np.exp(WHIM * whim / whim.std())
    speed: NDArray[np.float64] = gaussian_filter1d(wanted, RUNNING_SMOOTH_S * RUNNING_HZ)
    return speed, time
