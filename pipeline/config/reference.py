"""Settings in words and as a JSON schema, all made from the models."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.config.fields import Block, Setting, entries, settings
from pipeline.config.model import settings_model
from pipeline.config.text import KeyPath, parse_value

SHEET_PLACEHOLDER = "recordings.tsv"
_WIDTH = 96


def settings_yaml(values: Mapping[str, Any] | None = None) -> str:
    """All settings as the text of a settings file, each explained in a comment above it.

    Parameters
    ----------
    values
        Nested values of all settings; the defaults when ``None``.
    """
    lines: list[str] = []
    for path, entry in entries().items():
        indent = "  " * (len(path) - 1)
        if len(path) == 1 or isinstance(entry, Block):
            lines.append("")
        lines += [f"{indent}# {line}" for line in _comment(entry, _WIDTH - len(indent) - 2)]
        if isinstance(entry, Block):
            lines.append(f"{indent}{path[-1]}:")
        else:
            lines.append(f"{indent}{path[-1]}: {yaml_value(_value(values, path, entry))}")
    return "\n".join(lines).lstrip("\n") + "\n"


def settings_markdown() -> str:
    """Tables of all settings, one a block."""
    parts = ["## All of the run\n", _table(_settings_of(()))]
    for path, entry in entries().items():
        if isinstance(entry, Block):
            rows = _settings_of(path)
            if rows:
                parts += [f"\n## `{'.'.join(path)}`\n", f"{entry.description}\n", _table(rows)]
    return "\n".join(parts)


def settings_schema() -> dict[str, Any]:
    """JSON schema of a settings file, with which editors complete and check it."""
    schema = _without_titles(settings_model().model_json_schema())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Settings of neuroptych",
        "description": "What a settings file may hold; docs/settings.md says it in words.",
    }


def yaml_value(value: object) -> str:
    """A value as a settings file would have it."""
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z][\w./-]*", value):
        return value if parse_value(value) == value else json.dumps(value)
    if isinstance(value, float) and "e" in repr(value) and "." not in repr(value):
        return repr(value).replace("e", ".0e")  # other readers of YAML need the point
    return json.dumps(value)


def _comment(entry: Block | Setting, width: int) -> Iterator[str]:
    words = entry.description
    if isinstance(entry, Setting):
        words += f" Allowed: {entry.allowed}."
        words += " Needed." if entry.required else f" Default: {yaml_value(entry.default)}."
    yield from textwrap.wrap(words, width)


def _value(values: Mapping[str, Any] | None, path: KeyPath, setting: Setting) -> object:
    if values is None:
        return SHEET_PLACEHOLDER if setting.required else setting.default
    value: Any = values  # Any: walks through blocks to a value
    for key in path:
        value = value[key]
    return value


def _settings_of(block: KeyPath) -> list[Setting]:
    return [setting for setting in settings() if setting.path[:-1] == block]


def _table(rows: list[Setting]) -> str:
    lines = ["| setting | default | allowed | meaning |", "| --- | --- | --- | --- |"]
    for setting in rows:
        default = "needed" if setting.required else f"`{yaml_value(setting.default)}`"
        words = (f"`{setting.path[-1]}`", default, setting.allowed, setting.description)
        lines.append(f"| {' | '.join(word.replace('|', '&#124;') for word in words)} |")
    return "\n".join(lines) + "\n"


def _without_titles(schema: Any) -> Any:  # Any: a JSON document
    """The schema without the titles that only repeat the keys."""
    if isinstance(schema, dict):
        return {
            key: _without_titles(value)
            for key, value in schema.items()
            if not (key == "title" and isinstance(value, str))
        }
    return [_without_titles(value) for value in schema] if isinstance(schema, list) else schema
