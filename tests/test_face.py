"""`Face` and `TrackedFace` as values: equality, text, JSON, dlib's form, parts, crop, drawing."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree

import cv2
import dlib
import numpy as np
import pytest
from imutils.face_utils import FACIAL_LANDMARKS_68_IDXS

from efld_dlib import Box, Face, FaceLandmarker, Pose, TrackedFace, parse_features
from efld_dlib.errors import DataError, OptionError
from efld_dlib.geometry import FEATURES
from efld_dlib.landmarks import GROUPS_68

NAN = float("nan")


def face(**changes):
    points = np.arange(136.0).reshape(68, 2)
    values = {"box": Box(1, 2, 30, 40), "score": 0.5, "points": points, "pose": Pose(1, 2, 3)}
    return Face(**{**values, **changes})


@pytest.fixture(scope="module")
def found(astronaut_pixels):
    (face,) = FaceLandmarker().detect(astronaut_pixels, "rgb")
    return face


def test_the_module_waits_for_neither_opencv_nor_dlib():
    code = "import sys, efld_dlib.face; print({'cv2', 'dlib', 'scipy'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "set()\n", result.stderr


# --- equality -----------------------------------------------------------------------------------


def test_equal_values_make_equal_faces_nan_too():
    assert face() == face()
    lost = {"score": NAN, "pose": Pose(NAN, NAN, NAN), "points": np.full((68, 2), NAN)}
    assert face(**lost) == face(**lost)
    sure = face(point_confidence=np.full(68, 0.5))
    assert sure == replace(sure, point_confidence=np.full(68, 0.5))


@pytest.mark.parametrize(
    "changes",
    [
        {"box": Box(1, 2, 30, 41)},
        {"score": NAN},
        {"points": np.zeros((68, 2))},
        {"pose": Pose(1, 2, 3.5)},
        {"confidence": 0.5},
        {"point_confidence": np.zeros(68)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_each_value_counts(changes):
    assert face(**changes) != face()
    assert face() != face(**changes)


def test_faces_can_be_looked_for_in_a_list():
    others = [face(score=0.1), face(score=0.2)]
    assert face(score=0.2) in others
    assert face(score=0.3) not in others
    assert others.index(face(score=0.2)) == 1


def test_faces_of_other_kinds_and_ids_differ():
    tracked = TrackedFace.of(face(), 1)
    assert tracked == TrackedFace.of(face(), 1)
    assert tracked != TrackedFace.of(face(), 2)
    assert tracked != face()
    assert face() != tracked
    assert face() != "face"


def test_faces_have_no_hash():
    for each in (face(), TrackedFace.of(face(), 1)):
        with pytest.raises(TypeError, match="unhashable"):
            hash(each)


# --- text and JSON ------------------------------------------------------------------------------


def test_repr_is_one_short_line():
    seen = face(score=0.98765, confidence=0.876, pose=Pose(-0.2, 12.6, -3.4))
    assert repr(seen) == ("Face(box=(1, 2, 30, 40), score=0.99, confidence=0.88, pose=(0, 13, -3))")
    assert repr(TrackedFace.of(seen, 7)).startswith("TrackedFace(id=7, box=(1, 2, 30, 40), ")
    assert "confidence=nan, pose=(nan, nan, nan)" in repr(face(pose=Pose(NAN, NAN, NAN)))


def test_to_dict_is_plain_and_rounded():
    points = np.zeros((68, 2))
    points[45] = 60.126, NAN
    whole = face(points=points, score=NAN, point_confidence=np.full(68, 0.12345)).to_dict()
    assert json.loads(json.dumps(whole, allow_nan=False)) == whole
    assert whole["box"] == {"left": 1, "top": 2, "width": 30, "height": 40}
    assert whole["score"] is None
    assert whole["points"][45] == [60.13, None]
    assert whole["point_confidence"] == [0.123] * 68
    assert list(whole["features"]) == [feature.name for feature in FEATURES]


def test_to_dict_has_the_features_that_are_chosen():
    assert list(face().to_dict(parse_features("36-45"))["features"]) == ["d_36_45"]
    assert face().to_dict(())["features"] == {}
    assert "point_confidence" not in face().to_dict()


def test_a_tracked_face_has_its_id_in_the_dict():
    tracked = TrackedFace.of(face(), 3)
    assert tracked.to_dict(()) == {"face_id": 3, **face().to_dict(())}


# --- dlib and parts -----------------------------------------------------------------------------


def test_to_dlib_gives_what_dlib_takes(found, astronaut):
    detection = found.to_dlib()
    assert isinstance(detection, dlib.full_object_detection)
    rectangle = detection.rect
    assert (rectangle.left(), rectangle.top()) == (round(found.box.left), round(found.box.top))
    assert abs(rectangle.width() - found.box.width) <= 1
    parts = np.array([(part.x, part.y) for part in detection.parts()])
    assert np.abs(parts - found.points).max() <= 0.5
    assert dlib.get_face_chip(astronaut, detection, 64).shape == (64, 64, 3)


def test_a_face_that_dlib_cannot_express():
    for changes in ({"points": np.full((68, 2), NAN)}, {"box": Box(0, 0, NAN, 5)}):
        with pytest.raises(DataError, match="not finite"):
            face(**changes).to_dlib()


def test_parts_are_named_by_the_side_of_the_image():
    seen = face()
    for name, landmarks in GROUPS_68.items():
        assert seen.part(name).tolist() == seen.points[list(landmarks)].tolist()
    # imutils goes by the subject: its right eye is on the image's left.
    first, end = FACIAL_LANDMARKS_68_IDXS["right_eye"]
    assert seen.part("left_eye").tolist() == seen.points[first:end].tolist()


def test_the_left_eye_is_left_in_the_image(found):
    assert found.part("left_eye")[:, 0].max() < found.part("right_eye")[:, 0].min()


def test_a_part_is_a_copy():
    seen = face()
    seen.part("nose")[:] = 0
    assert seen == face()


def test_an_unknown_part_lists_the_names():
    with pytest.raises(OptionError, match=r"unknown part 'left_eyebrow'.*left_brow, right_brow"):
        face().part("left_eyebrow")


# --- crop and drawing ---------------------------------------------------------------------------


def test_the_crop_is_upright_whatever_way_the_face_is_turned(found, astronaut):
    upright = found.crop(astronaut, size=120)
    assert upright.shape == (120, 120, 3)
    turned = np.ascontiguousarray(np.rot90(astronaut))
    # Anticlockwise: (x, y) goes to (y, width - 1 - x).
    points = np.column_stack([found.points[:, 1], 511 - found.points[:, 0]])
    there = replace(found, points=points, pose=found.pose._replace(roll=found.pose.roll - 90))
    difference = np.abs(there.crop(turned, size=120).astype(int) - upright)
    assert difference.mean() < 1


def test_the_eyes_of_a_crop_are_level_and_where_they_always_are(found, astronaut):
    size = 200
    for scale in (0.5, 2):
        image = cv2.resize(astronaut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        grown = replace(found, points=(found.points + 0.5) * scale - 0.5)
        (again,) = FaceLandmarker().landmarks(
            grown.crop(image, size), [Box(size / 6, size / 6, size / 1.5, size / 1.5)], "rgb"
        )
        left, right = again.part("left_eye").mean(axis=0), again.part("right_eye").mean(axis=0)
        assert abs(again.pose.roll) < 3
        assert (left + right)[0] / 2 == pytest.approx(size / 2, abs=0.05 * size)
        assert (right - left)[0] == pytest.approx(0.29 * size, abs=0.03 * size)


@pytest.mark.parametrize("size", [1, 2, 3, 17, 150])
def test_a_crop_has_the_size_that_is_asked_for(found, astronaut, size):
    gray = cv2.cvtColor(astronaut, cv2.COLOR_RGB2GRAY)
    assert found.crop(gray, size).shape == (size, size)


def test_a_crop_keeps_the_order_of_the_channels(found, astronaut, astronaut_file):
    plain = found.crop(astronaut)
    bgr = np.ascontiguousarray(astronaut[:, :, ::-1])
    np.testing.assert_array_equal(found.crop(bgr), plain[:, :, ::-1])
    np.testing.assert_array_equal(found.crop(astronaut_file), plain)


def test_a_crop_of_few_landmarks_uses_the_box(astronaut):
    points = np.full((68, 2), NAN)
    blind = face(box=Box(179, 83, 88, 88), points=points, pose=Pose(NAN, NAN, NAN))
    # The box fills two thirds of the crop.
    expected = cv2.resize(astronaut[61:193, 157:289], (132, 132))
    assert np.abs(blind.crop(astronaut, 132).astype(int) - expected).mean() < 1
    with pytest.raises(DataError, match="rectangle"):
        replace(blind, box=Box(0, 0, 0, 0)).crop(astronaut)


@pytest.mark.parametrize("size", [0, -5, 5000, 2.5, "large", None])
def test_a_size_that_makes_no_crop(found, astronaut, size):
    with pytest.raises(OptionError, match="size must be 1 to 4096 whole pixels"):
        found.crop(astronaut, size)


def test_drawing_leaves_the_image_as_it_is(found, astronaut):
    before = astronaut.copy()
    drawn = found.draw(astronaut)
    np.testing.assert_array_equal(astronaut, before)
    changed = np.abs(drawn.astype(int) - astronaut).sum(axis=2) > 60
    for x, y in found.points:
        assert changed[round(y), round(x)]
    assert changed.mean() < 0.03
    gray = cv2.cvtColor(astronaut, cv2.COLOR_RGB2GRAY)
    assert found.draw(gray).shape == (512, 512, 3)


def test_the_drawing_of_a_tracked_face_has_its_id(found, astronaut):
    tracked = TrackedFace.of(found, 5)
    assert (tracked.draw(astronaut) != found.draw(astronaut)).any()


def test_what_is_no_image_is_refused(found):
    for work in (found.crop, found.draw):
        with pytest.raises(OptionError, match=r"an image is given as a path.*not as int"):
            work(42)


def test_a_notebook_shows_the_landmarks():
    points = np.arange(136.0).reshape(68, 2)
    points[5] = NAN
    shown = face(points=points)._repr_html_()
    picture = ElementTree.fromstring(re.match(r"<svg.*</svg>", shown).group())
    left, top, width, height = map(float, picture.get("viewBox").split())
    assert len(picture) == 67
    for dot in picture:
        assert left <= float(dot.get("cx")) <= left + width
        assert top <= float(dot.get("cy")) <= top + height
    assert "box=(1, 2, 30, 40)" in shown
    assert "<svg" not in face(points=np.full((68, 2), NAN))._repr_html_()
