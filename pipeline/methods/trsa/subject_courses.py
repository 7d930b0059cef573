"""Time courses over subjects: when regions separate in all of them, and paths of conditions.

The separation of regions less its chance, one course a subject, is symmetric about 0 where units of
regions are exchangeable. Signs of whole courses are flipped, all of them where subjects are few,
and stretches of bins are tested by their mass (Maris & Oostenveld 2007).
"""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.words import counted
from pipeline.methods.trsa.result import SUBJECT_STRETCH_COLUMNS
from pipeline.numerics.clusters import clusters
from pipeline.numerics.dissimilarity import squared_form
from pipeline.numerics.embedding import aligned, classical_scaling

Floats = NDArray[np.float64]

LEAST_SUBJECTS = 5
"""Fewer allow no p of 0.05: all flips but one are 2 ** n - 1 draws."""
ALL_FLIPS = 12
"""Subjects up to whose number all flips are tried."""
N_FLIPS = 4095


def by_subject(values: Floats, subject: list[str]) -> tuple[list[str], Floats]:
    """Means over the recordings of each subject, shape (subject, ...); names in order."""
    names = list(dict.fromkeys(subject))
    owner = np.array([names.index(name) for name in subject], dtype=np.int64)
    return names, np.stack([values[owner == place].mean(axis=0) for place in range(len(names))])


def why_none(subject: list[str]) -> str:
    """Why courses are not tested over subjects; empty where they are."""
    if not all(subject):
        return "not all recordings tell their subject"
    count = len(set(subject))
    return (
        ""
        if count >= LEAST_SUBJECTS
        else f"{counted(count, 'subject')}; a test needs {LEAST_SUBJECTS}"
    )


def stretches(courses: Floats, edges: Floats, rng: np.random.Generator) -> pd.DataFrame:
    """Stretches of bins in which the mean over subjects is above 0, with corrected p.

    Parameters
    ----------
    courses
        One course a subject, 0 on average under the null, shape (subject, time_bin).
    edges
        Start of each bin and end of the last, seconds, shape (time_bin + 1,).
    rng
        Draws flips where subjects are many.
    """
    if not len(courses):
        return pd.DataFrame([], columns=list(SUBJECT_STRETCH_COLUMNS)).astype("float64")
    null = sign_flips(len(courses), rng) @ courses / len(courses)
    rows = [
        (round(float(edges[one.start]), 9) + 0.0, round(float(edges[one.stop]), 9), one.mass, one.p)
        for one in clusters(courses.mean(axis=0), null)
    ]
    return pd.DataFrame(rows, columns=list(SUBJECT_STRETCH_COLUMNS)).astype("float64")


def sign_flips(n_subjects: int, rng: np.random.Generator) -> Floats:
    """Signs (draw, subject): all but those that flip nothing, or random ones of many subjects."""
    if n_subjects <= ALL_FLIPS:
        return np.array(list(itertools.product((1.0, -1.0), repeat=n_subjects)))[1:]
    return np.asarray(rng.choice([-1.0, 1.0], size=(N_FLIPS, n_subjects)))


def mean_trajectories(dissimilarities: Floats) -> tuple[Floats, Floats]:
    """Conditions in a plane along time, of the mean over subjects, and how subjects scatter.

    The mean's plane is turned, bin by bin, towards the bin before, and that of each subject
    towards the mean's; nothing is scaled.

    Parameters
    ----------
    dissimilarities
        Squared distances, shape (subject, time_bin, pair); negative ones count as 0.

    Returns
    -------
    Positions and standard deviations over subjects, shape (time_bin, condition, 2).
    """
    points: list[Floats] = []
    spread: list[Floats] = []
    for bins in np.moveaxis(np.nan_to_num(dissimilarities), 1, 0):
        found = _plane(bins.mean(axis=0))
        points.append(aligned(found, points[-1]) if points else found)
        own = np.stack([aligned(_plane(row), points[-1]) for row in bins])
        spread.append(own.std(axis=0, ddof=1))
    return np.stack(points), np.stack(spread)


def _plane(condensed: Floats) -> Floats:
    return classical_scaling(np.sqrt(squared_form(np.maximum(condensed, 0))))[0]
