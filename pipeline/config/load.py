"""One call from a settings file to checked settings, or to all that is wrong with it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from pipeline.config.fields import Block, Setting, entries
from pipeline.config.model import Settings, settings_model
from pipeline.config.names import nearest
from pipeline.config.text import (
    KeyPath,
    Plain,
    SettingsText,
    parse_value,
    read_text,
    shown_path,
    user_path,
)
from pipeline.core.errors import ConfigError, ConfigErrors

NONE: Mapping[str, object] = MappingProxyType({})

_RANGE_ERRORS = ("greater_than", "less_than", "finite_number", "too_short", "too_long", "mismatch")


def load_config(path: Path, overrides: Mapping[str, object] = NONE) -> Settings:
    """Checked settings from a file and the command line.

    Parameters
    ----------
    path
        The settings file.
    overrides
        What the command line sets over the file, nested (``{"methods": {"trsa": ...}}``) or with
        dotted keys (``{"methods.trsa.enabled": False}``). Texts are read like text in the file.

    Raises
    ------
    ConfigErrors
        With all problems at once.
    """
    text, given = read_text(path, shown=shown_path(path)), flat_overrides(overrides)
    if text.problems and not text.data:
        raise ConfigErrors(text.problems)
    data = _without_empty_blocks(_overridden(text.data, given))
    problems = list(text.problems)
    try:
        model: Any = settings_model().model_validate(data)  # Any: composed at run time
    except ValidationError as error:
        named = {_key_of(problem) for problem in problems}
        problems += [
            problem
            for problem in _problems(error, data=data, text=text, overrides=given)
            if _key_of(problem) not in named
        ]
    if problems:
        raise ConfigErrors(problems)
    return Settings(
        recordings=model.recordings,
        out=str(user_path(model.out)),
        seed=model.seed,
        methods=model.methods,
        prepare=model.prepare,
        agreement=model.agreement,
        run=model.run,
        source=path,
        overrides=MappingProxyType(given),
    )


def place_of(path: Path, overrides: Mapping[str, object], *, key: str) -> tuple[str, Plain]:
    """Where a setting stands (for messages) and what it says, right or wrong."""
    text, given = read_text(path, shown=shown_path(path)), flat_overrides(overrides)
    value: Plain = _overridden(text.data, given)
    keys = tuple(key.split("."))
    for name in keys:
        value = value.get(name) if isinstance(value, dict) else None
    return _place(keys, text=text, overrides=given), value


def flat_overrides(overrides: Mapping[str, object]) -> dict[str, Plain]:
    """Overrides with dotted keys, and texts read by the rules of the settings file."""
    flat: dict[str, Plain] = {}
    for path, value in _leaves(overrides, ()):
        known = entries().get(path)
        free_text = isinstance(known, Setting) and known.is_free_text
        read = parse_value(value) if isinstance(value, str) and not free_text else value
        if isinstance(read, dict):
            flat |= flat_overrides({".".join(path): read})
        else:
            flat[".".join(path)] = read  # type: ignore[assignment]  # checked by the model
    return flat


def _leaves(block: Mapping[str, object], path: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    for key, value in block.items():
        here = (*path, *str(key).split("."))
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, here)
        else:
            yield here, value


def _overridden(data: Mapping[str, Plain], overrides: Mapping[str, Plain]) -> dict[str, Plain]:
    result: dict[str, Plain] = dict(data)
    for key, value in overrides.items():
        result = _set(result, tuple(key.split(".")), value)
    return result


def _set(block: dict[str, Plain], path: KeyPath, value: Plain) -> dict[str, Plain]:
    """The block with one entry set; a wrong value on the way stays, for the check to find."""
    if len(path) == 1:
        return {**block, path[0]: value}
    inner = block.get(path[0])
    if inner is not None and not isinstance(inner, dict):
        return block
    return {**block, path[0]: _set(inner or {}, path[1:], value)}


def _without_empty_blocks(data: dict[str, Plain], path: KeyPath = ()) -> dict[str, Plain]:
    """Data without blocks of which only the key stands: all their settings are the default."""
    result: dict[str, Plain] = {}
    for key, value in data.items():
        if isinstance(value, dict):
            result[key] = _without_empty_blocks(value, (*path, key))
        elif value is not None or not isinstance(entries().get((*path, key)), Block):
            result[key] = value
    return result


def _problems(
    error: ValidationError,
    *,
    data: Mapping[str, Plain],
    text: SettingsText,
    overrides: Mapping[str, Plain],
) -> Iterator[ConfigError]:
    """One problem for each setting that the model refused."""
    kinds: dict[KeyPath, list[str]] = {}
    messages: dict[KeyPath, str] = {}
    for detail in error.errors(include_url=False):
        path = _setting_path(tuple(str(part) for part in detail["loc"]), detail["type"])
        kinds.setdefault(path, []).append(detail["type"])
        messages.setdefault(path, detail["msg"].removeprefix("Value error, "))
    for path, types in kinds.items():
        value: Any = data  # Any: walks through blocks to a value
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        code, found, fix = _explain(path, types, value=value, message=messages[path])
        if not data and path == ("recordings",):
            found = f"the file is empty, so {found}"
        yield ConfigError(
            code=code,
            file=text.file,
            place=_place(path, text=text, overrides=overrides),
            found=found,
            fix=fix,
        )


def _setting_path(location: KeyPath, kind: str) -> KeyPath:
    """The part of pydantic's location that consists of our keys."""
    if kind == "extra_forbidden":
        return location
    for length in range(len(location), 0, -1):
        if location[:length] in entries():
            return location[:length]
    return location


def _place(path: KeyPath, *, text: SettingsText, overrides: Mapping[str, Plain]) -> str:
    key = ".".join(path)
    if any(given == key or given.startswith(f"{key}.") for given in overrides):
        return f"{key} (--config)"
    return text.place(path)


def _explain(
    path: KeyPath, kinds: list[str], *, value: object, message: str
) -> tuple[str, str, str]:
    """Code, what was found, and what to do, for a refused setting."""
    key, known = ".".join(path), entries().get(path)
    if "extra_forbidden" in kinds:
        return "CF-K03", f"'{key}' is not a setting", _unknown_fix(path)
    if "missing" in kinds:
        return (
            "CF-K02",
            f"the setting '{key}' is missing",
            f"add the line '{key}: recordings.tsv' with the path of your sheet",
        )
    if not isinstance(known, Setting):
        if any(kind in ("value_error", "assertion_error") for kind in kinds):
            return "CF-K05", message, "change one of the settings it names"
        return (
            "CF-K04",
            f"'{key}' is {_described(value)}, not a block of settings",
            "write its settings below it, each indented as 'key: value'",
        )
    if "value_error" in kinds:
        return "CF-K05", message, f"allowed is {known.allowed}"
    out_of_range = any(
        kind.startswith(_RANGE_ERRORS) or kind.endswith(_RANGE_ERRORS) for kind in kinds
    )
    if isinstance(value, str) and known.options and parse_value(value) == value:
        near = nearest(value, known.options)
        fix = f"did you mean '{near}'? Allowed is" if near else "allowed is"
        return "CF-K05", f"'{value}' is not a choice", f"{fix} {known.allowed}"
    not_finite = isinstance(value, float) and not math.isfinite(value)
    code = "CF-K05" if out_of_range or not_finite else "CF-K04"
    return code, f"'{key}' is {_described(value)}", _value_fix(known, value)


def _described(value: object) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"{str(value).lower()}, a switch (as which yes, no, on and off are read)"
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value}, not a finite number"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return f"the text '{value[:60]}'"
    if isinstance(value, list):
        return f"the list {json.dumps(value, ensure_ascii=False)[:60]}"
    return "a block of settings"


def _value_fix(setting: Setting, value: object) -> str:
    if setting.is_free_text and isinstance(value, bool | int | float):
        return "put it in quotes, since text is expected"
    if isinstance(value, str) and not isinstance(parse_value(value), str):
        return f"write it without quotes; allowed is {setting.allowed}"
    return f"allowed is {setting.allowed}"


def _unknown_fix(path: KeyPath) -> str:
    around = entries().get(path[:-1])
    siblings = around.keys if isinstance(around, Block) else tuple(settings_model().model_fields)
    near = nearest(path[-1], siblings)
    if near is not None:
        return f"did you mean '{near}'"
    elsewhere = [".".join(other) for other in entries() if other[-1] == path[-1]]
    if elsewhere:
        return f"did you mean '{elsewhere[0]}'"
    words = ", ".join(sorted(siblings)[:30])
    return f"remove it; known here: {words}"


def _key_of(problem: ConfigError) -> str:
    return problem.place.partition(" ")[0]
