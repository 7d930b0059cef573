"""The objects of an NWB file: found by type, reached without leaving the file.

What a type is, and from which it derives, is in the NWB schema that pynwb brings. The walk over the
file is by h5py, because pynwb's own refuses a whole file for one object of an unknown extension,
follows links wherever they lead and waits for ever at pipes. Both are held against each other:
in ingest of the file that was read, in tests of every file that pynwb can read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path

import h5py
import yaml

from pipeline.core.errors import DataError
from pipeline.core.notes import Note
from pipeline.io.nwb.outside import linked_file

MAX_DEPTH = 64
"""Deeper nesting than any schema has; the walk stops there."""
MAX_STEPS = 50_000
"""More steps than the links of a file need; links of links can make them grow without end."""

MAX_TEXT_BYTES = 2**20
"""Longer than any text of fixed length that tells about a session or defines a type."""

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The compiled one, where there is one: a tenth of the time."""

SCHEMAS = {"pynwb": "nwb-schema/core", "hdmf": "common/hdmf-common-schema/common"}
"""Package to the folder of its schema files."""

CORE_NAMESPACES = ("core", "hdmf-common", "hdmf-experimental")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NwbObject:
    """A typed group of the file."""

    path: str
    type: str
    namespace: str
    lineage: tuple[str, ...]
    """The type and its ancestors, as far as they are known."""
    group: h5py.Group

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def parent_path(self) -> str:
        """Path of the group it lies in."""
        return self.path.rsplit("/", 1)[0]

    def is_a(self, type_name: str) -> bool:
        """Whether the object is of this type or of one derived from it."""
        return type_name in self.lineage


@dataclass(frozen=True, kw_only=True, eq=False)
class Survey:
    """What a walk over the file met."""

    file: h5py.File
    objects: tuple[NwbObject, ...]
    unfollowed: tuple[Note, ...]
    """Warnings about links that lead out of the file or nowhere, and about values elsewhere."""
    unknown: tuple[NwbObject, ...]
    """Objects of extensions whose definition is not in the file."""
    endless: str
    """What keeps other walks from coming to an end; empty where nothing does."""
    n_datasets: int
    at_once: int
    """Most bytes that are decoded, or read, for a single entry of a dataset."""

    def of_type(self, type_name: str, *, under: str = "/") -> tuple[NwbObject, ...]:
        """Objects of a type or one derived from it, by path."""
        prefix = under.rstrip("/") + "/"
        return tuple(
            item
            for item in self.objects
            if item.is_a(type_name) and (item.path + "/").startswith(prefix)
        )

    def at(self, path: str) -> NwbObject | None:
        """The object at a path."""
        return self._by_path.get(path)

    @cached_property
    def _by_path(self) -> Mapping[str, NwbObject]:
        return {item.path: item for item in self.objects}

    def same_as(self, group: h5py.Group | h5py.Dataset) -> NwbObject | None:
        """The object that a reference leads to, whatever path HDF5 reports for it."""
        return self._by_address.get(_address(group))

    @cached_property
    def _by_address(self) -> Mapping[tuple[int, int], NwbObject]:
        return {_address(item.group): item for item in reversed(self.objects)}

    def type_at(self, path: str) -> str:
        """Type of the object at a path; empty where there is none."""
        item = self.at(path)
        return item.type if item else ""

    def notes(self) -> tuple[Note, ...]:
        """Warnings about what was met and not used."""
        types = tuple(
            Note(
                code="IN-F12",
                kind="warn",
                place=item.path,
                text=f"Type {item.type} belongs to the extension {item.namespace}, which the file "
                "does not define; it was left alone.",
            )
            for item in self.unknown
        )
        return self.unfollowed + types


def survey(file: h5py.File) -> Survey:
    """Every typed group of the file, each once, whatever links lead to it.

    Links to groups of other files are followed where that is allowed, and named where it is not.
    Soft links inside the file are not followed: what they lead to is met at its own place.

    Raises
    ------
    DataError
        If values of any dataset lie in a raw file: what shows the bytes of other files as data is
        no file of a recording.
    """
    parents = {**_core_parents(), **_extension_parents(file)}
    objects: list[NwbObject] = []
    unfollowed: list[Note] = []
    unknown: list[NwbObject] = []
    seen: dict[tuple[int, int], str] = {}
    stack: list[tuple[str, h5py.Group, int]] = [("", file["/"], 0)]
    budget = iter(range(MAX_STEPS))
    endless, n_datasets, at_once = "", 0, 0
    while stack:
        path, group, depth = stack.pop()
        address = _address(group)
        if address in seen or depth > MAX_DEPTH:
            if depth > MAX_DEPTH:
                endless = f"{path} is nested too deep"
            elif f"{path}/".startswith(f"{seen[address]}/"):
                endless = f"hard links lead in a circle at {path}"
            continue
        seen[address] = path
        if path and "neurodata_type" in group.attrs:
            item = _object(path, group, parents=parents)
            objects.append(item)
            if item.namespace not in CORE_NAMESPACES and item.type not in parents:
                unknown.append(item)
        for name in group:
            link = group.get(name, getlink=True)
            where = f"{path}/{name}"
            try:
                found = child(group, name, budget=budget)
            except DataError as error:
                if error.code == "IN-F16":
                    raise
                unfollowed.append(_unfollowed(link, where, error))
                continue
            if isinstance(found, h5py.Dataset):
                n_datasets += 1
                at_once = max(at_once, math.prod(found.chunks or ()) * found.dtype.itemsize)
            elif found is not None and not isinstance(link, h5py.SoftLink):
                stack.append((where, found, depth + 1))
    objects.sort(key=lambda item: item.path)
    unfollowed.sort(key=lambda note: note.place)
    return Survey(
        file=file,
        objects=tuple(objects),
        unfollowed=tuple(unfollowed),
        unknown=tuple(unknown),
        endless=endless,
        n_datasets=n_datasets,
        at_once=at_once,
    )


def _unfollowed(link: object, where: str, error: DataError) -> Note:
    """A warning about something that is not needed, or else is refused with the same code."""
    if isinstance(link, h5py.ExternalLink):
        what = f"The link {where} -> {link.filename}:{link.path} was not followed"
    elif isinstance(link, h5py.SoftLink):
        what = f"The link {where} -> {link.path} was not followed"
    else:
        what = f"The values of {where} were not read"
    return Note(code=error.code, kind="warn", place=where, text=f"{what}: {error.found}.")


def _address(item: h5py.Group | h5py.Dataset) -> tuple[int, int]:
    """File and place in it, by which an object is known whatever its path."""
    info = h5py.h5o.get_info(item.id)
    return int(info.fileno), int(info.addr)


def text_attribute(item: h5py.Group | h5py.Dataset, name: str, default: str = "") -> str:
    """An attribute as text; the default where it is not there or not text."""
    value = item.attrs.get(name, default)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else default


def child(
    group: h5py.Group, name: str, *, hops: int = 0, budget: Iterator[int] | None = None
) -> h5py.Group | h5py.Dataset | None:
    """What stands under a name, following links as far as that is allowed; None for nothing.

    A dataset whose dataspace is null holds nothing and counts as nothing.

    Raises
    ------
    DataError
        If the name leads to a file where that is not allowed, nowhere or in a circle, or if the
        values of a dataset lie in such a file.
    """
    if "/" in name:  # HDF5 itself would follow the links on such a path
        return None
    link = group.get(name, getlink=True)
    where = f"{group.name.rstrip('/')}/{name}"
    if link is None:
        return None
    steps = iter(range(MAX_STEPS)) if budget is None else budget
    if isinstance(link, h5py.ExternalLink):
        file = linked_file(link.filename, named_in=group.file, where=where)
        return _follow(file["/"], link.path, where=where, hops=hops, budget=steps)
    if isinstance(link, h5py.SoftLink):
        return _follow(group, link.path, where=where, hops=hops, budget=steps)
    found = group[name]
    if isinstance(found, h5py.Dataset):
        _refuse_outside_values(found, where=where, hops=hops, budget=steps)
    return None if _is_null(found) else found


def child_text(group: h5py.Group, name: str) -> str:
    """A scalar text dataset under a group; empty where there is none."""
    try:
        found = child(group, name)
    except DataError:
        return ""
    value = _single_text(found)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else ""


def _single_text(found: h5py.Group | h5py.Dataset | None) -> object:
    """The entry of a scalar dataset; None for anything else, and for what only fills the memory."""
    if not isinstance(found, h5py.Dataset) or found.shape != ():
        return None
    return None if found.dtype.itemsize > MAX_TEXT_BYTES else found[()]


def dereference(item: h5py.Group | h5py.Dataset, name: str) -> h5py.Group | h5py.Dataset | None:
    """What an object reference in an attribute points to; None where it points nowhere.

    Raises
    ------
    DataError
        As of :func:`referenced`.
    """
    return referenced(item.file, item.attrs.get(name), where=f"{item.name}@{name}")


def referenced(
    file: h5py.File, reference: object, *, where: str
) -> h5py.Group | h5py.Dataset | None:
    """What an object reference points to; None where it is none or points nowhere.

    Parameters
    ----------
    file
        The file that holds the reference.
    where
        HDF5 path of what holds it.

    Raises
    ------
    DataError
        If it points to a dataset whose values lie in a file where that is not allowed.
    """
    if not isinstance(reference, h5py.Reference) or not reference:
        return None
    found = file[reference]
    if isinstance(found, h5py.Dataset):
        _refuse_outside_values(found, where=where, hops=0, budget=iter(range(MAX_STEPS)))
    return None if _is_null(found) else found


def _is_null(found: h5py.Group | h5py.Dataset) -> bool:
    """Whether a dataset has no space for any entry, not even a shape."""
    return isinstance(found, h5py.Dataset) and found.shape is None


def children(group: h5py.Group) -> Iterator[tuple[str, h5py.Group | h5py.Dataset]]:
    """Names and what stands under them; links that lead nowhere or out are left out."""
    for name in group:
        try:
            found = child(group, name)
        except DataError:
            continue
        if found is not None:
            yield name, found


def _follow(
    group: h5py.Group, target: str, *, where: str, hops: int, budget: Iterator[int]
) -> h5py.Group | h5py.Dataset:
    """Walk a link's path step by step, so that no step can leave the file unseen."""
    current: h5py.Group | h5py.Dataset | None = group.file["/"] if target.startswith("/") else group
    for part in target.split("/"):
        if part in ("", "."):
            continue
        if not isinstance(current, h5py.Group):
            current = None
            break
        if hops >= MAX_DEPTH or next(budget, None) is None:
            raise DataError(
                code="IN-F19",
                place=where,
                found="links lead in a circle",
                fix="store the data itself under this name",
            )
        current = child(current, part, hops=hops + 1, budget=budget)
    if current is None:
        raise DataError(
            code="IN-F19",
            place=where,
            found=f"a link leads to '{target}', where nothing is",
            fix="store the data itself under this name, or write the missing object",
        )
    return current


def _refuse_outside_values(
    dataset: h5py.Dataset, *, where: str, hops: int, budget: Iterator[int]
) -> None:
    if dataset.external:
        raise DataError(
            code="IN-F16",
            place=where,
            found=f"the values lie in an external raw file, '{dataset.external[0][0]}'",
            fix="store the values in this file",
        )
    for source in dataset.virtual_sources() if dataset.is_virtual else ():
        file, name = dataset.file, source.file_name
        reason = "names of many files at once are not followed" if "%" in name else ""
        try:
            if name != "." and not reason:
                file = linked_file(name, named_in=dataset.file, where=where)
            if not reason:
                _follow(file["/"], source.dset_name, where=where, hops=hops + 1, budget=budget)
        except DataError as error:
            reason = error.found
        if reason:
            raise DataError(
                code="IN-F17",
                place=where,
                found=f"this is a virtual dataset, whose values lie in '{name}': {reason}",
                fix="store the values in this file",
            )


def _object(path: str, group: h5py.Group, *, parents: Mapping[str, str]) -> NwbObject:
    type_name = text_attribute(group, "neurodata_type")
    lineage = [type_name]
    while parents.get(lineage[-1]) and parents[lineage[-1]] not in lineage:
        lineage.append(parents[lineage[-1]])
    return NwbObject(
        path=path,
        type=type_name,
        namespace=text_attribute(group, "namespace", "core"),
        lineage=tuple(lineage),
        group=group,
    )


@cache
def _core_parents() -> Mapping[str, str]:
    """Type to parent type, from the files of the NWB schema that come with pynwb and hdmf.

    pynwb itself is not imported: that makes folders in the home directory, and fails where it may
    not.
    """
    parents: dict[str, str] = {}
    for package, folder in SCHEMAS.items():
        found = find_spec(package)
        if found is None or found.origin is None:
            raise ModuleNotFoundError(package)
        for path in sorted((Path(found.origin).parent / folder).glob("*.yaml")):
            content = yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)  # noqa: S506 - safe
            _collect_types(content, parents)
    return parents


def _extension_parents(file: h5py.File) -> dict[str, str]:
    """Type to parent type, from the definitions of extensions that the file carries."""
    parents: dict[str, str] = {}
    cached = dict(children(file)).get("specifications")
    if not isinstance(cached, h5py.Group):
        return parents
    for namespace, versions in children(cached):
        if namespace in CORE_NAMESPACES or not isinstance(versions, h5py.Group):
            continue
        for _, version in children(versions):
            if isinstance(version, h5py.Group):
                for _, source in children(version):
                    _collect_types(_definitions(source), parents, root="NWBDataInterface")
    return parents


def _definitions(source: h5py.Group | h5py.Dataset) -> object:
    """What is cached in a file about an extension; nothing where it is no definition."""
    text = _single_text(source)
    try:
        return json.loads(text) if isinstance(text, str | bytes) else None
    except (ValueError, RecursionError):  # the types in it stay unknown
        return None


def _collect_types(content: object, parents: dict[str, str], *, root: str = "") -> None:
    """Add what definitions derive from; ``root`` for those that name nothing."""
    if not isinstance(content, dict):
        return
    pending = _within(content)
    while pending:
        spec = pending.pop()
        if not isinstance(spec, dict):
            continue
        name = spec.get("neurodata_type_def") or spec.get("data_type_def")
        parent = spec.get("neurodata_type_inc") or spec.get("data_type_inc")
        if isinstance(name, str):
            parents.setdefault(name, parent if isinstance(parent, str) else root)
        pending.extend(_within(spec))


def _within(spec: Mapping[str, object]) -> list[object]:
    """What a definition lists as parts of the type."""
    parts = (spec.get("groups"), spec.get("datasets"))
    return [each for part in parts if isinstance(part, list) for each in part]
