"""Films on a page hold their frames, need no script, and do not move unasked."""

from __future__ import annotations

import base64
import dataclasses
import io
import re

import numpy as np
from PIL import Image

from pipeline.core.parts import Film, Films
from pipeline.io.documents import read_document, write_document
from pipeline.report.films import film_strip
from pipeline.report.render import render
from tests.support.fake_page import fake_page

FRAMES = np.random.default_rng(0).integers(0, 256, (7, 4, 5)).astype(np.uint8)
FILMS = Films(
    id="films",
    title="Films",
    finding="Seven frames.",
    caption="What is shown.",
    alt="A film:",
    films=(Film(title="First", frames=FRAMES),),
    frame_s=0.1,
    still=2,
)


def test_the_picture_holds_all_frames_beside_each_other():
    style = film_strip(FILMS.films[0], FILMS).style
    packed = re.search(r"base64,([^)]*)\)", style).group(1)
    with Image.open(io.BytesIO(base64.b64decode(packed))) as picture:
        strip = np.asarray(picture)
    np.testing.assert_array_equal(strip, np.concatenate(list(FRAMES), axis=1))
    assert "--frames:7;" in style
    assert "--length:0.7s;" in style
    assert "--still:-0.25s;" in style  # the middle of the third frame


def test_a_page_with_films_has_no_more_scripts_and_nothing_moves_unasked():
    page = fake_page()
    first = page.sections[0]
    shown = dataclasses.replace(
        page, sections=(dataclasses.replace(first, body=(*first.body, FILMS)), *page.sections[1:])
    )
    plain, text = render(page), render(shown)
    assert text.count("<script") == plain.count("<script")
    policy = re.compile(r'Content-Security-Policy" content="([^"]*)"')
    assert policy.search(text).group(1) == policy.search(plain).group(1)
    assert 'aria-label="A film: First."' in text
    assert re.search(r'<input type="checkbox"> Play', text)  # not ticked
    assert re.search(r"animation: reel [^;]* paused;", text)


def test_films_are_stored_with_their_section(tmp_path):
    section = dataclasses.replace(fake_page().sections[0], body=(FILMS,))
    write_document(tmp_path / "section.json", section)
    (found,) = read_document(tmp_path / "section.json", type(section)).body
    np.testing.assert_array_equal(found.films[0].frames, FRAMES)
