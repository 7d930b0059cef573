"""The kinds of views: what each is, which settings make it, and who builds it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from pipeline.core.method import SettingsBlock
from pipeline.core.views import (
    ResponsePatterns,
    SpikeCounts,
    StimulusResponses,
    TraceEnsemble,
    View,
)
from pipeline.prepare.config import CountsConfig, EnsembleConfig, PatternsConfig, ResponsesConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewKind:
    """A kind of view that methods can ask for."""

    view: type[View]
    settings: type[SettingsBlock]
    """The block of ``prepare`` that is named like the kind."""
    builder: str
    """``module:function`` below ``pipeline.prepare``, imported when a view is made. The function
    takes a recording, the settings block and the provenance of the view."""
    activity: tuple[Literal["calcium", "spikes"], ...]
    """The kinds of recordings that it is made from."""
    only_events: bool = False
    """Whether of calcium only inferred events serve, which nobody reads unless the sheet names
    their series."""
    on_request: Mapping[str, str] = field(default_factory=dict)
    """Kinds among them that are used only where a setting of the block is not 0, and its name."""

    def served(self, block: SettingsBlock) -> tuple[str, ...]:
        """The kinds of recordings that are used with these settings."""
        return tuple(
            kind
            for kind in self.activity
            if kind not in self.on_request or getattr(block, self.on_request[kind])
        )

    @property
    def build(self) -> Callable[..., View]:
        """What makes the view of a recording."""
        module, _, function = self.builder.partition(":")
        build: Callable[..., View] = getattr(
            importlib.import_module(f"pipeline.prepare.{module}"), function
        )
        return build


KINDS: Mapping[str, ViewKind] = MappingProxyType(
    {
        "ensemble": ViewKind(
            view=TraceEnsemble,
            settings=EnsembleConfig,
            builder="ensemble:trace_ensemble",
            activity=("calcium", "spikes"),
            on_request=MappingProxyType({"spikes": "rate_sigma_s"}),
        ),
        "counts": ViewKind(
            view=SpikeCounts,
            settings=CountsConfig,
            builder="counts:spike_counts",
            activity=("spikes", "calcium"),
            only_events=True,
        ),
        "patterns": ViewKind(
            view=ResponsePatterns,
            settings=PatternsConfig,
            builder="patterns:response_patterns",
            activity=("calcium", "spikes"),
        ),
        "responses": ViewKind(
            view=StimulusResponses,
            settings=ResponsesConfig,
            builder="responses:stimulus_responses",
            activity=("calcium", "spikes"),
        ),
    }
)
"""Name to kind; methods name theirs in ``MethodSpec.needs``."""


def is_ruled_out(view: str, block: SettingsBlock, recordings: Iterable[tuple[str, str]]) -> bool:
    """Whether the sheet already tells that there will be no such view of any of the recordings.

    Parameters
    ----------
    block
        Settings of the view.
    recordings
        Columns ``activity`` and ``series`` of each.
    """
    kind = KINDS[view]
    served = kind.served(block)
    return all(
        activity != "auto"
        and (activity not in served or (kind.only_events and activity == "calcium" and not series))
        for activity, series in recordings
    )
