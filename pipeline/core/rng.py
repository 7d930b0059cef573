"""Random streams that belong to names, not to the order of jobs."""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """The random generator that belongs to these names.

    The same (seed, names) gives the same numbers on any core count, in any order of jobs, and
    whether or not other methods ran.

    Parameters
    ----------
    seed
        The run's root seed, 0 <= seed < 2**32.
    names
        Experiment, method, part and so on.
    """
    label = "\x1f".join(str(name) for name in names).encode()
    words = np.frombuffer(hashlib.blake2b(label, digest_size=16).digest(), dtype="<u4")
    return np.random.default_rng(np.random.SeedSequence([seed, *words.tolist()]))
