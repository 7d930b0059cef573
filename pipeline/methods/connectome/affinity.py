"""From traces to speeds.

A unit's speed is how fast its trace changes, on a scale of its own: 1 is as fast as it gets, 0 is
rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.numerics.derivative import bridge_short_gaps, gaussian_derivative

SCALE_FLOOR = 1e-3
"""Smallest scale of a unit, as a share of the median scale of its recording."""

HALF_NORMAL_QUARTILE = 0.3186
"""Lower quartile of a standard half-normal: the median of the lower half of noise speeds."""

DEAD_ZONE_NOISES = 3.0
DEAD_ZONE_LIMIT = 0.9
"""The dead zone is three noise speeds, but leaves the fastest tenth of the scale."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Speeds:
    """How fast each unit of one recording changes."""

    derivative: NDArray[np.float64] = axes("time", "unit", unit="value/s")
    speed: NDArray[np.float64] = axes("time", "unit")
    """Within [0, 1]; 0 in the dead zone and where unknown."""
    observed: NDArray[np.bool_] = axes("time", "unit")
    scale: NDArray[np.float64] = axes("unit", unit="value/s")
    """Derivative that counts as full speed; 0 for a flat unit."""
    noise: NDArray[np.float64] = axes("unit", unit="value/s")
    """Standard deviation of the derivative at rest."""
    peak: NDArray[np.float64] = axes("unit", unit="value/s")
    """The quantile of absolute derivatives before the scale's floor."""

    def __post_init__(self) -> None:
        check_axes(self)

    @property
    def sign(self) -> NDArray[np.int8]:
        """Direction of change, kept inside the dead zone; 0 where unknown."""
        return np.where(self.observed, np.sign(self.derivative), 0).astype(np.int8)

    def measurable(self, min_snr: float) -> NDArray[np.bool_]:
        """Units whose fast changes stand out from their noise, or that are flat, shape (unit,)."""
        return self.peak >= min_snr * self.noise


def speeds(
    values: NDArray[np.floating],
    valid: NDArray[np.bool_],
    *,
    rate_hz: float,
    config: ConnectomeConfig,
) -> Speeds:
    """Speeds of all units of one recording.

    Parameters
    ----------
    values, valid
        Traces on a regular grid and where they are known, shape (time, unit).
    rate_hz
        Frames a second.
    config
        Filter width, longest gap to bridge, quantile of full speed, dead zone.

    Returns
    -------
    Speeds and what they were made of.
    """
    max_frames = int(np.floor(config.max_gap_s * rate_hz + 0.5))
    filled, known = bridge_short_gaps(values, valid, max_frames)
    derivative, observed = gaussian_derivative(
        filled, known, sigma_frames=config.sigma_s * rate_hz, rate_hz=rate_hz
    )
    size = np.where(observed, np.abs(derivative), np.nan)
    seen = observed.any(axis=0)
    peak, noise = np.zeros(seen.size), np.zeros(seen.size)
    if seen.any():
        of_seen = size[:, seen]
        peak[seen] = np.nanquantile(of_seen, config.quantile, axis=0)
        lower_half = np.where(of_seen <= np.nanmedian(of_seen, axis=0), of_seen, np.nan)
        noise[seen] = np.nanmedian(lower_half, axis=0) / HALF_NORMAL_QUARTILE
    scale = np.maximum(peak, SCALE_FLOOR * np.median(peak[seen])) if seen.any() else peak
    moving = seen & (scale > 0)
    divisor = np.where(moving, scale, 1.0)
    relative = np.clip(np.abs(derivative) / divisor, 0, 1) * moving
    dead_zone = (
        np.minimum(DEAD_ZONE_LIMIT, DEAD_ZONE_NOISES * noise / divisor)
        if config.theta == "noise"
        else np.full(seen.size, float(config.theta))
    )
    return Speeds(
        derivative=derivative,
        speed=np.where(observed & (relative >= dead_zone), relative, 0.0),
        observed=observed,
        scale=np.where(moving, scale, 0.0),
        noise=noise,
        peak=peak,
    )


def shifted(speed: Speeds, rng: np.random.Generator) -> Speeds:
    """The same speeds with each unit moved in time by itself, end joined to start.

    Keeps every unit's own course and amount of activity and breaks what units do together. The
    speed is moved, not the trace: where a trace wraps around it would jump.
    """
    n_frames, n_units = speed.speed.shape
    shifts = rng.integers(1, max(2, n_frames), size=n_units, dtype=np.int64)
    source = (np.arange(n_frames)[:, None] - shifts[None, :]) % n_frames
    columns = np.arange(n_units)[None, :]
    return Speeds(
        derivative=speed.derivative[source, columns],
        speed=speed.speed[source, columns],
        observed=speed.observed[source, columns],
        scale=speed.scale,
        noise=speed.noise,
        peak=speed.peak,
    )
