import numpy as np
import pytest

from efld_dlib.boxes import Pose
from efld_dlib.errors import OptionError
from efld_dlib.pose import face_poses, mean_face_3d, rotation_matrix
from efld_dlib.prepare import rarity
from efld_dlib.prepare.rarity import (
    WEIGHTINGS,
    Weighting,
    class_members,
    copies_for_weights,
    effective_sample_size,
    pose_density,
    weigh,
)
from efld_dlib.records import FaceAnnotation


def face(yaw=0.0, pitch=0.0, roll=0.0, **changes):
    """The mean face in a pose."""
    turned = mean_face_3d() @ rotation_matrix(Pose(yaw, pitch, roll)).T
    return FaceAnnotation(turned[:, :2] * 100 + 200, **changes)


def crowd(rng, frontal=95, turned=5):
    """Mostly frontal faces, and a few that are turned by 45 degrees, all a little different."""
    poses = [rng.normal(0, 4, 3) for _ in range(frontal)]
    poses += [rng.normal([45, 0, 0], 4) for _ in range(turned)]
    return [face(*pose) for pose in poses]


@pytest.fixture
def rng():
    return np.random.default_rng(2)


def test_rare_poses_weigh_more_within_the_bounds(rng):
    weights = weigh(crowd(rng), Weighting("pose-density", gamma=1.0, cap=6.0))
    assert weights[:95].mean() < 1.6
    assert weights[95:].min() > 4
    assert weights.min() == 1.0
    assert weights.max() <= 6.0


def test_gamma_softens_and_none_ignores(rng):
    faces = crowd(rng)
    hard, soft = (weigh(faces, Weighting(gamma=gamma, cap=100)) for gamma in (1.0, 0.5))
    np.testing.assert_allclose(soft, np.sqrt(hard))
    assert (weigh(faces, Weighting("none")) == 1).all()
    assert (weigh(faces, Weighting(gamma=0)) == 1).all()
    assert len(weigh([], Weighting())) == 0


def test_a_pose_and_its_mirror_image_are_equally_rare():
    poses = np.array([[30.0, 5, 10]] + [[0.0, 0, 0]] * 5)
    density = pose_density(poses, np.array([[30.0, 5, 10], [-30, 5, -10], [-30, -5, 10]]))
    assert density[0] == pytest.approx(density[1])
    assert density[2] < density[0] / 2


def test_density_by_hand():
    # Two poses, each with its mirror image, 12 degrees (two bandwidths) of yaw apart.
    density = pose_density(np.array([[6.0, 0, 0]]))
    assert density[0] == pytest.approx((1 + np.exp(-0.5 * 2**2)) / 2)
    assert np.isnan(pose_density(np.array([[np.nan, 0, 0]]))).all()


def test_the_density_of_many_poses_is_about_that_of_each(monkeypatch):
    poses = np.random.default_rng(1).normal(0, [25, 10, 8], (1200, 3))
    exact = pose_density(poses)
    monkeypatch.setattr(rarity, "_MOST_EXACT", 1000)
    np.testing.assert_allclose(pose_density(poses), exact, rtol=0.015)


def test_faces_of_unknown_pose_weigh_one(rng):
    faces = [*crowd(rng), FaceAnnotation(np.full((68, 2), np.nan))]
    assert weigh(faces, Weighting(gamma=1, cap=9))[-1] == 1.0
    assert (weigh(faces[-1:], Weighting()) == 1).all()


def test_the_data_sets_own_pose_comes_first():
    given = face(yaw=10, pose=Pose(-50, 1, 2))
    poses = face_poses([given, face(yaw=10)])
    np.testing.assert_allclose(poses[0], [-50, 1, 2])
    np.testing.assert_allclose(poses[1], [10, 0, 0], atol=1)


def test_classes_of_faces(rng):
    hidden = np.zeros(68, dtype=bool)
    hidden[:10] = True
    laughing = face()
    laughing.points[61:64, 1] -= 15
    laughing.points[65:68, 1] += 15
    faces = [
        face(yaw=-40),
        face(pitch=25),
        face(pitch=-25),
        laughing,
        face(occluded=hidden),
        face(),
        face(yaw=40, pitch=25),
    ]
    members = {name: inside.nonzero()[0].tolist() for name, inside in class_members(faces).items()}
    assert members == {
        "profile": [0, 6],
        "head-up": [1, 6],
        "head-down": [2],
        "expression": [3],
        "occlusion": [4],
        "frontal": [5],
    }


def test_class_weights_are_inverse_fractions():
    # 8 frontal faces and 2 profiles: 10 / 2 over 10 / 8 is 4.
    faces = [face()] * 8 + [face(yaw=50)] * 2
    weights = weigh(faces, Weighting("classes", gamma=1.0, cap=10))
    np.testing.assert_allclose(weights, [1] * 8 + [4] * 2)
    np.testing.assert_allclose(weigh(faces, Weighting("classes", 0.5, 10))[-1], 2)


def test_copies_are_whole_expected_and_total_constant(rng):
    weights = rng.uniform(0.2, 4, 200)
    drawn = np.array([copies_for_weights(weights, rng) for _ in range(3000)])
    assert np.abs(drawn.sum(axis=1) - weights.sum()).max() < 1
    np.testing.assert_allclose(drawn.mean(axis=0), weights, atol=0.06)
    assert (np.abs(drawn - weights) < 1).all()
    assert copies_for_weights(np.array([3.0, 2.0]), rng).tolist() == [3, 2]


def test_effective_sample_size_by_hand():
    assert effective_sample_size(np.ones(7)) == pytest.approx(7)
    assert effective_sample_size(np.array([3.0, 1.0])) == pytest.approx(16 / 10)
    assert effective_sample_size(np.empty(0)) == 0


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"kind": "age"}, "no weighting 'age'"), ({"gamma": -1}, "gamma"), ({"cap": 0.5}, "cap")],
)
def test_weightings_out_of_range(wrong, words):
    with pytest.raises(OptionError, match=words):
        Weighting(**wrong)
    assert set(WEIGHTINGS) == {"pose-density", "classes", "none"}
