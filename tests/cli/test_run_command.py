"""What ``run`` understands of the arguments that it hands to Snakemake."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cli.main import main


@pytest.fixture
def asked(monkeypatch):
    """What the stage is asked to do, by the words of the command line."""
    calls = []

    def run_workflow(words, **arguments):
        calls.append({"words": words, **arguments})
        return 0

    monkeypatch.setattr("pipeline.stages.run.run_workflow", run_workflow)

    def _asked(*words):
        assert main(["run", "--", *words]) == 0
        return calls.pop()

    return _asked


def test_words_are_handed_on_as_they_are(asked):
    words = ["--configfile", "my settings.yaml", "--cores", "2", "--config", "seed=3"]
    call = asked(*words)
    assert call["words"] == words
    assert call["config_path"] == Path("my settings.yaml")
    assert call["overrides"] == {"seed": 3}
    assert call["folder"] == Path()


def test_the_last_settings_file_counts(asked):
    assert asked("--configfile", "a.yaml", "b.yaml", "-n")["config_path"] == Path("b.yaml")
    assert asked()["config_path"] is None


def test_another_working_directory_is_seen(asked):
    assert asked("--directory", "/scratch/run")["folder"] == Path("/scratch/run")
    assert asked("-d", "/scratch/run")["folder"] == Path("/scratch/run")


@pytest.mark.parametrize(
    "words",
    [
        ["-n"],
        ["-np"],
        ["--dryrun"],
        ["--lint"],
        ["--unlock"],
        ["--summary"],
        ["--dag"],
        ["--report", "workflow.html"],
        ["--delete-all-output"],
        ["--touch"],
    ],
)
def test_what_starts_no_job_is_told_from_a_run(asked, words):
    assert asked(*words)["makes_results"] is False


@pytest.mark.parametrize("words", [[], ["--cores", "4"], ["-k", "--forceall"], ["--ri"]])
def test_a_run_is_a_run(asked, words):
    assert asked(*words)["makes_results"] is True


def test_a_key_with_points_is_refused_with_the_form_that_works(asked, capsys):
    words = ["run", "--", "--config", "methods.connectome.rank=4"]
    assert main(words) == 2
    assert "--config 'methods={connectome: {rank: 4}}'" in capsys.readouterr().err
    given = asked("--config", "methods={connectome: {rank: 4}}")["overrides"]
    assert given == {"methods.connectome.rank": 4}


def test_words_that_snakemake_does_not_know_end_the_run_before_anything_is_done(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["run", "--", "--no-such-word"])
    assert ended.value.code == 2
    assert "--no-such-word" in capsys.readouterr().err
