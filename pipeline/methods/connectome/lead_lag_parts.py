"""What the report shows of leads and lags: words, a figure, a table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.core.parts import PAIR, REMARK, Bars, Figure, Line, Lines, Number, Table
from pipeline.core.words import counted, for_number
from pipeline.methods.connectome.lead_lag import LEVEL, N_DRAWS
from pipeline.methods.connectome.networks import Called
from pipeline.methods.connectome.result import ConnectomeResult, LeadLag
from pipeline.numerics.lagged import BEYOND, FEW, LEAST_STRETCHES, SHORT, TESTED

WARNING = "Lead/lag, not causal"
SHOWN_PAIRS = 20
SHOWN_CURVES = 3


def ahead(found: LeadLag) -> NDArray[np.bool_]:
    """Rows whose first unit is ahead, at a false discovery rate of 5 %, shape (row,)."""
    return np.asarray(found.q_value <= LEVEL)


def lead_lag_words(result: ConnectomeResult, sigma_s: float) -> str:
    """How leads were looked for, and what could be told."""
    found = result.lead_lag
    if found is None:
        return f"{WARNING}: nothing is active in one of the halves of the data, so none were found."
    across = "every other recording" if result.recording.size > 1 else "one half of the recording"
    tested = int(np.isin(found.status, [TESTED, BEYOND]).sum())
    untold = [
        f"{int((found.status == status).sum())} {why}"
        for status, why in (
            (FEW, f"with fewer than {LEAST_STRETCHES} active stretches"),
            (SHORT, "too slow for the length of the recordings"),
            (BEYOND, f"whose correlation peaks at {found.lag_s[-1]:.2g} s, the end of the lags"),
        )
        if (found.status == status).any()
    ]
    return (
        f"{WARNING}. For the strongest pairs of each component, the derivatives of both units were "
        "correlated over lags while the component is active. Components and pairs were found in "
        f"{across} and measured in the rest, and the other way round, in stretches that the two "
        "units had no part in choosing: where they are chosen by the two rising together, any two "
        f"units look locked. Of {counted(found.status.size, 'test')} {tested} could be made"
        + (f" ({', '.join(untold)})" if untold else "")
        + f"; in {int(ahead(found).sum()) or 'none'} one unit is ahead. Lags are seen in frames of "
        f"{found.frame_s:.2g} s, and through a filter {sigma_s:g} s wide; less than half a frame "
        "is no lag. A lead can come from a common input that arrives at different times, from "
        "a slower indicator, or from when each unit is scanned: it does not say that one unit "
        "drives the other, which takes a perturbation."
    )


def lead_lag_figure(result: ConnectomeResult, called: Called) -> Figure | None:
    """Delays of the pairs that are told best; nothing where there is none."""
    found = result.lead_lag
    if found is None:
        return None
    told = np.flatnonzero(np.isfinite(found.delay_s))
    if not told.size:
        return None
    order = told[np.lexsort((found.p_apart[told], found.p_locked[told], found.q_value[told]))]
    shown = order[:SHOWN_PAIRS]
    names = tuple(f"{called[one]}{PAIR}{called[other]}" for one, other in found.pair)
    n_ahead = int(ahead(found).sum())
    n_locked = int((found.p_locked[told] <= LEVEL).sum())
    n_curves = min(SHOWN_CURVES, shown.size)
    return Figure(
        id="lead-lag",
        title=f"Who changes first ({WARNING.lower()})",
        finding=(
            f"In {n_ahead or 'none'} of {counted(told.size, 'pair')} one unit is ahead; "
            f"{n_locked} {for_number(n_locked, '[is|are]')} locked to each other within "
            f"{found.lag_s[-1]:.2g} s (p <= {LEVEL} each)."
        ),
        caption=(
            f"{WARNING}: common input at different times, slower indicators and the order of "
            "scanning give lags as well. First: how much later the second unit changes, for the "
            f"{shown.size} pairs of {told.size} that are told best, with 95 % of "
            f"{N_DRAWS} draws of the active stretches; *: ahead at a false discovery rate of "
            f"{100 * LEVEL:.0f} % over all tests. Then: correlation of both derivatives over the "
            f"lag for the first {n_curves}, beside what courses shifted in time stay below in "
            f"95 % of draws (band); frames of {found.frame_s:.2g} s. Stretches were chosen "
            "without the two units, pairs in the other half of the data. Good: one sharp peak "
            "beyond chance, away from 0, the same in several recordings. Bad: a broad peak or "
            "several, or a range that holds 0: then the two change together."
        ),
        alt=f"Bars of the delay of {shown.size} pairs, and {n_curves} curves over the lag.",
        panels=(
            Bars(
                title="Delay of the second unit",
                labels=tuple(
                    names[row]
                    + (f"{REMARK}{found.component[row] + 1}" if found.component[row] >= 0 else "")
                    + (f"{REMARK}*" if ahead(found)[row] else "")
                    for row in shown
                ),
                values=found.delay_s[shown].round(3),
                lower=found.delay_range_s[shown, 0].round(3),
                upper=found.delay_range_s[shown, 1].round(3),
                x_title="Pair, first unit ahead \N{MIDDLE DOT} component",
                y_title="Delay (s)",
            ),
            *(_curve(found, int(row), names[int(row)]) for row in shown[:n_curves]),
        ),
        columns=2,
    )


def lead_lag_table(result: ConnectomeResult, found: LeadLag, called: Called) -> Table:
    """One row a pair that was looked at."""
    order = np.lexsort((found.p_locked, found.q_value))  # what is not told comes last
    together = [_one_community(result, int(found.component[row]), found.pair[row]) for row in order]
    return Table(
        id="lead-lag-table",
        title=f"Pairs and their delays ({WARNING.lower()})",
        caption=(
            "'Ahead' changes first where there is a delay. Component: the one of all the data that "
            "is most like the one in which the pair was found ('none': cosine below 0.5). "
            "Correlation: of derivatives at its peak, negative where the two change in opposite "
            "directions. 'p locked': any correlation within the lags, against courses shifted in "
            "time. 'p apart': a delay of more than half a frame. q: false discovery rate at which "
            "the first is ahead, over all tests. Same sign: recordings whose own delay has the "
            "same sign. Empty where nothing can be said."
        ),
        columns={
            "ahead": tuple(str(called[found.pair[row, 0]]) for row in order),
            "behind": tuple(str(called[found.pair[row, 1]]) for row in order),
            "component": tuple(
                str(found.component[row] + 1) if found.component[row] >= 0 else "none"
                for row in order
            ),
            "one community": tuple(together),
            "delay (s)": _rounded(found.delay_s[order], 2),
            "from (s)": _rounded(found.delay_range_s[order, 0], 2),
            "to (s)": _rounded(found.delay_range_s[order, 1], 2),
            "correlation": _rounded(found.correlation[order], 2),
            "p locked": _rounded(found.p_locked[order], 4),
            "p apart": _rounded(found.p_apart[order], 4),
            "q": _rounded(found.q_value[order], 4),
            "stretches": tuple(int(n) for n in found.n_stretches[order]),
            "same sign in recordings": tuple(
                f"{found.n_alike[row]} of {found.n_recordings[row]}"
                if np.isfinite(found.delay_s[row])
                else None
                for row in order
            ),
            "status": tuple(str(found.status[row]) for row in order),
        },
    )


def lead_lag_numbers(found: LeadLag) -> dict[str, Number]:
    """What the words use."""
    return {
        "n_lead_lag_tests": int(found.status.size),
        "n_lead_lag_told": int(np.isfinite(found.delay_s).sum()),
        "n_pairs_with_one_ahead": int(ahead(found).sum()),
        "lead_lag_frame_s": found.frame_s,
    }


def _curve(found: LeadLag, row: int, name: str) -> Lines:
    """One pair's correlation over the lag, beside chance."""
    chance = np.full(found.lag_s.size, round(float(found.chance[row]), 3))
    return Lines(
        title=name,
        x=found.lag_s.round(3),
        lines=(
            Line(name="data", y=found.curve[row].round(3), group=0),
            Line(name="chance (95 %)", y=0 * chance, lower=-chance, upper=chance, group=2),
        ),
        x_title="Lag of the second unit (s)",
        y_title="Correlation",
    )


def _one_community(result: ConnectomeResult, component: int, pair: NDArray[np.int64]) -> str:
    """Whether both units are in one community of the component."""
    if component < 0:
        return ""
    first, second = result.community[component, pair]
    return "yes" if first >= 0 and first == second else "no"


def _rounded(values: NDArray[np.float64], digits: int) -> tuple[Number, ...]:
    """Rounded floats, nothing where undefined."""
    return tuple(round(float(value), digits) if np.isfinite(value) else None for value in values)
