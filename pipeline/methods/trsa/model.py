"""What is compared: sessions whose units answer to the same conditions, region by region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.errors import NotApplicable
from pipeline.core.views import NO_BASELINE, ResponsePatterns
from pipeline.core.words import counted, for_number
from pipeline.methods.trsa.config import TrsaConfig

LEAST_CONDITIONS = 4
"""With fewer the ranks of dissimilarities say nothing."""

FEW_CONDITIONS = 8
"""With fewer, resampling of conditions is unreliable."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Session:
    """Complete responses of one recording to the conditions that all share."""

    recording: str
    subject: str
    """Empty where unknown."""
    regions: tuple[str, ...]
    region_of_unit: NDArray[np.int64]
    """Shape (unit,)."""
    unit: NDArray[np.str_]
    stratum: NDArray[np.str_]
    """What units were recorded with (plane, probe), shape (unit,)."""
    position_um: NDArray[np.float64]
    """Shape (unit, coordinate); NaN where not known."""
    responses: NDArray[np.float64]
    """Shape (trial, unit)."""
    courses: NDArray[np.float64] | None
    """Shape (trial, unit, time_bin)."""
    rate_hz: NDArray[np.float64]
    """Mean rate of each unit in the response window, shape (unit,); NaN where responses are no
    rates."""
    condition: NDArray[np.int64]
    fold: NDArray[np.int64]
    kind: str

    def units_of(self, region: int) -> NDArray[np.intp]:
        """Columns of one region's units."""
        return np.flatnonzero(self.region_of_unit == region)

    @property
    def n_folds(self) -> int:
        """Number of repeats or blocks."""
        return int(np.unique(self.fold).size)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """All sessions of an experiment on the conditions they share."""

    condition: NDArray[np.str_]
    sessions: tuple[Session, ...]
    properties: pd.DataFrame
    """What is the same in all trials of a condition, one row a condition."""
    pixels: NDArray[np.float64] | None
    """Frames shown, shape (condition, pixel)."""
    time_bin: NDArray[np.float64] | None
    left_out: pd.DataFrame
    fixed_order: bool
    """Whether conditions came in one order in any session."""
    gapless: bool

    @property
    def n_conditions(self) -> int:
        """Number of conditions."""
        return int(self.condition.size)

    def populations(self) -> tuple[tuple[int, int], ...]:
        """Session and region of each population, in order."""
        return tuple(
            (index, region)
            for index, session in enumerate(self.sessions)
            for region in range(len(session.regions))
        )


def sample_of(views: Sequence[ResponsePatterns], config: TrsaConfig) -> Sample:
    """Sessions cut to shared conditions and usable units, without missing entries.

    A missing entry becomes the unit's mean over the other trials of its condition, which leaves
    condition means as they are without it.

    Parameters
    ----------
    views
        One a recording.
    config
        Least number of units; whether conditions must be the same everywhere.

    Raises
    ------
    NotApplicable
        If too few conditions are shared, or no region has enough units.
    ValueError
        If conditions differ and must not, or differ in case and blanks only.
    """
    shared = _shared_conditions(views, config)
    rows: list[tuple[str, int, str]] = []
    for view in views:
        for what, n, why in view.left_out.itertuples(index=False):
            rows.append((f"{view.recording}: {what}", int(n), str(why)))
        lost = view.condition.size - shared.size
        rows.append((f"{view.recording}: condition", lost, "not in all recordings"))
    found = []
    for view in views:
        session, reasons = _session(view, shared, config)
        rows += reasons
        if session is not None:
            found.append(session)
    if not found:
        listed = "; ".join(f"{n} {what} ({why})" for what, n, why in rows if n)
        raise NotApplicable(
            f"No region has {config.min_units} usable units: {listed}. Lower "
            "methods.trsa.min_units, or name another column of regions in the sheet (region)."
        )
    rows = [row for row in rows if row[1]]
    pixels = next((view for view in views if view.pixels is not None), None)
    first = views[0].properties.set_index("condition").loc[shared.tolist()].reset_index()
    return Sample(
        condition=shared,
        sessions=tuple(found),
        properties=first,
        pixels=None if pixels is None else _of_conditions(pixels, shared),
        time_bin=_common_time(views),
        left_out=pd.DataFrame(
            {
                "what": pd.Series([row[0] for row in rows], dtype="str"),
                "count": np.array([row[1] for row in rows], dtype=np.int64),
                "reason": pd.Series([row[2] for row in rows], dtype="str"),
            }
        ),
        fixed_order=any(view.fixed_order for view in views),
        gapless=any(view.gapless for view in views),
    )


def _shared_conditions(views: Sequence[ResponsePatterns], config: TrsaConfig) -> NDArray[np.str_]:
    """Conditions of all recordings, in the order of the first."""
    first = views[0].condition
    shared = first[[all(name in view.condition for view in views) for name in first]]
    everywhere = set(map(str, shared))
    odd = sorted({str(name) for view in views for name in view.condition} - everywhere)
    if odd and config.conditions == "strict":
        raise ValueError(
            f"conditions {', '.join(odd[:10])} are not in all recordings, and "
            "methods.trsa.conditions is 'strict'"
        )
    folded: dict[str, set[str]] = {}
    for name in odd:
        folded.setdefault("".join(name.casefold().split()), set()).add(name)
    alike = [" / ".join(sorted(names)) for names in folded.values() if len(names) > 1]
    if alike:
        raise ValueError(
            f"conditions differ between recordings in case and blanks only: {'; '.join(alike)}; "
            "spell them alike or set prepare.patterns.normalise_labels"
        )
    if shared.size < LEAST_CONDITIONS:
        sizes = ", ".join(f"{view.recording} {view.condition.size}" for view in views)
        raise NotApplicable(
            f"{counted(shared.size, 'condition')} {for_number(shared.size, '[is|are]')} shared by "
            f"all recordings ({sizes}); the comparison of "
            f"dissimilarities needs {LEAST_CONDITIONS}. Columns 'intervals' and 'condition' of the "
            "sheet choose what counts as a condition."
        )
    return shared


def _rates(view: ResponsePatterns, responses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean rate of each unit over trials, shape (unit,), in Hz; NaN where responses are no rates.

    Traces have none, and what is left of a rate after a baseline was subtracted is none.
    """
    unknown = np.full(responses.shape[1], np.nan)
    if view.kind != "spikes" or not view.baseline.startswith(NO_BASELINE):
        return unknown
    if view.stabilised == "sqrt":
        return np.asarray(np.square(responses).mean(axis=0))
    if view.stabilised == "anscombe":
        counts = np.square(responses / 2) - 3 / 8
        return np.asarray(counts.mean(axis=0) / float(np.ptp(view.window_s)))
    return np.asarray(responses.mean(axis=0))


def _session(
    view: ResponsePatterns, shared: NDArray[np.str_], config: TrsaConfig
) -> tuple[Session | None, list[tuple[str, int, str]]]:
    """One recording on the shared conditions; None where no region is large enough."""
    place = {str(name): code for code, name in enumerate(shared)}
    code_of = np.array([place.get(str(name), -1) for name in view.condition])
    code = code_of[view.condition_of_trial]
    trials = np.flatnonzero(code >= 0)
    code = code[trials].astype(np.int64)
    values = view.responses[trials].astype(np.float64)
    valid = view.valid[trials]
    counts = _per_condition(valid, code, shared.size)
    usable = counts.min(axis=0) > 0
    reasons = [("unit", int((~usable).sum()), "missing in all trials of a condition")]
    means = _per_condition(np.where(valid, values, 0.0), code, shared.size) / np.maximum(counts, 1)
    values = np.where(valid, values, means[code])
    # Where all conditions were shown once, none varies; some estimators need no repeats.
    if np.bincount(code).max() > 1:
        noisy = np.square(np.where(valid, values - means[code], 0.0)).sum(axis=0) > 0
        reasons.append(("unit", int((usable & ~noisy).sum()), "no variation within conditions"))
        usable &= noisy
    regions = []
    for name in dict.fromkeys(map(str, view.region)):
        n_units = int((usable & (view.region == name)).sum())
        if n_units >= config.min_units:
            regions.append(name)
        elif n_units:
            reasons.append(
                ("unit", n_units, f"{name} has fewer than {counted(config.min_units, 'unit')}")
            )
    kept = np.flatnonzero(usable & np.isin(view.region, regions))
    told = [(f"{view.recording}: {what}", n, why) for what, n, why in reasons]
    if not regions:
        return None, told
    number = {name: index for index, name in enumerate(regions)}
    courses = view.courses
    return (
        Session(
            recording=view.recording,
            subject=view.subject,
            regions=tuple(regions),
            region_of_unit=np.array([number[str(view.region[unit])] for unit in kept]),
            unit=view.unit[kept],
            stratum=view.stratum[kept],
            position_um=np.asarray(view.position_um, dtype=np.float64)[kept],
            responses=np.ascontiguousarray(values[:, kept]),
            courses=None if courses is None else courses[trials][:, kept].astype(np.float64),
            rate_hz=_rates(view, values[:, kept]),
            condition=code,
            fold=view.fold[trials],
            kind=view.kind,
        ),
        told,
    )


def _per_condition(
    values: NDArray[np.floating] | NDArray[np.bool_], code: NDArray[np.int64], n: int
) -> NDArray[np.float64]:
    """Sums over the trials of each condition, shape (condition, unit)."""
    member = (np.arange(n)[:, None] == code).astype(np.float64)
    sums: NDArray[np.float64] = member @ values.astype(np.float64)
    return sums


def _of_conditions(view: ResponsePatterns, shared: NDArray[np.str_]) -> NDArray[np.float64]:
    place = [int(np.flatnonzero(view.condition == name)[0]) for name in shared]
    return np.asarray(view.pixels, dtype=np.float64)[place]


def _common_time(views: Sequence[ResponsePatterns]) -> NDArray[np.float64] | None:
    """Time bins of the courses, where all recordings have the same."""
    first = views[0].time_bin
    if first is None:
        return None
    for view in views[1:]:
        other = view.time_bin
        if other is None or other.shape != first.shape or not np.allclose(other, first):
            return None
    return first
