"""The method in the words of a paper's methods section, and what to cite."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.core.words import counted
from pipeline.methods.biclustering.config import BiclusteringConfig

KEY = "wei2023"
BIBTEX = r"""@article{wei2023,
  title   = {Bayesian Bi-clustering of Neural Spiking Activity with Latent Structures},
  author  = {Wei, Ganchao},
  journal = {arXiv},
  year    = {2023},
  url     = {https://arxiv.org/abs/2309.02213}
}"""


def methods_text(config: BiclusteringConfig, numbers: Mapping[str, object]) -> str:
    """What was done, with the settings that were used and, where these leave it open, the outcome.

    Parameters
    ----------
    config
        The method's settings.
    numbers
        Those of the method's section; the settings say all of it here.
    """
    hidden = {
        "both": "single counts and stretches of units that were hidden from further fits",
        "speckled": "single counts that were hidden from further fits",
        "none": "",
    }[config.held_out]
    tested = (
        f" Clusters and states were judged by predictions of {100 * config.held_out_share:g} % of "
        f"the counts: {hidden}."
        if hidden
        else " Predictions of hidden counts were not tested."
    )
    known = (
        ", with each unit's mean response to the condition of a trial as an offset"
        if config.stimulus == "psth"
        else ""
    )
    if config.behaviour:
        known += f", with a gain of each unit on {', '.join(config.behaviour)}"
    return (
        "Units and states of the population were clustered together after Wei (2023), with "
        f"{config.family.replace('_', ' ')} counts, {config.prior.n_factors} factors a cluster and "
        f"at most {config.prior.n_states} states{known}, sampled by "
        f"{counted(config.n_chains, 'chain')} (preset '{config.preset}'). The partition of least "
        f"expected variation of information is reported.{tested}"
    )
