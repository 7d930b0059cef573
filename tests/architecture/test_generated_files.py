"""Files made from the code are in step with it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from pipeline.io.sheets import COLUMN_NAMES
from pipeline.stages.reference import PROJECT_FOLDER, files, stale_files, write_files

ROOT = Path(__file__).resolve().parents[2]


def test_the_files_in_the_repository_are_current():
    stale = stale_files(ROOT)
    assert not stale, "Run `python -m pipeline config --write`.\n" + "\n".join(stale.values())


def test_the_project_is_found():
    assert PROJECT_FOLDER.resolve() == ROOT


def test_a_difference_is_shown_line_by_line(tmp_path):
    write_files(tmp_path)
    assert stale_files(tmp_path) == {}
    page = tmp_path / "docs" / "settings.md"
    page.write_text(page.read_text().replace("| `seed` |", "| `sead` |"))
    (tmp_path / "workflow" / "schemas" / "recordings.schema.json").unlink()
    stale = stale_files(tmp_path)
    assert set(stale) == {"docs/settings.md", "workflow/schemas/recordings.schema.json"}
    assert "-| `sead` |" in stale["docs/settings.md"]
    assert "+| `seed` |" in stale["docs/settings.md"]


def test_the_page_on_recordings_explains_every_column_of_the_sheet():
    text = (ROOT / "data" / "README.md").read_text()
    explained = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert tuple(explained) == COLUMN_NAMES


def test_schemas_are_json():
    for name, text in files().items():
        if name.endswith(".json"):
            assert json.loads(text)["type"] == "object"
