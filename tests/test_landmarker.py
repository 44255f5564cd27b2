import io

import cv2
import dlib
import numpy as np
import pytest
from PIL import Image as PillowImage

from efld_dlib import Box, FaceLandmarker
from efld_dlib.boxes import RotatedBox
from efld_dlib.crops import FACE_SIZE, canonical_crop
from efld_dlib.detection.detectors import Detection
from efld_dlib.detection.framing import framed
from efld_dlib.detection.network import LandmarkNetwork
from efld_dlib.detection.network_detector import SURE
from efld_dlib.detection.prediction import SEEN
from efld_dlib.errors import DataError, ModelFormatError, OptionError
from efld_dlib.geometry import FEATURES
from efld_dlib.images import to_gray
from efld_dlib.landmarks import FACE_68


def predicted_once(landmarker, picture, box, size=FACE_SIZE):
    """Landmarks by one run of the predictor, as a plain dlib program starts it."""
    crop = canonical_crop(to_gray(picture), box, size, SEEN)
    return crop.to_photograph(landmarker.predictor.predict(crop.image[None], crop.box)[0])


@pytest.fixture(scope="module")
def landmarker(tiny_model):
    return FaceLandmarker(tiny_model)


def test_finds_the_face_with_all_that_is_promised(landmarker, astronaut):
    (face,) = landmarker.detect(astronaut, "rgb")
    # dlib's own box is 12 % narrower here than it frames such a face on average.
    assert face.box.overlap(Box(179, 83, 88, 88)) > 0.7
    (known,) = FaceLandmarker().landmarks(astronaut, [Box(179, 83, 88, 88)], "rgb")
    assert face.box.overlap(framed(known.points, known.pose.roll)) > 0.9
    assert face.score > 0.5
    assert face.points.shape == (68, 2)
    assert np.isfinite(face.points).all()
    inside = Box.around(face.points)
    assert inside.overlap(face.box) > 0.4
    assert np.isfinite(face.pose).all()
    assert set(face.features()) == {feature.name for feature in FEATURES}


def test_gray_rgb_bgr_path_and_bytes_give_the_same_points(landmarker, astronaut, tmp_path):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), astronaut[:, :, ::-1])
    gray = to_gray(astronaut)
    bgr = np.ascontiguousarray(astronaut[:, :, ::-1])
    variants = [
        landmarker.detect(astronaut, "rgb"),
        landmarker.detect(bgr, "bgr"),
        landmarker.detect(gray),
        landmarker.detect(str(path)),
        landmarker.detect(path.read_bytes()),
    ]
    for (face,) in variants[1:]:
        # numpy 1.26 adds up in an order that hangs on where an array lies.
        np.testing.assert_allclose(face.points, variants[0][0].points, rtol=0, atol=1e-4)


def test_files_and_images_of_pillow_give_the_same_points(landmarker, astronaut, astronaut_file):
    (expected,) = landmarker.detect(astronaut, "rgb")
    pillow = PillowImage.fromarray(astronaut)
    with astronaut_file.open("rb") as file:
        from_file = landmarker.detect(file)
    for faces in (
        from_file,
        landmarker.detect(io.BytesIO(astronaut_file.read_bytes())),
        landmarker.detect(bytearray(astronaut_file.read_bytes())),
        landmarker.detect(pillow),
        landmarker.detect(pillow.convert("RGBA")),
        landmarker.detect(PillowImage.open(astronaut_file)),
    ):
        np.testing.assert_allclose(faces[0].points, expected.points, rtol=0, atol=1e-4)
    for mode in ("L", "P"):  # other gray values, and fewer colours
        (face,) = landmarker.detect(pillow.convert(mode))
        assert face.box.overlap(expected.box) > 0.8


@pytest.mark.parametrize("wrong", [None, 42, [[0, 1]], {"image": 1}])
def test_what_is_no_image_is_refused_with_what_to_give(landmarker, wrong):
    with pytest.raises(OptionError, match=r"a path, the bytes .*, an array or a Pillow image, not"):
        landmarker.detect(wrong)


def test_boxes_in_every_form_give_the_same_points(landmarker, astronaut):
    (expected,) = landmarker.landmarks(astronaut, [Box(179, 83, 88, 88)], "rgb")
    for boxes in (
        [dlib.rectangle(179, 83, 266, 170)],
        [dlib.drectangle(179, 83, 266, 170)],
        dlib.rectangles([dlib.rectangle(179, 83, 266, 170)]),
        [(179, 83, 88, 88)],
        np.array([[179, 83, 88, 88]]),
        (box for box in [[179.0, 83.0, 88.0, 88.0]]),
    ):
        (face,) = landmarker.landmarks(astronaut, boxes, "rgb")
        assert face == expected
        assert isinstance(face.box, Box)
    assert landmarker.landmarks(astronaut, [], "rgb") == []


@pytest.mark.parametrize(
    ("boxes", "words"),
    [
        (Box(179, 83, 88, 88), r"give a single box as \[box\]"),
        (dlib.rectangle(179, 83, 266, 170), r"give a single box as \[box\]"),
        ((179, 83, 88, 88), r"a box is a Box, .*\(left, top, width, height\), not 179"),
        (np.array([179, 83, 88, 88]), "a box is a Box"),
        ([(179, 83, 88)], r"4 numbers .*, not \(179, 83, 88\)"),
        ([(179, 83, 88, 88, 5)], "4 numbers"),
        ([(179, 83, 88, "wide")], "4 numbers"),
        ("box", "boxes must be a sequence, not 'box'"),
        (["face"], "not 'face'"),
        (None, "boxes must be a sequence, not None"),
        (42, "boxes must be a sequence, not 42"),
        ([None], "4 numbers .*, not None"),
    ],
    ids=str,
)
def test_what_is_no_box_is_refused_with_what_to_give(landmarker, astronaut, boxes, words):
    with pytest.raises(OptionError, match=words):
        landmarker.landmarks(astronaut, boxes, "rgb")


def test_colour_order_must_be_said(landmarker, astronaut):
    with pytest.raises(OptionError, match=r"rgb.*bgr"):
        landmarker.detect(astronaut)


def test_predicted_points_move_with_the_picture(landmarker, astronaut):
    padded = cv2.copyMakeBorder(astronaut, 30, 0, 70, 0, cv2.BORDER_CONSTANT)
    here, there = (
        RotatedBox(Box(x, y, 95.5, 95.5), 3.0) for x, y in ((176.25, 75.5), (246.25, 105.5))
    )
    points = landmarker.stage.predict(to_gray(astronaut), here)
    moved = landmarker.stage.predict(to_gray(padded), there)
    np.testing.assert_allclose(moved, points + [70, 30], atol=0.1)


def test_points_move_with_the_picture(landmarker, astronaut):
    box = Box(179, 83, 88, 88)
    (face,) = landmarker.landmarks(astronaut, [box], "rgb")
    padded = cv2.copyMakeBorder(astronaut, 30, 0, 70, 0, cv2.BORDER_CONSTANT)
    (moved,) = landmarker.landmarks(padded, [Box(249, 113, 88, 88)], "rgb")
    # A tree's walk may turn another way by the last bit of a pixel.
    assert np.abs(moved.points - face.points - [70, 30]).mean() < 0.002 * box.width
    assert np.isnan(face.score)


def test_points_are_finer_than_a_pixel_in_a_small_picture(landmarker, astronaut):
    (face,) = landmarker.detect(astronaut, "rgb")
    fractions = face.points % 1
    assert len(np.unique(np.round(fractions, 3))) > 20


def test_a_large_picture_of_the_same_face_gives_the_same_points(landmarker, astronaut):
    (small,) = landmarker.landmarks(astronaut, [Box(179, 83, 88, 88)], "rgb")
    large = cv2.resize(astronaut, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    # Pixel centres: x_large = 4 (x + 0.5) - 0.5.
    box = Box(4 * 179, 4 * 83, 4 * 88, 4 * 88)
    (face,) = landmarker.landmarks(large, [box], "rgb")
    back = (face.points + 0.5) / 4 - 0.5
    # Within 4 % of the face: the model is a small one, whose answers jump.
    assert np.linalg.norm(back - small.points, axis=1).mean() < 0.04 * 88


@pytest.mark.parametrize("cut", [(slice(110, None), slice(None)), (slice(None), slice(200, None))])
def test_a_face_over_the_edge_of_the_picture(landmarker, astronaut, cut):
    part = np.ascontiguousarray(astronaut[cut])
    top, left = cut[0].start or 0, cut[1].start or 0
    box = Box(179 - left, 83 - top, 88, 88)
    (face,) = landmarker.landmarks(part, [box], "rgb")
    assert np.isfinite(face.points).all()
    assert Box.around(face.points).overlap(box) > 0.4


def test_a_picture_without_a_face(landmarker):
    assert landmarker.detect(np.full((120, 160), 128, np.uint8)) == []


def test_a_detector_of_ones_own(tiny_model, astronaut):
    fixed = Box(180, 84, 86, 86)
    landmarker = FaceLandmarker(tiny_model, lambda gray: [Detection(fixed, 3.5)])
    (face,) = landmarker.detect(astronaut, "rgb")
    assert (face.box, face.score) == (fixed, 3.5)


def test_an_empty_box_is_refused(landmarker, astronaut):
    for box in (Box(10, 10, 0, 5), Box(np.nan, 0, 5, 5), Box(0, 0, -4, 4)):
        with pytest.raises(DataError, match="rectangle"):
            landmarker.landmarks(astronaut, [box], "rgb")


def test_a_loaded_predictor_is_taken_as_it_is(tiny_model, astronaut):
    predictor = dlib.shape_predictor(str(tiny_model))
    (ours,) = FaceLandmarker(predictor).detect(astronaut, "rgb")
    (other,) = FaceLandmarker(tiny_model).detect(astronaut, "rgb")
    np.testing.assert_allclose(ours.points, other.points, rtol=0, atol=1e-4)


def test_a_predictor_of_another_number_of_points(tmp_path, astronaut):
    image = to_gray(astronaut)
    box = dlib.rectangle(179, 83, 266, 170)
    parts = [dlib.point(200, 110), dlib.point(240, 110), dlib.point(220, 150)]
    options = dlib.shape_predictor_training_options()
    options.cascade_depth, options.num_trees_per_cascade_level = 1, 1
    options.oversampling_amount, options.num_threads = 2, 1
    face = dlib.full_object_detection(box, parts)
    three = dlib.train_shape_predictor([image], [[face]], options)
    path = tmp_path / "three.dat"
    three.save(str(path))
    with pytest.raises(ModelFormatError, match=r"three\.dat: predicts 3 landmarks"):
        FaceLandmarker(path, scheme=FACE_68)


def test_a_turned_face_gets_the_points_of_the_upright_one(tiny_model, astronaut):
    gray = to_gray(astronaut)
    box = Box(179, 83, 88, 88)
    upright = FaceLandmarker(tiny_model, lambda _: [Detection(box, 1.0, 0.0)])
    (plain,) = upright.detect(gray)
    for turn, roll in ((90, 90.0), (180, -180.0), (-90, -90.0)):
        turned = np.ascontiguousarray(np.rot90(gray, -turn // 90))
        matrix = cv2.getRotationMatrix2D((255.5, 255.5), -turn, 1.0)
        x, y = matrix[:, :2] @ box.center + matrix[:, 2]
        there = Box(x - 43.5, y - 43.5, 88, 88)
        landmarker = FaceLandmarker(
            tiny_model, lambda _, box=there, roll=roll: [Detection(box, 1.0, roll)]
        )
        (face,) = landmarker.detect(turned)
        expected = plain.points @ matrix[:, :2].T + matrix[:, 2]
        # Half turns resample the picture exactly but for its edge, and OpenCV 4.8 but for rounding,
        # of which the small model makes more than a pixel.
        assert np.linalg.norm(face.points - expected, axis=1).mean() < 0.02 * 88


def test_a_model_and_a_detector_of_ones_own_use_no_network(tiny_model, astronaut):
    """The predictor then starts from the detector's box, as in a plain dlib program."""
    box = Box(179, 83, 88, 88)
    landmarker = FaceLandmarker(tiny_model, lambda _: [Detection(box, 1.0)])
    (face,) = landmarker.detect(astronaut, "rgb")
    assert np.isnan(face.confidence)
    plain = predicted_once(landmarker, astronaut, box, 150)
    assert np.abs(face.points - plain).mean() < 0.01 * box.width
    (helped,) = FaceLandmarker(tiny_model, landmarker.detector, network=True).detect(
        astronaut, "rgb"
    )
    assert 0 <= helped.confidence <= 1


def test_a_box_that_frames_the_face_badly_is_made_good(astronaut):
    landmarker = FaceLandmarker()
    box = Box(179, 83, 88, 88)
    (right,) = landmarker.landmarks(astronaut, [box], "rgb")
    eyes = np.linalg.norm(right.points[36] - right.points[45])
    for moved in (Box(187, 91, 88, 88), Box(172, 76, 102, 102)):
        (face,) = landmarker.landmarks(astronaut, [moved], "rgb")
        once = predicted_once(landmarker, astronaut, moved)
        first = np.linalg.norm(once - right.points, axis=1).mean()
        again = np.linalg.norm(face.points - right.points, axis=1).mean()
        assert again < min(first, 0.02 * eyes)


@pytest.mark.parametrize("roll", [0.0, 30.0, 180.0])
def test_the_frame_of_landmarks_turns_with_the_face(landmarker, astronaut, roll):
    (face,) = landmarker.landmarks(astronaut, [Box(179, 83, 88, 88)], "rgb")
    angle = np.radians(roll)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    upright, turned = framed(face.points, 0.0), framed(face.points @ turn, roll)
    assert turned.width == pytest.approx(upright.width)
    assert turned.center == pytest.approx(np.array(upright.center) @ turn)


def test_the_landmark_network_looks_once_at_a_clear_face(astronaut, monkeypatch):
    """To locate it, and for the confidence; the detector is sure of it alone."""
    seen = []
    look = LandmarkNetwork.look

    def counted(*arguments):
        seen.append(arguments)
        return look(*arguments)

    monkeypatch.setattr(LandmarkNetwork, "look", counted)
    face = np.ascontiguousarray(astronaut[20:240, 110:330])
    (found,) = FaceLandmarker().detect(face, "rgb")
    assert found.score > SURE
    assert len(seen) == 1
