"""Distances, ratios and angles between landmarks: section 3.4 of the paper.

Every function takes one face, shape (68, 2), or many, shape (..., 68, 2), in pixels with y down,
and gives a float64 or an array of shape (...). What cannot be said is NaN: a landmark that is
missing (NaN), a ratio with nothing below the line, the direction of a line without length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from .boxes import FloatArray
from .scheme import (
    LEFT_EYE_OUTER,
    LEFT_MOUTH_CORNER,
    NOSE_TIP,
    RIGHT_EYE_OUTER,
    RIGHT_MOUTH_CORNER,
    SCHEMES,
)

# One face gives a scalar, several give an array; typed as Any because both compute alike.
Values: TypeAlias = Any

# A line goes from the mean of some landmarks to the mean of others; mostly from one to one.
Line = tuple[tuple[int, ...], tuple[int, ...]]

_SIZE = SCHEMES["68"].size


def line(start: int | tuple[int, ...], end: int | tuple[int, ...]) -> Line:
    """Line between two landmarks, or between the means of several."""
    return (
        start if isinstance(start, tuple) else (start,),
        end if isinstance(end, tuple) else (end,),
    )


EYE_LINE = line(LEFT_EYE_OUTER, RIGHT_EYE_OUTER)
MOUTH_LINE = line(LEFT_MOUTH_CORNER, RIGHT_MOUTH_CORNER)
NOSE_MOUTH_LINE = line(NOSE_TIP, (LEFT_MOUTH_CORNER, RIGHT_MOUTH_CORNER))


def as_faces(points: ArrayLike) -> FloatArray:
    """`points` as float64, after making sure of their shape (..., 68, 2)."""
    faces = np.asarray(points, dtype=np.float64)
    if faces.shape[-2:] != (_SIZE, 2):
        raise ValueError(f"points must have shape (..., {_SIZE}, 2), not {faces.shape}")
    return faces


def _end(faces: FloatArray, group: tuple[int, ...]) -> Values:
    if len(group) == 1:
        return faces[..., group[0], :]
    return faces[..., list(group), :].mean(axis=-2)


@np.errstate(all="ignore")
def _vector(faces: FloatArray, along: Line) -> FloatArray:
    """From a line's start to its end, shape (..., 2)."""
    start, end = (_end(faces, group) for group in along)
    # Adding zero makes -0 to 0, which keeps angles off -180.
    vector: FloatArray = end - start + 0.0
    return vector


@np.errstate(all="ignore")
def mean_length(faces: FloatArray, lines: Sequence[Line]) -> Values:
    """Mean length in pixels of some lines of each face, shape (...)."""
    vectors = [_vector(faces, along) for along in lines]
    lengths = [np.hypot(vector[..., 0], vector[..., 1]) for vector in vectors]
    return sum(lengths[1:], lengths[0]) / len(lengths)


@np.errstate(all="ignore")
def line_ratio(faces: FloatArray, above: Sequence[Line], below: Sequence[Line]) -> Values:
    """Mean length of some lines over that of others, shape (...); NaN over zero."""
    divisor = mean_length(faces, below)
    return mean_length(faces, above) / np.where(divisor > 0, divisor, np.nan)[()]


@np.errstate(all="ignore")
def line_angle(faces: FloatArray, along: Line) -> Values:
    """Direction of a line in degrees, as `angle` gives it, shape (...)."""
    vector = _vector(faces, along)
    x, y = vector[..., 0], vector[..., 1]
    return np.where((x == 0) & (y == 0), np.nan, np.degrees(np.arctan2(y, x)))[()]


@np.errstate(all="ignore")
def lines_angle(faces: FloatArray, first: Line, second: Line) -> Values:
    """Angle between two lines in degrees, as `angle_between` gives it, shape (...)."""
    a, b = _vector(faces, first), _vector(faces, second)
    cross = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    dot = a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1]
    return np.where((cross == 0) & (dot == 0), np.nan, np.degrees(np.arctan2(abs(cross), dot)))[()]


def distance(points: ArrayLike, i: int, j: int) -> Values:
    """Distance d_ij of two landmarks in pixels: the paper's eq. (1).

    Parameters
    ----------
    points : array, shape (..., 68, 2)
        Landmarks in pixels.
    i, j : int
        Landmarks, 0 to 67.

    Returns
    -------
    float64 or array, shape (...)

    Raises
    ------
    ValueError
        When `points` has another shape; so do all functions here that take points.

    Examples
    --------
    >>> points = np.full((68, 2), np.nan)
    >>> points[36], points[45] = (10, 20), (40, 60)
    >>> float(distance(points, 36, 45))
    50.0
    >>> faces = np.stack([points, 2 * points])
    >>> distance(faces, 36, 45).tolist()
    [50.0, 100.0]
    """
    return mean_length(as_faces(points), [line(i, j)])


def ratio(points: ArrayLike, i: int, j: int, k: int, l: int) -> Values:  # noqa: E741
    """Ratio r_ij,kl = d_ij / d_kl: the general form in the paper's section 3.4.

    Parameters
    ----------
    points : array, shape (..., 68, 2)
        Landmarks in pixels.
    i, j, k, l : int
        Landmarks, 0 to 67, named as in the paper.

    Returns
    -------
    float64 or array, shape (...)
        Without unit; NaN where landmarks k and l coincide.

    Examples
    --------
    >>> points = np.zeros((68, 2))
    >>> points[45], points[48] = (60, 0), (0, 40)
    >>> float(ratio(points, 36, 45, 30, 48))
    1.5
    """
    return line_ratio(as_faces(points), [line(i, j)], [line(k, l)])


def eye_distance(points: ArrayLike) -> Values:
    """Distance d_eye of the outer eye corners in pixels, shape (...): the paper's eq. (3)."""
    return mean_length(as_faces(points), [EYE_LINE])


def nose_mouth_distance(points: ArrayLike) -> Values:
    """Distance d_nose_mouth from the nose tip to the middle of the mouth corners: eq. (4).

    Parameters
    ----------
    points : array, shape (..., 68, 2)
        Landmarks in pixels.

    Returns
    -------
    float64 or array, shape (...)
        Pixels.
    """
    return mean_length(as_faces(points), [NOSE_MOUTH_LINE])


def eye_nose_mouth_ratio(points: ArrayLike) -> Values:
    """Ratio d_eye / d_nose_mouth, shape (...), the same at any size of the face: eq. (2)."""
    return line_ratio(as_faces(points), [EYE_LINE], [NOSE_MOUTH_LINE])


def angle(points: ArrayLike, i: int, j: int) -> Values:
    """Direction of the line from landmark i to landmark j in the picture.

    Parameters
    ----------
    points : array, shape (..., 68, 2)
        Landmarks in pixels.
    i, j : int
        Landmarks, 0 to 67.

    Returns
    -------
    float64 or array, shape (...)
        Degrees in (-180, 180], 0 along the picture's x axis. y points down, so a positive angle is
        clockwise as one sees it: 90 is straight down, and the line of the eyes of a frontal face
        has the angle of its roll. NaN where the landmarks coincide.

    Examples
    --------
    >>> points = np.zeros((68, 2))
    >>> points[45], points[8] = (50, 0), (0, 50)
    >>> float(angle(points, 36, 45)), float(angle(points, 27, 8))
    (0.0, 90.0)
    """
    return line_angle(as_faces(points), line(i, j))


def angle_between(points: ArrayLike, i: int, j: int, k: int, l: int) -> Values:  # noqa: E741
    """Angle between the directions i to j and k to l.

    Parameters
    ----------
    points : array, shape (..., 68, 2)
        Landmarks in pixels.
    i, j, k, l : int
        Landmarks, 0 to 67.

    Returns
    -------
    float64 or array, shape (...)
        Degrees in [0, 180], without a sign: 0 for the same direction, 180 for opposite ones. NaN
        where one of the pairs coincides.

    Examples
    --------
    >>> points = np.zeros((68, 2))
    >>> points[45], points[8] = (50, 0), (0, 50)
    >>> float(angle_between(points, 36, 45, 27, 8))
    90.0
    """
    return lines_angle(as_faces(points), line(i, j), line(k, l))
