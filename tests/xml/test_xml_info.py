"""Counts, boxes, landmarks and poses of dlib's XML."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from efld_dlib.boxes import Box
from efld_dlib.landmarks import mirror_points
from efld_dlib.pose import mean_face_3d, rotation_matrix
from efld_dlib.records import FaceAnnotation, ImageRecord
from efld_dlib.xml.info import Bin, Statistics, describe, implausibility, info_text


def face_points(yaw=0.0, pitch=0.0, roll=0.0):
    return (mean_face_3d() @ rotation_matrix((yaw, pitch, roll)).T)[:, :2] * 60 + [100, 80]


def face(box=(50, 50, 100, 80), copies=1, without=(), **pose):
    points = face_points(**pose)
    points[list(without)] = np.nan
    return FaceAnnotation(points, Box(*box), copies=copies)


def test_statistics_by_hand():
    result = Statistics.of(np.array([1.0, 2.0, 3.0, 6.0, np.nan]))
    assert result == Statistics(1, 2.5, 6, 3, pytest.approx(np.sqrt(3.5)))
    assert np.isnan(Statistics.of(np.empty(0)).mean)


def test_copies_count_as_boxes_and_not_as_faces(tmp_path):
    records = [
        ImageRecord(tmp_path / "a.png", (face(copies=3), face((0, 0, 50, 50), without=[8]))),
        ImageRecord(tmp_path / "b.png", ()),
    ]
    info = describe(records, pictures=False)
    assert (info.pictures, info.empty_pictures, info.faces, info.boxes) == (2, 1, 2, 4)
    assert (info.full_faces, info.lacking) == (1, {"08": 1})
    assert info.box_width == Statistics(50, 75, 100, 75, 25)
    assert info.box_aspect.maximum == 1.25
    assert info.outside is None
    text = info_text(info)
    assert "lacking in some faces: 08 (1)" in text
    assert "cannot read" not in text


def test_a_landmark_in_no_face_is_told_apart():
    info = describe([ImageRecord("a", (face(without=[8]), face(without=[8, 9])))], pictures=False)
    text = info_text(info)
    assert "in no face: 08\n" in text
    assert "in some faces: 09 (1)" in text


def test_poses_are_those_of_the_landmarks():
    records = [ImageRecord("a", (face(yaw=yaw), face(roll=40))) for yaw in (-20, 20, 22)]
    few = FaceAnnotation(np.full((68, 2), np.nan), Box(0, 0, 9, 9))
    info = describe([*records, ImageRecord("b", (few,))], pictures=False)
    filled = {bin_.label: bin_.count for bin_ in info.pose_bins["yaw"] if bin_.count}
    assert filled.pop("-30 to -15") == 1
    assert filled.pop("15 to 30") == 2
    assert sum(filled.values()) == 3
    assert info.pose_unknown == 1
    assert info.pose["roll"].maximum == pytest.approx(40, abs=0.1)
    assert sum(bin_.count for bin_ in info.pose_bins["pitch"]) == 6
    assert "1 faces have too few" in info_text(info)


def test_open_bins_have_names():
    assert [Bin(None, -90, 0).label, Bin(90, None, 0).label] == ["below -90", "90 and more"]


def test_boxes_are_held_against_the_pictures(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((100, 160), np.uint8))
    faces = tuple(
        face(box)
        for box in [
            (0, 0, 160, 100),
            (1, 0, 160, 100),
            (-1, 5, 9, 9),
            (160, 0, 5, 5),
            (0, -9, 9, 9),
        ]
    )
    records = [ImageRecord(tmp_path / "a.png", faces), ImageRecord(tmp_path / "gone.png", faces)]
    info = describe(records, jobs=1)
    assert (info.reaching_out, info.outside, info.unreadable_pictures) == (4, 2, 1)


def test_an_empty_file_has_an_info_too():
    text = info_text(describe([], jobs=1))
    assert "nan" in text


@pytest.mark.parametrize("yaw", [-60, 0, 60])
def test_a_face_as_the_mean_is_plausible_in_every_pose(yaw):
    good = face_points(yaw, -10, 30)
    swapped = good * [-1, 1]
    off = good.copy()
    off[48] += 25
    cheeky = np.tile(good[:1], (68, 1))
    bare = np.full((68, 2), np.nan)
    scores = implausibility(np.array([good, mirror_points(good, 300), off, cheeky, bare]))
    assert scores[0] == pytest.approx(0, abs=0.02)
    assert scores[1] == pytest.approx(0, abs=0.02)
    assert scores[2] > 0.05
    assert scores[3] == np.inf
    assert np.isnan(scores[4])
    if yaw == 0:
        assert implausibility(swapped[None])[0] > 0.3


def test_the_distance_is_by_the_size_of_the_face():
    off = face_points()
    off[30] += 20
    small, large = implausibility(np.array([off, off * 7 + 100]))
    assert small == pytest.approx(large)
