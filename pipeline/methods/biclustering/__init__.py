"""Clusters of units and states of the population from spike counts, after Wei (2023)."""

from __future__ import annotations

from pipeline.core.method import MethodSpec
from pipeline.methods.biclustering.config import BiclusteringConfig

SPEC = MethodSpec(
    name="biclustering",
    title="Bi-clustering of units and states",
    citation="Wei (2023)",
    needs="counts",
    pools_recordings=False,
    parts_share_jobs=False,
    results_version=4,
    config=BiclusteringConfig,
)
