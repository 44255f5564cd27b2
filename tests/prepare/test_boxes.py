import numpy as np
import pytest

from efld_dlib.boxes import Box
from efld_dlib.detection.framing import default_box_map, normalise, square_box
from efld_dlib.errors import OptionError
from efld_dlib.landmarks import numbered_scheme
from efld_dlib.prepare.boxes import (
    assign_boxes,
    detected_boxes,
    fit_box_map,
    own_boxes,
    own_model,
)
from efld_dlib.records import FaceAnnotation


def made_up_faces(count, rng):
    """Random face-like shapes, and boxes that hang on their centroid and size in a known way."""
    base = default_box_map().mean_shape
    faces, boxes = [], []
    for _ in range(count):
        angle = rng.uniform(-0.3, 0.3)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        size, place = rng.uniform(20, 200), rng.uniform(0, 500, 2)
        points = (base * rng.uniform(0.9, 1.1, 2)) @ turn.T * size + place
        _, center, radius = normalise(points)
        faces.append(points)
        boxes.append(square_box(center[0], center[1] - 0.2 * radius, 2.5 * radius))
    return np.array(faces), boxes


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_map_finds_the_rule_that_made_the_boxes(rng):
    faces, boxes = made_up_faces(80, rng)
    box_map = fit_box_map(list(zip(faces[:60], boxes[:60], strict=True)))
    for points, box in zip(faces[60:], boxes[60:], strict=True):
        predicted = box_map.predict(points)
        assert predicted.center == pytest.approx(box.center, abs=0.01 * box.width)
        assert predicted.width == pytest.approx(box.width, rel=0.01)
        assert predicted.height == predicted.width


def test_map_moves_and_scales_with_the_picture(rng):
    faces, boxes = made_up_faces(60, rng)
    box_map = fit_box_map(list(zip(faces, boxes, strict=True)))
    plain = box_map.predict(faces[0])
    moved = box_map.predict(faces[0] * 3 + [100, -40])
    assert moved.width == pytest.approx(3 * plain.width)
    assert moved.center == pytest.approx((3 * plain.center[0] + 100, 3 * plain.center[1] - 40))


def test_missing_landmarks_are_filled_in_from_the_mean_shape():
    box_map = default_box_map()
    whole = box_map.mean_shape * 50 + 200
    partial = whole.copy()
    partial[:30] = np.nan
    np.testing.assert_allclose(box_map.complete(partial), whole, atol=1e-9)
    assert box_map.predict(partial) == pytest.approx(box_map.predict(whole))


def test_faces_are_matched_predicted_replaced_or_rejected(rng):
    points, boxes = made_up_faces(70, rng)
    faces = [FaceAnnotation(face) for face in points]
    too_few = np.full((68, 2), np.nan)
    too_few[:4] = points[0][:4]
    faces.append(FaceAnnotation(too_few))
    detected = [*boxes, None]
    detected[5] = None
    half_a_face = Box(boxes[6].left + boxes[6].width / 2, boxes[6].top, *boxes[6][2:])
    detected[6] = half_a_face
    chosen, counts, _ = assign_boxes(faces, detected)
    assert counts == {"matched": 68, "predicted": 1, "replaced": 1, "rejected": 1}
    assert chosen[0] == boxes[0]
    assert chosen[-1] is None
    for index in (5, 6):
        assert chosen[index].overlap(boxes[index]) > 0.9


def test_few_faces_get_the_shipped_frame():
    points = default_box_map().mean_shape * 60 + 300
    (box,), counts, _ = assign_boxes([FaceAnnotation(points)], [None])
    _, center, radius = normalise(points)
    # The detector's frame on 300-W: centre 0.15 radii above the centroid, 2.82 radii wide.
    assert box.center == pytest.approx((center[0], center[1] - 0.15 * radius), abs=1)
    assert box.width == pytest.approx(2.82 * radius, abs=1)
    assert counts["predicted"] == 1


def test_shapes_without_a_size_frame_nothing():
    with pytest.raises(OptionError, match="train on the XML as it is"):
        own_model([np.array([[3.0, 4.0]])], [Box(0, 0, 9, 9)])


def test_things_keep_the_boxes_of_the_data_and_carry_them_along():
    rng = np.random.default_rng(1)
    scheme = numbered_scheme(4)
    shape = np.array([[0.0, 0.0], [30.0, 5.0], [28.0, 60.0], [-4.0, 50.0]])
    faces = [
        FaceAnnotation(shape + rng.normal(0, 1, (4, 2)), Box(-10, -10, 50, 80), scheme)
        for _ in range(9)
    ]
    bare = FaceAnnotation(shape, None, scheme)
    nothing = FaceAnnotation(np.full((4, 2), np.nan), None, scheme)
    boxes, counts, model = own_boxes([*faces, bare, nothing])
    assert counts == {"given": 9, "around": 1, "rejected": 1}
    assert boxes[0] == faces[0].box
    assert boxes[-2:] == [Box.around(shape), None]
    moved = model.follow(boxes[0], faces[0].points, 2 * faces[0].points + 7)
    np.testing.assert_allclose(moved[2:], (100, 160), rtol=0.01)
    np.testing.assert_allclose(moved.center, 2 * np.array(boxes[0].center) + 7, atol=1)
    found, counts, _ = detected_boxes(faces, [faces[0].box, *[None] * 8])
    assert counts == {"matched": 1, "predicted": 8, "replaced": 0, "rejected": 0}
    assert all(box.overlap(faces[0].box) > 0.8 for box in found)
