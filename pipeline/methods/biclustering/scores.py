"""How well hidden counts were predicted, in bits a spike, with errors over blocks of time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.methods.biclustering.holdout import Predicted

N_BLOCKS = 20
"""Blocks of time over which errors are taken."""
PIT_BINS = 20

MODEL = "this model"
NAMES = {
    "model": MODEL,
    "other-counts": "other distribution of counts",
    "one-cluster": "one cluster",
    "one-state": "one state",
}
"""Variants in words."""


def score_table(
    mask: str,
    predictions: Mapping[str, NDArray[np.float64]],
    *,
    reference: NDArray[np.float64],
    entry_bin: NDArray[np.int32],
    n_bins: int,
    n_spikes: int,
) -> pd.DataFrame:
    """One row a prediction, the best first.

    Parameters
    ----------
    mask
        How counts were hidden.
    predictions
        Log probabilities of hidden counts, shape (entry,) each; ``MODEL`` among them.
    reference
        The same under each unit's mean rate.
    entry_bin
        Bin of each entry.
    n_bins, n_spikes
        Bins of the recording, and spikes among the hidden counts.
    """
    block = (entry_bin.astype(np.int64) * N_BLOCKS) // max(n_bins, 1)
    unit = max(n_spikes, 1) * np.log(2)

    def summed(values: NDArray[np.float64]) -> tuple[float, float]:
        sums = np.bincount(block, weights=values, minlength=N_BLOCKS) / unit
        return float(sums.sum()), float(np.sqrt(N_BLOCKS) * sums.std(ddof=1))

    rows = []
    for name, values in predictions.items():
        bits, error = summed(values - reference)
        less, difference_error = summed(predictions[MODEL] - values)
        rows.append((mask, name, bits, error, less, difference_error))
    table = pd.DataFrame(
        rows,
        columns=["mask", "prediction", "bits", "error", "less_than_model", "difference_error"],
    ).astype({"mask": "str", "prediction": "str"})
    return table.sort_values("bits", ascending=False, kind="stable").reset_index(drop=True)


def pit_density(predicted: Predicted) -> NDArray[np.float64]:
    """Density of the probability integral transform, shape (pit_bin,); 1 throughout is perfect.

    Counts are discrete: an entry spreads evenly between the probabilities of less and of up to
    its count (Czado et al. 2009, Biometrics 65:1254).
    """
    edges = np.linspace(0, 1, PIT_BINS + 1)
    width = np.maximum(predicted.up_to - predicted.below, 1e-12)
    passed = np.clip((edges - predicted.below[:, None]) / width[:, None], 0, 1)
    return np.asarray(np.diff(passed, axis=1).mean(axis=0) * PIT_BINS)
