"""Turning faces out of the picture plane."""

import numpy as np
import pytest

from efld_dlib.detection.framing import default_box_map
from efld_dlib.landmarks import mirror_points
from efld_dlib.pose import estimate_pose, mean_face_3d, rotation_matrix
from efld_dlib.prepare import augment
from efld_dlib.prepare.boxes import TYPICAL_SCATTER, BoxModel
from efld_dlib.prepare.turn import turn_face
from efld_dlib.records import FaceAnnotation

SIDE = 400
EYE_DISTANCE = 80.0
TURNS = [(15, 0), (-30, 0), (0, 15), (0, -20), (25, 10), (-20, -15)]


def projected(yaw=0.0, pitch=0.0, roll=0.0):
    """Landmarks of the mean face in a picture, under scaled orthographic projection."""
    turned = mean_face_3d() @ rotation_matrix((yaw, pitch, roll)).T
    return turned[:, :2] * EYE_DISTANCE + (SIDE / 2 + 3.3, SIDE / 2 - 20.4)


@pytest.fixture(scope="module")
def texture():
    """Smooth noise, so that a pixel put in the wrong place changes the picture."""
    noise = np.random.default_rng(5).uniform(0, 255, (SIDE // 20, SIDE // 20))
    return np.kron(noise, np.ones((20, 20))).astype(np.uint8)


def turn(image, points, yaw, pitch):
    return turn_face(image, points, estimate_pose(points), yaw, pitch)


@pytest.mark.parametrize("pose", [(0, 0, 0), (5, -8, 20), (-35, 5, 0)])
def test_small_turn_moves_landmarks_little(texture, pose):
    points = projected(*pose)
    away = -0.01 if pose[0] < 0 else 0.01
    image, moved = turn(texture, points, away, 0.01)
    # 0.01 degrees at a depth of 1.5 eye distances are 0.02 pixels; jaw points also slide a step.
    assert np.abs(moved[17:] - points[17:]).max() < 0.05
    assert np.abs(moved[:17] - points[:17]).max() < 0.03 * EYE_DISTANCE
    inner = np.s_[150:230, 170:240]
    assert np.abs(image[inner].astype(int) - texture[inner]).mean() < 1


@pytest.mark.parametrize("start", [(0, 0, 0), (6, -5, 0), (-4, 8, 25)])
@pytest.mark.parametrize(("yaw", "pitch"), TURNS)
def test_pose_changes_as_asked(texture, start, yaw, pitch):
    _, points = turn(texture, projected(*start), yaw, pitch)
    change = np.subtract(estimate_pose(points), start)
    assert change[:2] == pytest.approx((yaw, pitch), rel=0.05, abs=0.5)
    assert change[2] == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize(("yaw", "pitch"), TURNS)
def test_inner_landmarks_are_those_of_the_turned_mean_face(texture, yaw, pitch):
    _, points = turn(texture, projected(), yaw, pitch)
    expected = projected(yaw, pitch)
    shift = points[17:] - expected[17:]
    # The place in the picture is free: the head turns about its middle, not about the eyes.
    assert np.abs(shift - shift.mean(axis=0)).max() < 1e-6


@pytest.mark.parametrize(("yaw", "pitch"), [(20, 0), (-30, 10), (0, 15)])
def test_mirror_image_turned_the_other_way_is_the_mirror_image(texture, yaw, pitch):
    points = projected(4, -6, 3)
    image, turned = turn(texture, points, yaw, pitch)
    mirrored = np.ascontiguousarray(texture[:, ::-1])
    other, other_turned = turn(mirrored, mirror_points(points, SIDE), -yaw, pitch)
    assert np.abs(mirror_points(other_turned, SIDE) - turned).max() < 1e-6
    assert np.abs(other[:, ::-1].astype(int) - image).mean() < 0.5


@pytest.mark.parametrize("landmark", [30, 36, 39, 42, 45, 48, 54])
@pytest.mark.parametrize(("yaw", "pitch"), [(20, 0), (-20, 0), (0, 15), (15, -15)])
def test_picture_moves_with_the_landmarks(landmark, yaw, pitch):
    points = projected(2, -3, 5)
    image = np.zeros((SIDE, SIDE), np.uint8)
    rows, columns = np.indices(image.shape)
    distance = np.hypot(columns - points[landmark, 0], rows - points[landmark, 1])
    image = (255 * np.clip(3 - distance, 0, 1)).astype(np.uint8)
    turned, moved = turn(image, points, yaw, pitch)
    weights = turned / turned.sum()
    centre = np.array([(weights * columns).sum(), (weights * rows).sum()])
    assert np.linalg.norm(moved[landmark] - points[landmark]) > 2
    assert np.linalg.norm(centre - moved[landmark]) < 1.2


def test_far_jaw_is_on_the_outline_and_the_near_one_turns_towards_the_viewer(texture):
    _, points = turn(texture, projected(), 30, 0)
    # The nose points to the picture's right, so that is the side that turns away; there the
    # head's own jaw is hidden behind the cheek.
    own = projected(30, 0)
    own += points[17:].mean(axis=0) - own[17:].mean(axis=0)
    assert (points[10:17, 0] > own[10:17, 0] + 2).all()
    assert (points[11:16, 0] > points[[54], 0]).all()
    width = points[16, 0] - points[30, 0], points[30, 0] - points[0, 0]
    assert width[1] > 3 * width[0]


def test_edge_of_the_picture_stays(texture):
    image, _ = turn(texture, projected(), 30, 15)
    border = np.ones(image.shape, bool)
    border[10:-10, 10:-10] = False
    assert np.abs(image[border].astype(int) - texture[border]).mean() < 10
    assert np.abs(image[130:250, 130:270].astype(int) - texture[130:250, 130:270]).mean() > 20


def test_missing_landmarks_stay_missing(texture):
    points = projected()
    complete = turn(texture, points, 20, 5)[1]
    missing = [0, 3, 8, 40, 61]
    points[missing] = np.nan
    _, turned = turn(texture, points, 20, 5)
    given = np.ones(68, bool)
    given[missing] = False
    assert np.isnan(turned[missing]).all()
    assert np.isfinite(turned[given]).all()
    inner = given & (np.arange(68) >= 17)
    assert np.abs(turned[inner] - complete[inner]).max() < 1


def test_arguments_are_left_alone(texture):
    image, points = texture.copy(), projected()
    turn(image, points, 20, 10)
    assert np.array_equal(image, texture)
    assert np.array_equal(points, projected())


def augmented(texture, points, seed):
    boxes = BoxModel(default_box_map(), TYPICAL_SCATTER)
    face = FaceAnnotation(points, boxes.frame.predict(points))
    return augment.turn(texture, face, np.random.default_rng(seed), boxes)


def test_face_without_a_pose_is_left_alone(texture):
    points = np.full((68, 2), np.nan)
    points[:17] = projected()[:17]
    image, same = augmented(texture, points, 0)
    assert image is texture
    assert same.points is points


@pytest.mark.parametrize("start", [(40, 38, 0), (-40, -38, 0), (12, 44, 5)])
def test_turn_ends_at_the_limits_and_never_turns_back(texture, start):
    points = projected(*start)
    before = estimate_pose(points)
    for seed in range(12):
        pose = estimate_pose(augmented(texture, points, seed)[1].points)
        assert abs(before.yaw) - 0.5 < abs(pose.yaw) < augment.TURN_LIMIT + 0.5
        assert abs(pose.pitch) < max(augment.TURN_PITCH_LIMIT, abs(before.pitch)) + 0.5
        assert abs(pose.pitch - before.pitch) < augment.TURN_PITCH + 0.5
