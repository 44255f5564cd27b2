"""FaceSynthetics: rendered faces with exact landmarks.

Wood et al., "Fake It Till You Make It", ICCV 2021, https://github.com/microsoft/FaceSynthetics:
``NNNNNN.png`` (512 x 512) and ``NNNNNN_ldmks.txt`` with 70 lines ``x y``: 300-W's 68 landmarks and
the two pupils, counted from 0. ``NNNNNN_seg.png``, which part of the face a pixel is of, is not
read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..records import FaceAnnotation, ImageRecord
from .base import Entries, files_below, find_picture, reader
from .pts import read_rows

OFFICIAL = 100_000
SUFFIX = "_ldmks.txt"


@reader
def read_facesynthetics(root: Path) -> Iterator[Entries]:
    """Faces of FaceSynthetics, sorted by path.

    Parameters
    ----------
    root : path
        Folder with the ``NNNNNN_ldmks.txt`` files, themselves or further down.

    Yields
    ------
    ImageRecord
        One picture with one face; the set has no boxes.

    Raises
    ------
    DataError
        `root` is no folder; or a text is wrong or has no picture, in a run without `problems`.
    """
    yield Entries("FaceSynthetics", files_below(root, SUFFIX), _read_face, OFFICIAL)


def _read_face(path: Path) -> ImageRecord:
    points = read_rows(path, 70)[:68]
    stem = path.name[: -len(SUFFIX)]
    picture = find_picture(path, stem)
    return ImageRecord(picture, (FaceAnnotation(points),), f"facesynthetics/{stem}")
