"""Maps between landmark schemes."""

from __future__ import annotations

import numpy as np
import pytest

from efld_dlib.boxes import Box, Pose
from efld_dlib.landmarks import (
    AFLW_21_TO_19,
    AFLW_21_TO_68,
    MAPS,
    SCHEMES,
    WFLW_98_TO_68,
)
from efld_dlib.records import FaceAnnotation, convert_face

# AFLW's landmarks in the order of its feature ids 1 to 21 (Köstinger et al., 2011).
NAMES_21 = (
    *("LeftBrowLeftCorner", "LeftBrowCenter", "LeftBrowRightCorner"),
    *("RightBrowLeftCorner", "RightBrowCenter", "RightBrowRightCorner"),
    *("LeftEyeLeftCorner", "LeftEyeCenter", "LeftEyeRightCorner"),
    *("RightEyeLeftCorner", "RightEyeCenter", "RightEyeRightCorner"),
    *("LeftEar", "NoseLeft", "NoseCenter", "NoseRight", "RightEar"),
    *("MouthLeftCorner", "MouthCenter", "MouthRightCorner", "ChinCenter"),
)


@pytest.mark.parametrize("pair", MAPS)
def test_a_map_and_a_mirror_may_change_places(pair):
    source, target = SCHEMES[pair[0]], SCHEMES[pair[1]]
    for old, new in MAPS[pair].items():
        assert MAPS[pair][source.mirror[old]] == target.mirror[new]


@pytest.mark.parametrize("pair", MAPS)
def test_no_landmark_is_given_twice(pair):
    targets = list(MAPS[pair].values())
    assert len(set(targets)) == len(targets)
    assert set(targets) <= set(range(SCHEMES[pair[1]].size))


@pytest.mark.parametrize("pair", [("98", "68"), ("21", "19")])
def test_maps_to_a_part_give_all_of_it(pair):
    assert set(MAPS[pair].values()) == set(range(SCHEMES[pair[1]].size))


def test_aflw_names_say_what_the_map_says():
    by_name = {NAMES_21[old]: new for old, new in AFLW_21_TO_68.items()}
    assert by_name == {
        "LeftBrowLeftCorner": 17,
        "LeftBrowCenter": 19,
        "LeftBrowRightCorner": 21,
        "RightBrowLeftCorner": 22,
        "RightBrowCenter": 24,
        "RightBrowRightCorner": 26,
        "LeftEyeLeftCorner": 36,
        "LeftEyeRightCorner": 39,
        "RightEyeLeftCorner": 42,
        "RightEyeRightCorner": 45,
        "NoseLeft": 31,
        "NoseCenter": 30,
        "NoseRight": 35,
        "MouthLeftCorner": 48,
        "MouthRightCorner": 54,
        "ChinCenter": 8,
    }
    assert {NAMES_21[i] for i in range(21)} - {NAMES_21[i] for i in AFLW_21_TO_19} == {
        "LeftEar",
        "RightEar",
    }
    # "Left" in a name is the landmark whose partner is "Right", at the same place of the word.
    for index, name in enumerate(NAMES_21):
        sides = {"Left": "Right", "Right": "Left"}
        parts = name
        for side in sides:
            parts = parts.replace(side, f"<{side}>")
        for side, other in sides.items():
            parts = parts.replace(f"<{side}>", other)
        assert NAMES_21[SCHEMES["21"].mirror[index]] == parts


def test_wflw_landmarks_of_known_place():
    # From WFLW's picture of its landmarks: eye corners, nose tip, mouth corners, chin, jaw ends.
    known = {60: 36, 64: 39, 68: 42, 72: 45, 54: 30, 76: 48, 82: 54, 16: 8, 0: 0, 32: 16}
    assert {old: WFLW_98_TO_68[old] for old in known} == known
    assert not {96, 97} & set(WFLW_98_TO_68)


def test_a_converted_face_keeps_all_but_its_landmarks():
    points = np.arange(42.0).reshape(21, 2)
    points[14] = np.nan
    occluded = np.zeros(21, bool)
    occluded[6] = True
    box, pose = Box(1, 2, 3, 4), Pose(1, 2, 3)
    face = FaceAnnotation(points, box, "21", pose, occluded, 3, {"sex": "f"})
    got = convert_face(face, "68")
    assert (got.scheme.name, got.box, got.pose, got.copies, got.attributes) == (
        *("68", box, pose, 3),
        {"sex": "f"},
    )
    assert got.points.shape == (68, 2)
    assert got.points[36].tolist() == points[6].tolist()
    assert got.given.sum() == 15  # sixteen correspond, one of them is not annotated
    assert np.flatnonzero(got.occluded).tolist() == [36]
    assert convert_face(face, "21") is face
    with pytest.raises(ValueError, match="no map from scheme 21 to scheme 98"):
        convert_face(face, "98")


@pytest.mark.data
def test_aflw_landmarks_lie_at_their_partners(data_root):
    """AFLW2000-3D has both schemes: each pair is the nearest, and near."""
    from efld_dlib.datasets.aflw2000 import read_aflw2000

    root = data_root / "aflw2000"
    distances = []
    for few, many in zip(read_aflw2000(root, "21"), read_aflw2000(root, "68"), strict=True):
        ours, theirs = few.faces[0].points, many.faces[0].points
        size = np.sqrt(np.ptp(theirs, axis=0).prod())
        distances.append(np.linalg.norm(ours[:, None] - theirs[None], axis=2) / size)
    median = np.nanmedian(distances, axis=0)
    for old, new in AFLW_21_TO_68.items():
        if old != 19:  # the mouth's right corner has the inner corner (64) as near
            assert median[old].argmin() == new
        assert median[old, new] < 0.045
