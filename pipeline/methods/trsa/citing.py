"""The method in the words of a paper's methods section, and what to cite."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.methods.trsa.config import TrsaConfig

KEY = "lin2024"
BIBTEX = r"""@article{lin2024,
  title   = {The topology and geometry of neural representations},
  author  = {Lin, Baihan and Kriegeskorte, Nikolaus},
  journal = {Proceedings of the National Academy of Sciences},
  year    = {2024},
  url     = {https://arxiv.org/abs/2309.11028}
}"""


def methods_text(config: TrsaConfig, numbers: Mapping[str, object]) -> str:
    """What was done, with the settings that were used and, where these leave it open, the outcome.

    Parameters
    ----------
    config
        The method's settings.
    numbers
        Those of the method's section; the settings say all of it here.
    """
    first, *others = config.estimators
    beside = f" (beside {', '.join(others)})" if others else ""
    return (
        f"Representations were compared after Lin and Kriegeskorte (2024): {first} dissimilarities"
        f"{beside} between conditions were turned into geo-topological ones with all pairs of "
        f"lower and upper levels in steps of {config.level_step:g} ({config.scale}), and "
        f"populations were told apart by halves of units and repeats ({config.n_splits} splits), "
        f"with chance from {config.n_permutations} relabellings and intervals from "
        f"{config.n_bootstraps} bootstrap samples."
    )
