"""``efld-dlib detector``, and ``detect --detector``, as a user calls them."""

from __future__ import annotations

import json
import shutil
from importlib.resources import as_file, files

import cv2
import pytest
from click.testing import CliRunner

from efld_dlib.cli.main import cli


def run(*arguments, code=0):
    result = CliRunner().invoke(cli, list(map(str, arguments)))
    assert result.exit_code == code, result.output
    return result


def test_evaluate_prints_recall_time_and_alarms(sample, monkeypatch):
    monkeypatch.setattr("efld_dlib.cli.detector.TEXTURES", 2)
    monkeypatch.setattr("efld_dlib.evaluation.detection.faceless.bundled_pictures", lambda: [])
    options = ("--subset", "helen/testset", "--every", 5)
    output = run("detector", "evaluate", sample, *options, "--detectors", "dlib,fast").output
    assert "| faces | number | dlib | fast |" in " ".join(output.replace("\n", " ").split())
    for row in ("all", "|yaw| 0 to 15", "ms a picture", "frame rate, dlib = 1", "textures"):
        assert row.replace("|", "") in output.replace("\\", "").replace("|", "")
    assert "bytes of the detector" in output


def test_evaluate_turns_pictures_and_measures_landmarks(sample, tiny_model):
    output = run(
        *("detector", "evaluate", sample, "--subset", "helen/testset", "--every", 10),
        *("--detectors", "dlib", "--turns", 90, "-m", tiny_model, "--no-faceless"),
    ).output
    assert "NME dlib" in output
    assert [line.split("|")[1].strip() for line in output.splitlines() if "| 1 " in line] == [
        "-90",
        "0",
        "90",
    ]


def test_evaluate_measures_only_on_what_is_held_out(sample):
    output = run(
        *("detector", "evaluate", sample, "--held-out", 0.2, "--detectors", "dlib"),
        "--no-faceless",
    ).output
    (row,) = (line for line in output.splitlines() if line.startswith("| all"))
    assert int(row.split("|")[2]) == 9  # of 45


def test_an_unknown_detector_is_refused(sample):
    result = run("detector", "evaluate", sample, "--detectors", "best", code=2)
    assert "'best' is no detector" in result.output
    result = run("detector", "evaluate", sample, "--detectors", " ,", code=2)
    assert "--detectors names none" in result.output


def test_info_tells_files_and_bytes():
    told = json.loads(run("detector", "info").output)
    assert told["bytes"] == sum(told["files"].values()) < 700_000
    assert "front.svm" in told["files"]


def test_info_names_what_is_missing(tmp_path):
    assert "front.svm" in run("detector", "info", "--folder", tmp_path, code=2).output


@pytest.mark.parametrize("detector", ["fast", "thorough", "dlib"])
def test_detect_takes_the_detector_and_the_lowest_score(detector, astronaut, tmp_path, tiny_model):
    picture = tmp_path / "a.png"
    cv2.imwrite(str(picture), cv2.cvtColor(astronaut, cv2.COLOR_RGB2BGR))
    chosen = ("-m", tiny_model, "--detector", detector, "--upsample", 0)
    found = run("detect", picture, *chosen).stdout
    (image,) = json.loads(found)["images"] if "images" in json.loads(found) else [json.loads(found)]
    assert len(image["faces"]) >= 1
    none = run("detect", picture, *chosen, "--min-score", 50).stdout
    assert '"faces": []' in none.replace("\n", "")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "is no report of a detector's training"),
        (b"\xff\xfe", "is no report of a detector's training"),
        (b"[" * 100_000, "is no report of a detector's training"),
        (b"[1]", "which is a JSON object"),
    ],
)
def test_info_on_a_damaged_report(tmp_path, content, said):
    own = files("efld_dlib.data").joinpath("detector")
    with as_file(own) as folder:
        shutil.copytree(folder, tmp_path / "detector")
    (tmp_path / "detector" / "detector.json").write_bytes(content)
    result = run("detector", "info", "--folder", tmp_path / "detector", code=2)
    assert "detector.json: " in result.stderr
    assert said in result.stderr
