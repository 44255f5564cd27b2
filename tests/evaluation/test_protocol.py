from pathlib import Path

import numpy as np
import pytest

from efld_dlib.annotation import FaceAnnotation, ImageRecord
from efld_dlib.datasets.imglab import read_imglab
from efld_dlib.datasets.w300 import read_w300
from efld_dlib.errors import DataError, ModelFormatError, Problems
from efld_dlib.evaluation.protocol import FaceResult, evaluate, summarise


def test_missed_faces_count_as_failures_and_not_in_the_mean():
    truth = np.zeros((68, 2))
    truth[45] = [100, 0]
    results = [
        FaceResult(Path("a"), truth, truth + [4, 0]),
        FaceResult(Path("b"), truth, truth + [0, 10]),
        FaceResult(Path("c"), truth, None),
        FaceResult(Path("d"), truth, truth),
    ]
    outcome = summarise(results)
    assert (outcome.faces, outcome.missed) == (4, 1)
    assert outcome.nme == pytest.approx((0.04 + 0.10 + 0) / 3)
    assert outcome.failures == pytest.approx(2 / 4)
    assert outcome.auc == pytest.approx((0.5 + 0 + 0 + 1) / 4)
    assert outcome.errors[2] == np.inf
    assert "faces 4, missed 1" in str(outcome)
    assert "failure rate at 0.08 (all faces, missed ones included) 50.0 %" in str(outcome)


def test_a_face_without_eye_corners_has_no_error_but_is_counted():
    truth = np.zeros((68, 2))
    truth[45] = [100, 0]
    blind = truth.copy()
    blind[36] = np.nan
    outcome = summarise([FaceResult(Path("a"), truth, truth), FaceResult(Path("b"), blind, truth)])
    assert (outcome.faces, outcome.missed, outcome.nme, outcome.auc) == (2, 0, 0, 1)


def test_jobs_do_not_change_the_result(tiny_model, sample):
    records = list(read_w300(sample, "helen/testset"))[:8]
    one, two = (evaluate(tiny_model, records, jobs=jobs) for jobs in (1, 2))
    np.testing.assert_array_equal(one.errors, two.errors)
    assert 0 < one.nme < 0.25


def test_boxes_of_the_file_find_every_face(tiny_model, training_data):
    outcome = evaluate(tiny_model, read_imglab(training_data / "validation.xml"), "file", 1)
    assert outcome.missed == 0
    assert outcome.faces == len(list(read_imglab(training_data / "validation.xml")))


def test_a_picture_without_a_face_to_find_is_a_miss(tiny_model, tmp_path):
    import cv2

    cv2.imwrite(str(tmp_path / "wall.png"), np.full((200, 200), 90, np.uint8))
    points = np.random.default_rng(0).uniform(50, 150, (68, 2))
    record = ImageRecord(tmp_path / "wall.png", (FaceAnnotation(points),))
    outcome = evaluate(tiny_model, [record], jobs=1)
    assert (outcome.faces, outcome.missed, outcome.failures) == (1, 1, 1.0)
    assert np.isnan(outcome.nme)
    with pytest.raises(DataError, match="without a box"):
        evaluate(tiny_model, [record], "file", 1)


def test_bad_pictures_and_models(tiny_model, tmp_path, sample):
    gone = ImageRecord(tmp_path / "gone.jpg", (FaceAnnotation(np.zeros((68, 2))),))
    good = next(iter(read_w300(sample, "helen/testset")))
    problems = Problems()
    assert evaluate(tiny_model, [gone, good], jobs=1, problems=problems).faces == 1
    assert "gone.jpg" in str(problems.errors[0])
    with pytest.raises(DataError, match="no annotated face"):
        evaluate(tiny_model, [], jobs=1)
    (tmp_path / "not.dat").write_bytes(b"text")
    with pytest.raises(ModelFormatError, match=r"not\.dat"):
        evaluate(tmp_path / "not.dat", [good], jobs=1)
