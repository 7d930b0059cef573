"""Arguments of the commands that read settings, named as Snakemake names them."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.config.load import flat_overrides
from pipeline.core.errors import ConfigError


def add_settings_arguments(parser: argparse.ArgumentParser, *, default: Path | None) -> None:
    """Declare ``--configfile`` and ``--config``."""
    shown = f" (default: {default})" if default is not None else ""
    parser.add_argument(
        "--configfile", type=Path, default=default, metavar="FILE", help=f"settings file{shown}"
    )
    parser.add_argument(
        "--config",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="settings over those of the file, such as methods.connectome.rank=4",
    )


def add_directory_argument(parser: argparse.ArgumentParser) -> None:
    """Declare ``--directory``, for commands on the results of a run that had one."""
    parser.add_argument(
        "--directory",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="where the workflow ran, from which a relative folder of results starts (default: "
        "here)",
    )


def overrides(entries: list[str]) -> dict[str, object]:
    """What ``--config`` says, by dotted key.

    Raises
    ------
    ConfigError
        If an entry is not ``KEY=VALUE``.
    """
    given: dict[str, object] = {}
    for entry in entries:
        key, separator, value = entry.partition("=")
        if not separator or not key:
            raise ConfigError(
                code="CF-K01",
                file="--config",
                place=entry or "-",
                found=f"'{entry}' is not of the form KEY=VALUE",
                fix="write for example --config methods.connectome.rank=4",
            )
        given |= flat_overrides({key: value})
    return given
