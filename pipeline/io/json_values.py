"""Values as plain JSON and back, by their type annotations.

What the annotation says is not written again: a field declared as a tuple is a JSON list.
What it leaves open is told by an object with a ``type``: dataclasses by their name, arrays,
numbers that are not finite, and lists and tuples where the other kind would be expected.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import math
import re
import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from pipeline.core.words import with_article

LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@functools.cache
def hints_of(record_type: type) -> Mapping[str, Any]:  # Any: an annotation
    """Field name to resolved annotation of a dataclass."""
    return types.MappingProxyType(get_type_hints(record_type))


def alternatives(hint: Any) -> tuple[Any, ...]:  # Any: an annotation
    """The members of a union without ``None``; the hint itself when it is no union."""
    if get_origin(hint) in (Union, types.UnionType):
        return tuple(
            inner
            for member in get_args(hint)
            if member is not type(None)
            for inner in alternatives(member)
        )
    return (hint,)


def item_hint(hint: Any, index: int) -> Any:  # Any: an annotation
    """What entry ``index`` of a value annotated as a tuple or list should be."""
    for member in alternatives(hint):
        if get_origin(member) in (tuple, list):
            inner = get_args(member)
            if get_origin(member) is list or inner[-1] is Ellipsis:
                return inner[0]
            return inner[index] if index < len(inner) else object
    return object


def value_hint(hint: Any) -> Any:  # Any: an annotation
    """What the values of a value annotated as a mapping should be."""
    for member in alternatives(hint):
        if isinstance(get_origin(member), type) and issubclass(get_origin(member), Mapping):
            return get_args(member)[1]
    return object


def expects_tuple(hint: Any) -> bool:  # Any: an annotation
    """Whether a sequence at this place is a tuple unless it says otherwise."""
    return any(get_origin(member) is tuple or member is tuple for member in alternatives(hint))


def encode(value: object, hint: Any = object) -> Any:  # Any: JSON and an annotation
    """A value as what ``json`` writes as valid JSON.

    Raises
    ------
    TypeError
        If there is no way to write the value so that it can be read back.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"type": "float", "value": repr(value)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        hints = hints_of(type(value))
        entries = {
            field.name: encode(getattr(value, field.name), hints[field.name])
            for field in dataclasses.fields(value)
        }
        return {"type": type(value).__name__, **entries}
    if isinstance(value, np.ndarray):
        return _encode_array(value)
    if isinstance(value, tuple | list):
        items = [encode(item, item_hint(hint, index)) for index, item in enumerate(value)]
        if isinstance(value, tuple) == expects_tuple(hint):
            return items
        return {"type": "tuple" if isinstance(value, tuple) else "list", "items": items}
    if isinstance(value, Mapping):
        return _encode_mapping(value, hint)
    raise TypeError(f"A {type(value).__name__} cannot be written as JSON.")


def _encode_mapping(value: Mapping[Any, Any], hint: Any) -> Any:  # Any: JSON and an annotation
    wrong = sorted(repr(key) for key in value if not isinstance(key, str))
    if wrong:
        raise TypeError(f"Names must be text, but some are not: {', '.join(wrong)}.")
    inner = value_hint(hint)
    entries = {key: encode(entry, inner) for key, entry in value.items()}
    return {"type": "mapping", "items": entries} if "type" in entries else entries


def _encode_array(value: NDArray[Any]) -> dict[str, Any]:  # Any: any type of entries
    shape = list(value.shape)
    if value.dtype.kind in "UT":
        return {"type": "array", "dtype": "str", "shape": shape, "items": value.ravel().tolist()}
    if value.dtype.kind not in "biufc":
        raise TypeError(f"An array of {value.dtype} cannot be written as JSON.")
    little = np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<"))
    text = base64.b64encode(little.tobytes()).decode("ascii")
    return {"type": "array", "dtype": little.dtype.str, "shape": shape, "base64": text}


def decode(plain: Any, hint: Any = object) -> Any:  # Any: JSON, an annotation, any value
    """The value that :func:`encode` was given.

    Raises
    ------
    ValueError
        If what stands there is not what the annotation allows.
    """
    if isinstance(plain, list):
        items = [decode(item, item_hint(hint, index)) for index, item in enumerate(plain)]
        return tuple(items) if expects_tuple(hint) else items
    if not isinstance(plain, dict):
        return _checked_scalar(plain, hint)
    match plain.get("type"):
        case None:
            inner = value_hint(hint)
            return {key: decode(entry, inner) for key, entry in plain.items()}
        case "mapping":
            inner = value_hint(hint)
            return {key: decode(entry, inner) for key, entry in plain["items"].items()}
        case "float":
            return float(plain["value"])
        case "array":
            return _decode_array(plain)
        case "tuple":
            return tuple(decode(item, item_hint(hint, i)) for i, item in enumerate(plain["items"]))
        case "list":
            return [decode(item, item_hint(hint, i)) for i, item in enumerate(plain["items"])]
    return _decode_record(plain, hint)


def _decode_record(plain: dict[str, Any], hint: Any) -> Any:  # Any: JSON, annotation, record
    known = {member.__name__: member for member in alternatives(hint) if is_record_type(member)}
    name = plain["type"]
    if name not in known:
        expected = " or ".join(sorted(known)) or hint
        raise ValueError(f"it holds {with_article(name)}, expected {expected}")
    hints = hints_of(known[name])
    entries = {key: entry for key, entry in plain.items() if key != "type"}
    fields = dataclasses.fields(known[name])
    # What was written before a field with a default came to be says what the default says.
    needed = {field.name for field in fields if _has_no_default(field)}
    if not needed <= set(entries) <= {field.name for field in fields}:
        raise ValueError(f"the {name} in it has other fields than this version's")
    return known[name](**{key: decode(entry, hints[key]) for key, entry in entries.items()})


def _has_no_default(field: dataclasses.Field[Any]) -> bool:  # Any: any field
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _decode_array(plain: dict[str, Any]) -> NDArray[Any]:  # Any: any type of entries
    shape = tuple(plain["shape"])
    if plain["dtype"] == "str":
        return np.array(plain["items"], dtype=np.str_).reshape(shape)
    raw = base64.b64decode(plain["base64"], validate=True)
    return np.frombuffer(raw, dtype=plain["dtype"]).reshape(shape).copy()


def _checked_scalar(plain: Any, hint: Any) -> Any:  # Any: a JSON scalar and an annotation
    """The scalar, unless the annotation allows records only."""
    members = alternatives(hint)
    if plain is not None and members and all(is_record_type(member) for member in members):
        names = " or ".join(member.__name__ for member in members)
        raise ValueError(f"it holds {plain!r}, expected {names}")
    return plain


def is_record_type(hint: Any) -> bool:  # Any: an annotation
    """Whether an annotation is a dataclass."""
    return isinstance(hint, type) and dataclasses.is_dataclass(hint)


def is_scalar_type(hint: Any) -> bool:  # Any: an annotation
    """Whether an annotation is a number, truth value or text."""
    return hint in (int, float, bool, str) or get_origin(hint) is Literal


def encodable(text: str) -> str:
    """JSON text in which halves of character pairs, which UTF-8 cannot hold, are escaped."""
    return LONE_SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
