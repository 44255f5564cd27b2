"""Reading pictures, whatever their format, and cutting the canonical crop that predictors see."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from .annotation import Box, FloatArray
from .errors import DataError, OptionError
from .files import read_input
from .picture_size import MORE_PIXELS, too_large
from .png import still_png

Image = NDArray[np.uint8]
ColorOrder = Literal["rgb", "bgr", "gray"]
ImageSource = str | Path | bytes | NDArray[np.generic]

FACE_SIZE = 200
"""Width of the face box in a canonical crop, in pixels of the crop."""

CONTEXT = 0.4
"""Picture kept around the face box on each side, as a fraction of the box's width."""

AVERAGE_BELOW = 0.75
"""Scale of a crop below which single pixels of the photograph no longer stand for it."""

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm")


def read_image(source: ImageSource, color: ColorOrder | None = None) -> Image:
    """A picture as 8-bit RGB or gray, turned upright.

    Parameters
    ----------
    source : path, bytes or array
        A file, the bytes of one, or pixels of shape (height, width), (height, width, 1), (…, 3) or
        (…, 4). Arrays are unsigned whole numbers of 8 or 16 bit, floats between 0 and 1,
        or truth values.
    color : {"rgb", "bgr", "gray"}, optional
        Order of an array's channels; it cannot be guessed, so it is required for arrays of more
        than one channel. dlib, scikit-image and Pillow give RGB, OpenCV gives BGR. A fourth
        channel (alpha) is dropped.

    Returns
    -------
    array of uint8, shape (height, width) for gray input arrays, else (height, width, 3) in RGB

    Raises
    ------
    DataError
        The file is missing, empty, no picture, or one of more than `picture_size.MAX_PIXELS`; the
        array has another shape, type or range.
    OptionError
        The colour order of an array is not stated, or is not one of the three.

    Examples
    --------
    >>> read_image(np.array([[0.0, 1.0]])).tolist()
    [[0, 255]]
    >>> read_image(np.array([[[255, 0, 0]]], np.uint8), "bgr").tolist()
    [[[0, 0, 255]]]
    """
    if isinstance(source, np.ndarray):
        return _from_array(source, color)
    if isinstance(source, bytes):
        return _decode(source, "<bytes>")
    return _decode(read_input(source, pipes=True), source)


def _decode(data: bytes, name: str | Path) -> Image:
    if not data:
        raise DataError(name, "is empty")
    if problem := too_large(data):
        raise DataError(name, problem)
    try:
        # IMREAD_COLOR also turns the picture upright by its EXIF tag, and reduces it to 8 bit.
        decoded = cv2.imdecode(np.frombuffer(still_png(data), np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        if "MAX_IMAGE" in error.err:
            raise DataError(name, f"is too large; {MORE_PIXELS}") from error
        raise DataError(name, f"is not a picture that can be read ({error.err})") from error
    if decoded is None:
        raise DataError(name, "is not a picture, or a damaged one")
    return cast(Image, cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB))


def _from_array(pixels: NDArray[np.generic], color: ColorOrder | None) -> Image:
    if color not in (None, "rgb", "bgr", "gray"):
        raise OptionError(f"color must be 'rgb', 'bgr' or 'gray', not {color!r}")
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.size == 0 or pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,), (4,)):
        raise DataError(
            "<array>", f"shape {pixels.shape} is not (height, width) or (height, width, 3 or 4)"
        )
    image = _eight_bit(pixels)
    if image.ndim == 2:
        return image
    if color not in ("rgb", "bgr"):
        raise OptionError("an array with colours needs color='rgb' or color='bgr'")
    if color == "bgr":
        how = cv2.COLOR_BGR2RGB if image.shape[2] == 3 else cv2.COLOR_BGRA2RGB
        return cast(Image, cv2.cvtColor(image, how))
    return np.ascontiguousarray(image[:, :, :3])


def _eight_bit(pixels: NDArray[np.generic]) -> Image:
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels.astype(np.uint8, copy=False))
    if pixels.dtype.kind == "u" and pixels.dtype.itemsize == 2:  # of either byte order
        return (pixels.astype(np.uint32) // 257).astype(np.uint8)
    if pixels.dtype == np.bool_:
        return pixels.astype(np.uint8) * np.uint8(255)
    if np.issubdtype(pixels.dtype, np.floating):
        values = pixels.astype(np.float64)
        if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
            raise DataError("<array>", "float pixels must lie between 0 and 1")
        return np.rint(values * 255).astype(np.uint8)
    raise DataError(
        "<array>", f"pixels of type {pixels.dtype} are not unsigned 8 bit, 16 bit or float"
    )


def to_gray(image: Image) -> Image:
    """The 8-bit gray picture of an RGB or gray one, with the usual luma weights."""
    if image.ndim == 2:
        return image
    return cast(Image, cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))


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
        a, b, x, c, d, y = self.matrix.ravel().tolist()
        inverse = _as_matrix(_inverse((a, b, x, c, d, y)))
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
    require_area(box)
    if not math.isfinite(roll):
        raise DataError("<box>", f"its roll, {roll}, is not an angle")
    scale = face_size / box.width
    border = round(context * face_size)
    side = face_size + 2 * border
    # The centre of the box goes to the centre of the crop.
    middle = (side - 1) / 2
    center_x, center_y = box.center
    cosine, sine = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    a, b = scale * cosine, scale * sine
    affine = (
        a, b, middle - (a * center_x + b * center_y),
        -b, a, middle - (a * center_y - b * center_x),
    )  # fmt: skip
    image = _warp_smoothly(gray, affine, side, average_below)
    return Crop(image, _as_matrix(affine), Box(border, border, face_size, face_size))


def require_area(box: Box) -> None:
    """Refuse, with a `DataError`, a box that is empty or not finite."""
    if not (all(map(math.isfinite, box)) and box.width > 0 and box.height > 0):
        raise DataError("<box>", f"{tuple(box)} is not a rectangle with an area")


# An affine map as the six numbers of its matrix, row by row: for one point, numpy's calls take
# longer than the sums.
_Affine = tuple[float, float, float, float, float, float]


def _warp_smoothly(gray: Image, affine: _Affine, side: int, average_below: float) -> Image:
    """Warp into a square of `side` pixels, averaging where the image gets much smaller.

    The average is taken over the crop's own pixels, so that a face gives the same crop wherever in
    an image it lies.
    """
    scale = math.hypot(affine[0], affine[3])
    fine = max(1, math.ceil(average_below / scale))
    a, b, x, c, d, y = (fine * number for number in affine)
    # Pixel centres: u_fine = (u + 0.5) * fine - 0.5.
    half = (fine - 1) / 2
    matrix, sides = _as_matrix((a, b, x + half, c, d, y + half)), (fine * side, fine * side)
    warped = cv2.warpAffine(gray, matrix, sides, flags=cv2.INTER_LINEAR)
    if fine > 1:
        warped = cv2.resize(warped, (side, side), interpolation=cv2.INTER_AREA)
    return cast(Image, warped)


def _inverse(affine: _Affine) -> _Affine:
    """The affine map back."""
    a, b, x, c, d, y = affine
    area = a * d - b * c
    a, b, c, d = d / area, -b / area, -c / area, a / area
    return a, b, -(a * x + b * y), c, d, -(c * x + d * y)


def _as_matrix(affine: _Affine) -> FloatArray:
    return np.array(affine, dtype=np.float64).reshape(2, 3)
