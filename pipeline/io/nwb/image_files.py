"""Frames in image files."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import DataError
from pipeline.io.nwb.external_files import (
    STORE_INSIDE,
    ExternalFile,
    check_counts,
    damaged,
    size_words,
    unusable,
)
from pipeline.io.nwb.file_frames import FileFrames
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.nwb.values import check_declared

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("TIFF", "PNG", "JPEG", "BMP")
"""Formats that are read; Pillow knows others that start programs or cannot keep numbers."""
GREY = ("1", "L", "I", "I;16", "I;16B", "F")
COLOURS = {"RGB": 3, "RGBA": 4}
CONVERTED = {"P": "RGB", "PA": "RGBA", "LA": "RGBA"}
"""Pillow's modes of pixels that are read, colours with their channels; the last ones are indices
into a palette, or grey with a second channel, and become what they show."""


def image_frames(
    series: h5py.Group, files: Sequence[ExternalFile], *, options: ReadOptions
) -> ImageFrames:
    """The frames of image files that a series names, as a source.

    Every file is looked at, and every frame's size, before any frame is decoded.

    Raises
    ------
    DataError
        If a file is no image of a kind that is read, or if frames differ in size or do not stand
        where the series says.
    """
    shapes: set[tuple[int, ...]] = set()
    counts: list[int] = []
    declared = 0
    for one in files:
        with _opened(one, series.name) as image:
            own = [_shape(image, one, series.name) for _ in _pages(image)]
            declared += len(own) * math.prod(image.size) * _pixel_bytes(image)
        shapes.update(own)
        counts.append(len(own))
        if len(shapes) > 1:
            sizes = " and ".join(sorted(size_words(shape) for shape in shapes))
            raise unusable(series.name, f"its frames differ in size: {sizes} in '{one.name}'")
    first = np.concatenate([[0], np.cumsum(counts)])
    check_counts(series, first)
    shape = (int(first[-1]), *shapes.pop())
    check_declared(
        declared=declared,
        stored=sum(one.n_bytes for one in files),
        chunk=4 * math.prod(shape[1:]),
        place=f"{series.name}/external_file",
        max_gb=options.max_series_gb,
    )
    return ImageFrames(series.name, tuple(files), first, shape)


def image_words(one: ExternalFile, place: str) -> str:
    """Size and colour of a file's first frame."""
    with _opened(one, place) as image:
        return size_words(_shape(image, one, place))


@dataclass(slots=True, eq=False)
class ImageFrames(FileFrames):
    """Frames of image files."""

    _open: tuple[int, Image] | None = field(default=None, init=False)

    def _frame(self, number: int, at: int) -> NDArray[Any]:
        one = self.files[at]
        # The file stays open: the pages of a stack are found by walking over those before them.
        if self._open is None or self._open[0] != at:
            self._close()
            with _damage_told(one, self.place):
                self._open = at, _image(one.path)
        image = self._open[1]
        with _damage_told(one, self.place):
            image.seek(number - int(self.first[at]))
            target = CONVERTED.get(image.mode)
            pixels = np.asarray(image.convert(target) if target else image)
        if pixels.swapaxes(0, 1).shape != self.shape[1:]:
            raise damaged(one, self.place, f"frame {number} has shape {pixels.shape}")
        return pixels.swapaxes(0, 1)

    def _close(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None


def _image(path: Path) -> Image:
    import warnings

    from PIL import Image

    with warnings.catch_warnings():
        # How large a frame may be is decided where its size is known.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(path, formats=FORMATS)


@contextlib.contextmanager
def _opened(one: ExternalFile, place: str) -> Iterator[Image]:
    from PIL import Image, UnidentifiedImageError

    try:
        image = _image(one.path)
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        why = (
            "is no image of a kind that is read (TIFF, PNG, JPEG, BMP)"
            if isinstance(error, UnidentifiedImageError)
            else "has more pixels than a frame can have"
        )
        raise DataError(
            code="IN-T11", place=place, found=f"'{one.name}' {why}", fix=STORE_INSIDE
        ) from error
    with image, _damage_told(one, place):
        yield image


def _pages(image: Image) -> Iterator[int]:
    """Go through the frames of a file; a TIFF file may hold many."""
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        yield number


def _shape(image: Image, one: ExternalFile, place: str) -> tuple[int, ...]:
    """Pixels along x and y, and channels where there are several."""
    mode = CONVERTED.get(image.mode, image.mode)
    layout = str(image.tile[0].args) if image.tile else ""  # type: ignore[attr-defined]
    if mode in COLOURS and ";16" in layout:
        why = "has colours of 16 bits, of which only 8 could be read"
    elif mode in COLOURS:
        return (*image.size, COLOURS[mode])
    elif mode in GREY:
        return image.size
    else:
        why = f"has pixels of kind {mode}, which are neither grey nor red, green and blue"
    raise DataError(code="IN-T11", place=place, found=f"'{one.name}' {why}", fix=STORE_INSIDE)


def _pixel_bytes(image: Image) -> int:
    """Bytes of a pixel before compression."""
    from PIL import ImageMode

    mode = ImageMode.getmode(image.mode)
    return len(mode.bands) * np.dtype(mode.typestr).itemsize


@contextlib.contextmanager
def _damage_told(one: ExternalFile, place: str) -> Iterator[None]:
    """What Pillow says about broken files, as damage."""
    try:
        yield
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise damaged(one, place, " ".join(str(error).split()).rstrip(".")) from error
