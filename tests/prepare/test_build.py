import json
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest

from efld_dlib.boxes import Box
from efld_dlib.datasets.split import held_out_groups
from efld_dlib.datasets.w300 import read_w300
from efld_dlib.detection.framing import default_box_map
from efld_dlib.errors import DataError, OptionError, Problems
from efld_dlib.landmarks import mirror_points
from efld_dlib.prepare import build, samples
from efld_dlib.prepare.augment import parse_augmentation
from efld_dlib.prepare.build import (
    PrepareOptions,
    build_training_xml,
    make_samples,
    write_preview,
)
from efld_dlib.prepare.rarity import Weighting
from efld_dlib.records import FaceAnnotation, ImageRecord
from efld_dlib.xml.read import read_xml

EVERYTHING = PrepareOptions(
    augmentation=parse_augmentation("all"), weighting=Weighting("pose-density", 1.0), variants=3
)


@pytest.fixture
def records(sample):
    return list(read_w300(sample))


def options(**changes):
    """Each face and its mirror image once, unless `changes` say otherwise."""
    plain = {"variants": 2, "augmentation": (), "weighting": Weighting("none")}
    return PrepareOptions(**{**plain, **changes})


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_same_seed_same_bytes_whatever_the_jobs(records, tmp_path):
    # With everything on that draws lots.
    build_training_xml(records[:10], tmp_path / "one", EVERYTHING, jobs=1)
    build_training_xml(records[:10], tmp_path / "two", EVERYTHING, jobs=2)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    other = replace(EVERYTHING, seed=2)
    build_training_xml(records[:10], tmp_path / "other", other, jobs=1)
    assert tree(tmp_path / "one")["train.xml"] != tree(tmp_path / "other")["train.xml"]


def test_crops_show_the_annotated_face(records, tmp_path):
    build_training_xml(records[:4], tmp_path, options(validation=0), jobs=1)
    made = list(read_xml(tmp_path / "train.xml"))
    assert len(made) == 8
    for plain, mirrored in zip(made[::2], made[1::2], strict=True):
        image = cv2.imread(str(plain.path), cv2.IMREAD_GRAYSCALE)
        flipped = cv2.imread(str(mirrored.path), cv2.IMREAD_GRAYSCALE)
        assert image.shape == (360, 360)
        # JPEG aside, the second crop is the first one's mirror image.
        assert np.abs(image[:, ::-1].astype(int) - flipped).mean() < 2
        face, mirror_face = plain.faces[0], mirrored.faces[0]
        assert face.box == mirror_face.box == Box(80, 80, 200, 200)
        difference = mirror_points(face.points, 360) - mirror_face.points
        assert np.abs(difference).max() <= 1  # each was rounded to whole pixels


def test_landmarks_follow_the_crop(tmp_path):
    # A white dot under landmark 30 must still be under it in the crop.
    image = np.zeros((600, 800), np.uint8)
    points = default_box_map().mean_shape * 100 + [420, 310]
    x, y = np.rint(points[30]).astype(int)
    points[30] = x, y
    cv2.circle(image, (int(x), int(y)), 5, 255, -1)
    cv2.imwrite(str(tmp_path / "dot.png"), image)
    record = ImageRecord(tmp_path / "dot.png", (FaceAnnotation(points),), "dot")
    build_training_xml([record], tmp_path / "out", options(validation=0), jobs=1)
    for made in read_xml(tmp_path / "out" / "train.xml"):
        crop = cv2.imread(str(made.path), cv2.IMREAD_GRAYSCALE).astype(float)
        rows, columns = np.indices(crop.shape)
        center = (columns * crop).sum() / crop.sum(), (rows * crop).sum() / crop.sum()
        assert center == pytest.approx(tuple(made.faces[0].points[30]), abs=0.8)


def test_pictures_of_one_photograph_stay_together(records, tmp_path):
    paired = [
        ImageRecord(record.path, record.faces, f"photograph {number // 2}")
        for number, record in enumerate(records[:12])
    ]
    report = build_training_xml(paired, tmp_path, options(validation=0.5), jobs=1)
    assert (report.photographs, report.validation_photographs) == (6, 4)
    numbers = {
        part: {
            int(record.path.name.split("-")[0]) // 2
            for record in read_xml(tmp_path / f"{part}.xml")
        }
        for part in ("train", "validation")
    }
    assert not numbers["train"] & numbers["validation"]
    assert report.validation_faces == 8
    assert (report.train_faces, report.train_samples) == (4, 8)


def test_split_is_a_fraction_of_the_photographs_and_seeded():
    names = [f"p{i}" for i in range(1000)]
    chosen = held_out_groups(names, 0.1, 1)
    assert 70 < len(chosen) < 130
    assert chosen == held_out_groups(reversed(names), 0.1, 1)
    assert chosen != held_out_groups(names, 0.1, 2)
    # Which other sets are read beside does not matter.
    assert held_out_groups(names[:500], 0.1, 1) == chosen & set(names[:500])
    assert len(held_out_groups(names[:2], 0.001, 1)) == 1
    assert not held_out_groups(names, 0, 1)


def test_copies_become_samples(records, tmp_path):
    record = records[0]
    heavy = FaceAnnotation(record.faces[0].points, copies=3)
    record = ImageRecord(record.path, (heavy,), "x")
    wanted = options(validation=0, mirror=False, variants=1)
    report = build_training_xml([record], tmp_path, wanted, 1)
    assert (report.train_faces, report.train_samples) == (1, 3)
    assert str(report).startswith("boxes: 1 matched with the detector, 0 predicted")
    assert "0 faces rejected\n" in str(report)
    assert len(list(read_xml(tmp_path / "train.xml"))) == 3


def test_a_bad_picture_is_skipped_and_named(records, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    bad = ImageRecord(broken, records[0].faces, "bad")
    problems = Problems()
    report = build_training_xml([bad, *records[:3]], tmp_path / "out", jobs=1, problems=problems)
    assert [error.source for error in problems.errors] == [str(broken)]
    assert report.photographs == 3
    with pytest.raises(DataError, match=r"broken\.jpg"):
        build_training_xml([bad], tmp_path / "out2", jobs=1)
    with pytest.raises(DataError, match="no usable face"):
        build_training_xml([bad], tmp_path / "out2", jobs=1, problems=Problems())
    assert not (tmp_path / "out2" / "train.xml").exists()


def test_a_new_build_replaces_the_old_one_and_its_crops(records, tmp_path):
    build_training_xml(records[:3], tmp_path, options(seed=1), jobs=1)
    (old,) = tmp_path.glob("crops-*")
    (tmp_path / "keep.txt").write_text("mine")
    build_training_xml(records[:3], tmp_path, options(seed=2), jobs=1)
    (new,) = tmp_path.glob("crops-*")
    assert new != old
    assert (tmp_path / "keep.txt").read_text() == "mine"
    assert all(record.path.is_file() for record in read_xml(tmp_path / "train.xml"))
    report = json.loads((tmp_path / "prepare.json").read_text())
    assert report["options"]["seed"] == 2
    assert sum(report["boxes"].values()) == 3


def test_names_that_paths_and_xml_dislike(records, tmp_path):
    odd = tmp_path / "a & b's <c>.jpg"
    shutil.copy(records[0].path, odd)
    record = ImageRecord(odd, records[0].faces, "odd")
    build_training_xml([record], tmp_path / "out", options(validation=0), jobs=1)
    for made in read_xml(tmp_path / "out" / "train.xml"):
        assert made.path.is_file()


@pytest.mark.parametrize(
    "wrong",
    [
        {"validation": 1.0},
        {"validation": -0.1},
        {"face_size": 3},
        {"jpeg_quality": 0},
        {"variants": 0},
        {"budget": 0},
        {"seed": -1},
    ],
)
def test_options_out_of_range(wrong):
    with pytest.raises(OptionError, match=str(next(iter(wrong.values())))):
        PrepareOptions(**wrong)


def test_the_budget_is_the_number_of_samples(records, tmp_path):
    wanted = replace(EVERYTHING, budget=40, validation=0)
    report = build_training_xml(records[:12], tmp_path, wanted, jobs=1)
    assert report.train_samples == 40
    assert len(list(read_xml(tmp_path / "train.xml"))) == 40


def test_rare_faces_get_more_samples_and_the_report_says_so(records, tmp_path):
    report = build_training_xml(records, tmp_path, replace(EVERYTHING, validation=0), jobs=2)
    assert report.train_samples > 3 * len(records)
    assert report.effective_faces < len(records)
    text = (tmp_path / "report.md").read_text()
    assert f"{len(records)} faces became {report.train_samples} samples" in text
    assert cv2.imread(str(tmp_path / "poses.png")) is not None
    samples_a_face = {
        row.split(" | ")[0].removeprefix("| "): float(row.split(" | ")[3].rstrip(" |"))
        for row in text.splitlines()
        if row.startswith(r"| \|yaw\|") and "| - |" not in row
    }
    assert samples_a_face[r"\|yaw\| 45 to 60"] > 1.2 * samples_a_face[r"\|yaw\| 0 to 10"]


def test_an_interrupted_build_goes_on_and_ends_the_same(records, tmp_path, monkeypatch):
    build_training_xml(records[:8], tmp_path / "whole", EVERYTHING, jobs=1)
    calls = []

    def counted(job):
        calls.append(job.index)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return make_samples(job)

    monkeypatch.setattr(build, "make_samples", counted)
    with pytest.raises(KeyboardInterrupt):
        build_training_xml(records[:8], tmp_path / "cut", EVERYTHING, jobs=1)
    assert not (tmp_path / "cut" / "train.xml").exists()
    calls.clear()
    calls.extend([-1] * 10)
    build_training_xml(records[:8], tmp_path / "cut", EVERYTHING, jobs=1)
    # Three faces were done before the interruption, and are not made again.
    assert len(calls) - 10 == 5
    assert tree(tmp_path / "cut") == tree(tmp_path / "whole")


def test_pictures_are_searched_for_faces_only_once(records, tmp_path, monkeypatch):
    build_training_xml(records[:4], tmp_path, EVERYTHING, jobs=1)
    monkeypatch.setattr(samples, "_detect", lambda path: pytest.fail(f"searched {path} again"))
    build_training_xml(records[:4], tmp_path, replace(EVERYTHING, seed=9), jobs=1)
    # What another program left half written is passed over.
    monkeypatch.undo()
    with (tmp_path / "detections.jsonl").open("a") as file:
        file.write('{"sha256": "abc", "box')
    report = build_training_xml(records[:5], tmp_path, EVERYTHING, jobs=1)
    assert report.photographs == 5


def test_landmarks_of_another_scheme_are_refused(tmp_path):
    first, other = (
        ImageRecord(tmp_path / "x.jpg", (FaceAnnotation(np.zeros((size, 2)), scheme=str(size)),))
        for size in (68, 21)
    )
    with pytest.raises(OptionError, match=r"has landmarks of scheme 21, and others before .* 68"):
        build_training_xml([first, other], tmp_path / "out", jobs=1)


def test_the_preview_frames_the_crops_as_the_build_does(records, tmp_path):
    for framing in ("detector", "refined"):
        chosen = options(framing=framing)
        write_preview(records[:2], tmp_path / f"{framing}.png", chosen, jobs=1)
    sheets = [cv2.imread(str(tmp_path / f"{name}.png")) for name in ("detector", "refined")]
    assert (sheets[0] != sheets[1]).any()


def test_all_photographs_held_out_leave_nothing_to_train_on(records, tmp_path):
    with pytest.raises(DataError, match="no usable face to train on was given that is not held"):
        build_training_xml(records[:1], tmp_path / "out", options(validation=0.9), jobs=1)
    with pytest.raises(DataError, match="no usable face to train on"):
        build_training_xml([], tmp_path / "out", options(), jobs=1)
