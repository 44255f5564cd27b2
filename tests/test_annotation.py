"""Boxes and annotated faces."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from efld_dlib.boxes import Box, Pose, annotated
from efld_dlib.records import FaceAnnotation, ImageRecord

NAN = math.nan


def test_right_and_bottom_are_the_last_pixels_of_the_box():
    box = Box(10, 20, 3, 5)
    assert (box.right, box.bottom) == (12, 24)
    assert box.center == (11, 22)
    assert Box(0, 0, 2, 2).center == (0.5, 0.5)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (Box(0, 0, 10, 10), Box(0, 0, 10, 10), 1.0),
        (Box(0, 0, 10, 10), Box(5, 0, 10, 10), 50 / 150),
        (Box(0, 0, 10, 10), Box(9, 9, 10, 10), 1 / 199),  # one pixel is shared
        (Box(0, 0, 10, 10), Box(10, 0, 10, 10), 0.0),  # side by side
        (Box(0, 0, 10, 10), Box(0, 40, 10, 10), 0.0),
        (Box(0, 0, 10, 10), Box(50, 50, 10, 10), 0.0),  # apart both ways: no "negative" overlap
        (Box(0, 0, 10, 10), Box(2, 2, 5, 4), 20 / 100),  # one within the other
        (Box(-5, -5, 10, 10), Box(-5, 0, 10, 10), 50 / 150),
        (Box(0.5, 0, 1, 1), Box(0, 0, 1, 1), 0.5 / 1.5),
    ],
)
def test_overlap_by_hand(first, second, expected):
    assert first.overlap(second) == pytest.approx(expected, abs=1e-12)
    assert second.overlap(first) == pytest.approx(expected, abs=1e-12)


def test_overlap_counts_the_pixels_that_both_have():
    rng = np.random.default_rng(3)
    for left, top, width, height, left2, top2, width2, height2 in rng.integers(1, 15, (30, 8)):
        first, second = np.zeros((2, 32, 32), bool)
        first[top : top + height, left : left + width] = True
        second[top2 : top2 + height2, left2 : left2 + width2] = True
        expected = (first & second).sum() / (first | second).sum()
        overlap = Box(left, top, width, height).overlap(Box(left2, top2, width2, height2))
        assert overlap == pytest.approx(expected, abs=1e-12)


def test_box_around_points_covers_their_pixels_and_overlooks_missing_ones():
    points = np.array([[3.0, 9.0], [NAN, NAN], [7.0, 5.0], [100.0, NAN]])
    assert Box.around(points) == Box(3, 5, 5, 5)
    assert Box.around(points[:1]) == Box(3, 9, 1, 1)


def test_box_around_nothing_is_an_error():
    with pytest.raises(ValueError, match="no point"):
        Box.around(np.full((68, 2), NAN))


def test_a_landmark_is_annotated_when_both_coordinates_are():
    points = np.array([[[1, 2], [NAN, 2]], [[1, NAN], [math.inf, 0]]])
    assert annotated(points).tolist() == [[True, False], [False, False]]
    assert FaceAnnotation(points[0]).given.tolist() == [True, False]


def face(**changes) -> FaceAnnotation:
    points = np.arange(136.0).reshape(68, 2)
    points[5] = NAN
    return FaceAnnotation(**{"points": points, "box": Box(1, 2, 3, 4), **changes})


def test_equal_faces_are_equal_also_where_points_are_missing():
    assert face() == face()


@pytest.mark.parametrize(
    "changes",
    [
        {"points": np.zeros((68, 2))},
        {"points": np.zeros((21, 2))},
        {"box": None},
        {"box": Box(1, 2, 3, 5)},
        {"scheme": "21"},
        {"pose": Pose(0, 0, 0)},
        {"occluded": np.zeros(68, bool)},
        {"copies": 2},
        {"attributes": {"sex": "f"}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_each_field_counts_for_equality(changes):
    assert face(**changes) != face()
    assert face(**changes) == face(**changes)


def test_occlusion_counts_by_value():
    hidden = np.zeros(68, bool)
    hidden[3] = True
    assert face(occluded=hidden) == face(occluded=hidden.copy())
    assert face(occluded=hidden) != face(occluded=~hidden)


def test_a_face_is_not_equal_to_something_else():
    assert face() != "face"
    assert face() != 5


def test_records_compare_by_path_faces_and_photograph():
    record = ImageRecord(Path("a.jpg"), (face(),), "a")
    assert record == ImageRecord(Path("a.jpg"), (face(),), "a")
    assert record != ImageRecord(Path("b.jpg"), (face(),), "a")
    assert record != ImageRecord(Path("a.jpg"), (face(copies=2),), "a")
    assert record != ImageRecord(Path("a.jpg"), (face(),), "b")
