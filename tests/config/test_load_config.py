"""Settings are checked in one call, and everything that is wrong is said at once."""

from __future__ import annotations

import dataclasses

import pytest

from pipeline import registry
from pipeline.config import (
    changed_settings,
    load_config,
    method_settings,
    place_of,
    view_name,
    view_settings,
)
from pipeline.config.fields import settings as all_settings
from pipeline.config.names import edits, nearest
from pipeline.core.errors import ConfigErrors


@pytest.fixture
def load(tmp_path):
    def _load(text, overrides=None):
        path = tmp_path / "config.yaml"
        path.write_text(text)
        return load_config(path, overrides or {})

    return _load


@pytest.fixture
def problems(load):
    def _problems(text, overrides=None):
        with pytest.raises(ConfigErrors) as caught:
            load("recordings: r.tsv\n" + text, overrides)
        return caught.value.problems

    return _problems


def test_everything_but_the_sheet_has_a_default(load, tmp_path):
    settings = load("recordings: sheets/r.tsv\n")
    assert (settings.out, settings.seed) == ("results", 20240)
    assert settings.methods.connectome == registry.methods()["connectome"].config()
    assert settings.run.on_method_error == "record"
    assert settings.run.parts_per_job == 20
    assert settings.run.page_limit_mb == 3.0
    assert settings.run.redact is False
    assert settings.source == tmp_path / "config.yaml"
    assert changed_settings(settings) == ()


def test_the_results_folder_is_brought_into_plain_form(load, monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    assert load("recordings: r.tsv\nout: results/\n").out == "results"
    assert load("recordings: r.tsv\nout: ~/results\n").out == "/home/someone/results"


def test_a_folder_of_nobody_is_a_folder_of_that_name(load):
    assert load("recordings: r.tsv\nout: '~nobody-here/x'\n").out == "~nobody-here/x"


def test_settings_cannot_be_changed(load):
    settings = load("recordings: r.tsv\n")
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.seed = 1
    with pytest.raises(ValueError, match="frozen"):
        settings.methods.connectome.rank = 3


def test_values_of_the_file_arrive(load):
    settings = load(
        "recordings: r.tsv\nout: elsewhere\nseed: 4294967295\n"
        "methods:\n  connectome: {rank: 3, theta: 0.5, tolerance: 1e-4, sigma_s: 2}\n"
        "run: {redact: yes}\n"
    )
    connectome = settings.methods.connectome
    assert (settings.out, settings.seed, settings.run.redact) == ("elsewhere", 2**32 - 1, True)
    assert (connectome.rank, connectome.theta, connectome.tolerance) == (3, 0.5, 1e-4)
    assert connectome.sigma_s == 2.0
    assert set(changed_settings(settings)) == {
        "out",
        "seed",
        "run.redact",
        "methods.connectome.rank",
        "methods.connectome.theta",
        "methods.connectome.tolerance",
        "methods.connectome.sigma_s",
    }


@pytest.mark.parametrize("block", ["methods:", "methods:\n  connectome:", "prepare:\n  ensemble:"])
def test_a_block_of_which_only_the_key_stands_has_its_defaults(load, block):
    assert changed_settings(load(f"recordings: r.tsv\n{block}\n")) == ()


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_an_empty_file_is_refused_as_such(load, text):
    with pytest.raises(ConfigErrors) as caught:
        load(text)
    (problem,) = caught.value.problems
    assert problem.code == "CF-K02"
    assert "empty" in problem.found
    assert "recordings" in problem.place


def test_settings_without_a_sheet_are_refused(load):
    with pytest.raises(ConfigErrors) as caught:
        load("seed: 1\n")
    (problem,) = caught.value.problems
    assert (problem.code, problem.place) == ("CF-K02", "recordings")


def test_all_problems_are_told_at_once_each_with_its_line(problems):
    found = problems(
        "seed: -1\nmetods: {}\nmethods:\n"
        "  connectome:\n    rnak: 3\n    n_restarts: many\n  trsa: 3\n"
    )
    assert {(problem.code, problem.place) for problem in found} == {
        ("CF-K05", "seed (line 2)"),
        ("CF-K03", "metods (line 3)"),
        ("CF-K03", "methods.connectome.rnak (line 6)"),
        ("CF-K04", "methods.connectome.n_restarts (line 7)"),
        ("CF-K04", "methods.trsa (line 8)"),
    }
    for problem in found:
        assert all(problem.parts().values())
        assert problem.file.endswith("config.yaml")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("metods: {}\n", "'methods'"),
        ("methods: {conectome: {}}\n", "'connectome'"),
        ("methods: {connectome: {n_restart: 3}}\n", "'n_restarts'"),
        ("methods: {connectome: {enabeld: true}}\n", "'enabled'"),
        ("Seed: 3\n", "'seed'"),
        ("rank: 3\n", "'methods.connectome.rank'"),
        ("base: &b {rnak: 3}\nmethods: {connectome: {<<: *b}}\n", "'rank'"),
    ],
)
def test_an_unknown_key_names_what_was_probably_meant(problems, text, meant):
    assert any(p.code == "CF-K03" and meant in p.fix for p in problems(text))


def test_an_unknown_key_without_a_likeness_lists_what_is_known(problems):
    (problem,) = problems("run: {zzzzzzz: 1}\n")
    assert "parts_per_job" in problem.fix


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("seed: yes\n", "CF-K04"),
        ("seed: '3'\n", "CF-K04"),
        ("seed: 3.0\n", "CF-K04"),
        ("seed: 1.5\n", "CF-K04"),
        ("seed:\n", "CF-K04"),
        ("seed: [1]\n", "CF-K04"),
        ("seed: {a: 1}\n", "CF-K04"),
        ("seed: -1\n", "CF-K05"),
        ("seed: 4294967296\n", "CF-K05"),
        ("seed: 18446744073709551616\n", "CF-K05"),
        ("seed: .nan\n", "CF-K05"),
        ("seed: .inf\n", "CF-K05"),
        ("out: 5\n", "CF-K04"),
        ("out: ''\n", "CF-K05"),
        ("out: no\n", "CF-K04"),
        ("out: 'a{b}'\n", "CF-K05"),
        ("methods: []\n", "CF-K04"),
        ("run: {redact: 1}\n", "CF-K04"),
        ("run: {redact: 'true'}\n", "CF-K04"),
        ("run: {page_limit_mb: .nan}\n", "CF-K05"),
        ("run: {page_limit_mb: '3'}\n", "CF-K04"),
        ("run: {parts_per_job: 0}\n", "CF-K05"),
        ("run: {on_method_error: stop}\n", "CF-K05"),
        ("prepare: {strict: 1}\n", "CF-K04"),
        ("prepare: {allow_external: ../data}\n", "CF-K04"),
        ("prepare: {allow_external: [3]}\n", "CF-K04"),
        ("prepare: {allow_external: ['']}\n", "CF-K05"),
        ("prepare: {limits: {max_series_gb: 0}}\n", "CF-K05"),
        ("prepare: {limits: {max_series_gb: .inf}}\n", "CF-K05"),
        ("prepare: {limits: {max_series_gb: 16 GB}}\n", "CF-K05"),
        ("prepare: {limits: {rate_hz: 10}}\n", "CF-K04"),
        ("prepare: {limits: {rate_hz: [1]}}\n", "CF-K05"),
        ("prepare: {limits: {rate_hz: [1, 2, 3]}}\n", "CF-K05"),
        ("prepare: {limits: {rate_hz: [1, many]}}\n", "CF-K04"),
        ("prepare: {limits: {rate_hz: [0, 2]}}\n", "CF-K05"),
        ("prepare: {limits: {rate_hz: [2, 1]}}\n", "CF-K05"),
        ("prepare: {limits: {rate_hz: [1, .nan]}}\n", "CF-K05"),
        ("methods: {connectome: {theta: 2.0}}\n", "CF-K05"),
        ("methods: {connectome: {theta: .nan}}\n", "CF-K05"),
        ("methods: {connectome: {theta: nois}}\n", "CF-K05"),
        ("methods: {connectome: {theta: '0.5'}}\n", "CF-K04"),
        ("methods: {connectome: {theta: true}}\n", "CF-K04"),
        ("methods: {connectome: {enabled: sometimes}}\n", "CF-K04"),
    ],
)
def test_wrong_types_and_values_are_told_apart(problems, text, code):
    (problem,) = problems(text)
    assert problem.code == code
    assert "(line 2)" in problem.place


def test_the_message_says_what_is_allowed_and_how_to_get_there(problems):
    (number,) = problems("methods: {connectome: {rank: 0}}\n")
    assert "1 to 60" in number.fix
    (quoted,) = problems("seed: '3'\n")
    assert "without quotes" in quoted.fix
    (unquoted,) = problems("out: 5\n")
    assert "in quotes" in unquoted.fix
    (word,) = problems("methods: {connectome: {alignment: concatenat}}\n")
    assert "did you mean 'concatenate'" in word.fix


def test_a_refused_list_is_shown_with_its_length_in_words(problems):
    (short,) = problems("prepare: {limits: {rate_hz: [1]}}\n")
    assert short.found == "'prepare.limits.rate_hz' is the list [1]"
    assert short.fix.startswith("allowed is a list of 2 entries, each a number, above 0")
    (turned,) = problems("prepare: {limits: {rate_hz: [30, 3]}}\n")
    assert turned.found == "the lowest rate, 30, is not below the highest, 3"


def test_a_setting_refused_as_text_is_not_told_twice(problems):
    (problem,) = problems("seed: !!python/name:os.system\n")
    assert problem.code == "CF-K11"


@pytest.mark.parametrize(
    "overrides",
    [
        {"methods.connectome.rank": 4},
        {"methods.connectome.rank": "4"},
        {"methods": {"connectome": {"rank": 4}}},
        {"methods": {"connectome": {"rank": "4"}}},
        {"methods": {"connectome.rank": 4}},
        {"methods": "{connectome: {rank: 4}}"},
    ],
)
def test_the_command_line_goes_over_the_file_in_any_form(load, overrides):
    settings = load(
        "recordings: r.tsv\nmethods: {connectome: {rank: 7, n_restarts: 2}}\n", overrides
    )
    assert settings.methods.connectome.rank == 4
    assert settings.methods.connectome.n_restarts == 2
    assert settings.overrides == {"methods.connectome.rank": 4}


def test_text_settings_are_taken_from_the_command_line_as_they_are(load):
    assert load("recordings: r.tsv\n", {"out": "007"}).out == "007"
    assert load("recordings: r.tsv\n", {"out": "3"}).out == "3"


def test_the_command_line_repairs_a_missing_sheet(load):
    assert load("seed: 1\n", {"recordings": "r.tsv"}).recordings == "r.tsv"


@pytest.mark.parametrize(
    ("overrides", "code", "place"),
    [
        ({"seed": "-4"}, "CF-K05", "seed (--config)"),
        ({"sed": 4}, "CF-K03", "sed (--config)"),
        ({"methods.connectome": "3"}, "CF-K04", "methods.connectome (--config)"),
        ({"methods.connectome.rnak": 3}, "CF-K03", "methods.connectome.rnak (--config)"),
    ],
)
def test_problems_of_the_command_line_are_placed_there(problems, overrides, code, place):
    (problem,) = problems("", overrides)
    assert (problem.code, problem.place) == (code, place)


def test_an_override_below_a_wrong_value_does_not_hide_it(problems):
    (problem,) = problems("methods: 3\n", {"methods.connectome.rank": 4})
    assert problem.code == "CF-K04"


def test_the_place_of_a_setting_is_known_also_when_others_are_wrong(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("seed: x\nrecordings: r.tsv\n")
    assert place_of(path, {}, key="recordings") == ("recordings (line 2)", "r.tsv")
    assert place_of(path, {"recordings": "s.tsv"}, key="recordings") == (
        "recordings (--config)",
        "s.tsv",
    )
    assert place_of(path, {}, key="run.redact") == ("run.redact", None)


def test_only_what_changes_numbers_is_among_a_methods_parameters(load):
    plain = load("recordings: r.tsv\n")
    other = load(
        "recordings: s.tsv\nout: x\nrun: {redact: true}\nmethods: {connectome: {enabled: false}}\n"
    )
    assert method_settings(plain, "connectome") == method_settings(other, "connectome")
    assert "enabled" not in method_settings(plain, "connectome")
    version = registry.methods()["connectome"].results_version
    assert method_settings(plain, "connectome")["results_version"] == version
    changed = load("recordings: r.tsv\nmethods: {connectome: {rank: 3}}\n")
    assert method_settings(plain, "connectome") != method_settings(changed, "connectome")


def test_a_methods_parameters_are_its_settings(load):
    settings = load("recordings: r.tsv\nmethods: {connectome: {theta: 0.25}}\n")
    spec = registry.methods()["connectome"]
    block = {
        k: v for k, v in method_settings(settings, "connectome").items() if k != "results_version"
    }
    assert spec.config.model_validate(block) == settings.methods.connectome


def test_views_are_named_by_their_settings(load):
    spec = registry.methods()["connectome"]
    plain = load("recordings: r.tsv\n")
    same = load("recordings: r.tsv\nseed: 5\nmethods: {connectome: {rank: 3}}\n")
    other = load("recordings: r.tsv\nprepare: {ensemble: {rate_hz: 5.0}}\n")
    kind, _, digest = view_name(plain, spec.needs).partition("-")
    assert kind == spec.needs
    assert len(digest) == 8
    assert int(digest, 16) >= 0
    names = [view_name(one, spec.needs) for one in (plain, same, other)]
    assert names[0] == names[1] != names[2]
    assert view_settings(other, spec.needs)["rate_hz"] == 5.0


def test_all_settings_come_out_as_plain_data(load):
    nested = load("recordings: r.tsv\n").as_dict()
    for setting in all_settings():
        value = nested
        for key in setting.path:
            value = value[key]
        assert value == ("r.tsv" if setting.required else setting.default)


@pytest.mark.parametrize(
    ("one", "two", "distance"),
    [
        ("", "", 0),
        ("rank", "rank", 0),
        ("Rank", "rank", 0),
        ("rnak", "rank", 1),
        ("rank", "ranks", 1),
        ("rank", "tank", 1),
        ("conectome", "connectome", 1),
        ("abc", "", 3),
        ("kitten", "sitting", 3),
    ],
)
def test_edits_are_counted(one, two, distance):
    assert edits(one, two) == edits(two, one) == distance


def test_short_names_are_near_only_by_one_edit():
    assert nearest("nbw", ["nwb"]) == "nwb"
    assert nearest("lab", ["nwb"]) is None
    assert nearest("identty", ["identity", "series"]) == "identity"
    assert nearest("genotype", ["identity", "series"]) is None
