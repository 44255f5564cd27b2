"""What the benchmark shows its methods: annotated faces with their boxes, and one-face frames."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import skimage.data

from efld_dlib.boxes import Box, FloatArray
from efld_dlib.detection.detectors import FrontalDetector
from efld_dlib.detection.framing import match_detections
from efld_dlib.errors import DataError, OptionError, Problems
from efld_dlib.images import Image, read_image, to_gray
from efld_dlib.parallel import parallel_map, progress, resolve_jobs
from efld_dlib.records import ImageRecord

# scikit-image's astronaut, a photograph of 512 x 512 pixels, and the box that dlib's detector
# gives its face.
_FACE = Box(179, 83, 88, 88)

FACE_SHARE = 0.45
"""Height of the face box in a one-face frame, as a fraction of the frame's: as at a webcam."""


@dataclass(frozen=True)
class BenchmarkFace:
    """An annotated face of the test set.

    Parameters
    ----------
    path : Path
        Its picture.
    truth : array, shape (68, 2)
    box : Box, or None
        What dlib's frontal detector gives; None = it misses the face.
    """

    path: Path
    truth: FloatArray
    box: Box | None


def find_faces(
    records: Iterable[ImageRecord],
    limit: int | None = None,
    jobs: int | None = None,
    problems: Problems | None = None,
    show_progress: bool = False,
) -> list[BenchmarkFace]:
    """The annotated faces and the detector's boxes, which all methods share.

    Parameters
    ----------
    records : iterable of ImageRecord
    limit : int, optional
        At most so many faces, from pictures spread evenly over the records.
    jobs : int, optional
        Number of processes; by default one a core.
    problems : Problems, optional
        Takes the pictures that cannot be used; without it the first one raises.

    Raises
    ------
    DataError
        There is no annotated face.
    OptionError
        The limit or the number of processes is below 1.
    """
    problems = problems if problems is not None else Problems(strict=True)
    if limit is not None and limit < 1:
        raise OptionError(f"the limit must be at least 1 face, not {limit}")
    listed = [record for record in records if record.faces]
    if limit is not None and limit < len(listed):
        listed = [listed[index * len(listed) // limit] for index in range(limit)]
    jobs = resolve_jobs(jobs)
    outcomes = progress(parallel_map(_find, listed, jobs), len(listed), "detecting", show_progress)
    faces: list[BenchmarkFace] = []
    for outcome in outcomes:
        if isinstance(outcome, DataError):
            problems.add(outcome)
        else:
            faces.extend(outcome)
    if not faces:
        raise DataError("<benchmark>", "there is no annotated face to measure on")
    return faces[:limit]


def _find(record: ImageRecord) -> list[BenchmarkFace] | DataError:
    try:
        gray = to_gray(read_image(record.path))
    except DataError as error:
        return error
    boxes = match_detections(record.faces, FrontalDetector()(gray))
    return [
        BenchmarkFace(record.path, face.points, box)
        for face, box in zip(record.faces, boxes, strict=True)
    ]


def one_face_frame(width: int, height: int) -> tuple[Image, Box]:
    """A video frame, RGB, with one real face in its middle, and about the detector's box of it.

    Raises
    ------
    OptionError
        The shape is more than twice as wide as high, or upright: the photograph has not so much
        beside the face.
    """
    scale = FACE_SHARE * height / _FACE.height
    corner = np.array(_FACE.center) * scale - [(width - 1) / 2, (height - 1) / 2]
    photograph = skimage.data.astronaut()  # type: ignore[no-untyped-call]
    if (corner < 0).any() or (corner + [width, height] > np.array([512, 512]) * scale).any():
        raise OptionError(f"there is no one-face frame of {width} x {height} pixels")
    matrix = np.array([[scale, 0, -corner[0]], [0, scale, -corner[1]]])
    frame = cv2.warpAffine(photograph, matrix, (width, height), flags=cv2.INTER_CUBIC)
    box = Box(
        _FACE.left * scale - corner[0],
        _FACE.top * scale - corner[1],
        _FACE.width * scale,
        _FACE.height * scale,
    )
    return cast(Image, frame), box
