"""Report parts, checks and other small facts as JSON files that people can read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast, get_args, get_origin

from pipeline.core.errors import DataError, EnvironmentFault
from pipeline.core.words import with_article
from pipeline.io.atomic import replacing
from pipeline.io.json_values import alternatives, decode, encodable, encode

FORMAT_VERSION = 1

T = TypeVar("T")


def write_document(path: Path, value: object, *, experiment: str = "") -> None:
    """Write a dataclass, or a tuple of dataclasses, as JSON; whole or not at all.

    The same value gives the same bytes; the order of a mapping, such as the columns of a table, is
    part of the value. The file carries the format's version and a digest of
    its value, so that damage is noticed.

    Parameters
    ----------
    experiment
        Whose it is, so that another one does not take it for its own; told where it is not empty.

    Raises
    ------
    TypeError
        If the value holds something that has no form in JSON; a defect of the caller.
    EnvironmentFault
        If the file cannot be written (RN-R26).
    """
    plain = encode(value, tuple[object, ...] if isinstance(value, tuple) else object)
    whose = {"experiment": experiment} if experiment else {}
    digest = _document_digest(plain, experiment)
    document = {"digest": digest, **whose, "format_version": FORMAT_VERSION, "value": plain}
    with replacing(path) as temporary:
        temporary.write_bytes(_text(document, indent=1).encode() + b"\n")


def read_document(path: Path, kind: type[T], *, experiment: str = "") -> T:
    """The value that :func:`write_document` stored.

    Parameters
    ----------
    kind
        What it should be, as an annotation: ``Section``, ``tuple[Check, ...]``.
    experiment
        Whose it should be; asked where it is not empty and the file tells whose it is.

    Raises
    ------
    EnvironmentFault
        If the file is missing (RN-R27) or damaged (RN-R10).
    DataError
        If it holds something else, or comes from another version or experiment (RN-R11).
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        version, digest, plain = document["format_version"], document["digest"], document["value"]
        owner = document.get("experiment", "")
    except FileNotFoundError as error:
        raise missing(path) from error
    except PermissionError as error:
        raise unreadable(path) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(path, f"cannot be read ({error})") from error
    if version != FORMAT_VERSION:
        raise foreign(path, f"it has format version {version}, expected {FORMAT_VERSION}")
    if digest != _document_digest(plain, owner):
        raise damaged(path, "its digest does not match its content")
    if experiment and owner and owner != experiment:
        raise foreign(path, f"it belongs to experiment {owner}, expected {experiment}")
    try:
        value = decode(plain, kind)
    except (ValueError, TypeError, KeyError) as error:
        raise foreign(path, str(error)) from error
    expected = tuple(get_origin(member) or member for member in alternatives(kind))
    if not isinstance(value, expected):
        raise foreign(
            path, f"it holds {with_article(type(value).__name__)}, expected {_name(kind)}"
        )
    return cast("T", value)


def write_plain(path: Path, content: Mapping[str, Any]) -> None:  # Any: JSON
    """Write a mapping of plain values as JSON for programs, with a digest as its last entry.

    Raises
    ------
    EnvironmentFault
        If the file cannot be written (RN-R26).
    """
    document = {**content, "digest": _digest(content)}
    with replacing(path) as temporary:
        temporary.write_bytes(_text(document, indent=1).encode() + b"\n")


def read_plain(path: Path) -> dict[str, Any]:  # Any: JSON
    """The mapping that :func:`write_plain` stored.

    Raises
    ------
    EnvironmentFault
        If the file is missing (RN-R27) or damaged (RN-R10).
    DataError
        If it comes from another version (RN-R11).
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        digest = content.pop("digest", None)
    except FileNotFoundError as error:
        raise missing(path) from error
    except PermissionError as error:
        raise unreadable(path) from error
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise damaged(path, f"cannot be read ({error})") from error
    if digest is None:
        raise foreign(path, "it has no digest")
    if digest != _digest(content):
        raise damaged(path, "its digest does not match its content")
    return content


def missing(path: Path) -> EnvironmentFault:
    """The error (RN-R27) for a file that should have been written before."""
    return EnvironmentFault(
        code="RN-R27",
        found="the file is missing",
        fix="run again, so that it is made; if it was moved, move it back",
        file=str(path),
    )


def unreadable(path: Path) -> EnvironmentFault:
    """The error (RN-R10) for a file that may not be read; what is in it may be whole."""
    return EnvironmentFault(
        code="RN-R10",
        found="permission to read it is denied",
        fix="make the file readable for you and run again",
        file=str(path),
    )


def damaged(path: Path, found: str) -> EnvironmentFault:
    """The error (RN-R10) for a file whose bytes are not what was written."""
    return EnvironmentFault(
        code="RN-R10",
        found=found,
        fix="delete it and rerun, so that it is made anew",
        file=str(path),
    )


def foreign(path: Path, found: str) -> DataError:
    """The error (RN-R11) for a whole file that is of another kind or version."""
    return DataError(
        code="RN-R11",
        found=found,
        fix="delete it and rerun, so that it is made anew",
        file=str(path),
    )


def _name(kind: Any) -> str:  # Any: an annotation
    return str(kind) if get_args(kind) else str(getattr(kind, "__name__", kind))


def _document_digest(plain: Any, experiment: Any) -> str:  # Any: JSON
    """The digest of a value, and of whose it is where that is told."""
    return _digest({"experiment": experiment, "value": plain} if experiment else plain)


def _digest(plain: Any) -> str:  # Any: JSON
    return hashlib.sha256(_text(plain).encode()).hexdigest()


def _text(plain: Any, *, indent: int | None = None) -> str:  # Any: JSON
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False, indent=indent)
    return encodable(text)
