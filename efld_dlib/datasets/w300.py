"""300-W: pictures with a `.pts` file of 68 landmarks beside each.

Sagonas et al., "300 Faces in-the-Wild Challenge", ICCVW 2013 and IMAVIS 2016. The archive's folders
are ``afw``, ``helen/{trainset,testset}``, ``lfpw/{trainset,testset}`` and ``ibug``; any of them may
be missing. Every other folder of pictures with `.pts` beside them is read the same way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..annotation import FaceAnnotation, ImageRecord
from ..errors import DataError, OptionError, Problems
from ..images import IMAGE_SUFFIXES
from .pts import read_pts


@dataclass(frozen=True)
class Part:
    """A folder of 300-W and the number of faces that the official archive has in it."""

    folder: str
    official: int


AFW = Part("afw", 337)
HELEN_TRAIN = Part("helen/trainset", 2000)
HELEN_TEST = Part("helen/testset", 330)
LFPW_TRAIN = Part("lfpw/trainset", 811)
LFPW_TEST = Part("lfpw/testset", 224)
IBUG = Part("ibug", 135)

PARTS = (AFW, HELEN_TRAIN, HELEN_TEST, LFPW_TRAIN, LFPW_TEST, IBUG)

# The official protocol: 3,148 faces to train on, 689 ("full") to test on.
SUBSETS: dict[str, tuple[Part, ...]] = {
    "train": (AFW, HELEN_TRAIN, LFPW_TRAIN),
    "test-common": (HELEN_TEST, LFPW_TEST),
    "test-challenging": (IBUG,),
    "test-full": (HELEN_TEST, LFPW_TEST, IBUG),
}

# AFW and HELEN number the faces of one photograph: 134212_1 and 134212_2. LFPW's and ibug's
# underscores mean nothing of the kind.
_FACE_NUMBER = re.compile(r"_\d+$")
_NUMBERED_FACES = ("afw", "helen")


@dataclass(frozen=True)
class FolderCount:
    """What was found in one folder: faces read, and the official number where there is one."""

    folder: str
    found: int
    official: int | None

    def __str__(self) -> str:
        if self.official is None:
            return f"{self.folder}: {self.found} faces"
        note = "" if self.found == self.official else f" of the official {self.official}"
        return f"{self.folder}: {self.found} faces{note}"


def subset_folders(root: str | Path, subset: str = "train") -> list[tuple[Path, int | None]]:
    """Folders of `subset` that exist below `root`, with the official count of each.

    Parameters
    ----------
    root : path
        Top of a 300-W tree, or a plain folder of pictures.
    subset : str
        A key of `SUBSETS`, or a folder below `root` such as ``afw`` or ``helen/testset``. A plain
        folder, which has none of 300-W's, is its own ``train`` subset.

    Raises
    ------
    DataError
        `root` is not a folder, or has none of the subset's folders.
    OptionError
        `subset` is neither a known name nor a folder below `root`.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(root, "is not a folder")
    if subset in SUBSETS:
        present: list[tuple[Path, int | None]] = [
            (root / part.folder, part.official)
            for part in SUBSETS[subset]
            if (root / part.folder).is_dir()
        ]
        if present:
            return present
        if subset == "train" and not any((root / part.folder).is_dir() for part in PARTS):
            return [(root, None)]
        wanted = ", ".join(part.folder for part in SUBSETS[subset])
        raise DataError(root, f"has none of the folders of subset '{subset}' ({wanted})")
    official = {part.folder: part.official for part in PARTS}
    if (root / subset).is_dir():
        return [(root / subset, official.get(Path(subset).as_posix()))]
    raise OptionError(
        f"'{subset}' is neither a subset ({', '.join(SUBSETS)}) nor a folder below {root}"
    )


def read_w300(
    root: str | Path,
    subset: str = "train",
    problems: Problems | None = None,
    counts: list[FolderCount] | None = None,
) -> Iterator[ImageRecord]:
    """Annotated faces of a 300-W tree or of a plain folder with `.pts` files, sorted by path.

    Parameters
    ----------
    root, subset
        As in `subset_folders`.
    problems : Problems, optional
        Takes the files that cannot be used; without it the first one raises.
    counts : list of FolderCount, optional
        Gets one entry a folder, when the folder has been read.

    Yields
    ------
    ImageRecord
        One picture with one face.

    Raises
    ------
    DataError
        A `.pts` file is wrong, or its picture is missing, in a run without `problems`.
    """
    problems = problems if problems is not None else Problems(strict=True)
    for folder, official in subset_folders(root, subset):
        found = 0
        for pts in sorted(_files(folder, ".pts")):
            with problems.skipping():
                record = _read_face(pts, numbered=_numbers_faces(folder))
                found += 1
                yield record
        if counts is not None:
            counts.append(FolderCount(_name(folder, Path(root)), found, official))


def _read_face(pts: Path, numbered: bool) -> ImageRecord:
    points = read_pts(pts)
    picture = find_picture(pts)
    stem = _FACE_NUMBER.sub("", pts.stem) if numbered else pts.stem
    photograph = (pts.parent / stem).as_posix()
    return ImageRecord(picture, (FaceAnnotation(points),), photograph)


def find_picture(annotation: Path) -> Path:
    """The picture with the same name as `annotation`, whatever its suffix and the suffix's case.

    Raises
    ------
    DataError
        There is none.
    """
    for suffix in IMAGE_SUFFIXES:
        for candidate in (annotation.with_suffix(suffix), annotation.with_suffix(suffix.upper())):
            if candidate.is_file():
                return candidate
    for other in sorted(annotation.parent.glob(f"{_glob_escape(annotation.stem)}.*")):
        if other.suffix.lower() in IMAGE_SUFFIXES:
            return other
    raise DataError(annotation, "has no picture beside it")


def _glob_escape(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)


def _files(folder: Path, suffix: str) -> list[Path]:
    return [path for path in folder.rglob("*") if path.suffix.lower() == suffix]


def _numbers_faces(folder: Path) -> bool:
    return any(part.lower() in _NUMBERED_FACES for part in folder.resolve().parts[-2:])


def _name(folder: Path, root: Path) -> str:
    return folder.relative_to(root).as_posix() if folder != root else folder.name
