"""Writing detected faces as JSON, JSON Lines or CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

from .face import Face, rounded
from .geometry import Feature, feature_names
from .landmarks import FACE_68, Scheme
from .pose import has_pose


def open_sink(
    kind: str,
    stream: TextIO,
    chosen: Sequence[Feature],
    point_confidence: bool = False,
    scheme: Scheme = FACE_68,
) -> JsonSink | CsvSink:
    """The sink for a format: json, jsonl or csv, with these features of each face.

    Examples
    --------
    >>> import sys
    >>> sink = open_sink("jsonl", sys.stdout, [])
    >>> sink.faces("wall.jpg", [])
    {"file": "wall.jpg", "faces": []}
    >>> sink.error("notes.txt", "is not a picture, or a damaged one")
    {"file": "notes.txt", "faces": [], "error": "is not a picture, or a damaged one"}
    """
    if kind == "csv":
        return CsvSink(stream, chosen, point_confidence, scheme)
    return JsonSink(stream, chosen, document=kind == "json")


def face_columns(
    chosen: Sequence[Feature], point_confidence: bool = False, scheme: Scheme = FACE_68
) -> list[str]:
    """Columns of a face in a table; names as OpenFace's where they mean the same.

    Those of `Face.point_confidence`, if faces have it, are ``c_0`` to ``c_67``. As in
    `Face.to_dict`, only the 68 landmarks have a confidence, and not every scheme tells a pose.

    Examples
    --------
    >>> from efld_dlib import parse_features
    >>> columns = face_columns(parse_features("36-45"))
    >>> columns[4:10], columns[-2:]
    (['score', 'confidence', 'yaw', 'pitch', 'roll', 'x_0'], ['y_67', 'd_36_45'])
    """
    return [
        *("left", "top", "width", "height", "score"),
        *(("confidence",) if scheme == FACE_68 else ()),
        *(("yaw", "pitch", "roll") if has_pose(scheme) else ()),
        *(f"x_{label}" for label in scheme.labels),
        *(f"y_{label}" for label in scheme.labels),
        *(f"c_{label}" for label in scheme.labels if point_confidence),
        *feature_names(chosen),
    ]


def face_cells(face: Face, chosen: Sequence[Feature]) -> list[float | None]:
    """Values of `face_columns`, rounded as everywhere; NaN as None."""
    sure = (face.score, face.confidence) if face.scheme == FACE_68 else (face.score,)
    pose = face.pose if has_pose(face.scheme) else ()
    places = (*pose, *face.points[:, 0], *face.points[:, 1])
    cells = [rounded(value) for value in face.box]
    cells += [rounded(value, 4) for value in sure] + [rounded(value) for value in places]
    if face.point_confidence is not None:
        cells += [rounded(value, 3) for value in face.point_confidence]
    return cells + [rounded(value, 5) for value in face.features(chosen).values()]


_HEAD = '{"images": [\n'


class JsonSink:
    """A JSON object for each image, as the images come.

    Each has a line of its own, or stands in one document: ``{"images": [...]}``.
    """

    def __init__(self, stream: TextIO, chosen: Sequence[Feature], document: bool) -> None:
        self.stream, self.chosen, self.document = stream, chosen, document
        # Not yet written, so that nothing stands there where the first picture ends it all.
        self.before = _HEAD

    def faces(self, name: str, faces: Sequence[Face]) -> None:
        self._entry({"file": name, "faces": [face.to_dict(self.chosen) for face in faces]})

    def error(self, name: str, message: str) -> None:
        self._entry({"file": name, "faces": [], "error": message})

    def close(self) -> None:
        if self.document:
            head = _HEAD if self.before == _HEAD else "\n"
            self.stream.write(f"{head}]}}\n")

    def _entry(self, entry: dict[str, Any]) -> None:
        text = json.dumps(entry, ensure_ascii=False)
        try:
            text.encode(self.stream.encoding or "utf-8")
        except UnicodeEncodeError:  # a name that the stream cannot hold as it stands
            text = json.dumps(entry)
        self.stream.write(f"{self.before}{text}" if self.document else f"{text}\n")
        self.before = ",\n"


class CsvSink:
    """The columns of `table_columns`: a row for each face, or one that says why there is none."""

    def __init__(
        self,
        stream: TextIO,
        chosen: Sequence[Feature],
        point_confidence: bool = False,
        scheme: Scheme = FACE_68,
    ) -> None:
        self.chosen = chosen
        self.encoding = stream.encoding or "utf-8"
        self.columns = table_columns(chosen, point_confidence, scheme)
        self.writer = csv.writer(stream, lineterminator="\n")
        self.writer.writerow(self.columns)

    def faces(self, name: str, faces: Sequence[Face]) -> None:
        self._rows(name, None, [face_cells(face, self.chosen) for face in faces])

    def error(self, name: str, message: str) -> None:
        self._rows(name, message, [])

    def close(self) -> None:
        pass

    def _rows(self, name: str, error: str | None, faces: Sequence[Sequence[float | None]]) -> None:
        name = name.encode(self.encoding, "backslashreplace").decode(self.encoding)
        self.writer.writerows(table_rows(name, error, faces, len(self.columns)))


TEXT_COLUMNS = ("file", "status", "error")

Row = list[str | int | float | None]


def table_columns(
    chosen: Sequence[Feature], point_confidence: bool = False, scheme: Scheme = FACE_68
) -> list[str]:
    """Columns of the tables of ``detect`` and ``extract``.

    Examples
    --------
    >>> table_columns([])[:6]
    ['file', 'status', 'error', 'face', 'left', 'top']
    """
    return [*TEXT_COLUMNS, "face", *face_columns(chosen, point_confidence, scheme)]


def table_rows(
    name: str, error: str | None, faces: Sequence[Sequence[float | None]], columns: int
) -> Iterator[Row]:
    """The rows of an image: one for each face, or one that says that there is none, or why.

    Parameters
    ----------
    name : str
        The image, as it is to be called.
    error : str, optional
        Why it could not be used.
    faces : sequence of sequence
        `face_cells` of each face.
    columns : int
        Number of columns of the table.

    Examples
    --------
    >>> list(table_rows("wall.jpg", None, [], 6))
    [['wall.jpg', 'no face', None, None, None, None]]
    """
    nothing = [None] * (columns - len(TEXT_COLUMNS))
    if error is not None:
        yield [name, "error", error, *nothing]
    elif not faces:
        yield [name, "no face", None, *nothing]
    for number, cells in enumerate(faces):
        yield [name, "face", None, number, *cells]
