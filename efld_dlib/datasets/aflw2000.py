"""AFLW2000-3D: AFLW's first 2,000 photographs with a fitted 3-D face each.

Zhu et al., "Face Alignment Across Large Poses: A 3D Solution", CVPR 2016. Beside each
``image?????.jpg`` lies a `.mat` with `pt3d_68` (68 landmarks, the jaw where the head has it and not
the outline), `pt2d` (AFLW's own 21) and `Pose_Para`. Its Matlab code turns y up as
``height + 1 - y``, so coordinates count from 1. A landmark of `pt2d` that is not visible has
x = -1, while that code has made its y something else (452 in pictures of 450 pixels).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from ..landmarks import read_scheme
from ..pose import pose_from_aflw2000
from ..records import FaceAnnotation, ImageRecord
from .base import Entries, aflw_photograph, files_below, find_picture, reader
from .mat import MatFile

OFFICIAL = 2000
NOT_VISIBLE = -1.0


@reader
def read_aflw2000(root: Path, scheme: str = "68") -> Iterator[Entries]:
    """Faces of AFLW2000-3D, sorted by path.

    Parameters
    ----------
    root : path
        Folder with the ``image?????.mat`` files, themselves or further down.
    scheme : {"68", "21"}
        Which of the two sets of landmarks to give.

    Yields
    ------
    ImageRecord
        One picture with one face and its pose; the set has no boxes.

    Raises
    ------
    DataError
        `root` is no folder; or a `.mat` is wrong or has no picture, in a run without `problems`.
    """
    # The archive's Code folder has .mat files of other kinds.
    files = [path for path in files_below(root, ".mat") if path.name.lower().startswith("image")]
    yield Entries("AFLW2000-3D", files, partial(_read_face, scheme=scheme), OFFICIAL)


def _read_face(path: Path, scheme: str) -> ImageRecord:
    mat = MatFile(path)
    if scheme == "21":
        rows = mat.numbers("pt2d", (2, 21)).T
        points = np.where(rows[:, :1] != NOT_VISIBLE, rows - 1.0, np.nan)
    else:
        points = mat.numbers("pt3d_68", (3, 68))[:2].T - 1.0
    pose = pose_from_aflw2000(mat.numbers("Pose_Para", (1, 7)))
    face = FaceAnnotation(points, scheme=read_scheme(scheme), pose=pose)
    return ImageRecord(find_picture(path), (face,), aflw_photograph(path.stem))
