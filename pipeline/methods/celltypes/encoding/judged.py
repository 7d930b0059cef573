"""How well each unit is predicted, and whether that is enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.views import StimulusResponses
from pipeline.methods.celltypes.encoding.config import UnitFilterConfig
from pipeline.methods.celltypes.encoding.scores import RepeatScores, correlation, repeat_scores

if TYPE_CHECKING:
    from pipeline.methods.celltypes.encoding.members import Members


def unit_table(
    best: Members,
    validation: NDArray[np.float64],
    linear: NDArray[np.float64],
    rule: UnitFilterConfig,
) -> pd.DataFrame:
    """One row a unit: the columns of ``EncodingFit.units``.

    Parameters
    ----------
    best
        The model that was kept.
    validation, linear
        Correlation in the validation frames of it and of ``ln``, shape (unit,).
    rule
        From when on a unit is used.
    """
    tables = []
    where, width = best.fields()
    for index, session in enumerate(best.feed.sessions):
        view, units = session.view, best.feed.units[index]
        frames, predicted = best.predictions("test", session=index)
        answers, known = best.feed.answers(index)
        repeats = repeat_scores(answers[frames], known[frames], view.again[frames], predicted)
        tables.append(
            pd.DataFrame(
                {
                    "recording": pd.Series([view.recording] * view.unit.size, dtype="str"),
                    "unit": pd.Series(view.unit.tolist(), dtype="str"),
                    "label": pd.Series(view.label.tolist(), dtype="str"),
                    "valid_share": view.valid.mean(axis=0),
                    "rate_hz": _rates_hz(view),
                    "validation_correlation": validation[units],
                    "validation_correlation_ln": linear[units],
                    "test_correlation": correlation(predicted, answers[frames], known[frames]),
                    "mean_correlation": repeats.mean_correlation,
                    "normalised_correlation": repeats.normalised_correlation,
                    "reliability": repeats.reliability,
                    "signal_share": repeats.signal_share,
                    "single_ceiling": repeats.single_ceiling,
                    "field_y": where[units, 0].astype(np.float64),
                    "field_x": where[units, 1].astype(np.float64),
                    "field_width": width[units].astype(np.float64),
                }
            ).assign(**_passed(view, validation[units], repeats, rule))
        )
    return pd.concat(tables, ignore_index=True)


def _rates_hz(view: StimulusResponses) -> NDArray[np.float64]:
    """Answers a second while a unit was observed; for traces a mean and no rate, so NaN."""
    if view.signal != "spikes":
        return np.full(view.unit.size, np.nan)
    count = np.maximum(view.valid.sum(axis=0), 1)
    found: NDArray[np.float64] = view.responses.sum(axis=0, dtype=np.float64) / count * view.rate_hz
    return found


def _passed(
    view: StimulusResponses,
    validation: NDArray[np.float64],
    repeats: RepeatScores,
    rule: UnitFilterConfig,
) -> dict[str, pd.Series]:
    """Whether each unit is used, and the first reason why not."""
    varies = np.array(
        [
            np.ptp(view.responses[known, unit]) > 0 if known.any() else False
            for unit, known in enumerate(view.valid.T)
        ]
    )
    ceiling = np.where(np.isfinite(repeats.single_ceiling), repeats.single_ceiling, 1.0)
    rates = _rates_hz(view)
    shown_again = bool((view.again >= 0).any())
    tests = (
        ("observed in too few frames", view.valid.mean(axis=0) < rule.min_valid),
        ("silent or constant", ~varies),
        ("fires too rarely", np.nan_to_num(rates, nan=np.inf) < rule.min_rate_hz),
        (
            "answers are not reliable",
            ~(repeats.reliability >= rule.min_reliability)
            if shown_again
            else np.zeros(varies.size, dtype=bool),
        ),
        ("not predicted", ~(validation / ceiling >= rule.min_correlation)),
    )
    reasons = np.full(varies.size, "", dtype=object)
    for text, failed in tests:
        reasons[(reasons == "") & failed] = text
    return {
        "used": pd.Series(reasons == ""),
        "reason": pd.Series(reasons.tolist(), dtype="str"),
    }
