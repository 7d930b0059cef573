"""Joint moves of states and trajectories in a window of bins.

Given trajectories, states hardly move: a trajectory was drawn under the states as they are, and
what counts say about it is far less sharp than its dynamics. So a change of states is proposed
together with new trajectories of all clusters in a window around it. Four changes are tried:

- *shift*: a border between two runs moves by a geometric number of bins;
- *insert*: a stretch inside a run, or at its end, gets another state;
- *remove*: a run gets the state of the run before it (the way back from an insertion);
- *relabel*: a run gets another state.

Rows of the transition matrix are integrated out; they must be drawn anew afterwards.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.methods.biclustering.sampler.dynamics import Dynamics
from pipeline.methods.biclustering.sampler.likelihood import Counts
from pipeline.methods.biclustering.sampler.states import show_first, state_log_prior
from pipeline.methods.biclustering.sampler.trajectories import Crew, members_of, weigh_window
from pipeline.numerics.compiled import compiled

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Flags = NDArray[np.bool_]

KINDS = ("shift", "insert", "remove", "relabel")
SHARES = np.array([0.4, 0.65, 0.9, 1.0])
"""Cumulative shares of the four kinds."""

LONGEST = 60
"""Most bins of a stretch that is inserted or removed."""

LONGEST_RELABELLED = 120
"""Most bins of a run that is relabelled."""

MEAN_SHIFT = 6.0
MARGIN = 25
"""Bins on both sides of a change in which trajectories are drawn anew."""


@compiled
def borders(state: Index, linked: Flags) -> Index:
    """First bins of runs that follow another run of the same segment."""
    out = np.empty(state.size, np.int64)
    number = 0
    for t in range(1, state.size):
        if linked[t] and linked[t - 1] and state[t] != state[t - 1]:
            out[number] = t
            number += 1
    return out[:number].copy()


@compiled
def run_end(state: Index, linked: Flags, t: int) -> int:
    """First bin behind the run that bin ``t`` is in."""
    end = t + 1
    while end < state.size and linked[end] and state[end] == state[t]:
        end += 1
    return end


@compiled
def run_start(state: Index, linked: Flags, t: int) -> int:
    """First bin of the run that bin ``t`` is in."""
    start = t
    while linked[start - 1] and state[start - 1] == state[t]:
        start -= 1
    return start


@compiled
def propose_states(
    state: Index, linked: Flags, n_states: int, kind: int, rng: np.random.Generator
) -> tuple[Index, int, int, float]:
    """New states, first and last bin changed, and the log ratio of the ways back and there.

    The first bin is -1 where the change that was drawn is not possible.
    """
    fresh = state.copy()
    border = borders(state, linked)
    other = rng.integers(0, n_states - 1)
    if kind == 0:
        if border.size == 0:
            return fresh, -1, 0, 0.0
        at = border[rng.integers(0, border.size)]
        length = 1 + int(np.log(1.0 - rng.random()) / np.log(1 - 1 / MEAN_SHIFT))
        if rng.random() < 0.5:
            if at + length >= run_end(state, linked, at):
                return fresh, -1, 0, 0.0
            fresh[at : at + length] = state[at - 1]
            return fresh, at, at + length - 1, 0.0
        if at - length <= run_start(state, linked, at - 1):
            return fresh, -1, 0, 0.0
        fresh[at - length : at] = state[at]
        return fresh, at - length, at - 1, 0.0
    places = np.flatnonzero(linked)
    ways = np.log(places.size * LONGEST * (n_states - 1.0))
    if kind == 1:
        at = places[rng.integers(0, places.size)]
        end = at + 1 + rng.integers(0, LONGEST)
        label = other if other < state[at] else other + 1
        inside = run_end(state, linked, at)
        if not linked[at - 1] or state[at - 1] != state[at] or end > inside:
            return fresh, -1, 0, 0.0
        if end < state.size and linked[end] and state[end] == label:
            return fresh, -1, 0, 0.0
        fresh[at:end] = label
        return fresh, at, end - 1, ways - np.log(borders(fresh, linked).size)
    if kind == 2:
        if border.size == 0:
            return fresh, -1, 0, 0.0
        at = border[rng.integers(0, border.size)]
        end = run_end(state, linked, at)
        if end - at > LONGEST:
            return fresh, -1, 0, 0.0
        fresh[at:end] = state[at - 1]
        return fresh, at, end - 1, np.log(border.size) - ways
    at = places[rng.integers(0, places.size)]
    label = other if other < state[at] else other + 1
    start, end = run_start(state, linked, at), run_end(state, linked, at)
    if end - start > LONGEST_RELABELLED:
        return fresh, -1, 0, 0.0
    if linked[start - 1] and state[start - 1] == label:
        return fresh, -1, 0, 0.0
    if end < state.size and linked[end] and state[end] == label:
        return fresh, -1, 0, 0.0
    fresh[start:end] = label
    return fresh, start, end - 1, 0.0


@compiled
def window_moves(
    data: Counts,
    crew: Crew,
    x: Array,
    state: Index,
    dynamics: Dynamics,
    weight: Array,
    alpha: float,
    kappa: float,
    number: int,
    rng: np.random.Generator,
) -> Index:
    """Tries some joint moves, in place; accepted and proposed by kind, (kind, 2)."""
    done = np.zeros((4, 2), np.int64)
    n_systems, n, _ = x.shape
    if weight.size < 2 or not data.linked.any():
        return done
    now = state_log_prior(state, data.linked, weight, alpha, kappa)
    for _ in range(number):
        level = rng.random()
        kind = 0
        while level >= SHARES[kind]:
            kind += 1
        done[kind, 1] += 1
        fresh, low, high, ratio = propose_states(state, data.linked, weight.size, kind, rng)
        if low < 0:
            continue
        show_first(fresh, data.linked)
        then = state_log_prior(fresh, data.linked, weight, alpha, kappa)
        ratio += then - now
        window = np.array([max(0, low - MARGIN), min(n - 1, high + MARGIN)])
        there = x.copy()
        for g in range(n_systems):
            members = members_of(crew, g)
            ratio += weigh_window(data, members, there[g], dynamics, g, fresh, window, rng, True)
            ratio -= weigh_window(data, members, x[g], dynamics, g, state, window, rng, False)
        if np.log(rng.random()) < ratio:
            done[kind, 0] += 1
            now = then
            state[:] = fresh
            x[:] = there
    return done
