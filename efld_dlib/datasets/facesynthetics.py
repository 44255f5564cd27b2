"""FaceSynthetics: rendered faces with exact landmarks.

Wood et al., "Fake It Till You Make It", ICCV 2021, https://github.com/microsoft/FaceSynthetics:
``NNNNNN.png`` (512 x 512) and ``NNNNNN_ldmks.txt`` with 70 lines ``x y``: 300-W's 68 landmarks and
the two pupils, counted from 0. ``NNNNNN_seg.png``, which part of the face a pixel is of, is not
read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..errors import Problems
from ..landmarks import SYNTHETICS_70_TO_68
from ..records import FaceAnnotation, ImageRecord
from .base import FolderCount, files_below, find_picture, read_each, require_folder
from .pts import read_rows

OFFICIAL = 100_000
SUFFIX = "_ldmks.txt"


def read_facesynthetics(
    root: str | Path,
    problems: Problems | None = None,
    counts: list[FolderCount] | None = None,
) -> Iterator[ImageRecord]:
    """Faces of FaceSynthetics, sorted by path.

    Parameters
    ----------
    root : path
        Folder with the ``NNNNNN_ldmks.txt`` files, themselves or further down.
    problems : Problems, optional
        Takes the files that cannot be used; without it the first one raises.
    counts : list of FolderCount, optional
        Gets one entry, when all is read.

    Yields
    ------
    ImageRecord
        One picture with one face; the set has no boxes.

    Raises
    ------
    DataError
        `root` is no folder; or a text is wrong or has no picture, in a run without `problems`.
    """
    files = files_below(require_folder(root), SUFFIX)
    yield from read_each(files, _read_face, problems, counts, "FaceSynthetics", OFFICIAL)


def _read_face(path: Path) -> ImageRecord:
    points = read_rows(path, 70)[list(SYNTHETICS_70_TO_68)]
    stem = path.name[: -len(SUFFIX)]
    picture = find_picture(path, stem)
    return ImageRecord(picture, (FaceAnnotation(points),), f"facesynthetics/{stem}")
