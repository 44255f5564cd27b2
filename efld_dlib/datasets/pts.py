"""The `.pts` files of ibug's data sets: landmarks as text, counted from 1."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..boxes import FloatArray
from ..errors import DataError
from .base import FARTHEST, numbered_lines


def read_pts(path: str | Path, n_points: int = 68) -> FloatArray:
    """Landmarks of a `.pts` file.

    The header (``version: 1``, ``n_points: 68``, braces) may be missing. Coordinates in the file
    count from 1, so 1 is taken off.

    Parameters
    ----------
    path : path
        The file.
    n_points : int
        How many points it must hold.

    Returns
    -------
    array of float64, shape (n_points, 2)
        x and y in pixels, counted from 0.

    Raises
    ------
    DataError
        The file is missing, is not text, holds another number of points, or one that is not two
        finite numbers; names the line.
    """
    return read_rows(path, n_points) - 1.0


def read_rows(path: str | Path, n_points: int, separator: str | None = None) -> FloatArray:
    """The pairs of numbers of a `.pts` file or of a bare list of points, as they are written.

    `separator` stands between the two numbers; by default it is white space. The other parameters
    and the errors are those of `read_pts`.
    """
    points: list[tuple[float, float]] = []
    last_line = 0
    for number, text in numbered_lines(path):
        if text.split()[0] in "{}" or ":" in text:
            continue
        try:
            x, y = (float(word) for word in text.split(separator))
        except ValueError:
            raise DataError(path, f"expected two numbers, found {text.strip()!r}", number) from None
        if not (np.isfinite(x) and np.isfinite(y)):
            raise DataError(path, f"coordinate is not finite: {text.strip()!r}", number)
        if max(abs(x), abs(y)) > FARTHEST:
            raise DataError(path, f"is no place in a picture: {text.strip()!r}", number)
        points.append((x, y))
        last_line = number
    if len(points) != n_points:
        raise DataError(path, f"expected {n_points} points, found {len(points)}", last_line or None)
    return np.array(points, dtype=np.float64)
