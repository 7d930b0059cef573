"""What made a file: the facts that belong to the result, none that belong to the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Provenance:
    """How a record came about.

    Time, host, durations and job ids are not here, so that the same result, settings and threads
    give the same bytes; they stand in the run's sidecar file.
    """

    stage: str
    experiment: str
    package_version: str
    code_digest: str
    """Hash of the package's source text."""
    recording: str = ""
    method: str = ""
    results_version: int = 0
    seed: int = 0
    threads: int = 1
    device: str = "cpu"
    settings: Mapping[str, object] = field(default_factory=dict)
    """The block of settings the stage received."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """File name to SHA-256 (recordings) or content digest (our own files)."""
    libraries: Mapping[str, str] = field(default_factory=dict)
    """Package to version, for those that compute."""
