"""What the readers of all data sets do alike: skipping, counting, leaving out what comes twice."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np

from ..boxes import Box
from ..errors import DataError, OptionError, Problems
from ..files import is_file, require_regular
from ..images import IMAGE_SUFFIXES
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


@dataclass(frozen=True)
class ReaderOption:
    """A parameter of a reader that a user may set.

    Parameters
    ----------
    name : str
        The reader's keyword.
    help : str
        What it does.
    choices : tuple of str
        Its values; where there are none, it is a folder, or text if it has a default.
    default : str, optional
        Its value when nothing is said.
    """

    name: str
    help: str
    choices: tuple[str, ...] = ()
    default: str | None = None


@dataclass(frozen=True)
class DataSet:
    """A data set and how to read it.

    Parameters
    ----------
    name : str
        What the command line calls it.
    title : str
        Its proper name.
    read : callable
        ``read(root, problems=…, counts=…)`` yields `ImageRecord`; takes `scheme` if there are
        several schemes, and the `options`.
    schemes : tuple of str
        Landmark schemes that it can give, the first by default.
    needs : str
        What a folder of it must hold, for the error when there is nothing.
    help : str
        What the set is, in one line.
    options : tuple of ReaderOption
        The reader's further parameters.
    """

    name: str
    title: str
    read: Callable[..., Iterator[ImageRecord]]
    schemes: tuple[str, ...]
    needs: str
    help: str
    options: tuple[ReaderOption, ...] = ()

    @property
    def default_scheme(self) -> str:
        """The scheme that is read when none is named."""
        return self.schemes[0]

    def records(
        self,
        root: str | Path,
        scheme: str | None = None,
        problems: Problems | None = None,
        counts: list[FolderCount] | None = None,
        **options: Any,
    ) -> Iterator[ImageRecord]:
        """The annotated pictures at `root`.

        Parameters
        ----------
        root : path
            The set's folder (for ``imglab``, the XML file).
        scheme : str, optional
            One of `schemes`; `default_scheme` by default.
        problems, counts
            As in `reading.read_each`.
        **options
            Values of `options`; of others, the reader raises a `TypeError`.

        Returns
        -------
        iterator of ImageRecord

        Raises
        ------
        OptionError
            The set has no such scheme, or an option not this value.
        """
        scheme = scheme or self.default_scheme
        if scheme not in self.schemes:
            raise OptionError(
                f"{self.title} has no {scheme}-point landmarks, only {' or '.join(self.schemes)}"
            )
        for option in self.options:
            value = options.get(option.name, option.default)
            if option.choices and value not in option.choices:
                raise OptionError(
                    f"{option.name} of {self.title} must be {' or '.join(option.choices)}, "
                    f"not '{value}'"
                )
        if len(self.schemes) > 1:
            options["scheme"] = scheme
        return self.read(root, problems=problems, counts=counts, **options)

    @property
    def has_test_part(self) -> bool:
        """Whether a command's choice of a subset applies to it.

        It does not if the set is read whole by default: its official parts share persons, so that
        neither is a test of the other.
        """
        return any(own.name == "subset" and own.default != "all" for own in self.options)


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
        There is none.
    """
    stem = annotation.stem if stem is None else stem
    # Not Path.with_suffix, which would take "v1.2" for a name with a suffix.
    for suffix in IMAGE_SUFFIXES:
        for candidate in (stem + suffix, stem + suffix.upper()):
            if is_file(annotation.parent / candidate):
                return annotation.parent / candidate
    for other in sorted(annotation.parent.glob(f"{_glob_escape(stem)}.*")):
        if other.suffix.lower() in IMAGE_SUFFIXES:
            return other
    raise DataError(annotation, "has no picture beside it")


def _glob_escape(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)


def files_below(folder: Path, suffix: str) -> list[Path]:
    """Files below `folder` whose names end in `suffix`, in any case of letters, sorted."""
    suffix = suffix.lower()
    return sorted(path for path in folder.rglob("*") if path.name.lower().endswith(suffix))


def file_below(folder: Path, name: str) -> Path:
    """The first file called `name` in `folder` or further down.

    Raises
    ------
    DataError
        There is none.
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
    *folders : Path
        Where to look; those that do not exist are left out.
    """

    def __init__(self, *folders: Path) -> None:
        self.folders = [folder for folder in folders if folder.is_dir()]

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
        outer = [f for f in self.folders if not any(other in f.parents for other in self.folders)]
        for path in sorted({path for folder in outer for path in folder.rglob("*")}):
            if path.suffix.lower() in IMAGE_SUFFIXES:
                index.setdefault(path.stem.lower(), []).append(path)
        return index


def aflw_pictures(root: Path, pictures: str | Path | None = None) -> Pictures:
    """AFLW's pictures: in `pictures` where that is given, else in the places usual below `root`."""
    if pictures is not None:
        return Pictures(require_folder(pictures))
    return Pictures(root / "data" / "flickr", root / "flickr", root)


def aflw_photograph(name: str) -> str:
    """The photograph of AFLW that a file shows, one name in all the sets made from AFLW."""
    found = _AFLW_NAME.search(PurePosixPath(name).name)
    return f"aflw/{found.group()}" if found else name
