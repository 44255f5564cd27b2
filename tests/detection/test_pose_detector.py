"""Our own detector, with the files that come with the toolkit."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from efld_dlib.annotation import Box
from efld_dlib.detection.choice import make_detector
from efld_dlib.detection.detectors import Detection, FrontalDetector
from efld_dlib.detection.places import turned_back
from efld_dlib.detection.pose_detector import PoseDetector
from efld_dlib.detection.suppression import suppress
from efld_dlib.errors import OptionError
from efld_dlib.images import to_gray

# In skimage's photograph, as dlib's detector frames it.
ASTRONAUT = Box(179, 83, 88, 88)


@pytest.fixture
def gray(astronaut) -> np.ndarray:
    return to_gray(astronaut)


def angle_between(one: float, other: float) -> float:
    return abs((one - other + 180) % 360 - 180)


def test_frames_the_astronaut_as_dlib_does(gray):
    (found,) = PoseDetector()(gray)
    (dlibs,) = FrontalDetector(0)(gray)
    assert found.box.overlap(dlibs.box) > 0.75
    assert found.score > 0
    assert abs(found.roll) < 15
    assert abs(found.yaw) < 30


@pytest.mark.parametrize("turn", [-90, -45, 60, 150, 180])
def test_thorough_finds_a_turned_face_and_tells_its_roll(gray, turn):
    turned, matrix = turned_back(gray, -turn)
    found = PoseDetector("thorough")(turned)[0]
    center = matrix[:, :2] @ ASTRONAUT.center + matrix[:, 2]
    assert np.linalg.norm(center - found.box.center) < 0.2 * ASTRONAUT.width
    assert found.box.width == pytest.approx(ASTRONAUT.width, rel=0.25)
    (upright,) = PoseDetector()(gray)
    assert angle_between(found.roll, upright.roll + turn) < 15


def test_fast_finds_small_and_tilted_faces_where_there_is_nothing_else(gray):
    small = cv2.resize(gray, None, fx=0.55, fy=0.55, interpolation=cv2.INTER_AREA)
    (found,) = PoseDetector()(small)
    (large,) = PoseDetector()(gray)
    assert found.box.overlap(Box(*(0.55 * value for value in large.box))) > 0.85
    tilted, _ = turned_back(gray, -40)
    assert PoseDetector()(tilted)


def test_upsampling_sets_the_smallest_face(gray):
    small = cv2.resize(gray, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
    assert PoseDetector(upsample=0)(small) == []
    assert len(PoseDetector(upsample=1)(small)) == 1


@pytest.mark.parametrize("mode", ["fast", "thorough"])
def test_no_face_gives_an_empty_list(mode):
    detector = PoseDetector(mode)
    assert detector(np.full((200, 200), 128, np.uint8)) == []
    assert detector(np.zeros((1, 1), np.uint8)) == []


def test_the_least_score_decides(gray):
    (found,) = PoseDetector()(gray)
    assert PoseDetector(min_score=found.score - 0.01, upsample=0)(gray)
    # Another window may show the same face better, where the first does not suffice.
    more = PoseDetector(min_score=found.score + 0.01, upsample=0)(gray)
    assert all(each.score > found.score for each in more)
    assert PoseDetector(min_score=50.0, upsample=0)(gray) == []


def test_a_crowd_is_found_whole(gray):
    face = cv2.resize(gray[40:250, 120:330], (120, 120), interpolation=cv2.INTER_AREA)
    crowd = np.tile(face, (4, 5))
    assert len(PoseDetector()(crowd)) == 20


def test_a_large_face_that_the_edge_cuts_is_found(gray):
    (whole,) = PoseDetector()(gray)
    (found,) = PoseDetector()(gray[90:200, 180:260])
    x, y = found.box.center
    assert np.hypot(x + 180 - whole.box.center[0], y + 90 - whole.box.center[1]) < 5
    # dlib's detector would find it too, but not be so sure.
    assert found.score > 3


def test_unknown_modes_and_names_are_refused():
    with pytest.raises(OptionError, match="'fast' or 'thorough', not 'slow'"):
        PoseDetector("slow")
    with pytest.raises(OptionError, match="upsample must be"):
        PoseDetector(upsample=9)
    with pytest.raises(
        OptionError, match="'cnn' is no detector; there are fast, thorough, dlib, lbp"
    ):
        make_detector("cnn")
    assert make_detector("dlib", 1, -0.5) == FrontalDetector(1, -0.5)


def test_of_one_face_only_the_surest_detection_stays():
    face = Detection(Box(0, 0, 100, 100), 2.0)
    shifted = Detection(Box(20, 10, 100, 100), 3.0)
    mouth = Detection(Box(40, 60, 40, 40), 1.0)
    neighbour = Detection(Box(125, 0, 100, 100), 0.5)
    # The neighbour overlaps the surer box by 95 of 100 columns less: 5 x 90 pixels.
    assert suppress([face, mouth, neighbour, shifted]) == [shifted, neighbour]


@pytest.mark.parametrize("turn", [0.0, 37.0, -90.0, 180.0])
def test_a_turned_picture_holds_all_of_the_picture(turn):
    gray = np.arange(40 * 60, dtype=np.uint8).reshape(40, 60)
    turned, matrix = turned_back(gray, turn)
    corners = np.array([[0, 0], [59, 0], [0, 39], [59, 39]]) @ matrix[:, :2].T + matrix[:, 2]
    assert (corners >= -1).all()
    assert (corners <= np.array(turned.shape[::-1])).all()
    if turn == -90.0:
        # Turned counter-clockwise by -90: clockwise.
        np.testing.assert_array_equal(turned, np.rot90(gray, -1))
