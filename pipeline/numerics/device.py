"""Where torch computes."""

from __future__ import annotations

from typing import Literal

Device = Literal["auto", "cpu", "cuda"]


def device_of(asked: Device) -> Literal["cpu", "cuda"]:
    """``cuda`` where it is there and not refused, else ``cpu``."""
    import torch

    return "cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu"
