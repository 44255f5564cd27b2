"""Fixtures that several test files share."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import skimage.io

from efld_dlib.datasets.w300 import read_w300
from efld_dlib.prepare.build import PrepareOptions, build_training_xml
from efld_dlib.prepare.rarity import Weighting
from efld_dlib.training.detector import DetectorOptions, train_detector
from efld_dlib.training.options import TrainingOptions
from efld_dlib.training.trainer import train
from tools.make_leaves import make_leaves
from tools.make_sample import make_sample
from tools.sample.folder import Plan

# OpenCV is not imported before the package is, which tells it the largest image to unpack.

PROJECT = Path(__file__).resolve().parent.parent

# Programs that the tests start keep their output back as at a user's shell, also where the machine
# asks every Python to write at once.
os.environ.pop("PYTHONUNBUFFERED", None)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder of the real data sets; tests that ask for it are marked ``data``."""
    given = os.environ.get("EFLD_DATA")
    root = Path(given) if given else PROJECT.parent / "shared" / "data"
    for name in ("300w", "aflw", "aflw2000", "formats"):
        if not (root / name).is_dir():
            pytest.skip(f"needs the real data: {root / name} is no folder (set EFLD_DATA)")
    return root


@pytest.fixture(scope="session")
def astronaut_pixels() -> np.ndarray:
    return skimage.data.astronaut()


@pytest.fixture
def astronaut(astronaut_pixels: np.ndarray) -> np.ndarray:
    """A photograph with one face, RGB, 512 x 512; a copy, so that a test may draw on it."""
    return astronaut_pixels.copy()


@pytest.fixture(scope="session")
def astronaut_file(astronaut_pixels: np.ndarray, tmp_path_factory) -> Path:
    """The same photograph as a file."""
    path = tmp_path_factory.mktemp("photo") / "astronaut.png"
    skimage.io.imsave(path, astronaut_pixels)
    return path


@pytest.fixture(scope="session")
def sample(tmp_path_factory):
    """A small tree of synthetic faces in 300-W's layout."""
    folder = tmp_path_factory.mktemp("sample") / "tree"
    make_sample(folder, Plan(faces=45, test_faces=10, seed=5), jobs=2)
    return folder


@pytest.fixture(scope="session")
def training_data(sample, tmp_path_factory):
    """What `prepare` makes of the sample: train.xml, validation.xml and crops."""
    folder = tmp_path_factory.mktemp("training_xml")
    options = PrepareOptions(variants=2, weighting=Weighting("none"), validation=0.2)
    build_training_xml(read_w300(sample), folder, options, jobs=1)
    return folder


@pytest.fixture(scope="session")
def tiny_model(training_data, tmp_path_factory):
    """A predictor trained on the sample within a second: right format, modest accuracy."""
    path = tmp_path_factory.mktemp("model") / "tiny.dat"
    train(
        training_data / "train.xml", path, TrainingOptions(5, 3, 20, oversampling_amount=5), jobs=1
    )
    return path


@pytest.fixture(scope="session")
def leaves(tmp_path_factory) -> Path:
    """Drawn leaves with eight points each: ``leaf.toml``, ``train.xml`` and ``test.xml``."""
    folder = tmp_path_factory.mktemp("leaves")
    make_leaves(folder, 40, 8)
    return folder


@pytest.fixture(scope="session")
def leaf_model(leaves, tmp_path_factory) -> Path:
    """A small predictor of them, with what is known of its points beside it."""
    path = tmp_path_factory.mktemp("leaf-model") / "leaf.dat"
    train(leaves / "train.xml", path, TrainingOptions(6, 3, 30, oversampling_amount=20), jobs=1)
    return path


@pytest.fixture(scope="session")
def leaf_detector(leaves, tmp_path_factory):
    """A detector of them, and what it finds of the test leaves."""
    target = tmp_path_factory.mktemp("leaf-detector") / "leaf.svm"
    options = DetectorOptions(epsilon=0.3)
    return train_detector(leaves / "train.xml", target, options, leaves / "test.xml")


@pytest.fixture
def made_up(monkeypatch):
    """The toolkit's detectors see one face in the corner of every image; notes what they are."""
    from efld_dlib.boxes import Box
    from efld_dlib.cli import network
    from efld_dlib.detection.detectors import Detection
    from tools.benchmarks import detection

    asked = []

    def own_detector(*options):
        asked.append(options)
        return lambda gray: [Detection(Box(0, 0, 20, 20), 0.75)]

    for module in (network, detection):
        monkeypatch.setattr(module, "own_detector", own_detector)
    return asked


@pytest.fixture
def empty(tmp_path):
    """A folder of images without a face."""
    folder = tmp_path / "empty"
    folder.mkdir()
    for number in range(10):
        gray = np.full((60, 80), 20 * number, np.uint8)
        skimage.io.imsave(folder / f"{number}.png", gray, check_contrast=False)
    return folder
