"""Face detectors of other projects behind our interface, their boxes brought to our framing."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, cast, get_args

import cv2
import numpy as np

from ..backend import load_dlib
from ..boxes import Box
from ..errors import DataError, ModelFormatError, OptionError
from ..images import Image
from .detectors import Detection, Detector, FrontalDetector, Upsample
from .framing import square_box
from .network_detector import Mode, NetworkDetector


class LbpDetector:
    """scikit-image's cascade of local binary patterns, for frontal faces.

    Parameters
    ----------
    smallest : int
        Side of the smallest face in pixels.
    """

    def __init__(self, smallest: int = 60) -> None:
        self.smallest = smallest

    def __call__(self, gray: Image) -> list[Detection]:
        side = min(gray.shape)
        if side < self.smallest:
            return []
        found = _cascade().detect_multi_scale(
            img=gray,
            scale_factor=1.2,
            step_ratio=1,
            min_size=(self.smallest, self.smallest),
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
    upsample : int
        How often the picture is doubled.

    Raises
    ------
    DataError
        There is no such file.
    ModelFormatError
        dlib cannot read it.
    """

    def __init__(self, model: str | Path, upsample: int = 0) -> None:
        _require_file(model)
        try:
            self.network = load_dlib().cnn_face_detection_model_v1(str(model))
        except (RuntimeError, MemoryError) as error:
            raise ModelFormatError(model, "is no detector network of dlib") from error
        self.upsample = upsample

    def __call__(self, gray: Image) -> list[Detection]:
        found = self.network(cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB), self.upsample)
        return sorted(
            (
                Detection(
                    Box(
                        each.rect.left(),
                        each.rect.top(),
                        each.rect.width(),
                        each.rect.height(),
                    ),
                    float(each.confidence),
                )
                for each in found
            ),
            key=lambda detection: -detection.score,
        )


class YunetDetector:
    """OpenCV's YuNet, from its file ``face_detection_yunet_*.onnx``.

    Parameters
    ----------
    model : path
    threshold : float
        Lowest score, between 0 and 1.

    Raises
    ------
    DataError
        There is no such file.
    ModelFormatError
        OpenCV cannot read it, or it is another network.
    """

    def __init__(self, model: str | Path, threshold: float = 0.6) -> None:
        _require_file(model)
        try:
            self.network = cv2.FaceDetectorYN.create(str(model), "", (320, 320), threshold)
            # Other networks are known only when they are run.
            self(np.zeros((320, 320), np.uint8))
        except cv2.error as error:
            raise ModelFormatError(model, f"is no YuNet ({error.err})") from error

    def __call__(self, gray: Image) -> list[Detection]:
        height, width = gray.shape
        self.network.setInputSize((width, height))
        _, found = self.network.detect(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR))
        rows = np.empty((0, 15)) if found is None else cast(Any, found)
        detections = [
            Detection(Box(*(float(value) for value in row[:4])), float(row[14]), _roll(row))
            for row in rows
        ]
        return sorted(detections, key=lambda detection: -detection.score)


def _roll(row: Any) -> float:
    """Roll in degrees by the eyes, of which YuNet gives the subject's right one first."""
    x, y = row[6:8] - row[4:6]
    return math.degrees(math.atan2(y, x))


def _require_file(model: str | Path) -> None:
    if not Path(model).is_file():
        raise DataError(model, "does not exist")


TABLE = "box_calibration.csv"
MIN_PAIRS = 10


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


def fit_calibration(boxes: Sequence[Box], wanted: Sequence[Box]) -> BoxCalibration:
    """The calibration that takes a detector's `boxes` to those `wanted`, by medians.

    Parameters
    ----------
    boxes, wanted : sequence of Box
        Of the same faces in the same order; the latter square.

    Raises
    ------
    DataError
        There are fewer than `MIN_PAIRS` pairs.
    """
    if len(boxes) < MIN_PAIRS:
        raise DataError("<boxes>", f"{len(boxes)} pairs of boxes are too few to fit a calibration")
    rows = []
    for box, target in zip(boxes, wanted, strict=True):
        size = (box.width * box.height) ** 0.5
        rows.append((*(np.subtract(target.center, box.center) / size), target.width / size))
    x, y, scale = np.median(rows, axis=0)
    return BoxCalibration(float(x), float(y), float(scale))


@lru_cache(maxsize=1)
def calibrations() -> dict[str, BoxCalibration]:
    """The calibrations that come with the toolkit, by detector (``tools/fit_calibration.py``)."""
    text = files("efld_dlib.data").joinpath(TABLE).read_text(encoding="utf-8")
    return {
        row["detector"]: BoxCalibration(float(row["x"]), float(row["y"]), float(row["scale"]))
        for row in csv.DictReader(text.splitlines())
    }


def calibration(name: str) -> BoxCalibration:
    """The calibration of a detector.

    Raises
    ------
    OptionError
        Unknown detector.
    """
    known = calibrations()
    if name not in known:
        raise OptionError(
            f"there is no calibration of the boxes of '{name}', only of {', '.join(known)}: fit "
            "one with python -m tools.fit_calibration"
        )
    return known[name]


@dataclass(frozen=True)
class CalibratedDetector:
    """A detector whose boxes are brought to dlib's framing.

    Parameters
    ----------
    detector : Detector
    calibration : BoxCalibration
    """

    detector: Detector
    calibration: BoxCalibration

    def __call__(self, gray: Image) -> list[Detection]:
        return [
            found._replace(box=self.calibration.apply(found.box)) for found in self.detector(gray)
        ]


OWN: tuple[str, ...] = get_args(Mode)
DETECTORS = (*OWN, "dlib", "dlib=TIMES", "lbp", "yunet=FILE.onnx", "dlib-cnn=FILE.dat")

_OTHERS: dict[str, Callable[[str], Detector]] = {
    "lbp": lambda _: LbpDetector(),
    "yunet": YunetDetector,
    "dlib-cnn": DlibCnnDetector,
}


def make_detector(
    name: str,
    min_score: float | None = None,
    min_face: float | str | None = None,
) -> Detector:
    """The detector of a name.

    Parameters
    ----------
    name : str
        One of `DETECTORS`. ``dlib=1`` doubles the image once before it is searched; ``dlib`` alone
        does so if nothing was found. The boxes of ``lbp``, ``yunet`` and ``dlib-cnn`` are
        calibrated.
    min_score : float, optional
        Lowest score that counts, of ``fast``, ``thorough`` (0 to 1) and ``dlib``.
    min_face : float or str, optional
        Smallest face of ``fast``, ``thorough`` and ``dlib``, as `MinFace.parse` takes it.

    Raises
    ------
    OptionError
        Unknown detector, unsupported option, or no calibration for its boxes.
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
    given = {"a smallest face": min_face is not None, "a lowest score": min_score is not None}
    for option, is_given in given.items():
        if kind in _OTHERS and is_given:
            raise OptionError(f"{', '.join((*OWN, 'dlib'))} take {option}, not '{name}'")
    if kind in _OTHERS and bool(file) == (kind != "lbp"):
        return CalibratedDetector(_OTHERS[kind](file), calibration(kind))
    raise OptionError(f"unknown detector '{name}'; choose from {', '.join(DETECTORS)}")


def is_own(detector: Detector) -> bool:
    """Whether it is the toolkit's, whose networks saw pictures that are for research alone."""
    return isinstance(detector, NetworkDetector)
