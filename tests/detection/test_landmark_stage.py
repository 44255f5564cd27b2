"""From a detection to landmarks, at each quality."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from efld_dlib import FaceLandmarker
from efld_dlib.boxes import Box, RotatedBox
from efld_dlib.detection.network import LandmarkNetwork
from efld_dlib.errors import OptionError
from efld_dlib.images import to_gray

BOX = Box(179, 83, 88, 88)


@pytest.mark.parametrize("quality", ["fast", "balanced", "best"])
def test_every_quality_finds_the_same_face(astronaut, quality):
    (face,) = FaceLandmarker(quality=quality).landmarks(astronaut, [BOX], "rgb")
    (usual,) = FaceLandmarker().landmarks(astronaut, [BOX], "rgb")
    eyes = np.linalg.norm(usual.points[36] - usual.points[45])
    off = np.linalg.norm(face.points - usual.points, axis=1).mean() / eyes
    assert off < 0.06
    assert (off == 0) == (quality == "balanced")


def test_an_unknown_quality_is_refused():
    with pytest.raises(OptionError, match="fast, balanced, best, not 'good'"):
        FaceLandmarker(quality="good")


@pytest.mark.parametrize("size", [0, -5])
def test_a_face_of_no_size_is_refused(size):
    with pytest.raises(OptionError, match=f"face size must be at least 1 pixel, not {size}"):
        FaceLandmarker(face_size=size)


def test_the_network_finds_back_to_the_face_from_boxes_beside_it(astronaut):
    gray, network = to_gray(astronaut), LandmarkNetwork()
    right = RotatedBox(BOX, 0.0)
    right = network.look(gray, right).start
    for moved in (RotatedBox(Box(186, 88, 88, 88), 0.0), RotatedBox(Box(174, 78, 100, 100), 0.0)):
        found = network.look(gray, moved).start
        assert found.box.overlap(right.box) > max(0.85, moved.box.overlap(right.box))


def test_the_network_tells_a_face_from_what_is_beside_it(astronaut):
    gray, network = to_gray(astronaut), LandmarkNetwork()
    assert network.look(gray, RotatedBox(BOX, 0.0)).score > 2
    assert network.look(gray, RotatedBox(Box(380, 360, 88, 88), 0.0)).score < -1


def test_rough_landmarks_lie_near_the_predictors(astronaut):
    gray, network = to_gray(astronaut), LandmarkNetwork()
    (face,) = FaceLandmarker().landmarks(gray, [BOX])
    eyes = np.linalg.norm(face.points[36] - face.points[45])
    rough = network.look(gray, RotatedBox(BOX, 0.0)).points
    assert np.linalg.norm(rough - face.points, axis=1).mean() < 0.1 * eyes


def test_where_landmarks_make_no_sense_the_place_stays(astronaut):
    gray, landmarker = to_gray(astronaut), FaceLandmarker()
    place = RotatedBox(BOX, 5.0)
    look = landmarker.network.look(gray, place)
    for points in (np.full((68, 2), 3.0), look.points + 300):
        beside = replace(look, points=points)
        assert beside.start is None
        told = landmarker.stage.predict(gray, place, beside)
        np.testing.assert_array_equal(told, landmarker.stage.predict(gray, place))


def test_rough_landmarks_pull_the_predictor_back_from_a_bad_start(astronaut):
    gray, landmarker = to_gray(astronaut), FaceLandmarker()
    (face,) = landmarker.landmarks(gray, [BOX])
    look = landmarker.network.look(gray, RotatedBox(BOX, 0.0))
    start = RotatedBox(Box(BOX.left + 30, BOX.top + 20, 88, 88), 0.0)
    alone, told = (landmarker.stage.predict(gray, start, each) for each in (None, look))
    off, near = (np.linalg.norm(points - face.points, axis=1).mean() for points in (alone, told))
    assert near < 0.7 * off


def test_a_small_tilted_face_is_turned_upright(astronaut):
    gray = to_gray(astronaut)
    center = (222.5, 126.5)
    matrix = cv2.getRotationMatrix2D(center, -20, 1.0)
    turned = cv2.warpAffine(gray, matrix, gray.shape[::-1])
    (plain,) = FaceLandmarker().landmarks(gray, [BOX])
    (face,) = FaceLandmarker().landmarks(turned, [BOX])
    expected = plain.points @ matrix[:, :2].T + matrix[:, 2]
    eyes = np.linalg.norm(plain.points[36] - plain.points[45])
    assert np.linalg.norm(face.points - expected, axis=1).mean() < 0.06 * eyes
    assert face.pose.roll - plain.pose.roll == pytest.approx(20, abs=4)
