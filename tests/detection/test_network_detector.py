"""What the toolkit's own detector looks for: sizes, turns, scores."""

import subprocess
import sys

import cv2
import numpy as np
import pytest

from efld_dlib.boxes import RotatedBox
from efld_dlib.detection import network_detector
from efld_dlib.detection.network import Found, Look
from efld_dlib.detection.network_detector import NetworkDetector
from efld_dlib.detection.registry import make_detector
from efld_dlib.errors import OptionError
from efld_dlib.images import to_gray


@pytest.fixture(scope="module")
def gray(astronaut_pixels):
    return to_gray(astronaut_pixels)


def center_error(found, x, y, width):
    return np.hypot(found.box.center[0] - x, found.box.center[1] - y) / width


def test_large_and_small_faces_are_found_together(gray):
    """A face of half the image's height beside one of 34 pixels."""
    face = gray[40:210, 140:310]
    image = np.full((480, 640), 90, np.uint8)
    image[40:440, 20:420] = cv2.resize(face, (400, 400), interpolation=cv2.INTER_CUBIC)
    image[300:364, 500:564] = cv2.resize(face, (64, 64), interpolation=cv2.INTER_AREA)
    widths = sorted(found.box.width for found in NetworkDetector()(image))
    assert len(widths) == 2
    assert 25 < widths[0] < 46
    assert 160 < widths[1] < 300


def test_a_larger_smallest_face_leaves_small_ones_out(gray):
    small = cv2.resize(gray, None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA)
    (face,) = NetworkDetector()(small)
    assert 20 < face.box.width < 40
    assert all(found.box.width >= 80 for found in NetworkDetector(min_face=80)(small))
    assert len(NetworkDetector(min_face="15%")(small)) == 1


def test_how_large_an_image_is_searched():
    default = NetworkDetector()
    assert default.scales((480, 640)) == pytest.approx([0.8, 0.2])
    # A sixtieth of 4,000 pixels has 67: the image is searched at 960 pixels.
    assert default.scales((3000, 4000))[0] * 4000 == pytest.approx(960)
    assert NetworkDetector(min_face=40).scales((480, 640)) == pytest.approx([0.4, 0.1])
    assert NetworkDetector(min_face=80).scales((480, 640)) == pytest.approx([0.2])
    assert NetworkDetector(min_face=12).scales((480, 640))[0] == pytest.approx(16 / 12)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_thorough_finds_faces_turned_by_quarters(gray, turns):
    (upright,) = NetworkDetector()(gray)
    image = np.ascontiguousarray(np.rot90(gray, turns))
    (found,) = NetworkDetector("thorough")(image)
    assert found.box.width == pytest.approx(upright.box.width, rel=0.15)
    expected = (upright.roll - 90 * turns + 180) % 360 - 180
    assert abs((found.roll - expected + 180) % 360 - 180) < 12
    x, y = upright.box.center
    for _ in range(turns):
        x, y = y, 511 - x
    assert center_error(found, x, y, upright.box.width) < 0.1


@pytest.mark.parametrize("angle", [-40, -20, 20, 40])
def test_roll_is_told(gray, angle):
    matrix = cv2.getRotationMatrix2D((220.0, 130.0), -angle, 1.0)
    image = cv2.warpAffine(gray, matrix, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    upright, found = NetworkDetector()(gray)[0], NetworkDetector()(image)[0]
    assert found.roll - upright.roll == pytest.approx(angle, abs=10)


def test_the_lowest_score_counts(gray):
    (face,) = NetworkDetector()(gray)
    assert 0.75 < face.score < 1
    above = (1 + face.score) / 2
    assert NetworkDetector(min_score=above)(gray) == []


def test_the_landmark_network_decides_where_the_face_network_is_in_doubt(gray, monkeypatch):
    """It looks at each such place turned upright, and its opinion moves the score."""

    class Second:
        opinion, places = 0.0, []

        def look(self, image, place):
            self.places.append(place)
            return Look(self.opinion, np.zeros((68, 2)), None, place)

    detector = NetworkDetector(min_score=0.01)
    detector.second = Second()
    face = np.ascontiguousarray(gray[20:240, 110:330])
    sure = detector(face)[0]
    assert sure.score > network_detector.SURE
    assert RotatedBox(sure.box, sure.roll) not in Second.places
    monkeypatch.setattr(network_detector, "SURE", 1.0)
    scores = []
    for opinion in (-10.0, 0.0, 10.0):
        Second.opinion = opinion
        (found,) = [each for each in detector(face) if each.box == sure.box]
        scores.append(found.score)
    assert RotatedBox(sure.box, sure.roll) in Second.places
    assert scores[0] < scores[1] < scores[2]
    Second.opinion = -60.0
    assert detector(face) == []


@pytest.mark.parametrize(
    ("scores", "options", "found"),
    [
        ((0.95, 0.93, 0.92, 0.45), {}, 4),
        ((0.95, 0.92, 0.45), {}, 2),
        ((0.95, 0.93, 0.92, 0.45), {"min_score": 0.5}, 3),
        ((0.95, 0.93, 0.92, 0.25), {}, 3),
    ],
)
def test_a_doubtful_face_among_sure_ones(scores, options, found, monkeypatch):
    """In a group less is enough, unless the caller says what is enough."""

    class Second:
        def look(self, image, place):
            neutral = network_detector.RESERVE / network_detector.OPINION
            return Look(neutral, np.zeros((68, 2)), None, place)

    def find(network, image, least):
        boxes = [(60.0 * number + 40, 40.0, 40.0) for number in range(len(scores))]
        nothing = np.zeros((len(scores), 5, 2)), np.zeros((len(scores), 3))
        all_of_them = Found(np.array(boxes), np.array(scores), *nothing)
        return all_of_them.chosen(np.flatnonzero(np.array(scores) >= least))

    monkeypatch.setattr(network_detector, "find_faces", find)
    # At this size it is looked at once, as it is.
    detector = NetworkDetector(**options, min_face=network_detector.NETWORK_FACE)
    detector.second = Second()
    assert len(detector(np.zeros((80, 160), np.uint8))) == found


@pytest.mark.parametrize(
    "options", [{"mode": "slow"}, {"min_score": 0}, {"min_score": 1.5}, {"min_face": 5}]
)
def test_wrong_options_are_refused(options):
    with pytest.raises(OptionError):
        NetworkDetector(**options)


@pytest.mark.parametrize("name", ["hog", "fast=1", "dlib=", "dlib=-1"])
def test_an_unknown_detector_is_named(name):
    with pytest.raises(OptionError, match=f"unknown detector '{name}'"):
        make_detector(name)


def test_own_model_and_dlibs_detector_open_no_research_only_file(tmp_path, tiny_model, astronaut):
    """What was trained on pictures for research alone is not read where nobody asked for it."""
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), astronaut[:, :, ::-1])
    command = ["efld-dlib", "detect", "--detector", "dlib", "-m", str(tiny_model), str(path)]
    script = f"""
import sys
opened = []
def note(event, args):
    if event == "open":
        opened.append(str(args[0]))
sys.addaudithook(note)
from efld_dlib.__main__ import main
sys.argv = {command!r}
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
assert any(name.endswith("a.png") for name in opened), "the image was not read"
ours = [name for name in opened if "data/network" in name or "data/model" in name]
assert not ours, ours
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '"points"' in done.stdout or "landmarks" in done.stdout
