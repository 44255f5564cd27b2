"""Reading AFLW's SQLite database into memory, table by table."""

from __future__ import annotations

import math
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import DataError

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
