"""A recording file opened for reading, once it is seen to be one."""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py

from pipeline.core.errors import DataError, EnvironmentFault, PipelineError
from pipeline.core.notes import Note
from pipeline.io.nwb.files import check_signature, regular_file_size
from pipeline.io.nwb.objects import child_text
from pipeline.io.nwb.outside import outside_of

NEWEST_KNOWN = (2, 11)
"""Newest NWB version this reader was tried on."""


LOCK_WAITS_S = (10.0, 10.0, 10.0)
"""How long to wait, again and again, for another process to let go of a file."""
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, 524)
"""What file systems say that cannot lock; 524 is the kernel's own "not supported"."""


@contextmanager
def open_nwb(
    path: Path, *, allow_external: Sequence[str] = (), waits_s: Sequence[float] = ()
) -> Iterator[h5py.File]:
    """An NWB 2 file open for reading, closed again at the end.

    The file system is asked what the path is before anything is opened, so that a pipe or a device
    never blocks, and only the first bytes are read before HDF5 may see the file.

    Parameters
    ----------
    allow_external
        Folders, besides the file's own, into which its links may lead.
    waits_s
        Seconds to wait before each further try while another process writes the file.

    Raises
    ------
    DataError
        If there is no such file, or it is not a whole NWB 2 file in HDF5.
    EnvironmentFault
        If it may not be read, or another process is writing it.
    """
    import hdf5plugin  # noqa: F401  registers the compression filters labs use beside gzip

    size = regular_file_size(path)
    check_signature(path, size)
    with (
        _opened(path, size, waits_s=waits_s) as file,
        outside_of(path, allow_external=allow_external),
        _damage_named(size),
    ):
        check_version(file)
        yield file


def _opened(path: Path, size: int, *, waits_s: Sequence[float]) -> h5py.File:
    for wait_s in (*waits_s, None):
        try:
            return h5py.File(path, "r")
        except OSError as error:
            if error.errno in _NO_LOCKS:
                return h5py.File(path, "r", locking=False)
            fault = _not_opened(error, size)
            if fault.code != "IN-F24" or wait_s is None:
                raise fault from error
        time.sleep(wait_s)
    raise AssertionError("the last try returns or raises")


def locking_note(file: h5py.File) -> tuple[Note, ...]:
    """A warning when the file system cannot keep others from writing meanwhile."""
    locked, _ = file.id.get_access_plist().get_file_locking()
    if locked:
        return ()
    text = (
        "The file system cannot lock files; the file was read without a lock. See that no program "
        "writes it meanwhile."
    )
    return (Note(code="IN-F25", kind="warn", place="/", text=text),)


@contextmanager
def _damage_named(size: int) -> Iterator[None]:
    """Faults that HDF5 itself meets on its way through the structure, as damage of the file."""
    try:
        yield
    except (OSError, RuntimeError, LookupError, TypeError, ValueError) as error:
        if not _raised_by_hdf5(error):
            raise
        raise DataError(
            code="IN-F04",
            found=f"damaged: HDF5 cannot follow its structure ({size} bytes; "
            f"{one_line(str(error))})",
            fix="copy the file again, and compare its checksum with the source",
        ) from error


def _raised_by_hdf5(error: Exception) -> bool:
    """Whether the library that reads HDF5 raised it, and not code of ours."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and "h5py" in trace.tb_frame.f_code.co_filename


def version_of(file: h5py.File) -> str:
    """NWB version as the file states it; empty where it states none."""
    value = file.attrs.get("nwb_version", "")
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def check_version(file: h5py.File) -> None:
    """Refuse HDF5 files that are not NWB 2."""
    if "nwb_version" not in file.attrs:
        old = child_text(file, "nwb_version")
        if old:
            raise _too_old(old, place="/nwb_version")
        groups = ", ".join(sorted(file)[:12]) or "nothing"
        raise DataError(
            code="IN-F09",
            place="/@nwb_version",
            found=f"this HDF5 file has no nwb_version and is not an NWB file; it holds: {groups}",
            fix="name an NWB file in the sheet (column nwb), or convert this one with NeuroConv",
        )
    version = version_of(file)
    parts = _numbers(version)
    if parts is None or parts[0] < 2:
        raise _too_old(version, place="/@nwb_version")


def version_note(file: h5py.File) -> tuple[Note, ...]:
    """A warning when the file is of a newer NWB version than this reader was tried on."""
    version = version_of(file)
    parts = _numbers(version)
    if parts is None or parts <= NEWEST_KNOWN:
        return ()
    known = ".".join(map(str, NEWEST_KNOWN))
    text = f"NWB version {version} is newer than {known}, the newest this reader was tried on."
    return (Note(code="IN-F11", kind="warn", place="/@nwb_version", text=text),)


def _numbers(version: str) -> tuple[int, int] | None:
    match = re.match(r"(?:NWB-)?(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else None


def _too_old(version: str, *, place: str) -> DataError:
    return DataError(
        code="IN-F10",
        place=place,
        found=f"the file states NWB version '{version}'; 2.0 or later is needed",
        fix="convert it to NWB 2, for example by reading it with the laboratory's own code and "
        "writing it with pynwb",
    )


def _not_opened(error: OSError, size: int) -> PipelineError:
    message = str(error)
    cut = re.search(r"truncated file: eof = (\d+).*stored_eof = (\d+)", message)
    if cut:
        return DataError(
            code="IN-F03",
            found=f"the file is truncated: {cut[1]} of {cut[2]} bytes are there",
            fix="copy the file again",
        )
    if error.errno in (errno.EAGAIN, errno.EACCES) or "unable to lock file" in message:
        return EnvironmentFault(
            code="IN-F24",
            found="the file is in use by another process that writes it",
            fix="wait until the recording is closed, then start again",
        )
    if "already open for write" in message or "consistency flags" in message:
        return DataError(
            code="IN-F23",
            found="the program that wrote the file did not close it; its mark 'open for write' is "
            "still set",
            fix="make a copy and clear the mark there with: h5clear -s COPY",
        )
    return DataError(
        code="IN-F04",
        found=f"damaged: HDF5 cannot open it ({size} bytes; {one_line(message)})",
        fix="copy the file again, and compare its checksum with the source",
    )


def one_line(message: str) -> str:
    """A library's message without line breaks and without its full stop."""
    return " ".join(message.split()).rstrip(".")
