"""Where torch computes."""

from __future__ import annotations

from typing import Literal

from pipeline.core.errors import EnvironmentFault

Device = Literal["auto", "cpu", "cuda"]


def device_of(asked: Device, *, setting: str) -> Literal["cpu", "cuda"]:
    """``cuda`` where it is there and not refused, else ``cpu``; never another than was asked for.

    Parameters
    ----------
    asked
        What the settings say.
    setting
        Which setting that is, for the error.

    Raises
    ------
    EnvironmentFault
        If a graphics card is asked for and there is none (RN-R18).
    """
    import torch

    there = torch.cuda.is_available()
    if asked == "cuda" and not there:
        raise EnvironmentFault(
            code="RN-R18",
            place=setting,
            found="'cuda' is asked for, and torch "
            + (
                f"{torch.__version__} is a build without CUDA"
                if torch.version.cuda is None
                else "finds no graphics card"
            ),
            fix="run where there is one (docs/installation.md tells how to install torch for it), "
            f"or set {setting} to auto or cpu",
        )
    return "cuda" if there and asked != "cpu" else "cpu"


def device_name(device: str) -> str:
    """The device in words, for those who read how a result was made."""
    import torch

    return f"cuda ({torch.cuda.get_device_name()})" if device == "cuda" else "cpu (torch)"
