"""The table of what runs again after a change is that of the tests."""

from __future__ import annotations

import pytest

from tests.support.rerun_table import CHANGES, PAGE, WORDS, page_with


def test_the_table_in_the_docs_is_current():
    text = PAGE.read_text(encoding="utf-8")
    assert page_with(text) == text, "Run `python -m tests.support.rerun_table`."


def test_a_page_without_its_place_is_refused():
    with pytest.raises(ValueError, match="no place"):
        page_with("a page")


def test_every_change_has_words_and_is_told_once():
    assert {change.anew for change in CHANGES} == set(WORDS)
    assert len({change.what for change in CHANGES}) == len(CHANGES)
