"""The methods of the project, in a table."""

from __future__ import annotations

import argparse

from pipeline import registry

NAME = "methods"
HELP = "the methods, and what they work on"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments: none."""


def run(arguments: argparse.Namespace) -> int:
    """Print the table."""
    rows = [("method", "works on", "title", "paper")]
    for name, spec in registry.methods().items():
        rows.append((name, " or ".join(spec.kinds), spec.title, spec.citation))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(map(str.ljust, row, widths)).rstrip())
    return 0
