"""Whole fits of simulated representations, for tests of what comes out of them."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core.provenance import Provenance
from pipeline.core.rng import stream
from pipeline.core.views import ResponsePatterns
from pipeline.methods.trsa.algorithm import combine, fit_part
from pipeline.methods.trsa.config import HomologyConfig, TrsaConfig
from pipeline.methods.trsa.result import PartResult, TrsaResult

PROVENANCE = Provenance(stage="fit", experiment="x", package_version="0", code_digest="", seed=5)
CONFIG = TrsaConfig(
    n_permutations=99,
    n_bootstraps=40,
    n_splits=10,
    level_step=0.25,
    pairs_per_family=2,
    n_comparisons=0,
    n_graphs=0,
    homology=HomologyConfig(n_shuffles=19, max_states=40),
)


def parts_of(
    views: Sequence[ResponsePatterns], config: TrsaConfig = CONFIG
) -> dict[str, PartResult]:
    """All parts of a fit."""
    return {
        part.name: fit_part(
            tuple(views), config, part, stream(5, "part", part.name), provenance=PROVENANCE
        )
        for part in config.plan()
    }


def fitted(views: Sequence[ResponsePatterns], config: TrsaConfig = CONFIG) -> TrsaResult:
    """The joined fit."""
    return combine(
        parts_of(views, config), tuple(views), config, stream(5, "combine"), provenance=PROVENANCE
    )
