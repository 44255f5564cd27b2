"""Writing the faces of a video as CSV or JSON Lines, frame by frame."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from typing import Protocol, TextIO

from ..feature_vector import Feature
from .sinks import face_as_dict, face_cells, face_columns
from .tracker import TrackedFace
from .video import Frame


class VideoSink(Protocol):
    """Takes one frame after the other."""

    def faces(self, frame: Frame, faces: Sequence[TrackedFace]) -> None:
        """The faces of a frame, none included."""


class VideoCsvSink:
    """One row a face; a frame without a face has none.

    The columns are those of `sinks.CsvSink`, after ``frame`` (counted from 0), ``face_id`` and
    ``timestamp`` (seconds), as OpenFace calls them.
    """

    def __init__(self, stream: TextIO, chosen: Sequence[Feature]) -> None:
        self.stream, self.chosen = stream, chosen
        self.writer = csv.writer(stream, lineterminator="\n")
        self.writer.writerow(["frame", "face_id", "timestamp", *face_columns(chosen)])

    def faces(self, frame: Frame, faces: Sequence[TrackedFace]) -> None:
        for face in faces:
            place = [frame.number, face.id, round(frame.time, 4)]
            self.writer.writerow([*place, *face_cells(face, self.chosen)])
        _hand_on(self.stream)


class VideoJsonLinesSink:
    """One JSON object a line, a line a frame."""

    def __init__(self, stream: TextIO, chosen: Sequence[Feature]) -> None:
        self.stream, self.chosen = stream, chosen

    def faces(self, frame: Frame, faces: Sequence[TrackedFace]) -> None:
        listed = [{"face_id": face.id, **face_as_dict(face, self.chosen)} for face in faces]
        entry = {"frame": frame.number, "timestamp": round(frame.time, 4), "faces": listed}
        self.stream.write(json.dumps(entry) + "\n")
        _hand_on(self.stream)


def _hand_on(stream: TextIO) -> None:
    # Who reads stdout wants a camera's faces at once.
    if stream is sys.stdout:
        stream.flush()
