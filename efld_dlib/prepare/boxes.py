"""How the run-time detector's boxes scatter about the landmarks, and boxes drawn like them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..boxes import Box, FloatArray
from ..detection.framing import MIN_POINTS, BoxMap, default_box_map, normalise, square_box
from ..records import FaceAnnotation

# Scatter on the 1,905 faces of 300-W's training part that dlib's detector finds: standard deviation
# of the box's centre (fractions of its width) and of the logarithm of its width.
TYPICAL_SCATTER = np.diag([0.035, 0.045, 0.075]) ** 2

MIN_FACES_TO_FIT = 50
"""With fewer matched faces than this, `default_box_map` and `TYPICAL_SCATTER` are used instead of
a fitted map and scatter."""

# Ridge penalty on the landmarks' weights (not on the constant), in squared normalised units.
_PENALTY = 5.0


@dataclass(frozen=True)
class BoxModel:
    """The detector's framing: where its box is to be expected, and how far off it may be.

    Parameters
    ----------
    frame : BoxMap
        From landmarks to the expected box.
    covariance : array, shape (3, 3)
        Of the detector's deviation from it: centre x and y as fractions of the expected width, and
        the logarithm of the width.
    """

    frame: BoxMap
    covariance: FloatArray

    def draw(self, points: FloatArray, rng: np.random.Generator) -> Box:
        """A box that the detector might give for landmarks of shape (n, 2)."""
        deviation = rng.multivariate_normal(np.zeros(3), self.covariance)
        return apply_deviation(self.frame.predict(points), deviation)

    def follow(self, box: Box, before: FloatArray, after: FloatArray) -> Box:
        """The box after the landmarks moved: framed as before, about where they are now."""
        return apply_deviation(
            self.frame.predict(after), deviation_of(box, self.frame.predict(before))
        )


def deviation_of(box: Box, expected: Box) -> FloatArray:
    """Shift in x and y over the expected width, and logarithm of the ratio of the widths.

    Examples
    --------
    >>> from efld_dlib.boxes import Box
    >>> deviation_of(Box(30, 10, 100, 100), Box(10, 10, 100, 100)).tolist()
    [0.2, 0.0, 0.0]
    """
    shift = np.subtract(box.center, expected.center) / expected.width
    return np.array([*shift, np.log(box.width / expected.width)])


def apply_deviation(expected: Box, deviation: FloatArray) -> Box:
    """The box that deviates so from the expected one; the inverse of `deviation_of`.

    Examples
    --------
    >>> from efld_dlib.boxes import Box
    >>> apply_deviation(Box(10, 10, 100, 100), np.array([0.2, 0.0, 0.0]))
    Box(left=30.0, top=10.0, width=100.0, height=100.0)
    """
    x, y = expected.center
    dx, dy, log_ratio = deviation
    return square_box(
        x + dx * expected.width, y + dy * expected.width, expected.width * float(np.exp(log_ratio))
    )


def fit_box_model(frame: BoxMap, points: Sequence[FloatArray], boxes: Sequence[Box]) -> BoxModel:
    """The model of matched faces; with few of them the scatter is `TYPICAL_SCATTER`.

    Parameters
    ----------
    frame : BoxMap
    points : sequence of array, shape (n, 2)
        Landmarks of the matched faces.
    boxes : sequence of Box
        The detector's box of each.
    """
    if len(boxes) < MIN_FACES_TO_FIT:
        return BoxModel(frame, TYPICAL_SCATTER)
    deviations = [
        deviation_of(box, frame.predict(face)) for face, box in zip(points, boxes, strict=True)
    ]
    return BoxModel(frame, np.cov(np.array(deviations).T))


MAX_CENTER_RESIDUAL = 0.2
"""A matched box whose centre is further from the map's than this fraction of its width is one
that sits wrongly (half a face, or a face and its beard), and is replaced by the map's."""

MAX_SIZE_RATIO = 1.35
"""Likewise for a matched box wider or narrower than the map's by this factor."""


def fit_box_map(points: FloatArray, boxes: Sequence[Box]) -> BoxMap:
    """Fit the map from landmarks to detector boxes by ridge regression.

    Parameters
    ----------
    points : array, shape (faces, n, 2)
        Landmarks of the matched faces, all annotated.
    boxes : sequence of Box
        The detector's box of each.
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
        centred.T @ centred + _PENALTY * np.eye(inputs.shape[1]),
        centred.T @ (outputs - mean_output),
    )
    constant = mean_output - mean_shape.ravel() @ slopes
    return BoxMap(mean_shape, np.vstack([slopes, constant]))


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
) -> tuple[list[Box | None], BoxReport, BoxMap]:
    """A box for each face.

    Parameters
    ----------
    faces : sequence of FaceAnnotation
        All training faces.
    detected : sequence of Box or None
        What `efld_dlib.detection.framing` found for each.

    Returns
    -------
    boxes : list of Box or None
        None = the face is rejected.
    report : BoxReport
    frame : BoxMap
        The map that the predicted boxes come from.
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
    return boxes, BoxReport(**counts), box_map


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
