"""Functional cell types: clusters of units, each with the stimulus that tells it apart."""

from __future__ import annotations

from pipeline.core.method import MethodSpec
from pipeline.methods.celltypes.config import CelltypesConfig

SPEC = MethodSpec(
    name="celltypes",
    title="Functional cell types",
    citation="Burg et al. (2024)",
    needs="responses",
    or_else="patterns",
    pools_recordings=True,
    parts_share_jobs=False,
    results_version=4,
    config=CelltypesConfig,
)
