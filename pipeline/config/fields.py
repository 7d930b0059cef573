"""Every setting with its words: what it is, what it may be, what it is by default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel

from pipeline.config.model import settings_model
from pipeline.config.text import KeyPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A group of settings."""

    path: KeyPath
    description: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting."""

    path: KeyPath
    description: str
    schema: Mapping[str, Any]
    """Its JSON schema."""
    default: object
    """``None`` when there is none."""
    required: bool

    @property
    def key(self) -> str:
        """Dotted key."""
        return ".".join(self.path)

    @property
    def allowed(self) -> str:
        """What it may be, in words."""
        return allowed_words(self.schema)

    @property
    def options(self) -> tuple[str, ...]:
        """The words it may be, apart from numbers and free text."""
        return tuple(
            str(word)
            for schema in self.schema.get("anyOf", [self.schema])
            for word in schema.get("enum", [schema["const"]] if "const" in schema else [])
        )

    @property
    def is_free_text(self) -> bool:
        """Whether any text will do."""
        return self.schema.get("type") == "string" and not self.options


@cache
def entries() -> Mapping[KeyPath, Block | Setting]:
    """All blocks and settings by path, in the order in which they are explained."""
    return dict(_entries(settings_model(), ()))


def settings() -> tuple[Setting, ...]:
    """All settings, in the order in which they are explained."""
    return tuple(entry for entry in entries().values() if isinstance(entry, Setting))


def _entries(model: type[BaseModel], path: KeyPath) -> Iterator[tuple[KeyPath, Block | Setting]]:
    properties = model.model_json_schema(mode="validation")["properties"]
    for name, field in model.model_fields.items():
        here, kind = (*path, name), field.annotation
        words = field.description or ""
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield here, Block(path=here, description=words, keys=tuple(kind.model_fields))
            yield from _entries(kind, here)
        else:
            yield (
                here,
                Setting(
                    path=here,
                    description=words,
                    schema=properties[name],
                    default=properties[name].get("default"),
                    required=field.is_required(),
                ),
            )


def allowed_words(schema: Mapping[str, Any]) -> str:
    """What a JSON schema allows, in words."""
    if "anyOf" in schema:
        return " or ".join(allowed_words(option) for option in schema["anyOf"])
    words = schema.get("enum", [schema["const"]] if "const" in schema else [])
    if words:
        return " or ".join(f"'{word}'" for word in words)
    kind = schema.get("type")
    if kind == "array":
        fewest, most = schema.get("minItems"), schema.get("maxItems")
        length = f"{fewest} entries" if fewest and fewest == most else "entries"
        return f"a list of {length}, each {allowed_words(schema.get('items', {}))}"
    names = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}
    if kind not in ("integer", "number"):
        return names.get(str(kind), "text")
    bounds = range_words(schema)
    return f"{names[str(kind)]}, {bounds}" if bounds else names[str(kind)]


def range_words(schema: Mapping[str, Any]) -> str:
    """The range of a number's JSON schema in words; empty when it has none."""
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f"{low:.12g} to {high:.12g}"
    parts = [
        f"{word} {bound:.12g}"
        for word, bound in (
            ("at least", low),
            ("above", above),
            ("at most", high),
            ("below", below),
        )
        if bound is not None
    ]
    return ", ".join(parts)
