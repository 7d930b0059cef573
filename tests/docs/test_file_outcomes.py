"""The page on what becomes of files says what becomes of them."""

from __future__ import annotations

import difflib
import re

import pytest

from pipeline.core.errors import CODES
from tests.support import file_outcomes
from tests.support.bad_inputs import minds_permissions
from tests.support.file_outcomes import PAGE, SOURCES, page
from tests.support.needed import lacking

COMMAND = "python -m tests.support.file_outcomes --write"


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.skipif(
    not all(path.exists() for path in SOURCES), reason="the files are not beside the checkout"
)
def test_the_page_is_current():
    if not minds_permissions():
        lacking("root may read every file here, also one that nobody may (setpriv is missing)")
    lines = difflib.unified_diff(
        PAGE.read_text(encoding="utf-8").splitlines(),
        page().splitlines(),
        fromfile="docs/files.md",
        tofile=f"docs/files.md as `{COMMAND}` would write it",
        n=0,
        lineterm="",
    )
    assert "\n".join(lines) == ""


def test_every_code_on_the_page_is_one_of_ours():
    told = set(re.findall(r"\b(?:IN|CF|ME|RN)-[A-Z]\d\d\b", PAGE.read_text(encoding="utf-8")))
    assert told <= set(CODES)
    assert len(told) > 60


def test_names_of_files_cannot_break_the_table():
    cell = file_outcomes._cell("a|b <i>*c*</i> [d](e) `f`\ng\x1b")
    assert cell == r"a&#124;b &lt;i>&#42;c&#42;&lt;/i> \[d\](e) \`f\`<br>g\x1b"
