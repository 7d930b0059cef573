"""A recording file opened for reading, once it is seen to be one."""

from __future__ import annotations

import difflib
import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from pipeline.core.errors import DataError, EnvironmentFault, PipelineError
from pipeline.core.notes import Note

SIGNATURE = b"\x89HDF\r\n\x1a\n"
NEWEST_KNOWN = (2, 11)
"""Newest NWB version this reader was tried on."""
_HEAD_BYTES = 4096


@contextmanager
def open_nwb(path: Path) -> Iterator[h5py.File]:
    """An NWB 2 file open for reading, closed again at the end.

    The file system is asked what the path is before anything is opened, so that a pipe or a device
    never blocks, and only the first bytes are read before HDF5 may see the file.

    Raises
    ------
    DataError
        If there is no such file, or it is not a whole NWB 2 file in HDF5.
    EnvironmentFault
        If it may not be read, or another process is writing it.
    """
    import hdf5plugin  # noqa: F401  registers the compression filters labs use beside gzip

    size = _regular_file_size(path)
    _check_signature(path, size)
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise _not_opened(error, size) from error
    with file, _damage_named(size):
        check_version(file)
        yield file


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
        old = file.get("nwb_version")
        if isinstance(old, h5py.Dataset) and old.shape == ():
            raise _too_old(str(old.asstr(errors="replace")[()]), place="/nwb_version")
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


def _regular_file_size(path: Path) -> int:
    try:
        state = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _missing(path) from error
    except PermissionError as error:
        raise EnvironmentFault(
            code="IN-F08",
            found=f"permission denied on the way to {path}",
            fix="ask the owner of the folders for the right to enter them",
        ) from error
    except OSError as error:
        reason = "a loop of links" if error.errno == errno.ELOOP else str(error.strerror)
        raise DataError(
            code="IN-F07",
            found=f"the path leads to no regular file ({reason})",
            fix="name the recording file itself in the sheet (column nwb)",
        ) from error
    if stat.S_ISDIR(state.st_mode):
        zarr = any((path / name).exists() for name in (".zgroup", ".zmetadata", "zarr.json"))
        raise DataError(
            code="IN-F06",
            found="this is a folder"
            + (" of Zarr-based NWB" if zarr else "")
            + ", not an HDF5 file",
            fix="name an NWB file in HDF5; Zarr-based NWB is not supported, export it with "
            "hdmf-zarr to HDF5",
        )
    if not stat.S_ISREG(state.st_mode):
        raise DataError(
            code="IN-F07",
            found=f"not a regular file but {_kind_of(state.st_mode)}",
            fix="name the recording file itself in the sheet (column nwb)",
        )
    if state.st_size == 0:
        raise DataError(
            code="IN-F02",
            found="the file is empty (0 bytes); was the transfer incomplete?",
            fix="copy the file again",
        )
    if not os.access(path, os.R_OK):
        raise EnvironmentFault(
            code="IN-F08",
            found=f"permission denied: mode {stat.filemode(state.st_mode)}, owner uid "
            f"{state.st_uid}",
            fix="ask the owner for the right to read the file",
        )
    return int(state.st_size)


def _kind_of(mode: int) -> str:
    names = {
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return names.get(stat.S_IFMT(mode), "something else")


def _missing(path: Path) -> DataError:
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        found = f"not found, and neither is the folder {path.parent}"
    else:
        close = difflib.get_close_matches(path.name, names, n=1)
        found = "not found" + (f"; the folder has '{close[0]}'" if close else " in its folder")
    return DataError(code="IN-F01", found=found, fix="correct the path in the sheet (column nwb)")


def _check_signature(path: Path, size: int) -> None:
    """HDF5 puts its signature at 0, 512, 1024, 2048, ...; before it a user block may stand."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
        if head.startswith(SIGNATURE):
            return
        offset = 512
        while offset < size:
            stream.seek(offset)
            if stream.read(len(SIGNATURE)) == SIGNATURE:
                return
            offset *= 2
    looks, fix = _looks_like(head)
    raise DataError(
        code="IN-F05", found=f"not an HDF5 file ({size} bytes); it looks like {looks}", fix=fix
    )


def _looks_like(head: bytes) -> tuple[str, str]:
    again = "download or export the recording again"
    text = head[:512].lstrip().lower()
    if head.startswith(b"\x1f\x8b"):
        return "a gzip archive", "unpack it with gunzip and name the unpacked file"
    if head.startswith(b"PK\x03\x04"):
        return "a zip archive", "unpack it and name the unpacked file"
    if text.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer", "fetch the content with: git lfs pull"
    if b"/annex/objects/" in head[:512]:
        return "a git-annex pointer", "fetch the content with: datalad get, or git annex get"
    if text.startswith((b"<!doctype html", b"<html")):
        return "an HTML page, perhaps a login page", "sign in and download the recording again"
    if not any(head):
        return "a block of zeros", again
    if _is_text(head):
        return "a text file", "export the recording as NWB; text tables are not read"
    return "another binary format", again


def _is_text(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:  # a letter cut at the end of the sample is no fault
            return False
    return b"\0" not in head


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
