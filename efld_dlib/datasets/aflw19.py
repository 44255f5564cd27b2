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
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..boxes import BoolArray, FloatArray
from ..errors import DataError, OptionError, Problems
from ..records import FaceAnnotation, ImageRecord
from .base import (
    FolderCount,
    Pictures,
    aflw_photograph,
    aflw_pictures,
    box_of_corners,
    file_below,
    merged,
    read_each,
    require_folder,
)
from .mat import MatFile

FILE = "AFLWinfo_release.mat"
TRAIN_FACES = 20_000
OFFICIAL = {"train": 20_000, "test": 4_386, "test-frontal": 1_165}


def read_aflw19(
    root: str | Path,
    subset: str = "train",
    problems: Problems | None = None,
    counts: list[FolderCount] | None = None,
    pictures: str | Path | None = None,
) -> Iterator[ImageRecord]:
    """Faces of AFLW-19, in the order of its permutation.

    Parameters
    ----------
    root : path
        Folder with ``AFLWinfo_release.mat``, itself or further down.
    subset : {"train", "test", "test-frontal"}
        Which faces.
    problems : Problems, optional
        Takes the faces that cannot be used; without it the first one raises.
    counts : list of FolderCount, optional
        Gets one entry, when all is read.
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
    OptionError
        There is no such subset.
    """
    root = require_folder(root)
    if subset not in OFFICIAL:
        raise OptionError(f"'{subset}' is no subset of AFLW-19 ({', '.join(OFFICIAL)})")
    table = _Table.read(file_below(root, FILE))
    read_one = partial(_read_face, table=table, pictures=aflw_pictures(root, pictures))
    faces = (int(index) for index in table.members(subset))
    yield from merged(
        read_each(faces, read_one, problems, counts, f"AFLW-19 {subset}", OFFICIAL[subset])
    )


@dataclass(frozen=True)
class _Table:
    """The file's variables, one row a face, checked against each other."""

    path: Path
    names: list[str]
    points: FloatArray
    visible: BoolArray
    corners: FloatArray
    order: NDArray[np.int64]

    @classmethod
    def read(cls, path: Path) -> _Table:
        mat = MatFile(path)
        names = mat.strings("nameList")
        count = len(names)
        data = mat.numbers("data", (count, 38))
        order = mat.numbers("ra", (1, count), (count, 1)).ravel() - 1
        if not np.array_equal(np.sort(order), np.arange(count)):
            raise DataError(path, f"variable 'ra' is not a permutation of 1 to {count}")
        return cls(
            path,
            names,
            np.stack([data[:, :19], data[:, 19:]], axis=2),
            mat.numbers("mask_new", (count, 19)) > 0,
            mat.numbers("bbox", (count, 4)),
            order.astype(np.int64),
        )

    def members(self, subset: str) -> NDArray[np.int64]:
        """Rows of the subset's faces."""
        if subset == "train":
            return self.order[:TRAIN_FACES]
        test = self.order[TRAIN_FACES:]
        return test[self.visible[test].all(axis=1)] if subset == "test-frontal" else test


def _read_face(index: int, table: _Table, pictures: Pictures) -> ImageRecord:
    name = table.names[index]
    left, right, top, bottom = table.corners[index]
    face = FaceAnnotation(
        table.points[index],
        box_of_corners(left, top, right, bottom),
        "19",
        occluded=~table.visible[index],
    )
    picture = pictures.find(name, table.path, f"face {index + 1}")
    return ImageRecord(picture, (face,), aflw_photograph(name))
