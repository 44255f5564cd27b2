"""How dlib's frontal detector frames a face: from its landmarks to the box that it would give."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np

from ..boxes import Box, FloatArray, annotated
from ..landmarks import FACE_68
from ..records import FaceAnnotation, convert_points
from ..shapes import similarity
from .detectors import Detection

MIN_POINTS = 5
"""A face with fewer landmarks gets no box: its place and size are too uncertain."""


# Of a face seen from the side, dlib's box (measured on frontal faces): its width over the distance
# from the middle of the brow to the chin, and where on that way its centre lies.
PROFILE_WIDTH, PROFILE_CENTER = 1.13, 0.37
_CHIN, _BROWS = 8, slice(17, 27)
_SIDES = ((36, 48), (45, 54))

# If a face has no landmark in one of these parts, its tight box says little about its size.
_UPPER, _LOWER = (*range(17, 27), *range(36, 48)), (*range(5, 12), *range(48, 68))


@dataclass(frozen=True)
class BoxMap:
    """A linear map from landmarks to the detector's (square) box.

    Landmarks are taken relative to their centroid and in units of their root mean square distance
    from it, so the map commutes with shifting and scaling the picture.

    Parameters
    ----------
    mean_shape : array, shape (n, 2)
        Mean landmarks in those units; stands in for landmarks that are not annotated.
    weights : array, shape (2 n + 1, 3)
        From the flattened normalised landmarks and 1 to the box's centre (x, y) and width.
    """

    mean_shape: FloatArray
    weights: FloatArray

    def predict(self, points: FloatArray) -> Box:
        """The box for landmarks of shape (n, 2), in their pixels; NaN = not annotated."""
        shape, center, size = normalise(self.complete(points))
        x, y, width = np.append(shape.ravel(), 1.0) @ self.weights
        return square_box(center[0] + x * size, center[1] + y * size, width * size)

    def complete(self, points: FloatArray) -> FloatArray:
        """`points` with missing ones put where the mean shape, moved onto the rest, has them."""
        given = annotated(points)
        if given.all():
            return points
        moved = similarity(self.mean_shape[given], points[given], self.mean_shape)
        return np.where(given[:, None], points, moved)


def square_box(center_x: float, center_y: float, width: float) -> Box:
    """The square box of that centre and width, in pixels of which whole numbers are the centres.

    Examples
    --------
    >>> square_box(50, 50, 21)
    Box(left=40.0, top=40.0, width=21.0, height=21.0)
    """
    half = (float(width) - 1) / 2
    return Box(float(center_x) - half, float(center_y) - half, float(width), float(width))


def normalise(points: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Landmarks about their centroid in units of their RMS radius; the centroid; the radius."""
    center = points.mean(axis=0)
    size = float(np.sqrt(((points - center) ** 2).sum(axis=1).mean()))
    return (points - center) / size, center, size


@lru_cache(maxsize=1)
def default_box_map() -> BoxMap:
    """The mean frame of dlib's frontal detector on 300-W's training faces.

    The same centre and width for every face, in its normalised units; `tools/fit_default_box.py`
    made the file.
    """
    text = files("efld_dlib.data").joinpath("default_box.json").read_text(encoding="utf-8")
    data = json.loads(text)
    mean_shape = np.array(data["mean_shape"], dtype=np.float64)
    constant = [[*data["center"], data["width"]]]
    return BoxMap(mean_shape, np.vstack([np.zeros((mean_shape.size, 3)), constant]))


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


def is_usable(box: Box) -> bool:
    """Whether a box that landmarks ask for is one: finite, and wider than a pixel."""
    return bool(np.isfinite(box).all()) and box.width > 1


def true_box(face: FaceAnnotation, roll: float) -> Box | None:
    """The box in which dlib's frontal detector would frame an annotated face, if it saw it.

    Parameters
    ----------
    face : FaceAnnotation
        With the 68 landmarks.
    roll : float
        By how many degrees it is turned clockwise; NaN = unknown, and taken for upright.

    Returns
    -------
    Box or None
        Square; None if there are too few landmarks.
    """
    points = face.points
    if face.given.sum() < MIN_POINTS:
        return None
    brow = points[_BROWS][face.given[_BROWS]]
    # Of the hidden half the mean face would say the wrong thing.
    if is_half(face) and face.given[_CHIN] and len(brow):
        middle = brow.mean(axis=0)
        down = points[_CHIN] - middle
        width = PROFILE_WIDTH * float(np.hypot(*down))
        x, y = middle + PROFILE_CENTER * down
        box = square_box(x, y, width)
    else:
        box = framed(default_box_map().complete(points), roll if np.isfinite(roll) else 0.0)
    return box if is_usable(box) else None


def is_half(face: FaceAnnotation) -> bool:
    """Whether the head itself hides one half of a face with 68 landmarks."""
    left, right = (face.given[list(corners)].any() for corners in _SIDES)
    return bool(left != right)


MIN_OVERLAP = 0.35
"""Least intersection over union of a detection and a face's box to count as found."""


def match_detections(
    faces: Sequence[FaceAnnotation], detections: Sequence[Detection]
) -> list[Box | None]:
    """The detection that belongs to each face, each detection given away at most once.

    Pairs are made in order of their overlap with the tight box of the landmarks. If the head hides
    one half of a face, or its landmarks are all in the upper or all in the lower half, `true_box`
    is compared instead; for things that are no faces, the box in the data.
    """
    pairs = sorted(
        (
            (_box_of(face).overlap(detection.box), index, number)
            for index, face in enumerate(faces)
            if face.given.any()
            for number, detection in enumerate(detections)
        ),
        reverse=True,
    )
    matched: list[Box | None] = [None] * len(faces)
    taken: set[int] = set()
    for overlap, index, number in pairs:
        if overlap >= MIN_OVERLAP and matched[index] is None and number not in taken:
            matched[index] = detections[number].box
            taken.add(number)
    return matched


def _box_of(face: FaceAnnotation) -> Box:
    tight = Box.around(face.points)
    on_face = convert_points(face.points, face.scheme, FACE_68)
    if on_face is None:
        return face.box or tight
    whole = FaceAnnotation(on_face)
    both = all(whole.given[list(part)].any() for part in (_UPPER, _LOWER))
    if both and not (face.scheme == FACE_68 and is_half(whole)):
        return tight
    return true_box(whole, 0.0) or face.box or tight
