"""What stands in a file in place of a result that could not be had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Status = Literal["ok", "warn", "not_applicable", "failed"]
"""How a method ended for an experiment."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """No result, and why.

    Stages hand it on from file to file, so that the report is built in every case and says what
    is missing.
    """

    status: Literal["not_applicable", "failed"]
    reason: str
    failure: Mapping[str, object] = field(default_factory=dict)
    """Parts of the error (code, experiment, file, place, found, fix) and its log when ``failed``;
    code and log of the job that found out when ``not_applicable``."""
