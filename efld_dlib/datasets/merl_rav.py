"""MERL-RAV: 68 landmarks of AFLW's faces, each with its visibility.

Kumar et al., "LUVLi Face Alignment", CVPR 2020, https://github.com/abhi1kumar/MERL-RAV_dataset. The
`.pts` files write a landmark that is seen as ``x y``; one that something hides as ``-x -y``, its
place being known; and one that the face itself hides as ``-1 -1``, its place being unknown.

A landmark may also lie outside the picture and have a negative coordinate for that. Of the two
readings of a pair with one minus sign (seen there, or hidden at the place opposite) the one nearer
to the picture is taken; in the 1,871 faces at hand that agrees with the neighbouring landmarks in
all 144 cases. A pair with two minus signs is always read as hidden.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from ..boxes import BoolArray, FloatArray
from ..errors import DataError
from ..records import FaceAnnotation, ImageRecord
from .base import Entries, Pictures, aflw_photograph, files_below, find_picture, reader
from .pts import read_rows


@reader
def read_merl_rav(
    root: Path, hidden: Literal["keep", "drop"] = "keep", pictures: str | Path | None = None
) -> Iterator[Entries]:
    """Faces of MERL-RAV, sorted by path.

    Parameters
    ----------
    root : path
        Folder with the `.pts` files, themselves or further down.
    hidden : {"keep", "drop"}
        Whether landmarks that something else than the face hides keep their place. Those that the
        face itself hides have none, and are NaN in any case.
    pictures : path, optional
        Folder with AFLW's pictures; by default each lies beside its `.pts`.

    Yields
    ------
    ImageRecord
        One picture with one face; `occluded` marks both kinds of hidden landmarks.

    Raises
    ------
    DataError
        `root` is no folder; or a `.pts` is wrong or has no picture, in a run without `problems`.
    """
    elsewhere = None if pictures is None else Pictures(pictures)
    read_one = partial(_read_face, drop=hidden == "drop", elsewhere=elsewhere)
    yield Entries("MERL-RAV", files_below(root, ".pts"), read_one)


def _read_face(pts: Path, drop: bool, elsewhere: Pictures | None) -> ImageRecord:
    points, occluded = decode_visibility(read_rows(pts, 68))
    if drop:
        points = np.where(occluded[:, None], np.nan, points)
    photograph = aflw_photograph(pts.stem)
    face = FaceAnnotation(points, occluded=occluded)
    return ImageRecord(_picture(pts, photograph, elsewhere), (face,), photograph)


def decode_visibility(rows: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Landmarks in pixels counted from 0 and which are hidden, from the pairs of a `.pts` file.

    Parameters
    ----------
    rows : array, shape (n, 2)
        As they are written, counted from 1.

    Returns
    -------
    points : array, shape (n, 2)
        NaN where the face itself hides a landmark.
    occluded : array of bool, shape (n,)
        Hidden by the face or by something else.

    Examples
    --------
    Seen, hidden by something, and hidden by the face itself:

    >>> points, occluded = decode_visibility(np.array([[10.0, 21], [-30, -41], [-1, -1]]))
    >>> points.tolist(), occluded.tolist()
    ([[9.0, 20.0], [29.0, 40.0], [nan, nan]], [False, True, True])
    """
    away = (rows == -1.0).all(axis=1)
    # For one minus sign: by how much the landmark would lie outside if it is seen, and if hidden.
    hidden = (rows < 0).all(axis=1) | (-rows.min(axis=1) > np.maximum(rows.max(axis=1), 0))
    points = np.where(hidden[:, None], -rows, rows) - 1.0
    points[away] = np.nan
    return points, hidden


def _picture(pts: Path, photograph: str, elsewhere: Pictures | None) -> Path:
    """Beside the `.pts`, or AFLW's own, of which the second face of a photograph has no copy."""
    if elsewhere is None:
        return find_picture(pts)
    with suppress(DataError):
        return elsewhere.find(pts.stem, pts, "landmarks")
    return elsewhere.find(photograph.rpartition("/")[2], pts, "landmarks")
