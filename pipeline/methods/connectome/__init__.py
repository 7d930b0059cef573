"""Dynamic functional connectome: which pairs act together, when, and in which recordings."""

from __future__ import annotations

from pipeline.core.method import MethodSpec
from pipeline.methods.connectome.config import ConnectomeConfig

SPEC = MethodSpec(
    name="connectome",
    title="Dynamic functional connectome",
    citation="Dyballa et al. (2024)",
    needs="ensemble",
    pools_recordings=True,
    results_version=6,
    config=ConnectomeConfig,
)
