"""Every setting is explained, bounded and used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline import registry
from pipeline.config import load_config
from pipeline.config.fields import Block, Setting, entries, settings
from pipeline.config.model import settings_model
from pipeline.core.method import SettingsBlock

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {setting.key: setting for setting in settings()}


def sources() -> str:
    files = [
        path
        for path in (ROOT / "pipeline").rglob("*.py")
        if path.name != "config.py" and path.parent.name != "config"
    ]
    files += [*(ROOT / "workflow").rglob("*.smk"), ROOT / "Snakefile"]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def numbers_in(schema):
    """The parts of a setting's schema that allow numbers."""
    options = schema.get("anyOf", [schema])
    options = [option.get("items", option) for option in options]
    return [option for option in options if option.get("type") in ("integer", "number")]


@pytest.mark.parametrize("key", SETTINGS)
def test_a_setting_has_a_description_in_sentences(key):
    assert re.fullmatch(r"[A-Z].{10,}\.", SETTINGS[key].description, re.DOTALL)


@pytest.mark.parametrize("key", [key for key in SETTINGS if numbers_in(SETTINGS[key].schema)])
def test_a_number_has_a_lower_and_an_upper_bound(key):
    for schema in numbers_in(SETTINGS[key].schema):
        assert {"minimum", "exclusiveMinimum"} & set(schema)
        if not key.endswith("_hz"):  # a sampling rate is bounded by the recording's own
            assert {"maximum", "exclusiveMaximum"} & set(schema)


@pytest.mark.parametrize("key", [key for key in SETTINGS if SETTINGS[key].path[-1] != "enabled"])
def test_a_setting_is_used_outside_its_declaration(key):
    assert re.search(rf"\.{SETTINGS[key].path[-1]}\b", sources())


def test_every_block_has_a_description():
    assert [b.path for b in entries().values() if isinstance(b, Block) and not b.description] == []


def test_only_the_sheet_is_needed():
    assert [setting.key for setting in settings() if setting.required] == ["recordings"]


@pytest.mark.parametrize("key", [key for key in SETTINGS if not SETTINGS[key].required])
def test_a_default_is_a_value_that_is_allowed(key):
    block = {"recordings": "r.tsv"}
    inner = block
    for name in SETTINGS[key].path[:-1]:
        inner = inner.setdefault(name, {})
    inner[SETTINGS[key].path[-1]] = SETTINGS[key].default
    settings_model().model_validate(block)


def test_every_method_has_its_block():
    blocks = [path[1] for path in entries() if path[0] == "methods" and len(path) == 2]
    assert blocks == list(registry.methods())


def test_blocks_refuse_unknown_keys_and_are_frozen():
    for entry in entries().values():
        assert isinstance(entry, Block | Setting)
    kinds = [settings_model(), *(spec.config for spec in registry.methods().values())]
    for kind in kinds:
        assert issubclass(kind, SettingsBlock)
        assert kind.model_config["extra"] == "forbid"
        assert kind.model_config["frozen"] is True


def test_the_shipped_settings_load():
    settings = load_config(ROOT / "config.yaml")
    assert (ROOT / settings.recordings).exists()
    assert settings.overrides == {}
