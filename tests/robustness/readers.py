"""Readers of the toolkit, run on a damaged file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dlib
import numpy as np

from efld_dlib.cli.model import _bytes
from efld_dlib.cli.options import split_setting
from efld_dlib.datasets.pts import PARTS_OF_68, read_pts
from efld_dlib.datasets.registry import DATASETS
from efld_dlib.detection.network import Network, find_faces
from efld_dlib.detection.registry import make_detector
from efld_dlib.geometry import parse_features
from efld_dlib.images import read_image
from efld_dlib.landmarks import FACE_68
from efld_dlib.models.information import describe
from efld_dlib.models.loading import load_arrays, load_predictor
from efld_dlib.models.subset import parse_points
from efld_dlib.prepare.augment import parse_augmentation
from efld_dlib.training.options import TrainingOptions, override_options
from efld_dlib.xml.check import check_xml
from efld_dlib.xml.image_state import picture_state
from efld_dlib.xml.read import read_xml

from .judge import Failure, judged
from .samples import small_picture

GRAY = np.ascontiguousarray(small_picture()[:, :, 0])


def picture(root: Path, path: Path) -> str:
    """The picture as `detect` reads it: 8 bit, RGB."""

    def read() -> None:
        image = read_image(path)
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise Failure(f"read as {image.dtype} of shape {image.shape}")

    return judged(read, (path.name,))


def picture_dlib(root: Path, path: Path) -> str:
    """What `xml check` says of it: a state, whatever it is."""
    state = picture_state(path)
    return "refused" if state.kind and not state.width else "read"


def pts(root: Path, path: Path) -> str:
    """Landmarks: the 68 or a part of them that is in use, finite."""

    def read() -> None:
        points = read_pts(path)
        given = np.isfinite(points).all(axis=1).sum()
        if points.shape != (68, 2) or given not in (68, *PARTS_OF_68):
            raise Failure("landmarks that are none")

    return judged(read, (path.name,))


def data_set(name: str, folder: str) -> Callable[[Path, Path], str]:
    """All records of a data set, stopped at the first that is wrong."""

    def run(root: Path, path: Path) -> str:
        def read() -> None:
            for record in DATASETS[name].records(root / folder):
                if not all(face.given.any() for face in record.faces):
                    raise Failure("a face without a landmark")

        return judged(read, (path.name, str(root / folder)))

    return run


def imglab(root: Path, path: Path) -> str:
    """Records of dlib's XML."""
    return judged(lambda: list(read_xml(path)), (path.name,))


def xml_check(root: Path, path: Path) -> str:
    """`xml check` in this process: nothing is raised, and what is fatal names the file."""

    def read() -> None:
        report = check_xml(path, jobs=1)
        if report.fatal is not None:
            raise report.fatal

    return judged(read, (path.name,))


def model(root: Path, path: Path) -> str:
    """A model as dlib runs it, as arrays, and what `model info` says of it."""

    def read() -> None:
        predictor = load_predictor(path)
        shape = predictor(GRAY, dlib.rectangle(5, 5, 94, 94))
        if load_arrays(path).points != shape.num_parts:
            raise Failure("two numbers of landmarks")
        describe(path)

    return judged(read, (path.name,))


def network(root: Path, path: Path) -> str:
    """A face network, unpacked and run."""
    return judged(lambda: find_faces(Network(path), GRAY, 0.5), (path.name,))


_PARSERS: tuple[Callable[[str], Any], ...] = (
    parse_features,
    lambda text: parse_points(text, FACE_68),
    parse_augmentation,
    lambda text: override_options(TrainingOptions(), dict([split_setting(text)])),
    _bytes,
    make_detector,
)


def options(root: Path, path: Path) -> str:
    """What is written on a command line in a language of its own."""
    lines = path.read_text("utf-8", "surrogateescape").split("\n")
    outcomes = [
        judged(lambda parse=parse, text=text: parse(text), ())  # type: ignore[misc]
        for parse, text in zip(_PARSERS, lines, strict=False)
    ]
    return "refused" if "refused" in outcomes else "read"
