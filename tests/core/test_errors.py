"""Errors have six parts, and keep them on their way."""

from __future__ import annotations

import copy
import pickle

import pytest

from pipeline.core.errors import (
    CODES,
    ConfigError,
    ConfigErrors,
    DataError,
    EnvironmentFault,
    PipelineError,
    ResultError,
)


def error() -> DataError:
    return DataError(
        code="IN-C11", found="time steps back at sample 7", fix="repair the file", place="/a/b"
    )


def test_the_message_has_six_parts_in_their_order() -> None:
    told = error().at(experiment="worms", file="a.nwb")

    assert str(told) == (
        "ERROR IN-C11 worms: a.nwb: /a/b: time steps back at sample 7. "
        "Fix: repair the file; see docs/errors.md#in-c11"
    )
    assert tuple(told.parts()) == ("code", "experiment", "file", "place", "found", "fix")


def test_a_place_that_is_known_is_not_overwritten() -> None:
    told = error().at(place="/elsewhere", file="first.nwb").at(file="second.nwb")

    assert (told.place, told.file, told.experiment) == ("/a/b", "first.nwb", "-")
    assert isinstance(told, DataError)


@pytest.mark.parametrize("kind", [ConfigError, DataError, ResultError, EnvironmentFault])
def test_an_error_survives_another_process(kind: type[PipelineError]) -> None:
    before = kind(code="RN-R10", found="f", fix="g", experiment="e", file="h", place="p")

    for after in (pickle.loads(pickle.dumps(before)), copy.copy(before)):  # noqa: S301 - our own
        assert type(after) is kind
        assert after.parts() == before.parts()
        assert str(after) == str(before)


def test_exit_codes_tell_the_classes_apart() -> None:
    kinds = (PipelineError, ConfigError, DataError, ResultError, EnvironmentFault)

    assert [kind.exit_code for kind in kinds] == [1, 2, 3, 4, 5]


def test_an_unknown_code_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="'XX-1' is not an error code"):
        DataError(code="XX-1", found="", fix="")


def test_codes_are_explained_in_one_sentence_each() -> None:
    assert all(text.endswith(".") and "\n" not in text for text in CODES.values())
    assert len(set(CODES.values())) == len(CODES)


def test_many_problems_are_told_line_by_line() -> None:
    problems = ConfigErrors([error(), error().at(file="b.nwb")])

    assert str(problems).splitlines() == [str(problem) for problem in problems.problems]
    assert problems.exit_code == 2


def test_a_message_is_one_line_whatever_the_names_in_it():
    error = DataError(code="IN-F02", file="a\nb\x1b[31m\u202e\udcff.nwb", found="é 🧠 'x'", fix="y")
    assert "a\\nb\\x1b[31m\\u202e\\udcff.nwb" in str(error)
    assert "é 🧠 'x'" in str(error)
    assert error.parts()["file"] == "a\nb\x1b[31m\u202e\udcff.nwb"
