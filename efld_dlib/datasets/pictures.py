"""Finding the picture that an annotation belongs to."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path, PurePosixPath

from ..errors import DataError
from ..files import is_file
from ..images import IMAGE_SUFFIXES

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
