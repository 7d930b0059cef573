"""Finds the methods: the folders of ``pipeline.methods`` that declare a ``SPEC``."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import pipeline.methods
from pipeline.core.method import MethodSpec
from pipeline.prepare.kinds import KINDS


@dataclass(frozen=True, slots=True)
class Planned:
    """A method that is announced and not yet part of this version."""

    title: str
    citation: str


ANNOUNCED: Mapping[str, Planned] = MappingProxyType(
    {
        "connectome": Planned("Dynamic functional connectome", "Dyballa et al. (2024)"),
        "biclustering": Planned("Bi-clustering of units and states", "Wei (2023)"),
        "trsa": Planned("Topology of representations", "Lin & Kriegeskorte (2024)"),
        "celltypes": Planned("Functional cell types", "Burg et al. (2024)"),
    }
)
"""The methods of the project, in the order in which reports show them."""


@cache
def methods() -> Mapping[str, MethodSpec]:
    """The methods of this version by name, announced ones first and in their fixed order.

    Only each folder's ``__init__`` is imported, which imports nothing heavy.

    Raises
    ------
    ValueError
        If a folder's ``SPEC`` has another name than the folder, or needs a view that is not made.
    """
    found = dict(_specs())
    order = [*(name for name in ANNOUNCED if name in found), *sorted(found.keys() - ANNOUNCED)]
    return MappingProxyType({name: found[name] for name in order})


def announced() -> tuple[str, ...]:
    """Names of all methods, found or planned, in the order in which reports show them."""
    return (*ANNOUNCED, *(name for name in methods() if name not in ANNOUNCED))


def _specs() -> Iterator[tuple[str, MethodSpec]]:
    for module in pkgutil.iter_modules(pipeline.methods.__path__):
        spec = getattr(importlib.import_module(f"pipeline.methods.{module.name}"), "SPEC", None)
        if spec is None:
            continue
        if spec.name != module.name:
            raise ValueError(f"pipeline/methods/{module.name} declares the name {spec.name!r}.")
        if spec.needs not in KINDS:
            raise ValueError(f"{module.name} needs {spec.needs!r}, which is no kind of view.")
        yield spec.name, spec


PLANNED: Mapping[str, Planned] = MappingProxyType(
    {name: method for name, method in ANNOUNCED.items() if name not in methods()}
)
"""The announced methods that have no folder yet."""
