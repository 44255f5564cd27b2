"""Measuring detectors, with detectors whose answers are known."""

from __future__ import annotations

import itertools
import json
import math
import time

import cv2
import numpy as np
import pytest

from efld_dlib.boxes import Box
from efld_dlib.datasets.split import FOLDS, fold_of
from efld_dlib.detection.detectors import Detection, FrontalDetector
from efld_dlib.detection.framing import default_box_map, match_detections, true_box
from efld_dlib.errors import DataError, Problems
from efld_dlib.evaluation.detection import (
    DetectedFace,
    ImageRun,
    InputImage,
    Traits,
    alarm_table,
    annotated_images,
    face_classes,
    faceless_images,
    figures,
    recall_table,
    run_detectors,
    source_table,
    summarise,
    time_table,
    traits_of,
    wilson_interval,
)
from efld_dlib.images import to_gray
from efld_dlib.pose import mean_face_3d, rotation_matrix
from efld_dlib.records import FaceAnnotation, ImageRecord
from tools.benchmarks import groups
from tools.benchmarks.detection import (
    fitted,
    speed_table,
    turn_table,
    turned,
    turned_image,
)
from tools.benchmarks.grounds import bundled_pictures, textures
from tools.benchmarks.groups import compose_groups

# In skimage's photograph, as dlib's detector frames it.
ASTRONAUT = Box(179, 83, 88, 88)
_STRICT = Problems(strict=True)


def landmarks(yaw=0.0, roll=0.0, size=60.0, center=(150.0, 150.0)):
    """A face's landmarks, `size` pixels between the outer eye corners."""
    return size * (mean_face_3d() @ rotation_matrix((yaw, 0.0, roll)).T)[:, :2] + center


def half_of(points):
    """The landmarks without those of the image's left half of the face."""
    hidden = points.copy()
    hidden[[*range(8), *range(17, 22), *range(36, 42), 48, 49, 59, 60]] = np.nan
    return hidden


def record_of(path, *faces, gray=90):
    cv2.imwrite(str(path), np.full((300, 300), gray, np.uint8))
    return ImageRecord(path, tuple(FaceAnnotation(points) for points in faces))


@pytest.fixture
def records(tmp_path):
    return [
        record_of(tmp_path / "front.png", landmarks(), gray=30),
        record_of(tmp_path / "aside.png", landmarks(yaw=40.0), gray=120),
    ]


def everywhere(gray):
    """A detector that sees a face in the middle of each image, and one in its corner."""
    center = (gray.shape[1] - 1) / 2, (gray.shape[0] - 1) / 2
    middle = Box(center[0] - 75, center[1] - 45, 151, 151)
    return [Detection(middle, 0.9), Detection(Box(0, 0, 20, 20), 0.7)]


def nowhere(gray):
    return []


def measured(detectors, records, turns=(0.0,), source="s"):
    images = annotated_images({source: records}, _STRICT)
    if turns != (0.0,):
        images = (turned_image(image, turn) for image in images for turn in turns)
    return run_detectors(detectors, images)


def rows_of(table):
    return {row[0]: row[1:] for row in table.rows}


def a_face(found=(), **traits):
    known = {"yaw": 0.0, "roll": 0.0, "half": False, "size": 100.0, "brightness": 128.0}
    return DetectedFace(Traits(**{**known, **traits}), dict.fromkeys(found, 0.8))


def a_run(*faces, others=(), seconds=(0.1, 0.1), source="s", name="n"):
    return ImageRun(
        source,
        name,
        faces,
        {"a": tuple(others), "b": ()},
        dict(zip("ab", seconds, strict=True)),
    )


# Running


def test_counts_faces_found_and_what_belongs_to_none(records):
    runs = measured({"all": everywhere, "none": nowhere}, records)
    assert [face.scores for run in runs for face in run.faces] == [{"all": 0.9}] * 2
    assert [run.others for run in runs] == [{"all": (0.7,), "none": ()}] * 2
    yaws = [abs(run.faces[0].traits.yaw) for run in runs]
    assert yaws == pytest.approx([0, 40], abs=3)
    text = rows_of(recall_table(runs, ["all", "none"]))
    assert text["all"] == ("2", "100.0", "0.0")
    assert text["|yaw| 30-45"] == ("1", "100.0", "0.0")
    assert text["mean gray 0-40"] == text["mean gray 110 and more"] == ("1", "100.0", "0.0")
    assert rows_of(time_table(runs, ["all", "none"]))["all"][0] == "2"


def test_traits_are_of_the_box_that_dlib_would_give(tmp_path):
    gray = np.full((300, 300), 200, np.uint8)
    face = FaceAnnotation(landmarks(roll=20.0))
    box = true_box(face, 20.0)
    gray[round(box.top) : round(box.bottom) + 1, round(box.left) : round(box.right) + 1] = 50
    half = FaceAnnotation(half_of(landmarks(yaw=60.0)))
    outside = FaceAnnotation(landmarks(center=(1000.0, 150.0)))
    whole, hidden, away = traits_of(gray, [face, half, outside])
    assert whole.roll == pytest.approx(20, abs=0.1)
    assert whole.size == pytest.approx(box.width)
    assert whole.brightness == 50
    assert (hidden.half, math.isnan(hidden.yaw)) == (True, True)
    assert math.isnan(away.brightness)


def test_faces_without_a_landmark_are_not_measured(tmp_path):
    record = record_of(tmp_path / "a.png", landmarks(), np.full((68, 2), np.nan))
    (run,) = measured({"all": everywhere}, [record])
    assert len(run.faces) == 1


def test_detectors_take_turns_and_their_first_call_is_not_counted():
    calls = []

    def named(name):
        return lambda gray: calls.append(name) or []

    images = [InputImage("s", str(number), np.zeros((9, 9), np.uint8)) for number in range(2)]
    run_detectors({"a": named("a"), "b": named("b")}, images)
    assert calls == ["a", "b", "a", "b", "b", "a"]


def test_frame_rates_are_told_as_multiples_of_the_first(records):
    def slow(gray):
        time.sleep(0.03)
        return []

    def slower(gray):
        time.sleep(0.09)
        return []

    runs = measured({"slow": slow, "slower": slower}, records)
    rate = rows_of(time_table(runs, ["slow", "slower"]))
    assert rate["slow"][3] == "1.00"
    assert float(rate["slower"][3]) == pytest.approx(1 / 3, abs=0.1)


def test_an_unreadable_image_is_reported_and_skipped(records, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    problems = Problems(strict=False)
    images = annotated_images({"s": [ImageRecord(broken, ()), *records]}, problems)
    assert len(list(images)) == 2
    assert "broken.png" in str(problems.errors[0])


# Turned images


@pytest.mark.parametrize("degrees", [0.0, 37.0, 90.0, -90.0, 180.0])
def test_a_turned_image_holds_all_of_the_image(degrees):
    gray = np.arange(40 * 60, dtype=np.uint8).reshape(40, 60)
    image, matrix = turned(gray, degrees)
    corners = np.array([[0, 0], [59, 0], [0, 39], [59, 39]]) @ matrix[:, :2].T + matrix[:, 2]
    assert (corners >= -1).all()
    assert (corners <= np.array(image.shape[::-1])).all()
    if degrees == 90.0:
        np.testing.assert_array_equal(image, np.rot90(gray, -1))


def test_a_point_goes_where_its_pixel_goes_and_the_border_goes_on():
    gray = np.full((101, 201), 60, np.uint8)
    gray[28:33, 148:153] = 255
    image, matrix = turned(gray, 30.0)
    x, y = matrix[:, :2] @ [150, 30] + matrix[:, 2]
    rows, columns = np.nonzero(image > 150)
    assert (columns.mean(), rows.mean()) == pytest.approx((x, y), abs=0.2)
    assert image.min() == 60
    # By hand: 50 to the right of the middle and 20 above it, turned clockwise by 30 degrees.
    middle = (image.shape[1] - 1) / 2, (image.shape[0] - 1) / 2
    assert x - middle[0] == pytest.approx(50 * math.cos(math.pi / 6) + 20 * 0.5)
    assert y - middle[1] == pytest.approx(50 * 0.5 - 20 * math.cos(math.pi / 6))


def test_truth_turns_with_the_image(tmp_path):
    # Off the middle, so that a turn to the wrong side would take the face elsewhere.
    record = record_of(tmp_path / "a.png", landmarks(center=(200.0, 150.0)))

    def at(x, y):
        return lambda gray: [Detection(Box(x - 55, y - 55, 111, 111), 1.0)]

    # Turned clockwise by a quarter, what was at the right is at the bottom.
    detectors = {"bottom": at(129, 205), "right": at(205, 150), "top": at(150, 80)}
    runs = measured(detectors, [record], [0.0, 90.0])
    assert [run.source for run in runs] == ["0", "90"]
    assert [list(run.faces[0].scores) for run in runs] == [["right"], ["bottom"]]
    assert runs[0].faces[0].traits == runs[1].faces[0].traits
    text = rows_of(turn_table(runs, list(detectors)))
    assert text["0"][:3] == ("0.0", "100.0", "0.0")
    assert text["90"][:6] == ("100.0", "0.0", "0.0", "0", "1", "1")


# Images without a face


def test_each_faceless_image_is_in_one_fold(tmp_path):
    (tmp_path / "below").mkdir()
    names = [f"{number}.png" for number in range(12)] + ["below/a.png"]
    for name in names:
        cv2.imwrite(str(tmp_path / name), np.zeros((9, 9), np.uint8))
    (tmp_path / "notes.txt").write_text("no image")
    folds = [
        [image.name for image in faceless_images(tmp_path, fold, 1, _STRICT)]
        for fold in sorted({fold_of(name, 1) for name in names})
    ]
    assert sorted(itertools.chain(*folds)) == sorted(names)
    assert len(list(faceless_images(tmp_path, None, 1, _STRICT))) == len(names)
    assert {fold_of(str(number), 3) for number in range(99)} == set(range(1, FOLDS + 1))
    only = fold_of("a.png", 1)
    with pytest.raises(DataError, match="holds no image in fold"):
        list(faceless_images(tmp_path / "below", only % FOLDS + 1, 1, _STRICT))


def test_alarms_are_counted_by_image_and_by_detection():
    runs = [a_run(others=(0.9, 0.7)), a_run(), a_run(others=(0.8,)), a_run()]
    text = rows_of(alarm_table(runs, ["a", "b"]))
    assert text["a"][0] == "2"
    # Two of four: Wilson's interval by hand.
    assert text["a"][1] == "50.00 [15.00, 85.00]"
    assert text["a"][2] == "3"
    assert text["b"][:3] == ("0", "0.00 [0.00, 48.99]", "0")


# Figures and tables


@pytest.mark.parametrize(
    ("count", "number", "low", "high"),
    [
        # With z^2 = 3.8415: at 0 of n the upper end is z^2 / (n + z^2).
        (0, 10, 0.0, 3.8415 / 13.8415),
        (10, 10, 10 / 13.8415, 1.0),
        (5, 10, 0.2366, 0.7634),
    ],
)
def test_wilsons_interval_by_hand(count, number, low, high):
    value = wilson_interval(count, number)
    assert value == pytest.approx((count / number, low, high), abs=1e-4)


def test_no_image_has_no_interval():
    assert math.isnan(wilson_interval(0, 0).value)
    assert math.isnan(summarise([], "a", "a").rate)


def test_faces_are_classed_by_what_makes_them_hard():
    faces = [
        a_face(yaw=-31.0, roll=14.9, size=20.0, brightness=39.9),
        a_face(yaw=math.nan, half=True, roll=-60.0, size=500.0, brightness=40.0),
        a_face(yaw=math.nan, roll=math.nan, size=79.9, brightness=math.nan),
    ]
    classes = {
        each.name: [faces.index(face) for face in each.faces] for each in face_classes(faces)
    }
    assert classes == {
        "|yaw| 30-45": [0],
        "one half hidden": [1],
        "|roll| 0-15": [0],
        "|roll| 45 and more": [1],
        "size 20-40": [0],
        "size 40-80": [2],
        "size 200 and more": [1],
        "mean gray 0-40": [0],
        "mean gray 40-70": [1],
    }


def test_misses_are_told_by_source():
    runs = [
        a_run(a_face("ab"), a_face("a"), source="one"),
        a_run(a_face("b"), a_face("ab"), source="two"),
        a_run(a_face(), source="two"),
    ]
    text = rows_of(source_table(runs, ["a", "b"]))
    assert text["one"] == ("1", "2", "0 (0.00)", "1 (50.00)")
    assert text["two"] == ("2", "3", "2 (66.67)", "1 (33.33)")
    assert text["all"] == ("3", "5", "2 (40.00)", "2 (40.00)")
    assert list(rows_of(source_table(runs[:1], ["a", "b"]))) == ["one"]


def test_rates_are_compared_image_by_image():
    runs = [a_run(seconds=pair) for pair in ((0.1, 0.05), (0.2, 0.05), (0.3, 0.1))]
    runs.append(a_run(seconds=(0.4, 0.4), source="other"))
    table = speed_table(runs, ["a", "b"], "t")
    assert table.rows[0] == ("a", "200.0", "1.00", "400.0", "1.00")
    # Per image 2, 4 and 3 times as fast.
    assert table.rows[1] == ("b", "50.0", "3.00", "400.0", "1.00")
    assert table.header[1:3] == ("ms, s (3)", "frame rate, s")


def test_figures_say_what_was_missed_and_are_json():
    runs = [
        a_run(a_face("a", yaw=20.0), a_face("b"), others=(math.nan, 0.71234), name="x.png"),
        a_run(name="y.png"),
    ]
    told = json.loads(json.dumps(figures(runs, ["a", "b"]), allow_nan=False))
    assert told["missed"] == {"a": ["x.png#1"], "b": ["x.png#0"]}
    assert told["others"] == {"a": [["x.png", None, 0.7123]], "b": []}
    assert told["found_scores"] == {"a": [0.8], "b": [0.8]}
    assert told["detectors"]["a"]["missed"] == told["detectors"]["a"]["alarmed"] == 1
    (aside,) = (
        each for each in told["classes"] if (each["quantity"], each["low"]) == ("|yaw|", 15)
    )
    assert (aside["faces"], aside["missed"]) == (1, {"a": 0, "b": 1})
    assert json.dumps(figures([], ["a"]), allow_nan=False)


def test_an_image_is_fitted_into_a_frame():
    gray = np.zeros((100, 300), np.uint8)
    gray[20:40, 60:80] = 255
    frame = fitted(gray, (600, 400))
    assert frame.shape == (400, 600)
    # Twice as large, 200 rows high, in the middle: 100 rows below the frame's top.
    rows, columns = np.nonzero(frame > 127)
    assert (columns.min(), rows.min()) == (120, 140)
    assert (columns.max(), rows.max()) == (159, 179)


# Grounds


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


# Groups


@pytest.fixture
def astronaut_record(astronaut, tmp_path):
    """The photograph with landmarks of the mean face, in the box that dlib's detector gives."""
    mean_shape = default_box_map().mean_shape
    there = default_box_map().predict(mean_shape)
    scale = ASTRONAUT.width / there.width
    points = (mean_shape - there.center) * scale + ASTRONAUT.center
    cv2.imwrite(str(tmp_path / "astronaut.png"), to_gray(astronaut))
    return ImageRecord(tmp_path / "astronaut.png", (FaceAnnotation(points),))


@pytest.fixture
def plain_grounds(monkeypatch):
    monkeypatch.setattr(groups, "bundled_pictures", lambda: [np.full((120, 160), 99, np.uint8)])
    monkeypatch.setattr(groups, "textures", lambda count, seed: [])


def test_faces_of_a_group_do_not_overlap_and_have_the_sizes_wanted(astronaut_record, plain_grounds):
    widths, counts = [], []
    for image in compose_groups([astronaut_record], 12, seed=3):
        height, width = image.gray.shape
        assert width * height <= 1.2 * groups.MAX_PIXELS
        boxes = [true_box(face, 0.0) for face in image.faces]
        for box in boxes:
            assert 0 <= box.left < box.right < width
            assert 0 <= box.top < box.bottom < height
        assert not any(one.overlap(other) for one, other in itertools.combinations(boxes, 2))
        widths += [trait.size for trait in image.traits]
        counts.append(len(boxes))
        assert max(box.width for box in boxes) < 1.5 * min(box.width for box in boxes)
    assert min(counts) >= groups.FEWEST
    assert max(counts) <= groups.MOST
    assert len(set(counts)) > 4
    # The astronaut's face of 88 pixels is enlarged at most twice, and by the spread.
    assert 23.9 < min(widths) < 50
    assert 120 < max(widths) <= 88 * 2 * groups.SPREAD + 1


def test_annotations_of_a_group_lie_on_its_faces(astronaut_record, plain_grounds):
    found = total = 0
    for image in compose_groups([astronaut_record], 4, seed=5):
        detections = FrontalDetector(min_face=30)(image.gray)
        matched = match_detections(image.faces, detections)
        found += sum(box is not None for box in matched)
        total += len(matched)
        # Beside the faces the ground is as it was.
        assert (np.median(image.gray), len(detections)) == (99, pytest.approx(len(matched), abs=3))
    assert found >= 0.9 * total


def test_the_border_of_a_pasted_face_is_soft(astronaut_record, plain_grounds):
    (image,) = compose_groups([astronaut_record], 1, seed=7)
    box = true_box(image.faces[0], 0.0)
    x, y = (round(value) for value in box.center)
    row = image.gray[y, x - round(1.0 * box.width) : x].astype(int)
    # From the even ground on, no step is as high as one that a hard border would make.
    border = row[: round(0.4 * box.width)]
    assert border[0] == 99
    assert np.abs(np.diff(border)).max() < 60


def test_a_group_follows_from_the_seed_and_its_number(astronaut_record):
    three = list(compose_groups([astronaut_record], 3, seed=1))
    one, *_ = compose_groups([astronaut_record], 1, seed=1)
    (other,) = compose_groups([astronaut_record], 1, seed=2)
    assert np.array_equal(three[0].gray, one.gray)
    assert one.gray.shape != other.gray.shape or not np.array_equal(one.gray, other.gray)
    assert [image.name for image in three] == ["group-001", "group-002", "group-003"]


def test_an_image_that_cannot_be_read_leaves_its_place_empty(
    astronaut_record, plain_grounds, tmp_path
):
    broken = ImageRecord(tmp_path / "gone.png", astronaut_record.faces)
    (image,) = compose_groups([broken], 1, seed=1)
    assert (image.faces, image.traits) == ([], [])
    assert (image.gray == 99).all()


def test_no_face_large_enough_is_told(tmp_path):
    tiny = record_of(tmp_path / "a.png", landmarks(size=5.0))
    with pytest.raises(DataError, match="none is at least 12 pixels wide"):
        list(compose_groups([tiny], 1, seed=1))
    with pytest.raises(DataError, match="none is at least 12 pixels wide"):
        list(compose_groups([], 1, seed=1))
