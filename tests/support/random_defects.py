"""One random defect in a sound NWB file, and what reading it ends in.

A defect is a plain record of numbers, so that an example is small to print; applied to the same
file it does the same. Files are judged in a process of their own: whatever HDF5 does with damaged
bytes, a crash or a hang is one failed example and not the end of the tests.
"""

from __future__ import annotations

import faulthandler
import math
import multiprocessing
import os
import resource
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from hypothesis import strategies as st

from pipeline.core.errors import PipelineError
from pipeline.core.recording import Recording
from pipeline.io.nwb.inspect import describe, inspect_file
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.nwb.read import open_recording
from pipeline.io.records import write_record
from pipeline.prepare.config import QualityConfig
from pipeline.prepare.quality.grade import grade_units
from tests.support.nwb_factory import PROVENANCE

OF_BYTES = ("flip_bytes", "truncate", "zero_block")
"""Damage below the structure: what a bad disk or a broken transfer does."""
LIMIT_S = 10.0
"""Longer is a hang: a sound file of these takes a tenth of a second."""
NOT_DAMAGED = "HDF5 died of the damage"
HANG_OF_HDF5 = "HDF5 runs in a circle"
"""Its library never comes back from a heap of texts that was overwritten with zeros."""
FOREIGN = "private/other.h5"
"""A file that links lead to, as seen from the folder above the recording's."""
PIPE = "pipe.h5"
"""The same for a pipe in the recording's folder."""
LIMIT_BYTES = 4 * 2**30
"""Memory beyond what the process has at its start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """Kind of damage, and where: ``place`` chooses an object, ``amount`` how much."""

    kind: str
    place: int
    amount: int


def defects() -> st.SearchStrategy[Defect]:
    """Any defect."""
    return st.builds(
        Defect,
        kind=st.sampled_from(sorted(KINDS)),
        place=st.integers(0, 2**16),
        amount=st.integers(0, 2**16),
    )


def damage(path: Path, defect: Defect) -> None:
    """Put the defect into the file."""
    if defect.kind in OF_BYTES:
        _damage_bytes(path, defect)
        return
    with h5py.File(path, "r+") as file:
        names = _names(file)
        KINDS[defect.kind](file, names[defect.place % len(names)], defect.amount)


def _damage_bytes(path: Path, defect: Defect) -> None:
    raw = bytearray(path.read_bytes())
    rng = np.random.default_rng([defect.place, defect.amount])
    if defect.kind == "truncate":
        raw = raw[: int(rng.integers(len(raw)))]
    elif defect.kind == "zero_block":
        start = int(rng.integers(len(raw)))
        length = int(rng.integers(1, 4096))
        raw[start : start + length] = bytes(len(raw[start : start + length]))
    else:
        for at in rng.integers(len(raw), size=1 + defect.amount % 8):
            raw[at] ^= 1 << int(rng.integers(8))
    path.write_bytes(raw)


def _names(file: h5py.File) -> list[str]:
    """Paths of all that is not the schema, in one order."""
    found: list[str] = []
    file.visit(found.append)
    return sorted(name for name in found if not name.startswith("specifications"))


def _datasets_only(change: Callable[[h5py.File, str, int], None]) -> Callable[..., None]:
    """The change where a dataset stands, nothing where a group does: that file stays sound."""

    def changed(file: h5py.File, name: str, amount: int) -> None:
        if isinstance(file[name], h5py.Dataset):
            change(file, name, amount)

    return changed


def _replaced(file: h5py.File, name: str, values: object) -> None:
    attributes = dict(file[name].attrs)
    del file[name]
    made = file.create_dataset(name, data=values)
    for key, value in attributes.items():
        made.attrs[key] = value


def _delete(file: h5py.File, name: str, amount: int) -> None:
    del file[name]


@_datasets_only
def _retype(file: h5py.File, name: str, amount: int) -> None:
    """The same shape with entries of another type."""
    shape = file[name].shape
    kinds = [
        np.full(shape, "word", dtype=object),
        np.full(shape, b"\xff\xfe", dtype="S2"),
        np.ones(shape, dtype=complex),
        np.ones(shape, dtype=bool),
        np.full(shape, -7, dtype=np.int8),
        np.full(shape, 2**64 - 1, dtype=np.uint64),
        np.full(shape, 0.5, dtype=np.float16),
        np.full(shape, 1e308, dtype=">f8"),
        np.zeros(shape, dtype=[("x", "f4"), ("weight", "i4")]),
        np.full(shape, "", dtype=object),
    ]
    _replaced(file, name, kinds[amount % len(kinds)])


@_datasets_only
def _reshape(file: h5py.File, name: str, amount: int) -> None:
    """The same entries with other axes: none, one more, turned, one entry, none at all."""
    values = file[name][()]
    array = np.atleast_1d(np.asarray(values))
    shapes = [
        array.ravel()[0] if array.size else np.float64(0.0),
        array[..., None],
        array.T,
        array[:1],
        array[:0],
        array[None],
        np.concatenate([array, array]),
        array[:-1],
    ]
    _replaced(file, name, shapes[amount % len(shapes)])


@_datasets_only
def _shuffle(file: h5py.File, name: str, amount: int) -> None:
    values = file[name][()]
    if np.ndim(values):
        order = np.random.default_rng(amount).permutation(len(values))
        _replaced(file, name, values[order])


@_datasets_only
def _put(file: h5py.File, name: str, amount: int) -> None:
    """Odd numbers among the entries."""
    values = np.array(file[name][()])
    if values.dtype.kind not in "iuf" or not values.size:
        return
    odd = (np.nan, np.inf, -np.inf, -1.0, 0.0, 1e300, -1e300, 1e-300, 2.0**40)[amount % 9]
    with np.errstate(all="ignore"):
        flat = values.reshape(-1)
        count = 1 if amount % 2 else flat.size
        at = np.random.default_rng(amount).integers(flat.size, size=count)
        flat[at] = (
            np.array(odd).astype(values.dtype)
            if values.dtype.kind == "f"
            else int(np.clip(0.0 if np.isnan(odd) else odd, *_limits(values.dtype)))
        )
    file[name][...] = values.reshape(file[name].shape)


def _limits(dtype: np.dtype) -> tuple[float, float]:
    info = np.iinfo(dtype)
    return max(float(info.min), -(2.0**62)), min(float(info.max), 2.0**62)


def _attribute(file: h5py.File, name: str, amount: int) -> None:
    """An attribute that is gone or holds something else."""
    keys = sorted(file[name].attrs)
    if not keys:
        return
    key = keys[amount % len(keys)]
    others = (
        None,
        np.nan,
        0.0,
        -1.0,
        "",
        "word",
        b"\xff",
        np.arange(3),
        np.inf,
        "TimeSeries",
        True,
    )
    other = others[amount // len(keys) % len(others)]
    del file[name].attrs[key]
    if other is not None:
        file[name].attrs[key] = other


def _link(file: h5py.File, name: str, amount: int) -> None:
    """A link that leads nowhere, in a circle, out of the file or to something else."""
    parent = name.rsplit("/", 1)[0] if "/" in name else "/"
    links = [
        h5py.SoftLink("/nowhere"),
        h5py.SoftLink(f"/{name}"),
        h5py.SoftLink(f"/{parent}"),
        h5py.SoftLink("/identifier"),
        h5py.SoftLink("/"),
        h5py.ExternalLink("other.nwb", "/data"),
        h5py.ExternalLink("day1.nwb", f"/{name}"),
    ]
    del file[name]
    if amount % 8 == 7:
        file[name] = file[parent] if parent != "/" else file["/"]
    else:
        file[name] = links[amount % 8]


def _swap_kind(file: h5py.File, name: str, amount: int) -> None:
    """A group where a dataset was, a dataset where a group was; attributes are kept or not."""
    item = file[name]
    attributes = dict(item.attrs) if amount % 2 else {}
    was_group = isinstance(item, h5py.Group)
    del file[name]
    made = file.create_dataset(name, data=np.arange(3.0)) if was_group else file.create_group(name)
    for key, value in attributes.items():
        made.attrs[key] = value


@_datasets_only
def _declare(file: h5py.File, name: str, amount: int) -> None:
    """A declared size of which nothing is stored: of all, of a chunk, of an entry; or none."""
    attributes, dtype, shape = dict(file[name].attrs), _plain(file[name].dtype), file[name].shape
    del file[name]
    packed: dict[str, Any] = {"chunks": True, "compression": "gzip"}
    made = [
        lambda: file.create_dataset(name, (2**40,), dtype, **packed),
        lambda: file.create_dataset(name, (2**20, 2**20), dtype, **packed),
        lambda: file.create_dataset(name, (10**6, 4), dtype, **packed),
        lambda: file.create_dataset(name, (0, 0), dtype, **packed),
        lambda: file.create_dataset(name, (10**9,), dtype, chunks=(2**26,)),
        lambda: file.create_dataset(name, (*shape, 10**5, 10**5), dtype),
        lambda: file.create_dataset(name, shape, "S2000000000"),
        lambda: file.create_dataset(name, data=h5py.Empty(dtype)),
    ][amount % 8]()
    for key, value in attributes.items():
        made.attrs[key] = value


def _plain(dtype: np.dtype) -> np.dtype:
    """The type, or numbers where its entries would lie in a heap or be references."""
    is_special = dtype.hasobject or h5py.check_ref_dtype(dtype) is not None
    return np.dtype("f8") if is_special else dtype


def _elsewhere(file: h5py.File, name: str, amount: int) -> None:
    """Data in a file that is not to be opened: by a link, as raw bytes, in a virtual dataset."""
    item, here = file[name], Path(file.filename).parent
    attributes, other = dict(item.attrs), str(here.parent / FOREIGN)
    shape, dtype = ((), None) if isinstance(item, h5py.Group) else (item.shape, _plain(item.dtype))
    del file[name]
    if dtype is None or amount % 4 < 2:
        file[name] = h5py.ExternalLink(other if amount % 2 else PIPE, f"/{name}")
        return
    if amount % 4 == 2 or not shape or 0 in shape:
        stretch = (other, 0, max(1, math.prod(shape) * dtype.itemsize))
        made = file.create_dataset(name, shape, dtype, external=[stretch])
    else:
        layout = h5py.VirtualLayout(shape, dtype)
        layout[...] = h5py.VirtualSource(other, name, shape)
        made = file.create_virtual_dataset(name, layout)
    for key, value in attributes.items():
        made.attrs[key] = value


KINDS: dict[str, Callable[..., None]] = {
    "attribute": _attribute,
    "declare": _declare,
    "delete": _delete,
    "elsewhere": _elsewhere,
    "flip_bytes": _damage_bytes,
    "link": _link,
    "put": _put,
    "reshape": _reshape,
    "retype": _retype,
    "shuffle": _shuffle,
    "swap_kind": _swap_kind,
    "truncate": _damage_bytes,
    "zero_block": _damage_bytes,
}


def verdict(path: Path, defect: Defect | None = None, **options: object) -> str:
    """``read``, the code of the refusal, or what went wrong: a traceback, a signal or a hang.

    The whole way of a file is gone: it is damaged, inspected, read, graded and stored. Where HDF5
    dies of the damage itself, the answer is :data:`NOT_DAMAGED`.
    """
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    stack = path.with_suffix(".stack")
    arguments = (path, defect, options, theirs, stack)
    process = context.Process(target=_judge, args=arguments, daemon=True)
    process.start()
    theirs.close()
    found = NOT_DAMAGED
    try:
        found = str(ours.recv())
        found = str(ours.recv())
    except EOFError:
        process.join()
        died = f"the process died with {process.exitcode}"
        if found == NOT_DAMAGED:
            return found if (process.exitcode or 0) < 0 else f"{died} before there was damage"
        frames = stack.read_text(encoding="utf-8").splitlines()[2:3]
        return _hang(frames[0]) if frames else died
    finally:
        process.join()
        ours.close()
    return found


def _hang(frame: str) -> str:
    return HANG_OF_HDF5 if "/h5py/" in frame else f"hangs for more than {LIMIT_S:.0f} s: {frame}"


def _judge(
    path: Path, defect: Defect | None, options: dict[str, object], answer: Any, stack: Path
) -> None:
    faulthandler.disable()
    if defect is not None:
        damage(path, defect)
    answer.send("damaged")
    with stack.open("w", encoding="utf-8") as stream:
        faulthandler.dump_traceback_later(LIMIT_S, exit=True, file=stream)
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        limit = pages * os.sysconf("SC_PAGE_SIZE") + LIMIT_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        answer.send(outcome(path, options))


def outcome(path: Path, options: dict[str, object]) -> str:
    """As :func:`verdict`, in this process: without a limit of time or memory."""
    verdicts: list[str] = []
    for step in (_inspected, _ingested):
        try:
            step(path, options)
            verdicts.append("read")
        except PipelineError as error:
            verdicts.append(error.code)
        except BaseException:
            return traceback.format_exc()
    return verdicts[-1]


def _inspected(path: Path, options: dict[str, object]) -> None:
    describe(inspect_file(path), experiment="e", recording="r")


def _ingested(path: Path, options: dict[str, object]) -> None:
    with open_recording(
        path, recording="r", options=ReadOptions(**options), provenance=PROVENANCE
    ) as reading:

        def finish(copied: Recording) -> Recording:
            reading.notes()
            return grade_units(copied, QualityConfig())[0]

        write_record(path.with_suffix(".h5"), reading.recording, finish=finish)
