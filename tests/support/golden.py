"""Reference numbers, found by what files hold and not by what they are called."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]


def golden_files(method: str, *keys: str) -> list[dict[str, np.ndarray]]:
    """Contents of the method's reference files that have all of some keys.

    Files below ``$NEUROPTYCH_GOLDEN`` are read where it is set, else those beside the checkout,
    else the copy that comes with the tests.
    """
    chosen = os.environ.get("NEUROPTYCH_GOLDEN")
    beside, copied = ROOT.parent / "shared/data/golden", ROOT / "tests/data/golden"
    folder = Path(chosen) if chosen else (beside if beside.is_dir() else copied)
    found = []
    for path in sorted((folder / method).rglob("*.npz")):
        with np.load(path) as file:
            if set(keys) <= set(file.files):
                found.append(dict(file))
    if not found:
        raise FileNotFoundError(f"No reference file below {folder / method} has {', '.join(keys)}.")
    return found
