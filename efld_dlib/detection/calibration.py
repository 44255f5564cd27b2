"""Boxes of other detectors, brought to the framing that predictors are trained on."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np

from ..annotation import Box
from ..errors import DataError, OptionError
from ..images import Image
from .detectors import Detection, Detector
from .frame import square_box

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
        There is none.
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
