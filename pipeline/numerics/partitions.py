"""Agreement and consensus of clusterings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def adjusted_rand_index(first: NDArray[np.integer], second: NDArray[np.integer]) -> float:
    """Agreement of two clusterings corrected for chance: 1 if equal, 0 as by chance.

    Parameters
    ----------
    first, second
        Labels, shape (item,). Every value is a label, negative ones too.

    Returns
    -------
    At most 1; 1 also when both put all items together, or all apart.

    Raises
    ------
    ValueError
        If the numbers of items differ.
    """
    counts = contingency(first, second).astype(np.float64)

    def pairs(sizes: NDArray[np.float64]) -> float:
        return float((sizes * (sizes - 1) / 2).sum())

    together = pairs(counts)
    in_first, in_second = pairs(counts.sum(axis=1)), pairs(counts.sum(axis=0))
    every = first.size * (first.size - 1) / 2
    expected = in_first * in_second / every if every else 0.0
    largest = (in_first + in_second) / 2
    if largest == expected:
        return 1.0
    return (together - expected) / (largest - expected)


def coassignment(partitions: NDArray[np.integer]) -> NDArray[np.float64]:
    """Share of partitions that put two items together, shape (item, item).

    ``partitions`` has shape (partition, item); the diagonal is 1.
    """
    together = [labels[:, None] == labels[None, :] for labels in partitions]
    return np.asarray(np.mean(together, axis=0), dtype=np.float64)


def mean_agreement(partitions: NDArray[np.integer]) -> float:
    """Mean adjusted Rand index over all pairs of partitions; 1 when there is only one.

    ``partitions`` has shape (partition, item).
    """
    scores = [
        adjusted_rand_index(first, second)
        for index, first in enumerate(partitions)
        for second in partitions[index + 1 :]
    ]
    return float(np.mean(scores)) if scores else 1.0


def variation_of_information(
    first: NDArray[np.integer], second: NDArray[np.integer], *, base: float = 2.0
) -> float:
    """Distance of two clusterings in bits (or to another base): 0 if equal.

    Parameters
    ----------
    first, second
        Labels, shape (item,).

    Returns
    -------
    Entropy of each given the other, summed (Meila 2007, J Multivariate Analysis 98:873); at most
    the logarithm of the number of items.
    """
    counts = contingency(first, second).astype(np.float64)
    rows, columns = counts.sum(axis=1), counts.sum(axis=0)

    def entropy(sizes: NDArray[np.float64]) -> float:
        present = sizes[sizes > 0]
        return float(-(present * np.log(present / first.size)).sum()) / first.size

    distance = 2 * entropy(counts.ravel()) - entropy(rows) - entropy(columns)
    return max(0.0, distance) / float(np.log(base))


def normalised_mutual_information(first: NDArray[np.integer], second: NDArray[np.integer]) -> float:
    """Mutual information over the mean of both entropies: 1 if equal, 0 if independent.

    NaN where both put all items together, so that there is nothing to share.
    """
    both = np.stack([first, second])
    own = [variation_of_information(labels, np.zeros_like(labels)) for labels in both]
    if sum(own) == 0:
        return float("nan")
    return float(1 - variation_of_information(first, second) / sum(own))


def contingency(first: NDArray[np.integer], second: NDArray[np.integer]) -> NDArray[np.int64]:
    """Items by their label in both clusterings, shape (label of first, label of second).

    Labels stand in ascending order.
    """
    if first.shape != second.shape:
        raise ValueError(f"{first.size} labels against {second.size}; they must be as many.")
    rows = np.unique(first, return_inverse=True)[1]
    columns = np.unique(second, return_inverse=True)[1]
    counts = np.zeros((rows.max(initial=-1) + 1, columns.max(initial=-1) + 1), dtype=np.int64)
    np.add.at(counts, (rows, columns), 1)
    return counts
