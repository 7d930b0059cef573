"""All settings, composed from the blocks of views and methods."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, create_model

from pipeline import registry
from pipeline.agreement.config import AgreementConfig
from pipeline.config.text import user_path
from pipeline.core.method import MethodConfig, SettingsBlock
from pipeline.prepare.config import PrepareConfig

DEFAULT_SEED = 20240


class RunConfig(SettingsBlock):
    """How the run goes; nothing here changes a number."""

    on_method_error: Literal["record", "raise"] = Field(
        default="record",
        description=(
            "What happens when a recording or a method fails: 'record' goes on and the report "
            "says what failed and why, 'raise' stops at the first failure."
        ),
    )
    parts_per_job: int = Field(
        default=20,
        description=(
            "Parts of a fit (restarts, surrogates, chains) that share one job. Each job starts "
            "Python once, so few large jobs suit a laptop and many small ones a cluster."
        ),
        ge=1,
        le=1000,
    )
    stalled_after_s: float = Field(
        default=900.0,
        description=(
            "Seconds after which reading a recording file is given up when it comes no further, as "
            "damaged files can keep the reading library busy for ever. How long the whole of it "
            "takes does not matter; raise it for files that lie behind a very slow network."
        ),
        ge=10,
        le=1_000_000,
    )
    container: str = Field(
        default="",
        description=(
            "Image in which jobs run where the workflow is started with '--sdm apptainer': a file "
            "in Apptainer's format, or an address such as docker://python:3.11-slim. It needs "
            "Python 3.11; packages that it lacks are those of the set-up."
        ),
    )
    page_limit_mb: float = Field(
        default=3.0,
        description=(
            "Size in megabytes that a report keeps to: above it, heat maps and curves are "
            "coarsened, and where that is not enough, the largest figures left out."
        ),
        ge=0.5,
        le=100,
    )
    table_formats: list[Literal["csv", "parquet"]] = Field(
        default=["csv"],
        description=(
            "Formats in which every table of a report is also a file, in the folder 'tables' "
            "beside it; none for an empty list. Parquet keeps the types of columns."
        ),
    )
    figure_formats: list[Literal["svg", "pdf", "png"]] = Field(
        default=[],
        description=(
            "Formats in which every figure of a report is also drawn for papers, in the folder "
            "'figures' beside it, such as svg; text stays text, and pixels are 300 an inch."
        ),
    )
    redact: bool = Field(
        default=False,
        description=(
            "Whether reports leave out who was recorded and when, where it was computed, names of "
            "files, and free text. Ids of experiments and recordings stay."
        ),
    )


REPORT_RUN_SETTINGS = ("page_limit_mb", "table_formats", "figure_formats", "redact")
"""The settings of :class:`RunConfig` on which reports depend."""


class SettingsFile(SettingsBlock):
    """What a settings file may hold, besides the methods' blocks."""

    recordings: str = Field(
        description="The recording sheet; a relative path starts at this settings file.",
        min_length=1,
    )
    out: str = Field(
        default="results",
        description=(
            "Folder for results, without braces in its path; a relative path starts where the run "
            "is started."
        ),
        min_length=1,
        pattern=r"^[^{}\x00-\x1f]*$",  # braces would become wildcards of the workflow
    )
    seed: int = Field(
        default=DEFAULT_SEED,
        description=(
            "Root of all random numbers: the same seed, settings and threads give the same results."
        ),
        ge=0,
        le=2**32 - 1,
    )


@cache
def settings_model() -> type[SettingsFile]:
    """The model of a whole settings file: a block for each method."""
    # Any: pydantic takes field definitions as tuples of a type and a field.
    blocks: dict[str, Any] = {}
    for name, spec in registry.methods().items():
        title = f"{spec.title}, {spec.citation}."
        blocks[name] = (spec.config, Field(default_factory=spec.config, description=title))
    methods = create_model("MethodsConfig", __base__=SettingsBlock, **blocks)
    return create_model(
        "SettingsModel",
        __base__=SettingsFile,
        methods=(methods, Field(default_factory=methods, description="One block a method.")),
        prepare=(
            PrepareConfig,
            Field(
                default_factory=PrepareConfig,
                description="How recordings are read, and what methods see.",
            ),
        ),
        agreement=(
            AgreementConfig,
            Field(
                default_factory=AgreementConfig,
                description="How methods are compared with each other and with regions.",
            ),
        ),
        run=(
            RunConfig,
            Field(default_factory=RunConfig, description="How the run goes; changes no number."),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Checked settings of a run."""

    recordings: str
    out: str
    seed: int
    methods: Any  # composed from the registry: one block a method, as an attribute
    prepare: PrepareConfig
    agreement: AgreementConfig
    run: RunConfig
    source: Path
    """The settings file."""
    overrides: Mapping[str, object]
    """Dotted key to value, for what the command line set over the file."""

    def as_dict(self) -> dict[str, Any]:
        """All settings as plain nested data, defaults included."""
        return {
            "recordings": self.recordings,
            "out": self.out,
            "seed": self.seed,
            "methods": self.methods.model_dump(),
            "prepare": self.prepare.model_dump(),
            "agreement": self.agreement.model_dump(),
            "run": self.run.model_dump(),
        }


def method_settings(settings: Settings, name: str) -> dict[str, Any]:
    """What a method's numbers depend on: its block and its ``results_version``.

    Becomes the parameters of its rules, so that a change reruns this method and no other. Without
    ``enabled``, which changes no number.
    """
    block: SettingsBlock = getattr(settings.methods, name)
    version = registry.methods()[name].results_version
    return {**block.model_dump(exclude={"enabled"}), "results_version": version}


def method_tables(settings: Settings, name: str) -> tuple[str, ...]:
    """Paths of the tables that a method's settings name, from where the run is."""
    block: MethodConfig = getattr(settings.methods, name)
    return tuple(str(settings.source.parent / user_path(path)) for path in block.tables())


def report_settings(settings: Settings) -> dict[str, Any]:
    """All settings but those of how jobs are run.

    A change of these must not write reports anew, so reports do not show them.
    """
    known = settings.as_dict()
    return {**known, "run": {name: known["run"][name] for name in REPORT_RUN_SETTINGS}}


def view_settings(settings: Settings, kind: str) -> dict[str, Any]:
    """The settings block of a kind of view."""
    block: SettingsBlock = getattr(settings.prepare, kind)
    return block.model_dump()


def view_name(settings: Settings, kind: str) -> str:
    """Name of a view's files: its kind and eight hex digits of its settings.

    Methods with the same view settings share a view; with other settings it is another file.
    """
    canonical = json.dumps(view_settings(settings, kind), sort_keys=True).encode()
    return f"{kind}-{hashlib.blake2b(canonical, digest_size=4).hexdigest()}"


def changed_settings(
    settings: Settings, *, among: Mapping[str, Any] | None = None
) -> tuple[str, ...]:
    """Dotted keys of the settings that have another value than their default.

    ``recordings``, which has no default, is not among them.

    Parameters
    ----------
    among
        The part of the settings that counts; all when ``None``.
    """
    defaults = settings_model()(recordings=settings.recordings).model_dump()
    standard = dict(_leaves(defaults, ()))
    return tuple(
        ".".join(path)
        for path, value in _leaves(settings.as_dict() if among is None else among, ())
        if value != standard[path]
    )


def _leaves(
    block: Mapping[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in block.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value
