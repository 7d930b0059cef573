"""The tests of a cluster cannot fall silent where they could run."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from pipeline.methods.connectome import graph_tool
from tests.support.killed_runs import ended_afterwards, of_session
from tests.support.needed import NO_SKIPS, lacking, need_graph_tool, need_namespaces


@pytest.mark.parametrize(("value", "ends"), [("", "Skipped"), ("1", "Failed")])
def test_what_is_lacking_is_a_failure_where_it_could_be_had(monkeypatch, value, ends):
    monkeypatch.setenv(NO_SKIPS, value)
    with pytest.raises(BaseException, match="no Slurm") as caught:  # outcomes are no Exceptions
        lacking("no Slurm")
    assert type(caught.value).__name__ == ends


@pytest.mark.parametrize(
    ("need", "want"),
    [
        (lambda: need_namespaces("unshare", "--no-such-option"), "gives no namespaces .*option"),
        (lambda: need_namespaces("no-such-unshare"), "no no-such-unshare"),
        (need_graph_tool, "no Python with graph_tool"),
    ],
)
def test_so_is_what_a_machine_does_not_give(monkeypatch, tmp_path, need, want):
    monkeypatch.setenv(NO_SKIPS, "1")
    monkeypatch.setattr(graph_tool, "PYTHON", tmp_path / "python3")
    with pytest.raises(pytest.fail.Exception, match=want):
        need()


def fail_with_a_driver(processes):
    driver = "import subprocess; subprocess.run(['sleep', '60'])"
    with ended_afterwards() as drivers:
        process = subprocess.Popen([sys.executable, "-c", driver], start_new_session=True)
        drivers.append(process)
        processes.append(process)
        while len(of_session(process.pid)) < 2:
            assert process.poll() is None
        raise AssertionError("first")


def test_a_failed_test_leaves_no_driver_behind():
    processes = []
    with pytest.raises(AssertionError, match="first"):
        fail_with_a_driver(processes)
    assert processes[0].poll() is not None
    deadline = time.monotonic() + 10
    while of_session(processes[0].pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not of_session(processes[0].pid)
