"""Running detectors over annotated faces, upright or turned, and over pictures without any."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...annotation import FloatArray, ImageRecord
from ...detection.detectors import Detection, Detector
from ...detection.landmark_stage import LandmarkStage
from ...detection.matching import match_detections
from ...detection.places import turned_back
from ...errors import DataError, OptionError, Problems
from ...images import Image, read_image, to_gray
from ...models.loading import require_68_points
from ...pose import face_poses
from ..metrics import normalised_mean_errors


@dataclass(frozen=True)
class DetectedFace:
    """An annotated face, and what became of it.

    Parameters
    ----------
    yaw, roll : float
        Degrees, NaN = unknown. The roll is that before the picture was turned.
    size : float
        Larger side of the landmarks' box, in pixels.
    turn : float
        Degrees by which the picture was turned clockwise.
    found : mapping of str to bool
        By detector.
    errors : mapping of str to float
        By detector, the NME of the landmarks, by the distance of the outer eye corners; of those
        that found the face, and where the annotation has both corners.
    """

    yaw: float
    roll: float
    size: float
    turn: float
    found: Mapping[str, bool]
    errors: Mapping[str, float]


@dataclass(frozen=True)
class DetectorRun:
    """What detectors made of pictures.

    Parameters
    ----------
    faces : tuple of DetectedFace
    seconds : mapping of str to float
        By detector, for all pictures together.
    others : mapping of str to int
        By detector, detections that belong to no annotated face: false alarms, and people whom
        nobody annotated.
    pictures : int
    """

    faces: tuple[DetectedFace, ...]
    seconds: Mapping[str, float]
    others: Mapping[str, int]
    pictures: int


def run_detectors(
    detectors: Mapping[str, Detector],
    records: Iterable[ImageRecord],
    turns: Sequence[float] = (0.0,),
    predictor: Any | None = None,
    problems: Problems | None = None,
) -> DetectorRun:
    """Run detectors by turns over the same pictures, in one thread.

    Parameters
    ----------
    detectors : mapping of str to Detector
    records : iterable of ImageRecord
    turns : sequence of float
        Degrees by which each picture is turned clockwise.
    predictor : dlib.shape_predictor, optional
        One of 68 landmarks. Predicts the landmarks of the faces found, to measure their error.
    problems : Problems, optional
        Takes the pictures that cannot be used; without it the first one raises.

    Raises
    ------
    OptionError
        There is no detector.
    ModelFormatError
        The predictor is of other landmarks.
    """
    if not detectors:
        raise OptionError("there is no detector to measure")
    if predictor is not None:
        require_68_points(predictor, "<predictor>")
    problems = problems if problems is not None else Problems(strict=True)
    faces: list[DetectedFace] = []
    seconds = dict.fromkeys(detectors, 0.0)
    others = dict.fromkeys(detectors, 0)
    pictures = 0
    for record in records:
        try:
            gray = to_gray(read_image(record.path))
        except DataError as error:
            problems.add(error)
            continue
        for turn in turns:
            pictures += 1
            image, matrix = (gray, None) if not turn else turned_back(gray, -turn)
            turned = [
                face
                if matrix is None
                else replace(face, points=face.points @ matrix[:, :2].T + matrix[:, 2], pose=None)
                for face in record.faces
            ]
            answers = {}
            for name, detector in detectors.items():
                start = time.perf_counter()
                answers[name] = detector(image)
                seconds[name] += time.perf_counter() - start
            matched = {name: match_detections(turned, found) for name, found in answers.items()}
            for name, found in answers.items():
                others[name] += len(found) - sum(box is not None for box in matched[name])
            poses = face_poses(record.faces)
            for index, face in enumerate(turned):
                hits = {name: boxes[index] for name, boxes in matched.items()}
                errors = {}
                if predictor is not None:
                    for name, box in hits.items():
                        hit = next((d for d in answers[name] if d.box == box), None)
                        if hit is not None:
                            nme = _error(predictor, image, hit, face.points)
                            if np.isfinite(nme):
                                errors[name] = nme
                span = np.ptp(face.points[face.given], axis=0) if face.given.any() else [0.0]
                faces.append(
                    DetectedFace(
                        float(poses[index][0]),
                        float(poses[index][2]),
                        float(np.max(span)),
                        turn,
                        {name: box is not None for name, box in hits.items()},
                        errors,
                    )
                )
    return DetectorRun(tuple(faces), seconds, others, pictures)


def _error(predictor: Any, image: Image, detection: Detection, truth: FloatArray) -> float:
    points = LandmarkStage(predictor)(image, detection)
    return float(normalised_mean_errors(points[np.newaxis], truth[np.newaxis])[0])


def false_alarms(
    detectors: Mapping[str, Detector], pictures: Iterable[Image]
) -> tuple[dict[str, int], int]:
    """Detections on pictures without a face, by detector, and the number of pictures."""
    alarms = dict.fromkeys(detectors, 0)
    count = 0
    for picture in pictures:
        count += 1
        for name, detector in detectors.items():
            alarms[name] += len(detector(picture))
    return alarms, count


Part = tuple[str, Callable[[DetectedFace], float], tuple[float, ...]]

PARTS: tuple[Part, ...] = (
    ("|yaw|", lambda face: abs(face.yaw), (0, 15, 30, 45, 180)),
    ("|roll|", lambda face: abs(face.roll), (0, 10, 20, 180)),
    ("size, px", lambda face: face.size, (0, 80, 120, 200, 10_000)),
)
"""Quantities by which recall is told, and the limits of their classes."""
