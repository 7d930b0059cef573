"""The order of tests where several processes share them, and the codes that all of them met."""

import pytest

from tests.support.seen_codes import SeenCodes

LONG = ("tests/slurm/", "tests/workflow/", "tests/methods/biclustering/")
USUAL = ("", "not slow and not browser and not real")
"""Selections of tests among which every code is met."""

codes = SeenCodes()


def pytest_collection_modifyitems(items):
    """Long files first, lest one process be left with one when the others are done."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


def pytest_sessionstart():
    codes.watch()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    """A process of several has ended: what it met is told to the one that started it."""
    told = getattr(node, "workeroutput", {})
    codes.seen.update(told.get("codes", ()))
    codes.broken.update(told.get("broken", ()))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    codes.stop()
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput |= {"codes": [*codes.seen], "broken": [*codes.broken]}
    elif exitstatus == pytest.ExitCode.OK and _faults(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    for fault in _faults(config):
        terminalreporter.write_line(f"FAILED {fault}", red=True)


def _faults(config):
    """What is wrong with the codes that were met; of a few tests some may be missing."""
    faults = [f"an error lacks one of its six parts: {text}" for text in sorted(codes.broken)]
    asked = config.option
    whole = config.args_source is config.ArgsSource.TESTPATHS and asked.markexpr in USUAL
    fewer = (asked.keyword, asked.collectonly, asked.maxfail, asked.deselect, asked.ignore)
    if whole and not any((*fewer, getattr(asked, "lf", False))):
        faults += [f"no test meets the code {code}" for code in codes.unseen()]
    return faults
