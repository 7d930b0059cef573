"""Settings text becomes plain data that know their lines, and nothing else happens."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from pipeline.config.text import MAX_BYTES, parse_text, parse_value, read_text


def codes(text):
    return [problem.code for problem in parse_text(text, file="s.yaml").problems]


def test_keys_know_their_lines():
    reading = parse_text("a: 1\nb:\n  c:\n    - x\n    - y\n", file="s.yaml")
    assert reading.data == {"a": 1, "b": {"c": ["x", "y"]}}
    assert reading.place(("a",)) == "a (line 1)"
    assert reading.place(("b", "c")) == "b.c (line 3)"
    assert reading.place(("b", "nowhere", "deeper")) == "b.nowhere.deeper (line 2)"
    assert reading.place(("nowhere",)) == "nowhere"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-3", -3),
        ("0.5", 0.5),
        ("1e-5", 1e-5),
        ("1.0e-5", 1e-5),
        (".5", 0.5),
        ("yes", True),
        ("Off", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("'3'", "3"),
        ("007", "007"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("NA", "NA"),
        ("none", "none"),
        ("[1, 'a']", [1, "a"]),
        ("{a: {b: 2}}", {"a": {"b": 2}}),
    ],
)
def test_plain_words_mean_what_they_seem_to_mean(text, value):
    read = parse_value(text)
    assert read == value
    assert type(read) is type(value)


def test_infinity_and_not_a_number_are_read_as_such():
    assert parse_value(".inf") == float("inf")
    assert parse_value("-.inf") == float("-inf")
    assert parse_value(".nan") != parse_value(".nan")


@pytest.mark.parametrize("text", ["a: b: c", "[", "'", "x: *nowhere"])
def test_a_value_that_is_no_yaml_stays_text(text):
    assert parse_value(text) == text


def test_merged_blocks_give_way_to_what_stands_there():
    text = "a: &one\n  x: 1\n  y: 1\nb:\n  y: 2\n  <<: *one\n"
    reading = parse_text(text, file="s.yaml")
    assert reading.data["b"] == {"x": 1, "y": 2}
    assert reading.place(("b", "y")) == "b.y (line 5)"
    assert reading.place(("b", "x")) == "b.x (line 2)"


def test_the_earlier_of_several_merged_blocks_wins():
    text = "a: &one {x: 1}\nb: &two {x: 2, y: 2}\nc: {<<: [*one, *two]}\n"
    assert parse_text(text, file="s.yaml").data["c"] == {"x": 1, "y": 2}


def test_a_key_that_stands_twice_is_refused_with_both_lines():
    (problem,) = parse_text("a:\n  x: 1\n  y: 1\n  x: 2\n", file="s.yaml").problems
    assert problem.code == "CF-K07"
    assert problem.place == "a.x (line 4)"
    assert "lines 2 and 4" in problem.found


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a:\n\tb: 1\n", "line 2"),
        ("a: 1\n b: 2\n", "line 2"),
        ("a: 'open\n", "line"),
        ("a: 1\n---\nb: 2\n", "line 2"),
        ("a: *nowhere\n", "line 1"),
    ],
)
def test_what_is_no_yaml_is_refused_with_its_line(text, line):
    (problem,) = parse_text(text, file="s.yaml").problems
    assert problem.code == "CF-K01"
    assert line in problem.place


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words\n", "? [a]\n: 1\n", "a: \x00\n"])
def test_what_is_no_block_of_settings_is_refused(text):
    assert codes(text) == ["CF-K01"]


def test_a_merge_of_something_else_is_refused():
    assert codes("a: {<<: 3}\n") == ["CF-K01"]


@pytest.mark.parametrize(
    "text",
    [
        "a:\n  b: !!python/object/apply:os.system ['exit 1']\n",
        "a: !!python/name:os.system\n",
        "a: !include other.yaml\n",
        "a: !!binary aGVsbG8=\n",
        "!!python/object:x.Y {a: 1}\n",
    ],
)
def test_tags_are_refused_by_name(text):
    (problem,) = parse_text(text, file="s.yaml").problems
    assert problem.code == "CF-K11"
    assert "tag '!" in problem.found


def bomb(depth, width=10):
    lines = ["a0: &a0 [x" + ",x" * (width - 1) + "]"]
    for level in range(1, depth):
        lines.append(f"a{level}: &a{level} [" + ",".join([f"*a{level - 1}"] * width) + "]")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        bomb(10),
        bomb(200),
        "a: &a [*a]\n",
        "a: &a {b: *a}\n",
        "a0: &a0 {x: 1}\n"
        + "".join(f"a{n}: &a{n} {{<<: *a{n - 1}, y{n}: *a{n - 1}}}\n" for n in range(1, 60)),
    ],
    ids=["wide", "deep", "list in itself", "block in itself", "merges"],
)
def test_aliases_that_would_expand_without_bounds_cost_nothing(text):
    tracemalloc.start()
    started = time.perf_counter()
    assert codes(text) == ["CF-K12"]
    seconds = time.perf_counter() - started
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seconds < 5
    assert peak < 50e6


@pytest.mark.parametrize("text", ["[" * 5000, "a: " + "{b: " * 5000, "- " * 5000])
def test_deep_nesting_is_refused_before_it_is_followed(text):
    assert codes(text) == ["CF-K12"]


@pytest.mark.parametrize("text", ["a: [" + "x," * 100_000 + "]", "a: 1\n" * 40_000])
def test_a_long_list_is_refused_before_it_is_built(text):
    started = time.perf_counter()
    assert codes(text) == ["CF-K12"]
    assert time.perf_counter() - started < 5


def test_messages_stay_short_whatever_the_file_holds():
    for text in ("a: *" + "x" * 100_000, "a: !" + "x" * 100_000):
        (problem,) = parse_text(text, file="s.yaml").problems
        assert len(str(problem)) < 500


def test_few_aliases_are_fine():
    assert parse_text("a: &a [1, 2]\nb: *a\n", file="s.yaml").data["b"] == [1, 2]


def test_a_very_large_file_is_not_read(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_bytes(b"a: 1\n" * (MAX_BYTES // 5 + 1))
    assert [problem.code for problem in read_text(path, shown="s.yaml").problems] == ["CF-K12"]


@pytest.mark.parametrize("content", [b"a: \xff\n", b"\xff\xfea\x00"])
def test_text_that_is_not_utf8_is_refused(tmp_path, content):
    path = tmp_path / "s.yaml"
    path.write_bytes(content)
    (problem,) = read_text(path, shown="s.yaml").problems
    assert problem.code == "CF-K01"
    assert "UTF-8" in problem.found


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "no.yaml", tmp_path):
        (problem,) = read_text(path, shown="s.yaml").problems
        assert problem.code == "CF-K01"
        assert problem.file == "s.yaml"


def test_byte_order_mark_and_windows_line_ends_are_accepted(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_bytes("\ufeffa: 1\r\nb:\r\n  c: x\r\n".encode())
    reading = read_text(path, shown="s.yaml")
    assert reading.problems == ()
    assert reading.data == {"a": 1, "b": {"c": "x"}}
    assert reading.place(("b", "c")) == "b.c (line 3)"


def test_numbers_too_long_to_convert_stay_text():
    assert parse_value("9" * 6000) == "9" * 6000
