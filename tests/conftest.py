"""The order of tests where several processes share them."""

LONG = ("tests/slurm/", "tests/workflow/", "tests/methods/biclustering/")


def pytest_collection_modifyitems(items):
    """Long files first, lest one process be left with one when the others are done."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))
