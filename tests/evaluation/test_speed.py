"""Measuring the pipeline's speed and its steps, with pipelines whose answers are known."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from efld_dlib import FaceLandmarker
from efld_dlib.annotation import Box, FaceAnnotation, ImageRecord
from efld_dlib.detection import landmarker
from efld_dlib.errors import ModelFormatError, Problems
from efld_dlib.evaluation import profile as profiling
from efld_dlib.evaluation.profile import Clock, Step, profile, watched
from efld_dlib.evaluation.speed import (
    WITH,
    Frame,
    SpeedRun,
    dlib_pipeline,
    fitted,
    frames_of,
    own_pipeline,
    run_speed,
    speed_table,
)


def square_face(left, top, side):
    """68 points on a grid of that square."""
    along = np.linspace(0, side - 1, 68)
    return FaceAnnotation(np.column_stack([left + along, top + along]))


def test_a_picture_is_fitted_with_its_points():
    image = np.zeros((100, 300, 3), np.uint8)
    image[20:40, 60:80] = 255
    frame = fitted(image, [square_face(60, 20, 20)], (600, 400))
    assert frame.image.shape == (400, 600, 3)
    # Twice as large, 200 rows high, in the middle: 100 rows below the frame's top.
    rows, columns = np.nonzero(frame.image[..., 0] > 127)
    assert (columns.min(), rows.min()) == (120, 140)
    assert (columns.max(), rows.max()) == (159, 179)
    (face,) = frame.faces
    # The centre of the first white pixel, and of the last.
    np.testing.assert_allclose(face.points[0], [120.5, 140.5])
    np.testing.assert_allclose(face.points[-1], [158.5, 178.5])
    as_it_is = fitted(image, frame.faces, None)
    assert as_it_is.image is image


def test_a_broken_picture_is_told_and_left_out(tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    good = tmp_path / "good.png"
    cv2.imwrite(str(good), np.zeros((20, 20), np.uint8))
    problems = Problems(strict=False)
    records = [ImageRecord(broken, ()), ImageRecord(good, (square_face(2, 2, 9),))]
    frames = list(frames_of(records, (40, 30), problems))
    assert [frame.image.shape for frame in frames] == [(30, 40, 3)]
    assert "broken.png" in str(problems.errors[0])


def test_misses_and_others_are_counted_and_rates_compared_frame_by_frame():
    image = np.zeros((100, 100, 3), np.uint8)
    frames = [Frame(image, (square_face(10, 10, 50),))] * 2 + [Frame(image)]

    def finds(image):
        time.sleep(0.002)
        return [Box(10, 10, 50, 50), Box(70, 70, 20, 20)]

    run = run_speed({"first": finds, "none": lambda image: []}, frames)
    assert run.missed == {"first": 0, "none": 2}
    assert run.others == {"first": 4, "none": 0}
    assert [len(run.seconds[WITH]["first"]), run.faces] == [2, 2]
    known = SpeedRun(
        {WITH: {"a": [0.1, 0.2, 0.3], "b": [0.05, 0.05, 0.1]}, "without": {"a": [], "b": []}},
        {"a": 1, "b": 0},
        {"a": 2, "b": 3},
        faces=3,
    )
    table = speed_table(known, "t")
    assert table.rows[0] == ("a", "1", "2", "200.0", "1.00")
    # Per frame 2, 4 and 3 times as fast.
    assert table.rows[1] == ("b", "0", "3", "50.0", "3.00")
    assert "ms, 3 frames with a face" in table.header


def test_both_pipelines_see_the_astronaut(astronaut, tiny_model):
    for pipeline in (dlib_pipeline(tiny_model, 0), own_pipeline(tiny_model, "fast", 80)):
        (box,) = pipeline(astronaut)
        assert box.overlap(Box(179, 83, 88, 88)) > 0.7
    with pytest.raises(ModelFormatError, match=r"none\.dat"):
        dlib_pipeline(Path("none.dat"), 0)


def test_a_step_is_timed_without_those_inside_it(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(profiling.time, "thread_time", lambda: now[0])
    clock = Clock()
    with clock.timed("outer"):
        now[0] += 1.0
        for _ in range(2):
            with clock.timed("inner"):
                now[0] += 10.0
    assert clock.seconds == {"outer": 1.0, "inner": 20.0}
    assert clock.calls == {"outer": 1, "inner": 2}


def test_functions_are_as_before_after_a_block_that_fails():
    original = landmarker.to_gray
    clock = Clock()

    def fails():
        with watched(clock, [Step("gray", landmarker, "to_gray")]):
            landmarker.to_gray(np.zeros((2, 2), np.uint8))
            assert clock.calls == {"gray": 1}
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert landmarker.to_gray is original


def test_every_step_of_a_picture_is_in_the_table(astronaut, tiny_model):
    detect = FaceLandmarker(tiny_model).detect
    table = profile({"one": [lambda: detect(astronaut, "rgb")]}, repeats=2)
    rows = {row[0]: row[1:] for row in table.rows}
    for label in ("gray", "HOG windows (dlib)", "verifier: crops", "landmarks", "pose"):
        assert rows[label][0] == "1.0" or label == "verifier: crops"
        assert float(rows[label][1]) > 0
    assert rows["drawing"] == ("-", "-")
    parts = sum(float(row[2]) for row in table.rows[:-1] if row[2] != "-")
    assert float(rows["all"][1]) == pytest.approx(parts, abs=0.1)
