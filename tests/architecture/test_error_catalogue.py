"""Every error code is documented, and raised by a test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.core.errors import CODES, ConfigError

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (\S+)\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL))


def other_tests() -> str:
    here = Path(__file__).resolve()
    return "\n".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "tests").rglob("test_*.py")
        if path.resolve() != here
    )


def package() -> str:
    files = [path for path in (ROOT / "pipeline").rglob("*.py") if path.name != "errors.py"]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_explained(code):
    text = SECTIONS[code]
    meaning, cause, fix = re.fullmatch(
        r"\n(.+?)\n\n\*\*Cause\*\* (.+?)\n\*\*Do\*\* (.+?)\n*", text, re.DOTALL
    ).groups()
    assert " ".join(meaning.split()) == CODES[code]
    assert cause.endswith(".")
    assert fix.endswith(".")


def test_nothing_is_explained_that_is_no_code():
    assert set(SECTIONS) - set(CODES) == set()
    assert len(re.findall(r"^## ", PAGE, re.MULTILINE)) == len(SECTIONS)


def test_the_link_in_a_message_leads_to_its_heading():
    message = str(ConfigError(code="CF-K05", found="x", fix="y"))
    anchor = message.rpartition("#")[2]
    assert anchor in {code.lower() for code in SECTIONS}


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_used_by_the_package_and_by_a_test(code):
    assert f'"{code}"' in package()
    assert code in other_tests()
