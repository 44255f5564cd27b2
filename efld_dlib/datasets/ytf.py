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

import numpy as np

from ..boxes import FloatArray
from ..errors import DataError, OptionError, Problems
from ..records import FaceAnnotation, ImageRecord
from .base import FolderCount, Pictures, file_below, numbered_lines, read_each, require_folder

SUBSETS = {"train": ("training",), "test": ("test",), "all": ("training", "test")}
"""The folders of each subset."""

_NAME = re.compile(r"(?P<person>[^/\\]+)_(?P<video>\d)(?P<frame>\d)\.\w+")


def read_ytf(
    root: str | Path,
    subset: str = "all",
    problems: Problems | None = None,
    counts: list[FolderCount] | None = None,
) -> Iterator[ImageRecord]:
    """Faces of YTF, in the order of its lists.

    Parameters
    ----------
    root : path
        Folder with ``training_frames_keypoints.csv`` and ``test_frames_keypoints.csv`` somewhere
        below it, and the folders ``training`` and ``test`` beside them.
    subset : {"all", "train", "test"}
        Which folders. Both hold the same persons, so that "test" is no test of what was trained on
        "train".
    problems : Problems, optional
        Takes the lines that cannot be used; without it the first one raises.
    counts : list of FolderCount, optional
        Gets one entry per folder, when the folder has been read.

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
    OptionError
        There is no such subset.
    """
    root = require_folder(root)
    if subset not in SUBSETS:
        raise OptionError(f"'{subset}' is no subset of YTF ({', '.join(SUBSETS)})")
    folders = SUBSETS[subset]
    # All lists are looked for before the first is read: half of the set is not the set.
    lists = [file_below(root, f"{folder}_frames_keypoints.csv") for folder in folders]
    for folder, path in zip(folders, lists, strict=True):
        read_one = partial(_read_face, path=path, pictures=Pictures(path.parent / folder))
        yield from read_each(_rows(path), read_one, problems, counts, f"YTF {folder}")


def _rows(path: Path) -> Iterator[tuple[int, str]]:
    """The numbered lines without the header, which names no picture."""
    for line, text in numbered_lines(path):
        if line > 1 or not text.startswith(","):
            yield line, text


def _read_face(numbered: tuple[int, str], path: Path, pictures: Pictures) -> ImageRecord:
    line, text = numbered
    name, *words = text.strip().split(",")
    points = _points(words, path, line)
    match = _NAME.fullmatch(name)
    if match is None:
        raise DataError(path, f"expected a name such as Some_Person_01.jpg, found {name!r}", line)
    picture = pictures.find(name, path, f"line {line}")
    face = FaceAnnotation(points, attributes=match.groupdict())
    return ImageRecord(picture, (face,), f"ytf/{match['person']}")


def _points(words: list[str], path: Path, line: int) -> FloatArray:
    if len(words) != 136:
        raise DataError(path, f"expected a name and 136 numbers, found {len(words)} numbers", line)
    try:
        numbers = np.array([float(word) for word in words])
    except ValueError as error:
        raise DataError(path, f"expected a number ({error})", line) from None
    if not np.isfinite(numbers).all():
        raise DataError(path, "holds a number that is not finite", line)
    return numbers.reshape(68, 2)
