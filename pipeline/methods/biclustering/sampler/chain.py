"""One chain: where it starts, how its tune phase goes, and what of it is kept.

The first part of the tune phase uses heuristics that are no part of the model: the search for a
partition, sweeps under one state, and a choice among first guesses of the states. From
then on, for four fifths of the tune phase, all moves are those of the draws.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.core.progress import Progress, silent
from pipeline.methods.biclustering.model import (
    Checkpoint,
    CountData,
    Draws,
    Kernel,
    Priors,
    Schedule,
    Start,
)
from pipeline.methods.biclustering.runtime import expected_s, in_words
from pipeline.methods.biclustering.sampler.dynamics import Dynamics, empty_dynamics
from pipeline.methods.biclustering.sampler.gains import first_gains
from pipeline.methods.biclustering.sampler.joint import (
    concentration_means,
    log_joint,
    log_likelihood,
)
from pipeline.methods.biclustering.sampler.position import Position, Problem
from pipeline.methods.biclustering.sampler.search import search
from pipeline.methods.biclustering.sampler.state_start import start_states
from pipeline.methods.biclustering.sampler.sweep import (
    Plan,
    Tally,
    move_dynamics,
    move_rows,
    sweep,
)

logger = logging.getLogger(__name__)

ONE_STATE = 20
"""Most sweeps under one state, after the search."""

MANY_WINDOWS, WINDOWS = 25, 15
"""Joint moves a sweep: while states are found, and from then on."""

SPLIT_EVERY = 400
"""Sweeps for one split or merge of clusters."""

STEPS_PER_BIN, MOST_WORK = 3, 3_600_000
"""Steps of the walk of a split or merge: as many for each bin, but no more counts in all.

What a walk loses grows with the bins and falls with its steps; a step costs a third of a sweep.
With less than a twelfth of the steps no walk is tried.
"""


def run_chain(
    data: CountData,
    priors: Priors,
    schedule: Schedule,
    rng: np.random.Generator,
    *,
    start: Start = "random",
    kernel: Kernel = "laplace",
    progress: Progress = silent,
    checkpoint: Callable[[Checkpoint], None] | None = None,
    resume: Checkpoint | None = None,
) -> Draws:
    """Draws of one chain from the posterior of clusters, states and all other unknowns.

    Parameters
    ----------
    data
        Counts.
    priors
        Family and hyperparameters.
    schedule
        Lengths.
    rng
        Random stream; its bit generator must be a ``PCG64``.
    start
        Where the search for a first partition begins: units in random clusters, one or many.
    kernel
        How trajectories and loadings are drawn. Poisson counts are always drawn by ``laplace``.
    progress
        Told after each sweep.
    checkpoint
        Given all that is needed to go on after every climb of the search for a start and after
        every sweep, to be stored before the next one.
    resume
        A checkpoint of the same chain; it goes on from there, with the same draws to the bit.

    Raises
    ------
    FloatingPointError
        If the log joint density stops being finite.
    """
    problem = Problem.of(data, priors)
    record = Record(problem, schedule)
    logger.info(
        "%d sweeps of %d units in %d bins: about %s of one core, by their number",
        schedule.n_sweeps - (resume.sweep if resume else 0),
        data.n_units,
        data.n_bins,
        in_words(expected_s(data, schedule, done=resume.sweep if resume else 0)),
    )
    if resume is None or resume.sweep == 0:
        now, done = first_position(problem, rng, start, checkpoint, resume), 0
    else:
        now, done = record.restore(resume, rng)
    for index in range(done, schedule.n_sweeps):
        now = advance(problem, now, schedule, rng, record.tally, index, kernel)
        if index == schedule.n_tune - 1:
            record.tally.moves.clear()
        drawn = index + 1 - schedule.n_tune
        if drawn > 0 and drawn % schedule.thin == 0:
            record.note(now, drawn // schedule.thin - 1)
        if checkpoint is not None:
            checkpoint(record.checkpoint(now, rng, index + 1))
        progress(index + 1, schedule.n_sweeps, f"{now.n_clusters(problem)} clusters")
    return record.draws()


def advance(
    problem: Problem,
    now: Position,
    schedule: Schedule,
    rng: np.random.Generator,
    tally: Tally,
    index: int,
    kernel: Kernel = "laplace",
) -> Position:
    """Where the chain stands after one sweep of the schedule; ``now`` is not kept."""
    several = problem.priors.n_states > 1
    settle = min(ONE_STATE, schedule.n_tune // 5)
    if several and index == settle:
        now = start_states(problem, now, rng)
    early = index < schedule.n_tune // 2
    plan = Plan(
        states=several and index >= settle,
        n_windows=MANY_WINDOWS if early else WINDOWS,
        split_steps=split_steps(problem) if index % SPLIT_EVERY == SPLIT_EVERY - 1 else 0,
        kernel=kernel,
    )
    sweep(problem, now, plan, rng, tally)
    return now


def split_steps(problem: Problem) -> int:
    """Steps of the walk of a split or merge, 0 where they would be too few."""
    wanted = STEPS_PER_BIN * problem.n_bins
    steps = min(wanted, MOST_WORK // (problem.n_units * problem.n_bins))
    return steps if 12 * steps >= wanted else 0


def first_position(
    problem: Problem,
    rng: np.random.Generator,
    start: Start,
    checkpoint: Callable[[Checkpoint], None] | None = None,
    resume: Checkpoint | None = None,
) -> Position:
    """Clusters, trajectories and loadings that the search finds, under one state."""
    gain = first_gains(problem)
    found = search(problem, rng, start, checkpoint=checkpoint, resume=resume)
    n_states = problem.priors.n_states
    now = Position(
        cluster=found.cluster,
        beta=found.beta,
        size=found.size,
        x=np.empty(0),
        state=np.zeros(problem.n_bins, np.int64),
        dynamics=empty_dynamics(1, n_states, 1),
        log_row=np.full((n_states, n_states), -np.log(n_states)),
        weight=np.full(n_states, 1 / n_states),
        concentration=concentration_means(problem),
        gain=gain,
    )
    now.put_clusters(problem, found.x)
    move_rows(problem, now, rng)
    move_dynamics(problem, now, rng)
    return now


class Record:
    """Draws as they come, and checkpoints of them."""

    def __init__(self, problem: Problem, schedule: Schedule) -> None:
        self.problem, self.schedule = problem, schedule
        self.tally = Tally()
        n, units, bins = schedule.n_draws, problem.n_units, problem.n_bins
        q = problem.priors.n_latents
        self.arrays: dict[str, NDArray[np.generic]] = {
            "cluster": np.zeros((n, units), np.int16),
            "state": np.zeros((n, bins), np.int16),
            "log_joint": np.zeros(n),
            "log_likelihood": np.zeros(n),
            "n_clusters": np.zeros(n, np.int64),
            "n_states": np.zeros(n, np.int64),
            "dispersion": np.full((n, units), np.inf, np.float32),
            "baseline": np.zeros((n, units), np.float32),
            "loading": np.zeros((n, units, q - 1), np.float32),
            "gain": np.zeros((n, units, problem.covariates.shape[1]), np.float32),
            "concentration": np.zeros((n, 3)),
        }
        self.kept = schedule.kept()
        self.latent: list[dict[str, NDArray[np.float32]]] = []

    def note(self, now: Position, draw: int) -> None:
        """Store a draw."""
        likelihood = log_likelihood(self.problem, now)
        joint = log_joint(self.problem, now, likelihood)
        if not np.isfinite(joint):
            raise FloatingPointError(f"The log joint density is {joint} at draw {draw}.")
        values: dict[str, Any] = {
            "cluster": now.cluster,
            "state": now.state,
            "log_joint": joint,
            "log_likelihood": likelihood,
            "n_clusters": now.n_clusters(self.problem),
            "n_states": np.unique(now.state[self.problem.data.linked]).size,
            "baseline": now.beta[:, 0],
            "loading": now.beta[:, 1:],
            "gain": now.gain,
            "concentration": now.concentration,
        }
        for name, value in values.items():
            self.arrays[name][draw] = value
        if not self.problem.data.poisson:
            self.arrays["dispersion"][draw] = now.size
        if draw in self.kept:
            self.latent.append(latents(self.problem, now))

    def draws(self) -> Draws:
        """All draws, trajectories padded to the largest number of clusters."""
        slots = max(kept["trajectory"].shape[1] for kept in self.latent)
        q = self.problem.priors.n_latents
        sizes = {"cluster_slot": slots, "row": slots * q, "column": slots * q}
        arrays: dict[str, Any] = dict(self.arrays)
        concentration = arrays.pop("concentration")
        for name, along in LATENT_AXES.items():
            arrays[name] = padded([kept[name] for kept in self.latent], along, sizes)
        return Draws(
            **arrays,
            state_concentration=concentration[:, 0],
            weight_concentration=concentration[:, 1],
            stickiness=concentration[:, 2],
            kept_draw=self.kept,
            moves=dict(self.tally.moves),
        )

    def checkpoint(self, now: Position, rng: np.random.Generator, done: int) -> Checkpoint:
        """Everything as it is after ``done`` sweeps, in the arrays that the next one changes."""
        arrays: dict[str, NDArray[Any]] = {
            f"draw.{name}": value for name, value in self.arrays.items()
        }
        for index, kept in enumerate(self.latent):
            arrays |= {f"kept.{index}.{name}": value for name, value in kept.items()}
        for name in POSITION:
            arrays[f"now.{name}"] = getattr(now, name)
        for name in Dynamics._fields:
            arrays[f"dynamics.{name}"] = getattr(now.dynamics, name)
        facts = {"random": rng.bit_generator.state, "moves": self.tally.moves}
        return Checkpoint(sweep=done, arrays=arrays, facts=json.dumps(facts))

    def restore(self, saved: Checkpoint, rng: np.random.Generator) -> tuple[Position, int]:
        """Take everything back from a checkpoint; where the chain stands, and sweeps done."""
        facts = json.loads(saved.facts)
        rng.bit_generator.state = facts["random"]
        self.tally.moves = {name: (value[0], value[1]) for name, value in facts["moves"].items()}
        groups: dict[str, dict[str, Any]] = {}
        kept: dict[int, dict[str, Any]] = {}
        for name, value in saved.arrays.items():
            group, _, rest = name.partition(".")
            if group == "kept":
                index, _, rest = rest.partition(".")
                kept.setdefault(int(index), {})[rest] = value.copy()
            else:
                groups.setdefault(group, {})[rest] = value.copy()
        for name, value in groups["draw"].items():
            if value.shape != self.arrays[name].shape:
                raise ValueError("The checkpoint is of another chain: its arrays differ in size.")
        self.arrays = groups["draw"]
        self.latent = [kept[index] for index in sorted(kept)]
        now = Position(**groups["now"], dynamics=Dynamics(**groups["dynamics"]))
        now.follow(self.problem)
        return now, saved.sweep


POSITION = (
    *("cluster", "beta", "size", "x", "state", "log_row", "weight", "concentration", "gain"),
)
"""Arrays of a position that a checkpoint holds beside its dynamics."""

LATENT_AXES = {
    "trajectory": ("bin", "cluster_slot", "latent"),
    "transition": ("state_slot", "row", "column"),
    "offset": ("state_slot", "row"),
    "innovation": ("state_slot", "row", "column"),
}
"""Axes of what is kept of some draws only."""


def latents(problem: Problem, now: Position) -> dict[str, NDArray[np.float32]]:
    """Trajectories and dynamics of one draw, over the latents of all clusters."""
    n_systems, n_states, d = now.dynamics.b.shape
    size = n_systems * d
    transition = np.zeros((n_states, size, size), np.float32)
    innovation = np.zeros((n_states, size, size), np.float32)
    for g in range(n_systems):
        at = slice(g * d, (g + 1) * d)
        transition[:, at, at] = now.dynamics.a[g]
        innovation[:, at, at] = np.linalg.inv(now.dynamics.w[g])
    return {
        "trajectory": now.by_cluster(problem).transpose(1, 0, 2).astype(np.float32),
        "transition": transition,
        "offset": now.dynamics.b.transpose(1, 0, 2).reshape(n_states, size).astype(np.float32),
        "innovation": innovation,
    }


def padded(
    values: list[NDArray[np.float32]], along: tuple[str, ...], sizes: dict[str, int]
) -> NDArray[np.float32]:
    """Arrays one behind another, with NaN where they are shorter than the named sizes."""
    shape = [sizes.get(name, size) for name, size in zip(along, values[0].shape, strict=True)]
    out = np.full((len(values), *shape), np.nan, np.float32)
    for index, value in enumerate(values):
        out[index][tuple(slice(size) for size in value.shape)] = value
    return out
