"""Measuring detectors, with detectors whose answers are known."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from efld_dlib.annotation import Box, FaceAnnotation, ImageRecord
from efld_dlib.detection.detectors import Detection, FrontalDetector
from efld_dlib.detection.frame import default_box_map
from efld_dlib.detection.landmark_stage import LandmarkStage
from efld_dlib.errors import DataError, ModelFormatError, OptionError, Problems
from efld_dlib.evaluation.detection.faceless import bundled_pictures, faceless_crops, textures
from efld_dlib.evaluation.detection.measure import false_alarms, run_detectors
from efld_dlib.evaluation.detection.table import alarm_table, recall_table, turn_table
from efld_dlib.images import to_gray
from efld_dlib.models.dat import write_dat
from efld_dlib.models.loading import load_predictor
from efld_dlib.pose import mean_face_3d, rotation_matrix
from tests.models.small_models import random_predictor


def landmarks(yaw=0.0, roll=0.0, size=60.0, center=(150.0, 150.0)):
    """A face's landmarks, `size` pixels between the outer eye corners."""
    return size * (mean_face_3d() @ rotation_matrix((yaw, 0.0, roll)).T)[:, :2] + center


def record_of(path, *faces):
    cv2.imwrite(str(path), np.full((300, 300), 90, np.uint8))
    return ImageRecord(path, tuple(FaceAnnotation(points) for points in faces))


@pytest.fixture
def records(tmp_path):
    return [
        record_of(tmp_path / "front.png", landmarks()),
        record_of(tmp_path / "aside.png", landmarks(yaw=40.0)),
    ]


def everywhere(gray):
    """A detector that sees a face in the middle of each picture, and one in its corner."""
    center = (gray.shape[1] - 1) / 2, (gray.shape[0] - 1) / 2
    middle = Box(center[0] - 75, center[1] - 45, 151, 151)
    return [Detection(middle, 2.0), Detection(Box(0, 0, 20, 20), 1.0)]


def nowhere(gray):
    return []


def test_counts_faces_found_and_what_belongs_to_none(records):
    run = run_detectors({"all": everywhere, "none": nowhere}, records)
    assert [face.found for face in run.faces] == [{"all": True, "none": False}] * 2
    assert run.others == {"all": 2, "none": 0}
    assert [round(abs(face.yaw)) for face in run.faces] == pytest.approx([0, 40], abs=3)
    text = {row[0]: row[1:] for row in recall_table(run, ["all", "none"], "t").rows}
    assert text["all"] == ("2", "100.0", "0.0")
    assert text["|yaw| 30 to 45"] == ("1", "100.0", "0.0")
    assert text["others"] == ("2", "2", "0")


def test_frame_rates_are_told_as_multiples_of_the_first(records):
    def slow(gray):
        time.sleep(0.03)
        return []

    def slower(gray):
        time.sleep(0.09)
        return []

    run = run_detectors({"slow": slow, "slower": slower}, records)
    rows = {row[0]: row for row in recall_table(run, ["slow", "slower"], "t").rows}
    rate = rows["frame rate, slow = 1"]
    assert rate[2] == "1.00"
    assert float(rate[3]) == pytest.approx(1 / 3, abs=0.1)


def test_truth_turns_with_the_picture(tmp_path):
    # Off the middle, so that a turn to the wrong side would take the face elsewhere.
    record = record_of(tmp_path / "a.png", landmarks(center=(200.0, 150.0)))

    def at(x, y):
        return lambda gray: [Detection(Box(x - 55, y - 55, 111, 111), 1.0)]

    # Turned clockwise by a quarter, what was at the right is at the bottom.
    detectors = {"bottom": at(129, 205), "right": at(205, 150), "top": at(150, 80)}
    run = run_detectors(detectors, [record], [0.0, 90.0])
    upright, turned = run.faces
    assert (upright.turn, turned.turn) == (0.0, 90.0)
    assert upright.found == {"bottom": False, "right": True, "top": False}
    assert turned.found == {"bottom": True, "right": False, "top": False}


def test_landmarks_of_found_faces_are_measured(astronaut, tmp_path, tiny_model):
    gray, predictor = to_gray(astronaut), load_predictor(tiny_model)
    (found,) = FrontalDetector(0)(gray)
    points = LandmarkStage(predictor)(gray, found)
    cv2.imwrite(str(tmp_path / "a.png"), gray)
    eyes = np.linalg.norm(points[36] - points[45])
    moved = ImageRecord(tmp_path / "a.png", (FaceAnnotation(points + [0.03 * 4, 0.0]),))
    run = run_detectors({"dlib": FrontalDetector(0)}, [moved], predictor=predictor)
    (face,) = run.faces
    assert face.errors["dlib"] == pytest.approx(0.12 / eyes, rel=1e-6)
    ((turn, number, share, error),) = turn_table(run, ["dlib"], "t").rows
    assert (turn, number, share) == ("0", "1", "100.0")
    assert float(error) == pytest.approx(12 / eyes, abs=0.01)


def test_landmarks_that_nobody_annotated_do_not_hide_the_error_of_the_others(
    astronaut, tmp_path, tiny_model
):
    cv2.imwrite(str(tmp_path / "a.png"), to_gray(astronaut))
    predictor = load_predictor(tiny_model)
    (found,) = FrontalDetector(0)(to_gray(astronaut))
    points = LandmarkStage(predictor)(to_gray(astronaut), found) + [0.03 * 4, 0.0]
    eyes = np.linalg.norm(points[36] - points[45])
    # One without its jaw, and one without an eye corner, of which there is no distance.
    records = [
        ImageRecord(tmp_path / "a.png", (FaceAnnotation(np.where(hidden, np.nan, points)),))
        for hidden in (np.arange(68)[:, None] < 5, np.arange(68)[:, None] == 36)
    ]
    run = run_detectors({"dlib": FrontalDetector(0)}, records, predictor=predictor)
    assert run.faces[0].errors["dlib"] == pytest.approx(0.12 / eyes, rel=1e-6)
    assert run.faces[1].errors == {}
    ((_, _, share, error),) = turn_table(run, ["dlib"], "t").rows
    assert share == "100.0"
    assert float(error) == pytest.approx(12 / eyes, abs=0.01)


def test_what_cannot_be_measured_is_refused(records, tmp_path):
    write_dat(random_predictor(points=5), tmp_path / "five.dat")
    predictor = load_predictor(tmp_path / "five.dat")
    with pytest.raises(ModelFormatError, match="predicts 5 landmarks, and 68 are needed"):
        run_detectors({"none": nowhere}, records, predictor=predictor)
    with pytest.raises(OptionError, match="no detector"):
        run_detectors({}, records)


def test_an_unreadable_picture_is_reported_and_skipped(records, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    given = [ImageRecord(broken, ()), *records]
    problems = Problems(strict=False)
    run = run_detectors({"none": nowhere}, given, problems=problems)
    assert run.pictures == 2
    assert len(problems.errors) == 1
    with pytest.raises(DataError, match=r"broken\.png"):
        run_detectors({"none": nowhere}, given)


def test_false_alarms_are_summed_by_source():
    pictures = textures(3)
    counted = false_alarms({"all": everywhere, "none": nowhere}, pictures)
    assert counted == ({"all": 6, "none": 0}, 3)
    table = alarm_table({"a": counted, "b": counted}, ["all", "none"], {"all": 1234, "none": None})
    assert table.rows[2] == ("all", "6", "12", "0")
    assert table.rows[3][2] == "1234"


def test_textures_are_the_same_for_a_seed_and_use_the_whole_range():
    first, again, other = textures(6, 1), textures(6, 1), textures(6, 2)
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert not (first[0] == other[0]).all()
    assert all(picture.min() == 0 and picture.max() == 255 for picture in first)


def test_bundled_pictures_are_gray_and_without_people(astronaut_pixels):
    pictures = bundled_pictures()
    assert len(pictures) > 5
    assert all(picture.ndim == 2 and picture.dtype == np.uint8 for picture in pictures)
    assert all(picture.shape != astronaut_pixels.shape[:2] or picture.std() for picture in pictures)


def test_crops_keep_clear_of_every_face():
    points = landmarks(size=40.0, center=(150.0, 150.0))
    gray = np.zeros((400, 600), np.uint8)
    box = default_box_map().predict(points)
    x0, y0, x1, y1 = (round(value) for value in (box.left, box.top, box.right, box.bottom))
    gray[y0:y1, x0:x1] = 255
    record = ImageRecord(Path("a.png"), (FaceAnnotation(points),))
    crops = faceless_crops(record, gray, [])
    assert crops
    assert not any(crop.any() for crop in crops)
    right = faceless_crops(record, gray, [Box(500, 100, 60, 60)])
    assert len(right) < len(crops)
    assert faceless_crops(ImageRecord(Path("a.png"), ()), gray, []) == []
    # In which someone looked and found another head.
    known = ImageRecord(Path("270814102_1.jpg"), record.faces)
    assert faceless_crops(known, gray, []) == []
