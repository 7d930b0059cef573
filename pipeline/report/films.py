"""Films on a page: their frames beside each other in one picture, which the style sheet moves."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np

from pipeline.core.parts import Film, Films


@dataclass(frozen=True, slots=True)
class Strip:
    """One film as the template needs it."""

    style: str
    """Declarations for the element that shows it."""


def film_strip(film: Film, part: Films) -> Strip:
    """Frames beside each other as a picture within the page, and when which of them is seen.

    No script takes part: the style sheet steps through the picture while a box is ticked, so that
    a page that forbids everything but its own scripts can show it, and nothing moves unasked.
    """
    n_frames, height, width = film.frames.shape
    length = n_frames * part.frame_s
    still = (part.still + 0.5) * part.frame_s
    picture = base64.b64encode(film_png(film)).decode("ascii")
    style = (
        f"--frames:{n_frames};--length:{length:.4g}s;--still:-{still:.4g}s;"
        f"aspect-ratio:{width}/{height};background-image:url(data:image/png;base64,{picture})"
    )
    return Strip(style=style)


def film_png(film: Film) -> bytes:
    """All frames of a film beside each other, the first on the left, as a PNG with its title."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    told = PngInfo()
    told.add_itxt("Title", film.title.encode("utf-8", errors="replace").decode())
    buffer = io.BytesIO()
    strip = np.ascontiguousarray(np.concatenate(list(film.frames), axis=1))
    Image.fromarray(strip).save(buffer, format="PNG", optimize=True, pnginfo=told)
    return buffer.getvalue()
