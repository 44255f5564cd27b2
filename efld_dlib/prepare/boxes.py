"""The box of each training face: the run-time detector's, or the one it would have given.

A predictor's points shift when its boxes at run time are framed otherwise than in training, so it
is trained on the detector's own. Where the detector misses a face, a linear map from landmarks to
box, fitted on the faces it found, says what its box would have been.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from ..annotation import Box, FaceAnnotation, FloatArray, annotated

MIN_FACES_TO_FIT = 50
"""With fewer matched faces than this, `default_box_map` is used instead of a fitted map."""

MIN_POINTS = 5
"""A face with fewer landmarks is rejected: its place and size are too uncertain."""

MAX_CENTER_RESIDUAL = 0.2
"""A matched box whose centre is further from the map's than this fraction of its width is one
that sits wrongly (half a face, or a face and its beard), and is replaced by the map's."""

MAX_SIZE_RATIO = 1.35
"""Likewise for a matched box wider or narrower than the map's by this factor."""


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
        moved = _similarity(self.mean_shape[given], points[given], self.mean_shape)
        return np.where(given[:, None], points, moved)


def square_box(center_x: float, center_y: float, width: float) -> Box:
    """The square box of that centre and width."""
    return Box(center_x - (width - 1) / 2, center_y - (width - 1) / 2, width, width)


def normalise(points: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Landmarks about their centroid in units of their RMS radius; the centroid; the radius."""
    center = points.mean(axis=0)
    size = float(np.sqrt(((points - center) ** 2).sum(axis=1).mean()))
    return (points - center) / size, center, size


def _similarity(source: FloatArray, target: FloatArray, moved: FloatArray) -> FloatArray:
    """`moved` under the least-squares similarity that takes `source` to `target`; all (n, 2)."""
    complex_source = source @ [1, 1j]
    complex_target = target @ [1, 1j]
    a, b = complex_source.mean(), complex_target.mean()
    spread = np.vdot(complex_source - a, complex_source - a).real
    factor = np.vdot(complex_source - a, complex_target - b) / spread if spread else 0
    result = factor * (moved @ [1, 1j] - a) + b
    return np.column_stack([result.real, result.imag])


def fit_box_map(points: FloatArray, boxes: Sequence[Box], penalty: float = 5.0) -> BoxMap:
    """Fit the map from landmarks to detector boxes by ridge regression.

    Parameters
    ----------
    points : array, shape (faces, n, 2)
        Landmarks of the matched faces, all annotated.
    boxes : sequence of Box
        The detector's box of each.
    penalty : float
        Ridge penalty on the landmarks' weights (not on the constant), in squared normalised units.
    """
    shapes, targets = [], []
    for face, box in zip(points, boxes, strict=True):
        shape, center, size = normalise(face)
        shapes.append(shape)
        targets.append((*((np.array(box.center) - center) / size), box.width / size))
    mean_shape = np.mean(shapes, axis=0)
    inputs = np.array(shapes).reshape(len(shapes), -1)
    outputs = np.array(targets)
    mean_output = outputs.mean(axis=0)
    centred = inputs - mean_shape.ravel()
    slopes = np.linalg.solve(
        centred.T @ centred + penalty * np.eye(inputs.shape[1]),
        centred.T @ (outputs - mean_output),
    )
    constant = mean_output - mean_shape.ravel() @ slopes
    return BoxMap(mean_shape, np.vstack([slopes, constant]))


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


@dataclass(frozen=True)
class BoxReport:
    """Where the training faces' boxes came from.

    Parameters
    ----------
    matched, predicted : int
        Faces with the detector's own box, and with the map's because the detector missed them.
    replaced : int
        Faces of the detector's box that sat wrongly and gave way to the map's.
    rejected : int
        Faces with too few landmarks to be used.
    """

    matched: int
    predicted: int
    replaced: int
    rejected: int

    def __str__(self) -> str:
        return (
            f"boxes: {self.matched} matched with the detector, {self.predicted} predicted from "
            f"landmarks (detector missed the face), {self.replaced} predicted (detector's box sat "
            f"wrongly), {self.rejected} faces rejected"
        )


def assign_boxes(
    faces: Sequence[FaceAnnotation], detected: Sequence[Box | None]
) -> tuple[list[Box | None], BoxReport]:
    """A box for each face.

    Parameters
    ----------
    faces : sequence of FaceAnnotation
        All training faces.
    detected : sequence of Box or None
        What `efld_dlib.detection.matching` found for each.

    Returns
    -------
    boxes : list of Box or None
        None = the face is rejected.
    report : BoxReport
    """
    usable = [int(face.given.sum()) >= MIN_POINTS for face in faces]
    pairs = [
        (face.points, box)
        for face, box, good in zip(faces, detected, usable, strict=True)
        if good and box is not None and face.given.all()
    ]
    if len(pairs) >= MIN_FACES_TO_FIT:
        box_map = fit_box_map(np.array([points for points, _ in pairs]), [box for _, box in pairs])
    else:
        box_map = default_box_map()
    boxes: list[Box | None] = []
    counts = {"matched": 0, "predicted": 0, "replaced": 0, "rejected": 0}
    for face, box, good in zip(faces, detected, usable, strict=True):
        kind, chosen = _choose(face, box, box_map) if good else ("rejected", None)
        boxes.append(chosen)
        counts[kind] += 1
    return boxes, BoxReport(**counts)


def _choose(face: FaceAnnotation, box: Box | None, box_map: BoxMap) -> tuple[str, Box | None]:
    predicted = box_map.predict(face.points)
    if not predicted.width > 0:
        return "rejected", None
    if box is None:
        return "predicted", predicted
    shift = np.hypot(*np.subtract(box.center, predicted.center)) / predicted.width
    ratio = max(box.width / predicted.width, predicted.width / box.width)
    if shift > MAX_CENTER_RESIDUAL or ratio > MAX_SIZE_RATIO:
        return "replaced", predicted
    return "matched", box
