"""What memory and time of the connectome grow with."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core.method import Part
from pipeline.core.work import Sizes, Work, total
from pipeline.methods.connectome.config import ConnectomeConfig


def fit_work(views: Sequence[Sizes], config: ConnectomeConfig, part: Part) -> Work:
    """One run of a candidate, restart or surrogate."""
    frames, pairs = _frames(views), _pairs(views)
    rank = _rank(config.of_part(part))
    iterations = config.n_starts * config.burn_in + config.n_kept * config.max_iterations
    return Work(
        numbers={
            "traces": total(views, "time", "unit"),
            "factors": config.n_starts * rank * (frames + pairs),
        },
        steps={
            "traces": total(views, "time", "unit"),
            "products": iterations * rank * frames * 2 * pairs,
        },
    )


def halves_work(views: Sequence[Sizes], config: ConnectomeConfig) -> Work:
    """One restart for each half of the frames, with communities."""
    rank = _rank(config)
    one = fit_work(views, config.with_rank(rank), Part("halves"))
    return Work(numbers=one.numbers, steps={**one.steps, "communities": 2 * rank * _pairs(views)})


def gather_work(views: Sequence[Sizes], config: ConnectomeConfig) -> Work:
    """Joining of all runs, with communities of each component."""
    return _all_of_them(views, config)


def assess_work(views: Sequence[Sizes], config: ConnectomeConfig) -> Work:
    """Checks, figures and words."""
    return _all_of_them(views, config)


def _all_of_them(views: Sequence[Sizes], config: ConnectomeConfig) -> Work:
    rank = _rank(config)
    factors = rank * (_frames(views) + _pairs(views))
    traces = total(views, "time", "unit")
    return Work(
        numbers={"traces": traces, "factors": len(config.plan()) * factors},
        steps={"traces": traces, "communities": rank * _pairs(views)},
    )


def _rank(config: ConnectomeConfig) -> int:
    """Number of components, or the largest candidate."""
    return max(config.candidates) if config.rank == "auto" else config.rank


def _frames(views: Sequence[Sizes]) -> int:
    return sum(view.get("time", 0) for view in views)


def _pairs(views: Sequence[Sizes]) -> int:
    units = max((view.get("unit", 0) for view in views), default=0)
    return units * (units - 1) // 2
