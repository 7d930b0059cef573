"""The house has the rooms its plan names, and no drawers."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import registry
from pipeline.core.errors import CODES

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "pipeline"
ROOMS = (
    "README.md",
    "__init__.py",
    "algorithm.py",
    "citing.py",
    "config.py",
    "diagnostics.py",
    "figures.py",
    "model.py",
    "result.py",
    "section.py",
    "simulate.py",
)
DRAWERS = {"utils", "util", "helpers", "common", "misc", "tools", "base"}


@pytest.mark.parametrize("name", registry.methods())
def test_every_method_has_every_room_a_rule_file_and_tests(name):
    folder = PACKAGE / "methods" / name
    missing = [room for room in ROOMS if not (folder / room).exists()]
    assert missing == []
    assert (ROOT / "workflow" / "rules" / f"{name}.smk").exists()
    tests = {path.name for path in (ROOT / "tests" / "methods" / name).glob("test_*.py")}
    # Steps and reference numbers are tested in files that are called after the paper's steps.
    assert {"test_recovery.py", "test_invariance.py"} <= tests


@pytest.mark.parametrize("name", registry.methods())
def test_a_methods_contract_is_complete(name):
    spec = registry.methods()[name]
    offered = {
        "algorithm": ("fit_part", "combine"),
        "diagnostics": ("assess",),
        "figures": ("figures",),
        "section": ("section",),
        "citing": ("methods_text", "BIBTEX", "KEY"),
        "simulate": ("simulate", "Truth"),
        "result": ("PartResult", "Result"),
    }
    for room, functions in offered.items():
        module = spec.room(room)
        assert [f for f in functions if not hasattr(module, f)] == [], room


def test_no_module_is_a_drawer():
    names = {path.stem for path in PACKAGE.rglob("*.py")}
    assert names & DRAWERS == set()


def test_imports_point_one_way():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_scripts_of_the_workflow_hold_no_computation():
    for path in (ROOT / "workflow" / "scripts").glob("*.py"):
        tree = ast.parse(path.read_text())
        lines = [line for line in path.read_text().splitlines() if line.strip()]
        assert len(lines) <= 35, path.name
        loops = [node for node in ast.walk(tree) if isinstance(node, ast.For | ast.While)]
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        assert not loops, path.name
        assert not functions, path.name


def test_the_package_does_not_guard_user_input_by_assert():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assert)
    ]
    assert found == []


def test_heavy_libraries_are_not_imported_with_the_registry():
    code = (
        "import sys, pipeline.registry, pipeline.config; pipeline.registry.methods();"
        "print(sorted({'torch','pymc','matplotlib','plotly','tensorly','sklearn','pynwb',"
        "'sknetwork'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_lock_names_no_address_and_leaves_torch_out():
    lock = (ROOT / "envs" / "requirements.lock").read_text()
    assert "://" not in lock
    assert "--index" not in lock
    assert "--find-links" not in lock
    assert not re.search(r"^torch==", lock, re.MULTILINE)


def pinned(path):
    """Packages with their versions and platforms in a conda environment."""
    return set(re.findall(r'^ +- "([^"]+)"$', (ROOT / path).read_text(), re.MULTILINE))


def test_the_conda_environments_are_the_lock():
    lock = (ROOT / "envs" / "requirements.lock").read_text()
    # Conda hands the list to pip, which knows markers; hashes it would ask of all or none.
    lines = re.findall(r"^([A-Za-z0-9._-]+==[^\\\n]+?) *\\?$", lock, re.MULTILINE)
    locked = {line.replace("python_full_version", "python_version") for line in lines}
    assert len(locked) > 100
    assert pinned("envs/neuroptych.yaml") == locked
    torch = re.search(r"^torch=([0-9.]+)$", (ROOT / "run.sh").read_text(), re.MULTILINE)
    assert pinned("envs/neuroptych-gpu.yaml") == {*locked, f"torch=={torch[1]}"}


def test_every_error_code_is_of_a_known_family():
    assert [
        code for code in CODES if not re.fullmatch(r"(CF-K|IN-[FCST]|ME-N|RN-[RD])\d\d", code)
    ] == []
