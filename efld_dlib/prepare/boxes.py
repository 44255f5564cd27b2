"""The box of each training face: the run-time detector's, or the one it would have given.

A predictor's points shift when its boxes at run time are framed otherwise than in training, so it
is trained on the detector's own. Where the detector misses a face, a linear map from landmarks to
box, fitted on the faces it found, says what its box would have been.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..boxes import Box, FloatArray
from ..detection.frame import MIN_POINTS, BoxMap, default_box_map, normalise
from ..records import FaceAnnotation

MIN_FACES_TO_FIT = 50
"""With fewer matched faces than this, `default_box_map` is used instead of a fitted map."""

MAX_CENTER_RESIDUAL = 0.2
"""A matched box whose centre is further from the map's than this fraction of its width is one
that sits wrongly (half a face, or a face and its beard), and is replaced by the map's."""

MAX_SIZE_RATIO = 1.35
"""Likewise for a matched box wider or narrower than the map's by this factor."""


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
        What `efld_dlib.detection.matching` found for each.

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
