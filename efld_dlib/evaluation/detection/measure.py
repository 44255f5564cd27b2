"""Running face detectors by turns over the same images."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ...boxes import Box
from ...detection.detectors import Detector
from ...detection.framing import is_half, match_detections, true_box
from ...errors import OptionError
from ...images import Image
from ...pose import face_poses
from ...records import FaceAnnotation
from ..benchmark_timing import in_turn


class Traits(NamedTuple):
    """What may make a face hard to find; of the image as it was before it was turned.

    Parameters
    ----------
    yaw, roll : float
        Degrees; NaN = unknown. The yaw of a face half hidden by the head is NaN too.
    half : bool
        Whether the head hides one half of it.
    size : float
        Width in pixels of the box in which dlib's frontal detector would frame it.
    brightness : float
        Mean gray in that box, 0 to 255; NaN if the box lies outside the image.
    """

    yaw: float
    roll: float
    half: bool
    size: float
    brightness: float


@dataclass(frozen=True, eq=False)
class InputImage:
    """An image to run detectors on.

    Parameters
    ----------
    source, name : str
        Where it comes from, for the tables, and its own name.
    gray : array of uint8, shape (height, width)
    faces : sequence of FaceAnnotation
        With the 68 landmarks.
    traits : sequence of Traits
        Those of the faces.
    turn : float
        Degrees by which the image was turned clockwise.
    """

    source: str
    name: str
    gray: Image
    faces: Sequence[FaceAnnotation] = ()
    traits: Sequence[Traits] = ()
    turn: float = 0.0


@dataclass(frozen=True)
class DetectedFace:
    """An annotated face, and what became of it.

    Parameters
    ----------
    traits : Traits
    scores : mapping of str to float
        By detector, the score of the detection that belongs to the face. A detector that missed
        the face is not in it.
    """

    traits: Traits
    scores: Mapping[str, float]


@dataclass(frozen=True)
class ImageRun:
    """What detectors made of an image.

    Parameters
    ----------
    source, name : str
    turn : float
        As in `InputImage`.
    faces : tuple of DetectedFace
    others : mapping of str to tuple of float
        By detector, the scores of the detections that belong to no annotated face: false alarms,
        and people whom nobody annotated.
    seconds : mapping of str to float
        By detector.
    """

    source: str
    name: str
    turn: float
    faces: tuple[DetectedFace, ...]
    others: Mapping[str, tuple[float, ...]]
    seconds: Mapping[str, float]


def run_detectors(
    detectors: Mapping[str, Detector], images: Iterable[InputImage]
) -> list[ImageRun]:
    """Run detectors by turns over images; which one begins changes from image to image.

    Parameters
    ----------
    detectors : mapping of str to Detector
        By name.
    images : iterable of InputImage

    Raises
    ------
    OptionError
        There is no detector.
    """
    if not detectors:
        raise OptionError("there is no detector to measure")
    runs = []
    for turn, image in enumerate(images):
        if not turn:
            # What is loaded at the first call does not count.
            for detector in detectors.values():
                detector(image.gray)
        runs.append(_run(detectors, image, turn))
    return runs


def _run(detectors: Mapping[str, Detector], image: InputImage, turn: int) -> ImageRun:
    scores: list[dict[str, float]] = [{} for _ in image.faces]
    others: dict[str, tuple[float, ...]] = {}
    seconds: dict[str, float] = {}
    for name in in_turn(list(detectors), turn):
        began = time.perf_counter()
        found = detectors[name](image.gray)
        seconds[name] = time.perf_counter() - began
        boxes = match_detections(image.faces, found)
        for number, box in enumerate(boxes):
            if box is not None:
                scores[number][name] = next(each.score for each in found if each.box is box)
        others[name] = tuple(
            each.score for each in found if not any(each.box is box for box in boxes)
        )
    faces = tuple(map(DetectedFace, image.traits, scores))
    return ImageRun(image.source, image.name, image.turn, faces, others, seconds)


def traits_of(gray: Image, faces: Sequence[FaceAnnotation]) -> list[Traits]:
    """Traits of the faces of an image; each face has at least one landmark."""
    traits = []
    for face, pose in zip(faces, face_poses(faces), strict=True):
        half = is_half(face)
        box = true_box(face, float(pose[2])) or Box.around(face.points)
        # The mean face, fitted to one half alone, looks less turned than such heads are.
        yaw = np.nan if half else float(pose[0])
        traits.append(Traits(yaw, float(pose[2]), half, box.width, _mean_gray(gray, box)))
    return traits


def _mean_gray(gray: Image, box: Box) -> float:
    left, top = max(0, round(box.left)), max(0, round(box.top))
    right, bottom = max(0, round(box.right) + 1), max(0, round(box.bottom) + 1)
    part = gray[top:bottom, left:right]
    return float(part.mean()) if part.size else float("nan")
