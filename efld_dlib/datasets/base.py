"""What the readers of all data sets do alike: skipping, counting, leaving out what comes twice."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, wraps
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ..boxes import Box, FloatArray
from ..errors import DataError, Problems
from ..files import is_file, require_regular
from ..images import IMAGE_SUFFIXES
from ..records import ImageRecord

FARTHEST = 1e9
"""Pixels: a larger coordinate comes from a damaged number, and no image is so large."""


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


@dataclass(frozen=True)
class Entries:
    """What one folder or list of a data set holds, and how it is read.

    Parameters
    ----------
    name : str
        What the count of its faces is of.
    items : iterable
        Files, lines or rows.
    read_one : callable
        Makes a record of an item, or raises `DataError`.
    official : int, optional
        How many faces there should be.
    note : str or callable, optional
        What else to say, or a function that is asked for it at the end.
    merge : bool
        Whether the faces of one picture come together, in the order in which the pictures first
        come.
    """

    name: str
    items: Iterable[Any]
    read_one: Callable[[Any], ImageRecord]
    official: int | None = None
    note: str | Callable[[], str] = ""
    merge: bool = False

    def records(
        self, problems: Problems, counts: list[FolderCount] | None
    ) -> Iterator[ImageRecord]:
        """Records of the items, without those that cannot be used and those that came before.

        Parameters
        ----------
        problems : Problems
            Takes the errors.
        counts : list of FolderCount, optional
            Gets one entry, when all items have been read.

        Yields
        ------
        ImageRecord
            A face with the same landmarks in the same picture as an earlier one is left out.
        """
        seen: set[tuple[Path, bytes]] = set()
        found = repeated = 0
        for item in self.items:
            with problems.skipping():
                record = self.read_one(item)
                _require_landmarks(record)
                keys = {(record.path, face.points.tobytes()) for face in record.faces}
                if keys <= seen:
                    repeated += len(record.faces)
                    continue
                seen |= keys
                found += len(record.faces)
                yield record
        if counts is not None:
            notes = [f"{repeated} left out that came twice"] if repeated else []
            notes.append(self.note() if callable(self.note) else self.note)
            text = "; ".join(filter(None, notes))
            counts.append(FolderCount(self.name, found, self.official, text))


def _require_landmarks(record: ImageRecord) -> None:
    for face in record.faces:
        if not face.given.any():
            raise DataError(record.path, "has a face without a landmark")
        if (np.abs(face.points) > FARTHEST).any():
            raise DataError(record.path, f"has a landmark more than {FARTHEST:g} pixels away")


def _merged(records: Iterable[ImageRecord]) -> Iterator[ImageRecord]:
    pictures: dict[Path, ImageRecord] = {}
    for record in records:
        earlier = pictures.get(record.path)
        faces = record.faces if earlier is None else earlier.faces + record.faces
        pictures[record.path] = replace(earlier or record, faces=faces)
    yield from pictures.values()


def reader(entries_of: Callable[..., Iterator[Entries]]) -> Callable[..., Iterator[ImageRecord]]:
    """Make a reader of a function that finds what a data set holds.

    Parameters
    ----------
    entries_of : callable
        Takes the data set's folder and options, and gives `Entries`.

    Returns
    -------
    callable
        The reader. It is called like `entries_of`, yields the records, and takes two parameters
        more, by name: `problems`, a `Problems` for the entries that cannot be used (without it
        the first one raises), and `counts`, a list that gets a `FolderCount` for each of the
        `Entries` when they have been read. It raises a `DataError` if
        `root` is not a folder.
    """

    @wraps(entries_of)
    def read(
        root: str | Path,
        *arguments: Any,
        problems: Problems | None = None,
        counts: list[FolderCount] | None = None,
        **options: Any,
    ) -> Iterator[ImageRecord]:
        problems = problems if problems is not None else Problems(strict=True)
        for entries in entries_of(require_folder(root), *arguments, **options):
            records = entries.records(problems, counts)
            yield from _merged(records) if entries.merge else records

    return read


def numbered_lines(path: str | Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file that are not blank, each with its number, counted from 1.

    Raises
    ------
    DataError
        The file cannot be read, or is not text.
    """
    try:
        require_regular(path)
        with Path(path).open(encoding="utf-8") as file:
            yield from ((number, line) for number, line in enumerate(file, start=1) if line.strip())
    except OSError as error:
        raise DataError(path, f"cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(path, "is not a text file") from error


def finite_numbers(words: Iterable[str], source: Path, line: int) -> FloatArray:
    """The numbers that stand in a line of a text file.

    Raises
    ------
    DataError
        One of them is not a finite number; names the line.
    """
    try:
        numbers = np.array([float(word) for word in words])
    except ValueError as error:
        raise DataError(source, f"expected a number ({error})", line) from None
    if not np.isfinite(numbers).all():
        raise DataError(source, "holds a number that is not finite", line)
    return numbers


def usable_box(left: float, top: float, width: float, height: float) -> Box | None:
    """The box, or None where it has no size, or numbers beyond `FARTHEST` or not finite."""
    numbers = (left, top, width, height)
    if not all(abs(number) <= FARTHEST for number in numbers) or width < 1 or height < 1:
        return None  # NaN is not below anything
    return Box(float(left), float(top), float(width), float(height))


def box_of_corners(left: float, top: float, right: float, bottom: float) -> Box | None:
    """The box whose first and last pixels these are, or None where they make none."""
    return usable_box(left, top, right - left + 1, bottom - top + 1)


_AFLW_NAME = re.compile(r"image\d{5}")


def find_picture(annotation: Path, stem: str | None = None) -> Path:
    """The picture beside `annotation`, whatever its suffix and the suffix's case.

    Parameters
    ----------
    annotation : Path
        An annotation file.
    stem : str, optional
        The picture's name without suffix; by default that of `annotation`.

    Raises
    ------
    DataError
        There is no such image.
    """
    stem = annotation.stem if stem is None else stem
    # Not Path.with_suffix, which would take "v1.2" for a name with a suffix.
    for suffix in IMAGE_SUFFIXES:
        for candidate in (stem + suffix, stem + suffix.upper()):
            if is_file(annotation.parent / candidate):
                return annotation.parent / candidate
    for other in sorted(annotation.parent.glob(f"{glob.escape(stem)}.*")):
        if other.suffix.lower() in IMAGE_SUFFIXES:
            return other
    raise DataError(annotation, "has no picture beside it")


def files_below(folder: Path, *suffixes: str) -> list[Path]:
    """Files below `folder` whose names end in one of `suffixes`, in any case of letters, sorted."""
    ends = tuple(map(str.lower, suffixes))
    return sorted(path for path in folder.rglob("*") if path.name.lower().endswith(ends))


def file_below(folder: Path, name: str) -> Path:
    """The first file called `name` in `folder` or further down.

    Raises
    ------
    DataError
        There is no such file.
    """
    found = next((path for path in files_below(folder, name) if path.name == name), None)
    if found is None:
        raise DataError(folder, f"has no {name}, neither itself nor further down")
    return found


def require_folder(folder: str | Path) -> Path:
    """`folder` as a path; a `DataError` where it is none."""
    if not Path(folder).is_dir():
        raise DataError(folder, "is not a folder")
    return Path(folder)


class Pictures:
    """The pictures in some folders, found by the names that annotations give them.

    Parameters
    ----------
    given : path, optional
        Where to look.
    *usual : Path
        Where to look if nothing is given, the outermost folder last; those that do not exist are
        left out.

    Raises
    ------
    DataError
        `given` is not a folder.
    """

    def __init__(self, given: str | Path | None, *usual: Path) -> None:
        if given is not None:
            usual = (require_folder(given),)
        self.folders = [folder for folder in usual if folder.is_dir()]

    def find(self, name: str, source: str | Path, thing: str) -> Path:
        """The picture called `name`.

        Looked for as a path below one of the folders; then, since copies of data sets come with
        other folders and other suffixes, by its name without suffix anywhere below them.

        Parameters
        ----------
        name : str
            What the annotation calls it, such as ``0/image00002.jpg``.
        source, thing : str
            The annotation file and the entry in it that an error is to name.

        Raises
        ------
        DataError
            There is no such picture, or there are several.
        """
        if not isinstance(name, str):  # SQLite keeps whatever is put into a column
            raise DataError(source, f"{thing}: its picture's name is no text")
        relative = PurePosixPath(name.replace("\\", "/").lstrip("/"))
        if relative.name and ".." not in relative.parts:
            for folder in self.folders:
                if is_file(folder / relative):
                    return folder / relative
            found = self._by_stem.get(relative.stem.lower(), [])
            if len(found) == 1:
                return found[0]
            if found:
                raise DataError(source, f"{thing}: there are {len(found)} pictures {name!r}")
        raise DataError(source, f"{thing}: its picture {name!r} is not there")

    @cached_property
    def _by_stem(self) -> dict[str, list[Path]]:
        index: dict[str, list[Path]] = {}
        for folder in self.folders[-1:]:
            for path in files_below(folder, *IMAGE_SUFFIXES):
                index.setdefault(path.stem.lower(), []).append(path)
        return index


def aflw_pictures(root: Path, given: str | Path | None) -> Pictures:
    """AFLW's pictures: in the folder `given`, else in the places usual below `root`."""
    return Pictures(given, root / "data" / "flickr", root / "flickr", root)


def aflw_photograph(name: str) -> str:
    """The photograph of AFLW that a file shows, one name in all the sets made from AFLW."""
    found = _AFLW_NAME.search(PurePosixPath(name).name)
    return f"aflw/{found.group()}" if found else name
