"""CFP: profiles of celebrities with 30 landmarks of the half of the face that is seen.

Sengupta et al., "Frontal to Profile Face Verification in the Wild", WACV 2016,
http://www.cfpw.io. ``Fiducials/NNN/profile/NN.txt`` has 30 lines ``x,y`` for the picture
``Images/NNN/profile/NN.jpg``, where NNN is the person; some copies have a folder ``train`` or
``test`` between ``Images`` and the person. The set does not say where its coordinates count from,
which is taken to be 0: its labels are coarse, and one pixel is lost in them.

Only profiles are read. Which landmarks the files of the frontal pictures in ``NNN/frontal`` hold
is not known here, and is not guessed.

For non-commercial research only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

import numpy as np

from ..boxes import FloatArray
from ..errors import DataError
from ..landmarks import MIRROR_68
from ..records import FaceAnnotation, ImageRecord
from .base import Entries, files_below, find_picture, reader
from .pts import read_rows

Side = Literal["left", "right"]

# Which of the 68 each of the 30 is, in a face that looks to the right of the picture.
_RIGHT = (
    *range(9),  # jaw, from the ear to the chin
    *(17, 19, 21),
    *range(36, 42),
    *range(27, 31),
    *(33, 32, 31),
    *(48, 51, 62, 57, 66),
)
_INDEX: dict[Side, list[int]] = {
    "right": list(_RIGHT),
    "left": [MIRROR_68[index] for index in _RIGHT],
}
# Places among the 30.
_EAR, _CHIN, _BROW, _NOSE_TIP = 0, 8, slice(9, 12), 21

_LEAST_DEPTH = 0.1
"""As a fraction of the face's diagonal: how far the tip of the nose must lie in front of the ear.
In the 1,520 profiles at hand it is 0.51 or more, so a file with less is damaged."""


@reader
def read_cfp(root: Path) -> Iterator[Entries]:
    """Profiles of CFP, sorted by path.

    Parameters
    ----------
    root : path
        Folder with ``Fiducials`` and ``Images``, themselves or further down.

    Yields
    ------
    ImageRecord
        One picture with one face; 38 of the 68 landmarks are NaN. Attributes are person and side:
        the side of the picture, "left" or "right", that the face looks to. The set has no boxes.
        `photograph` names the person, so that a split keeps a person's pictures together.

    Raises
    ------
    DataError
        `root` is no folder; or a text is wrong or has no picture, in a run without `problems`.

    Notes
    -----
    The names of crops that `efld-dlib prepare` makes of these pictures do not tell the person, so
    hold faces out with `prepare` itself and not with `efld-dlib xml split` of its crops.
    """
    files = [
        path
        for path in files_below(root, ".txt")
        if path.parts[-4:-3] == ("Fiducials",) and path.parent.name == "profile"
    ]
    yield Entries("CFP", files, _read_face)


def _read_face(path: Path) -> ImageRecord:
    rows = read_rows(path, 30, ",")
    side = side_of(rows)
    if side is None:
        raise DataError(path, "has landmarks that do not tell to which side the face looks")
    points = np.full((68, 2), np.nan)
    points[_INDEX[side]] = rows
    person = path.parts[-3]
    face = FaceAnnotation(points, attributes={"person": person, "side": side})
    return ImageRecord(_picture(path), (face,), f"cfp/{person}")


def side_of(rows: FloatArray) -> Side | None:
    """The side of the picture that a face looks to, whatever its roll; None if they do not tell.

    It is the side to which the tip of the nose lies from the ear, seen along the line from the brow
    to the chin.

    Parameters
    ----------
    rows : array, shape (30, 2)
        The landmarks of a file.
    """
    down = rows[_CHIN] - rows[_BROW].mean(axis=0)
    forward = rows[_NOSE_TIP] - rows[_EAR]
    across = float(forward[0] * down[1] - forward[1] * down[0])
    diagonal = float(np.linalg.norm(np.ptp(rows, axis=0)))
    if abs(across) <= _LEAST_DEPTH * diagonal * float(np.linalg.norm(down)):
        return None
    return "right" if across > 0 else "left"


def _picture(path: Path) -> Path:
    images = path.parents[3] / "Images"
    person, view = path.parts[-3:-1]
    for level in ("", "train", "test"):
        with suppress(DataError):
            return find_picture(images / level / person / view / path.name)
    raise DataError(
        path, f"has no picture {person}/{view}/{path.stem}.jpg in {images}, or its train or test"
    )
