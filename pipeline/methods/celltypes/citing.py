"""The method in the words of a paper's methods section, and what to cite."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.core.words import counted
from pipeline.methods.celltypes.config import CelltypesConfig

KEY = "burg2024"
BIBTEX = r"""@inproceedings{burg2024,
  title     = {Most discriminative stimuli for functional cell type clustering},
  author    = {Burg, Max F. and Zenkel, Thomas and Vystr{\v{c}}ilov{\'a}, Michaela and Oesterle, Jonathan and H{\"o}fling, Larissa and Willeke, Konstantin F. and Lause, Jan and M{\"u}ller, Sarah and Fahey, Paul G. and Ding, Zhiwei and Restivo, Kelli and Sridhar, Shashwat and Gollisch, Tim and Berens, Philipp and Tolias, Andreas S. and Euler, Thomas and Bethge, Matthias and Ecker, Alexander S.},
  booktitle = {International Conference on Learning Representations},
  year      = {2024},
  url       = {https://arxiv.org/abs/2401.05342}
}"""  # noqa: E501


def methods_text(config: CelltypesConfig, numbers: Mapping[str, object]) -> str:
    """What was done, with the settings that were used and, where these leave it open, the outcome.

    Parameters
    ----------
    config
        The method's settings.
    numbers
        Those of the method's section: whether there were outer folds.
    """
    through = {
        "model": "optimised through an encoding model of the units",
        "discrete": "chosen among the stimuli that were shown",
        "auto": "optimised through an encoding model of the units, or chosen among the stimuli "
        "that were shown where no model was predictive",
    }[config.mode]
    nulls = (
        f" and by {counted(config.n_nulls, 'surrogate')} of one population without types"
        if config.n_nulls
        else ""
    )
    outer = numbers.get("outer_types")
    folds = (
        f" Numbers of units without part in the types are from {counted(len(outer), 'outer fold')} "
        "over units, with all choices made again in each."
        if isinstance(outer, list)
        else ""
    )
    return (
        "Units were grouped into functional cell types after Burg et al. (2024): each type by the "
        f"stimulus that drives it most on the units' own scale, {through}, with clusters split "
        f"and merged from {counted(config.n_restarts, 'restart')}. Types were judged by "
        f"clusterings through independently fitted models or halves of the showings{nulls}.{folds}"
    )
