"""The 68-point scheme and its mirror image."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from efld_dlib import landmarks as scheme
from efld_dlib.errors import DataError, OptionError
from efld_dlib.landmarks import (
    FACE_68,
    GROUPS_68,
    SCHEMES,
    Scheme,
    correspondence,
    find_scheme,
    mirror_points,
    numbered_scheme,
    read_scheme,
)

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
    mirror, groups, every = SCHEMES[name].mirror, SCHEMES[name].groups, range(SCHEMES[name].size)
    if mirror is not None:
        assert [mirror[mirror[i]] for i in every] == list(every)
    assert sorted(i for group in groups.values() for i in group) == list(every)


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


@pytest.mark.parametrize("name", SCHEMES)
def test_part_names_sort_as_the_numbers_do(name):
    names = SCHEMES[name].points
    assert list(names) == sorted(names)
    assert [int(each) for each in names] == list(range(SCHEMES[name].size))


def test_the_68_have_two_digits():
    names = SCHEMES["68"].points
    assert (names[0], names[9], names[67]) == ("00", "09", "67")


LEAF = {
    "name": "leaf",
    "points": ["base", "left", "right", "tip"],
    "face": False,
    "mirror": [["left", "right"]],
    "groups": {"rib": ["base", "tip"]},
    "edges": [["base", "left", "tip", "right", "base"]],
    "normaliser": [["base"], ["tip"]],
    "positions": {"base": [0, 0, 0], "left": [-1, 1, 0], "right": [1, 1, 0], "tip": [0, 3, 1]},
}


def test_a_scheme_of_ones_own_says_all_that_was_stated():
    leaf = read_scheme(LEAF)
    assert (leaf.size, leaf.index("tip"), leaf.index("root")) == (4, 3, None)
    assert leaf.mirror == (0, 2, 1, 3)
    assert leaf.groups == {"rib": (0, 3)}
    assert leaf.edges == ((0, 1, 3, 2, 0),)
    assert leaf.normaliser == ((0,), (3,))
    assert leaf.positions[3] == (0, 3, 1)
    assert leaf.labels == leaf.points


@pytest.mark.parametrize(
    "scheme",
    [
        read_scheme(LEAF),
        FACE_68,
        FACE_68.select(range(36, 48)),
        FACE_68.select([5, 3]),
        numbered_scheme(12),
        Scheme("", ("a b", "ß")),
    ],
    ids=str,
)
def test_a_scheme_survives_json_and_processes(scheme):
    assert read_scheme(json.loads(json.dumps(scheme.state()))) == scheme
    assert pickle.loads(pickle.dumps(scheme)) == scheme


def test_the_names_in_a_file_may_be_ranges(tmp_path):
    path = tmp_path / "wing.toml"
    path.write_text(
        'name = "wing"\npoints = 12\nmirror = [["00..05", "11..06"]]\n'
        'normaliser = ["00", "11"]\n[groups]\nfront = ["00..03", "11"]\n',
        encoding="utf-8",
    )
    wing = find_scheme(path)
    assert wing.points[:2] == ("00", "01")
    assert wing.mirror == tuple(range(11, -1, -1))
    assert wing.groups["front"] == (0, 1, 2, 3, 11)
    assert find_scheme("68") is FACE_68


def without(key):
    return {name: value for name, value in LEAF.items() if name != key}


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ("leaf", "there is no scheme 'leaf'; choose 68, 21"),
        (7, "a name or a table, not 7"),
        ({**LEAF, "colour": "green"}, "a scheme has no 'colour'"),
        ({**LEAF, "name": 3}, "the name of a scheme is a text"),
        ({**LEAF, "name": "5"}, "scheme 5 comes with the toolkit"),
        ({"name": "5", "points": 5, "mirror": []}, "give yours another name"),
        (without("points"), "a scheme needs its points"),
        ({**LEAF, "points": ["a", "a"]}, "'a' stands twice"),
        ({**LEAF, "points": ["a&b"]}, "dlib's XML cannot hold 'a&b'"),
        ({**LEAF, "mirror": [["left", "root"]]}, "'root' is no landmark of scheme leaf"),
        ({**LEAF, "mirror": [["left"]]}, "is no pair of landmarks"),
        ({**LEAF, "mirror": [["left", "right"], ["left", "tip"]]}, "has its partner already"),
        ({**LEAF, "mirror": "left right"}, "the mirror pairs of a scheme are a list"),
        ({**LEAF, "groups": []}, "the groups of a scheme are a table"),
        ({**LEAF, "normaliser": ["base"]}, "the distance of two ends"),
        ({**LEAF, "normaliser": ["base", "base"]}, "two different ends"),
        ({**LEAF, "normaliser": [[], "base"]}, "two different ends"),
        ({**LEAF, "face": "yes"}, "true or false, not 'yes'"),
        ({**LEAF, "points": True}, "a scheme needs its points"),
        ({**LEAF, "points": ["a\0"]}, "dlib's XML cannot hold"),
        ({"points": ["7", "07"]}, "the same number"),
        ({**LEAF, "positions": {"base": [0, 0, 0]}}, "x, y, z of each landmark"),
        ({**LEAF, "positions": {"root": [0, 0, 0]}}, "'root' has a position, but is no landmark"),
        ({**LEAF, "positions": {name: [0, 1] for name in LEAF["points"]}}, "three numbers"),
    ],
)
def test_what_is_no_scheme_is_refused_with_the_reason(stated, said):
    with pytest.raises(OptionError, match=said):
        read_scheme(stated)


def test_a_file_that_is_no_scheme_is_named(tmp_path):
    path = tmp_path / "x.toml"
    with pytest.raises(DataError, match=r"x\.toml"):
        find_scheme(path)
    path.write_text("points = [", encoding="utf-8")
    with pytest.raises(OptionError, match=r"x\.toml: "):
        find_scheme(path)


def test_a_part_of_a_scheme_keeps_what_lies_within_it():
    eyes = FACE_68.select(range(36, 48))
    assert eyes.name == "68"
    assert eyes.points[0] == "36"
    assert eyes.mirror[0] == 9
    assert eyes.groups == {"left_eye": tuple(range(6)), "right_eye": tuple(range(6, 12))}
    assert eyes.normaliser == ((0,), (9,))
    assert (5, 0) in eyes.edges
    # One eye alone has neither a mirror image nor the distance of both.
    one = FACE_68.select(range(36, 42))
    assert (one.mirror, one.normaliser) == (None, None)
    assert FACE_68.select(range(68)) is FACE_68


def test_schemes_of_one_thing_correspond_by_names():
    eyes = FACE_68.select(range(36, 48))
    assert correspondence(eyes, FACE_68) == {i: 36 + i for i in range(12)}
    assert correspondence(SCHEMES["98"], eyes)[60] == 0
    assert correspondence(FACE_68, SCHEMES["98"]) is None
    own, named = Scheme("", ("tip", "base")), read_scheme(LEAF)
    assert correspondence(own, named) == {0: 3, 1: 0}
    assert correspondence(Scheme("moth", ("tip",)), named) is None


def test_numbers_alone_say_nothing_of_what_the_points_are():
    assert correspondence(numbered_scheme(12), FACE_68) is None
    assert correspondence(numbered_scheme(12), Scheme("", tuple("0123456789") + ("10", "11")))
