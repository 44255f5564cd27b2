"""300-W's official face boxes, ``bounding_boxes_*.mat``.

One file a folder (``bounding_boxes_helen_testset.mat``), variable ``bounding_boxes``: a cell array
of structs with `imgName`, `bb_detector` and `bb_ground_truth`, the boxes as x0, y0, x1, y1 counted
from 1. `bb_detector` is what the challenge's own detector found, `bb_ground_truth` the tight box of
the landmarks; https://ibug.doc.ic.ac.uk/resources/300-W/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..boxes import Box
from ..errors import DataError, OptionError
from ..landmarks import FACE_68, Scheme
from ..records import FaceAnnotation, ImageRecord
from .base import Entries, box_of_corners, files_below, find_picture, reader, require_folder
from .mat import MatFile
from .pts import read_pts

USUAL_FOLDERS = ("Bounding Boxes", "bounding_boxes", "Bounding_Boxes")


def read_boxes(folder: Path, part: str) -> dict[str, Box]:
    """Boxes of the pictures in one folder of 300-W.

    Parameters
    ----------
    folder : Path
        Where the `.mat` files are.
    part : str
        300-W's folder, such as ``helen/testset``.

    Returns
    -------
    dict of str to Box
        By the picture's name without suffix, since copies of the set come in other formats. The
        detector's box, or the landmarks' where there is none; in pixels counted from 0. Empty
        where `folder` has no file for `part`.

    Raises
    ------
    DataError
        The file is not such a file; names the entry, counted from 1.
    """
    path = folder / f"bounding_boxes_{part.replace('/', '_')}.mat"
    if not path.exists():
        return {}
    entries = MatFile(path, simplify=True)["bounding_boxes"]
    boxes: dict[str, Box] = {}
    for number, entry in enumerate(np.ravel(np.asarray(entries, dtype=object)), start=1):
        if not isinstance(entry, dict) or not isinstance(entry.get("imgName"), str):
            raise DataError(path, f"entry {number} has no imgName")
        box = _box(entry.get("bb_detector")) or _box(entry.get("bb_ground_truth"))
        if box is None:
            raise DataError(path, f"entry {number}, {entry['imgName']}: has no box")
        boxes[Path(entry["imgName"].strip()).stem] = box
    return boxes


def _box(corners: Any) -> Box | None:
    try:
        left, top, right, bottom = (float(value) - 1.0 for value in np.ravel(corners))
    except (TypeError, ValueError):
        return None
    return box_of_corners(left, top, right, bottom)


class Part(NamedTuple):
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


@reader
def read_w300(
    root: Path,
    subset: str = "train",
    boxes_mat: str | Path | None = None,
    scheme: Scheme | None = None,
) -> Iterator[Entries]:
    """Annotated faces of a 300-W tree or of a plain folder with `.pts` files, sorted by path.

    Parameters
    ----------
    root, subset
        As in `subset_folders`.
    boxes_mat : path, optional
        Folder with the official ``bounding_boxes_*.mat``, whose boxes the faces get; by default
        looked for in `root`. Without them, faces have no box.
    scheme : Scheme, optional
        What the points of the files are; by default the 68.

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
    scheme = scheme or FACE_68
    folders = subset_folders(root, subset)
    usual = (root / name for name in USUAL_FOLDERS if (root / name).is_dir())
    boxes = next(usual, None) if boxes_mat is None else require_folder(boxes_mat)
    for folder, official in folders:
        name = _name(folder, root)
        placed = read_boxes(boxes, name) if boxes is not None else {}
        numbered = _numbers_faces(folder)
        read_one = partial(_read_face, root, numbered=numbered, boxes=placed, scheme=scheme)
        files = files_below(folder, ".pts")
        note = "" if boxes is None else f"{len(placed)} official boxes"
        yield Entries(name, files, read_one, official, note)


def _read_face(
    root: Path, pts: Path, numbered: bool, boxes: Mapping[str, Box], scheme: Scheme
) -> ImageRecord:
    points = read_pts(pts, scheme)
    picture = find_picture(pts)
    stem = _FACE_NUMBER.sub("", pts.stem) if numbered else pts.stem
    # Relative, so that the split into training and validation part does not hang on where the
    # data lies.
    photograph = (pts.parent.relative_to(root) / stem).as_posix()
    return ImageRecord(picture, (FaceAnnotation(points, boxes.get(pts.stem), scheme),), photograph)


def _numbers_faces(folder: Path) -> bool:
    folder = folder.resolve()
    own = folder.parent if folder.name.lower() in ("trainset", "testset") else folder
    return own.name.lower() in _NUMBERED_FACES


def _name(folder: Path, root: Path) -> str:
    if folder != root:
        return folder.relative_to(root).as_posix()
    return folder.name or folder.resolve().name  # "." has no name
