"""The pipeline: picture, detector, canonical crop, shape predictor, `Face`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..annotation import Box, FloatArray, Pose
from ..backend import load_dlib
from ..feature_vector import FEATURES, Feature, feature_names, features
from ..images import FACE_SIZE, ColorOrder, Image, ImageSource, canonical_crop, read_image, to_gray
from ..models.loading import load_predictor, require_68_points, resolve_model
from ..pose import estimate_pose
from .detectors import Detection, Detector
from .frame import default_box_map, square_box
from .pose_detector import PoseDetector
from .verifier import wrapped

MAX_PREDICTED_ROLL = 15.0
"""Degrees up to which a face is left as it stands: predictors are trained on such faces."""


@dataclass(frozen=True)
class Face:
    """A face that was found.

    Parameters
    ----------
    box : Box
        The detector's rectangle, in pixels of the upright photograph.
    score : float
        The detector's score; NaN where the caller gave the box.
    points : array, shape (68, 2)
        Landmarks in pixels of the photograph, with fractions; those of a turned head were predicted
        in a picture turned upright.
    pose : Pose
        Yaw, pitch and roll in degrees (signs: `efld_dlib.pose`).
    """

    box: Box
    score: float
    points: FloatArray
    pose: Pose

    def features(self, chosen: Sequence[Feature] = FEATURES) -> dict[str, float]:
        """The paper's distances, ratios and angles of this face, by name."""
        values = features(self.points, chosen)
        return dict(zip(feature_names(chosen), map(float, values), strict=True))


class FaceLandmarker:
    """Finds faces and their 68 landmarks, pose and features.

    Parameters
    ----------
    model : path or dlib.shape_predictor, optional
        A 68-point predictor; by default `efld_dlib.models.loading.DEFAULT_MODEL`.
    detector : Detector, optional
        What finds the boxes; by default `PoseDetector` in its fast mode.
    face_size : int
        Width in pixels to which a face box is scaled before the predictor sees it.

    Raises
    ------
    ModelFormatError
        The model is missing, is no shape predictor, or gives another number of landmarks.

    Examples
    --------
    >>> from efld_dlib import FaceLandmarker
    >>> faces = FaceLandmarker("build/efld.dat").detect("photo.jpg")  # doctest: +SKIP
    >>> faces[0].points[30]  # the nose tip  # doctest: +SKIP
    """

    def __init__(
        self,
        model: str | Path | Any | None = None,
        detector: Detector | None = None,
        face_size: int = FACE_SIZE,
    ) -> None:
        if model is None or isinstance(model, (str, Path)):
            path = resolve_model(model)
            model, name = load_predictor(path), str(path)
        else:
            name = "<predictor>"
        require_68_points(model, name)
        self.model_name = name
        self.predictor = model
        self.detector: Detector = detector if detector is not None else PoseDetector()
        self.face_size = face_size

    def detect(self, image: ImageSource, color: ColorOrder | None = None) -> list[Face]:
        """All faces of a picture, the surest first.

        Parameters
        ----------
        image : path, bytes or array
            As in `efld_dlib.images.read_image`; an EXIF orientation is honoured.
        color : {"rgb", "bgr", "gray"}, optional
            Channel order of an array.

        Returns
        -------
        list of Face

        Raises
        ------
        DataError, OptionError
            As `read_image`.
        """
        gray = to_gray(read_image(image, color))
        return [self._face(gray, detection) for detection in self.detector(gray)]

    def landmarks(
        self, image: ImageSource, boxes: Sequence[Box], color: ColorOrder | None = None
    ) -> list[Face]:
        """The faces in boxes that the caller knows, in their order.

        The boxes should be framed as dlib's frontal detector frames a face.
        """
        gray = to_gray(read_image(image, color))
        return [self._face(gray, Detection(box, float("nan"))) for box in boxes]

    def _face(self, gray: Image, detection: Detection) -> Face:
        points = predict_turned(self.predictor, gray, detection, self.face_size)
        return Face(detection.box, detection.score, points, estimate_pose(points))


def predict_turned(
    predictor: Any, gray: Image, detection: Detection, face_size: int = FACE_SIZE
) -> FloatArray:
    """Landmarks of a face at any roll, shape (n, 2), in pixels of the photograph.

    The face is turned upright by the detector's roll, where that is more than a predictor bears
    without loss, or by the roll of the landmarks, where they say that it is another. Then it is
    predicted once more, in the box that the landmarks found so far ask for: detectors frame a face
    less exactly than its landmarks do.
    """
    roll = detection.roll if abs(detection.roll) > MAX_PREDICTED_ROLL else 0.0
    points = predict_points(predictor, gray, detection.box, face_size, roll)
    if points.shape != (68, 2):
        return points
    seen = estimate_pose(points).roll
    if math.isfinite(seen) and abs(wrapped(seen - roll)) > MAX_PREDICTED_ROLL:
        roll = seen
        points = predict_points(predictor, gray, detection.box, face_size, roll)
    box = framed(points, roll)
    if not (np.isfinite(box).all() and box.width > 1):
        return points
    return predict_points(predictor, gray, box, face_size, roll)


def framed(points: FloatArray, roll: float) -> Box:
    """The box of a face turned upright, in the framing of dlib's frontal detector.

    Parameters
    ----------
    points : array, shape (68, 2)
        Landmarks in pixels of the photograph.
    roll : float
        By how many degrees the face is turned clockwise.

    Returns
    -------
    Box
        In the photograph, about the point about which `canonical_crop` turns it.
    """
    cosine, sine = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    upright = points @ np.array([[cosine, -sine], [sine, cosine]])
    box = default_box_map().predict(upright)
    x, y = box.center
    return square_box(cosine * x - sine * y, sine * x + cosine * y, box.width)


def predict_points(
    predictor: Any, gray: Image, box: Box, face_size: int = FACE_SIZE, roll: float = 0.0
) -> FloatArray:
    """Landmarks of the face in `box`.

    Parameters
    ----------
    predictor : dlib.shape_predictor
    gray : array of uint8, shape (height, width)
        The photograph.
    box : Box
        The face; it may reach over the photograph's edge.
    face_size : int
        Width in pixels to which the box is scaled for the predictor.
    roll : float
        By how many degrees the face is turned clockwise; the predictor sees it turned back.

    Returns
    -------
    array, shape (n, 2)
        Pixels of the photograph, finer than whole ones where the face is larger than `face_size`
        is not: dlib answers in whole pixels of the crop.
    """
    crop = canonical_crop(gray, box, face_size, roll=roll)
    left, top, width, height = (round(value) for value in crop.box)
    rectangle = load_dlib().rectangle(left, top, left + width - 1, top + height - 1)
    parts = predictor(crop.image, rectangle).parts()
    return crop.to_photograph(np.array([(part.x, part.y) for part in parts], dtype=np.float64))
