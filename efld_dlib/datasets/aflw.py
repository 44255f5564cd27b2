"""AFLW: 24,386 faces of Flickr photographs with up to 21 landmarks each.

Köstinger et al., "Annotated Facial Landmarks in the Wild", ICCVW 2011. The annotations are the
SQLite file ``aflw.sqlite``, the pictures lie in ``flickr/0``, ``2`` and ``3``. A landmark that is
not visible has no row. Coordinates count from 0.

Known of the set, and dealt with: rectangles that are missing, doubled, of no size or outside the
picture; faces that stand twice; pictures that are no longer there; -1 for a coordinate.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from ..boxes import Box, FloatArray, Pose
from ..errors import DataError, Problems
from ..landmarks import NAMES_21, convert_face
from ..records import FaceAnnotation, ImageRecord
from .aflw_database import Database, FaceRow, numbers, read_database
from .aflw_pose import PoseCheck, pose_from_aflw
from .pictures import Pictures, aflw_photograph, aflw_pictures, require_folder
from .reading import FolderCount, merged, read_each, usable_box

OFFICIAL = 24_386
FILE = "aflw.sqlite"
_METADATA = ("sex", "occluded", "glasses", "bw")


def read_aflw(
    root: str | Path,
    scheme: str = "21",
    problems: Problems | None = None,
    counts: list[FolderCount] | None = None,
    pictures: str | Path | None = None,
) -> Iterator[ImageRecord]:
    """Faces of AFLW, sorted by picture.

    Parameters
    ----------
    root : path
        Folder with ``aflw.sqlite``, itself or in ``data``.
    scheme : {"21", "68", "19"}
        AFLW's own landmarks, those without the ears, or those of 300-W that correspond to one of
        AFLW's (the other 52 are NaN).
    problems : Problems, optional
        Takes the faces that cannot be used; without it the first one raises.
    counts : list of FolderCount, optional
        Gets one entry, when all is read; it warns if poses contradict the landmarks.
    pictures : path, optional
        The ``flickr`` folder; by default looked for in `root`.

    Yields
    ------
    ImageRecord
        One picture with all its faces. The box is the largest usable rectangle, or that of the
        ellipse, or None; the pose is that of `aflw_pose.pose_from_aflw`; attributes are sex,
        occluded, glasses and bw.

    Raises
    ------
    DataError
        A folder, the database, a table or a column is missing; or a face's entry is wrong or its
        picture gone, in a run without `problems`; names the face_id.
    """
    root = require_folder(root)
    path = next((p for p in (root / FILE, root / "data" / FILE) if p.is_file()), None)
    if path is None:
        raise DataError(root, f"has no {FILE}, neither itself nor in data")
    database = read_database(path)
    check = PoseCheck()
    read_one = partial(
        _read_face,
        database=database,
        pictures=aflw_pictures(root, pictures),
        scheme=scheme,
        check=check,
    )
    yield from merged(
        read_each(database.faces, read_one, problems, counts, "AFLW", OFFICIAL, check.note)
    )


def _read_face(
    row: FaceRow, database: Database, pictures: Pictures, scheme: str, check: PoseCheck
) -> ImageRecord:
    thing = f"face {row.face_id}"
    if not row.filepath:
        raise DataError(database.path, f"{thing}: has no picture in faceimages")
    picture = pictures.find(row.filepath, database.path, thing)
    face = FaceAnnotation(
        _points(row, database),
        _box(row, database),
        "21",
        _pose(row, database),
        attributes=_attributes(row, database),
    )
    if face.pose is not None:
        check.add(face.points, face.pose)
    face = convert_face(face, scheme)
    if not face.given.any():
        raise DataError(database.path, f"{thing}: has no landmark of scheme {scheme}")
    return ImageRecord(picture, (face,), aflw_photograph(row.filepath))


def _points(row: FaceRow, database: Database) -> FloatArray:
    points = np.full((len(NAMES_21), 2), np.nan)
    for feature, x, y in reversed(database.features.get(row.face_id, [])):
        place = numbers((x, y))
        if place is None or feature not in range(1, len(NAMES_21) + 1):
            raise DataError(
                database.path,
                f"face {row.face_id}: feature {feature!r} at ({x!r}, {y!r}) is not one of "
                f"1 to {len(NAMES_21)} with two coordinates",
            )
        points[int(feature) - 1] = place if place != [-1.0, -1.0] else np.nan
    return points


def _box(row: FaceRow, database: Database) -> Box | None:
    candidates = [_rectangle(values) for values in database.rects.get(row.face_id, [])]
    usable = [box for box in candidates if box is not None and _in_picture(box, row)]
    if usable:
        return max(usable, key=lambda box: box.width * box.height)
    around = [_ellipse(values) for values in database.ellipses.get(row.face_id, [])]
    return next((box for box in around if box is not None and _in_picture(box, row)), None)


def _rectangle(values: tuple[object, ...]) -> Box | None:
    found = numbers(values)
    return usable_box(*found) if found is not None else None


def _ellipse(values: tuple[object, ...]) -> Box | None:
    """The upright box around an ellipse of half axes ra and rb, turned by theta radians."""
    found = numbers(values)
    if found is None:
        return None
    x, y, ra, rb, theta = found
    half_width = math.hypot(ra * math.cos(theta), rb * math.sin(theta))
    half_height = math.hypot(ra * math.sin(theta), rb * math.cos(theta))
    return usable_box(x - half_width, y - half_height, 2 * half_width, 2 * half_height)


def _in_picture(box: Box, row: FaceRow) -> bool:
    """Whether the box shares pixels with the picture, as far as its size is known."""
    size = numbers((row.width, row.height))
    if size is None or min(size) < 1:
        return True
    return box.overlap(Box(0, 0, size[0], size[1])) > 0


def _pose(row: FaceRow, database: Database) -> Pose | None:
    for values in database.poses.get(row.face_id, []):
        found = numbers(values)
        if found is not None:
            return pose_from_aflw(*found)
    return None


def _attributes(row: FaceRow, database: Database) -> dict[str, str]:
    values = next(iter(database.metadata.get(row.face_id, [])), ())
    named = zip(_METADATA, values, strict=False)
    return {name: str(value) for name, value in named if value not in (None, "")}
