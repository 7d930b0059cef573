"""What was found beside what was planted, for simulated recordings."""

from __future__ import annotations

import numpy as np

from pipeline.methods.trsa.populations import likeness
from pipeline.methods.trsa.result import TrsaResult
from pipeline.methods.trsa.simulate import TrsaTruth

Recovery = dict[tuple[str, str], float]


def recovery(result: TrsaResult, truth: TrsaTruth) -> Recovery:
    """Rank correlation of found with planted dissimilarities, by recording and region.

    Regions without a geometry are not among them.
    """
    found: Recovery = {}
    order = [list(result.condition).index(name) for name in truth.condition]
    n = len(order)
    first, second = np.triu_indices(n, 1)
    place = np.zeros((n, n), dtype=np.int64)
    place[first, second] = place[second, first] = np.arange(first.size)
    pairs = place[np.array(order)[first], np.array(order)[second]]
    for index, row in enumerate(result.populations.itertuples(index=False)):
        known = np.flatnonzero((truth.region == row.region) & (truth.geometry != "none"))
        if known.size:
            seen = result.dissimilarities[0, index, pairs][None]
            planted = truth.dissimilarities[known[:1]]
            value = likeness(seen, planted, "spearman")[0, 0]
            found[str(row.recording), str(row.region)] = float(value)
    return found
