"""A file that lets the HDF5 library finish when the disk does not."""

from __future__ import annotations

from io import RawIOBase
from typing import Any


class PatientFile(RawIOBase):
    """Passes on what HDF5 writes; once that fails, takes the rest without keeping it.

    The library cannot close a file that it cannot write, and its process may crash at the end.
    So it is told that all went well, and whoever wrote asks for the error afterwards.

    Parameters
    ----------
    raw
        An unbuffered file, open for reading and writing.
    """

    def __init__(self, raw: RawIOBase) -> None:
        super().__init__()
        self._raw = raw
        self._place = 0
        self.error: OSError | None = None

    def raise_error(self) -> None:
        """Raise the first error of the file system, if there was one."""
        if self.error is not None:
            raise self.error

    def write(self, data: Any) -> int:  # Any: whatever has a buffer
        """Write all of the data at the present place; the number of bytes."""
        rest = memoryview(data).cast("B")
        size = rest.nbytes
        try:
            while rest and self.error is None:
                rest = rest[self._raw.write(rest) or 0 :]
        except OSError as error:
            self.error = error
        self._place += size
        return size

    def readinto(self, buffer: Any) -> int:  # Any: whatever has a writable buffer
        """Fill the buffer from the present place; the number of bytes."""
        read = self._raw.readinto(buffer) or 0
        self._place += read
        return read

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place; where that is."""
        self._place = self._raw.seek(offset, whence)
        return self._place

    def tell(self) -> int:
        """The present place."""
        return self._place

    def truncate(self, size: int | None = None) -> int:
        """Set the length of the file."""
        length = self._place if size is None else size
        try:
            self._raw.truncate(length)
        except OSError as error:
            self.error = self.error or error
        return length

    def flush(self) -> None:
        """Nothing waits here; what is written is handed to the system at once."""
