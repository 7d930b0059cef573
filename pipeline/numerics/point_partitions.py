"""One partition that stands for many draws of it.

Three losses, each of them a function of the posterior probabilities that two items are together
(Wade & Ghahramani 2018, Bayesian Analysis 13:559; Fritsch & Ickstadt 2009, Bayesian Analysis
4:367; Dahl 2006). The matrix of these probabilities is formed for up to :data:`DENSE_ITEMS` items
only: times of a long recording are many, and sums over it follow from the draws themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Literal

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from pipeline.numerics.partitions import coassignment

Labels = NDArray[np.int64]

DENSE_ITEMS = 1000
MOST_CANDIDATES = 200
MOST_CUTS = 40
MOST_ROUNDS = 20


class CoClustering:
    """Probabilities that two items are together, from draws of a partition."""

    def __init__(self, draws: NDArray[np.integer]) -> None:
        """Take draws of shape (draw, item)."""
        n_draws, n_items = draws.shape
        codes = np.stack([np.unique(labels, return_inverse=True)[1] for labels in draws])
        offsets = np.concatenate([[0], np.cumsum(codes.max(axis=1, initial=0) + 1)])
        columns = (codes + offsets[:-1, None]).T.ravel()
        rows = np.arange(0, n_items * n_draws + 1, n_draws)
        self.draws = codes.astype(np.int64)
        self.n_items = n_items
        self._memberships = sparse.csr_array(
            (np.ones(columns.size), columns, rows), shape=(n_items, int(offsets[-1]))
        )
        sizes = self._memberships.sum(axis=0)
        self.row_sums: NDArray[np.float64] = (self._memberships @ sizes) / n_draws
        self.log_sizes: NDArray[np.float64] = (self._memberships @ np.log2(sizes)) / n_draws
        """Mean over draws of the logarithm of the size of each item's group."""

    @cached_property
    def dense(self) -> NDArray[np.float64]:
        """Shape (item, item); the diagonal is 1."""
        return coassignment(self.draws)

    def within(self, labels: Labels) -> NDArray[np.float64]:
        """Sum of each item's probabilities over each group, shape (item, group)."""
        groups = sparse.csr_array(
            (np.ones(labels.size), (np.arange(labels.size), labels)),
            shape=(labels.size, int(labels.max()) + 1),
        )
        inner = (self._memberships.T @ groups).toarray()
        sums: NDArray[np.float64] = (self._memberships @ inner) / len(self.draws)
        return sums


def vi_loss(posterior: CoClustering, labels: Labels) -> float:
    """Lower bound of the expected variation of information, in bits an item."""
    own = posterior.within(labels)[np.arange(labels.size), labels]
    sizes = np.bincount(labels)[labels]
    return float(np.mean(np.log2(sizes) + posterior.log_sizes - 2 * np.log2(own)))


def pear_loss(posterior: CoClustering, labels: Labels) -> float:
    """Minus the posterior expected adjusted Rand index, to first order."""
    n = labels.size
    pairs = n * (n - 1) / 2
    sizes = np.bincount(labels).astype(np.float64)
    together = float((sizes * (sizes - 1)).sum()) / 2
    expected = float(posterior.row_sums.sum() - n) / 2
    own = posterior.within(labels)[np.arange(n), labels]
    hit = float(own.sum() - n) / 2
    chance = together * expected / pairs if pairs else 0.0
    largest = (together + expected) / 2
    return -1.0 if largest == chance else -(hit - chance) / (largest - chance)


def dahl_loss(posterior: CoClustering, labels: Labels) -> float:
    """Squared distance of the partition's matrix to the probabilities, less a constant."""
    sizes = np.bincount(labels).astype(np.float64)
    own = posterior.within(labels)[np.arange(labels.size), labels]
    return float((sizes**2).sum() - 2 * own.sum())


LOSSES: dict[str, Callable[[CoClustering, Labels], float]] = {
    "vi": vi_loss,
    "maxpear": pear_loss,
    "dahl": dahl_loss,
}
Loss = Literal["vi", "maxpear", "dahl"]


def point_partition(posterior: CoClustering, loss: Loss = "vi") -> Labels:
    """The partition of least expected loss among the draws and cuts of a tree of them.

    ``vi`` goes on from the best candidate item by item while the loss falls, where the items are
    few enough; ``dahl`` looks at draws only.

    Returns
    -------
    Labels from 0 by decreasing size, ties by the first item.
    """
    measure = LOSSES[loss]
    candidates = list(_candidates(posterior, cuts=loss != "dahl"))
    values = [measure(posterior, candidate) for candidate in candidates]
    best = candidates[int(np.argmin(values))]
    if loss == "vi" and posterior.n_items <= DENSE_ITEMS:
        best = descended(posterior, best)
    return by_size(best)


def by_size(labels: NDArray[np.integer]) -> Labels:
    """The same partition with labels from 0 by decreasing size, ties by the first item."""
    _, first, codes, sizes = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.lexsort((first, -sizes))
    rank = np.empty(order.size, dtype=np.int64)
    rank[order] = np.arange(order.size)
    named: Labels = rank[codes]
    return named


def _candidates(posterior: CoClustering, *, cuts: bool) -> Iterator[Labels]:
    """Draws that differ, evenly picked, and cuts of average and complete linkage."""
    unique = np.unique(posterior.draws, axis=0)
    picked = np.unique(np.linspace(0, len(unique) - 1, MOST_CANDIDATES).astype(int))
    yield from unique[picked]
    if not cuts or not 2 < posterior.n_items <= DENSE_ITEMS:
        return
    distance = squareform(np.maximum(1 - posterior.dense, 0), checks=False)
    for method in ("average", "complete"):
        tree = linkage(distance, method=method)
        for n_groups in range(1, min(posterior.n_items, MOST_CUTS) + 1):
            yield fcluster(tree, n_groups, criterion="maxclust").astype(np.int64) - 1


def descended(posterior: CoClustering, labels: Labels) -> Labels:
    """Items moved one at a time to where the bound is least, to a group of their own included."""
    dense = posterior.dense
    labels = by_size(labels)
    own = np.where(labels[:, None] == labels, dense, 0.0).sum(axis=1)
    for _ in range(MOST_ROUNDS):
        moved = False
        for item in range(labels.size):
            target = _best_group(dense, labels, own, item)
            if target == labels[item]:
                continue
            moved = True
            own[labels == labels[item]] -= dense[item, labels == labels[item]]
            labels[item] = target
            own[labels == target] += dense[item, labels == target]
            own[item] = dense[item, labels == target].sum()
            labels = np.unique(labels, return_inverse=True)[1]
        if not moved:
            break
    return labels


def _best_group(
    dense: NDArray[np.float64], labels: Labels, own: NDArray[np.float64], item: int
) -> int:
    """The group of an item for which the bound is least; the present one among equals.

    ``own`` has the sum of each item's probabilities over its group, itself included.
    """
    n_groups = int(labels.max()) + 1
    near = dense[item]
    here = labels == labels[item]
    without = np.where(here, own - near, own)
    without[item] = 1.0  # takes no part
    gained = np.log2((without + near) / without)
    gained[item] = 0.0
    sizes = np.bincount(labels, minlength=n_groups).astype(np.float64)
    sizes[labels[item]] -= 1
    to_item = np.bincount(labels, weights=near, minlength=n_groups) + 1.0
    to_item[labels[item]] -= 1.0
    # What the members of each group, and the item, would add to the bound with the item among them.
    change = (
        (sizes + 1) * np.log2(sizes + 1)
        - sizes * np.log2(np.maximum(sizes, 1))
        - 2 * np.bincount(labels, weights=gained, minlength=n_groups)
        - 2 * np.log2(to_item)
    )
    # A group of its own costs nothing; the present one may be it.
    change = np.append(change, 0.0)
    present, best = int(labels[item]), int(np.argmin(change))
    return present if change[best] > change[present] - 1e-9 else best
