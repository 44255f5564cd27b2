"""``efld-dlib network evaluate``, as a user calls them, with detectors made up."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from efld_dlib.boxes import Box
from efld_dlib.cli.main import cli
from efld_dlib.records import FaceAnnotation, ImageRecord
from efld_dlib.xml.write import write_xml
from tests.evaluation.made_up import table_cells


def run(*arguments, code=0):
    result = CliRunner().invoke(cli, ["network", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result


def test_evaluate_tells_recall_time_and_false_alarms(sample, empty, made_up, tmp_path):
    target = tmp_path / "figures.json"
    output = run(
        *("evaluate", sample, "--subset", "helen/testset", "--every", 2, "--seed", 3),
        *("--detectors", "dlib, fast", "--min-score", 0.7),
        *("--faceless", empty, "-o", target),
    ).stdout
    assert made_up == [("fast", 0.7, None, None)]
    (source,) = (name for name in table_cells(output, "Faces missed") if name.startswith("tree"))
    assert source == "tree (helen/testset)"
    assert table_cells(output, "Faces missed")[source][:2] == ["5", "5"]
    assert table_cells(output, "Faces missed")[source][3] == "5 (100.00)"
    found = table_cells(output, "Faces found")
    assert found["faces"] == ["number", "dlib", "fast"]
    assert found["all"][2] == "0.0"
    assert table_cells(output, "Other detections")["fast"][0] == "5"
    assert table_cells(output, "10 images without a face")["fast"][:3] == [
        "10",
        "100.00 [72.25, 100.00]",
        "10",
    ]
    figures = json.loads(target.read_text())
    assert figures["options"]["sources"] == [source]
    assert figures["options"]["seed"] == 3
    assert figures["all"] == figures["sources"][source]
    assert figures["all"]["detectors"]["fast"]["missed"] == 5
    assert figures["faceless"]["others"]["fast"][0] == ["0.png", 0.75]
    assert str(tmp_path) not in target.read_text()
    assert {"machine", "versions"} <= set(figures)


def test_evaluate_runs_the_networks_of_the_package(astronaut_file, tmp_path):
    points = np.random.default_rng(0).uniform([190, 90], [260, 150], (68, 2))
    faces = tmp_path / "faces.xml"
    write_xml(faces, [ImageRecord(astronaut_file, (FaceAnnotation(points, Box(179, 83, 88, 88)),))])
    found = table_cells(
        run("evaluate", faces, "--detectors", "fast,thorough").stdout, "Faces found"
    )
    assert found["all"] == ["1", "100.0", "100.0"]


def test_evaluate_measures_what_training_holds_out(sample, made_up):
    # With --held-out, the training part is measured; without it, the test part.
    options = ("--detectors", "fast")
    parts = [
        run("evaluate", sample, *options, "--held-out", 0.2, "--seed", seed) for seed in (1, 2)
    ]
    counts = [int(table_cells(part.stdout, "Faces missed")["tree (train)"][0]) for part in parts]
    assert all(0 < count < 20 for count in counts)
    whole = table_cells(run("evaluate", sample, *options).stdout, "Faces missed")
    assert whole["tree (helen/testset)"][0] == "10"


def test_evaluate_measures_a_fold_of_faceless_images_alone(empty, made_up):
    counts = []
    for fold in range(1, 6):
        result = CliRunner().invoke(
            cli, ["network", "evaluate", "--faceless", str(empty), "--fold", str(fold)]
        )
        if result.exit_code:
            assert f"holds no image in fold {fold}" in result.output
        else:
            counts.append(int(result.stdout.split("###")[1].split()[0]))
            assert "Faces" not in result.stdout
    assert sum(counts) == 10


def test_evaluate_takes_another_network(sample, empty, tmp_path):
    (tmp_path / "faces.onnx.xz").write_bytes(b"nothing")
    wrong = run(
        *("evaluate", "--faceless", empty, "--networks", tmp_path, "--detectors", "fast"), code=2
    )
    assert "faces.onnx.xz: is not a packed network" in wrong.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--detectors", "best"), "unknown detector 'best'"),
        (("--detectors", " ,"), "names no detector"),
        (("--detectors", "dlib,lbp,dlib"), "names 'dlib' twice"),
        (("--fold", "2"), "give both"),
        (("--min-score", "1.5"), "--min-score"),
        (("--faceless", "no-such-folder"), "no-such-folder: holds no image"),
    ],
)
def test_options_that_make_no_sense_are_named(sample, made_up, options, message):
    arguments = ("evaluate", sample, "--subset", "helen/testset", "--every", 10)
    assert message in run(*arguments, "--detectors", "fast", *options, code=2).output


def test_what_holds_no_face_is_told(tmp_path, empty, made_up):
    assert "nothing to measure" in run("evaluate", code=2).output
    (tmp_path / "none.xml").write_text("<dataset><images></images></dataset>")
    output = run("evaluate", tmp_path / "none.xml", code=2).output
    assert "none.xml" in output
    assert "no face to measure" in output


def test_a_broken_image_is_reported_and_the_rest_measured(empty, made_up):
    (empty / "zz.png").write_bytes(b"no picture")
    options = ("--faceless", empty, "--detectors", "fast")
    result = run("evaluate", *options, code=1)
    assert "zz.png" in result.stderr
    assert "10 images without a face" in result.stdout
    assert "zz.png" in run("evaluate", *options, "--strict", code=2).output


def test_training_without_pytorch_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("efld_dlib.network.")]:
        monkeypatch.delitem(sys.modules, name)
    arguments = ["network", "train", "faces.xml", "--faceless", str(tmp_path), "-o", str(tmp_path)]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    assert 'pip install "efld-dlib[network]"' in result.output
    assert list(tmp_path.iterdir()) == []
