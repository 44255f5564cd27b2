"""Face detectors of other projects behind our interface, their boxes brought to our framing."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any, cast, get_args

import cv2
import numpy as np

from ..backend import load_dlib
from ..boxes import Box, to_box
from ..errors import DataError, ModelFormatError, OptionError
from ..files import read_input
from ..images import Image
from .detectors import Detection, Detector, FrontalDetector, Upsample, surest_first
from .framing import square_box
from .network_detector import Mode, NetworkDetector

SMALLEST_LBP = 60
"""Side in pixels of the smallest face that `lbp_detector` looks for."""


def lbp_detector(gray: Image) -> list[Detection]:
    """The faces that scikit-image's cascade of local binary patterns finds: frontal ones."""
    side = min(gray.shape)
    if side < SMALLEST_LBP:
        return []
    found = _cascade().detect_multi_scale(
        img=gray,
        scale_factor=1.2,
        step_ratio=1,
        min_size=(SMALLEST_LBP, SMALLEST_LBP),
        max_size=(side, side),
    )
    return [
        Detection(Box(each["c"], each["r"], each["width"], each["height"]), math.nan)
        for each in found
    ]


@lru_cache(maxsize=1)
def _cascade() -> Any:
    import skimage.data
    from skimage.feature import Cascade

    return Cascade(skimage.data.lbp_frontal_face_cascade_filename())  # type: ignore[no-untyped-call]


class DlibCnnDetector:
    """dlib's neural network, from its file ``mmod_human_face_detector.dat``.

    Parameters
    ----------
    model : path

    Raises
    ------
    DataError
        There is no such file.
    ModelFormatError
        dlib cannot read it.
    """

    def __init__(self, model: str | Path) -> None:
        _require_file(model)
        try:
            self.network = load_dlib().cnn_face_detection_model_v1(str(model))
        except (RuntimeError, MemoryError) as error:
            raise ModelFormatError(model, "is no detector network of dlib") from error

    def __call__(self, gray: Image) -> list[Detection]:
        found = self.network(cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB))
        return surest_first(Detection(to_box(each.rect), float(each.confidence)) for each in found)


class ObjectDetector:
    """dlib's HOG detector of anything, as ``efld-dlib train --detector`` makes it.

    Parameters
    ----------
    model : path
        A ``.svm`` file of `dlib.train_simple_object_detector`. The ``.svm.json`` that training
        wrote beside it may name further files, for things of other forms, which are run with it.
    threshold : float, optional
        Lowest score that counts; by default that of the ``.svm.json``, else 0.

    Raises
    ------
    DataError
        There is no such file.
    ModelFormatError
        dlib cannot read it.
    """

    def __init__(self, model: str | Path, threshold: float | None = None) -> None:
        self.model = Path(model)
        further, usual = about_object_detector(self.model)
        self.threshold = usual if threshold is None else threshold
        self.detectors = []
        for file in (self.model, *further):
            _require_file(file)
            try:
                self.detectors.append(load_dlib().fhog_object_detector(str(file)))
            except (RuntimeError, MemoryError) as error:
                raise ModelFormatError(file, "is no object detector of dlib") from error

    def __reduce__(self) -> Any:
        return type(self), (self.model, self.threshold)

    def __call__(self, gray: Image) -> list[Detection]:
        found: list[Detection] = []
        for detector in self.detectors:
            boxes, scores, _ = detector.run(gray, 0, self.threshold)
            found += map(Detection, map(to_box, boxes), map(float, scores))
        kept: list[Detection] = []
        for each in surest_first(found):
            if not any(each.box.overlap(other.box) > _SAME_THING for other in kept):
                kept.append(each)
        return kept


# Intersection over union above which two detections, of windows of different forms, are one thing.
_SAME_THING = 0.4


def about_object_detector(model: Path) -> tuple[list[Path], float]:
    """Further files of a detector, and its threshold, as the file beside it says."""
    # Without it, or with one of another making, dlib's own way holds.
    with suppress(DataError, ValueError, TypeError, KeyError):
        about = json.loads(read_input(model.with_name(f"{model.name}.json")))
        further = [model.with_name(Path(str(name)).name) for name in about["further"]]
        return further, float(about.get("threshold", 0.0))
    return [], 0.0


YUNET_SCORE = 0.6
"""Lowest score that counts of YuNet, between 0 and 1."""


class YunetDetector:
    """OpenCV's YuNet, from its file ``face_detection_yunet_*.onnx``.

    Parameters
    ----------
    model : path

    Raises
    ------
    DataError
        There is no such file.
    ModelFormatError
        OpenCV cannot read it, or it is another network.
    """

    def __init__(self, model: str | Path) -> None:
        _require_file(model)
        try:
            self.network = cv2.FaceDetectorYN.create(str(model), "", (320, 320), YUNET_SCORE)
            # Other networks are known only when they are run.
            self(np.zeros((320, 320), np.uint8))
        except cv2.error as error:
            raise ModelFormatError(model, f"is no YuNet ({error.err})") from error

    def __call__(self, gray: Image) -> list[Detection]:
        height, width = gray.shape
        self.network.setInputSize((width, height))
        _, found = self.network.detect(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR))
        detections = []
        for row in () if found is None else cast(Any, found):
            # Roll by the eyes; the subject's right one comes first.
            x, y = row[6:8] - row[4:6]
            roll = math.degrees(math.atan2(y, x))
            detections.append(Detection(to_box(row[:4]), float(row[14]), roll))
        return surest_first(detections)


def _require_file(model: str | Path) -> None:
    if not Path(model).is_file():
        raise DataError(model, "does not exist")


TABLE = "box_calibration.csv"


@dataclass(frozen=True)
class BoxCalibration:
    """Where dlib's frontal detector would put its box, seen from another detector's.

    Parameters
    ----------
    x, y : float
        Shift of the centre, as a fraction of the geometric mean of the box's sides.
    scale : float
        Width over that mean.

    Examples
    --------
    >>> BoxCalibration(0.0, 0.25, 1.5).apply(Box(10, 20, 20, 80))
    Box(left=-10.0, top=40.0, width=60.0, height=60.0)
    """

    x: float
    y: float
    scale: float

    def apply(self, box: Box) -> Box:
        """The square box in dlib's framing."""
        size = (box.width * box.height) ** 0.5
        center_x, center_y = box.center
        return square_box(center_x + self.x * size, center_y + self.y * size, self.scale * size)


@lru_cache
def calibration(name: str) -> BoxCalibration:
    """The calibration of one of `OTHERS` that ``tools/fit_calibration.py`` fitted."""
    text = files("efld_dlib.data").joinpath(TABLE).read_text(encoding="utf-8")
    known = {row["detector"]: row for row in csv.DictReader(text.splitlines())}
    return BoxCalibration(*(float(known[name][value]) for value in ("x", "y", "scale")))


def _calibrated(detector: Detector, known: BoxCalibration, gray: Image) -> list[Detection]:
    """What a detector finds, its boxes brought to dlib's framing."""
    return [found._replace(box=known.apply(found.box)) for found in detector(gray)]


OWN: tuple[str, ...] = get_args(Mode)
DETECTORS = (*OWN, "dlib", "dlib=TIMES", "lbp", "yunet=FILE.onnx", "dlib-cnn=FILE.dat", "FILE.svm")

OBJECT, OBJECT_SUFFIX = "svm", ".svm"
"""Kind and file of `ObjectDetector`."""

OTHERS: dict[str, Callable[[str], Detector]] = {
    "lbp": lambda _: lbp_detector,
    "yunet": YunetDetector,
    "dlib-cnn": DlibCnnDetector,
}
"""Detectors of other projects by their kind, made of what stands behind it."""


def make_detector(
    name: str, min_score: float | None = None, min_face: float | str | None = None
) -> Detector:
    """The detector of a name.

    Parameters
    ----------
    name : str
        One of `DETECTORS`. ``dlib=1`` doubles the image once before it is searched; ``dlib`` alone
        does so if nothing was found. The boxes of ``lbp``, ``yunet`` and ``dlib-cnn`` are
        calibrated; those of an object detector, of what it was trained on, are as they are.
    min_score : float, optional
        Lowest score that counts, of ``fast``, ``thorough`` (0 to 1), ``dlib`` and ``FILE.svm``.
    min_face : float or str, optional
        Smallest face of ``fast``, ``thorough`` and ``dlib``, as `MinFace.parse` takes it.

    Raises
    ------
    OptionError
        Unknown detector, or unsupported option.
    DataError
        A file of the detector is missing; a `ModelFormatError` if it is damaged.

    Examples
    --------
    >>> make_detector("dlib=1")
    FrontalDetector(upsample=1, threshold=0.0, min_face=None)
    """
    if name in OWN:
        return NetworkDetector(cast(Mode, name), min_score, min_face)
    kind, _, file = name.partition("=")
    if kind == "dlib":
        times: Upsample = int(file) if file.isdecimal() else "auto"
        if name == "dlib" or times != "auto":
            return FrontalDetector(times, 0.0 if min_score is None else min_score, min_face)
    if name.endswith(OBJECT_SUFFIX) and min_face is None:
        return ObjectDetector(name.removeprefix(f"{OBJECT}="), min_score)
    given = {"a smallest face": min_face is not None, "a lowest score": min_score is not None}
    for option, is_given in given.items():
        if kind in OTHERS and is_given:
            raise OptionError(f"{', '.join((*OWN, 'dlib'))} take {option}, not '{name}'")
    if kind in OTHERS and bool(file) == (kind != "lbp"):
        return partial(_calibrated, OTHERS[kind](file), calibration(kind))
    raise OptionError(f"unknown detector '{name}'; choose from {', '.join(DETECTORS)}")
