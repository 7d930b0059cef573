"""A methods section for a paper, and what to cite, from the settings that were used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

import pipeline
from pipeline import registry
from pipeline.core.parts import Section
from pipeline.core.words import counted

TOOLS: Mapping[str, tuple[str, str]] = {
    "pynwb": (
        "Rübel et al. 2022",
        r"""@article{ruebel2022,
  title   = {The Neurodata Without Borders ecosystem for neurophysiological data science},
  author  = {R{\"u}bel, Oliver and Tritt, Andrew and Ly, Ryan and Dichter, Benjamin K. and others},
  journal = {eLife},
  volume  = {11},
  pages   = {e78362},
  year    = {2022},
  doi     = {10.7554/eLife.78362}
}""",
    ),
    "snakemake": (
        "Mölder et al. 2021",
        r"""@article{moelder2021,
  title   = {Sustainable data analysis with {Snakemake}},
  author  = {M{\"o}lder, Felix and Jablonski, Kim Philipp and Letcher, Brice and others},
  journal = {F1000Research},
  volume  = {10},
  pages   = {33},
  year    = {2021},
  doi     = {10.12688/f1000research.29032.2}
}""",
    ),
    "numpy": (
        "Harris et al. 2020",
        r"""@article{harris2020,
  title   = {Array programming with {NumPy}},
  author  = {Harris, Charles R. and Millman, K. Jarrod and van der Walt, St{\'e}fan J. and others},
  journal = {Nature},
  volume  = {585},
  pages   = {357--362},
  year    = {2020},
  doi     = {10.1038/s41586-020-2649-2}
}""",
    ),
    "scipy": (
        "Virtanen et al. 2020",
        r"""@article{virtanen2020,
  title   = {{SciPy} 1.0: fundamental algorithms for scientific computing in {Python}},
  author  = {Virtanen, Pauli and Gommers, Ralf and Oliphant, Travis E. and others},
  journal = {Nature Methods},
  volume  = {17},
  pages   = {261--272},
  year    = {2020},
  doi     = {10.1038/s41592-019-0686-2}
}""",
    ),
}
"""Package to who wrote about it, and the entry."""


def methods_text(
    sections: Sequence[Section],
    *,
    rows: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
    versions: Mapping[str, str],
) -> str:
    """A paragraph of a methods section: data, each method that has a result, software.

    Parameters
    ----------
    sections
        Sections of all methods; those without a result are not told.
    rows
        One a recording, as on the page.
    settings
        All settings in effect, nested.
    versions
        Package to version, of the tools that were used.
    """
    parts = [_data_text(rows)] if rows else []
    for section in _with_result(sections):
        spec = registry.methods()[section.id]
        block = spec.config.model_validate(settings["methods"][section.id])
        parts.append(spec.room("citing").methods_text(block, section.numbers))
    tools = ", ".join(
        f"{name} {versions[name]} ({who})" for name, (who, _) in TOOLS.items() if name in versions
    )
    parts.append(
        f"Analyses were made with Neuroptych {pipeline.__version__} (seed {settings['seed']}) on "
        f"{tools}; all settings are in the report's machine-readable twin."
    )
    return " ".join(parts)


def tool_versions() -> dict[str, str]:
    """Versions of the tools in this environment; without those that are not there."""
    found = {}
    for name in TOOLS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def bibtex(sections: Sequence[Section]) -> str:
    """Entries of the software, of the methods that have a result, and of the tools."""
    own = (
        "@software{neuroptych,\n"
        "  title   = {Neuroptych: from {NWB} population recordings to one report per experiment},\n"
        "  author  = {{The Neuroptych developers}},\n"
        f"  version = {{{pipeline.__version__}}}\n"
        "}"
    )
    methods = [registry.methods()[each.id].room("citing").BIBTEX for each in _with_result(sections)]
    return "\n\n".join([own, *methods, *(entry for _, entry in TOOLS.values())])


def _with_result(sections: Sequence[Section]) -> list[Section]:
    return [
        each for each in sections if each.id in registry.methods() and each.status in ("ok", "warn")
    ]


def _data_text(rows: Sequence[Mapping[str, Any]]) -> str:
    read = [row for row in rows if row.get("status", "ok") == "ok"]
    subjects = {str(row["subject"]) for row in read if row.get("subject")}
    species = sorted({str(row["species"]) for row in read if row.get("species")})
    kinds = {"spikes": "spike trains", "calcium": "calcium traces"}
    what = " and ".join(dict.fromkeys(kinds.get(str(row.get("kind")), "activity") for row in read))
    used, units = (sum(int(row.get(key) or 0) for row in read) for key in ("units_used", "units"))
    hours = sum(float(row.get("duration_s") or 0) for row in read) / 60
    return (
        f"{counted(len(read), 'recording')}"
        + (f" of {counted(len(subjects), 'animal')}" if subjects else "")
        + (f" ({', '.join(species)})" if species else "")
        + f" with {what} of {used} used of {units} units, {hours:.3g} minutes in all, "
        f"{'was' if len(read) == 1 else 'were'} analysed."
    )
