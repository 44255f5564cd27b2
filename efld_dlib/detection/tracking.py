"""Videos to faces with ids: reading, following, smoothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..images import ColorOrder
from .smoothing import FaceSmoother
from .tracker import FaceTracker, TrackedFace, TrackOptions
from .video import Frame, VideoSource, read_frames

if TYPE_CHECKING:
    from .landmarker import FaceLandmarker


def track(
    landmarker: FaceLandmarker,
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
