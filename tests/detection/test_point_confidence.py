"""How sure each single landmark is said to be."""

import csv
import io
import json

import numpy as np
import pytest
from click.testing import CliRunner

from efld_dlib import FaceLandmarker
from efld_dlib.boxes import Box
from efld_dlib.cli.main import cli
from efld_dlib.detection.registry import make_detector
from efld_dlib.errors import OptionError
from efld_dlib.images import to_gray
from tools.covers import COVERS, cover

BOX = Box(179, 83, 88, 88)


@pytest.fixture(scope="module")
def landmarker():
    return FaceLandmarker(point_confidence=True)


@pytest.fixture(scope="module")
def face(landmarker, astronaut_pixels):
    (found,) = landmarker.landmarks(astronaut_pixels, [BOX], "rgb")
    return found


def test_landmarks_of_a_clear_face_are_sure(face):
    assert face.point_confidence.shape == (68,)
    assert (face.point_confidence >= 0).all()
    assert (face.point_confidence <= 1).all()
    # Eyes, nose and mouth; where the jaw ends under hair nobody can say.
    assert face.point_confidence[27:].mean() > 0.8


@pytest.mark.parametrize("kind", COVERS)
def test_covered_landmarks_are_less_sure_than_the_others(landmarker, astronaut_pixels, face, kind):
    lost = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        covered, hidden = cover(to_gray(astronaut_pixels), face.points, kind, rng)
        (found,) = landmarker.landmarks(covered, [BOX])
        change = found.point_confidence - face.point_confidence
        lost.append(change[~hidden].mean() - change[hidden].mean())
    assert np.mean(lost) > 0.05


def test_landmarks_beside_the_face_are_not_sure(landmarker, astronaut_pixels):
    (found,) = landmarker.landmarks(astronaut_pixels, [Box(380, 360, 88, 88)], "rgb")
    assert found.point_confidence.mean() < 0.3


def test_nobody_gets_what_was_not_asked_for(astronaut_pixels):
    (found,) = FaceLandmarker().landmarks(astronaut_pixels, [BOX], "rgb")
    assert found.point_confidence is None


def test_it_needs_the_network(tiny_model):
    with pytest.raises(OptionError, match="needs the landmark network"):
        FaceLandmarker(tiny_model, make_detector("dlib"), point_confidence=True)


def run(*arguments):
    result = CliRunner().invoke(cli, [str(each) for each in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_commands_say_it_on_request(astronaut_file, tmp_path):
    (image,) = json.loads(run("detect", astronaut_file, "--point-confidence"))["images"]
    said = image["faces"][0]["point_confidence"]
    assert len(said) == 68
    (plain,) = json.loads(run("detect", astronaut_file))["images"]
    assert "point_confidence" not in plain["faces"][0]
    text = run("detect", astronaut_file, "--point-confidence", "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(text))
    assert [float(row[f"c_{number}"]) for number in range(68)] == said
    table = tmp_path / "faces.csv"
    run("extract", astronaut_file, "-o", table, "--point-confidence", "-j", 1)
    (extracted,) = csv.DictReader(io.StringIO(table.read_text()))
    assert [float(extracted[f"c_{number}"]) for number in range(68)] == said
