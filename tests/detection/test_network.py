"""The networks as OpenCV runs them: decoding, suppression, files, threads, processes."""

import lzma
import multiprocessing
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files

import cv2
import numpy as np
import pytest

from efld_dlib.boxes import Box, RotatedBox
from efld_dlib.detection.network import (
    CELL_OUTPUTS,
    DETECTOR_FILE,
    LANDMARK_FILE,
    Found,
    LandmarkNetwork,
    Network,
    decode,
    joined,
    surest,
)
from efld_dlib.detection.network_detector import NetworkDetector
from efld_dlib.errors import DataError, ModelFormatError
from efld_dlib.images import to_gray


def levels(rows=8, columns=8):
    made = [np.zeros((CELL_OUTPUTS, rows // k, columns // k), np.float32) for k in (1, 2, 4)]
    for level in made:
        level[0] = -10
    return made


def found(*boxes):
    count = len(boxes)
    scores = np.linspace(0.9, 0.5, count)
    points, poses = np.zeros((count, 5, 2)), np.zeros((count, 3))
    return Found(np.array(boxes, float).reshape(-1, 3), scores, points, poses)


def test_a_cell_says_where_the_face_is():
    said = levels()
    # Of stride 16, column 2 and row 1: centre half a cell to the right, twice as wide as a cell.
    said[1][0, 1, 2], said[1][1, 1, 2], said[1][3, 1, 2] = 2.0, 0.5, np.log(2)
    said[1][4:6, 1, 2] = -0.25, 0.125
    said[1][14:17, 1, 2] = 0.5, -0.1, 0.2
    one = decode(said, 0.5)
    assert one.boxes == pytest.approx(np.array([[40, 16, 32]]), abs=1e-5)
    assert one.scores == pytest.approx([1 / (1 + np.exp(-2))])
    assert one.points[0, 0] == pytest.approx([28, 18])
    assert one.points[0, 1] == pytest.approx([32, 16])
    assert one.poses[0] == pytest.approx([45, -9, 18], abs=1e-5)


def test_only_scores_above_the_least_count_and_the_surest_comes_first():
    said = levels()
    said[0][0, 0, 0], said[0][0, 7, 7], said[2][0, 1, 1] = 1.0, -1.0, 3.0
    assert decode(said, 0.5).boxes[:, 0].tolist() == [32.0, 0.0]
    assert len(decode(said, 0.2).scores) == 3
    assert len(decode(levels(), 0.5).scores) == 0


def test_one_box_for_each_face():
    kept = surest(found((50, 50, 40), (53, 51, 42), (50, 60, 16), (120, 50, 40), (82, 50, 40)))
    # The second is the same face, the third a part of it; neighbours stay.
    assert kept.boxes[:, 0].tolist() == [50, 120, 82]


def test_lists_are_joined_in_the_order_of_their_scores():
    parts = [found((1, 1, 1), (2, 2, 2)), found(), found((3, 3, 3))]
    assert joined(parts).boxes[:, 0].tolist() in ([1, 3, 2], [3, 1, 2])


def test_boxes_are_moved_by_pixel_centres():
    moved = found((0, 0, 10)).moved((4.0, 4.0))
    assert moved.boxes.tolist() == [[1.5, 1.5, 40.0]]


def test_one_file_serves_images_of_any_size(astronaut):
    """The same face at the same place, whatever surrounds it."""
    gray = to_gray(astronaut)
    detector = NetworkDetector()
    (face,) = detector(gray)
    for height, width in ((300, 300), (257, 403), (512, 350)):
        (again,) = detector(np.ascontiguousarray(gray[:height, :width]))
        assert again.box.overlap(face.box) > 0.85


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (5, 3), (40, 2000)])
def test_odd_shapes_are_searched_too(shape):
    assert NetworkDetector()(np.zeros(shape, np.uint8)) == []


def test_colour_and_gray_images_give_the_same_faces(astronaut):
    from efld_dlib import FaceLandmarker

    landmarker = FaceLandmarker()
    (in_color,), (in_gray,) = (
        landmarker.detect(astronaut, "rgb"),
        landmarker.detect(to_gray(astronaut)),
    )
    assert in_color.box == in_gray.box


def test_threads_may_share_a_detector(astronaut):
    gray = to_gray(astronaut)
    images = [
        np.ascontiguousarray(gray[: 300 + 40 * (n % 3), : 400 + 30 * (n % 2)]) for n in range(12)
    ]
    detector = NetworkDetector()
    alone = [detector(image) for image in images]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(detector, images)) == alone


def _boxes_in_child(gray, queue):
    queue.put([found.box for found in NetworkDetector()(gray)])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
@pytest.mark.filterwarnings("ignore:This process")
def test_a_forked_process_finds_faces_too(astronaut):
    gray = to_gray(astronaut)
    expected = [each.box for each in NetworkDetector()(gray)]
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_boxes_in_child, args=(gray, queue))
    child.start()
    try:
        assert queue.get(timeout=60) == expected
        child.join(10)
        assert child.exitcode == 0
    finally:
        child.kill()


def test_a_pickled_network_is_its_name(astronaut):
    gray = to_gray(astronaut)
    detector = NetworkDetector()
    data = pickle.dumps(detector)
    assert len(data) < 1000
    assert pickle.loads(data)(gray) == detector(gray)


def test_files_that_are_no_networks_are_refused(tmp_path):
    with pytest.raises(DataError, match="missing"):
        Network(tmp_path / "missing" / DETECTOR_FILE)
    for name, data in {
        "empty": b"",
        "text": b"no network at all",
        "xz": lzma.compress(b"not ONNX"),
        "cut": lzma.compress(bytes(5000))[:40],
    }.items():
        file = f"{name}.onnx.xz"
        (tmp_path / file).write_bytes(data)
        with pytest.raises(ModelFormatError, match=name):
            Network(tmp_path / file)


def test_networks_that_were_mixed_up_are_told(tmp_path):
    folder = files("efld_dlib.data") / "network"
    (tmp_path / DETECTOR_FILE).write_bytes((folder / LANDMARK_FILE).read_bytes())
    (tmp_path / LANDMARK_FILE).write_bytes((folder / DETECTOR_FILE).read_bytes())
    gray = np.zeros((64, 64), np.uint8)
    with pytest.raises(ModelFormatError, match="other outputs than a face network"):
        NetworkDetector(networks=tmp_path)(gray)
    with pytest.raises(ModelFormatError, match="other outputs than a landmark network"):
        LandmarkNetwork(tmp_path).look(gray, RotatedBox(Box(10, 10, 40, 40), 0.0))


def test_the_networks_of_the_package_are_small():
    folder = files("efld_dlib.data") / "network"
    sizes = [len((folder / name).read_bytes()) for name in (DETECTOR_FILE, LANDMARK_FILE)]
    assert sum(sizes) <= 600_000


def test_faces_are_found_without_pytorch(tmp_path, astronaut):
    """Where importing torch or onnx fails, detection works as ever."""
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), astronaut[:, :, ::-1])
    script = (
        "import sys; sys.modules['torch'] = sys.modules['onnx'] = None\n"
        "from efld_dlib import FaceLandmarker\n"
        f"print(len(FaceLandmarker().detect({str(path)!r})))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("1", "")
