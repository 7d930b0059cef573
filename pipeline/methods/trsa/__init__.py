"""Topology and geometry of representations (Lin & Kriegeskorte 2024)."""

from __future__ import annotations

from pipeline.core.method import MethodSpec
from pipeline.methods.trsa.config import TrsaConfig

SPEC = MethodSpec(
    name="trsa",
    title="Topology of representations",
    citation="Lin & Kriegeskorte (2024)",
    needs="patterns",
    pools_recordings=True,
    results_version=11,
    config=TrsaConfig,
)
