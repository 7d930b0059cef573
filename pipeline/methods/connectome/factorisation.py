"""Non-negative factors of affinities: several starts, the best of them to the end.

Random starts differ widely in where they end, so several share the passes over the data for some
iterations (:data:`BURN_IN` by default) and only the best go on. A fit ends when its relative error
hardly falls over several iterations, not in one step, where plateaus would end it too soon, and the
conditions of a minimum hold (:func:`hals.kkt_residual`): an error that hardly falls is not enough.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from pipeline.core.progress import Progress, silent
from pipeline.core.resuming import InTurn, Made, Midway, arrays_of, record_of
from pipeline.methods.connectome.hals import Model, Problem, iterate, kkt_residual
from pipeline.methods.connectome.starts import Start, start_models
from pipeline.numerics.cp import normalise

WINDOW = 5
"""Iterations over which the stopping rule looks at the error."""

ROUNDING = 1e-8
"""Change of the squared relative error that single precision cannot tell from none."""

KKT_LIMIT = 2e-4
"""Residual of the conditions of a minimum below which a fit is one for all purposes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How a fit is searched for."""

    start: Start = "random"
    n_starts: int = 10
    burn_in: int = 20
    """Iterations of all starts."""
    n_kept: int = 3
    """Starts that go on after the burn-in."""
    max_iterations: int = 500
    tolerance: float = 1e-6
    """A fit ends when its relative error falls by less than this share over five iterations ..."""
    kkt_limit: float = KKT_LIMIT
    """... and the conditions of a minimum hold up to this; infinite where that does not matter."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    """Factors of one fit with unit-norm columns, largest weight first."""

    weight: NDArray[np.float64]
    """Shape (component,)."""
    time: NDArray[np.float64]
    slot: NDArray[np.float64]
    pair: NDArray[np.float64]
    relative_error: float
    """Norm of the residual over the norm of the data, over observed entries."""
    errors: NDArray[np.float64]
    """Relative error after each iteration."""
    stopped: bool
    """Whether the error had ceased to fall before the iterations were used up."""
    kkt: float = np.nan
    """Residual of the conditions of a minimum."""

    @property
    def factors(self) -> tuple[NDArray[np.float64], ...]:
        """Factors of time, slots and pairs."""
        return self.time, self.slot, self.pair

    @property
    def converged(self) -> bool:
        """Whether the fit is a minimum, as far as its conditions tell."""
        return self.stopped and not self.kkt > KKT_LIMIT

    @property
    def effective_rank(self) -> int:
        """Components that are not all zero."""
        return int((self.weight > 0).sum())

    @property
    def explained(self) -> float:
        """Share of the sum of squares that the model explains, over observed entries."""
        return 1.0 - self.relative_error**2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Snapshot:
    """All a fit needs to go on as if it had never been interrupted.

    Its models are those of the fit, which changes them: it is to be stored before the fit goes on.
    """

    iteration: int
    models: tuple[Model, ...]
    done: tuple[bool, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Snapshots:
    """Of fits that follow each other: of the last one on its way, of the others at their end."""

    fits: tuple[Snapshot, ...]


def fits_in_turn(
    checkpoint: Callable[[Snapshots], None] | None, resume: Snapshots | None
) -> InTurn[Snapshot]:
    """What hands fits that follow each other their snapshots, by what a part of a fit is given."""

    def tell(fits: tuple[Snapshot, ...]) -> None:
        if checkpoint is not None:
            checkpoint(Snapshots(fits=fits))

    return InTurn(
        tell=None if checkpoint is None else tell,
        snapshots=[] if resume is None else list(resume.fits),
    )


class GoingOn(TypedDict):
    """What :func:`factorise` is given to go on in its midst."""

    checkpoint: Callable[[Snapshot], None] | None
    resume: Snapshot | None


def going_on(midway: Midway) -> GoingOn:
    """The same of a fit that is a piece of a joining, whose checkpoints hold arrays alone."""
    keep, left = midway.keep, midway.left
    return GoingOn(
        checkpoint=None if keep is None else lambda snapshot: keep(_packed(snapshot)),
        resume=None if left is None else _unpacked(left),
    )


def _packed(snapshot: Snapshot) -> dict[str, NDArray[Any]]:
    """A snapshot as arrays, those of the models as they are."""
    return {
        "iteration": np.array(snapshot.iteration),
        "done": np.array(snapshot.done),
        **{
            f"{name} {index}": array
            for index, model in enumerate(snapshot.models)
            for name, array in arrays_of(model).items()
        },
    }


def _unpacked(made: Made) -> Snapshot:
    done = tuple(bool(one) for one in made["done"])
    models = [
        {one.name: made[f"{one.name} {index}"] for one in fields(Model)}
        for index in range(len(done))
    ]
    return Snapshot(
        iteration=int(made["iteration"]),
        models=tuple(
            replace(
                record_of(Model, model),
                errors=model["errors"].tolist(),
                objectives=model["objectives"].tolist(),
            )
            for model in models
        ),
        done=done,
    )


@dataclass(slots=True, kw_only=True, eq=False)
class _Run:
    """The models of a fit on their way."""

    models: list[Model]
    done: list[bool] = field(default_factory=list)
    iteration: int = 0

    def snapshot(self) -> Snapshot:
        """Where it is."""
        return Snapshot(iteration=self.iteration, models=tuple(self.models), done=tuple(self.done))


def factorise(
    problem: Problem,
    *,
    rank: int,
    search: Search,
    rng: np.random.Generator,
    progress: Progress = silent,
    checkpoint: Callable[[Snapshot], None] | None = None,
    resume: Snapshot | None = None,
    starts: Sequence[Model] = (),
) -> tuple[Fit, ...]:
    """Fits from the best starts, the lowest error first.

    Parameters
    ----------
    problem
        Data, masks, penalties.
    rank
        Number of components.
    search
        Starts, iterations, stopping rule.
    rng
        Randomness of the starts; nothing else is random.
    progress
        Told after each iteration.
    checkpoint
        Given a snapshot after every iteration.
    resume
        A snapshot to go on from; the result is the one of an uninterrupted fit, to the last bit.
    starts
        Models to start from in place of ``search.start``; they are not changed.

    Raises
    ------
    ValueError
        If nothing observed differs from 0.
    """
    if problem.size == 0:
        raise ValueError("All observed affinities are 0; there is nothing to factorise.")
    run = _begin(problem, rank=rank, search=search, rng=rng, resume=resume, starts=starts)
    while run.iteration < search.max_iterations and not all(run.done):
        going = [model for model, done in zip(run.models, run.done, strict=True) if not done]
        iterate(problem, going)
        run.iteration += 1
        if run.iteration == search.burn_in and len(run.models) > search.n_kept:
            best = np.argsort([model.errors[-1] for model in run.models], kind="stable")
            run.models = [run.models[index] for index in best[: search.n_kept]]
            run.done = [False] * len(run.models)
        elif run.iteration > search.burn_in or len(run.models) <= search.n_kept:
            run.done = [
                done or (_settled(model, search.tolerance) and _is_minimum(problem, model, search))
                for model, done in zip(run.models, run.done, strict=True)
            ]
        progress(run.iteration, search.max_iterations, f"error {going[0].errors[-1]:.5f}")
        if checkpoint is not None:
            checkpoint(run.snapshot())
    fits = [
        _finished(problem, model, stopped=done)
        for model, done in zip(run.models, run.done, strict=True)
    ]
    return tuple(sorted(fits, key=lambda fit: fit.relative_error))


def _begin(
    problem: Problem,
    *,
    rank: int,
    search: Search,
    rng: np.random.Generator,
    resume: Snapshot | None,
    starts: Sequence[Model],
) -> _Run:
    """The models to begin or to go on with.

    Starts are drawn in either case: what is drawn after the fit must not depend on whether it was
    interrupted.
    """
    models = [_copy(model) for model in starts] or start_models(
        problem, kind=search.start, rank=rank, count=search.n_starts, rng=rng
    )
    if resume is not None:
        return _Run(
            models=[_copy(model) for model in resume.models],
            done=list(resume.done),
            iteration=resume.iteration,
        )
    return _Run(models=models, done=[False] * len(models))


def _settled(model: Model, tolerance: float) -> bool:
    """Whether the error hardly fell over the last iterations."""
    if len(model.errors) <= WINDOW:
        return False
    before, now = model.errors[-1 - WINDOW], model.errors[-1]
    return before - now < tolerance * before or before**2 - now**2 <= ROUNDING


def _is_minimum(problem: Problem, model: Model, search: Search) -> bool:
    """Whether the conditions of a minimum hold; looked at now and then, as it costs an iteration.

    On a plateau the error of one more iteration hardly falls although there is a way to go.
    """
    if np.isinf(search.kkt_limit):
        return True
    if len(model.errors) % WINDOW:
        return False
    return kkt_residual(problem, model) <= search.kkt_limit


def _finished(problem: Problem, model: Model, *, stopped: bool) -> Fit:
    """The model in normal form, with the residual of its conditions."""
    weight, (time, slot, pair) = normalise((model.time, model.slot, model.pair))
    return Fit(
        weight=weight,
        time=time,
        slot=slot,
        pair=pair,
        relative_error=model.errors[-1],
        errors=np.array(model.errors),
        stopped=stopped,
        kkt=kkt_residual(problem, model),
    )


def _copy(model: Model) -> Model:
    """The same model in arrays of its own."""
    return Model(
        time=model.time.copy(),
        slot=model.slot.copy(),
        pair=model.pair.copy(),
        errors=list(model.errors),
        objectives=list(model.objectives),
        n_seeds=model.n_seeds,
    )
