"""dlib's frontal detector behind our interface."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from efld_dlib.boxes import Box
from efld_dlib.detection import detectors
from efld_dlib.detection.detectors import Detection, FrontalDetector
from efld_dlib.errors import OptionError
from efld_dlib.images import to_gray

# In skimage's photograph: corners (179, 83) and (266, 170).
ASTRONAUT = Box(179, 83, 88, 88)


@pytest.fixture
def gray(astronaut) -> np.ndarray:
    return to_gray(astronaut)


@pytest.fixture
def small(gray) -> np.ndarray:
    """The photograph with a face of about 50 pixels."""
    return cv2.resize(gray, None, fx=0.55, fy=0.55, interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("upsample", [0, 1, "auto"])
def test_finds_the_astronaut(gray, upsample):
    (found,) = FrontalDetector(upsample)(gray)
    assert isinstance(found, Detection)
    assert found.box.overlap(ASTRONAUT) > 0.8
    assert found.score > 0.5


def test_box_and_its_numbers(gray):
    (found,) = FrontalDetector(0)(gray)
    box = found.box
    assert (box.left, box.top, box.right, box.bottom) == (179, 83, 266, 170)


def test_no_face_gives_an_empty_list():
    assert FrontalDetector()(np.full((200, 200), 128, np.uint8)) == []
    assert FrontalDetector()(np.zeros((1, 1), np.uint8)) == []


def test_a_small_face_is_found_by_upsampling_alone(small):
    assert FrontalDetector(0)(small) == []
    for upsample in (1, "auto"):
        (found,) = FrontalDetector(upsample)(small)
        # In pixels of the picture as given, not of the doubled one.
        assert found.box.overlap(Box(*(0.55 * value for value in ASTRONAUT))) > 0.7


def test_auto_does_not_double_what_has_a_face_already(gray):
    assert FrontalDetector("auto")(gray) == FrontalDetector(0)(gray) != FrontalDetector(1)(gray)


def test_auto_spares_large_pictures(small, monkeypatch):
    monkeypatch.setattr(detectors, "MAX_AUTO_UPSAMPLE_PIXELS", small.size - 1)
    assert FrontalDetector("auto")(small) == []
    assert len(FrontalDetector(1)(small)) == 1


def test_the_surest_comes_first_and_the_threshold_decides(gray):
    half = cv2.resize(gray, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    beside = np.hstack([half, gray[: half.shape[0]]])
    found = FrontalDetector(0, threshold=-0.5)(beside)
    scores = [detection.score for detection in found]
    assert len(found) >= 3
    assert scores == sorted(scores, reverse=True)
    # The larger face is the surer one; it lies to the right.
    assert found[0].box.overlap(ASTRONAUT._replace(left=ASTRONAUT.left + half.shape[1])) > 0.8
    middle = (scores[0] + scores[1]) / 2
    assert len(FrontalDetector(0, threshold=middle)(beside)) == 1
    assert FrontalDetector(0, threshold=10)(beside) == []


@pytest.mark.parametrize("upsample", [-1, 5, "never", "1", 1.5, None, True])
def test_bad_upsample_is_named(upsample):
    with pytest.raises(OptionError, match="upsample must be 'auto' or between 0 and 4") as caught:
        FrontalDetector(upsample)
    assert repr(upsample) in str(caught.value)
