"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import glob
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.core.errors import EnvironmentFault

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def replacing(path: Path, *, suffix: str = "") -> Iterator[Path]:
    """A temporary file beside ``path`` that takes its place when the block ends well.

    Readers see the old file or the new one, never a part. When the block raises, the temporary
    is removed and an old file stays as it was.

    Parameters
    ----------
    path
        The file to write; its folder is made if absent.
    suffix
        Ending of the temporary's name, for writers that choose a format by it.

    Yields
    ------
    An empty file in the same folder, under a name nobody else uses.

    Raises
    ------
    EnvironmentFault
        If the file system refuses (RN-R26): disk full, no permission, read-only; or if a later
        writer of ``path`` removed the temporary (:func:`remove_leftovers`). Errors about other
        files pass unchanged.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp{suffix}")
    made = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Made with the usual permissions (a temporary file of the library is for its owner only).
        made = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        yield temporary
        if not os.path.samestat(os.fstat(made), temporary.stat()):
            # Removed while we worked, and made once more by opening its name again.
            raise FileNotFoundError(errno.ENOENT, "removed by a later writer", str(temporary))
        _sync(temporary, os.O_RDWR)
        temporary.replace(path)
        _sync(path.parent, os.O_RDONLY)
    except OSError as error:
        if error.errno is None or _is_elsewhere(error, (temporary, path, *path.parents)):
            raise
        raise write_fault(path, error) from error
    finally:
        if made is not None:
            os.close(made)
        # After the rename there is nothing left of this name.
        _remove(temporary)


def remove_leftovers(path: Path) -> None:
    """Delete the temporaries that killed writers of ``path`` left beside it.

    For whoever is about to write it: a writer that lives on unseen then fails at its end, instead
    of replacing what was written meanwhile.
    """
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.tmp*"):
        _remove(leftover)


def check_room(path: Path, *, least_bytes: float) -> None:
    """Refuse to begin what cannot end well: hours of work may lie before the disk is full.

    Parameters
    ----------
    path
        The file that is to be written; its folder need not be there yet.
    least_bytes
        What it will take at the very least.

    Raises
    ------
    EnvironmentFault
        If its disk has less free (RN-R26).
    """
    folder = next(folder for folder in path.absolute().parents if folder.exists())
    disk = shutil.disk_usage(folder)
    if disk.total and disk.free < least_bytes:  # some network file systems tell nothing
        raise EnvironmentFault(
            code="RN-R26",
            file=str(path),
            found=f"there is no room: at least {least_bytes / 1e6:.3g} MB are to be written, and "
            f"{disk.free / 1e6:.3g} MB are free",
            fix=_more_room(path.parent),
        )


def _more_room(folder: Path) -> str:
    return f"free space on the disk of {folder} (or raise the quota) and run again"


def write_fault(path: Path, error: Exception) -> EnvironmentFault:
    """The error (RN-R26) that tells a user why ``path`` could not be written."""
    folder = path.parent
    number = getattr(error, "errno", None)
    if number in FULL:
        fix = _more_room(folder)
    elif number in FORBIDDEN:
        fix = f"make {folder} writable, or choose another folder with the setting 'out'"
    else:
        fix = f"check the disk of {folder} and run again"
    reason = os.strerror(number) if number else str(error)
    found = f"could not be written: {reason}"
    return EnvironmentFault(code="RN-R26", found=found, fix=fix, file=str(path))


def _is_elsewhere(error: OSError, places: tuple[Path, ...]) -> bool:
    """Whether the system names another file than those of this writing."""
    return isinstance(error.filename, str | bytes | os.PathLike) and (
        Path(os.fsdecode(error.filename)) not in places
    )


def _sync(path: Path, mode: int) -> None:
    """Ask that what was written reaches the disk, where the file system can."""
    handle = os.open(path, mode)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems cannot sync (folders above all); the data are written then.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    """Delete a temporary; that it cannot be deleted must not hide why the writing failed."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return
