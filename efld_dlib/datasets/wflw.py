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

from ..errors import DataError
from ..landmarks import SCHEMES
from ..records import FaceAnnotation, ImageRecord, convert_face
from .base import (
    Entries,
    Pictures,
    box_of_corners,
    file_below,
    finite_numbers,
    numbered_lines,
    reader,
)

OFFICIAL = {"train": 7500, "test": 2500}
ATTRIBUTES = ("pose", "expression", "illumination", "make-up", "occlusion", "blur")
_NUMBERS = 98 * 2 + 4


@reader
def read_wflw(
    root: Path, subset: str = "train", scheme: str = "98", pictures: str | Path | None = None
) -> Iterator[Entries]:
    """Faces of WFLW, in the order of its list.

    Parameters
    ----------
    root : path
        Folder with ``list_98pt_rect_attr_<subset>.txt`` somewhere below it.
    subset : {"train", "test"}
        Which list.
    scheme : {"98", "68"}
        All landmarks, or 300-W's 68 of them.
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
    """
    path = file_below(root, f"list_98pt_rect_attr_{subset}.txt")
    images = Pictures(pictures, root / "WFLW_images", root)
    read_one = partial(_read_face, path=path, pictures=images, scheme=scheme)
    lines = numbered_lines(path)
    yield Entries(f"WFLW {subset}", lines, read_one, OFFICIAL[subset], merge=True)


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
    numbers = finite_numbers(words[:_NUMBERS], path, line)
    name = words[-1]
    face = FaceAnnotation(
        numbers[:196].reshape(98, 2),
        box_of_corners(*numbers[196:]),
        SCHEMES["98"],
        attributes=dict(zip(ATTRIBUTES, words[_NUMBERS:-1], strict=True)),
    )
    picture = pictures.find(name, path, f"line {line}")
    return ImageRecord(picture, (convert_face(face, scheme),), f"wflw/{name}")
