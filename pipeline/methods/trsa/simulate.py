"""Simulated responses of regions whose conditions have known geometries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes
from pipeline.core.provenance import Provenance
from pipeline.core.views import NO_BASELINE, ResponsePatterns

REGIONS = ("VISp", "VISl", "CA1")
GEOMETRIES = ("ring", "clusters", "none")
N_CLUSTERS = 4
PERIOD_S = 1.5
BUMP_HEIGHT, BUMP_SHARPNESS = 1.6, 2.0
CLUSTER_SD = 0.5
RATE_HZ = (2.0, 12.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrsaTruth:
    """What each unit answers to each condition, and the geometry this makes in each area."""

    unit: NDArray[np.str_] = axes("unit")
    region: NDArray[np.str_] = axes("region")
    geometry: NDArray[np.str_] = axes("region")
    """``ring``, ``clusters`` or ``none``."""
    region_of_unit: NDArray[np.int64] = axes("unit")
    condition: NDArray[np.str_] = axes("condition")
    direction: NDArray[np.float64] = axes("condition", unit="degree")
    frequency: NDArray[np.float64] = axes("condition", unit="cycle/degree")
    tuning: NDArray[np.float64] = axes("unit", "condition")
    """Change of the log rate while the condition is shown."""
    dissimilarities: NDArray[np.float64] = axes("region", "pair")
    """Mean squared difference of the tuning over units; pairs row by row of the upper triangle."""

    def __post_init__(self) -> None:
        check_axes(self)


Truth = TrsaTruth
"""The record of what was planted, by the name all methods use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Numbers of one size of simulation."""

    n_subjects: int
    n_units: int
    """Of each region."""
    n_conditions: int
    n_repeats: int


SIZES = {
    "tiny": Plan(n_subjects=1, n_units=20, n_conditions=8, n_repeats=8),
    "subjects": Plan(n_subjects=5, n_units=20, n_conditions=8, n_repeats=8),
}


def simulate(
    rng: np.random.Generator, *, size: Literal["tiny", "subjects"] = "tiny"
) -> tuple[tuple[ResponsePatterns, ...], TrsaTruth]:
    """Views of simulated sessions, one a subject, and what was planted in them.

    Conditions lie on a ring in VISp and in four clusters in VISl, and CA1 answers none. Units
    count spikes in Poisson's way, and are tuned by chance; geometries are the same in all
    subjects.

    Parameters
    ----------
    rng
        Random stream.
    size
        ``tiny`` (one subject, 8 conditions, 20 units a region) or ``subjects`` (five of them).
    """
    plan = SIZES[size]
    region_of_unit = np.repeat(np.arange(len(REGIONS)), plan.n_units)
    place = np.arange(plan.n_conditions, dtype=np.float64)
    direction = 360.0 * place / plan.n_conditions
    frequency: NDArray[np.float64] = 0.02 * 2.0 ** (place % N_CLUSTERS)
    condition = np.array([f"{angle:g} deg" for angle in direction])
    tunings, views = [], []
    for subject in range(plan.n_subjects):
        tuning = np.concatenate(
            [geometry_tuning(rng, geometry, direction, plan.n_units) for geometry in GEOMETRIES]
        )
        tunings.append(tuning)
        views.append(
            _view(rng, f"mouse-{subject + 1}", tuning, region_of_unit, plan, condition, direction)
        )
    whole, regions = np.concatenate(tunings), np.tile(region_of_unit, plan.n_subjects)
    truth = TrsaTruth(
        unit=np.array([f"{view.recording}:{unit}" for view in views for unit in view.unit]),
        region=np.array(REGIONS),
        geometry=np.array(GEOMETRIES),
        region_of_unit=regions,
        condition=condition,
        direction=direction,
        frequency=frequency,
        tuning=whole,
        dissimilarities=planted_dissimilarities(whole, regions, len(REGIONS)),
    )
    return tuple(views), truth


def geometry_tuning(
    rng: np.random.Generator, geometry: str, direction: NDArray[np.float64], n_units: int
) -> NDArray[np.float64]:
    """Change of the log rate (unit, condition), of mean 0 over the conditions of each unit.

    Parameters
    ----------
    geometry
        ``ring`` (bumps around preferred directions), ``clusters`` (a response to each of four
        kinds of conditions) or ``none``.
    direction
        Of each condition, degrees.
    """
    if geometry == "ring":
        preferred = rng.permutation(np.arange(n_units)) * 2 * np.pi / n_units
        away = np.radians(direction) - preferred[:, None]
        tuning = BUMP_HEIGHT * np.exp(BUMP_SHARPNESS * (np.cos(away) - 1))
    elif geometry == "clusters":
        answer = CLUSTER_SD * rng.standard_normal((n_units, N_CLUSTERS))
        tuning = answer[:, np.arange(direction.size) % N_CLUSTERS]
    else:
        tuning = np.zeros((n_units, direction.size))
    centred: NDArray[np.float64] = tuning - tuning.mean(axis=1, keepdims=True)
    return centred


def planted_dissimilarities(
    tuning: NDArray[np.float64], region: NDArray[np.int64], n_regions: int
) -> NDArray[np.float64]:
    """Mean squared difference of the tuning of each region (region, pair)."""
    first, second = np.triu_indices(tuning.shape[1], 1)
    squared = np.square(tuning[:, first] - tuning[:, second])
    return np.stack([squared[region == index].mean(axis=0) for index in range(n_regions)])


def _view(
    rng: np.random.Generator,
    recording: str,
    tuning: NDArray[np.float64],
    region_of_unit: NDArray[np.int64],
    plan: Plan,
    condition: NDArray[np.str_],
    direction: NDArray[np.float64],
) -> ResponsePatterns:
    """Square roots of Poisson counts in one second, with conditions in random order."""
    shown = np.concatenate([rng.permutation(plan.n_conditions) for _ in range(plan.n_repeats)])
    baseline = np.log(rng.uniform(*RATE_HZ, len(tuning)))
    counts = rng.poisson(np.exp(baseline + tuning.T[shown]))
    responses = np.sqrt(counts).astype(np.float32)
    return ResponsePatterns(
        recording=recording,
        subject=recording,
        kind="spikes",
        unit=np.array([f"u{index}" for index in range(len(tuning))]),
        region=np.array(REGIONS)[region_of_unit],
        stratum=np.full(len(tuning), "", dtype=np.str_),
        position_um=np.full((len(tuning), 3), np.nan),
        condition=condition,
        condition_of_trial=shown.astype(np.int64),
        fold=np.repeat(np.arange(plan.n_repeats), plan.n_conditions).astype(np.int64),
        start_s=PERIOD_S * np.arange(shown.size, dtype=np.float64),
        responses=responses,
        valid=np.ones(responses.shape, dtype=bool),
        properties=pd.DataFrame(
            {"condition": pd.Series(condition.tolist(), dtype="str"), "direction_deg": direction}
        ),
        left_out=pd.DataFrame(
            {
                "what": pd.Series([], dtype="str"),
                "count": pd.Series([], dtype="int64"),
                "reason": pd.Series([], dtype="str"),
            }
        ),
        window_s=np.array([0.0, 1.0]),
        value_unit="sqrt(Hz)",
        stabilised="sqrt",
        baseline=NO_BASELINE,
        fixed_order=False,
        gapless=False,
        provenance=Provenance(
            stage="simulate", experiment="simulated", package_version="", code_digest=""
        ),
    )
