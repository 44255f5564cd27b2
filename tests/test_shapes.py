"""Mean shapes and their mirror images."""

from __future__ import annotations

import numpy as np
import pytest

from efld_dlib.landmarks import SCHEMES
from efld_dlib.pose import mean_face_3d
from efld_dlib.shapes import mean_shape, mirror_partners, similarity

ARROW = np.array([[0.0, 0.0], [-1.0, 1.0], [1.0, 1.0], [0.0, 3.0]])


def moved(shape, angle, scale, shift):
    turned = shape @ [1, 1j] * scale * np.exp(1j * np.radians(angle)) + complex(*shift)
    return np.column_stack([turned.real, turned.imag])


def test_a_similarity_takes_back_what_was_moved():
    there = moved(ARROW, 70, 3, (20, -5))
    np.testing.assert_allclose(similarity(ARROW[:3], there[:3], ARROW), there, atol=1e-9)


def test_of_a_single_point_no_size_is_known():
    np.testing.assert_allclose(similarity(ARROW[:1], ARROW[:1] + 2, ARROW), np.full((4, 2), 2))


def test_the_mean_is_the_common_shape_whatever_turn_size_and_place():
    rng = np.random.default_rng(1)
    shapes = np.array(
        [
            moved(ARROW, rng.normal(0, 30), rng.uniform(1, 40), rng.uniform(0, 300, 2))
            for _ in range(40)
        ]
    )
    shapes[3, 2] = shapes[7, 0] = np.nan
    mean = mean_shape(shapes)
    np.testing.assert_allclose(similarity(mean, ARROW, mean), ARROW, atol=1e-6)
    np.testing.assert_allclose(mean.mean(axis=0), 0, atol=1e-9)
    assert np.sqrt((mean**2).sum(axis=1).mean()) == pytest.approx(1)
    # It stands as most of them do: its tip below its base, as in ARROW.
    along = mean[3] - mean[0]
    assert abs(np.degrees(np.arctan2(along[0], along[1]))) < 15


def test_a_landmark_that_no_shape_has_is_nowhere():
    shapes = np.array([ARROW, 2 * ARROW])
    shapes[:, 1] = np.nan
    assert np.isnan(mean_shape(shapes)[1]).all()


@pytest.mark.parametrize("angle", [0, 33, 90])
def test_the_partners_of_the_mean_face_are_those_of_300w(angle):
    face = moved(mean_face_3d()[:, :2], angle, 50, (10, 10))
    partners, off = mirror_partners(face)
    assert partners == SCHEMES["68"].mirror
    assert off < 0.01


def test_a_shape_that_is_not_symmetric_is_far_off():
    scalene = np.array([[0.0, 0.0], [5.0, 0.3], [1.0, 2.0], [4.0, 4.0], [-3.0, 1.0]])
    assert mirror_partners(scalene)[1] > 0.1
