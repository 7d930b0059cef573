"""How honest the interval of one recording is: its width beside the spread of new recordings.

Each simulated recording has new units, conditions and trials from the same laws; regions have
tuning to features of their own and of all. The interval's standard error is held against the
spread of the estimate over recordings, and its coverage counted around their mean.

Measured with 30 recordings a line and 60 resamples: 16 units and 12 conditions without a difference
of regions, standard error 1.20 times the spread, coverage 1.00; 40 units and 24 conditions with
one, 0.97 and 0.97.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/trsa_interval.py [--recordings 200]
"""

from __future__ import annotations

import argparse

import numpy as np

from pipeline.core.rng import stream
from pipeline.methods.trsa import halves, intervals
from pipeline.methods.trsa.model import Session

GEOMETRY = np.array([[0.0, 1.0]])


def recording(
    rng: np.random.Generator, *, n_units: int, n_conditions: int, own: float, n_repeats: int = 8
) -> Session:
    """Two regions whose units are tuned to shared and, by ``own``, to their own features."""
    shared = rng.standard_normal((n_conditions, 3))
    tunings = []
    for _ in range(2):
        features = np.concatenate([shared, own * rng.standard_normal((n_conditions, 3))], axis=1)
        tunings.append(features @ rng.standard_normal((6, n_units)) / np.sqrt(6))
    tuning = np.concatenate(tunings, axis=1)
    condition = np.tile(np.arange(n_conditions), n_repeats)
    noise = 1.5 * rng.standard_normal((condition.size, 2 * n_units))
    return Session(
        recording="r",
        subject="s",
        regions=("a", "b"),
        region_of_unit=np.repeat([0, 1], n_units),
        unit=np.arange(2 * n_units).astype(str),
        stratum=np.full(2 * n_units, ""),
        position_um=np.full((2 * n_units, 3), np.nan),
        responses=tuning[condition] + noise,
        courses=None,
        rate_hz=np.full(2 * n_units, np.nan),
        condition=condition,
        fold=np.repeat(np.arange(n_repeats), n_conditions),
        kind="spikes",
    )


def measured(
    session: Session, n_conditions: int, rng: np.random.Generator, n_draws: int
) -> tuple[float, intervals.Interval]:
    """Separation of two regions, and its interval."""
    splits = halves.draw_splits(session, 20, rng)
    order = halves.identity(splits)
    seen = halves.statistics(session, n_conditions, splits, order, GEOMETRY).separation[0]
    draws = intervals.resampled(session, n_conditions, splits, n_draws, rng)
    own = {name: halves.separation_of(values) for name, values in draws.items()}
    n_units = intervals.smallest_half(splits)
    found = intervals.interval(float(seen), own, n_units=n_units, n_conditions=n_conditions)
    return float(seen), found


def calibration(
    n_recordings: int, *, n_units: int, n_conditions: int, own: float, n_draws: int = 100
) -> tuple[float, float, float, float]:
    """Mean and spread of the estimate, mean standard error over the spread, coverage."""
    rng = stream(0, "interval", n_units, n_conditions, own)
    found = [
        measured(
            recording(rng, n_units=n_units, n_conditions=n_conditions, own=own),
            n_conditions,
            rng,
            n_draws,
        )
        for _ in range(n_recordings)
    ]
    seen = np.array([one for one, _ in found])
    se = np.array([span.se for _, span in found])
    low = np.array([span.low for _, span in found])
    high = np.array([span.high for _, span in found])
    spread = float(seen.std(ddof=1))
    inside = float(np.mean((low <= seen.mean()) & (seen.mean() <= high)))
    return float(seen.mean()), spread, float(se.mean()) / spread, inside


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recordings", type=int, default=200)
    options = parser.parse_args()
    print("units  conditions  own   mean  spread  se/spread  coverage of 95 %")
    for n_units in (16, 40):
        for n_conditions in (12, 24):
            for own in (0.0, 1.0):
                mean, spread, ratio, inside = calibration(
                    options.recordings, n_units=n_units, n_conditions=n_conditions, own=own
                )
                print(
                    f"{n_units:5} {n_conditions:11} {own:4.1f} {mean:6.3f} {spread:7.3f} "
                    f"{ratio:10.2f} {inside:9.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
