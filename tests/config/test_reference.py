"""The settings explain themselves."""

from __future__ import annotations

import pytest

from pipeline.config import changed_settings, load_config
from pipeline.config.fields import allowed_words, settings
from pipeline.config.reference import (
    settings_markdown,
    settings_schema,
    settings_yaml,
    yaml_value,
)
from pipeline.config.text import parse_value


def test_the_printed_settings_are_a_settings_file_with_all_defaults(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(settings_yaml())
    assert changed_settings(load_config(path)) == ()
    for setting in settings():
        assert f"{setting.path[-1]}: " in path.read_text()


def test_printed_values_are_those_given(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(
        "recordings: 'my sheet.tsv'\nmethods: {connectome: {rank: 3, tolerance: 1e-7}}\n"
    )
    given = load_config(path)
    path.write_text(settings_yaml(given.as_dict()))
    assert load_config(path).as_dict() == given.as_dict()


@pytest.mark.parametrize(
    "value", [True, False, 3, -3, 0.5, 1e-5, 1e300, "auto", "yes", "a: b", "", "007", "x y", None]
)
def test_values_survive_being_written(value):
    assert parse_value(yaml_value(value)) == value


def test_every_setting_stands_in_the_reference_with_its_words():
    text = settings_markdown()
    for setting in settings():
        assert f"| `{setting.path[-1]}` |" in text
        assert setting.description.replace("|", "&#124;") in text


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "boolean"}, "true or false"),
        ({"type": "string"}, "text"),
        ({"type": "integer", "minimum": 1, "maximum": 9}, "a whole number, 1 to 9"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, "a number, above 0, at most 1"),
        ({"type": "number", "minimum": 0}, "a number, at least 0"),
        ({"enum": ["a", "b"]}, "'a' or 'b'"),
        ({"const": "a"}, "'a'"),
        (
            {"anyOf": [{"const": "auto"}, {"type": "number", "exclusiveMaximum": 2}]},
            "'auto' or a number, below 2",
        ),
        (
            {"type": "array", "items": {"type": "integer", "minimum": 1}},
            "a list of entries, each a whole number, at least 1",
        ),
    ],
)
def test_what_is_allowed_is_put_into_words(schema, words):
    assert allowed_words(schema) == words


def test_the_schema_refuses_unknown_keys_and_knows_every_block():
    schema = settings_schema()
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == {
        *("recordings", "out", "seed"),
        *("methods", "agreement", "prepare", "run"),
    }
    assert schema["required"] == ["recordings"]
