"""YTF: 68 landmarks in frames of the YouTube Faces videos.

Wolf et al., "Face Recognition in Unconstrained Videos with Matched Background Similarity", CVPR
2011; the frames and landmarks are those of Udacity's facial keypoints project. A line of
``training_frames_keypoints.csv`` and ``test_frames_keypoints.csv`` is one face: the picture's name
in the folder ``training`` or ``test`` beside the file, then 68 pairs x, y, counted from 0. The name
is the person's, followed by a digit for the video and a digit for the frame:
``Luis_Fonsi_21.jpg``. The landmarks were placed by a machine, and a few of them are wrong.

The two folders hold the same persons, and frames of the same videos. A model trained on one of them
must not be measured on the other: split by person, as `ImageRecord.photograph` does.

For non-commercial research only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ..errors import DataError
from ..records import FaceAnnotation, ImageRecord
from .base import Entries, Pictures, file_below, finite_numbers, numbered_lines, reader

SUBSETS = {"train": ("training",), "test": ("test",), "all": ("training", "test")}
"""The folders of each subset."""

_NAME = re.compile(r"(?P<person>[^/\\]+)_(?P<video>\d)(?P<frame>\d)\.\w+")


@reader
def read_ytf(root: Path, subset: str = "all") -> Iterator[Entries]:
    """Faces of YTF, in the order of its lists.

    Parameters
    ----------
    root : path
        Folder with ``training_frames_keypoints.csv`` and ``test_frames_keypoints.csv`` somewhere
        below it, and the folders ``training`` and ``test`` beside them.
    subset : {"all", "train", "test"}
        Which folders. Both hold the same persons, so that "test" is no test of what was trained on
        "train".

    Yields
    ------
    ImageRecord
        One picture with one face, its attributes person, video and frame; the set has no boxes.
        `photograph` names the person, so that a split keeps all of a person's frames together.

    Raises
    ------
    DataError
        A folder or a list is missing; or a line is wrong or has no picture, in a run without
        `problems`; names the line.
    """
    folders = SUBSETS[subset]
    # All lists are looked for before the first is read: half of the set is not the set.
    lists = [file_below(root, f"{folder}_frames_keypoints.csv") for folder in folders]
    for folder, path in zip(folders, lists, strict=True):
        read_one = partial(_read_face, path=path, pictures=Pictures(None, path.parent / folder))
        # Without the header, which names no picture.
        rows = ((line, text) for line, text in numbered_lines(path) if line > 1 or text[0] != ",")
        yield Entries(f"YTF {folder}", rows, read_one)


def _read_face(numbered: tuple[int, str], path: Path, pictures: Pictures) -> ImageRecord:
    line, text = numbered
    name, *words = text.strip().split(",")
    if len(words) != 136:
        raise DataError(path, f"expected a name and 136 numbers, found {len(words)} numbers", line)
    points = finite_numbers(words, path, line).reshape(68, 2)
    match = _NAME.fullmatch(name)
    if match is None:
        raise DataError(path, f"expected a name such as Some_Person_01.jpg, found {name!r}", line)
    picture = pictures.find(name, path, f"line {line}")
    face = FaceAnnotation(points, attributes=match.groupdict())
    return ImageRecord(picture, (face,), f"ytf/{match['person']}")
