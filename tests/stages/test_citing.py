"""Words for a paper: what was used, what was found, what to cite."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from pipeline import registry
from pipeline.core.parts import Section
from pipeline.stages.citing import TOOLS, bibtex, methods_text, tool_versions

ROOT = Path(__file__).resolve().parents[2]
ROWS = (
    {"subject": "m1", "species": "Mus musculus", "kind": "spikes", "units": 60, "units_used": 55}
    | {"duration_s": 360.0, "status": "ok"},
    {"recording": "broken", "status": "failed"},
)


def settings(**changes):
    methods = {name: spec.config().model_dump() for name, spec in registry.methods().items()}
    return {"seed": 7, "methods": methods | changes}


def section(name, status="ok", **numbers):
    return Section(id=name, title=name, status=status, sentence="", numbers=numbers)


def text(*sections, **changes):
    return methods_text(
        sections, rows=ROWS, settings=settings(**changes), versions={"numpy": "9.9"}
    )


def test_the_words_tell_data_settings_and_versions():
    told = text(section("connectome"), connectome={"rank": 5, "n_surrogates": 0})
    assert told.startswith("1 recording of 1 animal (Mus musculus) with spike trains of 55 used")
    assert "5 non-negative components" in told
    assert "not compared with surrogates" in told
    assert "numpy 9.9 (Harris et al. 2020)" in told
    assert "seed 7" in told


def test_a_number_that_the_settings_leave_open_is_that_of_the_result():
    told = text(section("connectome", rank=6), connectome={"rank": "auto"})
    assert "6 non-negative components (a number chosen by" in told


def test_methods_without_a_result_are_neither_told_nor_cited():
    sections = [section("trsa", "failed"), section("biclustering", "not_applicable")]
    assert "Kriegeskorte" not in text(*sections)
    assert "Wei" not in text(*sections) + bibtex(sections)


@pytest.mark.parametrize("name", registry.methods())
def test_every_method_has_words_and_an_entry(name):
    spec = registry.methods()[name]
    room = spec.room("citing")
    assert room.methods_text(spec.config(), {}).endswith(".")
    assert re.match(rf"@\w+\{{{room.KEY},", room.BIBTEX)
    assert room.BIBTEX in bibtex([section(name, "warn")])


def test_what_the_citation_file_names_is_what_methods_name():
    known = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    entries = bibtex([section(name) for name in registry.methods()])
    for reference in known["references"]:
        assert reference["title"] in entries
        assert reference["url"] in entries


def test_entries_are_balanced_and_have_keys_of_their_own():
    entries = bibtex([section(name) for name in registry.methods()])
    assert entries.count("{") == entries.count("}")
    keys = re.findall(r"^@\w+\{(\w+),", entries, re.MULTILINE)
    assert len(keys) == len(set(keys)) == 1 + len(registry.methods()) + len(TOOLS)


def test_versions_are_those_of_this_environment():
    assert tool_versions().keys() == TOOLS.keys()
