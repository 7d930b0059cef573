"""Settings text to plain data that know their lines.

YAML as settings need it, and no more: no tags, no date or octal surprises, no key twice, and what
aliases expand to is bounded before it is expanded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import yaml

from pipeline.core.errors import ConfigError

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]
KeyPath = tuple[str, ...]

MAX_BYTES = 262_144
"""Far above any settings file; the parser needs about a second for it."""
MAX_DEPTH = 20
MAX_ENTRIES = 10_000
"""Keys and values, after aliases are expanded."""

_SHOWN = 120
"""Longest piece of the file in a message."""

_STANDARD_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map")
)
_MERGE_TAG = "tag:yaml.org,2002:merge"
_KEY_TAGS = _STANDARD_TAGS | {_MERGE_TAG}
_TRUE = frozenset({"true", "yes", "on"})


class _Loader(yaml.SafeLoader):
    """Finds out what plain words mean; builds nothing by itself."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"(?i:true|false|yes|no|on|off)", list("tTfFyYnNoO")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    (
        "float",
        r"[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+"
        r"|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN)",
        list("-+0123456789."),
    ),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), _first
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsText:
    """What a settings file says, before anybody asks whether it makes sense."""

    file: str
    data: Mapping[str, Plain] = field(default_factory=dict)
    lines: Mapping[KeyPath, int] = field(default_factory=dict)
    """Line of each key, from 1; list entries have their index as key."""
    problems: tuple[ConfigError, ...] = ()

    def place(self, path: KeyPath) -> str:
        """Dotted key with its line, or that of the nearest key around it."""
        dotted = ".".join(path)
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return f"{dotted} (line {self.lines[path[:length]]})"
        return dotted or "-"


def read_text(path: Path, *, shown: str) -> SettingsText:
    """What a settings file says.

    Parameters
    ----------
    path
        The file: UTF-8, with or without a byte-order mark, any line ends.
    shown
        How messages call the file.
    """
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        return _refused(
            shown,
            found=f"the file cannot be read: {error.strerror}",
            fix="name a settings file that is there, with --configfile",
        )
    if size > MAX_BYTES:
        return _refused(
            shown,
            code="CF-K12",
            found=f"the file has {size} bytes",
            fix=f"settings need less than {MAX_BYTES}; is this the right file",
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _refused(
            shown, found=f"byte {error.start} is not UTF-8 text", fix="save the file as UTF-8 text"
        )
    return parse_text(text, file=shown)


def parse_text(text: str, *, file: str) -> SettingsText:
    """What settings text says; see :func:`read_text`."""
    try:
        _check_extent(text)
        root = yaml.compose(text, Loader=_Loader)
    except _TooMuch as error:
        return _refused(
            file,
            code="CF-K12",
            place=f"line {error.line}",
            found=f"there are more than {error.limit}; too large for settings",
            fix="is this the right file? Settings are some lines of 'key: value'",
        )
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "-"
        return _refused(
            file,
            place=place,
            found=_yaml_problem(error, text),
            fix="indent with blanks only, and write 'key: value' on each line",
        )
    except yaml.YAMLError as error:
        return _refused(
            file,
            found=f"not YAML: {str(error).splitlines()[0]}",
            fix="save the file as plain UTF-8 text",
        )
    if root is None or (isinstance(root, yaml.ScalarNode) and root.value == ""):
        return SettingsText(file=file)
    if not isinstance(root, yaml.MappingNode):
        return _refused(
            file,
            place="line 1",
            found="the file holds no 'key: value' lines",
            fix="write settings as 'key: value', at least 'recordings: SHEET'",
        )
    return _Reader(file).read(root)


def parse_value(text: str) -> Plain:
    """A value as the command line gives it, read by the same rules as in a file.

    Text that cannot be read by them is kept as it is.
    """
    reading = parse_text(f"value: {text}", file="--config")
    if reading.problems or set(reading.data) != {"value"}:
        return text
    return reading.data["value"]


class _TooMuch(Exception):
    """More of something than settings can have."""

    def __init__(self, limit: str, line: int) -> None:
        self.limit = limit
        self.line = line


def _check_extent(text: str) -> None:
    """Refuse deep and long text from the stream of events, before anything is built of it."""
    depth = 0
    for number, event in enumerate(yaml.parse(text, Loader=_Loader)):
        if number > MAX_ENTRIES:
            raise _TooMuch(f"{MAX_ENTRIES} entries", _line(event))
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise _TooMuch(f"{MAX_DEPTH} levels", _line(event))
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _yaml_problem(error: yaml.MarkedYAMLError, text: str) -> str:
    mark = error.problem_mark
    lines = text.splitlines()
    if mark is not None and mark.line < len(lines) and "\t" in lines[mark.line]:
        return "not YAML: a tab among the blanks of the indentation"
    return f"not YAML: {' '.join(str(error.problem or error.context).split())[:_SHOWN]}"


def _refused(
    file: str, *, found: str, fix: str, code: str = "CF-K01", place: str = "-"
) -> SettingsText:
    problem = ConfigError(code=code, file=file, place=place, found=found, fix=fix)
    return SettingsText(file=file, problems=(problem,))


class _Reader:
    """Turns one tree of YAML nodes into plain data, collecting lines and problems."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[KeyPath, int] = {}
        self.problems: list[ConfigError] = []
        self.sizes: dict[int, int] = {}

    def read(self, root: yaml.MappingNode) -> SettingsText:
        if self._size(root) > MAX_ENTRIES:
            self._refuse_size(root)
            data: dict[str, Plain] = {}
        else:
            value = self._value(root, ())
            data = value if isinstance(value, dict) else {}
        return SettingsText(
            file=self.file,
            data=MappingProxyType(data),
            lines=MappingProxyType(self.lines),
            problems=tuple(self.problems),
        )

    def _size(self, node: yaml.Node) -> int:
        """Entries after expansion, counted without expanding; cycles count as too many."""
        known = self.sizes.get(id(node))
        if known is not None:
            return known
        self.sizes[id(node)] = MAX_ENTRIES + 1  # stands while inside: a cycle meets it
        size = 1
        if isinstance(node, yaml.MappingNode):
            size += sum(self._size(key) + self._size(value) for key, value in node.value)
        elif isinstance(node, yaml.SequenceNode):
            size += sum(self._size(entry) for entry in node.value)
        self.sizes[id(node)] = size
        return size

    def _refuse_size(self, root: yaml.MappingNode) -> None:
        key, value = max(root.value, key=lambda pair: self._size(pair[1]))
        self._problem(
            "CF-K12",
            (str(key.value),) if isinstance(key, yaml.ScalarNode) else ("-",),
            node=key,
            found=f"aliases expand to a text of {self._size(value)} entries or without end; "
            f"too large, allowed are {MAX_ENTRIES}",
            fix="write the entries out, or remove the aliases",
        )

    def _value(self, node: yaml.Node, path: KeyPath) -> Plain:
        if node.tag not in _STANDARD_TAGS:
            self._problem(
                "CF-K11",
                path,
                node=node,
                found=f"the tag '{_short_tag(node.tag)}' is not allowed (nothing was run)",
                fix="remove the tag and write the value itself",
            )
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [
                self._value(entry, (*path, str(index))) for index, entry in enumerate(node.value)
            ]
        return _scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Plain]:
        own: dict[str, Plain] = {}
        merges: yaml.Node | None = None
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = _line(key)
            if not isinstance(key, yaml.ScalarNode) or key.tag not in _KEY_TAGS:
                self._problem(
                    "CF-K01",
                    path,
                    node=key,
                    found="a key is not a plain word",
                    fix="write each setting as 'key: value'",
                )
                continue
            name = str(key.value)
            if name in seen:
                self._problem(
                    "CF-K07",
                    (*path, name),
                    node=key,
                    found=f"the key '{name}' stands twice, in lines {seen[name]} and {line}",
                    fix="keep one of them",
                )
                continue
            seen[name] = line
            if key.tag == _MERGE_TAG:
                merges = value
                continue
            self.lines[(*path, name)] = line
            own[name] = self._value(value, (*path, name))
        return own if merges is None else {**self._merged(merges, path), **own}

    def _merged(self, node: yaml.Node, path: KeyPath) -> dict[str, Plain]:
        """What ``<<:`` brings in; the earlier of several wins."""
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: dict[str, Plain] = {}
        own_lines = dict(self.lines)
        for source in sources:
            if isinstance(source, yaml.MappingNode):
                merged = {**self._mapping(source, path), **merged}
            else:
                self._problem(
                    "CF-K01",
                    path,
                    node=source,
                    found="'<<' names no block of settings",
                    fix="merge blocks only, or write the settings out",
                )
        self.lines |= own_lines
        return merged

    def _problem(self, code: str, path: KeyPath, *, node: yaml.Node, found: str, fix: str) -> None:
        dotted = ".".join(path) or "-"
        place = f"{dotted} (line {_line(node)})"
        self.problems.append(
            ConfigError(code=code, file=self.file, place=place, found=found, fix=fix)
        )


def _scalar(node: yaml.Node) -> Plain:
    kind, text = node.tag.rpartition(":")[2], str(node.value)
    try:
        if kind == "int":
            return int(text)
        if kind == "float":
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:  # an explicit !!int before something else; also numbers of 5000 digits
        return text
    if kind == "bool":
        return text.lower() in _TRUE
    return None if kind == "null" else text


def _line(node: yaml.Node | yaml.Event) -> int:
    return node.start_mark.line + 1 if node.start_mark is not None else 1


def _short_tag(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")[:_SHOWN]


def user_path(text: str) -> Path:
    """A path as a user writes it; ``~`` is their folder, unless there is nobody of that name."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def shown_path(path: Path) -> str:
    """A path as messages show it: short where it lies below the working folder."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
