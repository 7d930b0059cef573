"""The methods of the project, in a table."""

from __future__ import annotations

import argparse

from pipeline import registry

NAME = "methods"
HELP = "the methods, and which of them are part of this version"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments: none."""


def run(arguments: argparse.Namespace) -> int:
    """Print the table."""
    rows = [("method", "in this version", "works on", "title", "paper")]
    found = registry.methods()
    for name in registry.announced():
        if name in found:
            spec = found[name]
            rows.append((name, "yes", spec.needs, spec.title, spec.citation))
        else:
            planned = registry.PLANNED[name]
            rows.append((name, "not yet", "-", planned.title, planned.citation))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(map(str.ljust, row, widths)).rstrip())
    return 0
