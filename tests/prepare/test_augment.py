import cv2
import numpy as np
import pytest

from efld_dlib.boxes import Box
from efld_dlib.detection.framing import default_box_map
from efld_dlib.errors import OptionError
from efld_dlib.pose import estimate_pose, mean_face_3d
from efld_dlib.prepare.augment import (
    AUGMENTATIONS,
    PRESETS,
    Step,
    augment,
    degrade,
    occlude,
    parse_augmentation,
    rotate,
    scatter_box,
    tone,
)
from efld_dlib.prepare.boxes import (
    TYPICAL_SCATTER,
    BoxModel,
    apply_deviation,
    assign_boxes,
    deviation_of,
)
from efld_dlib.records import FaceAnnotation

BOXES = BoxModel(default_box_map(), TYPICAL_SCATTER)
SIDE = 560


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def crop():
    """A smooth gray picture with a dot on the tip of the nose of a frontal face."""
    points = mean_face_3d()[:, :2] * 110 + SIDE / 2
    image = cv2.GaussianBlur(
        np.random.default_rng(1).integers(0, 120, (SIDE, SIDE), dtype=np.uint8), (0, 0), 6
    )
    x, y = points[30]
    cv2.circle(image, (round(16 * x), round(16 * y)), 16 * 6, 255, -1, cv2.LINE_AA, 4)
    return image, FaceAnnotation(points, BOXES.frame.predict(points))


def dot(image):
    """Centre of the brightest spot."""
    weight = np.clip(image.astype(float) - 180, 0, None)
    rows, columns = np.indices(image.shape)
    return np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()


def test_rotation_turns_picture_landmarks_and_roll_alike(rng):
    image, face = crop()
    rolls = []
    for _ in range(20):
        turned, moved = rotate(image, face, rng, BOXES)
        np.testing.assert_allclose(dot(turned), moved.points[30], atol=0.5)
        # A turn changes no distance.
        assert np.linalg.norm(moved.points[36] - moved.points[45]) == pytest.approx(
            np.linalg.norm(face.points[36] - face.points[45])
        )
        assert moved.box.overlap(BOXES.frame.predict(moved.points)) > 0.95
        rolls.append(estimate_pose(moved.points).roll)
    assert np.abs(rolls).max() <= 38
    assert 8 < np.std(rolls) < 23
    assert min(rolls) < 0 < max(rolls)


def test_scattered_boxes_have_the_detectors_scatter(rng):
    _, face = crop()
    expected = BOXES.frame.predict(face.points)
    drawn = [scatter_box(None, face, rng, BOXES)[1].box for _ in range(800)]
    deviations = np.array([deviation_of(box, expected) for box in drawn])
    np.testing.assert_allclose(deviations.std(axis=0), [0.035, 0.045, 0.075], rtol=0.12)
    np.testing.assert_allclose(deviations.mean(axis=0), 0, atol=0.01)


def test_scatter_is_learnt_from_matched_faces(rng):
    shape = default_box_map().mean_shape
    faces = [shape * rng.uniform(30, 90) + rng.uniform(100, 300, 2) for _ in range(400)]
    spread = np.array([0.02, 0.06, 0.1])
    boxes = [apply_deviation(BOXES.frame.predict(face), rng.normal(0, spread)) for face in faces]
    annotated = [FaceAnnotation(face) for face in faces]
    *_, learnt = assign_boxes(annotated, boxes)
    np.testing.assert_allclose(np.sqrt(np.diag(learnt.covariance)), spread, rtol=0.15)
    *_, typical = assign_boxes(annotated[:10], boxes[:10])
    assert typical.covariance is TYPICAL_SCATTER


def test_deviation_by_hand():
    expected, box = Box(0, 0, 100, 100), Box(10, -20, 100, 100)
    np.testing.assert_allclose(deviation_of(box, expected), [0.1, -0.2, 0], atol=1e-12)
    assert apply_deviation(expected, np.array([0.1, -0.2, 0.0])) == pytest.approx(box)
    doubled = apply_deviation(expected, np.array([0, 0, np.log(2)]))
    assert doubled.width == pytest.approx(200)
    assert doubled.center == pytest.approx(expected.center)


def test_occlusion_covers_what_it_marks_and_keeps_the_targets(rng):
    image, face = crop()
    marked = 0
    for _ in range(30):
        covered, hidden = occlude(image, face, rng, BOXES)
        np.testing.assert_array_equal(hidden.points, face.points)
        changed = (covered != image).mean()
        assert 0 < changed < 0.15
        marked += hidden.occluded.sum()
        for index in np.flatnonzero(~hidden.occluded):
            x, y = np.rint(face.points[index]).astype(int)
            assert covered[y, x] == image[y, x]
    assert marked > 60


@pytest.mark.parametrize("photometric", [tone, degrade])
def test_photometric_changes_leave_the_landmarks_where_they_are(photometric, rng):
    image, face = crop()
    seen = set()
    for _ in range(12):
        changed, same = photometric(image, face, rng, BOXES)
        assert same is face
        assert changed.shape == image.shape
        assert changed.dtype == np.uint8
        seen.add(changed.tobytes())
        np.testing.assert_allclose(dot(changed), dot(image), atol=2.5)
    assert len(seen) == 12


@pytest.mark.parametrize("name", list(AUGMENTATIONS))
def test_every_augmentation_is_pure_and_seeded(name):
    image, face = crop()
    before, points = image.copy(), face.points.copy()
    results = [
        augment(image, face, np.random.default_rng(seed), (Step(name, 1.0),), BOXES)
        for seed in (3, 3, 4)
    ]
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(face.points, points)
    assert results[0][1] == results[1][1]
    np.testing.assert_array_equal(results[0][0], results[1][0])
    different = results[0][1] != results[2][1] or (results[0][0] != results[2][0]).any()
    assert different


def test_probability_decides_how_often(rng):
    image, face = crop()
    steps = (Step("scatter", 0.25),)
    changed = sum(augment(image, face, rng, steps, BOXES)[1].box != face.box for _ in range(400))
    assert 70 < changed < 130


def test_steps_are_parsed_and_put_in_order():
    assert parse_augmentation("none") == ()
    assert parse_augmentation("paper") == (Step("rotate", 1.0), Step("occlude", 0.3))
    assert all(parse_augmentation(name) for name in PRESETS if name != "none")
    assert parse_augmentation("occlude:0.3, rotate") == (Step("rotate", 1.0), Step("occlude", 0.3))
    for bad, words in (("blur", "no augmentation 'blur'"), ("rotate:2", "between 0 and 1")):
        with pytest.raises(OptionError, match=words):
            parse_augmentation(bad)
