"""Ways to find the landmarks of every frame of a video, which the video benchmark compares."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..backend import load_dlib
from ..boxes import FloatArray
from ..detection.detectors import FrontalDetector
from ..landmarker import FaceLandmarker
from ..models.loading import load_predictor
from ..video.reader import Frame
from ..video.smoothing import FaceSmoother
from ..video.tracker import FaceTracker, TrackOptions
from .peers.dlib_file import plain_points

FacePoints = list[FloatArray]


class VideoMethod(Protocol):
    """Gives the landmarks of all faces of each frame of a video."""

    name: str

    def run(self, frames: Iterable[Frame]) -> list[FacePoints]: ...


@dataclass
class Tracking:
    """The faces are followed, and smoothed if so wanted."""

    landmarker: FaceLandmarker
    options: TrackOptions
    smooth: bool = False

    def __post_init__(self) -> None:
        self.name = "tracking, smoothed" if self.smooth else "tracking"

    def run(self, frames: Iterable[Frame]) -> list[FacePoints]:
        tracker, smoother = FaceTracker(self.landmarker, self.options), FaceSmoother()
        found = []
        for frame in frames:
            faces = tracker.update(frame.gray)
            if self.smooth:
                faces = smoother(frame.time, faces)
            found.append([face.points for face in faces])
        return found


@dataclass
class Detecting:
    """Every frame is a picture of its own."""

    landmarker: FaceLandmarker
    name: str = "detecting every frame"

    def run(self, frames: Iterable[Frame]) -> list[FacePoints]:
        return [[face.points for face in self.landmarker.detect(frame.gray)] for frame in frames]


class PlainDlib:
    """What a dlib program does with every frame: detector, predictor, whole pixels."""

    name = "dlib's detector and predictor"

    def __init__(self, model: Path | None) -> None:
        self.predictor = load_predictor(model)
        self.detector = FrontalDetector(0)

    def run(self, frames: Iterable[Frame]) -> list[FacePoints]:
        rectangle = load_dlib().rectangle
        return [
            [
                plain_points(self.predictor, rectangle, frame.gray, found.box)
                for found in self.detector(frame.gray)
            ]
            for frame in frames
        ]
