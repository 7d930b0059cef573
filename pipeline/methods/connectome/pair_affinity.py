"""Affinities of pairs of units from their speeds and directions of change.

All are symmetric, 0 while either unit rests, and built in within [0, 1]. ``geometric``,
``geometric_same_sign`` and ``split_sign`` are sums of products of what single units do, so that no
table of pairs is needed (:func:`outer_columns`); the others are made pair by pair.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import ConfigError

PLACE = "methods.connectome.affinity"

SHORTEST_S = 0.5
"""Least duration of a run of ``interval``, in seconds."""

Supplied = Callable[[NDArray[np.float32], NDArray[np.int8]], NDArray[np.floating]]
"""A user's own: speeds (frame, unit) within [0, 1] and signs (frame, unit) of -1, 0, 1, of
consecutive frames of one recording, to affinities (frame, pair) of at least 0, pairs in the order
of ``numpy.triu_indices(n_units, 1)``."""


def channels_of(name: str) -> int:
    """How many affinities a pair of units has: two where directions are told apart, else one."""
    return 2 if name == "split_sign" else 1


def affinity_words(name: str) -> str:
    """What an affinity is, in a sentence or two for readers."""
    product = "The affinity of two units at a moment is the square root of the product of their "
    said = {
        "geometric": f"{product}speeds, whatever their directions; rising and falling of a slow "
        "indicator both count.",
        "geometric_same_sign": f"{product}speeds while both rise or both fall, else 0; units that "
        "change in opposite directions have none.",
        "split_sign": f"{product}speeds. It is fitted twice side by side, for changes in the same "
        "and in opposite directions, so that each component tells which pairs do which.",
        "minimum": "The affinity of two units at a moment is the smaller of their speeds, whatever "
        "their directions.",
        "ratio": f"{product}speeds, times the smaller speed over the larger, whatever their "
        "directions; unequal speeds count less.",
        "interval": "The affinity of two units is constant on each run in which neither turns or "
        f"rests: the cosine of their speeds over the run, times the root of the product of their "
        f"mean speeds. Runs shorter than {SHORTEST_S:g} s count nothing; directions do not matter.",
    }
    return said.get(name, f"The affinity of two units is a function of the user's own, '{name}'.")


def pair_affinity(
    name: str,
    speed: NDArray[np.floating],
    sign: NDArray[np.int8],
    pairs: NDArray[np.integer],
    *,
    shortest: int,
) -> NDArray[np.float32]:
    """Affinities of pairs in consecutive frames of one recording.

    Parameters
    ----------
    name
        One of the built-in affinities, or a user's own as ``module:function``.
    speed, sign
        Shape (frame, unit); speeds within [0, 1], signs -1, 0 or 1.
    pairs
        Indices of units, shape (pair, 2).
    shortest
        Least number of frames of a run of ``interval``.

    Returns
    -------
    Shape (frame, pair); with ``split_sign`` the pairs twice, (frame, 2 * pair): affinity while
    directions are the same, and while they are opposite.

    Raises
    ------
    ConfigError
        If the user's function cannot be imported or gives what is no affinity (CF-K05).
    """
    if ":" in name:
        return _supplied(name, speed, sign, pairs)
    one, other = speed[:, pairs[:, 0]], speed[:, pairs[:, 1]]
    if name == "interval":
        return _interval(speed, sign, pairs, shortest=shortest)
    if name == "minimum":
        return np.asarray(np.minimum(one, other), dtype=np.float32)
    geometric = np.sqrt(one) * np.sqrt(other)
    if name == "geometric":
        return np.asarray(geometric, dtype=np.float32)
    if name == "ratio":
        larger = np.maximum(one, other)
        unequal = np.minimum(one, other) / np.where(larger > 0, larger, 1)
        return np.asarray(geometric * unequal, dtype=np.float32)
    same = sign[:, pairs[:, 0]] == sign[:, pairs[:, 1]]
    together = np.where(same, geometric, 0).astype(np.float32)
    if name == "geometric_same_sign":
        return together
    return np.hstack([together, np.where(same, 0, geometric).astype(np.float32)])


def outer_columns(
    name: str, speed: NDArray[np.float32], sign: NDArray[np.int8]
) -> tuple[NDArray[np.float32], ...]:
    """What units contribute to affinities that are sums of outer products.

    Returns
    -------
    Arrays of the shape of ``speed``; the affinity of two units is the sum over arrays of the
    product of their entries. For ``geometric`` one, for ``geometric_same_sign`` one a direction.
    """
    root = np.sqrt(speed)
    if name == "geometric":
        return (root,)
    return np.where(sign > 0, root, 0), np.where(sign < 0, root, 0)


def supplied_affinity(name: str) -> Supplied:
    """The user's function.

    Raises
    ------
    ConfigError
        If it cannot be imported (CF-K05).
    """
    module, _, function = name.partition(":")
    try:
        found: Supplied = getattr(importlib.import_module(module), function)
    except Exception as error:  # a user's module may raise anything when it is imported
        raise ConfigError(
            code="CF-K05",
            place=PLACE,
            found=f"'{name}' cannot be imported ({type(error).__name__}: {error})",
            fix="name a function as 'package.module:name' whose package is installed or on "
            "PYTHONPATH, or one of the built-in affinities",
        ) from error
    return found


def _supplied(
    name: str,
    speed: NDArray[np.floating],
    sign: NDArray[np.int8],
    pairs: NDArray[np.integer],
) -> NDArray[np.float32]:
    """Affinities by the user's function, checked."""
    n_frames, n_units = speed.shape
    wanted = (n_frames, n_units * (n_units - 1) // 2)
    function = supplied_affinity(name)
    try:
        values = np.asarray(function(speed.astype(np.float32), sign.copy()))
    except Exception as error:  # of a user's code
        raise _no_affinity(name, f"fails with {type(error).__name__}: {error}") from error
    if values.shape != wanted:
        raise _no_affinity(name, f"returned the shape {values.shape}, not {wanted}")
    if values.dtype.kind not in "fiub":
        raise _no_affinity(name, f"returned entries of type {values.dtype}, not numbers")
    wrong = ~(np.isfinite(values) & (values >= 0))
    if wrong.any():
        frame, pair = np.argwhere(wrong)[0]
        raise _no_affinity(
            name,
            f"returned {int(wrong.sum())} values that are negative or not finite, the first "
            f"{values[frame, pair]} in frame {frame} for pair {pair}",
        )
    first, second = pairs.T
    rows = first * (2 * n_units - first - 1) // 2 + second - first - 1
    return values[:, rows].astype(np.float32)


def _no_affinity(name: str, found: str) -> ConfigError:
    """What a user's function did that an affinity does not do."""
    return ConfigError(
        code="CF-K05",
        place=PLACE,
        found=f"'{name}' {found}",
        fix="return finite numbers of at least 0, shape (frame, pair), pairs in the order of "
        "numpy.triu_indices(n_units, 1)",
    )


def _interval(
    speed: NDArray[np.floating],
    sign: NDArray[np.int8],
    pairs: NDArray[np.integer],
    *,
    shortest: int,
) -> NDArray[np.float32]:
    """Likeness of two courses of speed times their size, on each run without a turn."""
    from pipeline.methods.connectome.kernels import interval_affinity

    found = np.zeros((len(pairs), len(speed)), dtype=np.float32)
    runs, first = _runs(np.where(speed > 0, sign, 0).T)
    interval_affinity(
        np.ascontiguousarray(speed.T, dtype=np.float32),
        runs,
        first,
        np.ascontiguousarray(pairs, dtype=np.int64),
        max(1, shortest),
        found,
    )
    return found.T


def _runs(sign: NDArray[np.int8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Begin and end of each stretch of one sign, shape (run, 2), and the first of each unit.

    Parameters
    ----------
    sign
        Shape (unit, frame); 0 belongs to no stretch.
    """
    edge = np.zeros((len(sign), sign.shape[1] + 1), dtype=np.int8)
    edge[:, 0], edge[:, -1] = sign[:, 0] != 0, sign[:, -1] != 0
    edge[:, 1:-1] = sign[:, 1:] != sign[:, :-1]
    before = np.pad(sign, ((0, 0), (1, 0)))
    after = np.pad(sign, ((0, 0), (0, 1)))
    unit, begin = np.nonzero(edge & (after != 0))
    _, end = np.nonzero(edge & (before != 0))
    first = np.searchsorted(unit, np.arange(len(sign) + 1))
    return np.stack([begin, end], axis=1), first
