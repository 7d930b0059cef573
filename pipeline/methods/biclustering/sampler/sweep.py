"""One sweep over all unknowns: the order of the moves, and how often each is tried."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pipeline.methods.biclustering.model import Kernel
from pipeline.methods.biclustering.sampler.births import offer_cluster
from pipeline.methods.biclustering.sampler.dispersion import dispersion_moves
from pipeline.methods.biclustering.sampler.dynamics import draw_dynamics
from pipeline.methods.biclustering.sampler.gains import draw_gains, share_covariates
from pipeline.methods.biclustering.sampler.invariance import invariance_moves
from pipeline.methods.biclustering.sampler.joint import concentration_means
from pipeline.methods.biclustering.sampler.loadings import label_moves
from pipeline.methods.biclustering.sampler.polya_gamma import redraw_trajectories, redraw_units
from pipeline.methods.biclustering.sampler.position import Position, Problem
from pipeline.methods.biclustering.sampler.splits import may_split, split_or_merge
from pipeline.methods.biclustering.sampler.states import (
    draw_concentration,
    draw_rows,
    draw_states,
    draw_tables,
    draw_weights,
    emissions,
    transition_counts,
)
from pipeline.methods.biclustering.sampler.trajectories import members_of, redraw
from pipeline.methods.biclustering.sampler.windows import KINDS, window_moves

INVARIANT = ("translate", "shear", "stretch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How often a sweep tries each move."""

    states: bool = True
    """Whether states move at all."""
    n_windows: int = 15
    n_births: int = 4
    """Units that are offered a cluster of their own."""
    n_invariances: int = 4
    """Rounds of moves along directions in which only priors decide; scales mix by them alone."""
    split_steps: int = 0
    """Steps of the walk of one split or merge; none is tried when 0."""
    piece: int = 10**9
    """Bins of a trajectory that are redrawn at once."""
    kernel: Kernel = "laplace"
    """How trajectories and loadings are drawn; Poisson counts have the first way only."""

    def augmented(self, problem: Problem) -> bool:
        """Whether Pólya-Gamma variables are drawn."""
        return self.kernel == "polya_gamma" and not problem.data.poisson


@dataclass(slots=True, kw_only=True)
class Tally:
    """Accepted and proposed moves by name."""

    moves: dict[str, tuple[int, int]] = field(default_factory=dict)

    def note(self, name: str, accepted: int, proposed: int) -> None:
        """Add some."""
        before = self.moves.get(name, (0, 0))
        self.moves[name] = (before[0] + int(accepted), before[1] + int(proposed))


def sweep(
    problem: Problem, now: Position, plan: Plan, rng: np.random.Generator, tally: Tally
) -> None:
    """One sweep, in place. Dynamics are those of the trajectories before and after it."""
    if plan.states:
        move_states(problem, now, plan, rng, tally)
        move_dynamics(problem, now, rng)
    move_trajectories(problem, now, plan, rng, tally)
    move_units(problem, now, plan, rng, tally)
    if problem.covariates.shape[1]:
        move_gains(problem, now, rng, tally)
    move_dispersions(problem, now, rng)
    for _ in range(plan.n_invariances):
        move_along_invariances(problem, now, rng, tally)
    if plan.split_steps > 0 and may_split(problem):
        kind, done = split_or_merge(problem, now, plan.split_steps, rng)
        tally.note(kind, done, 1)
    move_dynamics(problem, now, rng)


def move_states(
    problem: Problem, now: Position, plan: Plan, rng: np.random.Generator, tally: Tally
) -> None:
    """States, the transition matrix and its concentrations."""
    linked = problem.data.linked
    now.state = draw_states(emissions(now.x, now.dynamics, linked), now.log_row, linked, rng)
    done = window_moves(
        problem.data,
        now.crew(problem),
        now.x,
        now.state,
        now.dynamics,
        now.weight,
        now.concentration[0],
        now.concentration[2],
        plan.n_windows,
        rng,
    )
    for name, (accepted, proposed) in zip(KINDS, done, strict=True):
        tally.note(name, accepted, proposed)
    move_rows(problem, now, rng)


def move_rows(problem: Problem, now: Position, rng: np.random.Generator) -> None:
    """Concentrations, common weights and rows of the transition matrix."""
    count, _ = transition_counts(now.state, problem.data.linked, now.weight.size)
    shape = problem.priors.concentration_shape
    served = draw_tables(count, now.weight, now.concentration[0], now.concentration[2], rng)
    for name in (1, 0, 2):
        if shape is not None:
            rate = shape / concentration_means(problem)[name]
            now.concentration[name] = draw_concentration(
                name, count, now.weight, served, now.concentration, shape, rate, rng
            )
        if name == 1:
            now.weight = draw_weights(served, now.concentration[1], rng)
    now.log_row = draw_rows(count, now.weight, now.concentration[0], now.concentration[2], rng)


def move_dynamics(problem: Problem, now: Position, rng: np.random.Generator) -> None:
    """Dynamics of all states given states and trajectories."""
    now.dynamics = draw_dynamics(
        now.x, now.state, problem.data.linked, now.weight.size, problem.dynamics, rng
    )


def move_trajectories(
    problem: Problem, now: Position, plan: Plan, rng: np.random.Generator, tally: Tally
) -> None:
    """Trajectories of all systems."""
    if plan.augmented(problem):
        redraw_trajectories(problem, now, rng)
        return
    crew = now.crew(problem)
    for g in range(now.x.shape[0]):
        done = redraw(
            problem.data,
            members_of(crew, g),
            now.x[g],
            now.dynamics,
            g,
            now.state,
            min(plan.piece, problem.n_bins),
            rng,
        )
        tally.note("trajectory", *done)


def move_units(
    problem: Problem, now: Position, plan: Plan, rng: np.random.Generator, tally: Tally
) -> None:
    """Clusters and loadings of all units; births and deaths of clusters of one unit."""
    if plan.augmented(problem):
        redraw_units(problem, now, rng)
    else:
        done = label_moves(
            problem.data,
            now.size,
            now.by_cluster(problem),
            problem.loading,
            problem.priors.cluster_weight,
            now.cluster,
            now.beta,
            rng,
        )
        tally.note("loadings", *done)
    if problem.full or problem.n_units == 1:
        return
    for unit in rng.integers(0, problem.n_units, plan.n_births):
        tally.note("offer", offer_cluster(problem, now, int(unit), rng), 1)


def move_gains(problem: Problem, now: Position, rng: np.random.Generator, tally: Tally) -> None:
    """Gains on covariates; dynamics are stale afterwards."""
    tally.note("gains", *draw_gains(problem, now, rng))
    tally.note("share", *share_covariates(problem, now, rng))


def move_dispersions(problem: Problem, now: Position, rng: np.random.Generator) -> None:
    """Dispersions of all units."""
    if not problem.data.poisson:
        dispersion_moves(
            problem.data,
            now.by_cluster(problem),
            now.cluster,
            now.beta,
            now.size,
            problem.priors.dispersion_shape,
            problem.priors.dispersion_rate,
            rng,
        )


def move_along_invariances(
    problem: Problem, now: Position, rng: np.random.Generator, tally: Tally
) -> None:
    """Shifts, shears and stretches; dynamics are stale afterwards."""
    done = invariance_moves(
        now.x,
        now.state,
        problem.data.linked,
        now.weight.size,
        problem.dynamics,
        problem.loading,
        now.cluster,
        now.n_clusters(problem),
        problem.full,
        now.beta,
        rng,
    )
    for name, (accepted, proposed) in zip(INVARIANT, done, strict=True):
        tally.note(name, accepted, proposed)
