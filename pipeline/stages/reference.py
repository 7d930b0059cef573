"""Files of the repository that are made from the settings models and the sheet's columns."""

from __future__ import annotations

import difflib
import json
from pathlib import Path

import pipeline
from pipeline.config.reference import settings_markdown, settings_schema
from pipeline.io.sheets import column_markdown, column_schema

PROJECT_FOLDER = Path(pipeline.__file__).parents[1]

_DOCUMENT = """\
# Settings

Made by `python -m pipeline config --write` from the code; change the descriptions there.

A settings file is YAML. Only `recordings` is needed; every other setting has a default. What this
page writes under a heading `a.b` stands in the file as

    a:
      b:
        setting: value

`python -m pipeline config` prints all settings with their explanations in this form, and
`python -m pipeline check --configfile my.yaml` says what is wrong with a file, all at once.

A setting can be changed for one run: `./run.sh --config 'methods={{connectome: {{rank: 4}}}}'` (the
commands of `python -m pipeline` also take `methods.connectome.rank=4`; Snakemake does not). The
report marks every setting that is not the default. `seed`, `prepare` and `methods` change numbers;
`run` changes none: its `redact`, `page_limit_mb`, `table_formats` and `figure_formats` make
reports anew, the others nothing.

{settings}
# The recording sheet

One line a recording, separated by tabs, with the names of the columns in the first line. Entries
are text as written. Any further column is a study variable (genotype, day, ...) and is kept.

{columns}
"""


def files() -> dict[str, str]:
    """Text of each file, by its path in the project."""
    return {
        "docs/settings.md": _DOCUMENT.format(
            settings=settings_markdown(), columns=column_markdown()
        ),
        "workflow/schemas/config.schema.json": _json(settings_schema()),
        "workflow/schemas/recordings.schema.json": _json(column_schema()),
    }


def write_files(folder: Path) -> tuple[Path, ...]:
    """Write the files below the project's folder."""
    written = []
    for name, text in files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return tuple(written)


def stale_files(folder: Path) -> dict[str, str]:
    """The files that are not in step with the code, each with its difference."""
    stale = {}
    for name, text in files().items():
        path = folder / name
        found = path.read_text(encoding="utf-8") if path.exists() else ""
        if found != text:
            lines = difflib.unified_diff(
                found.splitlines(),
                text.splitlines(),
                fromfile=f"{name} in the repository",
                tofile=f"{name} as `python -m pipeline config --write` would write it",
                lineterm="",
            )
            stale[name] = "\n".join(lines)
    return stale


def _json(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
