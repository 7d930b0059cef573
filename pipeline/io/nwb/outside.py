"""Files that links of a recording lead to: opened only where that is allowed.

A recording may come from anybody, and a link in it may name any file of the user. So the link's
text is looked at before HDF5 may follow it: its target has to be a regular file in the folder of
the recording, or in one that the settings allow, once all links of the file system are resolved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path

import h5py

from pipeline.core.errors import DataError, PipelineError
from pipeline.io.nwb.files import check_signature, regular_file_size


class _Outside:
    """Folders in which files may be opened, and the files opened there."""

    def __init__(self, folders: Sequence[Path], opened: ExitStack) -> None:
        self._folders = tuple(folder.resolve() for folder in folders)
        self._opened = opened
        self.files: dict[Path, h5py.File] = {}
        self.met: dict[Path, None] = {}
        """Files that were found fit to be opened."""

    def path(self, name: str, *, named_in: h5py.File, where: str) -> tuple[Path, int]:
        """A regular file that may be read, and its bytes."""
        target = (Path(named_in.filename).parent / name).resolve()
        if not any(target.is_relative_to(folder) for folder in self._folders):
            raise DataError(
                code="IN-F14",
                place=where,
                found=f"a link leads to another file, '{name}', outside the folder of the "
                "recording",
                fix="store the data in this file (pynwb's export resolves links), or, if you "
                "trust it, name that folder in the setting 'prepare.allow_external'",
            )
        if not target.exists():
            raise DataError(
                code="IN-F15",
                place=where,
                found=f"a link leads to '{name}', and there is no such file",
                fix="copy that file beside the recording too",
            )
        with _told_of(name, where):
            return target, regular_file_size(target)

    def file(self, name: str, *, named_in: h5py.File, where: str) -> h5py.File:
        target, size = self.path(name, named_in=named_in, where=where)
        if target not in self.files:
            with _told_of(name, where):
                check_signature(target, size)
                self.files[target] = self._opened.enter_context(_hdf5(target))
            self.met[target] = None
        return self.files[target]

    def at_end(self, close: Callable[[], None]) -> None:
        self._opened.callback(close)


_CURRENT: ContextVar[_Outside | None] = ContextVar("files outside a recording", default=None)


@contextmanager
def outside_of(path: Path, *, allow_external: Sequence[str]) -> Iterator[None]:
    """Let links be followed from a recording while the block lasts.

    Parameters
    ----------
    path
        The recording's file; links may lead to files in its folder.
    allow_external
        Further folders.
    """
    with ExitStack() as opened:
        folders = [path.resolve().parent, *map(Path, allow_external)]
        token = _CURRENT.set(_Outside(folders, opened))
        try:
            yield
        finally:
            _CURRENT.reset(token)


def linked_file(name: str, *, named_in: h5py.File, where: str) -> h5py.File:
    """A file that a link names, open for reading as long as the recording.

    Parameters
    ----------
    name
        Its name as the link has it; a relative one starts in the folder of ``named_in``.
    where
        HDF5 path of the link.

    Raises
    ------
    DataError
        If it lies elsewhere than allowed (IN-F14), is missing (IN-F15) or is no whole HDF5 file.
    EnvironmentFault
        If it may not be read.
    """
    current = _CURRENT.get()
    return (current or _Outside((), ExitStack())).file(name, named_in=named_in, where=where)


def linked_path(name: str, *, named_in: h5py.File, where: str) -> tuple[Path, int]:
    """A file of another format that a recording names, and its bytes; it is not opened.

    Parameters
    ----------
    name, where
        As for :func:`linked_file`.

    Raises
    ------
    DataError, EnvironmentFault
        If it lies elsewhere than allowed (IN-F14), is missing (IN-F15) or is no regular file that
        may be read.
    """
    current = _CURRENT.get() or _Outside((), ExitStack())
    path, n_bytes = current.path(name, named_in=named_in, where=where)
    current.met[path] = None
    return path, n_bytes


def _hdf5(path: Path) -> h5py.File:
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise DataError(
            code="IN-F04",
            found=f"damaged: HDF5 cannot open it ({' '.join(str(error).split()).rstrip('.')})",
            fix="copy that file again, and compare its checksum with the source",
        ) from error


@contextmanager
def _told_of(name: str, where: str) -> Iterator[None]:
    """What is wrong with a file, told as of one that the recording names."""
    try:
        yield
    except PipelineError as error:
        found = f"'{name}', which the recording names: {error.found}"
        raise type(error)(code=error.code, place=where, found=found, fix=error.fix) from error


def at_end(close: Callable[[], None]) -> None:
    """Have something closed together with the recording that is open now."""
    current = _CURRENT.get()
    if current is not None:
        current.at_end(close)


def files_met() -> tuple[Path, ...]:
    """Files besides the recording to which links in it have led so far."""
    current = _CURRENT.get()
    return () if current is None else tuple(current.met)


def follows_links() -> bool:
    """Whether links have led to other HDF5 files so far."""
    current = _CURRENT.get()
    return current is not None and bool(current.files)
