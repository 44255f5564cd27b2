"""300-W's official face boxes, ``bounding_boxes_*.mat``.

One file a folder (``bounding_boxes_helen_testset.mat``), variable ``bounding_boxes``: a cell array
of structs with `imgName`, `bb_detector` and `bb_ground_truth`, the boxes as x0, y0, x1, y1 counted
from 1. `bb_detector` is what the challenge's own detector found, `bb_ground_truth` the tight box of
the landmarks; https://ibug.doc.ic.ac.uk/resources/300-W/.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..boxes import Box
from ..errors import DataError
from .mat import MatFile
from .pictures import require_folder
from .reading import box_of_corners

USUAL_FOLDERS = ("Bounding Boxes", "bounding_boxes", "Bounding_Boxes")


def boxes_folder(root: Path, given: str | Path | None = None) -> Path | None:
    """The folder with the `.mat` files: `given`, or one of the usual ones in `root`, or None.

    Raises
    ------
    DataError
        `given` is not a folder.
    """
    if given is not None:
        return require_folder(given)
    return next((root / name for name in USUAL_FOLDERS if (root / name).is_dir()), None)


def read_boxes(folder: Path, part: str) -> dict[str, Box]:
    """Boxes of the pictures in one folder of 300-W.

    Parameters
    ----------
    folder : Path
        As `boxes_folder` gives it.
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
    if isinstance(entries, dict):  # a set of one picture
        entries = [entries]
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
