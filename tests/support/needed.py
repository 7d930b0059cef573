"""What a machine must have for some tests, and what its want means."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.methods.connectome import graph_tool

NO_SKIPS = "NEUROPTYCH_NO_SKIPS"
"""Set by `.ci/run` where it can install all that tests need: then nothing may be skipped for want
of it, or these tests would fall silent for good."""


def lacking(reason):
    """Skip what this machine cannot do, or fail where it should be able to."""
    if os.environ.get(NO_SKIPS):
        pytest.fail(f"{reason}, and {NO_SKIPS} is set", pytrace=False)
    pytest.skip(reason)


def need_graph_tool():
    """For tests that hold our block models against those of graph-tool."""
    command = [graph_tool.PYTHON, "-I", "-c", "import graph_tool"]
    if (
        not Path(graph_tool.PYTHON).exists()
        or subprocess.run(command, capture_output=True, check=False).returncode
    ):
        lacking("no Python with graph_tool (Debian: python3-graph-tool)")


def need_namespaces(*command):
    """For tests that close off a part of the machine by ``unshare`` with its options.

    No package gives what a container forbids: there the tests cannot be run, and say so.
    """
    if shutil.which(command[0]) is None:
        lacking(f"no {command[0]} (Debian: util-linux)")
    allowed = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
    if allowed.returncode:
        lacking(f"this machine gives no namespaces ({allowed.stderr.strip()[:100]})")
