"""Methods are found by their folders."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import pipeline.methods
from pipeline import registry
from pipeline.prepare.config import PrepareConfig
from pipeline.prepare.kinds import KINDS

ROOT = Path(__file__).resolve().parents[2]


def run(code, path):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=ROOT,
        env={"PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def folder(tmp_path):
    """A further place for methods, with one that is called ``fifth``."""
    fifth = tmp_path / "fifth"
    fifth.mkdir()
    (fifth / "__init__.py").write_text(
        textwrap.dedent(
            """
            from pydantic import Field

            from pipeline.core.method import MethodConfig, MethodSpec


            class FifthConfig(MethodConfig):
                width_s: float = Field(default=1.0, description="Width.", gt=0, le=9)


            SPEC = MethodSpec(
                name="fifth", title="A fifth", citation="Nobody (2030)", needs="ensemble",
                pools_recordings=True, results_version=1, config=FifthConfig,
            )
            """
        )
    )
    empty = tmp_path / "nothing"
    empty.mkdir()
    (empty / "__init__.py").write_text("")
    return tmp_path


FIND = "import pipeline.methods; pipeline.methods.__path__.append({!r})\n"


def test_methods_come_in_their_fixed_order():
    assert list(registry.methods()) == ["connectome", "biclustering", "trsa", "celltypes"]


def test_a_folder_is_all_it_takes_to_add_a_method(folder):
    code = FIND.format(str(folder)) + (
        "from pipeline import registry\n"
        "from pipeline.config.fields import settings\n"
        "print(list(registry.methods())[-1])\n"
        "print([s.key for s in settings() if s.path[:2] == ('methods', 'fifth')])\n"
    )
    done = run(code, ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "fifth",
        "['methods.fifth.enabled', 'methods.fifth.width_s']",
    ]


def test_a_method_that_needs_an_unknown_view_is_refused(folder):
    init = folder / "fifth" / "__init__.py"
    init.write_text(init.read_text().replace('needs="ensemble"', 'needs="movies"'))
    done = run(FIND.format(str(folder)) + "from pipeline.registry import methods; methods()", ROOT)
    assert done.returncode != 0
    assert "fifth needs 'movies', which is no kind of view" in done.stderr


def test_every_kind_of_view_has_its_block_of_settings_and_its_builder():
    for name, kind in KINDS.items():
        assert PrepareConfig.model_fields[name].annotation is kind.settings
        assert callable(kind.build)


def test_a_folder_whose_name_is_not_that_of_its_method_is_refused(folder):
    (folder / "fifth").rename(folder / "sixth")
    done = run(FIND.format(str(folder)) + "from pipeline.registry import methods; methods()", ROOT)
    assert done.returncode != 0
    assert "pipeline/methods/sixth declares the name 'fifth'" in done.stderr


def test_every_found_method_is_a_folder_of_the_package():
    place = Path(pipeline.methods.__path__[0])
    for name, spec in registry.methods().items():
        assert (place / name / "__init__.py").exists()
        assert spec.name == name
