"""How small a face is looked for."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from efld_dlib import FaceLandmarker
from efld_dlib.boxes import Box
from efld_dlib.detection.detectors import FrontalDetector, MinFace
from efld_dlib.detection.network_detector import NetworkDetector
from efld_dlib.detection.registry import make_detector
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
    [(120, 120), ("120", 120), (" 37.5 ", 37.5), ("10%", 48), ("100 %", 480), ("0.5%", 12)],
)
def test_pixels_or_per_cent_of_the_shorter_side(given, pixels):
    assert MinFace.parse(given).pixels((480, 640)) == pixels
    assert MinFace.parse(given).pixels((640, 480, 3)) == pixels


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("large", "a number of pixels, or per cent as '10%', not 'large'"),
        ("", "not ''"),
        ("nan", "not 'nan'"),
        (True, "not True"),
        (4, "at least 12 pixels wide, not 4"),
        ("-20", "at least 12 pixels wide, not -20"),
        ("inf", "at least 12 pixels wide, not inf"),
        ("0%", "above 0% and at most 100% of the picture's shorter side, not 0%"),
        ("101%", "not 101%"),
    ],
)
def test_what_is_no_size_is_named(given, message):
    with pytest.raises(OptionError, match=message):
        MinFace.parse(given)
    with pytest.raises(OptionError, match=message):
        NetworkDetector(min_face=given)
    with pytest.raises(OptionError, match=message):
        FrontalDetector(min_face=given)


@pytest.mark.parametrize("make", [NetworkDetector, FrontalDetector])
def test_a_face_is_found_from_the_wanted_size_on(gray, make):
    usual = make()(gray)[0]
    # The face is 88 pixels wide in the picture, and 264 in one of three times its size.
    found = make(min_face=240)(enlarged(gray, 3))[0]
    assert found.box.overlap(Box(*(3 * value for value in usual.box))) > 0.7
    for larger in (200, "40%"):
        assert not any(each.box.overlap(ASTRONAUT) > 0.3 for each in make(min_face=larger)(gray))
    small = cv2.resize(gray, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    tiny = make(min_face=40)(small)[0]
    assert tiny.box.overlap(Box(*(value / 2 for value in usual.box))) > 0.7


def test_a_face_larger_than_the_picture_is_not_there(gray):
    assert NetworkDetector(min_face=5000)(gray) == []
    assert FrontalDetector(min_face=5000)(gray) == []
    assert NetworkDetector("thorough", min_face=1000)(gray) == []


def test_landmarks_come_from_the_full_picture(astronaut):
    large = enlarged(astronaut, 2)
    usual = FaceLandmarker().detect(large, "rgb")[0]
    coarse = FaceLandmarker(min_face=150).detect(large, "rgb")[0]
    error = np.linalg.norm(usual.points - coarse.points, axis=1).mean()
    assert error < 0.03 * np.linalg.norm(usual.points[36] - usual.points[45])


def test_sizes_that_contradict_are_refused(gray):
    with pytest.raises(OptionError, match="upsample and min_face both say"):
        FrontalDetector(upsample=1, min_face=100)
    with pytest.raises(OptionError, match="give it or a detector"):
        FaceLandmarker(detector=FrontalDetector(), min_face=100)
    with pytest.raises(OptionError, match="fast, thorough, dlib take a smallest face, not 'lbp'"):
        make_detector("lbp", min_face=100)
