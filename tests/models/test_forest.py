"""Predictors evaluated as they are kept, beside dlib's own evaluation."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from small_models import one_split, random_predictor

from efld_dlib.boxes import Box
from efld_dlib.models.efld import efld_bytes
from efld_dlib.models.forest import ROUGH_AFTER, ROUGH_SHARE, DlibPredictor, Forest
from efld_dlib.models.loading import load_predictor, load_refined
from efld_dlib.models.quantised import quantise

BOX = Box(10, 12, 41, 41)


def crops(count, side=64, seed=0):
    smooth = np.random.default_rng(seed).integers(0, 255, (count, side // 4, side // 4), np.uint8)
    return smooth.repeat(4, axis=1).repeat(4, axis=2)


def test_a_split_leads_left_where_its_first_pixel_is_brighter():
    forest = Forest(quantise(one_split(), 1e-4))
    images = np.zeros((2, 64, 64), np.uint8)
    images[0, 32, 30] = 11
    images[1, 32, 30] = 10
    right, down = forest.predict(images, BOX)
    assert right == pytest.approx(np.array([[40.0, 32.0]]), abs=0.01)
    assert down == pytest.approx(np.array([[30.0, 42.0]]), abs=0.01)


@pytest.mark.parametrize("splits", [1, 3, 7, 15])
def test_it_predicts_what_dlib_predicts_from_the_same_file(tmp_path, splits):
    path = tmp_path / "m.efld"
    model = random_predictor(splits, cascades=4, trees=12, splits=splits, points=6, pool=20)
    path.write_bytes(efld_bytes({"predictor": quantise(model, 1e-5)}, {}))
    ours, theirs = load_refined(path)[0], DlibPredictor(load_predictor(path))
    assert isinstance(ours, Forest)
    assert ours.points == theirs.points == 6
    images = crops(20)
    # dlib says whole pixels.
    apart = np.abs(ours.predict(images, BOX) - theirs.predict(images, BOX))
    assert np.quantile(apart, 0.95) <= 0.501
    alone = np.concatenate([ours.predict(image[None], BOX) for image in images])
    assert ours.predict(images, BOX) == pytest.approx(alone, abs=1e-6)


def test_pixels_outside_the_crop_are_black():
    model = random_predictor(3, cascades=3, trees=20, splits=7, points=6, pool=20)
    forest = Forest(quantise(model, 1e-5))
    image = crops(1, side=40)
    larger = np.pad(image, ((0, 0), (30, 30), (30, 30)))
    near, far = Box(-8, 20, 41, 41), Box(22, 50, 41, 41)
    assert forest.predict(image, near) + 30 == pytest.approx(forest.predict(larger, far))


def test_rough_landmarks_pull_the_shape_after_the_first_cascades():
    model = random_predictor(3, cascades=4, trees=12, splits=7, points=6, pool=20)
    whole = quantise(model, 1e-5)
    images = crops(5)
    alone = Forest(whole).predict(images, BOX)
    first = Forest(whole.first_cascades(ROUGH_AFTER)).predict(images, BOX)
    agreed = Forest(whole).predict(images, BOX, first)
    assert agreed == pytest.approx(alone, abs=1e-6)
    moved = Forest(whole).predict(images, BOX, first + [8.0, 0.0])
    shift = (moved - alone).mean(axis=(0, 1))
    assert shift == pytest.approx([8.0 * ROUGH_SHARE, 0.0], abs=1.0)


def test_trees_too_deep_for_it_are_left_to_dlib(tmp_path):
    path = tmp_path / "deep.efld"
    deep = quantise(random_predictor(splits=31), 1e-4)
    assert not Forest.can_run(deep)
    path.write_bytes(efld_bytes({"predictor": deep}, {}))
    assert isinstance(load_refined(path)[0], DlibPredictor)


def test_the_default_model_needs_no_dlib(tmp_path):
    script = """
import sys
sys.modules["dlib"] = None
import skimage.data
from efld_dlib import FaceLandmarker
(face,) = FaceLandmarker().detect(skimage.data.astronaut(), "rgb")
assert abs(face.points[30] - (224, 128)).max() < 6
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_pickled_landmarker_is_small(astronaut):
    from efld_dlib import FaceLandmarker

    landmarker = FaceLandmarker(quality="fast")
    data = pickle.dumps(landmarker)
    assert len(data) < 5000
    again = pickle.loads(data)
    (one,), (two,) = landmarker.detect(astronaut, "rgb"), again.detect(astronaut, "rgb")
    assert np.array_equal(one.points, two.points)
