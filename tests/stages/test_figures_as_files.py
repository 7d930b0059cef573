"""Figures of a report as files for papers."""

import pytest

from pipeline.core.parts import Section
from pipeline.stages.figures import write_figures
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
