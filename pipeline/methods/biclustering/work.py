"""What memory and time of the bi-clustering grow with."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core.method import Part
from pipeline.core.work import Sizes, Work, total
from pipeline.methods.biclustering.config import CHAIN, BiclusteringConfig
from pipeline.methods.biclustering.problem import schedule_of


def fit_work(views: Sequence[Sizes], config: BiclusteringConfig, part: Part) -> Work:
    """One chain, or one fit that predicts what was held out."""
    plan = schedule_of(config, checks=not part.name.startswith(CHAIN))
    counts = total(views, "time_bin", "unit")
    if counts > config.max_counts:  # then nothing is fitted
        return Work()
    return Work(
        numbers={"counts": counts, "draws": _draws(views, plan.n_draws)},
        steps={"counts": counts, "sweeps": (plan.n_tune + plan.n_draws) * counts},
    )


def halves_work(views: Sequence[Sizes], config: BiclusteringConfig) -> Work:
    """A short chain for each half of the bins."""
    return fit_work(views, config, Part("halves"))


def gather_work(views: Sequence[Sizes], config: BiclusteringConfig) -> Work:
    """Joining of the chains."""
    draws = config.n_chains * _draws(views, schedule_of(config).n_draws)
    counts = total(views, "time_bin", "unit")
    return Work(
        numbers={"counts": counts, "draws": draws}, steps={"counts": counts, "draws": draws}
    )


def assess_work(views: Sequence[Sizes], config: BiclusteringConfig) -> Work:
    """Checks, figures and words of all recordings."""
    return gather_work(views, config)


def _draws(views: Sequence[Sizes], n_draws: int) -> int:
    """Labels of units and bins over all draws."""
    return n_draws * sum(view.get("unit", 0) + view.get("time_bin", 0) for view in views)
