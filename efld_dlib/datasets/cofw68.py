"""COFW-68: the 507 test faces of COFW, heavily occluded, with 300-W's 68 landmarks.

Ghiasi and Fowlkes, "Occlusion Coherence", 2015, https://github.com/golnazghiasi/cofw68-benchmark:
``test_annotations/<n>_points.mat`` with `Points` (68, 2) and `Occ` (1, 68), and
``cofw68_test_bboxes.mat`` with `bboxes` (507, 4) as x, y, width, height; all counted from 1, as its
Matlab viewer draws them.

The pictures themselves come from COFW, which keeps them all in one ``COFW_test_color.mat`` of
MATLAB 7.3. They are expected as files ``1.png`` … ``507.png`` (any format, leading zeros allowed),
as Matlab writes them with::

    load COFW_test_color.mat IsT
    for i = 1:numel(IsT), imwrite(IsT{i}, sprintf('pictures/%d.png', i)); end
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from ..boxes import Box
from ..errors import DataError
from ..images import IMAGE_SUFFIXES
from ..records import FaceAnnotation, ImageRecord
from .base import Entries, file_below, files_below, reader, require_folder, usable_box
from .mat import MatFile

OFFICIAL = 507
BOXES = "cofw68_test_bboxes.mat"
_POINTS = re.compile(r"(\d+)_points\.mat", re.IGNORECASE)


@reader
def read_cofw68(root: Path, pictures: str | Path | None = None) -> Iterator[Entries]:
    """Faces of COFW-68, in the order of their numbers.

    Parameters
    ----------
    root : path
        Folder with ``<n>_points.mat`` and ``cofw68_test_bboxes.mat``, themselves or further down.
    pictures : path, optional
        Folder with the numbered pictures; by default anywhere below `root`.

    Yields
    ------
    ImageRecord
        One picture with one face, its box and which landmarks are hidden.

    Raises
    ------
    DataError
        A folder, the boxes or all pictures are missing; or a face's file is wrong or has no
        picture, in a run without `problems`.
    """
    numbered = sorted(
        (int(match.group(1)), path)
        for path in files_below(root, "_points.mat")
        if (match := _POINTS.fullmatch(path.name))
    )
    if not numbered:
        return
    images = _numbered_pictures(root if pictures is None else require_folder(pictures))
    read_one = partial(_read_face, boxes=_read_boxes(root), pictures=images)
    yield Entries("COFW-68", numbered, read_one, OFFICIAL)


def _numbered_pictures(folder: Path) -> dict[int, Path]:
    found = {
        int(path.stem): path
        for path in files_below(folder, *IMAGE_SUFFIXES)
        if path.stem.isdecimal()
    }
    if not found:
        raise DataError(
            folder,
            "has no pictures named 1.png to 507.png; COFW_test_color.mat, which holds them, is of "
            "MATLAB 7.3 and cannot be read: write them with Matlab, imwrite(IsT{i}, ...)",
        )
    return found


def _read_boxes(root: Path) -> list[Box | None]:
    rows = MatFile(file_below(root, BOXES)).numbers("bboxes", (None, 4))
    return [usable_box(left - 1, top - 1, width, height) for left, top, width, height in rows]


def _read_face(
    numbered: tuple[int, Path], boxes: list[Box | None], pictures: Mapping[int, Path]
) -> ImageRecord:
    number, path = numbered
    mat = MatFile(path)
    points = mat.numbers("Points", (68, 2)) - 1.0
    occluded = mat.numbers("Occ", (1, 68), (68, 1)).ravel() > 0
    if not 1 <= number <= len(boxes):
        raise DataError(path, f"has no box among the {len(boxes)} of {BOXES}")
    if number not in pictures:
        raise DataError(path, f"has no picture {number}.png or in another format")
    face = FaceAnnotation(points, boxes[number - 1], occluded=occluded)
    return ImageRecord(pictures[number], (face,), f"cofw/{number}")
