"""``efld-dlib network evaluate`` and ``speed``, as a user calls them, with detectors made up."""

from __future__ import annotations

import json
import sys

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from efld_dlib.boxes import Box
from efld_dlib.cli import network_evaluate
from efld_dlib.cli.main import cli
from efld_dlib.detection.detectors import Detection, FrontalDetector


def run(*arguments, code=0):
    result = CliRunner().invoke(cli, ["network", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result


def rows(output, title):
    """The cells of a table by the first one, header included."""
    part = output.split(f"### {title}", 1)[1].split("###")[0]
    lines = [line for line in part.replace("\\|", "").splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {first: rest for first, *rest in cells}


@pytest.fixture
def made_up(monkeypatch):
    """The toolkit's detectors see one face in the corner of every image; notes what they are."""
    asked = []

    def own_detector(*options):
        asked.append(options)
        return lambda gray: [Detection(Box(0, 0, 20, 20), 0.75)]

    monkeypatch.setattr(network_evaluate, "_own_detector", own_detector)
    return asked


@pytest.fixture
def empty(tmp_path):
    """A folder of images without a face."""
    folder = tmp_path / "empty"
    folder.mkdir()
    for number in range(10):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((60, 80), 20 * number, np.uint8))
    return folder


def test_evaluate_tells_recall_time_and_false_alarms(sample, empty, made_up, tmp_path):
    target = tmp_path / "figures.json"
    output = run(
        *("evaluate", sample, "--subset", "helen/testset", "--every", 2, "--seed", 3),
        *("--detectors", "dlib, fast", "--min-score", 0.7, "--min-face", "10%"),
        *("--faceless", empty, "--json", target),
    ).stdout
    assert made_up == [("fast", 0.7, "10%", None)]
    (source,) = (name for name in rows(output, "Faces missed") if name.startswith("tree"))
    assert source == "tree (helen/testset)"
    assert rows(output, "Faces missed")[source][:2] == ["5", "5"]
    assert rows(output, "Faces missed")[source][3] == "5 (100.00)"
    found = rows(output, "Faces found")
    assert found["faces"] == ["number", "dlib", "fast"]
    assert found["all"][2] == "0.0"
    assert rows(output, "Other detections")["fast"][0] == "5"
    assert rows(output, "10 images without a face")["fast"][:3] == [
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


def test_evaluate_turns_the_images(sample, made_up, tmp_path):
    target = tmp_path / "figures.json"
    options = ("--subset", "helen/testset", "--every", 9, "--detectors", "fast")
    output = run("evaluate", sample, *options, "--turns", 90, "--json", target).stdout
    assert list(rows(output, "Images turned"))[2:] == ["-90", "0", "90", "180"]
    # Only the upright ones are in the other tables.
    assert rows(output, "Faces found")["all"] == ["2", "0.0"]
    turns = json.loads(target.read_text())["turns"]
    assert [each["turn"] for each in turns] == [-90, 0, 90, 180]
    assert [each["detectors"]["fast"]["faces"] for each in turns] == [2] * 4


def test_turns_go_all_the_way_round():
    assert network_evaluate._angles(15)[0] == -165
    assert network_evaluate._angles(15)[-1] == 180
    assert len(network_evaluate._angles(15)) == 24
    assert network_evaluate._angles(50) == [-150, -100, -50, 0, 50, 100, 150]


def test_evaluate_measures_what_training_holds_out(sample, made_up):
    # With --held-out, the training part is measured; without it, the test part.
    options = ("--detectors", "fast")
    parts = [
        run("evaluate", sample, *options, "--held-out", 0.2, "--seed", seed) for seed in (1, 2)
    ]
    counts = [int(rows(part.stdout, "Faces missed")["tree (train)"][0]) for part in parts]
    assert all(0 < count < 20 for count in counts)
    whole = rows(run("evaluate", sample, *options).stdout, "Faces missed")
    assert whole["tree (helen/testset)"][0] == "10"


def test_evaluate_composes_groups_of_the_faces(sample, made_up, tmp_path, monkeypatch):
    from efld_dlib.evaluation.detection import groups

    monkeypatch.setattr(groups, "bundled_pictures", lambda: [])
    monkeypatch.setattr(groups, "_TEXTURES", 1)
    target = tmp_path / "figures.json"
    output = run(
        *("evaluate", sample, "--subset", "helen/testset", "--detectors", "fast"),
        *("--groups", 2, "--groups-dir", tmp_path / "groups", "--json", target),
    ).stdout
    number, share = rows(output, "Faces found in 2 group images")["all"]
    assert int(number) >= 8
    assert float(share) < 20
    told = json.loads(target.read_text())["groups"]["detectors"]["fast"]
    assert (told["images"], told["faces"]) == (2, int(number))
    pictures = sorted((tmp_path / "groups").iterdir())
    assert [path.name for path in pictures] == ["group-001.png", "group-002.png"]


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
        (("--groups-dir", "x"), "give both"),
        (("--min-score", "1.5"), "--min-score"),
        (("--turns", "0.5"), "--turns"),
        (("--faceless", "no-such-folder"), "no-such-folder: holds no image"),
    ],
)
def test_options_that_make_no_sense_are_named(sample, made_up, options, message):
    arguments = ("evaluate", sample, "--subset", "helen/testset", "--every", 10)
    assert message in run(*arguments, "--detectors", "fast", *options, code=2).output


def test_what_holds_no_face_is_told(tmp_path, empty, made_up):
    assert "nothing to measure" in run("evaluate", code=2).output
    assert "name some" in run("evaluate", "--faceless", empty, "--groups", 2, code=2).output
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


def test_speed_compares_the_smallest_faces(astronaut_file, empty, made_up, tmp_path):
    target = tmp_path / "speed.json"
    output = run("speed", astronaut_file, "--faceless", empty, "--json", target).stdout
    table = rows(output, "Detection alone at 640x480")
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

    monkeypatch.setattr(network_evaluate, "_own_detector", own_detector)
    run("speed", astronaut_file)
    assert set(shapes) == {(480, 640)}


def test_training_without_pytorch_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("efld_dlib.network.")]:
        monkeypatch.delitem(sys.modules, name)
    arguments = ["network", "train", "faces.xml", "--faceless", str(tmp_path), "-o", str(tmp_path)]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    assert 'pip install "efld-dlib[network]"' in result.output
    assert list(tmp_path.iterdir()) == []
