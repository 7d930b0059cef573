"""A model of the user's own, kept whole, so that a result does not need the file it came from."""

from __future__ import annotations

import importlib
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes
from pipeline.core.errors import ConfigError
from pipeline.methods.celltypes.encoding.config import SuppliedConfig

PLACE = "methods.celltypes.encoding.supplied"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Supplied:
    """What is needed to have the model again."""

    kind: str
    """As in :class:`SuppliedConfig`."""
    factory: str
    centred: bool
    content: NDArray[np.uint8] = axes("byte")
    """Of the file; empty for a function."""

    def __post_init__(self) -> None:
        check_axes(self)

    def load(self) -> Callable[..., Any]:  # Any: of torch
        """The module, or the function.

        Raises
        ------
        ConfigError
            If its code cannot be imported, or the content is no such model (CF-K05).
        """
        import torch

        content = io.BytesIO(self.content.tobytes())
        try:
            if self.kind == "torchscript":
                with warnings.catch_warnings():
                    # TorchScript has a successor, but users' models are files of today.
                    warnings.simplefilter("ignore", DeprecationWarning)
                    script: Callable[..., Any] = torch.jit.load(  # type: ignore[no-untyped-call]
                        content, map_location="cpu"
                    )
                return script
            made: Callable[..., Any] = _named(self.factory)
            if self.kind == "callable":
                return made
            module = made()
            module.load_state_dict(torch.load(content, map_location="cpu", weights_only=True))
        except Exception as error:  # torch and users' code raise any type
            raise ConfigError(
                code="CF-K05",
                place=PLACE,
                found=f"the {self.kind} cannot be loaded ({type(error).__name__}: {error})",
                fix="give a file and a factory that belong together",
            ) from error
        loaded: Callable[..., Any] = module
        return loaded


def supplied_model(config: SuppliedConfig) -> Supplied:
    """The model that the settings name, its file read.

    Raises
    ------
    ConfigError
        If the file cannot be read (CF-K05).
    """
    content = b""
    if config.kind != "callable":
        try:
            content = Path(config.path).read_bytes()
        except OSError as error:
            raise ConfigError(
                code="CF-K05",
                place=f"{PLACE}.path",
                found=f"'{config.path}' cannot be read ({error.strerror})",
                fix="name the file of the model",
            ) from error
    return Supplied(
        kind=config.kind,
        factory=config.factory,
        centred=config.centred,
        content=np.frombuffer(content, dtype=np.uint8),
    )


def _named(factory: str) -> Any:  # Any: of the user
    module, _, name = factory.partition(":")
    return getattr(importlib.import_module(module), name)
