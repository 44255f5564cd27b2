"""Annotated faces as data sets describe them, and the images that they are in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .boxes import BoolArray, Box, FloatArray, Pose, annotated


class ByValue:
    """A data class whose objects are equal if their values are, NaN to NaN; they have no hash."""

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(_same(value, vars(other)[name]) for name, value in vars(self).items())

    __hash__ = None  # type: ignore[assignment]


def _same(value: Any, other: Any) -> bool:
    if value is None or other is None:
        return value is other
    if isinstance(value, np.ndarray | tuple | float):
        return np.array_equal(value, other, equal_nan=True)
    return bool(value == other)


@dataclass(frozen=True, eq=False)
class FaceAnnotation(ByValue):
    """A face as a data set describes it.

    Parameters
    ----------
    points : array of float64, shape (n, 2)
        x and y of each landmark of `scheme`, in pixels of the picture; NaN = not annotated.
    box : Box, optional
        The face's rectangle, where the data set or a detector gives one.
    scheme : str
        Name of the landmark scheme, a key of `efld_dlib.landmarks.SCHEMES`.
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
