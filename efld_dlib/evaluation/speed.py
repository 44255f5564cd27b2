"""How fast faces and landmarks are found in frames, against dlib with a predictor file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from ..annotation import Box, FaceAnnotation, ImageRecord
from ..backend import load_dlib
from ..detection.detectors import Detection, FrontalDetector, Upsample
from ..detection.landmark_stage import Quality
from ..detection.landmarker import FaceLandmarker
from ..detection.matching import match_detections
from ..errors import DataError, ModelFormatError, Problems
from ..images import Image, read_image, to_gray
from .benchmark_timing import in_turn
from .peers.dlib_file import plain_points
from .tables import Table, number

Pipeline = Callable[[Image], list[Box]]
"""From an RGB frame to the boxes of the faces, whose landmarks it has predicted."""

WITH, WITHOUT = "with a face", "without"


@dataclass(frozen=True)
class Frame:
    """An RGB picture, and the faces in it; none where there is no face."""

    image: Image
    faces: tuple[FaceAnnotation, ...] = ()


@dataclass(frozen=True)
class SpeedRun:
    """What pipelines made of the frames.

    Parameters
    ----------
    seconds : mapping of str to mapping of str to list of float
        By kind of frame and name, the time of each frame.
    missed, others : mapping of str to int
        By name, annotated faces that were not found, and detections that belong to none of them.
    faces : int
    """

    seconds: Mapping[str, Mapping[str, Sequence[float]]]
    missed: Mapping[str, int]
    others: Mapping[str, int]
    faces: int


def dlib_pipeline(predictor: Path, upsample: Upsample) -> Pipeline:
    """The frontal detector of dlib and a predictor file, as a script of dlib's users has it.

    Raises
    ------
    ModelFormatError
        dlib cannot read the file.
    """
    dlib = load_dlib()
    detector = FrontalDetector(upsample)
    try:
        shape: Any = dlib.shape_predictor(str(predictor))
    except RuntimeError as error:
        raise ModelFormatError(predictor, "is no shape predictor that dlib can read") from error

    def run(image: Image) -> list[Box]:
        gray = to_gray(image)
        boxes = [found.box for found in detector(gray)]
        for box in boxes:
            plain_points(shape, dlib.rectangle, gray, box)
        return boxes

    return run


def own_pipeline(
    model: Path | None, quality: Quality, min_face: float | str | None = None
) -> Pipeline:
    """The toolkit's, with landmarks and pose."""
    landmarker = FaceLandmarker(model, quality=quality, min_face=min_face)
    return lambda image: [face.box for face in landmarker.detect(image, "rgb")]


def fitted(image: Image, faces: Sequence[FaceAnnotation], size: tuple[int, int] | None) -> Frame:
    """A picture scaled to fit into a frame of (width, height) pixels, black around it.

    Without a size it stays as it is. The faces' landmarks go along, their boxes do not.
    """
    if size is None:
        return Frame(image, tuple(faces))
    height, width = image.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    inside = max(1, round(width * scale)), max(1, round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cast(Image, cv2.resize(image, inside, interpolation=how))
    left, top = (size[0] - inside[0]) // 2, (size[1] - inside[1]) // 2
    frame = np.zeros((size[1], size[0], *image.shape[2:]), np.uint8)
    frame[top : top + inside[1], left : left + inside[0]] = small
    steps = np.array([inside[0] / width, inside[1] / height])
    # Pixel centres.
    moved = [
        replace(face, points=(face.points + 0.5) * steps - 0.5 + [left, top]) for face in faces
    ]
    return Frame(frame, tuple(moved))


def frames_of(
    records: Iterable[ImageRecord], size: tuple[int, int] | None, problems: Problems
) -> Iterable[Frame]:
    """The annotated pictures as frames of (width, height) pixels, or as they are without a size.

    Those that cannot be read are told to `problems`.
    """
    for record in records:
        try:
            image = read_image(record.path)
        except DataError as error:
            problems.add(error)
            continue
        yield fitted(image, record.faces, size)


def run_speed(pipelines: Mapping[str, Pipeline], frames: Iterable[Frame]) -> SpeedRun:
    """Run pipelines by turns on each frame.

    Which of them begins changes from frame to frame.
    """
    names = list(pipelines)
    seconds: dict[str, dict[str, list[float]]] = {
        kind: {name: [] for name in names} for kind in (WITH, WITHOUT)
    }
    missed, others, faces = dict.fromkeys(names, 0), dict.fromkeys(names, 0), 0
    for turn, frame in enumerate(frames):
        if not turn:
            # What is loaded or made at the first call is not to be measured.
            for name in names:
                pipelines[name](frame.image)
        faces += len(frame.faces)
        for name in in_turn(names, turn):
            began = time.perf_counter()
            boxes = pipelines[name](frame.image)
            seconds[WITH if frame.faces else WITHOUT][name].append(time.perf_counter() - began)
            matched = match_detections(frame.faces, [Detection(box, 0.0) for box in boxes])
            hits = sum(box is not None for box in matched)
            missed[name] += len(matched) - hits
            others[name] += len(boxes) - hits
    return SpeedRun(seconds, missed, others, faces)


def speed_table(run: SpeedRun, title: str) -> Table:
    """Faces missed, times, and frame rates over that of the first pipeline."""
    kinds = [kind for kind in (WITH, WITHOUT) if any(run.seconds[kind].values())]
    names = list(run.missed)
    rows = []
    for name in names:
        cells = [str(run.missed[name]), str(run.others[name])]
        for kind in kinds:
            times, first = np.array(run.seconds[kind][name]), np.array(run.seconds[kind][names[0]])
            cells += [
                number(1000 * float(np.median(times)), 1),
                number(float(np.median(first / times))),
            ]
        rows.append((name, *cells))
    header = ["pipeline", "missed", "others"]
    for kind in kinds:
        count = len(run.seconds[kind][names[0]])
        header += [f"ms, {count} frames {kind}", f"frame rate {kind}"]
    note = (
        f"Missed: of {run.faces} annotated faces. Others: detections that belong to none of them.\n"
        "From an RGB frame in memory to landmarks, one thread; pipelines by turns on each frame. "
        "Medians; a frame rate is the median over the frames of the first pipeline's time over "
        "this one's."
    )
    return Table(title, tuple(header), tuple(rows), note)
