"""Every error code is documented and used; that tests meet each is seen at their end."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest

from pipeline.core.errors import CODES, ConfigError, PipelineError
from pipeline.core.notes import Note
from pipeline.core.outcome import Outcome
from pipeline.io.atomic import write_fault
from pipeline.stages.run_context import StageRun
from tests.support.nwb_factory import imaging_file, read
from tests.support.seen_codes import SeenCodes

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (\S+)\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL))


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
def test_a_code_is_used_by_the_package(code):
    assert f'"{code}"' in package()


@pytest.fixture
def codes():
    """Codes that this test meets; those of all tests together are asked for by ``conftest.py``."""
    codes = SeenCodes()
    codes.watch()
    yield codes
    codes.stop()


def test_what_the_package_makes_is_seen_and_what_a_test_makes_is_not(codes):
    write_fault(Path("a.txt"), OSError(errno.ENOSPC, "full"))
    shared = Note(code="IN-C34", kind="info", place="-", text="x")
    ConfigError(code="CF-K05", found="x", fix="y").at(place="/units")
    assert (codes.seen, codes.broken, shared.code) == ({"RN-R26"}, set(), "IN-C34")
    assert set(codes.unseen()) == set(CODES) - {"RN-R26"}


def test_a_remark_of_the_package_is_seen(codes, tmp_path):
    read(imaging_file(tmp_path / "a.nwb"))
    assert "IN-C34" in codes.seen


def test_a_record_of_what_does_not_apply_is_seen(codes):
    StageRun(stage="fit", experiment="e").not_applicable("no trials")
    Outcome(status="not_applicable", reason="of a test", failure={"code": "CF-K18"})
    assert codes.seen == {"ME-N02"}


@pytest.mark.parametrize("lacking", [{"found": ""}, {"fix": ""}, {"place": ""}, {"fix": "Go."}])
def test_a_message_that_lacks_a_part_is_told(lacking):
    codes = SeenCodes(counts=lambda: True)
    codes.watch()
    ConfigError(**{"code": "CF-K05", "found": "it is red", "fix": "paint it", **lacking})
    codes.stop()
    assert len(codes.broken) == 1


def test_afterwards_errors_are_made_as_before():
    before = PipelineError.__init__, Note.__post_init__
    codes = SeenCodes()
    codes.watch()
    assert PipelineError.__init__ is not before[0]
    codes.stop()
    assert (PipelineError.__init__, Note.__post_init__) == before
