"""``speed``, ``turns`` and ``groups``, as a user calls them, with detectors made up."""

from __future__ import annotations

import json

import cv2
import numpy as np
from click.testing import CliRunner

from efld_dlib.boxes import Box
from efld_dlib.detection.detectors import FrontalDetector
from efld_dlib.xml.read import read_xml
from tests.evaluation.made_up import table_cells
from tools.benchmarks import detection, groups
from tools.benchmarks.__main__ import benchmarks


def run(*arguments, code=0):
    result = CliRunner().invoke(benchmarks, list(map(str, arguments)))
    assert result.exit_code == code, result.output
    return result


def test_turns_says_what_is_found_at_each_angle(sample, made_up, tmp_path):
    target = tmp_path / "figures.json"
    options = ("--subset", "helen/testset", "--every", 9, "--detectors", "fast")
    output = run("turns", sample, *options, "--by", 90, "-o", target).stdout
    assert list(table_cells(output, "Images turned"))[2:] == ["-90", "0", "90", "180"]
    turns = json.loads(target.read_text())["turns"]
    assert [each["turn"] for each in turns] == [-90, 0, 90, 180]
    assert [each["detectors"]["fast"]["faces"] for each in turns] == [2] * 4


def test_turns_go_all_the_way_round():
    assert detection.angles(15)[0] == -165
    assert detection.angles(15)[-1] == 180
    assert len(detection.angles(15)) == 24
    assert detection.angles(50) == [-150, -100, -50, 0, 50, 100, 150]


def test_groups_writes_a_data_set_of_composed_images(sample, tmp_path, monkeypatch):
    monkeypatch.setattr(groups, "bundled_pictures", lambda: [])
    monkeypatch.setattr(groups, "_TEXTURES", 1)
    target = tmp_path / "groups" / "groups.xml"
    run("groups", sample, "--subset", "helen/testset", "-n", 2, "-o", target)
    records = list(read_xml(target))
    assert [record.path.name for record in records] == ["group-001.png", "group-002.png"]
    for record in records:
        height, width = cv2.imread(str(record.path), cv2.IMREAD_GRAYSCALE).shape
        assert len(record.faces) >= 4
        for face in record.faces:
            assert face.given.all()
            assert (np.median(face.points, axis=0) < [width, height]).all()
            assert face.box.overlap(Box.around(face.points)) > 0.9


def test_speed_compares_the_smallest_faces(astronaut_file, empty, made_up, tmp_path):
    target = tmp_path / "speed.json"
    output = run("speed", astronaut_file, "--faceless", empty, "-o", target).stdout
    table = table_cells(output, "Detection alone at 640x480")
    assert list(table)[2:] == [
        "dlib",
        "fast",
        "fast, --min-face 40",
        "fast, --min-face 120",
        "thorough",
    ]
    assert [options[:3] for options in made_up] == [
        ("fast", None, None),
        ("fast", None, "40"),
        ("fast", None, "120"),
        ("thorough", None, None),
    ]
    assert table["detector"][::2] == ["ms, given (1)", "ms, without a face (10)"]
    assert table["dlib"][1] == "1.00"
    assert float(table["fast"][1]) > 10
    figures = json.loads(target.read_text())
    assert figures["without a face"]["detectors"]["thorough"]["images"] == 10
    assert "gone.png" in run("speed", "gone.png", code=2).output


def test_dlib_and_ours_see_the_same_frames(astronaut_file, monkeypatch):
    shapes = []

    def own_detector(*options):
        return lambda gray: shapes.append(gray.shape) or FrontalDetector(0)(gray)

    monkeypatch.setattr(detection, "own_detector", own_detector)
    run("speed", astronaut_file)
    assert set(shapes) == {(480, 640)}
