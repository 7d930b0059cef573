import json

from pipeline.report.document import report_document
from pipeline.report.render import render
from tests.support.fake_page import CLOSING, fake_page

SECRETS = ("secret-mouse-7", "cluster-node-12", "2021-03-04", "fit starts")


def test_without_redaction_the_page_tells_who_and_where():
    text = render(fake_page())
    for secret in SECRETS:
        assert secret in text


def test_redaction_hides_subject_host_and_date_everywhere():
    page = fake_page(redact=True, note="Animal secret-mouse-7 is missing.")
    for text in (render(page), json.dumps(report_document(page))):
        for secret in (*SECRETS, CLOSING):
            assert secret not in text
        assert "worm01" in text
        assert "(hidden)" in text


def test_redaction_leaves_numbers_alone():
    page = fake_page(redact=True)
    shown = report_document(page)
    assert shown["methods"]["connectome"]["numbers"]["n_communities"] == 6
    assert shown["recordings"][0]["units"] == 120
