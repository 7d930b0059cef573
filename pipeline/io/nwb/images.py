"""Images that were shown by number: stacks of them, and which one stood at each time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.core.arrays import ArraySource
from pipeline.core.errors import DataError
from pipeline.core.recording import StimulusImages
from pipeline.io.nwb.external_files import names_files
from pipeline.io.nwb.external_frames import external_frames
from pipeline.io.nwb.objects import NwbObject, child, referenced, text_attribute
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.nwb.samples import scaled
from pipeline.io.nwb.values import (
    check_filters,
    check_size,
    check_streamed,
    is_numeric,
    is_vector,
    read_all,
    read_piece,
    time_base,
)

COLOURS = (3, 4)
"""Channels of colour images: red, green, blue, and how opaque they are."""


def shown_images(item: NwbObject, *, options: ReadOptions) -> StimulusImages:
    """The images of an ``IndexSeries``, each once, and the order in which they were shown.

    Raises
    ------
    DataError
        If the images are not there, differ in size, have no order, or numbers go past them.
    """
    data = child(item.group, "data")
    if not isinstance(data, h5py.Dataset) or len(data.shape) != 1 or not is_numeric(data):
        raise _unusable(item, "it has no numbers of images")
    target = indexed(item)
    if target is None:
        raise _unusable(item, "it refers to no images")
    frames = child(target, "data")
    stack: ArraySource
    if names_files(target) and not holds_frames(frames):
        stack = with_channel(external_frames(target, options=options))
    elif isinstance(frames, h5py.Dataset):
        stack = with_channel(frame_source(frames, options=options))
    else:
        stack = _stack(item, target, max_gb=options.max_series_gb)
    numbers = read_all(data)
    outside = (numbers < 0) | (numbers >= stack.shape[0]) | (numbers != np.floor(numbers))
    if outside.any():
        first = int(np.flatnonzero(outside)[0])
        raise _unusable(
            item, f"number {numbers[first]:g} at {first} is none of {stack.shape[0]} images"
        )
    return StimulusImages(
        values=stack,
        shown=numbers.astype(np.int64),
        time=time_base(item.group, n_samples=numbers.size),
        value_unit=text_attribute(frames, "unit") if isinstance(frames, h5py.Dataset) else "",
    )


def indexed(item: NwbObject) -> h5py.Group | None:
    """What the numbers of an ``IndexSeries`` count: a container of images or a series."""
    for name in ("indexed_images", "indexed_timeseries"):
        found = child(item.group, name)
        if isinstance(found, h5py.Group):
            return found
    return None


def frame_source(data: h5py.Dataset, *, options: ReadOptions) -> ArraySource:
    """Frames of a series as a source of shape (frame, x, y), and of channels if in colour."""
    is_colour = len(data.shape) == 4 and data.shape[-1] in COLOURS
    if not is_numeric(data) or not (len(data.shape) == 3 or is_colour) or 0 in data.shape:
        raise DataError(
            code="IN-C28",
            place=data.name,
            found=f"frames are {data.dtype} of shape {data.shape}, neither grey nor in colour",
            fix="store frames as time x X x Y, or with 3 or 4 channels of colour",
        )
    check_filters(data)
    return scaled(data, max_gb=options.max_series_gb)


def with_channel(frames: ArraySource) -> ArraySource:
    """Frames of shape (image, x, y, channel)."""
    return _OneChannel(frames) if len(frames.shape) == 3 else frames


def holds_frames(data: h5py.Group | h5py.Dataset | None) -> bool:
    """Whether there are any samples."""
    return isinstance(data, h5py.Dataset) and 0 not in data.shape


def _stack(item: NwbObject, container: h5py.Group, *, max_gb: float | None) -> ArraySource:
    images = _in_order(item, container)
    shapes = {(*image.shape, 1)[:3] for image in images}
    if len(shapes) != 1 or len(next(iter(shapes))) != 3:
        raise _unusable(item, f"its {len(images)} images are not of one size")
    for image in images:
        if not is_numeric(image) or len(image.shape) not in (2, 3):
            raise _unusable(item, f"{image.name} is {image.dtype} of shape {image.shape}")
        check_streamed(image, max_gb=max_gb)
        check_filters(image)
    return _Stack(tuple(images), (len(images), *next(iter(shapes))))


def _in_order(item: NwbObject, container: h5py.Group) -> list[h5py.Dataset]:
    order = child(container, "order_of_images")
    if isinstance(order, h5py.Dataset):
        return _referenced_images(item, order)
    found = [child(container, name) for name in sorted(container)]
    images = [image for image in found if isinstance(image, h5py.Dataset)]
    if not images:
        raise _unusable(item, f"{container.name} holds no images")
    if len(images) > 1:
        raise _unusable(item, f"the images of {container.name} have no order (order_of_images)")
    return images


def _referenced_images(item: NwbObject, order: h5py.Dataset) -> list[h5py.Dataset]:
    """The images that a list of references names; one that names none would shift the others."""
    if h5py.check_ref_dtype(order.dtype) is not h5py.Reference or not is_vector(order):
        raise _unusable(item, f"{order.name} is no list of references to images")
    check_size(order)
    references = read_piece(order, (slice(None),)).reshape(-1)
    found = [referenced(order.file, reference, where=order.name) for reference in references]
    images = [image for image in found if isinstance(image, h5py.Dataset)]
    if not images or len(images) < len(found):
        raise _unusable(
            item, f"{len(images)} of the {len(found)} entries of {order.name} lead to an image"
        )
    return images


def _unusable(item: NwbObject, why: str) -> DataError:
    return DataError(
        code="IN-T11",
        place=item.path,
        found=why,
        fix="write the images with their order, and numbers that count them from 0",
    )


@dataclass(frozen=True, slots=True, eq=False)
class _OneChannel:
    """Grey frames with an axis of one channel, as a source."""

    frames: ArraySource

    @property
    def shape(self) -> tuple[int, ...]:
        return (*self.frames.shape, 1)

    @property
    def chunks(self) -> tuple[int, ...] | None:
        stored = getattr(self.frames, "chunks", None)
        return None if stored is None else (*stored, 1)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.frames.dtype

    def __getitem__(self, key: slice | tuple[slice, ...], /) -> NDArray[Any]:
        parts = key if isinstance(key, tuple) else (key,)
        return self.frames[parts[:3]][..., None][(slice(None),) * 3 + parts[3:]]


@dataclass(frozen=True, slots=True, eq=False)
class _Stack:
    """Images of one size that are stored one by one, as a source."""

    images: tuple[h5py.Dataset, ...]
    shape: tuple[int, ...]

    @property
    def chunks(self) -> tuple[int, ...]:
        return (1, *self.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float32)

    def __getitem__(self, key: slice | tuple[slice, ...], /) -> NDArray[np.float32]:
        parts = key if isinstance(key, tuple) else (key,)
        whole = (slice(None),) * 3
        return np.stack(
            [
                read_piece(image, (slice(None),) * len(image.shape))
                .reshape(self.shape[1:])[(*parts[1:], *whole)[:3]]
                .astype(np.float32)
                for image in self.images[parts[0]]
            ]
        )
