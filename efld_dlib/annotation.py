"""The one representation of an annotated face that every part of the toolkit passes on.

Coordinates are pixels of the upright picture, counted from 0 at the centre of its top left pixel,
x to the right and y down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

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


@dataclass(frozen=True, eq=False)
class FaceAnnotation:
    """A face as a data set describes it.

    Parameters
    ----------
    points : array of float64, shape (n, 2)
        x and y of each landmark of `scheme`, in pixels of the picture; NaN = not annotated.
    box : Box, optional
        The face's rectangle, where the data set or a detector gives one.
    scheme : str
        Name of the landmark scheme, a key of `efld_dlib.scheme.SCHEMES`.
    pose : Pose, optional
        Head pose where it is known.
    occluded : array of bool, shape (n,), optional
        Landmarks that something hides; their place may be given all the same.
    copies : int
        How often the face is to be trained on: its sample weight.
    attributes : mapping of str to str
        Whatever else the data set says of the face.
    """

    points: FloatArray
    box: Box | None = None
    scheme: str = "68"
    pose: Pose | None = None
    occluded: BoolArray | None = None
    copies: int = 1
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def given(self) -> BoolArray:
        """Which landmarks are annotated, shape (n,)."""
        return annotated(self.points)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FaceAnnotation):
            return NotImplemented
        mine, theirs = self.occluded, other.occluded
        same_occlusion = (mine is None) == (theirs is None) and (
            mine is None or theirs is None or np.array_equal(mine, theirs)
        )
        return (
            same_occlusion
            and np.array_equal(self.points, other.points, equal_nan=True)
            and (self.box, self.scheme, self.pose, self.copies)
            == (other.box, other.scheme, other.pose, other.copies)
            and dict(self.attributes) == dict(other.attributes)
        )

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class ImageRecord:
    """A picture and the faces that are annotated in it.

    Parameters
    ----------
    path : Path
        The picture's file.
    faces : tuple of FaceAnnotation
        Its annotated faces.
    photograph : str
        Names the photograph that the picture shows. Pictures cut from one photograph share it, and
        a split into training and validation part keeps them together. Empty = the picture alone.
    """

    path: Path
    faces: tuple[FaceAnnotation, ...]
    photograph: str = ""
