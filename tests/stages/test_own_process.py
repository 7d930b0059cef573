"""What happens in a child: results, errors and output come back, and a crash is an error."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.core.errors import DataError, EnvironmentFault
from pipeline.stages.own_process import STALLED_VARIABLE, in_own_process


def test_a_result_comes_back_and_memory_here_stays_as_it_was():
    here = [1]

    def work():
        here.append(2)
        return here, os.getpid()

    found, pid = in_own_process(work)
    assert found == [1, 2]
    assert here == [1]
    assert pid != os.getpid()


def test_a_large_result_does_not_fill_the_pipe():
    assert len(in_own_process(lambda: b"x" * 2**22)) == 2**22


@pytest.mark.parametrize(
    "error",
    [
        DataError(code="IN-F02", place="/a", found="file is empty", fix="transfer it again"),
        FileNotFoundError(2, "No such file or directory", "a.nwb"),
        MemoryError(),
        KeyboardInterrupt(),
    ],
)
def test_an_error_comes_back_as_itself(error):
    def work():
        raise error

    with pytest.raises(type(error)) as caught:
        in_own_process(work)
    assert str(caught.value) == str(error)


def test_the_place_of_a_defect_comes_back_too():
    def work():
        return {}["gone"]

    with pytest.raises(KeyError) as caught:
        in_own_process(work)
    assert "in work" in caught.value.__notes__[0]


def test_an_error_that_cannot_be_handed_over_is_told():
    def work():
        class Odd(Exception):
            pass

        raise Odd("what")

    with pytest.raises(RuntimeError, match="Odd: what"):
        in_own_process(work)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT])
def test_a_crash_is_damage_of_the_file(number):
    def work():
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        time.sleep(60)

    with pytest.raises(DataError) as caught:
        in_own_process(work)
    assert caught.value.code == "IN-F04"
    assert signal.strsignal(number) in caught.value.found


def search_in_circles():
    """As the library does: in C, and without letting other threads of Python run."""
    ctypes.PyDLL(None).sleep(60)


def wait_for_a_disk():
    """As the library does where it lets other threads run."""
    time.sleep(60)


@pytest.mark.parametrize("work", [search_in_circles, wait_for_a_disk])
def test_a_child_that_comes_no_further_is_ended(work):
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    before, began = children.read_text(), time.monotonic()
    with pytest.raises(DataError) as caught:
        in_own_process(work, stalled_s=1.0)
    assert caught.value.code == "IN-F32"
    assert "no further for 1 s" in caught.value.found
    assert time.monotonic() - began < 30
    assert children.read_text() == before


def read_one_file_again_and_again(path):
    """Nearly always at the same place of its program."""
    for _ in range(30):
        path.read_bytes()
        time.sleep(0.1)
    return "read"


def go_from_place_to_place(_):
    for _ in range(15):
        time.sleep(0.1)
        time.sleep(0.1)
    return "gone"


@pytest.mark.parametrize("work", [read_one_file_again_and_again, go_from_place_to_place])
def test_a_child_that_does_something_may_take_its_time(tmp_path, work):
    path = tmp_path / "a"
    path.write_bytes(b"x" * 1000)
    assert in_own_process(lambda: work(path), stalled_s=1.5) in ("read", "gone")


def test_a_job_takes_its_time_limit_from_the_run(monkeypatch):
    monkeypatch.setenv(STALLED_VARIABLE, "1.0")
    with pytest.raises(DataError, match="IN-F32"):
        in_own_process(wait_for_a_disk)


def test_a_process_ended_by_the_system_lacked_memory():
    with pytest.raises(EnvironmentFault) as caught:
        in_own_process(lambda: os.kill(os.getpid(), signal.SIGKILL))
    assert (caught.value.code, caught.value.exit_code) == ("RN-R03", 5)


def test_what_is_printed_is_printed_once(capfd):
    sys.stdout.write("before, ")
    in_own_process(lambda: sys.stdout.write("within, "))
    sys.stdout.write("after")
    sys.stdout.flush()
    assert capfd.readouterr().out == "before, within, after"


def test_the_child_ends_with_its_parent():
    code = """
import os, sys, time
from pipeline.stages.own_process import in_own_process
def work():
    print(os.getpid(), flush=True)
    time.sleep(60)
in_own_process(work)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as parent:
        child = int(parent.stdout.readline())
        parent.kill()
    for _ in range(100):
        if not is_alive(child):
            return
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    pytest.fail("the child goes on without its parent")


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
