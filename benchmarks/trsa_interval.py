"""How honest the interval of one recording is: its width beside the spread of new recordings.

Each simulated recording has new units, conditions and trials from the same laws; regions have
tuning to features of their own and of all. The interval's standard error is held against the
spread of the estimate over recordings, and its coverage counted around their mean.

The accuracy by ranks and the share of conditions that single trials tell have intervals, too.
Measured with 30 recordings a line and 60 resamples: 16 units and 12 conditions without a difference
of regions, standard error 1.20 times the spread, coverage 1.00; 40 units and 24 conditions with
one, 0.97 and 0.97. With 40 recordings accuracy has 0.87 to 1.05 times the spread, 1.9 times where
it is 0.96 in the mean, coverage 0.95 to 1.00; the share that trials tell 0.85 to 0.93 and 0.88 to
0.95: it holds the repeats and the conditions that others are told from.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/trsa_interval.py [--recordings 200]
"""

from __future__ import annotations

import argparse
from itertools import product
from typing import Literal, get_args

import numpy as np

from pipeline.core.rng import stream
from pipeline.methods.trsa import decoding, halves, intervals
from pipeline.methods.trsa.model import Session
from pipeline.methods.trsa.populations import decoded_share

Kind = Literal["separation", "accuracy", "decoded"]
KINDS: tuple[Kind, ...] = get_args(Kind)
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
    session: Session, n_conditions: int, rng: np.random.Generator, n_draws: int, kind: Kind
) -> tuple[float, intervals.Interval]:
    """One number of two regions, and its interval."""
    if kind == "decoded":
        made = decoding.shares(session, 0, n_conditions, n_draws, rng)
        share = decoded_share(session, 0, n_conditions)
        n_units = session.units_of(0).size
        return share, intervals.share_interval(
            share, made, n_units=n_units, n_conditions=n_conditions
        )
    splits = halves.draw_splits(session, 20, rng)
    order = halves.identity(splits)
    found = halves.statistics(session, n_conditions, splits, order, GEOMETRY)
    draws = intervals.resampled(session, n_conditions, splits, n_draws, rng)
    n_units = intervals.smallest_half(splits)
    if kind == "accuracy":
        of = {
            name: np.trace(draws[intervals.TAKEN + name], axis1=1, axis2=2) / 2
            for name in intervals.FACTORS
        }
        seen = float(found.accuracy[0, 0])
        return seen, intervals.share_interval(seen, of, n_units=n_units, n_conditions=n_conditions)
    own = {name: halves.separation_of(draws[name]) for name in intervals.FACTORS}
    seen = float(found.separation[0])
    return seen, intervals.interval(seen, own, n_units=n_units, n_conditions=n_conditions)


def calibration(
    n_recordings: int,
    *,
    n_units: int,
    n_conditions: int,
    own: float,
    n_draws: int = 100,
    kind: Kind = "separation",
) -> tuple[float, float, float, float]:
    """Mean and spread of the estimate, mean standard error over the spread, coverage.

    Where an estimate has no interval, as no resample differs, it is not counted as covered.
    """
    rng = stream(0, "interval", n_units, n_conditions, own)
    found = [
        measured(
            recording(rng, n_units=n_units, n_conditions=n_conditions, own=own),
            n_conditions,
            rng,
            n_draws,
            kind,
        )
        for _ in range(n_recordings)
    ]
    seen = np.array([one for one, _ in found])
    se = np.array([span.se for _, span in found])
    low = np.array([span.low for _, span in found])
    high = np.array([span.high for _, span in found])
    spread = float(seen.std(ddof=1))
    inside = float(np.mean((low <= seen.mean()) & (seen.mean() <= high)))
    return float(seen.mean()), spread, float(np.nanmean(se)) / spread, inside


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recordings", type=int, default=200)
    options = parser.parse_args()
    print("number      units  conditions  own   mean  spread  se/spread  coverage of 95 %")
    for kind, n_units, n_conditions, own in product(KINDS, (16, 40), (12, 24), (0.0, 1.0)):
        mean, spread, ratio, inside = calibration(
            options.recordings, n_units=n_units, n_conditions=n_conditions, own=own, kind=kind
        )
        print(
            f"{kind:11} {n_units:5} {n_conditions:11} {own:4.1f} {mean:6.3f} {spread:7.3f} "
            f"{ratio:10.2f} {inside:9.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
