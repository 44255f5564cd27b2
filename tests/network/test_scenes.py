"""What the face network is trained on: scenes, and what each cell is to say of them."""

import cv2
import numpy as np
import pytest

from efld_dlib.network.scenes import (
    SCENE,
    Mistake,
    Mistakes,
    PlacedFace,
    Pyramid,
    Scene,
    SceneMaker,
    _affine,
    _mapped,
)
from efld_dlib.network.targets import CELL_STRIDES, PLACES, targets


def maker(pictures, grounds):
    return SceneMaker(pictures, grounds, np.ones(len(pictures)))


def test_same_seed_gives_the_same_scene(pictures, grounds):
    first, second = (
        maker(pictures, grounds).scene(np.random.default_rng([1, 2])) for _ in range(2)
    )
    assert np.array_equal(first.image, second.image)
    assert len(first.faces) == len(second.faces)


def test_scenes_hold_faces_of_all_sizes_and_none(pictures, grounds):
    scenes = [maker(pictures, grounds).scene(np.random.default_rng([3, n])) for n in range(120)]
    widths = [face.box[2] for scene in scenes for face in scene.faces]
    assert min(widths) < 16
    assert max(widths) > 200
    counts = [len(scene.faces) for scene in scenes]
    assert min(counts) == 0
    assert max(counts) > 3
    for scene in scenes:
        assert scene.image.shape == (SCENE, SCENE)
        assert scene.image.dtype == np.float32
        assert scene.image.min() >= 0
        assert scene.image.max() <= 255


def test_points_follow_the_pixels(pictures):
    """A map that mirrors and turns takes landmarks to where their bright pixels go."""
    picture = pictures[0]
    face = picture.faces[0]
    affine = _affine(0.8, 25.0, face.box[:2], (128.0, 128.0), mirror=True)
    warped = Pyramid(picture.image).warped(affine, (0, 0, SCENE, SCENE), cv2.BORDER_CONSTANT)
    for x, y in _mapped(face.points, affine):
        near = warped[round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3]
        assert near.max() > 150


def test_a_pyramid_is_where_the_picture_is(pictures):
    """Warping from a reduced level shifts nothing: the same content at the same place."""
    image = cv2.GaussianBlur(pictures[0].image, (0, 0), 4)
    affine = _affine(0.2, 10.0, (100.0, 100.0), (40.0, 60.0), mirror=False)
    fine = cv2.warpAffine(cv2.GaussianBlur(image, (0, 0), 2), affine, (SCENE, SCENE))
    ours = Pyramid(image).warped(affine, (0, 0, SCENE, SCENE), cv2.BORDER_CONSTANT)
    inside = np.zeros((SCENE, SCENE), bool)
    inside[48:72, 28:52] = True
    apart = np.abs(fine.astype(float) - ours)[inside]
    assert apart.mean() < 4


def test_faces_turned_in_the_scene_have_that_roll(pictures, grounds):
    scenes = [maker(pictures, grounds).scene(np.random.default_rng([5, n])) for n in range(80)]
    for face in (face for scene in scenes for face in scene.faces):
        x, y = face.five[1] - face.five[0]
        assert face.pose[2] == pytest.approx(np.degrees(np.arctan2(y, x)), abs=3)


def test_unannotated_faces_are_not_background(pictures, grounds):
    for picture in pictures:
        picture.ignored, picture.known = [np.array([40.0, 40.0, 30.0])], True
    scenes = [maker(pictures, grounds).scene(np.random.default_rng([6, n])) for n in range(60)]
    assert any(scene.ignored for scene in scenes)


def test_grounds_with_mistakes_are_shown_more_often(pictures, grounds):
    grounds = {"plain": np.zeros((200, 200), np.uint8), "hard": np.full((200, 200), 255, np.uint8)}
    own = maker(pictures, grounds)
    rng = np.random.default_rng(0)
    before = np.mean([own.ground(rng).mean() for _ in range(400)])
    own.mistakes = Mistakes([Mistake(1, np.array([100.0, 100.0, 50.0]), 50.0, 0.8)])
    assert np.mean([own.ground(rng).mean() for _ in range(400)]) > before + 40


def test_the_graver_mistakes_are_drawn_more_often():
    place = np.array([10.0, 10.0, 20.0])
    some = Mistakes([Mistake(0, place, 20.0, 0.2), Mistake(1, place, 20.0, 0.8)])
    rng = np.random.default_rng(0)
    assert np.mean([some.draw(rng).ground for _ in range(300)]) > 0.9
    assert not Mistakes()


def test_targets_say_where_a_face_is():
    five = np.array([[40.0, 50], [60, 50], [50, 60], [44, 70], [56, 70]])
    face = PlacedFace(np.array([50.0, 60.0, 36.0]), five, np.array([30.0, -10.0, 5.0]), 2.0)
    said = targets(Scene(np.zeros((SCENE, SCENE), np.float32), [face]))
    seen = np.flatnonzero(said.face)
    # 36 pixels belong to both finer levels.
    assert set(CELL_STRIDES[seen]) == {8.0, 16.0}
    assert said.weight.sum() == pytest.approx(1)
    for cell in seen:
        stride, outputs = CELL_STRIDES[cell], said.outputs[cell].astype(float)
        assert PLACES[cell] + outputs[1:3] * stride == pytest.approx([50, 60], abs=1e-3)
        assert np.exp(outputs[3]) * stride == pytest.approx(36, rel=1e-5)
        points = PLACES[cell] + outputs[4:14].reshape(5, 2) * stride
        assert points == pytest.approx(five, abs=1e-3)
        assert outputs[14:17] * 90 == pytest.approx([30, -10, 5], abs=1e-4)
        assert said.rarity[cell] == 2
    far = np.abs(PLACES - [200, 200]).max(axis=1) < 40
    assert (said.counts[far] == 1).all()
    assert not said.face[far].any()


def test_unknown_regions_count_for_nothing():
    scene = Scene(np.zeros((SCENE, SCENE), np.float32), ignored=[np.array([100.0, 100.0, 40.0])])
    scene.background[:, 200:] = False
    said = targets(scene)
    assert (said.counts[np.abs(PLACES - 100).max(axis=1) < 20] == 0).all()
    assert (said.counts[PLACES[:, 0] >= 200] == 0).all()
    assert (said.counts[PLACES[:, 0] < 60] == 1).all()
