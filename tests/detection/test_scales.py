"""A picture at several sizes, and crops of it."""

from __future__ import annotations

import numpy as np
import pytest

from efld_dlib.annotation import Box
from efld_dlib.detection.confirm import KNOWN, SURE, confirm
from efld_dlib.detection.scales import Scales
from efld_dlib.detection.verifier import OUTPUTS, Candidate
from efld_dlib.errors import DataError
from efld_dlib.images import canonical_crop, to_gray


@pytest.fixture
def ramps() -> np.ndarray:
    """A picture whose brightness tells the place: 2 x + y."""
    rows, columns = np.indices((40, 84))
    return (2 * columns + rows).astype(np.uint8)


@pytest.mark.parametrize("scale", [0.1, 0.25, 0.3, 0.5, 0.8, 1.0, 1.5])
def test_pixels_of_a_reduced_picture_map_back(ramps, scale):
    image, step_x, step_y = Scales(ramps).reduced(scale)
    assert image.shape == pytest.approx((40 * scale, 84 * scale), abs=1.5)
    rows, columns = np.indices(image.shape)
    expected = 2 * ((columns + 0.5) * step_x - 0.5) + (rows + 0.5) * step_y - 0.5
    inside = (slice(1, -1), slice(1, -1))
    np.testing.assert_allclose(image[inside], expected[inside], atol=1.5)


def test_halves_are_means_of_four_pixels(ramps):
    image, near, step = Scales(ramps).near(Box(8, 4, 16, 16), 8)
    assert (near, step) == (Box(4, 2, 8, 8), 2)
    expected = ramps.reshape(20, 2, 42, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(image, expected, atol=0.51)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 2), (7, 301)])
def test_pictures_of_any_shape_can_be_reduced(shape):
    image, step_x, step_y = Scales(np.full(shape, 9, np.uint8)).reduced(0.01)
    assert min(image.shape) >= 1
    assert (image == 9).all()
    assert step_x >= 1
    assert step_y >= 1


@pytest.mark.parametrize(("width", "roll"), [(88, 0.0), (200, 20.0), (300, -75.0), (30, 5.0)])
def test_a_crop_is_the_canonical_one(astronaut, width, roll):
    gray = to_gray(astronaut)
    box = Box(222.5 - width / 2, 126.5 - width / 2, width, width)
    crop = Scales(gray).crop(box, 48, 0.25, roll)
    expected = canonical_crop(gray, box, 48, 0.25, roll).image
    assert crop.shape == expected.shape
    difference = np.abs(crop.astype(float) - expected)
    assert difference.mean() < 3
    assert np.corrcoef(crop.ravel(), expected.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("width", [0.0, -5.0, np.inf, np.nan])
def test_a_box_without_an_area_is_refused(ramps, width):
    with pytest.raises(DataError, match="not a rectangle with an area"):
        Scales(ramps).near(Box(3, 3, width, 9), 48)


class Knowing:
    """A verifier that gives each place the score of a table, by its left edge, and counts."""

    def __init__(self, scores):
        self.scores, self.seen = scores, []

    def look(self, scales, candidates):
        outputs = np.zeros((len(candidates), OUTPUTS), np.float32)
        for output, candidate in zip(outputs, candidates, strict=True):
            self.seen.append(round(candidate.box.left))
            output[0] = self.scores[round(candidate.box.left)]
        return outputs


def looked_at(scores):
    verifier = Knowing(scores)
    places = [Candidate(Box(left, 0, 100, 100), 0.0) for left in scores]
    found = confirm(verifier, Scales(np.zeros((9, 9), np.uint8)), places, -3.0)
    return verifier.seen, {round(each.box.left): each.score for each in found}


def test_a_sure_face_is_looked_at_once_and_its_neighbours_not_at_all():
    seen, found = looked_at({0: KNOWN + 1, 10: 9.0, 500: -4.0})
    assert seen == [0, 500]
    assert found == {0: KNOWN + 1}


def test_where_the_first_place_does_not_convince_all_are_looked_at():
    seen, found = looked_at({0: SURE - 1, 10: SURE + 1, 20: 1.0, 500: 3.0})
    assert sorted(seen) == [0, 0, 10, 20, 20, 500, 500]
    assert found == {0: SURE - 1, 10: SURE + 1, 20: 1.0, 500: 3.0}


def test_a_face_of_which_it_is_sure_may_be_seen_better_beside():
    seen, found = looked_at({0: SURE + 1, 10: KNOWN + 1})
    assert sorted(seen) == [0, 10]
    assert found == {0: SURE + 1, 10: KNOWN + 1}
