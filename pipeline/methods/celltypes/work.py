"""What memory and time of the cell types grow with."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core.method import Part
from pipeline.core.work import Sizes, Work, total
from pipeline.methods.celltypes.config import (
    FOLD,
    MODEL,
    MOST_EPOCHS_OF_A_HALF,
    RESTART,
    CelltypesConfig,
)


def fit_work(views: Sequence[Sizes], config: CelltypesConfig, part: Part) -> Work:
    """One encoding model, or one clustering of what it answers."""
    frames, responses = _frames(views), total(views, "frame", "unit")
    trials = total(views, "trial", "unit")
    numbers = {"frames": frames, "responses": responses + trials}
    if part.name.startswith(MODEL):
        epochs = config.encoding.max_epochs
        return Work(
            numbers=numbers, steps={"frames": epochs * frames, "responses": epochs * responses}
        )
    # What is optimised are clips of some seconds, for one to as many clusters as there may be.
    units = sum(view.get("unit", 0) for view in views)
    pixels = max((view.get("y", 0) * view.get("x", 0) for view in views), default=0)
    runs = 1
    if part.name.startswith(FOLD):
        folds = config.folds
        runs = folds.n_restarts + bool(folds.scan) if units >= folds.least_units else 0
    return Work(
        numbers=numbers,
        steps={"answers": runs * units * pixels, "responses": max(runs, 1) * responses},
    )


def gather_work(views: Sequence[Sizes], config: CelltypesConfig) -> Work:
    """Joining of models and clusterings."""
    frames, responses = _frames(views), total(views, "frame", "unit")
    numbers = {"frames": frames, "responses": responses}
    return Work(numbers=numbers, steps={"frames": frames, "responses": responses})


def halves_work(views: Sequence[Sizes], config: CelltypesConfig) -> Work:
    """Types from each half of the data: by what was shown, or a model and a clustering of each."""
    joined = gather_work(views, config)
    learned, answers = 0, 0.0
    if config.mode != "discrete":
        # Both halves together have the frames of the whole.
        learned = min(config.encoding.max_epochs, MOST_EPOCHS_OF_A_HALF) * _frames(views)
        clustering = fit_work(views, config, Part(f"{RESTART}-00"))
        answers = 2 * clustering.steps["answers"]
    return Work(
        numbers=joined.numbers, steps={**joined.steps, "learned": learned, "answers": answers}
    )


def assess_work(views: Sequence[Sizes], config: CelltypesConfig) -> Work:
    """Checks, figures and words."""
    return gather_work(views, config)


def _frames(views: Sequence[Sizes]) -> int:
    return total(views, "frame", "channel", "y", "x")
