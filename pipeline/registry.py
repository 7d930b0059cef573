"""Finds the methods: the folders of ``pipeline.methods`` that declare a ``SPEC``."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType

import pipeline.methods
from pipeline.core.method import MethodSpec
from pipeline.prepare.kinds import KINDS

ORDER = ("connectome", "biclustering", "trsa", "celltypes")
"""The order in which reports show the methods; others follow by name."""


@cache
def methods() -> Mapping[str, MethodSpec]:
    """The methods by name, in the order in which reports show them.

    Only each folder's ``__init__`` is imported, which imports nothing heavy.

    Raises
    ------
    ValueError
        If a folder's ``SPEC`` has another name than the folder, or needs a view that is not made.
    """
    found = dict(_specs())
    order = [*(name for name in ORDER if name in found), *sorted(found.keys() - set(ORDER))]
    return MappingProxyType({name: found[name] for name in order})


def _specs() -> Iterator[tuple[str, MethodSpec]]:
    for module in pkgutil.iter_modules(pipeline.methods.__path__):
        spec = getattr(importlib.import_module(f"pipeline.methods.{module.name}"), "SPEC", None)
        if spec is None:
            continue
        if spec.name != module.name:
            raise ValueError(f"pipeline/methods/{module.name} declares the name {spec.name!r}.")
        for kind in spec.kinds:
            if kind not in KINDS:
                raise ValueError(f"{module.name} needs {kind!r}, which is no kind of view.")
        if spec.or_else and not spec.pools_recordings:
            raise ValueError(f"{module.name} takes recordings alone, so it can need one kind only.")
        yield spec.name, spec
