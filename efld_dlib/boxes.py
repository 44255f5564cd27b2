"""Boxes and poses, in pixels and degrees: the values that everything else is made of.

Coordinates are pixels of the upright image, counted from 0 at the centre of its top left pixel,
x to the right and y down.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from .errors import OptionError

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def annotated(points: FloatArray) -> BoolArray:
    """Which of the landmarks, shape (..., 2), are given, that is finite: shape (...)."""
    return cast(BoolArray, np.isfinite(points).all(axis=-1))


class Pose(NamedTuple):
    """Head pose in degrees; the signs are explained in `efld_dlib.pose`."""

    yaw: float
    pitch: float
    roll: float


class Box(NamedTuple):
    """An upright rectangle in pixels; it may reach over the edge of the picture.

    `right` and `bottom` follow dlib: the last pixel that still belongs to the box.

    Examples
    --------
    >>> box = Box(left=10, top=20, width=100, height=50)
    >>> box.right, box.bottom, box.center
    (109, 69, (59.5, 44.5))
    >>> box.overlap(Box(60, 20, 100, 50))
    0.3333333333333333
    """

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """X of the last column that belongs to the box."""
        return self.left + self.width - 1

    @property
    def bottom(self) -> float:
        """Y of the last row that belongs to the box."""
        return self.top + self.height - 1

    @property
    def center(self) -> tuple[float, float]:
        """X and y of the middle, which is that of the first and the last pixel."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def overlap(self, other: Box) -> float:
        """Intersection over union with `other`, between 0 and 1."""
        width = min(self.right, other.right) - max(self.left, other.left) + 1
        height = min(self.bottom, other.bottom) - max(self.top, other.top) + 1
        if width <= 0 or height <= 0:
            return 0.0
        shared = width * height
        return shared / (self.width * self.height + other.width * other.height - shared)

    @classmethod
    def around(cls, points: FloatArray) -> Box:
        """The tight box of the points that are given (rows without NaN), shape (n, 2).

        Raises
        ------
        ValueError
            None of the points is given.

        Examples
        --------
        >>> Box.around(np.array([[3.0, 8.0], [np.nan, np.nan], [12.0, 4.0]]))
        Box(left=3.0, top=4.0, width=10.0, height=5.0)
        """
        given = points[annotated(points)]
        if not len(given):
            raise ValueError("no point is given")
        left, top = given.min(axis=0)
        right, bottom = given.max(axis=0)
        return cls(float(left), float(top), float(right - left + 1), float(bottom - top + 1))


class RotatedBox(NamedTuple):
    """Where a face is, or may be.

    Parameters
    ----------
    box : Box
        Square, in the framing of dlib's frontal detector, of the face turned upright about the
        box's centre.
    roll : float
        By how many degrees the face is turned clockwise in the image.
    """

    box: Box
    roll: float


class DlibRectangle(Protocol):
    """A `dlib.rectangle` or `dlib.drectangle`."""

    def left(self) -> float: ...
    def top(self) -> float: ...
    def width(self) -> float: ...
    def height(self) -> float: ...


BoxLike = Box | DlibRectangle | Sequence[float] | NDArray[Any]
_WHAT_IS_A_BOX = "a box is a Box, a dlib.rectangle, or the 4 numbers (left, top, width, height)"


def to_boxes(boxes: Iterable[BoxLike]) -> list[Box]:
    """The boxes in a sequence, in pixels: a rectangle of dlib or 4 numbers each will do.

    Raises
    ------
    OptionError
        It is no sequence, or something in it is no box.

    Examples
    --------
    >>> to_boxes([Box(1, 2, 30, 40), (5, 6, 70, 80)])
    [Box(left=1, top=2, width=30, height=40), Box(left=5.0, top=6.0, width=70.0, height=80.0)]
    """
    if isinstance(boxes, Box) or hasattr(boxes, "left"):
        raise OptionError("boxes must be a sequence: give a single box as [box]")
    if isinstance(boxes, str | bytes) or not isinstance(boxes, Iterable):
        raise OptionError(f"boxes must be a sequence, not {boxes!r}; {_WHAT_IS_A_BOX}")
    return [to_box(box) for box in boxes]


def to_box(box: Any) -> Box:
    """One box, as `to_boxes` takes it, with its error."""
    if isinstance(box, Box):
        return box
    try:
        if hasattr(box, "left"):
            return Box(box.left(), box.top(), box.width(), box.height())
        return Box(*map(float, box))
    except (TypeError, ValueError):
        raise OptionError(f"{_WHAT_IS_A_BOX}, not {box!r}") from None
