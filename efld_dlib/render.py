"""Drawing faces on pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from .annotation import Box, FloatArray, Pose
from .errors import DataError
from .files import atomic_path
from .images import Image

Colour = tuple[int, int, int]

POINT_COLOUR: Colour = (40, 230, 90)
BOX_COLOUR: Colour = (255, 190, 40)

# Sub-pixel drawing: OpenCV takes coordinates in units of 1/2**SHIFT pixel.
_SHIFT = 4


def draw_face(
    image: Image,
    points: FloatArray,
    box: Box | None = None,
    pose: Pose | None = None,
    colour: Colour = POINT_COLOUR,
) -> None:
    """Draw a face's landmarks, its box and its pose on a picture, in place.

    Parameters
    ----------
    image : array of uint8, shape (height, width, 3)
        RGB.
    points : array, shape (n, 2)
        Landmarks in pixels; NaN ones are left out.
    box : Box, optional
    pose : Pose, optional
        Written above the box, in degrees.
    colour : tuple of int
        RGB of the landmarks.
    """
    extent = float(np.nanmax(np.ptp(points, axis=0))) if np.isfinite(points).any() else 0.0
    if box is not None:
        extent = box.width
        corner = (round(box.left), round(box.top))
        opposite = (round(box.right), round(box.bottom))
        cv2.rectangle(image, corner, opposite, BOX_COLOUR, max(1, round(extent / 200)), cv2.LINE_AA)
    radius = max(1.2, extent / 110)
    for x, y in points[np.isfinite(points).all(axis=1)]:
        center = (round(x * 2**_SHIFT), round(y * 2**_SHIFT))
        cv2.circle(image, center, round(radius * 2**_SHIFT), colour, -1, cv2.LINE_AA, _SHIFT)
    if box is not None and pose is not None and np.isfinite(pose).all():
        text = f"yaw {pose.yaw:.0f} pitch {pose.pitch:.0f} roll {pose.roll:.0f}"
        scale = max(0.35, extent / 420)
        place = (round(box.left), max(12, round(box.top - 4 * scale - 2)))
        cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, BOX_COLOUR, 1, cv2.LINE_AA)


def to_rgb(image: Image) -> Image:
    """An RGB copy of a gray or RGB picture, to draw on."""
    if image.ndim == 2:
        return cast(Image, cv2.cvtColor(image, cv2.COLOR_GRAY2RGB))
    return image.copy()


def tile(images: Sequence[Image], columns: int, size: int = 200) -> Image:
    """A sheet of pictures, each fitted into a square of `size` pixels, row by row."""
    rows = -(-len(images) // columns)
    sheet = np.zeros((rows * size, columns * size, 3), np.uint8)
    for number, image in enumerate(images):
        scale = size / max(image.shape[:2])
        height, width = (max(1, round(side * scale)) for side in image.shape[:2])
        small = cv2.resize(to_rgb(image), (width, height), interpolation=cv2.INTER_AREA)
        top, left = number // columns * size, number % columns * size
        sheet[top : top + height, left : left + width] = small
    return sheet


def write_image(target: str | Path, image: Image) -> None:
    """Write an RGB or gray picture in the format that the suffix names, whole or not at all.

    Raises
    ------
    DataError
        The suffix names no format that OpenCV writes, or the file cannot be written.
    """
    pixels = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    try:
        good, data = cv2.imencode(Path(target).suffix, pixels)
    except cv2.error:
        good = False
    if not good:
        raise DataError(target, "cannot be written: its suffix names no picture format")
    with atomic_path(target) as temporary:
        temporary.write_bytes(data.tobytes())
