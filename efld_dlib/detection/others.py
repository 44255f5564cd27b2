"""Face detectors of other projects behind our interface, with boxes as they give them."""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from ..annotation import Box
from ..backend import load_dlib
from ..errors import DataError, ModelFormatError
from ..images import Image
from .detectors import Detection


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
