"""What models have to explain: dissimilarities of each region of each subject."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.model import Sample
from pipeline.methods.trsa.populations import dissimilarities_of
from pipeline.numerics.dissimilarity import n_items

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Targets:
    """Dissimilarities to be explained: one row a region of a subject."""

    region: tuple[str, ...]
    region_of_row: NDArray[np.int64]
    subject_of_row: NDArray[np.int64]
    """Subject, or recording where subjects are not known."""
    n_subjects: int
    dissimilarities: Floats
    """Shape (row, pair)."""

    @property
    def n_conditions(self) -> int:
        """Number of conditions."""
        return n_items(self.dissimilarities.shape[1])


def targets_of(sample: Sample, config: TrsaConfig) -> Targets:
    """One row a region of a subject; recordings of one subject are averaged."""
    found = dissimilarities_of(sample, config)
    pooled_rows: dict[tuple[str, str], list[Floats]] = {}
    for place, (index, region) in enumerate(sample.populations()):
        session = sample.sessions[index]
        own = not session.subject or config.distinct_neurons
        # A recording of unknown subject counts by itself; the mark keeps it apart from subjects.
        name = f"recording {session.recording}" if own else f"subject {session.subject}"
        if found.usable[place]:
            key = (name, session.regions[region])
            pooled_rows.setdefault(key, []).append(found.by_estimator[0, place])
    subjects = list(dict.fromkeys(name for name, _ in pooled_rows))
    regions = tuple(dict.fromkeys(region for _, region in pooled_rows))
    return Targets(
        region=regions,
        region_of_row=np.array([regions.index(region) for _, region in pooled_rows]),
        subject_of_row=np.array([subjects.index(name) for name, _ in pooled_rows]),
        n_subjects=len(subjects),
        dissimilarities=np.stack([np.mean(rows, axis=0) for rows in pooled_rows.values()]),
    )
