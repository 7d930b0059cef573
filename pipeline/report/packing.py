"""Numbers and libraries as short text inside a page."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import ArrayLike, NDArray

LIBRARY = "plotly-cartesian.min.js.gz"
"""Plotly's build for cartesian axes: a fourth of the one in its Python package."""

# A code must stay free for missing values.
MOST_CODES = 255


def pack_array(values: ArrayLike, *, exact: bool = False) -> dict[str, object]:
    """An array as base64 of 32-bit floats, or as one byte a cell where few values occur.

    Parameters
    ----------
    values
        Numbers of any shape.
    exact
        Keep 64 bits, for coordinates whose differences matter.

    Returns
    -------
    ``type`` (``f4``, ``f8`` or ``u1``), ``data``, ``shape``, and for ``u1`` the ``levels`` that
    the codes stand for; code 255 is a missing value.
    """
    if exact:
        wide = np.ascontiguousarray(values, dtype="<f8")
        return {"type": "f8", "data": _base64(wide.tobytes()), "shape": list(wide.shape)}
    array: NDArray[np.float32] = np.ascontiguousarray(values, dtype="<f4")
    missing = np.isnan(array)
    levels, codes = np.unique(array[~missing], return_inverse=True)
    if array.size > 4 * levels.size and levels.size < MOST_CODES and np.all(np.isfinite(levels)):
        coded = np.full(array.shape, MOST_CODES, dtype=np.uint8)
        coded[~missing] = codes
        return {
            "type": "u1",
            "data": _base64(coded.tobytes()),
            "shape": list(array.shape),
            "levels": _base64(levels.astype("<f4").tobytes()),
        }
    return {"type": "f4", "data": _base64(array.tobytes()), "shape": list(array.shape)}


def pack_json(content: object) -> str:
    """JSON, compressed, as base64; the same content gives the same text.

    Raises
    ------
    ValueError
        If a number is not finite: numbers belong into :func:`pack_array`.
    """
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _base64(gzip.compress(text.encode(), 9, mtime=0))


def script_hash(text: str) -> str:
    """The name by which a content security policy allows a script of this text."""
    return f"'sha256-{_base64(hashlib.sha256(text.encode()).digest())}'"


@lru_cache(maxsize=1)
def plotly_packed() -> tuple[str, str]:
    """Plotly's library, compressed as base64, and the policy's name of the unpacked text."""
    packed = files("pipeline.report").joinpath("library", LIBRARY).read_bytes()
    return _base64(packed), script_hash(gzip.decompress(packed).decode("utf-8"))


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
