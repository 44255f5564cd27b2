"""Which detection belongs to which face."""

from __future__ import annotations

import numpy as np
import pytest

from efld_dlib.boxes import Box
from efld_dlib.detection.detectors import Detection
from efld_dlib.detection.framing import match_detections
from efld_dlib.records import FaceAnnotation


def face(left: float, top: float, size: float) -> FaceAnnotation:
    """A face whose tight box has this corner and size."""
    points = np.full((68, 2), np.nan)
    points[17] = (left, top)
    points[67] = (left + size - 1, top + size - 1)
    return FaceAnnotation(points)


def detections(*boxes: tuple[float, float, float, float]) -> list[Detection]:
    return [Detection(Box(*box), 1.0) for box in boxes]


def test_each_face_gets_the_box_that_lies_on_it():
    faces = [face(0, 0, 100), face(300, 0, 100), face(0, 300, 100)]
    found = detections((305, 0, 100, 100), (0, 290, 100, 100), (-5, 5, 100, 100))
    assert match_detections(faces, found) == [found[2].box, found[0].box, found[1].box]


def test_a_detection_is_given_away_once_and_to_the_face_it_covers_best():
    faces = [face(30, 0, 100), face(0, 0, 100)]
    found = detections((2, 0, 100, 100))
    assert match_detections(faces, found) == [None, found[0].box]


def test_the_loser_gets_the_next_best():
    faces = [face(20, 0, 100), face(0, 0, 100)]
    found = detections((0, 0, 100, 100), (40, 0, 100, 100))
    # Both faces lie near the first box, the second face exactly on it.
    assert match_detections(faces, found) == [found[1].box, found[0].box]


def test_of_two_detections_of_one_face_the_closer_counts_whatever_its_score():
    found = [Detection(Box(25, 0, 100, 100), 3.0), Detection(Box(0, 0, 100, 100), 0.1)]
    assert match_detections([face(0, 0, 100)], found) == [found[1].box]


@pytest.mark.parametrize(("side", "matched"), [(60, True), (59, False)])
def test_too_little_overlap_is_no_match(side, matched):
    # Within the face's 100 x 100 pixels: 60 x 60 is 0.36 of them, 59 x 59 is 0.3481.
    found = detections((20, 20, side, side))
    assert match_detections([face(0, 0, 100)], found) == [found[0].box if matched else None]


def test_missing_landmarks_and_empty_lists():
    blank = FaceAnnotation(np.full((68, 2), np.nan))
    found = detections((0, 0, 100, 100))
    assert match_detections([blank, face(0, 0, 100)], found) == [None, found[0].box]
    assert match_detections([face(0, 0, 100)], []) == [None]
    assert match_detections([], found) == []


def test_the_faces_own_box_plays_no_part():
    points = face(0, 0, 100).points
    elsewhere = FaceAnnotation(points, box=Box(500, 500, 10, 10))
    found = detections((500, 500, 10, 10), (0, 0, 100, 100))
    assert match_detections([elsewhere], found) == [found[1].box]
