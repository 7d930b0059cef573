import dataclasses
import math

import pytest

from pipeline.core.parts import Check, Section, Table
from pipeline.report.wording import (
    NOTHING,
    doubtful,
    duration_text,
    even_texts,
    failure_facts,
    number_text,
    overall,
    ranked,
    shown_columns,
    told,
    typeset,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, NOTHING),
        (math.nan, NOTHING),
        (math.inf, NOTHING),
        (True, "yes"),
        (False, "no"),
        (3, "3"),
        (3.0, "3"),
        (0.123456, "0.1235"),
        (-1234.56, "-1235"),
        (1.5e-7, "1.5e-7"),
        (2.5e12, "2.5e12"),
        ("a_b", "a_b"),
    ],
)
def test_values_are_written_with_four_digits_that_count(value, text):
    assert number_text(value) == text


@pytest.mark.parametrize(
    ("cells", "texts"),
    [
        ((0.7, 0.86, None), ("0.70", "0.86", NOTHING)),
        ((12.0, 3.0), ("12", "3")),
        ((0.123456, 12.0), ("0.123", "12.000")),
        ((0.00001, 12.5), ("1e-5", "12.5")),
        ((3, 10), ("3", "10")),
        (("v1.5", 2.25), ("v1.5", "2.25")),
        ((math.nan, 0.5, 0.25), (NOTHING, "0.50", "0.25")),
        ((-0.0, 0.25, 0.5), ("0.00", "0.25", "0.50")),
        ((), ()),
    ],
)
def test_fractions_of_one_column_have_equally_many_decimals(cells, texts):
    assert even_texts(cells) == texts


def test_headings_begin_with_a_capital_and_keep_the_field_s_own_spelling():
    names = ("peak (Hz)", "own ARI", "dF/F", "p")
    table = Table(id="t", title="", caption="", columns=dict.fromkeys(names, (1.0,)))
    assert [column.name for column in shown_columns(table)] == ["Peak (Hz)", "Own ARI", "dF/F", "P"]


def test_thresholds_show_the_signs_of_mathematics():
    assert typeset("p <= 0.05, x >= 5 %") == "p\u00a0\u2264\u00a00.05, x \u2265 5\u00a0%"
    assert typeset("0.020 +- 0.003 bits") == "0.020\u00a0\u00b1\u00a00.003 bits"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.012, "12 ms"), (3.21, "3.2 s"), (600, "10.0 min"), (9000, "2.5 h")],
)
def test_durations_come_in_the_unit_people_use(seconds, text):
    assert duration_text(seconds) == text


def checks(*statuses):
    return tuple(
        Check(name=str(i), status=status, value="", threshold="", meaning="")
        for i, status in enumerate(statuses)
    )


def test_checks_are_ranked_by_gravity_and_keep_their_places():
    found = ranked(checks("pass", "warn", "not_tested", "fail", "warn"))
    assert [place for place, _ in found] == [3, 1, 4, 2, 0]


def test_only_failing_and_warning_checks_are_doubtful():
    assert [place for place, _ in doubtful(checks("pass", "warn", "not_tested", "fail"))] == [3, 1]


def test_a_confound_that_nothing_tested_is_doubtful_too():
    confounds = [
        dataclasses.replace(check, confound=True) for check in checks("not_tested", "pass", "warn")
    ]
    assert [place for place, _ in doubtful(confounds)] == [2, 0]


def test_unknown_parts_of_a_failure_are_left_out():
    failure = {"code": "ME-N01", "file": "-", "place": "", "fix": "do it", "experiment": "e"}
    section = Section(id="m", title="", status="failed", sentence="", failure=failure)
    assert failure_facts(section) == [("Code", "ME-N01"), ("What to do", "do it")]


def test_the_first_sentence_counts_how_methods_ended():
    sections = [
        Section(id=str(i), title="", status=status, sentence="")
        for i, status in enumerate(("ok", "ok", "failed", "not_applicable"))
    ]
    assert overall(sections) == "4 methods: 2 without warnings, 1 failed, 1 not applicable."


@pytest.mark.parametrize(
    ("reason", "text"),
    [("no trials", "No trials."), ("Done.", "Done."), ("why?", "Why?"), ("", "")],
)
def test_a_reason_becomes_a_sentence(reason, text):
    assert told(reason) == text
