"""What a path is, asked of the file system before HDF5 may see it."""

from __future__ import annotations

import difflib
import errno
import os
import stat
from pathlib import Path

from pipeline.core.errors import DataError, EnvironmentFault

SIGNATURE = b"\x89HDF\r\n\x1a\n"
ASK_THE_OWNER = "ask the owner of the file and of the folders above it for the right to read it"
"""What to do about a permission that is denied."""
_HEAD_BYTES = 4096


def regular_file_size(path: Path) -> int:
    """Bytes of a regular file that may be read.

    Raises
    ------
    DataError
        If it is missing, empty, a folder, or something that may block whoever opens it.
    EnvironmentFault
        If permission is denied.
    """
    if denied := denial(path):
        raise EnvironmentFault(code="IN-F08", found=denied, fix=ASK_THE_OWNER)
    try:
        state = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _missing(path) from error
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
            found="the file is empty (0 bytes), as after a transfer that was incomplete",
            fix="copy the file again",
        )
    return int(state.st_size)


def denial(path: Path) -> str:
    """Why a path may not be read; empty where it may, or where nothing is there."""
    try:
        state = path.stat()
    except PermissionError:
        return f"permission denied on the way to {path}"
    except (OSError, ValueError):
        return ""
    if os.access(path, os.R_OK):
        return ""
    return f"permission denied: mode {stat.filemode(state.st_mode)}, owner uid {state.st_uid}"


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


def check_signature(path: Path, size: int) -> None:
    """Refuse a file that is not HDF5, by what it looks like.

    HDF5 puts its signature at 0, 512, 1024, 2048, ...; before it a user block may stand.
    """
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
