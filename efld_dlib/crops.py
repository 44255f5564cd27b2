"""The canonical crop: a face cut out at one size, as predictors see it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from .boxes import Box, FloatArray
from .errors import DataError
from .images import Image

FACE_SIZE = 200
"""Width of the face box in a canonical crop, in pixels of the crop."""

CONTEXT = 0.4
"""Picture kept around the face box on each side, as a fraction of the box's width."""

AVERAGE_BELOW = 0.75
"""Scale of a crop below which single pixels of the photograph no longer stand for it."""


@dataclass(frozen=True)
class Crop:
    """A face cut out at the canonical size.

    Parameters
    ----------
    image : array of uint8, shape (side, side)
        Gray pixels; what lies outside the photograph is black, as dlib itself sees it.
    matrix : array, shape (2, 3)
        Affine map from pixels of the photograph to pixels of the crop.
    box : Box
        The face box in the crop: always the same place and size.
    """

    image: Image
    matrix: FloatArray
    box: Box

    def to_photograph(self, points: FloatArray) -> FloatArray:
        """Points of the crop, shape (n, 2), in pixels of the photograph."""
        inverse = cast(FloatArray, cv2.invertAffineTransform(self.matrix))
        return points @ inverse[:, :2].T + inverse[:, 2]

    def from_photograph(self, points: FloatArray) -> FloatArray:
        """Points of the photograph, shape (n, 2), in pixels of the crop."""
        return points @ self.matrix[:, :2].T + self.matrix[:, 2]


def canonical_crop(
    gray: Image,
    box: Box,
    face_size: int = FACE_SIZE,
    context: float = CONTEXT,
    roll: float = 0.0,
    average_below: float = AVERAGE_BELOW,
    square: bool = True,
) -> Crop:
    """Cut the face in `box` out of a photograph and scale it so that the box is `face_size` wide.

    Working at one size makes a predictor's whole-pixel answers precise to a fraction of a pixel of
    a large photograph, and small and large faces look alike to it.

    Parameters
    ----------
    gray : array of uint8, shape (height, width)
        The photograph.
    box : Box
        The face, in the convention that the predictor was trained on.
    face_size : int
        Width of the box in the crop, in pixels.
    context : float
        Picture kept around the box on each side, as a fraction of its width.
    roll : float
        By how many degrees the face is turned clockwise in the photograph: the crop is turned back
        about the box's centre, so that the face stands upright in it.
    average_below : float
        Where the crop is smaller than so many times the photograph, pixels are averaged first.
    square : bool
        Whether the square about the box's centre that is as wide as the box is taken for it: a face
        looks the same whatever the height of its box. Otherwise the box itself is stretched to a
        square, as dlib's predictors see it.

    Raises
    ------
    DataError
        The box is empty or not finite, or the roll is not.

    Examples
    --------
    >>> crop = canonical_crop(np.zeros((100, 120), np.uint8), Box(20, 30, 40, 40))
    >>> crop.image.shape, crop.box
    ((360, 360), Box(left=80, top=80, width=200, height=200))
    >>> crop.to_photograph(np.array([[179.5, 179.5]])).round(6).tolist()
    [[39.5, 49.5]]
    """
    if not (all(map(math.isfinite, box)) and box.width > 0 and box.height > 0):
        raise DataError("<box>", f"{tuple(box)} is not a rectangle with an area")
    if not math.isfinite(roll):
        raise DataError("<box>", f"its roll, {roll}, is not an angle")
    across = face_size / box.width
    down = across if square else face_size / box.height
    border = round(context * face_size)
    side = face_size + 2 * border
    # The centre of the box goes to the centre of the crop.
    middle = (side - 1) / 2
    center_x, center_y = box.center
    cosine, sine = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    linear = np.array([[across * cosine, across * sine], [-down * sine, down * cosine]])
    matrix = np.column_stack([linear, middle - linear @ (center_x, center_y)])
    fine = max(1, math.ceil(average_below / min(across, down)))
    image = _warp_smoothly(gray, matrix, side, fine)
    return Crop(image, matrix, Box(border, border, face_size, face_size))


def _warp_smoothly(gray: Image, matrix: FloatArray, side: int, fine: int) -> Image:
    """Warp into a square of `side` pixels, each the average of `fine` x `fine`.

    The average is taken over the crop's own pixels, so that a face gives the same crop wherever in
    an image it lies.
    """
    # Pixel centres: u_fine = (u + 0.5) * fine - 0.5.
    finer = fine * matrix
    finer[:, 2] += (fine - 1) / 2
    warped = cv2.warpAffine(gray, finer, (fine * side, fine * side), flags=cv2.INTER_LINEAR)
    if fine > 1:
        warped = cv2.resize(warped, (side, side), interpolation=cv2.INTER_AREA)
    return cast(Image, warped)
