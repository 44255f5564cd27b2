"""Training itself, which needs PyTorch: the tests are skipped where it is not installed."""

import lzma

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from efld_dlib.detection.network import Network, decode, find_faces  # noqa: E402
from efld_dlib.errors import DataError, ModelFormatError  # noqa: E402
from efld_dlib.network.detector import train_detector  # noqa: E402
from efld_dlib.network.export import export, rounded  # noqa: E402
from efld_dlib.network.fitting import Course, Fit, FitOptions  # noqa: E402
from efld_dlib.network.landmarks import CropMaker, crops_of, train_landmarks  # noqa: E402
from efld_dlib.network.loss import face_loss, landmark_loss  # noqa: E402
from efld_dlib.network.mining import mark_unknown_faces, mistakes, search  # noqa: E402
from efld_dlib.network.model import CROP_OUTPUTS, FaceNetwork, LandmarkNetwork  # noqa: E402
from efld_dlib.network.scenes import Mistake  # noqa: E402

from .conftest import drawn_picture  # noqa: E402


def quiet(line):
    pass


def perfect_answers(cells=4):
    """Outputs that say what is wanted, and what is wanted: one face in the first cell."""
    face = torch.tensor([[1.0] + [0.0] * (cells - 1)])
    wanted = torch.full((1, cells, 17), float("nan"))
    wanted[0, 0] = torch.linspace(-0.5, 0.5, 17)
    outputs = torch.zeros((1, cells, 17))
    outputs[0, 0] = wanted[0, 0]
    outputs[..., 0] = -20.0
    outputs[0, 0, 0] = 20.0
    weight = face.clone()
    return outputs, face, torch.ones((1, cells)), wanted, torch.full((1, cells), 2.0), weight


def test_right_answers_cost_nothing():
    *answers, weight = perfect_answers()
    loss = face_loss(*answers, weight, torch.ones_like(weight))
    assert float(loss.total) == pytest.approx(0, abs=1e-6)


def test_rare_faces_and_wrong_poses_make_errors_of_points_dearer():
    outputs, *rest, weight = perfect_answers()
    outputs[0, 0, 4:14] += 0.5
    common = face_loss(outputs, *rest, weight, torch.ones_like(weight)).points
    rare = face_loss(outputs, *rest, weight, 3 * torch.ones_like(weight)).points
    assert float(rare) == pytest.approx(3 * float(common))
    outputs[0, 0, 14] += 60 / 90
    turned = face_loss(outputs, *rest, weight, torch.ones_like(weight)).points
    # 1 + (1 - cos 60 degrees), as PFLD weights it.
    assert float(turned) == pytest.approx(1.5 * float(common), rel=1e-5)


def test_points_that_nobody_annotated_cost_nothing():
    outputs, face, counts, wanted, size, weight = perfect_answers()
    wanted[0, 0, 4:14] = float("nan")
    outputs[0, 0, 4:14] = 99.0
    loss = face_loss(outputs, face, counts, wanted, size, weight, torch.ones_like(weight))
    assert float(loss.points) == 0


def test_landmark_loss_leaves_out_what_is_unknown():
    outputs = torch.zeros((2, CROP_OUTPUTS), requires_grad=True)
    points = torch.full((2, 68, 2), float("nan"))
    points[0, :10] = 0.1
    face = torch.tensor([1.0, float("nan")])
    score, landmarks = landmark_loss(outputs, face, points, torch.ones(2), 64)
    assert float(score.detach()) == pytest.approx(np.log(2))
    # 6.4 pixels: inside the wing, 8 * ln(1 + 6.4).
    assert float(landmarks.detach()) == pytest.approx(8 * np.log(7.4), rel=1e-5)
    (score + landmarks).backward()
    assert torch.isfinite(outputs.grad).all()


def fit(tmp_path, steps, name="run.pt", until=None):
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1))

    def batch(step):
        return (torch.from_numpy(np.random.default_rng(step).random((2, 1, 4, 4), np.float32)),)

    def loss(net, inputs):
        return {"total": (net(inputs[0]) - 1).square().mean()}

    own = Fit(network, batch, loss, FitOptions(steps, 2), tmp_path / name, quiet)
    own.run(until)
    return own


def test_an_interrupted_run_ends_as_if_it_had_not_been(tmp_path):
    whole = fit(tmp_path, 12, "whole.pt").finished().state_dict()
    fit(tmp_path, 12, "parts.pt", until=5)
    again = fit(tmp_path, 12, "parts.pt")
    assert again.step == 12
    for key, value in again.finished().state_dict().items():
        assert torch.equal(value, whole[key])


def test_checkpoints_of_others_are_refused(tmp_path):
    fit(tmp_path, 4)
    with pytest.raises(DataError, match="other options"):
        fit(tmp_path, 5)
    (tmp_path / "run.pt").write_bytes(b"no checkpoint")
    with pytest.raises(ModelFormatError, match="checkpoint"):
        fit(tmp_path, 4)


def test_both_networks_learn_and_run_through_opencv(tmp_path, pictures, grounds):
    """From pictures to files that OpenCV runs as PyTorch does, at sizes never seen in training."""
    course = Course(pictures, grounds, FitOptions(6, 2), tmp_path, quiet)
    network = train_detector(course)
    size = export(network, (1, 1, 96, 96), tmp_path / "faces.onnx.xz")
    assert size < 400_000
    image = cv2.GaussianBlur(np.random.default_rng(1).random((70, 130)), (0, 0), 2)
    image = (255 * image).astype(np.uint8)
    ours = find_faces(Network(tmp_path / "faces.onnx.xz"), image, 0.001)
    theirs = search(network, image, 0.001)
    assert len(ours.scores) == len(theirs.scores) > 0
    # The file's weights are rounded.
    assert ours.boxes[0] == pytest.approx(theirs.boxes[0], abs=1.0)

    network = train_landmarks(course, mistakes(network, list(grounds.values())))
    export(network, (1, 1, 64, 64), tmp_path / "landmarks.onnx.xz")
    pixels, points, faces = crops_of(pictures)
    with torch.inference_mode():
        theirs = network(torch.from_numpy(pixels)).numpy()
    ours = Network(tmp_path / "landmarks.onnx.xz")(pixels)[0]
    assert ours == pytest.approx(theirs, abs=0.05)
    assert points.shape == (len(faces), 68, 2)


def test_crops_without_a_face_show_what_the_face_network_took_for_one(pictures):
    ground = np.zeros((200, 200), np.uint8)
    ground[80:120, 80:120] = 255
    wrong = Mistake(0, np.array([100.0, 100.0, 40.0]), 20.0, 0.9)
    middles = []
    for made in ([], [wrong]):
        maker, rng = CropMaker(pictures, {"ground": ground}, made), np.random.default_rng(0)
        middles.append(np.mean([maker._ground(rng)[24:40, 24:40].mean() for _ in range(200)]))
    assert middles[1] > middles[0] + 80


def test_what_looks_like_a_face_beside_the_annotated_one_is_noted():
    class Sees(torch.nn.Module):
        """A network that sees a face of 20 pixels at cell (2, 3) of the finest level."""

        def forward(self, pixels):
            levels = [
                torch.zeros(1, 17, pixels.shape[2] // s, pixels.shape[3] // s) for s in (8, 16, 32)
            ]
            for level in levels:
                level[:, 0] = -9.0
            levels[0][0, 0, 3, 2] = 5.0
            levels[0][0, 3, 3, 2] = np.log(20 / 8)
            return levels

    found = decode([level[0].numpy() for level in Sees()(torch.zeros(1, 1, 64, 64))], 0.5)
    assert found.boxes.tolist() == [pytest.approx([16, 24, 20])]
    picture = drawn_picture()
    assert mark_unknown_faces(Sees(), [picture]) == 1
    assert picture.known
    assert picture.ignored[0] == pytest.approx([16, 24, 20])


def test_rounded_weights_pack_small(tmp_path):
    weights = np.random.default_rng(0).normal(0, 0.1, (64, 576)).astype(np.float32)
    out = rounded(weights)
    assert np.abs(out - weights).max() <= np.abs(weights).max() / 128
    assert len(lzma.compress(out.tobytes())) < 0.5 * len(lzma.compress(weights.tobytes()))


def test_landmark_network_has_one_output_for_each_coordinate():
    assert LandmarkNetwork().eval()(torch.zeros(2, 1, 64, 64)).shape == (2, CROP_OUTPUTS)
    levels = FaceNetwork().eval()(torch.zeros(1, 1, 64, 96))
    assert [tuple(level.shape[1:]) for level in levels] == [(17, 8, 12), (17, 4, 6), (17, 2, 3)]
