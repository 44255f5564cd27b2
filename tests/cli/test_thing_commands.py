"""The commands on points that are not the 68: drawn leaves, and parts of a face."""

from __future__ import annotations

import csv
import json
import re

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from efld_dlib.cli.main import cli
from efld_dlib.images import read_image
from efld_dlib.xml.read import read_xml


def run(*words, code=0):
    result = CliRunner().invoke(cli, [*map(str, words)])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def detector(leaf_detector):
    return leaf_detector.files[0]


def test_a_detector_says_what_it_finds(leaves, tmp_path):
    words = ("--set", "epsilon=5", "--set", "C=0.5", "--validation", leaves / "test.xml")
    target = tmp_path / "leaf.svm"
    said = run("train", leaves / "train.xml", "--detector", "-o", target, *words).output
    assert "trained on 40 things" in said
    assert "of 8 things found" in said
    assert target.is_file()


@pytest.fixture(scope="module")
def picture(leaves):
    return next(iter(read_xml(leaves / "test.xml"))).path


def test_from_an_xml_to_a_measured_predictor(leaves, detector, tmp_path):
    folder = tmp_path / "xml"
    said = run(
        *("prepare", leaves / "train.xml", "-o", folder, "--detector", detector, "-j", 1),
        *("--variants", 2),
    ).output
    assert "matched with the detector" in said
    assert "no weights: scheme leaf tells no pose" in said
    # Every other sample is a mirror image, whose points change sides.
    (first, second, *_) = read_xml(folder / "train.xml")
    left, right = first.faces[0].points[2], second.faces[0].points[6]
    assert first.faces[0].scheme.name == "leaf"
    width = read_image(first.path).shape[1]
    assert abs(width - 1 - left[0] - right[0]) < 40
    options = ("--set", "cascade_depth=4", "--set", "num_trees_per_cascade_level=20")
    model = tmp_path / "leaf.dat"
    said = run("train", folder, "-o", model, "--preset", "small", *options, "-j", 1).output
    assert "validation NME (base to tip)" in said
    report = tmp_path / "report"
    said = run(
        *("evaluate", model, leaves / "test.xml", "--detector", detector, "--resamples", 20),
        *("-o", report, "-o", tmp_path / "f.json", "-o", tmp_path / "f.csv", "-j", 1),
    ).output
    assert "8 faces, the whole pipeline" in said
    assert "NME by region in %, base to tip" in said
    assert "head pose" not in said
    assert "Error on the mean shape" in (report / "index.html").read_text("utf-8")
    figures = json.loads((tmp_path / "f.json").read_text("utf-8"))["data"][0]["models"][0]
    assert len(figures["landmarks"]) == 8
    with (tmp_path / "f.csv").open() as file:
        assert {"nme_base_to_tip", "nme_margin"} <= set(next(csv.reader(file)))


def test_what_detect_extract_and_video_write_of_things(leaf_model, detector, picture, tmp_path):
    model = ("-m", leaf_model, "--detector", detector)
    drawn = tmp_path / "drawn"
    said = run("detect", picture, *model, "--annotate", drawn, "--min-score", "-2").stdout
    leaf = json.loads(said)["images"][0]["faces"][0]
    assert list(leaf) == ["box", "score", "points", "features"]
    assert set(leaf["points"]) >= {"stem", "tip"}
    assert next(drawn.iterdir()).stat().st_size > 1000
    features = ("--features", "base-tip,left_low-right_low/base-tip,angle:base-tip")
    table = run("detect", picture, *model, *features, "--format", "csv").stdout
    columns = next(csv.reader(table.splitlines()))
    assert columns[4:9] == ["left", "top", "width", "height", "score"]
    assert columns[9:11] == ["x_stem", "x_base"]
    assert columns[-3:] == ["d_base_tip", "r_left_low_right_low_base_tip", "a_base_tip"]
    target = tmp_path / "leaves.csv"
    run("extract", picture, "-o", target, *model, *features, "-j", 1)
    with target.open() as file:
        assert next(csv.reader(file)) == columns
    clip = tmp_path / "clip.avi"
    image = cv2.imread(str(picture))
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter_fourcc(*"MJPG"), 10, image.shape[1::-1])
    for shift in range(3):
        writer.write(np.roll(image, 3 * shift, axis=1))
    writer.release()
    run("video", clip, "-o", tmp_path / "v.csv", *model, "--min-score", "-2")
    with (tmp_path / "v.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len({row["face_id"] for row in rows}) < len(rows)
    assert "x_tip" in rows[0]


def test_a_feature_of_landmarks_that_there_are_not(leaf_model, detector, picture):
    words = ("detect", picture, "-m", leaf_model, "--detector", detector)
    assert (
        "the 8 points of leaf are stem to middle"
        in run(*words, "--features", "36-45", code=2).output
    )


def test_without_a_detector_it_says_how_to_name_one(leaf_model, picture):
    assert "--detector things.svm" in run("detect", picture, "-m", leaf_model, code=2).output


def test_extract_says_so_before_it_starts(leaf_model, picture, tmp_path):
    target = tmp_path / "t.csv"
    said = run("extract", picture, "-m", leaf_model, "-o", target, "-j", 1, code=2).output
    assert "--detector things.svm" in said
    assert not target.exists()


def test_a_part_of_the_model_is_detected_and_measured(astronaut_file, tmp_path, training_data):
    model = tmp_path / "eyes.dat"
    run("model", "expand", "--points", "eyes", "-o", model)
    (face,) = json.loads(run("detect", astronaut_file, "-m", model).stdout)["images"][0]["faces"]
    assert list(face["points"]) == [str(number) for number in range(36, 48)]
    assert "left_eye_aspect" in face["features"]
    assert "pose" not in face
    (whole,) = json.loads(run("detect", astronaut_file).stdout)["images"][0]["faces"]
    apart = np.subtract(list(face["points"].values()), whole["points"][36:48])
    assert np.linalg.norm(apart, axis=1).mean() < 4
    said = run(
        *("evaluate", model, training_data / "validation.xml", "--boxes", "file"),
        *("--resamples", 0, "-j", 1),
    ).output
    assert "NME by region" in said


def test_view_orders_things_by_their_distance_from_the_mean_shape(leaves, tmp_path):
    run("xml", "view", leaves / "test.xml", "-o", tmp_path / "worst.png", "--order", "worst")
    assert (tmp_path / "worst.png").stat().st_size > 1000
    said = run(
        "xml", "view", leaves / "test.xml", "-o", tmp_path / "x.png", "--order", "rarest", code=2
    ).output
    assert "goes by the pose, which scheme leaf does not tell" in said


def test_info_and_check_know_the_points(leaves):
    assert "faces with all 8 landmarks" in run("xml", "info", leaves / "test.xml").output
    assert "no problem in 8 pictures" in run("xml", "check", leaves / "test.xml").output


@pytest.mark.parametrize(("points", "named"), [(49, 49), (51, 51), (66, 66), (68, 68)])
def test_pts_files_of_parts_of_the_68(points, named, astronaut_file, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.png").write_bytes(astronaut_file.read_bytes())
    rows = "".join(f"{number + 1} {2 * number + 1}\n" for number in range(points))
    (folder / "a.pts").write_text(f"version: 1\nn_points: {points}\n{{\n{rows}}}\n")
    run("xml", "convert", folder, "-o", tmp_path / "a.xml")
    (record,) = read_xml(tmp_path / "a.xml")
    (face,) = record.faces
    assert face.given.sum() == named
    first = 17 if points < 66 else 0
    assert face.points[first].tolist() == [0, 0]
    assert face.given[60] == (points in (51, 68))


def test_pts_files_of_points_of_ones_own(astronaut_file, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.png").write_bytes(astronaut_file.read_bytes())
    (folder / "a.pts").write_text("1 1\n5 7\n")
    scheme = tmp_path / "ends.toml"
    scheme.write_text('name = "ends"\npoints = ["one", "other"]\n')
    run("xml", "convert", folder, "-o", tmp_path / "a.xml", code=2)
    run("xml", "convert", folder, "-o", tmp_path / "a.xml", "--scheme", scheme)
    (record,) = read_xml(tmp_path / "a.xml")
    assert record.faces[0].scheme.points == ("one", "other")


def test_a_detector_is_an_svm_file(leaves, tmp_path):
    words = ("train", leaves / "train.xml", "--detector", "-o")
    assert "ending in .svm" in run(*words, tmp_path / "x.dat", code=2).output
    words = ("train", leaves / "train.xml", "--detector", "--points", "tip")
    assert "are for predictors" in run(*words, code=2).output


def test_a_search_says_what_it_found(leaves, tmp_path):
    said = run(
        *("train", leaves / "train.xml", "-o", tmp_path / "s.dat", "--preset", "nano"),
        *("--set", "cascade_depth=3", "--set", "num_trees_per_cascade_level=10"),
        *("--search", 0.03, "-j", 1),
    ).output
    assert "search: " in said
    # An option that went through its logarithm and back is no other one.
    changes = re.findall(r"--set \w+=(\S+)   \(before: (\S+)\)", said)
    assert changes or "the options stay" in said
    assert all(new != old for new, old in changes)
    assert (tmp_path / "s.search.json").is_file()
    assert (tmp_path / "s.dat").is_file()
