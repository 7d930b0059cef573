import itertools

import numpy as np
import pytest

from pipeline.viz.theme import (
    DARK,
    DASHES,
    LIGHT,
    MARKERS,
    MPL_DASHES,
    MPL_MARKERS,
    VIRIDIS,
    group_index,
    mark_index,
    text_on,
)

THEMES = (LIGHT, DARK)
# Machado, Oliveira and Fernandes (2009), severity 1, applied to linear light.
DEFICIENCIES = {
    "none": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
         [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
         [-0.011820, 0.042940, 0.968881]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
         [0.004733, 0.691367, 0.303900]]
    ),
}  # fmt: skip


def linear(color):
    channels = np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def luminance(color):
    return float(linear(color) @ [0.2126, 0.7152, 0.0722])


def contrast(a, b):
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def lab(rgb):
    xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    ) @ np.clip(rgb, 0, 1)
    scaled = xyz / [0.9505, 1.0, 1.089]
    root = np.where(scaled > 0.008856, np.cbrt(scaled), 7.787 * scaled + 16 / 116)
    return np.array([116 * root[1] - 16, 500 * (root[0] - root[1]), 200 * (root[1] - root[2])])


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
@pytest.mark.parametrize("ground", ["paper", "surface", "sunken"])
@pytest.mark.parametrize("ink", ["ink", "muted", "accent", "ok", "warn", "failed", "quiet"])
def test_text_stands_out_from_every_ground_as_wcag_aa_asks(theme, ground, ink):
    assert contrast(getattr(theme, ink), getattr(theme, ground)) >= 4.5


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
@pytest.mark.parametrize("word", ["ok", "warn", "failed", "quiet"])
def test_a_status_is_legible_on_its_own_ground(theme, word):
    assert contrast(getattr(theme, word), getattr(theme, f"{word}_soft")) >= 4.5


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_curves_of_every_group_stand_out_from_the_figure(theme):
    for color in theme.groups:
        assert contrast(color, theme.surface) >= 3.0, color


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_numbers_on_the_colour_of_every_group_are_legible(theme):
    for color in theme.groups:
        assert contrast(text_on(color), color) >= 4.5, color


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
@pytest.mark.parametrize("share", [0.32, 0.07])
def test_ink_is_legible_on_the_faint_colour_of_every_stretch_of_time(theme, share):
    def mixed(color):
        parts = zip(color[1::2], color[2::2], theme.surface[1::2], theme.surface[2::2], strict=True)
        mixes = (share * int(a + b, 16) + (1 - share) * int(c + d, 16) for a, b, c, d in parts)
        return "#" + "".join(f"{round(mix):02x}" for mix in mixes)

    for color in theme.groups:
        assert contrast(theme.ink, mixed(color)) >= 4.5, color


def test_text_stands_out_from_every_grey():
    for grey in (f"#{level:02x}{level:02x}{level:02x}" for level in range(256)):
        assert contrast(text_on(grey), grey) >= 4.5, grey


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_the_first_four_groups_differ_for_all_kinds_of_colour_vision(theme, deficiency):
    matrix = DEFICIENCIES[deficiency]
    seen = [lab(matrix @ linear(color)) for color in theme.groups[:4]]
    for a, b in itertools.combinations(seen, 2):
        # A difference of 10 in CIE Lab is plain to see for patches side by side.
        assert np.linalg.norm(a - b) > 10


def test_every_group_has_a_marker_and_a_dash_of_its_own():
    for signs in (MARKERS, MPL_MARKERS, DASHES, MPL_DASHES):
        assert len(set(signs)) == len(signs) == len(LIGHT.groups) == len(DARK.groups)


def test_groups_beyond_the_palette_share_a_colour_and_not_its_mark():
    looks = {(group_index(group), mark_index(group)) for group in range(8 * len(LIGHT.groups))}
    assert len(looks) == 8 * len(LIGHT.groups)


def test_the_sequential_scale_grows_lighter_all_the_way():
    lightness = [luminance(color) for _, color in VIRIDIS]
    assert lightness == sorted(lightness)


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_the_diverging_scale_is_most_neutral_in_the_middle(theme):
    chroma = {place: np.linalg.norm(lab(linear(color))[1:]) for place, color in theme.diverging}
    assert min(chroma, key=chroma.get) == 0.5
