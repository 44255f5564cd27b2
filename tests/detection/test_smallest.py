"""How small a face is looked for, and which views."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from efld_dlib import FaceLandmarker
from efld_dlib.annotation import Box
from efld_dlib.detection.choice import make_detector
from efld_dlib.detection.detectors import FrontalDetector
from efld_dlib.detection.pose_detector import PoseDetector
from efld_dlib.detection.scales import Scales
from efld_dlib.detection.smallest import MinFace
from efld_dlib.detection.views import choose_views
from efld_dlib.detection.windows import find_windows, load_windows
from efld_dlib.errors import OptionError
from efld_dlib.images import to_gray

# In skimage's photograph, as dlib's detector frames it.
ASTRONAUT = Box(179, 83, 88, 88)


@pytest.fixture
def gray(astronaut) -> np.ndarray:
    return to_gray(astronaut)


def enlarged(gray, factor):
    return cv2.resize(gray, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize(
    ("given", "pixels"),
    [(120, 120), ("120", 120), (" 37.5 ", 37.5), ("10%", 48), ("100 %", 480), ("0.5%", 5)],
)
def test_pixels_or_per_cent_of_the_shorter_side(given, pixels):
    assert MinFace.parse(given).pixels((480, 640)) == pixels
    assert MinFace.parse(MinFace.parse(given)).pixels((640, 480, 3)) == pixels


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("large", "a number of pixels, or per cent as '10%', not 'large'"),
        ("", "not ''"),
        ("nan", "not 'nan'"),
        (True, "not True"),
        (4, "at least 5 pixels wide, not 4"),
        ("-20", "at least 5 pixels wide, not -20"),
        ("inf", "at least 5 pixels wide, not inf"),
        ("0%", "above 0% and at most 100% of the picture's shorter side, not 0%"),
        ("101%", "not 101%"),
    ],
)
def test_what_is_no_size_is_named(given, message):
    with pytest.raises(OptionError, match=message):
        MinFace.parse(given)
    with pytest.raises(OptionError, match=message):
        PoseDetector(min_face=given)
    with pytest.raises(OptionError, match=message):
        FrontalDetector(min_face=given)


@pytest.mark.parametrize("make", [PoseDetector, FrontalDetector])
def test_a_face_is_found_from_the_wanted_size_on(gray, make):
    (usual,) = make()(gray)
    # The face is 88 pixels wide in the picture, and 264 in one of three times its size.
    found = make(min_face=240)(enlarged(gray, 3))[0]
    assert found.box.overlap(Box(*(3 * value for value in usual.box))) > 0.8
    assert make(min_face=200)(gray) == []
    assert make(min_face="40%")(gray) == []
    small = cv2.resize(gray, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    tiny = make(min_face=40)(small)[0]
    assert tiny.box.overlap(Box(*(value / 2 for value in usual.box))) > 0.7


def test_a_face_larger_than_the_picture_is_not_there(gray):
    assert PoseDetector(min_face=5000)(gray) == []
    assert FrontalDetector(min_face=5000)(gray) == []
    assert PoseDetector("thorough", min_face=1000)(gray) == []


def test_turned_faces_are_looked_for_at_the_wanted_size(gray):
    matrix = cv2.getRotationMatrix2D((255.5, 255.5), -40, 1.0)
    turned = cv2.warpAffine(gray, matrix, (512, 512))
    (found,) = PoseDetector(min_face=80)(turned)
    assert np.linalg.norm(matrix @ [*ASTRONAUT.center, 1] - found.box.center) < 20
    assert found.roll == pytest.approx(40, abs=15)


def test_landmarks_come_from_the_full_picture(astronaut):
    large = enlarged(astronaut, 2)
    (usual,) = FaceLandmarker().detect(large, "rgb")
    (coarse,) = FaceLandmarker(min_face=150).detect(large, "rgb")
    error = np.linalg.norm(usual.points - coarse.points, axis=1).mean()
    assert error < 0.03 * np.linalg.norm(usual.points[36] - usual.points[45])


def test_sizes_that_contradict_are_refused(gray):
    for make in (PoseDetector, FrontalDetector):
        with pytest.raises(OptionError, match="upsample and min_face both say"):
            make(upsample=1, min_face=100)
    with pytest.raises(OptionError, match="give it or a detector"):
        FaceLandmarker(detector=FrontalDetector(), min_face=100)
    with pytest.raises(OptionError, match="fast, thorough, dlib take a smallest face, not 'lbp'"):
        make_detector("lbp", min_face=100)


def test_views_are_chosen_by_name(gray):
    assert choose_views(None) == (0, 1, 2, 3, 4)
    assert choose_views(["half-right", "front"]) == (0, 2)
    (found,) = PoseDetector(views=["front"])(gray)
    assert found.box.overlap(ASTRONAUT) > 0.75
    assert len(PoseDetector(views=["front", "half-left"], min_face=80)(gray)) == 1
    # dlib's file of a view, and only that, is what looks.
    profile = PoseDetector(views=["profile-right"])
    seen = find_windows(profile.windows, Scales(gray), 80, -5.0)
    own = find_windows(load_windows()[4:], Scales(gray), 80, -5.0)
    assert seen == own
    assert find_windows(profile.united, Scales(gray), 80, -5.0)[0] == own[0]


def test_views_that_are_none_are_refused():
    with pytest.raises(OptionError, match="'left' is no view of a face; there are front, half"):
        PoseDetector(views=["left"])
    with pytest.raises(OptionError, match="at least one view"):
        PoseDetector(views=[])
    with pytest.raises(OptionError, match="only fast and thorough have views, not 'dlib'"):
        make_detector("dlib", views=["front"])
    detector = make_detector("thorough", min_face="20%", views=["front"])
    assert (detector.min_face, len(detector.windows)) == (MinFace(20, percent=True), 1)
