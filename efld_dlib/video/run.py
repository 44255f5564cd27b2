"""One video from end to end: follow its faces, write them, draw them, show them."""

from __future__ import annotations

import csv
import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import TextIO

from ..face import TrackedFace
from ..geometry import Feature
from ..landmarks import FACE_68, Scheme
from ..writers import face_cells, face_columns
from .reader import Frame
from .smoothing import FaceSmoother
from .tracker import FaceTracker
from .writer import VideoWriter, Window, drawn

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


VideoSink = Callable[[Frame, Sequence[TrackedFace]], None]
"""Takes each frame with its faces, also one without a face."""


def open_sink(
    kind: str,
    stream: TextIO,
    chosen: Sequence[Feature],
    point_confidence: bool = False,
    scheme: Scheme = FACE_68,
) -> VideoSink:
    """The sink for a format, csv or jsonl; else as `efld_dlib.writers.open_sink`.

    A CSV has one row per face; a frame without a face has none. Its columns are those of
    `writers.face_columns`, after ``frame`` (counted from 0), ``face_id`` and ``timestamp``
    (seconds), as OpenFace calls them. JSON Lines have one object per frame, each on its own line.
    """
    writer = csv.writer(stream, lineterminator="\n")
    if kind == "csv":
        columns = face_columns(chosen, point_confidence, scheme)
        writer.writerow(["frame", "face_id", "timestamp", *columns])

    def write(frame: Frame, faces: Sequence[TrackedFace]) -> None:
        seconds = round(frame.time, 4)
        if kind == "csv":
            for face in faces:
                writer.writerow([frame.number, face.id, seconds, *face_cells(face, chosen)])
        else:
            listed = [face.to_dict(chosen) for face in faces]
            entry = {"frame": frame.number, "timestamp": seconds, "faces": listed}
            stream.write(json.dumps(entry) + "\n")
        # Who reads stdout wants a camera's faces at once.
        if stream is sys.stdout:
            stream.flush()

    return write


@dataclass
class VideoRun:
    """Takes the frames of a video one after the other.

    Parameters
    ----------
    tracker : FaceTracker
    sinks : sequence of VideoSink
        Where the faces are written.
    writer : VideoWriter, optional
        Where the drawn frames are written.
    window : Window, optional
        Where they are shown.
    smooth : bool, optional
        Whether landmarks are smoothed; None = those that are drawn, and not those that are written.

    Attributes
    ----------
    frames : int
        How many it took.
    ids : set of int
        Of the faces in them.
    """

    tracker: FaceTracker
    sinks: Sequence[VideoSink] = ()
    writer: VideoWriter | None = None
    window: Window | None = None
    smooth: bool | None = None
    frames: int = 0
    ids: set[int] = field(default_factory=set)
    _smoother: FaceSmoother = field(default_factory=FaceSmoother)
    _started: float = field(default_factory=time.perf_counter)

    def take(self, frame: Frame) -> bool:
        """Do all that is to be done with a frame; whether further ones are wanted.

        Raises
        ------
        EfldError
            Something cannot be written or shown.
        """
        faces = self.tracker.update(frame.gray)
        self.frames += 1
        self.ids.update(face.id for face in faces)
        steady = faces if self.smooth is False else self._smoother(frame.time, faces)
        for sink in self.sinks:
            sink(frame, steady if self.smooth else faces)
        if self.writer is None and self.window is None:
            return True
        picture = drawn(frame, steady)
        if self.writer is not None:
            self.writer.write(picture, frame.time)
        return self.window is None or self.window.show(picture)

    def summary(self) -> str:
        """One line for the user: frames, rate, faces, runs of the detector."""
        rate = self.frames / max(time.perf_counter() - self._started, 1e-9)
        faces = f"{len(self.ids)} face{'' if len(self.ids) == 1 else 's'}"
        return (
            f"{self.frames} frames at {rate:.0f} a second, {faces}; "
            f"the detector ran {self.tracker.detections} times"
        )


@contextmanager
def stop_on_signals() -> Iterator[list[int]]:
    """A block in which the first Ctrl-C or SIGTERM is only added to the list, empty until then, so
    that what is being written is finished; a second one raises `KeyboardInterrupt`.
    """
    came: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        if came:
            raise KeyboardInterrupt
        came.append(number)

    # Only the main thread may handle signals.
    main = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, ask) for number in _SIGNALS if main}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
