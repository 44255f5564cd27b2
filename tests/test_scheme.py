"""The 68-point scheme and its mirror image."""

from __future__ import annotations

import numpy as np
import pytest

from efld_dlib import landmarks as scheme
from efld_dlib.landmarks import GROUPS_68, SCHEMES, mirror_points, part_name

# Written out from the list that the annotation document gives, one part of the face a line.
MIRROR = [
    *(16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
    *(26, 25, 24, 23, 22, 21, 20, 19, 18, 17),
    *(27, 28, 29, 30),
    *(35, 34, 33, 32, 31),
    *(45, 44, 43, 42, 47, 46),
    *(39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48),
    *(59, 58, 57, 56, 55),
    *(64, 63, 62, 61, 60),
    *(67, 66, 65),
]


def test_mirror_is_the_documented_permutation():
    assert list(SCHEMES["68"].mirror) == MIRROR
    assert SCHEMES["68"].size == 68


@pytest.mark.parametrize("name", SCHEMES)
def test_mirror_is_an_involution_and_groups_part_the_face(name):
    mirror, groups = SCHEMES[name].mirror, SCHEMES[name].groups
    assert [mirror[mirror[i]] for i in range(len(mirror))] == list(range(len(mirror)))
    assert sorted(i for group in groups.values() for i in group) == list(range(len(mirror)))


def test_groups_turn_into_their_partners():
    def mirrored(group):
        return {SCHEMES["68"].mirror[i] for i in GROUPS_68[group]}

    for one, other in [("left_brow", "right_brow"), ("left_eye", "right_eye")]:
        assert mirrored(one) == set(GROUPS_68[other])
    for own in ("jaw", "nose", "mouth"):
        assert mirrored(own) == set(GROUPS_68[own])


def test_groups_are_the_ones_of_300w():
    sizes = {name: len(group) for name, group in GROUPS_68.items()}
    assert sizes == {
        "jaw": 17,
        "left_brow": 5,
        "right_brow": 5,
        "nose": 9,
        "left_eye": 6,
        "right_eye": 6,
        "mouth": 20,
    }


def test_the_five_named_points():
    # Outer eye corners, tip of the nose, mouth corners.
    assert scheme.FIVE_POINTS == (36, 45, 30, 48, 54)


def test_mirrored_points_change_side_and_name():
    points = np.zeros((68, 2))
    points[36], points[45], points[30] = (10, 5), (80, 7), (50, 40)
    mirrored = mirror_points(points, width=100)
    # Pixel 0 becomes pixel 99.
    assert mirrored[36].tolist() == [19, 7]
    assert mirrored[45].tolist() == [89, 5]
    assert mirrored[30].tolist() == [49, 40]
    assert points[36].tolist() == [10, 5]


def test_mirrored_twice_is_as_before_also_with_missing_points():
    points = np.random.default_rng(0).uniform(0, 100, (68, 2))
    points[[3, 40]] = np.nan
    back = mirror_points(mirror_points(points, 321), 321)
    np.testing.assert_allclose(back, points, atol=1e-12)


def test_mirroring_goes_with_the_pixels():
    picture = np.zeros((4, 7), np.uint8)
    points = np.zeros((68, 2))
    points[36] = (1, 2)
    picture[2, 1] = 255
    x, y = mirror_points(points, picture.shape[1])[45].astype(int)
    assert picture[:, ::-1][y, x] == 255


def test_part_names_sort_as_the_numbers_do():
    names = [part_name(i) for i in range(68)]
    assert names == sorted(names)
    assert (names[0], names[9], names[67]) == ("00", "09", "67")
