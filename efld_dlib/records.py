"""Annotated faces as data sets describe them, and the images that they are in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from .boxes import BoolArray, Box, FloatArray, Pose, annotated
from .landmarks import FACE_68, Scheme, correspondence, read_scheme


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
    scheme : Scheme
        What the landmarks are; the name of one that comes with the package will do.
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
    scheme: Scheme = FACE_68
    pose: Pose | None = None
    occluded: BoolArray | None = None
    copies: int = 1
    attributes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.scheme, str):
            object.__setattr__(self, "scheme", read_scheme(self.scheme))

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


def convert_points(points: FloatArray, scheme: Scheme, target: Scheme) -> FloatArray | None:
    """Landmarks of one scheme in the order of another; None if the schemes have nothing to do with
    each other (`landmarks.correspondence`).

    Parameters
    ----------
    points : array, shape (..., n, 2)

    Returns
    -------
    array, shape (..., m, 2), or None
        Landmarks that `scheme` lacks are NaN.
    """
    if scheme == target:
        return points
    pairs = correspondence(scheme, target)
    if pairs is None:
        return None
    converted = np.full((*points.shape[:-2], target.size, 2), np.nan)
    converted[..., list(pairs.values()), :] = points[..., list(pairs), :]
    return converted


def convert_face(face: FaceAnnotation, scheme: Scheme | str) -> FaceAnnotation:
    """The face with the landmarks of another scheme.

    Parameters
    ----------
    face : FaceAnnotation
    scheme : Scheme or str
        One that the face's scheme has to do with, see `landmarks.correspondence`.

    Returns
    -------
    FaceAnnotation
        Landmarks that the face's own scheme lacks are NaN, and not marked as occluded.

    Raises
    ------
    ValueError
        The schemes have nothing to do with each other.

    Examples
    --------
    AFLW has the corners of the eyes, and nothing between them:

    >>> face = FaceAnnotation(np.arange(42.0).reshape(21, 2), scheme="21")
    >>> convert_face(face, "68").points[[36, 37, 39]].tolist()
    [[12.0, 13.0], [nan, nan], [16.0, 17.0]]
    """
    target = read_scheme(scheme) if isinstance(scheme, str) else scheme
    if target == face.scheme:
        return face
    points = convert_points(face.points, face.scheme, target)
    if points is None:
        raise ValueError(f"no map from {face.scheme.title} to {target.title}")
    occluded = None
    if face.occluded is not None:
        hidden = convert_points(np.repeat(face.occluded[:, None], 2, 1), face.scheme, target)
        assert hidden is not None
        occluded = np.nan_to_num(hidden[:, 0]) > 0
    return replace(face, points=points, occluded=occluded, scheme=target)
