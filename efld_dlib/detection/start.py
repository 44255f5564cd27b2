"""Where exactly a face is, and how it is turned: what a small shape predictor of our own says.

A detector frames a face less exactly than its landmarks do, and a predictor depends on how its
crop is framed. So a predictor of a few kilobytes is run first, and its landmarks say where the box
lies that the next step works in.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np

from ..images import FACE_SIZE, Image
from ..models.loading import load_predictor
from ..pose import estimate_pose
from .prediction import framed, predict_points
from .scales import Scales
from .verifier import Candidate
from .windows import FOLDER

START_FILE = "start.efld"

ROUGH_SIZE = 100
"""Width in pixels to which a face is scaled for a start that takes less time and is less exact."""

_LEAST_OVERLAP = 0.3


def load_start(folder: Path | None = None) -> Any:
    """The start predictor of a detector's folder; where that has none, the toolkit's own.

    Raises
    ------
    ModelFormatError
        It is damaged.
    """
    # A cache of this function itself would tell load_start() from load_start(None), and read twice.
    return _load_start(folder)


@lru_cache(maxsize=4)
def _load_start(folder: Path | None) -> Any:
    if folder is not None and (folder / START_FILE).is_file():
        return load_predictor(folder / START_FILE)
    with as_file(files("efld_dlib.data").joinpath(FOLDER, START_FILE)) as own:
        return load_predictor(own)


def located(
    start: Any, picture: Image | Scales, place: Candidate, face_size: int = FACE_SIZE
) -> Candidate:
    """The place where landmarks say that the face is, and its roll.

    Parameters
    ----------
    start : dlib.shape_predictor
    picture : array of uint8, shape (height, width), or Scales of it
    place : Candidate
        Where a detector says that it is. It is kept where the landmarks make no sense, or lie
        beside it.
    face_size : int
        Width in pixels to which the box is scaled for the start.

    Raises
    ------
    DataError
        The box of `place` is empty or not finite.
    """
    scales = picture if isinstance(picture, Scales) else Scales(picture)
    image, near, step = scales.near(place.box, face_size)
    # What is left to be reduced is less than by half.
    points = predict_points(start, image, near, face_size, place.roll, average_below=0.0)
    points = (points + 0.5) * step - 0.5
    roll = estimate_pose(points).roll
    if not np.isfinite(roll):
        return place
    box = framed(points, roll)
    if not (np.isfinite(box).all() and box.overlap(place.box) > _LEAST_OVERLAP):
        return place
    return Candidate(box, roll)


def settled(
    start: Any, picture: Image | Scales, place: Candidate, times: int, face_size: int = FACE_SIZE
) -> Candidate:
    """`located`, so many times, each from where the last one ended."""
    scales = picture if isinstance(picture, Scales) else Scales(picture)
    for _ in range(times):
        place = located(start, scales, place, face_size)
    return place
