"""How the run-time detector's boxes scatter about the landmarks, and boxes drawn like them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..boxes import Box, FloatArray
from ..detection.frame import BoxMap, square_box

# Scatter on the 1,905 faces of 300-W's training part that dlib's detector finds: standard deviation
# of the box's centre (fractions of its width) and of the logarithm of its width.
TYPICAL_SCATTER = np.diag([0.035, 0.045, 0.075]) ** 2


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

    def draw(self, points: FloatArray, rng: np.random.Generator, strength: float = 1.0) -> Box:
        """A box that the detector might give for landmarks of shape (n, 2)."""
        deviation = rng.multivariate_normal(np.zeros(3), strength**2 * self.covariance)
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


def fit_box_model(
    frame: BoxMap, points: Sequence[FloatArray], boxes: Sequence[Box], least: int = 50
) -> BoxModel:
    """The model of matched faces.

    Parameters
    ----------
    frame : BoxMap
    points : sequence of array, shape (n, 2)
        Landmarks of the matched faces.
    boxes : sequence of Box
        The detector's box of each.
    least : int
        With fewer faces the scatter is `TYPICAL_SCATTER`.
    """
    if len(boxes) < least:
        return BoxModel(frame, TYPICAL_SCATTER)
    deviations = [
        deviation_of(box, frame.predict(face)) for face, box in zip(points, boxes, strict=True)
    ]
    return BoxModel(frame, np.cov(np.array(deviations).T))
