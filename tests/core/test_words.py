"""One unit is, two units are."""

import pytest

from pipeline.core.words import counted, for_number, joined, with_article


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 units"), (1, "1 unit"), (2, "2 units"), (10, "10 units")]
)
def test_a_noun_stands_in_the_singular_after_one_alone(number, words):
    assert counted(number, "unit") == words


@pytest.mark.parametrize(
    ("number", "words"), [(0, "are dim and have"), (1, "is dim and has"), (3, "are dim and have")]
)
def test_every_verb_agrees_with_the_number(number, words):
    assert for_number(number, "[is|are] dim and [has|have]") == words


def test_many_names_are_told_by_the_first_and_the_last():
    assert joined(["a", "b"]) == "a, b"
    assert joined(map(str, range(20))) == "0 to 19 (20)"


def test_an_odd_plural_is_named():
    assert [counted(n, "stimulus", "stimuli") for n in (1, 2)] == ["1 stimulus", "2 stimuli"]


def test_an_ending_may_be_empty_and_other_brackets_stay():
    assert for_number(1, "row[|s] [3]") == "row [3]"
    assert for_number(2, "row[|s] [3]") == "rows [3]"


@pytest.mark.parametrize("words", ["a Recording", "an Outcome", "an int", "a UnitTable", "a str"])
def test_an_article_is_that_of_the_sound_behind_it(words):
    assert with_article(words.split()[1]) == words
