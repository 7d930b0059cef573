import json

import numpy as np

from pipeline.report.document import plain, report_document
from tests.support.fake_page import fake_page


def test_the_document_has_the_methods_with_status_reason_and_numbers():
    document = report_document(fake_page())
    assert set(document) == {
        "experiment",
        "recordings",
        "methods",
        "settings",
        "changed_settings",
        "provenance",
    }
    assert list(document["methods"]) == ["connectome", "biclustering", "trsa", "celltypes"]
    connectome = document["methods"]["connectome"]
    assert connectome["status"] == "warn"
    assert connectome["numbers"]["n_communities"] == 6
    assert document["methods"]["trsa"]["reason"].startswith("Not applicable")
    assert document["recordings"][0]["units_used"] == 118


def test_numbers_that_are_not_finite_become_null():
    document = report_document(fake_page())
    assert document["methods"]["connectome"]["numbers"]["undefined"] is None
    json.dumps(document, allow_nan=False)


def test_numpy_values_become_plain_ones():
    content = {"a": np.float32(1.5), "b": np.array([1, 2]), "c": np.inf, "d": (np.bool_(True),)}
    assert plain(content) == {"a": 1.5, "b": [1, 2], "c": None, "d": [True]}
