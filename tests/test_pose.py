"""Head pose: the convention by hand and against scipy, and real faces with known pose."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat
from scipy.spatial.transform import Rotation

from efld_dlib.boxes import Pose
from efld_dlib.landmarks import GROUPS_68, SCHEMES, mirror_points
from efld_dlib.pose import (
    estimate_pose,
    estimate_poses,
    mean_face_3d,
    pose_from_aflw2000,
    pose_of_rotation,
    rotation_matrix,
)

pytestmark = pytest.mark.filterwarnings("error")

POSES = [
    (0, 0, 0),
    (30, 0, 0),
    (-45, 20, -15),
    (90, 0, 0),
    (-90, 15, 10),
    (60, -30, 90),
    (10, 40, 179),
    (-20, -10, -170),
    (25, 5, 180),
]


def projected(pose, scale=80.0, shift=(150.0, 120.0)) -> np.ndarray:
    """Mean face in a picture; scipy turns it, a second way to the documented order of turns."""
    yaw, pitch, roll = pose
    rotation = Rotation.from_euler("ZXY", [roll, -pitch, -yaw], degrees=True)
    return scale * rotation.apply(mean_face_3d())[:, :2] + shift


def difference(found, expected) -> np.ndarray:
    """Difference of angles in degrees, in [-180, 180)."""
    return (np.asarray(found) - np.asarray(expected) + 180) % 360 - 180


def test_mean_face_is_a_symmetric_face_in_the_stated_frame():
    face = mean_face_3d()
    assert face.shape == (68, 3)
    assert face.dtype == np.float64
    mirrored = face[list(SCHEMES["68"].mirror)] * (-1, 1, 1)
    np.testing.assert_allclose(face, mirrored, atol=2e-6)
    np.testing.assert_allclose(face[[36, 45]], [(-0.5, 0, 0), (0.5, 0, 0)], atol=2e-6)
    assert face[8, 1] > face[57, 1] > face[33, 1] > 0  # chin below lips below nose: y is down
    assert face[:, 2].argmin() == 30  # the nose tip is nearest to the viewer
    face[:] = 0  # a copy: what the caller does to it must not spoil the poses to come
    assert mean_face_3d()[45, 0] > 0


@pytest.mark.parametrize(
    ("pose", "nose", "crown"),
    [
        # The nose points to -z and the top of the head to -y at pose 0.
        ((0, 0, 0), (0, 0, -1), (0, -1, 0)),
        ((90, 0, 0), (1, 0, 0), (0, -1, 0)),  # nose to the picture's right
        ((0, 90, 0), (0, -1, 0), (0, 0, 1)),  # nose up, crown away from the viewer
        ((0, 0, 90), (0, 0, -1), (1, 0, 0)),  # clockwise: the crown goes to the right
        ((90, 0, 90), (0, 1, 0), (1, 0, 0)),  # roll turns the picture, nose and all
    ],
)
def test_signs_of_the_convention(pose, nose, crown):
    rotation = rotation_matrix(pose)
    np.testing.assert_allclose(rotation @ (0, 0, -1), nose, atol=1e-15)
    np.testing.assert_allclose(rotation @ (0, -1, 0), crown, atol=1e-15)


@pytest.mark.parametrize("pose", POSES)
def test_rotation_and_back(pose):
    rotation = rotation_matrix(pose)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-15)
    np.testing.assert_allclose(pose_of_rotation(rotation), pose, atol=1e-9)


@pytest.mark.parametrize("pose", POSES)
def test_projected_mean_face_gives_its_pose_back(pose):
    found = estimate_pose(projected(pose))
    np.testing.assert_allclose(difference(found, pose), 0, atol=1e-6)


@pytest.mark.parametrize("pose", POSES)
def test_half_a_face_is_enough(pose):
    points = projected(pose)
    points[mean_face_3d()[:, 0] > 0.01] = np.nan
    np.testing.assert_allclose(difference(estimate_pose(points), pose), 0, atol=1e-6)


def crooked_face() -> np.ndarray:
    """A face that no pose of the mean face fits exactly."""
    noise = np.random.default_rng(3).normal(0, 3, (68, 2))
    return projected((20, -10, 5)) + noise


def test_mirroring_flips_yaw_and_roll():
    points = crooked_face()
    pose, mirrored = estimate_pose(points), estimate_pose(mirror_points(points, 300))
    np.testing.assert_allclose(mirrored, (-pose.yaw, pose.pitch, -pose.roll), atol=1e-5)


@pytest.mark.parametrize("degrees", [-179, -90, 10, 45, 180])
def test_turning_the_picture_adds_to_roll_alone(degrees):
    points = crooked_face()
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turned = points @ np.array([[c, s], [-s, c]])  # clockwise, since y is down
    before, after = estimate_pose(points), estimate_pose(turned)
    np.testing.assert_allclose(
        difference(after, (before.yaw, before.pitch, before.roll + degrees)), 0, atol=1e-9
    )


@pytest.mark.parametrize("scale", [1e-3, 1e6, 1e200])
def test_size_and_place_of_the_face_do_not_matter(scale):
    points = crooked_face()
    np.testing.assert_allclose(estimate_pose(scale * points), estimate_pose(points), atol=1e-6)
    np.testing.assert_allclose(estimate_pose(points + 5000), estimate_pose(points), atol=1e-6)


def test_the_jaw_is_not_looked_at():
    points = crooked_face()
    before = estimate_pose(points)
    points[:9] += 40
    points[9:17] = np.nan
    assert estimate_pose(points) == before


def without(groups) -> np.ndarray:
    points = projected((10, 5, 0))
    points[[index for group in groups for index in GROUPS_68[group]]] = np.nan
    return points


UNDETERMINED = {
    "nothing given": np.full((68, 2), np.nan),
    "infinite": np.full((68, 2), np.inf),
    "jaw only": without(set(GROUPS_68) - {"jaw"}),
    "one eye": without(set(GROUPS_68) - {"left_eye"}),
    "eyes, which lie in one plane": without(set(GROUPS_68) - {"left_eye", "right_eye"}),
    "all on one place": np.full((68, 2), 100.3),
    "all on zero": np.zeros((68, 2)),
    "all on one line": np.linspace((0, 0), (90, 30), 68),
}


@pytest.mark.parametrize("case", UNDETERMINED)
def test_what_cannot_be_determined_is_nan(case):
    pose = estimate_pose(UNDETERMINED[case])
    assert isinstance(pose, Pose)
    assert all(math.isnan(value) for value in pose)


def test_five_points_are_too_few_and_six_enough():
    points = np.full((68, 2), np.nan)
    used = [36, 45, 30, 48, 54]
    points[used] = projected((10, 5, 0))[used]
    assert math.isnan(estimate_pose(points).yaw)
    points[27] = projected((10, 5, 0))[27]
    np.testing.assert_allclose(estimate_pose(points), (10, 5, 0), atol=1e-6)


def test_many_faces_give_what_each_face_gives():
    points = np.stack([projected(pose) for pose in POSES] + [np.full((68, 2), np.nan)])
    points[1, 30:40] = np.nan
    found = estimate_poses(points)
    np.testing.assert_allclose(found, [estimate_pose(face) for face in points], atol=1e-9)
    assert estimate_poses(points[:0]).shape == (0, 3)


@pytest.mark.parametrize("shape", [(67, 2), (68, 3), (1, 68, 2)])
def test_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match="must have shape"):
        estimate_pose(np.zeros(shape))


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [((0, 0.5, 0), (-0.5, 0, 0)), ((0.5, 0, 0), (0, 0.5, 0)), ((0, 0, 0.5), (0, 0, 0.5))],
)
def test_signs_of_aflw2000(theirs, ours):
    np.testing.assert_allclose(pose_from_aflw2000(theirs), np.degrees(ours), atol=1e-12)


@pytest.mark.data
def test_pose_of_aflw2000_faces(data_root: Path):
    files = sorted((data_root / "aflw2000").glob("*.mat"))
    if not files:
        pytest.skip("no AFLW2000-3D faces in aflw2000/")
    samples = [loadmat(file) for file in files]
    truth = np.array([pose_from_aflw2000(sample["Pose_Para"]) for sample in samples])
    found = estimate_poses(np.array([sample["pt3d_68"][:2].T for sample in samples]))

    turned = np.abs(truth) > 10
    assert turned.any(axis=0).all()
    np.testing.assert_array_equal(np.sign(found[turned]), np.sign(truth[turned]))
    near_frontal = np.abs(truth[:, 0]) < 60
    error = np.abs(difference(found, truth))[near_frontal].mean(axis=0)
    print(f"mean absolute error, {near_frontal.sum()} faces: yaw, pitch, roll = {error.round(2)}")
    assert (error < (3, 4, 3)).all(), error
