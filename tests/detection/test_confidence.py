"""How sure landmarks are said to be."""

import numpy as np
import pytest

from efld_dlib import FaceLandmarker
from efld_dlib.boxes import Box, Pose, RotatedBox
from efld_dlib.detection.confidence import confidence
from efld_dlib.detection.network import LandmarkNetwork
from efld_dlib.images import to_gray
from efld_dlib.pose import estimate_pose

BOX = Box(179, 83, 88, 88)


def sureness(gray, points, pose):
    look = LandmarkNetwork().look(gray, RotatedBox(BOX, 0.0))
    return confidence(look, points, pose)


@pytest.fixture(scope="module")
def face(astronaut_pixels):
    (found,) = FaceLandmarker().landmarks(astronaut_pixels, [BOX], "rgb")
    return found


def test_landmarks_on_the_face_are_sure(face):
    assert 0.8 < face.confidence <= 1


@pytest.mark.parametrize(
    "astray",
    [
        lambda points: points + (200, 150),  # on what is no face
        lambda points: points + (35, 0),  # beside it
        lambda points: points.mean(axis=0) + 0.5 * (points - points.mean(axis=0)),  # too small
    ],
)
def test_landmarks_that_went_astray_are_not(astronaut, face, astray):
    points = astray(face.points)
    assert sureness(to_gray(astronaut), points, estimate_pose(points)) < 0.3


def test_landmarks_that_make_up_no_face_have_none(astronaut):
    unknown = Pose(np.nan, np.nan, np.nan)
    assert sureness(to_gray(astronaut), np.zeros((68, 2)), unknown) == 0.0


def test_a_box_without_a_face_gives_landmarks_without_confidence(astronaut):
    (found,) = FaceLandmarker().landmarks(astronaut, [Box(380, 360, 88, 88)], "rgb")
    assert found.confidence < 0.3
