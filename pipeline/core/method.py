"""The declaration every method makes about itself."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType, ModuleType
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

NO_TABLES: Mapping[str, Any] = MappingProxyType({})  # Any: tables of pandas, not imported here
"""What a method is given whose settings name no table."""


class SettingsBlock(BaseModel):
    """A block of settings: frozen, unknown keys refused, numbers finite and never from text."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a fit that can run apart from the others: a chain, a restart, a fold.

    The name becomes a file name and part of the name of its random stream.
    """

    name: str


class MethodConfig(SettingsBlock):
    """Settings every method has; each method adds its own."""

    enabled: bool = Field(default=True, description="Whether the method runs.")

    def plan(self) -> tuple[Part, ...]:
        """What can run apart.

        Parts follow from the settings alone, because the job graph is made before any recording
        is read.
        """
        return (Part("all"),)

    def rounds(self) -> tuple[tuple[Part, ...], ...]:
        """The parts of the plan by the round in which they run.

        Parts of a later round are given the results of all earlier ones: see ``fit_part``'s
        ``earlier``, which methods of a single round do not have.
        """
        return (self.plan(),)

    def tables(self) -> tuple[str, ...]:
        """Paths of the tables of text that the settings name; a relative one starts at their file.

        A method that has some is given them by ``tables``, a mapping from these paths, in
        ``fit_part`` and ``combine``, as far as its rules name them among their inputs; a change of
        one of them makes what these rules make anew.
        """
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodSpec:
    """What the pipeline must know of a method before importing it."""

    name: str
    """Folder, settings block, rule file and results folder."""
    title: str
    citation: str
    needs: str
    """The view it works on: a kind of ``pipeline.prepare.kinds``."""
    or_else: str = ""
    """The kind it works on for recordings that cannot give the first; none where empty. Only of
    methods that pool recordings."""
    pools_recordings: bool
    """Whether it takes the recordings of an experiment together.

    Otherwise each is fitted alone, and ``assess``, ``figures`` and ``section`` get the results of
    all as a mapping from the recordings' ids.
    """
    parts_share_jobs: bool = True
    """Whether parts of a fit may share a job (``run.parts_per_job``); long ones get one each."""
    results_version: int
    """Raised by hand in the change that moves numbers, so that results are made anew."""
    config: type[MethodConfig]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of views it takes, the preferred one first."""
        return (self.needs, self.or_else) if self.or_else else (self.needs,)

    def room(self, name: str) -> ModuleType:
        """One of the method's modules (``algorithm``, ``figures``, ...), imported now."""
        return importlib.import_module(f"pipeline.methods.{self.name}.{name}")

    def has_room(self, name: str) -> bool:
        """Whether the method has a module of this name, without importing it."""
        return importlib.util.find_spec(f"pipeline.methods.{self.name}.{name}") is not None
