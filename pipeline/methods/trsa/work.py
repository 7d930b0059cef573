"""What memory and time of the topology of representations grow with."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core.method import Part
from pipeline.core.work import Sizes, Work, total
from pipeline.methods.trsa.config import TrsaConfig


def fit_work(views: Sequence[Sizes], config: TrsaConfig, part: Part) -> Work:
    """One chunk of relabellings or resamples, which all parts of a kind do as many of."""
    levels = _levels(config)
    splits = config.n_splits if part.name.startswith("permutation") else 1
    return Work(
        numbers=_held(views, config),
        steps={
            "responses": _responses(views),
            "draws": config.draws_per_part * splits * levels * _pairs(views),
        },
    )


def gather_work(views: Sequence[Sizes], config: TrsaConfig) -> Work:
    """Dissimilarities of all populations, and joining of the parts."""
    return Work(
        numbers=_held(views, config),
        steps={
            "responses": _responses(views),
            "draws": config.n_splits * _levels(config) * _pairs(views),
        },
    )


def assess_work(views: Sequence[Sizes], config: TrsaConfig) -> Work:
    """Checks, figures and words."""
    return gather_work(views, config)


def _held(views: Sequence[Sizes], config: TrsaConfig) -> dict[str, float]:
    return {"responses": _responses(views), "levels": _levels(config) * _pairs(views)}


def _responses(views: Sequence[Sizes]) -> int:
    """Single responses, and their courses where there are any."""
    return total(views, "trial", "unit") + total(views, "trial", "unit", "time_bin")


def _levels(config: TrsaConfig) -> int:
    """Pairs of a lower and an upper level."""
    n = round(1 / config.level_step) + 1
    return n * (n + 1) // 2


def _pairs(views: Sequence[Sizes]) -> int:
    return sum(view.get("condition", 0) ** 2 // 2 for view in views)
