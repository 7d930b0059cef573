"""Figures of a report as SVG files for papers, with the numbers behind the tables."""

from __future__ import annotations

import argparse
from pathlib import Path

NAME = "figures"
HELP = "draw the figures of a section.json as SVG, for papers"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("section", type=Path, help="for example results/E/connectome/section.json")
    parser.add_argument(
        "--tables",
        choices=("tsv", "csv", "parquet"),
        default="tsv",
        help="format of tables (default: tsv)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder (default: figures beside the section)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Draw them and name the files."""
    from pipeline.stages.figures import draw_section

    folder = arguments.out or arguments.section.parent / "figures"
    for path in draw_section(arguments.section, folder=folder, tables=arguments.tables):
        print(path)
    return 0
