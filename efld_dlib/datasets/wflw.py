"""WFLW: 98 landmarks in photographs of WIDER FACE.

Wu et al., "Look at Boundary: A Boundary-Aware Face Alignment Algorithm", CVPR 2018. A line of
``list_98pt_rect_attr_train.txt`` and ``…_test.txt`` is one face: 196 coordinates, the rectangle as
x_min y_min x_max y_max, six attributes (0 or 1), and the picture's path below ``WFLW_images``. A
photograph may have several faces.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from ..errors import DataError, OptionError, Problems
from ..landmarks import convert_face
from ..records import FaceAnnotation, ImageRecord
from .base import (
    FolderCount,
    Pictures,
    box_of_corners,
    file_below,
    merged,
    numbered_lines,
    read_each,
    require_folder,
)

OFFICIAL = {"train": 7500, "test": 2500}
ATTRIBUTES = ("pose", "expression", "illumination", "make-up", "occlusion", "blur")
_NUMBERS = 98 * 2 + 4


def read_wflw(
    root: str | Path,
    subset: str = "train",
    scheme: str = "98",
    problems: Problems | None = None,
    counts: list[FolderCount] | None = None,
    pictures: str | Path | None = None,
) -> Iterator[ImageRecord]:
    """Faces of WFLW, in the order of its list.

    Parameters
    ----------
    root : path
        Folder with ``list_98pt_rect_attr_<subset>.txt`` somewhere below it.
    subset : {"train", "test"}
        Which list.
    scheme : {"98", "68"}
        All landmarks, or 300-W's 68 of them.
    problems : Problems, optional
        Takes the lines that cannot be used; without it the first one raises.
    counts : list of FolderCount, optional
        Gets one entry, when all is read.
    pictures : path, optional
        ``WFLW_images``; by default looked for in `root`.

    Yields
    ------
    ImageRecord
        One picture with all its faces, their boxes and attributes.

    Raises
    ------
    DataError
        A folder or the list is missing; or a line is wrong or has no picture, in a run without
        `problems`; names the line.
    OptionError
        There is no such subset.
    """
    root = require_folder(root)
    if subset not in OFFICIAL:
        raise OptionError(f"'{subset}' is no subset of WFLW ({', '.join(OFFICIAL)})")
    path = file_below(root, f"list_98pt_rect_attr_{subset}.txt")
    images = (
        Pictures(root / "WFLW_images", root)
        if pictures is None
        else Pictures(require_folder(pictures))
    )
    read_one = partial(_read_face, path=path, pictures=images, scheme=scheme)
    yield from merged(
        read_each(
            numbered_lines(path), read_one, problems, counts, f"WFLW {subset}", OFFICIAL[subset]
        )
    )


def _read_face(
    numbered: tuple[int, str], path: Path, pictures: Pictures, scheme: str
) -> ImageRecord:
    line, text = numbered
    # A picture's name may have spaces in it.
    words = text.strip().split(maxsplit=_NUMBERS + len(ATTRIBUTES))
    if len(words) != _NUMBERS + len(ATTRIBUTES) + 1:
        raise DataError(
            path,
            f"expected {_NUMBERS + len(ATTRIBUTES)} numbers and a name, found {len(words)} words",
            line,
        )
    try:
        numbers = np.array([float(word) for word in words[:_NUMBERS]])
    except ValueError as error:
        raise DataError(path, f"expected a number ({error})", line) from None
    if not np.isfinite(numbers).all():
        raise DataError(path, "holds a number that is not finite", line)
    name = words[-1]
    face = FaceAnnotation(
        numbers[:196].reshape(98, 2),
        box_of_corners(*numbers[196:]),
        "98",
        attributes=dict(zip(ATTRIBUTES, words[_NUMBERS:-1], strict=True)),
    )
    picture = pictures.find(name, path, f"line {line}")
    return ImageRecord(picture, (convert_face(face, scheme),), f"wflw/{name}")
