"""Training a detector from annotated pictures: small, on the synthetic sample."""

from __future__ import annotations

from dataclasses import replace

import dlib
import numpy as np
import pytest
from click.testing import CliRunner

from efld_dlib.cli.main import cli
from efld_dlib.datasets.w300 import read_w300
from efld_dlib.detection.frame import default_box_map
from efld_dlib.detection.gradients import FEATURES
from efld_dlib.detection.pose_detector import PoseDetector
from efld_dlib.detection.verifier import Candidate, moved
from efld_dlib.detection.verifier_file import VERIFIER_FILE, load_verifier
from efld_dlib.detection.views import VIEWS
from efld_dlib.errors import DataError, OptionError, Problems
from efld_dlib.images import read_image, to_gray
from efld_dlib.models.dat import write_dat
from efld_dlib.training.detector import build, mining, network, samples, windows
from efld_dlib.training.detector.faces import detector_faces, turned_to, upright_box
from tests.models.small_models import random_predictor

OPTIONS = build.DetectorOptions(
    windows.WindowOptions(faces=24, epsilon=0.3, seconds=2),
    samples.SampleOptions(versions=1, places=6, others=8),
    network.NetworkOptions(hidden=(16,), epochs=20, batch=64),
    mining.MiningOptions(turns=0, smallest=80, limit=10),
    rounds=1,
)


@pytest.fixture(scope="module")
def records(sample):
    return list(read_w300(sample))[:30]


@pytest.fixture(scope="module")
def cache(records, tmp_path_factory):
    return tmp_path_factory.mktemp("cache") / "detections.jsonl"


@pytest.fixture(scope="module")
def folder(records, cache, tmp_path_factory):
    folder = tmp_path_factory.mktemp("detector") / "own"
    lines = []
    build.train_detector(records, folder, cache, OPTIONS, 1, report=lines.append)
    assert any(line.startswith("verifier: ") for line in lines)
    return folder


@pytest.fixture(scope="module")
def faces(records, cache):
    return detector_faces(records, cache, 1, Problems(strict=True))[0]


def test_writes_sub_detectors_that_dlib_loads_a_verifier_and_the_licence(folder):
    for view in VIEWS:
        assert dlib.fhog_object_detector(str(folder / f"{view.name}.svm")).num_detectors == 1
    assert "non-commercial" in (folder / "LICENSE.txt").read_text()
    described = build.describe_detector(folder)
    assert described["bytes"] == sum(described["files"].values()) > 90_000
    assert described["faces"] > 20


def test_what_was_trained_finds_the_faces_it_was_trained_on(folder, records):
    detector = PoseDetector("fast", folder=folder)
    found = [bool(detector(to_gray(read_image(record.path)))) for record in records[:10]]
    assert sum(found) >= 8


def test_a_folder_without_a_part_is_no_detector(folder, tmp_path):
    with pytest.raises(DataError, match=r"front\.svm"):
        build.describe_detector(tmp_path)
    with pytest.raises(DataError, match=r"front\.svm"):
        PoseDetector(folder=tmp_path)


def test_faces_turn_to_the_yaw_that_is_wanted(faces):
    face = max(faces, key=lambda each: each.pose.yaw)
    turned = turned_to(face, 70.0)
    assert turned.pose.yaw == pytest.approx(min(70.0, face.pose.yaw + 45))
    other = turned_to(face, -70.0)
    assert other.pose.yaw == pytest.approx(-turned.pose.yaw)


def test_the_upright_box_turns_with_the_face():
    points = default_box_map().mean_shape * 50 + [200, 300]
    plain = upright_box(points, default_box_map(), 0.0)
    angle = np.radians(40)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = upright_box(points @ turn.T, default_box_map(), 40.0)
    assert turned.width == pytest.approx(plain.width)
    assert turned.center == pytest.approx(tuple(turn @ plain.center))


def test_examples_lead_back_to_the_face(faces, monkeypatch):
    seen = []
    original = samples.picture_of
    monkeypatch.setattr(
        samples, "picture_of", lambda image, them: seen.extend(them) or original(image, them)
    )
    face = faces[0]
    box = upright_box(face.points, default_box_map(), face.pose.roll)
    rng = np.random.default_rng(1)
    examples = samples._near(face.image, box, face.pose, 10, rng)
    assert examples.features.shape == (10, FEATURES)
    for candidate, target in zip(seen, examples.targets, strict=True):
        back = moved(Candidate(candidate.box, candidate.roll), target)
        assert back.box == pytest.approx(box, abs=0.01)
        assert back.roll == pytest.approx(face.pose.roll, abs=0.01)


def test_the_network_learns_what_hangs_on_its_inputs():
    rng = np.random.default_rng(2)
    inputs = rng.normal(0, 1, (3000, 10)).astype(np.float32)
    targets = np.full((3000, 6), np.nan, np.float32)
    targets[:, 0] = inputs[:, 0] + inputs[:, 1] ** 2 > 1
    faces = targets[:, 0] == 1
    targets[faces, 1:] = inputs[faces, 2:7]
    options = network.NetworkOptions(
        hidden=(32,), epochs=80, batch=64, decay=0.01, drop=0.0, rate=5e-3
    )
    verifier = network.fit_network(samples.Examples(inputs[:2500], targets[:2500]), options)
    outputs = verifier.outputs(inputs[2500:])
    assert ((outputs[:, 0] > 0) == (targets[2500:, 0] == 1)).mean() > 0.93
    held = faces[2500:]
    assert np.abs(outputs[held, 1:] - targets[2500:][held, 1:]).mean() < 0.25


def test_fewer_examples_than_a_batch_are_learnt_from_too():
    inputs = np.random.default_rng(2).normal(0, 1, (40, 5)).astype(np.float32)
    targets = np.full((40, 6), np.nan, np.float32)
    targets[:, 0] = inputs[:, 0] > 0
    targets[targets[:, 0] == 1, 1:] = 0
    losses = []
    options = network.NetworkOptions(hidden=(8,), epochs=100, decay=0.0, drop=0.0, rate=1e-2)
    verifier = network.fit_network(
        samples.Examples(inputs, targets), options, lambda epoch, loss: losses.append(loss)
    )
    assert losses[-1] < 0.2 * losses[0]
    assert ((verifier.outputs(inputs)[:, 0] > 0) == (targets[:, 0] == 1)).mean() > 0.9


def test_frontal_faces_alone_train_no_profile(faces):
    frontal = [replace(face, pose=face.pose._replace(yaw=5.0)) for face in faces[:3]]
    profile = next(view for view in VIEWS if view.name == "profile-right")
    with pytest.raises(DataError, match=r"none looks far enough aside .* profile-right"):
        windows.window_samples(frontal, profile, default_box_map(), windows.WindowOptions(faces=4))


def test_pictures_that_cannot_be_read_are_passed_over(records, folder, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    pictures = [
        mining.MinedPicture(tmp_path / "broken.jpg", ()),
        *(mining.MinedPicture(each.path, (each.faces[0].points,)) for each in records[:2]),
    ]
    verifier = load_verifier(folder / VERIFIER_FILE)
    # All that the sub-detectors take for a face, right or wrong.
    options = replace(OPTIONS.mining, least=-1e9, surest=1e9)
    mined = [
        mining.mine(some, default_box_map(), folder, verifier, options, 1)
        for some in (pictures, pictures[1:], pictures[:1])
    ]
    assert len(mined[0].features) == len(mined[1].features) > 0
    assert len(mined[2].features) == 0


def test_evaluate_prints_recall_alarms_and_turns(sample, folder):
    arguments = ["detector", "evaluate", str(sample), "--folder", str(folder), "--every", "15"]
    result = CliRunner().invoke(cli, [*arguments, "--detectors", "dlib,fast"])
    assert result.exit_code == 0, result.output
    assert "| frame rate, dlib = 1 |" in result.stdout
    assert "| textures | 60 |" in result.stdout
    turned = CliRunner().invoke(
        cli, [*arguments, "--detectors", "dlib", "--turns", "90", "--no-faceless"]
    )
    assert turned.exit_code == 0, turned.output
    assert {"| -90 |", "| 0 |", "| 90 |"} <= {
        line[: line.index("|", 1) + 1] for line in turned.stdout.splitlines() if "|" in line
    }
    info = CliRunner().invoke(cli, ["detector", "info", "--folder", str(folder)])
    assert '"bytes"' in info.stdout


def test_evaluate_refuses_a_predictor_of_other_landmarks(sample, tmp_path):
    write_dat(random_predictor(points=5), tmp_path / "five.dat")
    arguments = ["detector", "evaluate", str(sample), "--detectors", "dlib", "--no-faceless"]
    result = CliRunner().invoke(cli, [*arguments, "-m", str(tmp_path / "five.dat")])
    assert result.exit_code == 2
    assert "predicts 5 landmarks, and 68 are needed here" in result.output


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"rounds": -1}, {"validation": 1.0}])
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(OptionError, match=next(iter(wrong))):
        build.DetectorOptions(**wrong)


def test_train_command_says_what_it_has_no_faces_for(tmp_path):
    result = CliRunner().invoke(cli, ["detector", "train", str(tmp_path), "-o", str(tmp_path)])
    assert result.exit_code == 2
    assert "Error" in result.output
