"""Distances, ratios, angles and the feature vector, against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from efld_dlib import geometry
from efld_dlib.errors import OptionError
from efld_dlib.geometry import FEATURES, feature_names, features, parse_features

pytestmark = pytest.mark.filterwarnings("error")


def face(**places: tuple[float, float]) -> np.ndarray:
    """A face of which only some landmarks are given: ``face(p36=(1, 2))``; the rest is NaN."""
    points = np.full((68, 2), np.nan)
    for name, place in places.items():
        points[int(name[1:])] = place
    return points


# Eyes 60 apart; mouth corners (20, 70) and (60, 70), whose middle (40, 70) is 30 under the nose.
TABLE_1 = face(p36=(10, 10), p45=(70, 10), p30=(40, 40), p48=(20, 70), p54=(60, 70))


def test_distance_is_that_of_a_3_4_5_triangle():
    assert geometry.distance(face(p0=(1, 1), p1=(4, 5)), 0, 1) == 5.0


def test_ratio_of_two_pairs():
    points = face(p0=(0, 0), p1=(3, 4), p2=(10, 10), p3=(10, 20))
    assert geometry.ratio(points, 0, 1, 2, 3) == 0.5
    assert geometry.ratio(points, 2, 3, 0, 1) == 2.0


def test_the_papers_quantities():
    assert geometry.eye_distance(TABLE_1) == 60.0
    assert geometry.nose_mouth_distance(TABLE_1) == 30.0
    assert geometry.eye_nose_mouth_ratio(TABLE_1) == 2.0


def test_nose_mouth_distance_uses_the_middle_of_the_corners_not_the_mean_distance():
    # Middle of the corners (3, 4); each corner is further from the nose than 5.
    points = face(p30=(0, 0), p48=(-5, 4), p54=(11, 4))
    assert geometry.nose_mouth_distance(points) == 5.0


@pytest.mark.parametrize(
    ("end", "degrees"),
    [
        ((1, 0), 0.0),
        ((1, 1), 45.0),  # to the right and down: clockwise
        ((0, 2), 90.0),
        ((-1, 0), 180.0),
        ((-1, -0.0), 180.0),
        ((0, -3), -90.0),
        ((math.sqrt(3), -1), -30.0),
    ],
)
def test_angle_is_clockwise_from_the_x_axis(end, degrees):
    assert geometry.angle(face(p0=(0, 0), p1=end), 0, 1) == pytest.approx(degrees, abs=1e-12)


@pytest.mark.parametrize(
    ("end", "degrees"),
    [((2, 0), 0.0), ((1, 1), 45.0), ((1, -1), 45.0), ((0, 1), 90.0), ((-1, 0), 180)],
)
def test_angle_between_has_no_sign(end, degrees):
    points = face(p0=(0, 0), p1=(5, 0), p2=(7, 7), p3=(7 + end[0], 7 + end[1]))
    assert geometry.angle_between(points, 0, 1, 2, 3) == pytest.approx(degrees, abs=1e-12)


def test_zero_denominators_give_nan_in_silence():
    points = np.zeros((68, 2))
    assert geometry.distance(points, 0, 1) == 0.0
    assert math.isnan(geometry.ratio(points, 0, 1, 2, 3))
    assert math.isnan(geometry.eye_nose_mouth_ratio(points))
    assert math.isnan(geometry.angle(points, 0, 1))
    assert math.isnan(geometry.angle_between(points, 0, 1, 2, 3))
    points[1] = (3, 4)
    assert math.isnan(geometry.ratio(points, 0, 1, 2, 3))
    assert geometry.ratio(points, 2, 3, 0, 1) == 0.0
    assert math.isnan(geometry.angle_between(points, 0, 1, 2, 3))


@pytest.mark.parametrize("missing", [np.nan, np.inf])
def test_missing_points_give_nan_in_silence(missing):
    assert np.isnan(features(np.full((68, 2), missing))).all()


def test_a_missing_point_touches_only_what_needs_it():
    points = TABLE_1.copy()
    points[30] = np.nan
    assert geometry.eye_distance(points) == 60.0
    assert math.isnan(geometry.nose_mouth_distance(points))


def test_many_faces_give_what_each_face_gives():
    points = np.random.default_rng(1).uniform(0, 200, (2, 3, 68, 2))
    points[1, 2, 40] = np.nan
    vectors = features(points)
    assert vectors.shape == (2, 3, len(FEATURES))
    for index in np.ndindex(2, 3):
        np.testing.assert_array_equal(vectors[index], features(points[index]))
    assert geometry.angle(points, 36, 45).shape == (2, 3)
    assert isinstance(geometry.angle(points[0, 0], 36, 45), np.float64)
    assert geometry.distance(points[:0], 0, 1).shape == (0, 3)


def test_whole_numbers_are_taken_as_they_are():
    points = np.zeros((68, 2), dtype=np.uint8)
    points[0] = (200, 0)
    assert geometry.distance(points, 0, 1) == 200.0


@pytest.mark.parametrize("shape", [(68,), (67, 2), (68, 3), (2, 68)])
def test_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match="must have shape"):
        features(np.zeros(shape))


def turned(points: np.ndarray, degrees: float) -> np.ndarray:
    """`points` turned clockwise in the picture."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.stack(
        [c * points[..., 0] - s * points[..., 1], s * points[..., 0] + c * points[..., 1]], axis=-1
    )


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_invariances_are_what_the_table_says(feature):
    points = np.random.default_rng(2).uniform(0, 100, (68, 2))
    value = feature.measure(points)
    assert feature.measure(points + np.array([13, -7])) == pytest.approx(value)
    assert (feature.measure(3 * points) == pytest.approx(value)) == (feature.kind != "distance")
    turned_value = feature.measure(turned(points, 20))
    assert (turned_value == pytest.approx(value)) == (feature.kind != "angle")


def by_name(points: np.ndarray) -> dict[str, float]:
    return dict(zip(feature_names(), features(points), strict=True))


def test_eye_aspect_ratio():
    eye = face(p36=(0, 0), p39=(30, 0), p37=(10, -5), p41=(10, 5), p38=(20, -4), p40=(20, 4))
    # (10 + 8) / 2 over 30
    assert by_name(eye)["left_eye_aspect"] == pytest.approx(0.3)
    closed = face(p42=(0, 0), p45=(30, 0), p43=(10, 1), p47=(10, 1), p44=(20, 2), p46=(20, 2))
    assert by_name(closed)["right_eye_aspect"] == 0.0


def test_mouth_face_and_brow_features():
    points = face(p36=(0, 0), p45=(100, 0), p48=(20, 80), p54=(80, 80), p27=(50, 0), p8=(50, 120))
    points[[0, 16]] = (-10, 0), (140, 0)
    points[17:22] = [(x, -30) for x in range(5, 30, 5)]  # mean (15, -30)
    points[[37, 38, 39, 40, 41]] = (10, 6), (20, 6), (30, 0), (20, 12), (10, 12)
    # mean of the eye: x = 90 / 6 = 15, y = 36 / 6 = 6; 36 below the brow
    found = by_name(points)
    assert found["mouth_width"] == pytest.approx(0.6)
    assert found["face_aspect"] == pytest.approx(1.25)
    assert found["left_brow_raise"] == pytest.approx(0.36)
    assert found["eye_line_angle"] == 0.0
    assert found["eye_mouth_angle"] == 0.0


def test_default_names_are_different_and_fit_for_columns():
    names = feature_names()
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("36-45", "d_36_45", 60.0),
        ("36-45/30-48", "r_36_45_30_48", 60 / math.hypot(20, 30)),
        ("angle:36-45", "a_36_45", 0.0),
        ("angle:45-36", "a_45_36", 180.0),
        ("angle:36-45/30-48", "a_36_45_30_48", 180 - math.degrees(math.atan2(30, 20))),
        (" eye_nose_mouth_ratio ", "eye_nose_mouth_ratio", 2.0),
    ],
)
def test_features_of_the_users_choice(text, name, value):
    (feature,) = parse_features(text)
    assert feature.name == name
    assert feature.measure(TABLE_1) == pytest.approx(value)


def test_a_list_keeps_its_order_and_drops_repetitions():
    chosen = parse_features("36-45, eye_distance,36-45,48-54/36-45")
    assert feature_names(chosen) == ("d_36_45", "eye_distance", "r_48_54_36_45")
    assert parse_features("eye_line_angle,default")[0].name == "eye_line_angle"
    assert len(parse_features("eye_line_angle,default")) == len(FEATURES)
    np.testing.assert_allclose(features(TABLE_1, chosen), [60, 60, 40 / 60])


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "''"),
        ("36-45,", "''"),
        ("ear", "'ear'"),
        ("36-", "'36-'"),
        ("36-45/30", "'36-45/30'"),
        ("angle:eye_distance", "'angle:eye_distance'"),
        ("-1-5", "'-1-5'"),
        ("\N{SUPERSCRIPT THREE}-5", "-5'"),
        ("36-68", "0 to 67"),
        ("36-45/48-48", "two different"),
        ("9" * 5000 + "-1", "is not known"),
    ],
)
def test_bad_text_is_refused_and_quoted(text, named):
    with pytest.raises(OptionError) as caught:
        parse_features(text)
    assert named in str(caught.value)


def test_the_error_says_what_is_allowed():
    with pytest.raises(OptionError, match=r"36-45/30-48.*angle:36-45.*eye_distance"):
        parse_features("nose")


def test_landmarks_may_be_numbers_of_numpy():
    points = np.zeros((68, 2))
    points[45] = 30, 40
    i, j = np.array([36, 45])
    assert geometry.distance(points, i, j) == 50
    assert geometry.ratio(points, i, j, 8, 45) == 1
