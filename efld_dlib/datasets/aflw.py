"""Reading AFLW's SQLite database into memory, table by table."""

from __future__ import annotations

import math
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..boxes import Box, FloatArray, Pose
from ..errors import DataError, Problems
from ..landmarks import NAMES_21, convert_face
from ..pose import pose_of_rotation, rotation_matrix
from ..records import FaceAnnotation, ImageRecord
from .base import (
    FolderCount,
    Pictures,
    aflw_photograph,
    aflw_pictures,
    merged,
    read_each,
    require_folder,
    usable_box,
)

Row = tuple[Any, ...]


@dataclass(frozen=True)
class FaceRow:
    """A face and the picture that it is in, as `faces` and `faceimages` have them."""

    face_id: int
    filepath: str | None
    width: float | None
    height: float | None


@dataclass(frozen=True)
class Database:
    """AFLW's tables, those about faces by `face_id`; each a list, since rows can come twice.

    Parameters
    ----------
    path : Path
        The file.
    faces : list of FaceRow
        Sorted by picture.
    features : dict
        feature_id, x, y.
    rects : dict
        x, y, w, h.
    ellipses : dict
        x, y, ra, rb, theta.
    poses : dict
        roll, pitch, yaw.
    metadata : dict
        sex, occluded, glasses, bw.
    """

    path: Path
    faces: list[FaceRow]
    features: dict[int, list[Row]] = field(default_factory=dict)
    rects: dict[int, list[Row]] = field(default_factory=dict)
    ellipses: dict[int, list[Row]] = field(default_factory=dict)
    poses: dict[int, list[Row]] = field(default_factory=dict)
    metadata: dict[int, list[Row]] = field(default_factory=dict)


# Field of `Database` -> table and its columns.
_TABLES = {
    "features": ("featurecoords", "feature_id, x, y"),
    "rects": ("facerect", "x, y, w, h"),
    "ellipses": ("faceellipse", "x, y, ra, rb, theta"),
    "poses": ("facepose", "roll, pitch, yaw"),
    "metadata": ("facemetadata", "sex, occluded, glasses, bw"),
}
_VIRTUAL = re.compile(r"\s*create\s+virtual", re.IGNORECASE)
_LONGEST_VALUE = 1 << 20
_FACES = "SELECT face_id, file_id FROM faces ORDER BY face_id"
_IMAGES = "SELECT file_id, filepath, width, height FROM faceimages ORDER BY image_id"


def read_database(path: Path) -> Database:
    """The tables of ``aflw.sqlite``.

    Raises
    ------
    DataError
        The file is missing, is no SQLite database, or lacks a table or a column.
    """
    if not path.is_file():
        raise DataError(path, "does not exist")
    # Read-only, so that nothing (journal, lock, empty database) is ever written beside the data.
    address = f"{path.resolve().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True)) as connection:
            connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
            _require_tables(path, connection)
            tables = {
                name: _by_face(connection.execute(f"SELECT face_id, {columns} FROM {table}"))
                for name, (table, columns) in _TABLES.items()
            }
            return Database(path, list(_faces(connection)), **tables)
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
    for table in ("faces", "faceimages", *(table for table, _ in _TABLES.values())):
        if table not in tables:
            raise DataError(path, f"is not AFLW's database (no such table: {table})")


def _faces(connection: sqlite3.Connection) -> Iterator[FaceRow]:
    # Joined here and not in SQL: a file_id that stands twice must not make a face two.
    images: dict[Any, Row] = {}
    for file_id, *image in connection.execute(_IMAGES):
        images.setdefault(file_id, tuple(image))
    faces: dict[Any, FaceRow] = {}
    for face_id, file_id in connection.execute(_FACES):
        faces.setdefault(face_id, FaceRow(face_id, *images.get(file_id, (None, None, None))))
    yield from sorted(faces.values(), key=lambda face: str(face.filepath))


def _by_face(rows: sqlite3.Cursor) -> dict[int, list[Row]]:
    grouped: dict[int, list[Row]] = defaultdict(list)
    for face_id, *values in rows:
        grouped[face_id].append(tuple(values))
    return dict(grouped)


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
    return pose_of_rotation(
        rotation_matrix(Pose(math.degrees(-yaw), math.degrees(pitch), math.degrees(-roll)))
    )


class PoseCheck:
    """Counts in how many clearly turned faces the landmarks say the same of the turn's side."""

    def __init__(self) -> None:
        self._agreeing = {"yaw": 0, "roll": 0}
        self._turned = {"yaw": 0, "roll": 0}

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
                self._turned[angle] += 1
                self._agreeing[angle] += side * stated > 0

    def note(self) -> str:
        """A warning, or nothing where the signs agree in most faces."""
        return "; ".join(
            f"{angle} contradicts the landmarks in {turned - self._agreeing[angle]} of {turned} "
            "clearly turned faces"
            for angle, turned in self._turned.items()
            if turned >= MIN_FACES and self._agreeing[angle] < turned / 2
        )


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
        ellipse, or None; the pose is that of `pose_from_aflw`; attributes are sex,
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
