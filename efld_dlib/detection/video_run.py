"""One video from end to end: follow its faces, write them, draw them, show them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from .smoothing import FaceSmoother
from .tracker import FaceTracker, TrackedFace
from .video import Frame
from .video_output import VideoWriter, Window, drawn
from .video_sinks import VideoSink


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
