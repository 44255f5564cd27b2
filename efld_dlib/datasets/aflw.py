"""Reading AFLW's SQLite database into memory, table by table."""

from __future__ import annotations

import math
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..boxes import Box, FloatArray, Pose
from ..errors import DataError
from ..landmarks import SCHEMES
from ..pose import pose_of_rotation, rotation_matrix
from ..records import FaceAnnotation, ImageRecord, convert_face
from .base import Entries, Pictures, aflw_photograph, aflw_pictures, reader, usable_box

Row = tuple[Any, ...]
Tables = dict[str, dict[Any, list[Row]]]
"""By table, then by what stands in its first column: the other columns of each such row. There can
be several, since rows come twice."""

# What is read of each table.
_SELECTED = {
    "featurecoords": "face_id, feature_id, x, y FROM featurecoords",
    "facerect": "face_id, x, y, w, h FROM facerect",
    "faceellipse": "face_id, x, y, ra, rb, theta FROM faceellipse",
    "facepose": "face_id, roll, pitch, yaw FROM facepose",
    "facemetadata": "face_id, sex, occluded, glasses, bw FROM facemetadata",
    "faceimages": "file_id, filepath, width, height FROM faceimages ORDER BY image_id",
    "faces": "face_id, file_id FROM faces ORDER BY face_id",
}
_VIRTUAL = re.compile(r"\s*create\s+virtual", re.IGNORECASE)
_LONGEST_VALUE = 1 << 20


def read_tables(path: Path) -> Tables:
    """The tables of ``aflw.sqlite`` that tell of faces and pictures.

    Raises
    ------
    DataError
        The file is no SQLite database, or lacks a table or a column.
    """
    # Read-only, so that nothing (journal, lock, empty database) is ever written beside the data.
    address = f"{path.resolve().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True)) as connection:
            connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
            _require_tables(path, connection)
            return {
                table: _by_first_column(connection.execute(f"SELECT {selected}"))
                for table, selected in _SELECTED.items()
            }
    except (sqlite3.Error, UnicodeDecodeError) as error:
        # SQLite's own message may hold a name that is not UTF-8; Python 3.10 then leaves it out.
        said = str(error)
        if isinstance(error, UnicodeDecodeError):
            said = error.object.decode("utf-8", "replace")
        raise DataError(path, f"is not AFLW's database ({said or 'damaged'})") from error


def _require_tables(path: Path, connection: sqlite3.Connection) -> None:
    """Refuse what only looks like a table: a view or virtual table is a program that may not end,
    and a value may be computed to any length.
    """
    if hasattr(connection, "setlimit"):  # Python 3.11
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
    entries = connection.execute("SELECT lower(name), sql FROM sqlite_master WHERE type = 'table'")
    tables = {name for name, sql in entries if not _VIRTUAL.match(str(sql))}
    for table in _SELECTED:
        if table not in tables:
            raise DataError(path, f"is not AFLW's database (no such table: {table})")


def _by_first_column(rows: sqlite3.Cursor) -> dict[Any, list[Row]]:
    grouped: dict[Any, list[Row]] = {}
    for key, *values in rows:
        grouped.setdefault(key, []).append(tuple(values))
    return grouped


def numbers(values: Row) -> list[float] | None:
    """`values` as floats, or None unless all are finite numbers."""
    try:
        found = [float(value) for value in values]
    except (TypeError, ValueError):
        return None
    return found if all(map(math.isfinite, found)) else None


# Indices of AFLW's landmarks: outer eye corners, tip of the nose, mouth corners.
_EYES = (6, 11)
_NOSE = 14
_MOUTH = (17, 19)

CLEARLY_TURNED = 15.0
"""Degrees from which an angle's sign must show in the landmarks."""

MIN_FACES = 10
"""With fewer clearly turned faces than this, nothing is said of their signs."""


def pose_from_aflw(roll: float, pitch: float, yaw: float) -> Pose:
    """Pose in degrees from `facepose`'s radians."""
    return pose_of_rotation(rotation_matrix([*map(math.degrees, (-yaw, pitch, -roll))]))


class PoseCheck:
    """Counts in how many clearly turned faces the landmarks say the same of the turn's side."""

    def __init__(self) -> None:
        self._agreeing: dict[str, list[bool]] = {"yaw": [], "roll": []}

    def add(self, points: FloatArray, pose: Pose) -> None:
        """Note one face.

        Parameters
        ----------
        points : array, shape (21, 2)
            AFLW's landmarks; a face is passed over if the eyes, nose or mouth are not all given.
        pose : Pose
            In the toolkit's convention.
        """
        eyes, mouth = points[list(_EYES)], points[list(_MOUTH)]
        right = eyes[1] - eyes[0]
        off_middle = points[_NOSE] - (eyes.mean(axis=0) + mouth.mean(axis=0)) / 2
        seen = {
            "yaw": float(off_middle @ right),
            "roll": math.atan2(float(right[1]), float(right[0])),
        }
        if not all(map(math.isfinite, seen.values())):
            return
        for angle, side in seen.items():
            stated = getattr(pose, angle)
            if CLEARLY_TURNED <= abs(stated) <= 90:
                self._agreeing[angle].append(side * stated > 0)

    def note(self) -> str:
        """A warning, or nothing where the signs agree in most faces."""
        return "; ".join(
            f"{angle} contradicts the landmarks in {agreeing.count(False)} of {len(agreeing)} "
            "clearly turned faces"
            for angle, agreeing in self._agreeing.items()
            if len(agreeing) >= MIN_FACES and sum(agreeing) < len(agreeing) / 2
        )


OFFICIAL = 24_386
FILE = "aflw.sqlite"
_METADATA = ("sex", "occluded", "glasses", "bw")


@reader
def read_aflw(
    root: Path, scheme: str = "21", pictures: str | Path | None = None
) -> Iterator[Entries]:
    """Faces of AFLW, sorted by picture; their count warns if poses contradict the landmarks.

    Parameters
    ----------
    root : path
        Folder with ``aflw.sqlite``, itself or in ``data``.
    scheme : {"21", "68", "19"}
        AFLW's own landmarks, those without the ears, or those of 300-W that correspond to one of
        AFLW's (the other 52 are NaN).
    pictures : path, optional
        The ``flickr`` folder; by default looked for in `root`.

    Yields
    ------
    ImageRecord
        One picture with all its faces. The box is the largest usable rectangle, or that of the
        ellipse, or None; the pose is that of `pose_from_aflw`; attributes are sex,
        occluded, glasses and bw.

    Raises
    ------
    DataError
        A folder, the database, a table or a column is missing; or a face's entry is wrong or its
        picture gone, in a run without `problems`; names the face_id.
    """
    path = next((p for p in (root / FILE, root / "data" / FILE) if p.is_file()), None)
    if path is None:
        raise DataError(root, f"has no {FILE}, neither itself nor in data")
    tables = read_tables(path)
    # Joined here and not in SQL: a file_id that stands twice must not make a face two.
    images = {
        face_id: tables["faceimages"].get(file_id, [(None, None, None)])[0]
        for face_id, [(file_id,), *_] in tables["faces"].items()
    }
    check = PoseCheck()
    read_one = partial(
        _read_face,
        path=path,
        tables=tables,
        pictures=aflw_pictures(root, pictures),
        scheme=scheme,
        check=check,
    )
    faces = sorted(images.items(), key=lambda face: str(face[1][0]))
    yield Entries("AFLW", faces, read_one, OFFICIAL, check.note, merge=True)


def _read_face(
    face: tuple[Any, Row],
    path: Path,
    tables: Tables,
    pictures: Pictures,
    scheme: str,
    check: PoseCheck,
) -> ImageRecord:
    face_id, (name, width, height) = face
    thing = f"face {face_id}"
    if not name:
        raise DataError(path, f"{thing}: has no picture in faceimages")
    picture = pictures.find(name, path, thing)
    rows = {table: by_face.get(face_id, []) for table, by_face in tables.items()}
    poses = (pose_from_aflw(*found) for found in map(numbers, rows["facepose"]) if found)
    metadata = zip(_METADATA, next(iter(rows["facemetadata"]), ()), strict=False)
    annotation = FaceAnnotation(
        _points(rows["featurecoords"], path, thing),
        _box(rows["facerect"], rows["faceellipse"], numbers((width, height))),
        SCHEMES["21"],
        next(poses, None),
        attributes={key: str(value) for key, value in metadata if value not in (None, "")},
    )
    if annotation.pose is not None:
        check.add(annotation.points, annotation.pose)
    annotation = convert_face(annotation, scheme)
    if not annotation.given.any():
        raise DataError(path, f"{thing}: has no landmark of scheme {scheme}")
    return ImageRecord(picture, (annotation,), aflw_photograph(name))


def _points(rows: list[Row], path: Path, thing: str) -> FloatArray:
    count = SCHEMES["21"].size
    points = np.full((count, 2), np.nan)
    for feature, x, y in reversed(rows):
        place = numbers((x, y))
        if place is None or feature not in range(1, count + 1):
            raise DataError(
                path,
                f"{thing}: feature {feature!r} at ({x!r}, {y!r}) is not one of 1 to {count} with "
                "two coordinates",
            )
        points[int(feature) - 1] = place if place != [-1.0, -1.0] else np.nan
    return points


def _box(rects: list[Row], ellipses: list[Row], size: list[float] | None) -> Box | None:
    """The largest rectangle, or else the first ellipse's box, that shares pixels with the picture.

    `size` is the picture's width and height, as far as they are known.
    """
    image = Box(0, 0, *size) if size is not None and min(size) >= 1 else None

    def inside(boxes: Iterable[Box | None]) -> Iterator[Box]:
        return (box for box in boxes if box and (image is None or box.overlap(image) > 0))

    rectangles = (usable_box(*found) for found in map(numbers, rects) if found)
    around = (_box_around(*found) for found in map(numbers, ellipses) if found)
    largest = max(inside(rectangles), key=lambda box: box.width * box.height, default=None)
    return largest or next(inside(around), None)


def _box_around(x: float, y: float, ra: float, rb: float, theta: float) -> Box | None:
    """The upright box around an ellipse of half axes ra and rb, turned by theta radians."""
    half_width = math.hypot(ra * math.cos(theta), rb * math.sin(theta))
    half_height = math.hypot(ra * math.sin(theta), rb * math.cos(theta))
    return usable_box(x - half_width, y - half_height, 2 * half_width, 2 * half_height)
