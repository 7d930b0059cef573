"""Notebooks run without a kernel: their cells one after another, in one namespace."""

from __future__ import annotations

from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).resolve().parents[2] / "docs" / "notebooks"


def run_notebook(name: str, *, folder: Path, monkeypatch) -> dict[str, object]:
    """Names that a notebook leaves behind, run beside the results in ``folder/results``.

    A cell that fails raises, with its place in the traceback. Figures stay open and are drawn
    without a screen.
    """
    beside = folder / "docs" / "notebooks"
    beside.mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(beside)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    names: dict[str, object] = {"__name__": "__main__"}
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            exec(compile(cell.source, f"{name}, cell {number}", "exec"), names)  # noqa: S102
    return names
