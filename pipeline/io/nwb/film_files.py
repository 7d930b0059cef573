"""Frames in films: AVI, MP4, MOV and MKV, decoded by FFmpeg's libraries (PyAV)."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.io.nwb.external_files import (
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
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

HEAD_BYTES = 12
MAX_GB = 32.0
"""Most that the frames of a film may fill as 32-bit numbers where no limit is set, 10^9 bytes:
films compress so well that a small file may hold more than a disk."""
SMALLER = (
    "make a smaller film, for example with: ffmpeg -i FILM -vf scale=64:-2,format=gray -c:v ffv1 "
    "SMALL.avi; or raise 'prepare: {limits: {max_series_gb: ...}}'"
)


def is_film(one: ExternalFile) -> bool:
    """Whether the first bytes are those of a film of a kind that is read."""
    return bool(_container(one))


def film_frames(
    series: h5py.Group, files: Sequence[ExternalFile], *, options: ReadOptions
) -> FilmFrames:
    """The frames of films that a series names, one film after another, as a source.

    Packets are counted and the size is looked at before any frame is decoded.

    Raises
    ------
    DataError
        If a film cannot be opened, sizes differ, frames do not stand where the series says, or
        all of them together are larger than allowed.
    """
    shapes, counts = [], []
    for one in files:
        with _opened(one, series.name) as (container, stream):
            shapes.append(_shape(stream, one, series.name))
            counts.append(sum(packet.size > 0 for packet in container.demux(stream)))
        if shapes[-1] != shapes[0]:
            sizes = f"{size_words(shapes[0])} and {size_words(shapes[-1])}"
            raise unusable(series.name, f"its frames differ in size: {sizes} in '{one.name}'")
    first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    check_counts(series, first)
    shape = (int(first[-1]), *shapes[0])
    n_bytes = 4 * int(np.prod(shape))
    allowed_gb = MAX_GB if options.max_series_gb is None else options.max_series_gb
    if n_bytes > allowed_gb * 1e9:
        found = (
            f"its {shape[0]} frames of {size_words(shape[1:])} fill {n_bytes / 1e9:.4g} GB; the "
            f"limit is {allowed_gb:.4g} GB"
        )
        raise unusable(series.name, found, fix=SMALLER)
    # A film may well be a thousand times smaller than its frames, so that is no sign of harm.
    check_declared(
        declared=n_bytes,
        stored=n_bytes,
        chunk=4 * int(np.prod(shape[1:])),
        place=f"{series.name}/external_file",
        max_gb=None,
    )
    return FilmFrames(series.name, tuple(files), first, shape)


def film_words(one: ExternalFile, place: str) -> str:
    """Kind, size and rate of a film's frames."""
    with _opened(one, place) as (_, stream):
        rate = f", {float(stream.average_rate):g} Hz" if stream.average_rate else ""
        return f"{stream.codec_context.name}, {size_words(_shape(stream, one, place))}{rate}"


@dataclass(slots=True, eq=False)
class FilmFrames(FileFrames):
    """Frames of films.

    Frames depend on those before them, so a film is decoded from its beginning. Asked for in their
    order, each frame is decoded once.
    """

    _decoding: tuple[int, Generator[NDArray[Any]]] | None = field(default=None, init=False)
    """Number of the frame that comes next, and the frames of its film from there on."""

    def _frame(self, number: int, at: int) -> NDArray[Any]:
        start, end = int(self.first[at]), int(self.first[at + 1])
        if self._decoding is None or not start <= self._decoding[0] <= number:
            self._close()
            self._decoding = start, _decoded(self.files[at], self.place, end - start)
        come, frames = self._decoding
        for here in range(come, number + 1):
            found = next(frames)
            self._decoding = here + 1, frames
        if number + 1 == end:
            next(frames, None)  # which sees that no frame is left
            self._close()
        return found

    def _close(self) -> None:
        if self._decoding is not None:
            self._decoding[1].close()
            self._decoding = None


def _decoded(one: ExternalFile, place: str, count: int) -> Generator[NDArray[Any]]:
    """All frames of a film, each with x before y."""
    number = 0
    with _opened(one, place) as (container, stream):
        shape = _shape(stream, one, place)
        frames = container.decode(stream)
        while (frame := _next_frame(frames, one, place)) is not None:
            pixels = np.asarray(frame.to_ndarray(format=_pixel_format(stream))).swapaxes(0, 1)
            if number == count or frame.is_corrupt or pixels.shape != shape:
                raise damaged(one, place, f"frame {number} is not as its beginning says")
            yield pixels
            number += 1
        if number < count:
            raise damaged(one, place, f"{number} of {count} frames could be decoded")


def _next_frame(frames: Iterator[VideoFrame], one: ExternalFile, place: str) -> VideoFrame | None:
    """The next frame; None behind the last.

    Some decoders cover up damaged parts of a frame and only say so, which is no frame to analyse.
    """
    import av.logging

    level = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as said:
            frame = next(frames, None)
    finally:
        av.logging.set_level(level)
    if said:
        raise damaged(one, place, " ".join(said[0][2].split()).rstrip(".!"))
    return frame


def _container(one: ExternalFile) -> str:
    """FFmpeg's name for the kind of film, by its first bytes; empty for no film."""
    with one.path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head[:4] == b"RIFF" and head[8:] == b"AVI ":
        return "avi"
    if head[4:8] == b"ftyp":
        return "mov"
    return "matroska" if head[:4] == b"\x1a\x45\xdf\xa3" else ""


@contextlib.contextmanager
def _opened(one: ExternalFile, place: str) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The film and its pictures; what FFmpeg says about broken ones is told as damage.

    The kind is given and not guessed, and nothing but files may be opened, since some of the kinds
    that FFmpeg knows name other files or addresses.
    """
    import av

    try:
        with av.open(
            one.path, format=_container(one), options={"protocol_whitelist": "file"}
        ) as container:
            if not container.streams.video:
                raise unusable(place, f"'{one.name}' holds no pictures")
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            stream.codec_context.options = {"err_detect": "crccheck+explode"}
            yield container, stream
    except av.FFmpegError as error:
        raise damaged(one, place, " ".join(str(error.strerror or error).split())) from error


def _shape(stream: VideoStream, one: ExternalFile, place: str) -> tuple[int, ...]:
    """Pixels along x and y, and three channels unless grey."""
    context = stream.codec_context
    if context.format is None or context.width * context.height == 0:
        raise damaged(one, place, "the size of its frames is not told")
    if _pixel_format(stream).startswith("gray"):
        return (context.width, context.height)
    bits = max(component.bits for component in context.format.components)
    if bits > 8:
        raise unusable(
            place, f"'{one.name}' has colours of {bits} bits, of which only 8 could be read"
        )
    return (context.width, context.height, 3)


def _pixel_format(stream: VideoStream) -> str:
    """How frames are decoded: grey of 8 or 16 bits where the film is grey, else 8-bit colours."""
    kind = stream.codec_context.format
    name = kind.name if kind is not None else ""
    if name in ("gray", "monow", "monob"):
        return "gray"
    return "gray16le" if name.startswith("gray") else "rgb24"
