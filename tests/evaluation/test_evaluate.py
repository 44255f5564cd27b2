from pathlib import Path

import numpy as np
import pytest

from efld_dlib.boxes import Box
from efld_dlib.datasets.w300 import read_w300
from efld_dlib.errors import DataError, ModelFormatError, OptionError, Problems
from efld_dlib.evaluation import evaluate as protocol
from efld_dlib.evaluation.evaluate import Evaluation, FaceResult, evaluate, evaluate_models
from efld_dlib.landmarks import numbered_scheme
from efld_dlib.records import FaceAnnotation, ImageRecord
from efld_dlib.xml.read import read_xml


def test_missed_faces_count_as_failures_and_not_in_the_mean():
    truth = np.zeros((68, 2))
    truth[45] = [100, 0]
    results = [
        FaceResult(Path("a"), truth, truth + [4, 0]),
        FaceResult(Path("b"), truth, truth + [0, 10]),
        FaceResult(Path("c"), truth, None),
        FaceResult(Path("d"), truth, truth),
    ]
    outcome = Evaluation(results)
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
    outcome = Evaluation([FaceResult(Path("a"), truth, truth), FaceResult(Path("b"), blind, truth)])
    assert (outcome.faces, outcome.missed, outcome.nme, outcome.auc) == (2, 0, 0, 1)


def test_jobs_do_not_change_the_result(tiny_model, sample):
    records = list(read_w300(sample, "helen/testset"))[:8]
    one, two = (evaluate(tiny_model, records, jobs=jobs) for jobs in (1, 2))
    np.testing.assert_array_equal(one.errors, two.errors)
    assert 0 < one.nme < 0.25


def test_the_pipeline_is_measured_by_default(tiny_model, sample):
    records = list(read_w300(sample, "helen/testset"))[:4]
    usual, pipeline = (
        evaluate(tiny_model, records, jobs=1),
        evaluate(tiny_model, records, "pipeline", 1),
    )
    np.testing.assert_array_equal(usual.errors, pipeline.errors)
    (several,) = evaluate_models({"one": tiny_model}, records, jobs=1)
    np.testing.assert_array_equal(usual.errors, several.errors)
    assert usual.errors.tolist() != evaluate(tiny_model, records, "detector", 1).errors.tolist()


def test_boxes_of_the_file_find_every_face(tiny_model, training_data):
    outcome = evaluate(tiny_model, read_xml(training_data / "validation.xml"), "file", 1)
    assert outcome.missed == 0
    assert outcome.faces == len(list(read_xml(training_data / "validation.xml")))


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


def test_boxes_from_the_truth_miss_no_face(tiny_model, sample):
    records = list(read_w300(sample, "helen/testset"))
    outcome = evaluate(tiny_model, records, "ground-truth", 1)
    assert (outcome.faces, outcome.missed) == (len(records), 0)
    assert 0 < outcome.nme < 0.25
    found = evaluate(tiny_model, records, "detector", 1)
    shared = [
        (mine.box, theirs.box)
        for mine, theirs in zip(outcome.results, found.results, strict=True)
        if theirs.box is not None
    ]
    # They are framed as the detector frames, whose boxes on drawn faces are not quite its usual.
    assert len(shared) > 5
    assert np.median([mine.overlap(theirs) for mine, theirs in shared]) > 0.6


def test_faces_that_no_box_fits_are_refused(tiny_model, sample):
    path = next(iter(read_w300(sample, "helen/testset"))).path
    few = np.full((68, 2), np.nan)
    few[:4] = 10
    for points, words in ((few, "fewer than 5"), (np.ones((68, 2)), "in one place")):
        record = ImageRecord(path, (FaceAnnotation(points),))
        with pytest.raises(DataError, match=words):
            evaluate(tiny_model, [record], "ground-truth", 1)


def test_several_models_share_one_reading_and_one_detection(tiny_model, sample, monkeypatch):
    records = list(read_w300(sample, "helen/testset"))[:3]
    read = []
    original = protocol.read_image
    monkeypatch.setattr(protocol, "read_image", lambda path: (read.append(path), original(path))[1])
    one, two = evaluate_models({"one": tiny_model, "two": tiny_model}, records, jobs=1)
    assert read == [record.path for record in records]
    assert (one.name, two.name, two.model) == ("one", "two", tiny_model)
    np.testing.assert_array_equal(one.errors, two.errors)
    np.testing.assert_array_equal(one.errors, evaluate(tiny_model, records, jobs=1).errors)


def test_other_schemes_are_compared_on_what_they_share(tiny_model, sample):
    path, (face,) = (lambda r: (r.path, r.faces))(next(iter(read_w300(sample, "helen/testset"))))
    points = np.full((21, 2), np.nan)
    points[6], points[11], points[14] = face.points[36], face.points[45], face.points[30]
    other = FaceAnnotation(points, Box(0, 0, 9, 9), "21")
    (result,) = evaluate(tiny_model, [ImageRecord(path, (other,))], boxes="file", jobs=1).results
    assert np.flatnonzero(np.isfinite(result.truth[:, 0])).tolist() == [30, 36, 45]
    assert result.face is other
    strange = FaceAnnotation(np.ones((5, 2)), Box(0, 0, 9, 9), numbered_scheme(5))
    said = "cannot be compared: the 5 points of the file are 00 to 04, but the 68 points of 68"
    with pytest.raises(DataError, match=said):
        evaluate(tiny_model, [ImageRecord(path, (strange,))], "file", 1)


def test_there_are_no_other_boxes(tiny_model):
    with pytest.raises(OptionError, match="not 'magic'"):
        evaluate(tiny_model, [], "magic")


def test_regions_and_normalisers_leave_missed_faces_infinite():
    truth = np.zeros((68, 2))
    truth[45] = [100, 0]
    outcome = Evaluation(
        [FaceResult(Path("a"), truth, truth + 3), FaceResult(Path("b"), truth, None)]
    )
    assert outcome.errors_by("inter-ocular", [1, 2]).tolist() == pytest.approx(
        [0.03 * 2**0.5, np.inf]
    )
    assert outcome.found.tolist() == [True, False]
    assert np.isnan(outcome.predicted[1]).all()
