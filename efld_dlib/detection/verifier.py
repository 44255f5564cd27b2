"""Face or no face, and where exactly: a small network that looks at a candidate again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..annotation import Box
from ..images import Image
from .frame import square_box
from .gradients import SIDE, FeatureArray, gradient_features
from .scales import Scales

FACE_SIZE = 48
"""Width of the box in the picture that the network sees, in its pixels."""
CONTEXT = (SIDE - FACE_SIZE) / 2 / FACE_SIZE

ROLL_UNIT = 30.0
YAW_UNIT = 45.0
"""Degrees to which 1 stands in the network's outputs."""

OUTPUTS = 6
"""Score; shift in x and y over the box's width and logarithm of the ratio of the widths, in the
picture turned upright; roll that is left, and yaw."""

_MAX_SHIFT, _MAX_GROWTH, _MAX_TURN = 0.4, 0.5, 45.0

# Multiplications up to which OpenBLAS takes one thread, and rows that are multiplied together.
_SMALL_PRODUCT, _SMALL_VECTOR_PRODUCT, _ROWS = 1 << 18, 9000, 16


class Candidate(NamedTuple):
    """A place where a face may be.

    Parameters
    ----------
    box : Box
        Square, in the framing of dlib's frontal detector, of the face turned upright about the
        box's centre.
    roll : float
        By how many degrees the face is turned clockwise in the picture.
    """

    box: Box
    roll: float


@dataclass(frozen=True)
class Verifier:
    """Layers of a network with rectified units between them.

    Parameters
    ----------
    weights, biases : tuple of arrays
        From the features of `gradients` to `OUTPUTS` numbers.
    """

    weights: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]

    def outputs(self, features: FeatureArray) -> FeatureArray:
        """The network's outputs, shape (n, OUTPUTS), for features of shape (n, FEATURES)."""
        values = features
        last = len(self.weights) - 1
        for number, (weights, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            values = _product(values, weights) + bias
            if number < last:
                np.maximum(values, 0, out=values)
        return values

    def look(self, gray: Image | Scales, candidates: Sequence[Candidate]) -> FeatureArray:
        """Outputs for places of a picture, shape (n, OUTPUTS)."""
        if not candidates:
            return np.empty((0, OUTPUTS), np.float32)
        return self.outputs(gradient_features(picture_of(gray, candidates)))


def _product(values: FeatureArray, weight: NDArray[np.float32]) -> FeatureArray:
    """`values @ weight`, in parts so small that a BLAS library takes one thread for each.

    Waking another one takes longer than all of these sums, and where the other cores are busy it
    takes a hundred times as long.
    """
    out = np.empty((len(values), weight.shape[1]), np.float32)
    for top in range(0, len(values), _ROWS):
        rows = values[top : top + _ROWS]
        # One row is a product with a vector, for which another limit holds.
        most = _SMALL_PRODUCT if len(rows) > 1 else _SMALL_VECTOR_PRODUCT
        step = max(1, most // (len(rows) * weight.shape[1]))
        parts = (
            rows[:, left : left + step] @ weight[left : left + step]
            for left in range(0, len(weight), step)
        )
        out[top : top + _ROWS] = sum(parts)
    return out


def picture_of(gray: Image | Scales, candidates: Sequence[Candidate]) -> Image:
    """What the network sees of each candidate, shape (n, SIDE, SIDE)."""
    scales = gray if isinstance(gray, Scales) else Scales(gray)
    return np.stack([scales.crop(each.box, FACE_SIZE, CONTEXT, each.roll) for each in candidates])


def moved(candidate: Candidate, output: NDArray[np.floating]) -> Candidate:
    """The candidate where the network says the face is."""
    box, roll = candidate
    shift = np.clip(output[1:3], -_MAX_SHIFT, _MAX_SHIFT) * box.width
    width = box.width * float(np.exp(np.clip(output[3], -_MAX_GROWTH, _MAX_GROWTH)))
    angle = np.radians(roll)
    x = shift[0] * np.cos(angle) - shift[1] * np.sin(angle)
    y = shift[0] * np.sin(angle) + shift[1] * np.cos(angle)
    turn = float(np.clip(output[4] * ROLL_UNIT, -_MAX_TURN, _MAX_TURN))
    center = box.center
    return Candidate(
        square_box(center[0] + float(x), center[1] + float(y), width), wrapped(roll + turn)
    )


def wrapped(degrees: float) -> float:
    """The angle in [-180, 180).

    Examples
    --------
    >>> wrapped(190.0), wrapped(-180.0), wrapped(180.0)
    (-170.0, -180.0, -180.0)
    """
    return (degrees + 180.0) % 360.0 - 180.0
