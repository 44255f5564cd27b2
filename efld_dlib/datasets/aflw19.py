"""AFLW-19: AFLW's faces with all landmarks but the ears, also those that are not visible.

Zhu et al., "Unconstrained Face Alignment via Cascaded Compositional Learning", CVPR 2016:
``AFLWinfo_release.mat`` with, for each of 24,386 faces, `nameList` (the picture in AFLW's
``flickr`` folder), `data` (19 x, then 19 y), `mask_new` (1 = visible) and `bbox` (left, right, top,
bottom), and with `ra`, a permutation counted from 1, whose first 20,000 faces are for training and
the other 4,386 for testing. "Frontal" is the part of the test faces of which every landmark is
visible. Coordinates are taken as AFLW's own, counted from 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..boxes import BoolArray, FloatArray
from ..errors import DataError
from ..landmarks import SCHEMES
from ..records import FaceAnnotation, ImageRecord
from .base import (
    Entries,
    Pictures,
    aflw_photograph,
    aflw_pictures,
    box_of_corners,
    file_below,
    reader,
)
from .mat import MatFile

FILE = "AFLWinfo_release.mat"
TRAIN_FACES = 20_000
OFFICIAL = {"train": 20_000, "test": 4_386, "test-frontal": 1_165}


@reader
def read_aflw19(
    root: Path, subset: str = "train", pictures: str | Path | None = None
) -> Iterator[Entries]:
    """Faces of AFLW-19, in the order of its permutation.

    Parameters
    ----------
    root : path
        Folder with ``AFLWinfo_release.mat``, itself or further down.
    subset : {"train", "test", "test-frontal"}
        Which faces.
    pictures : path, optional
        AFLW's ``flickr`` folder; by default looked for in `root`.

    Yields
    ------
    ImageRecord
        One picture with all its faces of the subset; landmarks that are not visible are marked as
        occluded.

    Raises
    ------
    DataError
        A folder or the file is missing, or it is not as described; or a face has no picture, in a
        run without `problems`.
    """
    path = file_below(root, FILE)
    faces = _read_table(path)
    test = faces[TRAIN_FACES:]
    subsets = {
        "train": faces[:TRAIN_FACES],
        "test": test,
        "test-frontal": [face for face in test if face.visible.all()],
    }
    read_one = partial(_read_face, path=path, pictures=aflw_pictures(root, pictures))
    yield Entries(f"AFLW-19 {subset}", subsets[subset], read_one, OFFICIAL[subset], merge=True)


class _Face(NamedTuple):
    number: int
    name: str
    points: FloatArray
    visible: BoolArray
    corners: FloatArray


def _read_table(path: Path) -> list[_Face]:
    """The faces in the order of the permutation."""
    mat = MatFile(path)
    names = mat.strings("nameList")
    count = len(names)
    data = mat.numbers("data", (count, 38))
    order = mat.numbers("ra", (1, count), (count, 1)).ravel() - 1
    if not np.array_equal(np.sort(order), np.arange(count)):
        raise DataError(path, f"variable 'ra' is not a permutation of 1 to {count}")
    points = np.stack([data[:, :19], data[:, 19:]], axis=2)
    visible = mat.numbers("mask_new", (count, 19)) > 0
    corners = mat.numbers("bbox", (count, 4))
    faces = list(map(_Face, range(1, count + 1), names, points, visible, corners))
    return [faces[int(index)] for index in order]


def _read_face(row: _Face, path: Path, pictures: Pictures) -> ImageRecord:
    left, right, top, bottom = row.corners
    box = box_of_corners(left, top, right, bottom)
    face = FaceAnnotation(row.points, box, SCHEMES["19"], occluded=~row.visible)
    picture = pictures.find(row.name, path, f"face {row.number}")
    return ImageRecord(picture, (face,), aflw_photograph(row.name))
