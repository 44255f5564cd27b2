"""The `.pts` files of ibug's data sets: landmarks as text, counted from 1."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..boxes import FloatArray
from ..errors import DataError
from ..landmarks import FACE_68, Scheme
from .base import FARTHEST, numbered_lines

_INNER_CORNERS = (60, 64)
PARTS_OF_68: dict[int, tuple[int, ...]] = {
    66: tuple(index for index in range(68) if index not in _INNER_CORNERS),
    51: tuple(range(17, 68)),
    49: tuple(index for index in range(17, 68) if index not in _INNER_CORNERS),
}
"""Which of the 68 a file of fewer points holds: without the jaw, without the inner mouth corners
(the frames of 300-VW and of its trackers), or without both."""


def read_pts(path: str | Path, scheme: Scheme = FACE_68) -> FloatArray:
    """Landmarks of a `.pts` file.

    The header (``version: 1``, ``n_points: 68``, braces) may be missing. Coordinates in the file
    count from 1, so 1 is taken off.

    Parameters
    ----------
    path : path
        The file.
    scheme : Scheme
        The landmarks. A file may have fewer of the 68 points, see `PARTS_OF_68`.

    Returns
    -------
    array of float64, shape (n, 2)
        x and y in pixels, counted from 0; NaN for one that the file has not.

    Raises
    ------
    DataError
        The file is missing, is not text, holds another number of points, or one that is not two
        finite numbers; names the line.
    """
    parts = PARTS_OF_68 if scheme == FACE_68 else {}
    found = read_rows(path, (scheme.size, *parts)) - 1.0
    points = np.full((scheme.size, 2), np.nan)
    points[list(parts.get(len(found), range(scheme.size)))] = found
    return points


def read_rows(
    path: str | Path, sizes: int | tuple[int, ...], separator: str | None = None
) -> FloatArray:
    """The pairs of numbers of a `.pts` file or of a bare list of points, as they are written.

    There must be as many as `sizes` says. `separator` stands between the two numbers; by default it
    is white space. The errors are those of `read_pts`.
    """
    sizes = (sizes,) if isinstance(sizes, int) else sizes
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
    if len(points) not in sizes:
        problem = f"expected {sizes[0]} points, found {len(points)}"
        raise DataError(path, problem, last_line or None)
    return np.array(points, dtype=np.float64)
