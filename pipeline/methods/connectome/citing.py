"""The method in the words of a paper's methods section, and what to cite."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.core.words import counted
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.pair_affinity import affinity_words

KEY = "dyballa2024"
BIBTEX = r"""@inproceedings{dyballa2024,
  title     = {Learning dynamic representations of the functional connectome in neurobiological networks},
  author    = {Dyballa, Luciano and Lang, Samuel and Haslund-Gourley, Alexandra and Yemini, Eviatar and Zucker, Steven W.},
  booktitle = {International Conference on Learning Representations},
  year      = {2024},
  url       = {https://arxiv.org/abs/2402.14102}
}"""  # noqa: E501


def methods_text(config: ConnectomeConfig, numbers: Mapping[str, object]) -> str:
    """What was done, with the settings that were used and, where these leave it open, the outcome.

    Parameters
    ----------
    config
        The method's settings.
    numbers
        Those of the method's section.
    """
    components = (
        f"{numbers.get('rank', 'some')} non-negative components (a number chosen by the prediction "
        "of held-out blocks, the agreement of restarts, and surrogates)"
        if config.rank == "auto"
        else f"{config.rank} non-negative components"
    )
    communities = {
        "block_model": "a nested weighted stochastic block model",
        "graph_tool": "the nested stochastic block model of graph-tool",
        "leiden": "modularity (Leiden)",
    }[config.communities]
    surrogates = (
        f"compared with {counted(config.n_surrogates, 'surrogate data set')} in which each unit's "
        "activity was shifted in time by itself"
        if config.n_surrogates
        else "not compared with surrogates"
    )
    return (
        "The dynamic functional connectome was estimated after Dyballa et al. (2024): pairwise "
        f"affinities of units, from their speeds (scaled absolute derivatives, smoothed over "
        f"{config.sigma_s:g} s), were factorised into {components} "
        f"of time, recording and pair (best of {config.n_restarts} restarts), and "
        f"{surrogates}. {affinity_words(config.affinity)} Communities of each component were found "
        f"by {communities}."
    )
