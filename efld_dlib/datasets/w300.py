"""300-W: pictures with a `.pts` file of 68 landmarks beside each.

Sagonas et al., "300 Faces in-the-Wild Challenge", ICCVW 2013 and IMAVIS 2016. The archive's folders
are ``afw``, ``helen/{trainset,testset}``, ``lfpw/{trainset,testset}`` and ``ibug``; any of them may
be missing. Every other folder of pictures with `.pts` beside them is read the same way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..boxes import Box
from ..errors import DataError, OptionError, Problems
from ..records import FaceAnnotation, ImageRecord
from .pictures import files_below, find_picture, require_folder
from .pts import read_pts
from .reading import FolderCount, read_each
from .w300_boxes import boxes_folder, read_boxes


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

TEST_PARTS = SUBSETS["test-full"]

# AFW and HELEN number the faces of one photograph: 134212_1 and 134212_2. LFPW's and ibug's
# underscores mean nothing of the kind.
_FACE_NUMBER = re.compile(r"_\d+$")
_NUMBERED_FACES = ("afw", "helen")


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
    root = require_folder(root)
    if subset in SUBSETS:
        present: list[tuple[Path, int | None]] = [
            (root / part.folder, part.official)
            for part in SUBSETS[subset]
            if (root / part.folder).is_dir()
        ]
        if present:
            return present
        if subset == "train" and not is_tree(root):
            return [(root, None)]
        wanted = ", ".join(part.folder for part in SUBSETS[subset])
        raise DataError(root, f"has none of the folders of subset '{subset}' ({wanted})")
    official = {part.folder: part.official for part in PARTS}
    folder = root / subset  # an absolute `subset` would take the place of `root`
    if folder.is_dir() and folder.is_relative_to(root):
        return [(folder, official.get(Path(subset).as_posix()))]
    raise OptionError(
        f"'{subset}' is neither a subset ({', '.join(SUBSETS)}) nor a folder below {root}"
    )


def is_tree(root: str | Path) -> bool:
    """Whether `root` has any of the folders of 300-W."""
    return any((Path(root) / part.folder).is_dir() for part in PARTS)


def present_test_folders(root: str | Path) -> tuple[str, ...]:
    """Folders of test faces below `root`, each a `subset` of `read_w300`.

    They are the official ones of a 300-W tree, and ``testset`` of one of its archives alone
    (``300w/helen``). A plain folder has none.
    """
    root = require_folder(root)
    candidates = [part.folder for part in TEST_PARTS] if is_tree(root) else ["testset"]
    return tuple(folder for folder in candidates if (root / folder).is_dir())


def has_training_folders(root: str | Path) -> bool:
    """Whether folders of 300-W's training faces can be told below `root`.

    In a tree they are known; elsewhere one counts, however deep, whose name ends in ``trainset``.
    """
    if is_tree(root):
        return any((Path(root) / part.folder).is_dir() for part in SUBSETS["train"])
    return any(path.is_dir() for path in files_below(Path(root), "trainset"))


def missing_parts(root: str | Path, subset: str) -> tuple[Part, ...]:
    """Parts of a known subset that a 300-W tree lacks; none where it has none of them at all."""
    parts = SUBSETS.get(subset, ())
    missing = tuple(part for part in parts if not (Path(root) / part.folder).is_dir())
    return missing if len(missing) < len(parts) else ()


def read_w300(
    root: str | Path,
    subset: str = "train",
    problems: Problems | None = None,
    counts: list[FolderCount] | None = None,
    boxes_mat: str | Path | None = None,
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
    boxes_mat : path, optional
        Folder with the official ``bounding_boxes_*.mat``, whose boxes the faces get; by default
        looked for in `root`. Without them, faces have no box.

    Yields
    ------
    ImageRecord
        One picture with one face.

    Raises
    ------
    DataError
        A `.pts` file is wrong, or its picture is missing, in a run without `problems`; `boxes_mat`
        is not a folder of such files. And what `subset_folders` raises.
    """
    root = Path(root)
    folders = subset_folders(root, subset)
    boxes = boxes_folder(root, boxes_mat)
    for folder, official in folders:
        name = _name(folder, root)
        placed = read_boxes(boxes, name) if boxes is not None else {}
        read_one = partial(_read_face, root, numbered=_numbers_faces(folder), boxes=placed)
        files = files_below(folder, ".pts")
        note = "" if boxes is None else f"{len(placed)} official boxes"
        yield from read_each(files, read_one, problems, counts, name, official, note)


def _read_face(root: Path, pts: Path, numbered: bool, boxes: Mapping[str, Box]) -> ImageRecord:
    points = read_pts(pts)
    picture = find_picture(pts)
    stem = _FACE_NUMBER.sub("", pts.stem) if numbered else pts.stem
    # Relative, so that the split into training and validation part does not hang on where the
    # data lies.
    photograph = (pts.parent.relative_to(root) / stem).as_posix()
    return ImageRecord(picture, (FaceAnnotation(points, boxes.get(pts.stem)),), photograph)


def _numbers_faces(folder: Path) -> bool:
    folder = folder.resolve()
    own = folder.parent if folder.name.lower() in ("trainset", "testset") else folder
    return own.name.lower() in _NUMBERED_FACES


def _name(folder: Path, root: Path) -> str:
    if folder != root:
        return folder.relative_to(root).as_posix()
    return folder.name or folder.resolve().name  # "." has no name
