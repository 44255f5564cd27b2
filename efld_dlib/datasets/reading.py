"""What the readers of all data sets do alike: skipping, counting, leaving out what comes twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..boxes import Box
from ..errors import DataError, Problems
from ..files import require_regular
from ..records import ImageRecord

Item = TypeVar("Item")

FARTHEST = 1e9
"""Pixels: a coordinate beyond it, as of a damaged number, is none of a picture."""


@dataclass(frozen=True)
class FolderCount:
    """What was found in one folder or list: faces read, and the official number if there is one.

    `note` says what else a user should know of them.

    Examples
    --------
    >>> print(FolderCount("ibug", found=134, official=135, note="1 box"))
    ibug: 134 faces of the official 135; 1 box
    """

    folder: str
    found: int
    official: int | None
    note: str = ""

    def __str__(self) -> str:
        official = (
            f" of the official {self.official}" if self.official not in (None, self.found) else ""
        )
        return f"{self.folder}: {self.found} faces{official}{self.note and '; '}{self.note}"


def read_each(
    items: Iterable[Item],
    read_one: Callable[[Item], ImageRecord],
    problems: Problems | None,
    counts: list[FolderCount] | None,
    name: str,
    official: int | None = None,
    note: str | Callable[[], str] = "",
) -> Iterator[ImageRecord]:
    """Records of `items`, without those that cannot be used and those that came before.

    Parameters
    ----------
    items : iterable
        Files, lines or rows.
    read_one : callable
        Makes a record of an item, or raises `DataError`.
    problems : Problems, optional
        Takes the errors; without it the first one is raised.
    counts : list of FolderCount, optional
        Gets one entry, when all items have been read.
    name : str
        What the entry is of.
    official : int, optional
        How many faces there should be.
    note : str or callable, optional
        What else to say, or a function that is asked for it at the end.

    Yields
    ------
    ImageRecord
        A face with the same landmarks in the same picture as an earlier one is left out.
    """
    problems = problems if problems is not None else Problems(strict=True)
    seen: set[tuple[Path, bytes]] = set()
    found = repeated = 0
    for item in items:
        with problems.skipping():
            record = read_one(item)
            if not all(face.given.any() for face in record.faces):
                raise DataError(record.path, "has a face without a landmark")
            if any((np.abs(face.points) > FARTHEST).any() for face in record.faces):
                raise DataError(record.path, f"has a landmark more than {FARTHEST:g} pixels away")
            keys = {(record.path, face.points.tobytes()) for face in record.faces}
            if keys <= seen:
                repeated += len(record.faces)
                continue
            seen |= keys
            found += len(record.faces)
            yield record
    if counts is not None:
        notes = [f"{repeated} left out that came twice"] if repeated else []
        notes += [text for text in [note() if callable(note) else note] if text]
        counts.append(FolderCount(name, found, official, "; ".join(notes)))


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file that are not blank, each with its number, counted from 1.

    Raises
    ------
    DataError
        The file cannot be read, or is not text.
    """
    try:
        require_regular(path)
        with path.open(encoding="utf-8") as file:
            yield from ((number, line) for number, line in enumerate(file, start=1) if line.strip())
    except OSError as error:
        raise DataError(path, f"cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(path, "is not a text file") from error


def merged(records: Iterable[ImageRecord]) -> Iterator[ImageRecord]:
    """Records of one picture joined into one, in the order in which the pictures first come."""
    pictures: dict[Path, ImageRecord] = {}
    for record in records:
        earlier = pictures.get(record.path)
        faces = record.faces if earlier is None else earlier.faces + record.faces
        pictures[record.path] = replace(earlier or record, faces=faces)
    yield from pictures.values()


def usable_box(left: float, top: float, width: float, height: float) -> Box | None:
    """The box, or None where it has no size, or numbers beyond `FARTHEST` or not finite."""
    numbers = (left, top, width, height)
    if not all(abs(number) <= FARTHEST for number in numbers) or width < 1 or height < 1:
        return None  # NaN is not below anything
    return Box(float(left), float(top), float(width), float(height))


def box_of_corners(left: float, top: float, right: float, bottom: float) -> Box | None:
    """The box whose first and last pixels these are, or None where they make none."""
    return usable_box(left, top, right - left + 1, bottom - top + 1)
