"""Figures of a report as files for papers."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from pipeline.core.parts import Section
from pipeline.io.documents import write_document
from pipeline.stages.figures import draw_section, write_figures
from pipeline.viz.draw import PICTURES, picture
from tests.support import fake_page

MAGIC = {"svg": b"<?xml", "pdf": b"%PDF", "png": b"\x89PNG"}


@pytest.fixture
def section():
    body = ("Words.", fake_page.rank_bars(), fake_page.community_matrix())
    return Section(id="connectome", title="Connectome", status="ok", sentence="", body=body)


@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_is_a_file_of_its_kind_and_the_same_each_time(kind):
    drawn = picture(fake_page.rank_bars(), kind)
    assert drawn.startswith(MAGIC[kind])
    assert picture(fake_page.rank_bars(), kind) == drawn


def test_every_figure_is_a_file_in_each_format_and_others_are_gone(tmp_path, section):
    folder = tmp_path / "figures"
    write_figures(folder, [section], formats=["svg", "pdf"])
    names = {path.name for path in folder.iterdir()}
    figures = [part for part in section.body if not isinstance(part, str)]
    assert names == {f"connectome-{one.id}.{kind}" for one in figures for kind in ("svg", "pdf")}
    write_figures(folder, [section], formats=["png"])
    assert {path.suffix for path in folder.iterdir()} == {".png"}
    write_figures(folder, [section], formats=[])
    assert list(folder.iterdir()) == []


def test_films_are_strips_of_their_frames_where_pictures_of_pixels_are_asked_for(tmp_path, section):
    films = fake_page.films()
    shown = dataclasses.replace(section, body=(films,))
    write_figures(tmp_path, [shown], formats=["svg"])
    assert list(tmp_path.iterdir()) == []
    write_figures(tmp_path, [shown], formats=["svg", "png"])
    names = [f"connectome-films-{number}.png" for number in range(1, 9)]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    for name, film in zip(names, films.films, strict=True):
        with Image.open(tmp_path / name) as picture:
            np.testing.assert_array_equal(picture, np.concatenate(list(film.frames), axis=1))
            assert picture.text["Title"] == film.title


def test_the_command_for_papers_writes_films_too(tmp_path, section):
    films = fake_page.films()
    write_document(tmp_path / "section.json", dataclasses.replace(section, body=(films,)))
    made = draw_section(tmp_path / "section.json", folder=tmp_path / "figures", tables="csv")
    assert [path.name for path in made] == [f"films-{number}.png" for number in range(1, 9)]
    assert all(path.read_bytes().startswith(MAGIC["png"]) for path in made)
