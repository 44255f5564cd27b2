"""How the run-time detector's boxes scatter about the landmarks, and boxes drawn like them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..boxes import Box, FloatArray, annotated
from ..detection.framing import MIN_POINTS, BoxMap, default_box_map, normalise, square_box
from ..errors import OptionError
from ..records import FaceAnnotation
from ..shapes import mean_shape

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
        moved = apply_deviation(
            self.frame.predict(after), deviation_of(box, self.frame.predict(before))
        )
        return of_form(moved, box)


def of_form(box: Box, like: Box) -> Box:
    """A box of the same centre and width, as high for its width as `like`.

    Examples
    --------
    >>> of_form(Box(0, 0, 11, 11), Box(0, 0, 10, 20))
    Box(left=0, top=-5.5, width=11, height=22.0)
    """
    height = box.width * (like.height / like.width)
    return Box(box.left, box.center[1] - (height - 1) / 2, box.width, height)


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


MAX_CENTER_RESIDUAL = 0.2
"""A matched box whose centre is further from the map's than this fraction of its width is one
that sits wrongly (half a face, or a face and its beard), and is replaced by the map's."""

MAX_SIZE_RATIO = 1.35
"""Likewise for a matched box wider or narrower than the map's by this factor."""


BOX_KINDS = ("matched", "predicted", "replaced", "rejected")
"""Where a face's box came from: the detector's own; the map's because the detector missed the face,
or because its box sat wrongly; or none, with too few landmarks."""


def fit_box_map(matched: Sequence[tuple[FloatArray, Box]]) -> BoxMap:
    """Fit the map from landmarks to detector boxes by ridge regression.

    Parameters
    ----------
    matched : sequence of (array of shape (n, 2), Box)
        Landmarks, all annotated, and detector's box of each matched face.

    Returns
    -------
    BoxMap
        `default_box_map` with fewer than `MIN_FACES_TO_FIT`.
    """
    if len(matched) < MIN_FACES_TO_FIT:
        return default_box_map()
    shapes, targets = [], []
    for points, box in matched:
        shape, center, size = normalise(points)
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


def own_boxes(
    faces: Sequence[FaceAnnotation],
) -> tuple[list[Box | None], dict[str, int], BoxModel]:
    """As `assign_boxes`, of things that are framed as the data says: by its boxes, or else tightly
    about the points.
    """
    boxes = [(face.box or Box.around(face.points)) if face.given.any() else None for face in faces]
    counts = {
        "given": sum(bool(box and face.box) for face, box in zip(faces, boxes, strict=True)),
        "around": sum(bool(box) and not face.box for face, box in zip(faces, boxes, strict=True)),
        "rejected": boxes.count(None),
    }
    return boxes, counts, own_model([face.points for face in faces], boxes)


def detected_boxes(
    faces: Sequence[FaceAnnotation], detected: Sequence[Box | None]
) -> tuple[list[Box | None], dict[str, int], BoxModel]:
    """As `assign_boxes`, of things: where the detector missed one, its box is where it would lie on
    the mean.
    """
    model = own_model([face.points for face in faces], detected)
    found = [box for box in detected if box is not None]
    usual = Box(0, 0, 1, float(np.median([box.height / box.width for box in found] or [1.0])))
    boxes: list[Box | None] = []
    for face, box in zip(faces, detected, strict=True):
        if box is None and face.given.any():
            box = of_form(model.frame.predict(face.points), usual)
        boxes.append(box)
    rejected = boxes.count(None)
    counts = {
        "matched": len(found),
        "predicted": len(boxes) - len(found) - rejected,
        "replaced": 0,
        "rejected": rejected,
    }
    return boxes, counts, model


def own_model(shapes: Sequence[FloatArray], boxes: Sequence[Box | None]) -> BoxModel:
    """How boxes lie about landmarks of any scheme, on the mean.

    Parameters
    ----------
    shapes : sequence of array, shape (n, 2)
        NaN = not annotated.
    boxes : sequence of Box or None

    Raises
    ------
    OptionError
        The shapes have no size, as those of a single point.
    """
    known = [points for points in shapes if annotated(points).any()]
    if not known:
        return BoxModel(default_box_map(), TYPICAL_SCATTER)  # nothing is left to frame
    shape = _filled(mean_shape(np.array(known)))
    if not np.ptp(shape, axis=0).any():
        raise OptionError("points all in one place frame nothing: train on the XML as it is")
    mean, _, _ = normalise(shape)
    bare = BoxMap(mean, np.zeros((mean.size + 1, 3)))
    frames = []
    for points, box in zip(shapes, boxes, strict=True):
        if box is not None and annotated(points).any():
            _, center, size = normalise(bare.complete(points))
            if size > 0:
                frames.append((*((np.array(box.center) - center) / size), box.width / size))
    weights = bare.weights.copy()
    weights[-1] = np.mean(frames, axis=0) if frames else (0.0, 0.0, 2.0)
    return BoxModel(BoxMap(mean, weights), TYPICAL_SCATTER)


def _filled(shape: FloatArray) -> FloatArray:
    """A shape whose unknown landmarks are in its middle."""
    return np.where(annotated(shape)[:, None], shape, np.nanmean(shape, axis=0))


def assign_boxes(
    faces: Sequence[FaceAnnotation], detected: Sequence[Box | None]
) -> tuple[list[Box | None], dict[str, int], BoxModel]:
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
    counts : dict
        Number of faces of each of `BOX_KINDS`.
    model : BoxModel
        The map that the predicted boxes come from, and the scatter of the matched faces about it.
    """
    pairs = list(zip(faces, detected, strict=True))
    box_map = fit_box_map([(face.points, box) for face, box in pairs if box and face.given.all()])
    chosen = [_choose(face, box, box_map) for face, box in pairs]
    deviations = [
        deviation_of(box, box_map.predict(face.points))
        for face, (kind, box) in zip(faces, chosen, strict=True)
        if box and kind == "matched" and face.given.all()
    ]
    enough = len(deviations) >= MIN_FACES_TO_FIT
    scatter = np.cov(np.array(deviations).T) if enough else TYPICAL_SCATTER
    found = Counter(kind for kind, _ in chosen)
    counts = {kind: found[kind] for kind in BOX_KINDS}
    return [box for _, box in chosen], counts, BoxModel(box_map, scatter)


def _choose(face: FaceAnnotation, box: Box | None, box_map: BoxMap) -> tuple[str, Box | None]:
    if face.given.sum() < MIN_POINTS:
        return "rejected", None
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
