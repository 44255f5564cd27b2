"""Landmarks of another data set brought to the way in which the first one is labelled."""

from dataclasses import replace

import numpy as np
import pytest

from efld_dlib.datasets.w300 import read_w300
from efld_dlib.errors import DataError, ModelFormatError, Problems
from efld_dlib.geometry import eye_distance
from efld_dlib.models.dat import write_dat
from efld_dlib.pose import estimate_pose
from efld_dlib.prepare.convention import conform_records
from tests.models.small_models import random_predictor


@pytest.fixture(scope="module")
def records(sample):
    return [*read_w300(sample), *read_w300(sample, "helen/testset")]


def with_points(records, change):
    return [
        replace(record, faces=tuple(replace(f, points=change(f.points)) for f in record.faces))
        for record in records
    ]


def jaw_lower(points):
    """Another habit: the jaw is marked lower, by a tenth of the distance of the eyes."""
    moved = points.copy()
    moved[3:14, 1] += 0.1 * eye_distance(points)
    return moved


def conformed(records, model):
    result = conform_records(records, model, 1, Problems(strict=True))
    return [face.points for record in result for face in record.faces]


def test_another_habit_is_taken_back_on_faces_that_look_ahead(records, tiny_model):
    plain = conformed(records, tiny_model)
    other = conformed(with_points(records, jaw_lower), tiny_model)
    truth = [face.points for record in records for face in record.faces]
    left = [
        np.abs(a - b)[3:14, 1].mean() / (0.1 * eye_distance(t))
        for a, b, t in zip(plain, other, truth, strict=True)
        if abs(estimate_pose(t).yaw) < 12
    ]
    assert len(left) > 10
    assert np.mean(left) < 0.35


def test_strongly_turned_faces_and_absent_landmarks_stay(records, tiny_model):
    absent = with_points(records, lambda p: np.where(np.arange(68)[:, None] == 5, np.nan, p))
    result = conformed(absent, tiny_model)
    for points, record in zip(result, absent, strict=True):
        (face,) = record.faces
        assert np.isnan(points[5]).all()
        assert np.isfinite(np.delete(points, 5, axis=0)).all()
        if abs(estimate_pose(face.points).yaw) > 31:
            np.testing.assert_allclose(points, face.points, atol=1e-6)


def test_a_model_that_cannot_be_used_is_told_of_once(records, tmp_path):
    write_dat(random_predictor(points=5), tmp_path / "five.dat")
    (tmp_path / "text.dat").write_text("no model")
    for name, problem in (("five", "predicts 5 landmarks"), ("text", "not a dlib shape predictor")):
        problems = Problems()
        with pytest.raises(ModelFormatError, match=f"{name}.dat: .*{problem}"):
            conform_records(records, tmp_path / f"{name}.dat", 1, problems)
        assert not problems.errors


def test_a_handful_of_faces_shows_no_habit(records, tiny_model):
    with pytest.raises(DataError, match="5 faces to compare, and 50 needed"):
        conformed(records[:5], tiny_model)
