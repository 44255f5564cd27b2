"""One video from end to end: follow its faces, write them, draw them, show them."""

from __future__ import annotations

import csv
import json
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Protocol, TextIO

from ..face import TrackedFace
from ..geometry import Feature
from ..images import ColorOrder
from ..writers import face_cells, face_columns
from .reader import Frame, VideoSource, read_frames
from .smoothing import FaceSmoother
from .tracker import FaceTracker, Landmarker, TrackOptions
from .writer import VideoWriter, Window, drawn

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class VideoSink(Protocol):
    """Takes one frame after the other."""

    def faces(self, frame: Frame, faces: Sequence[TrackedFace]) -> None:
        """The faces of a frame, none included."""


class VideoCsvSink:
    """One row per face; a frame without a face has none.

    The columns are those of `writers.face_columns`, after ``frame`` (counted from 0), ``face_id``
    and ``timestamp`` (seconds), as OpenFace calls them.
    """

    def __init__(
        self, stream: TextIO, chosen: Sequence[Feature], point_confidence: bool = False
    ) -> None:
        self.stream, self.chosen = stream, chosen
        self.writer = csv.writer(stream, lineterminator="\n")
        columns = face_columns(chosen, point_confidence)
        self.writer.writerow(["frame", "face_id", "timestamp", *columns])

    def faces(self, frame: Frame, faces: Sequence[TrackedFace]) -> None:
        for face in faces:
            place = [frame.number, face.id, round(frame.time, 4)]
            self.writer.writerow([*place, *face_cells(face, self.chosen)])
        _flush_to_terminal(self.stream)


class VideoJsonLinesSink:
    """One JSON object per frame, each on its own line."""

    def __init__(self, stream: TextIO, chosen: Sequence[Feature]) -> None:
        self.stream, self.chosen = stream, chosen

    def faces(self, frame: Frame, faces: Sequence[TrackedFace]) -> None:
        listed = [face.to_dict(self.chosen) for face in faces]
        entry = {"frame": frame.number, "timestamp": round(frame.time, 4), "faces": listed}
        self.stream.write(json.dumps(entry) + "\n")
        _flush_to_terminal(self.stream)


def open_sink(
    kind: str, stream: TextIO, chosen: Sequence[Feature], point_confidence: bool = False
) -> VideoSink:
    """The sink for a format, csv or jsonl; else as `efld_dlib.writers.open_sink`."""
    if kind == "csv":
        return VideoCsvSink(stream, chosen, point_confidence)
    return VideoJsonLinesSink(stream, chosen)


def _flush_to_terminal(stream: TextIO) -> None:
    # Who reads stdout wants a camera's faces at once.
    if stream is sys.stdout:
        stream.flush()


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
            sink.faces(frame, steady if self.smooth else faces)
        return self._display(frame, steady)

    def _display(self, frame: Frame, faces: Sequence[TrackedFace]) -> bool:
        if self.writer is None and self.window is None:
            return True
        picture = drawn(frame, faces)
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


def track(
    landmarker: Landmarker,
    source: VideoSource,
    options: TrackOptions | None = None,
    *,
    smooth: bool = False,
    color: ColorOrder = "rgb",
    fps: float = 30.0,
) -> Iterator[tuple[Frame, list[TrackedFace]]]:
    """What `FaceLandmarker.track` does."""
    tracker = FaceTracker(landmarker, options)
    smoother = FaceSmoother() if smooth else None
    for frame in read_frames(source, color, fps):
        faces = tracker.update(frame.gray)
        yield frame, faces if smoother is None else smoother(frame.time, faces)


class Stop:
    """Whether the user asked for an end."""

    def __init__(self) -> None:
        self.asked = False

    def __bool__(self) -> bool:
        return self.asked


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """A block in which the first Ctrl-C or SIGTERM only sets the `Stop`, so that what is being
    written is finished; a second one raises `KeyboardInterrupt`.
    """
    stop = Stop()

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.asked:
            raise KeyboardInterrupt
        stop.asked = True

    if threading.current_thread() is not threading.main_thread():
        # Only the main thread may handle signals.
        yield stop
        return
    before: list[tuple[signal.Signals, Any]] = [
        (number, signal.signal(number, ask)) for number in _SIGNALS
    ]
    try:
        yield stop
    finally:
        for number, handler in before:
            signal.signal(number, handler)
