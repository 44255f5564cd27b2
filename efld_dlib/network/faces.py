"""The faces that the networks are trained on: cut out once, with box, landmarks and pose."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from ..boxes import FloatArray
from ..datasets.split import group_of, is_held_out
from ..detection.framing import is_half, true_box
from ..errors import DataError, Problems
from ..images import IMAGE_SUFFIXES, Image, read_image, to_gray
from ..parallel import parallel_map, progress
from ..pose import face_poses
from ..prepare.rarity import Weighting, weigh
from ..records import ImageRecord

LARGEST_FACE = 128.0
"""Width in pixels to which the box of a larger face is reduced: what a scene shows larger is
enlarged again, and the pictures of a training fit into 4 GB."""

SURROUNDINGS = 2.2
"""Picture kept on each side of a face's centre, in widths of its box."""

HALF_FACE_YAW = 70.0
"""Least size of the yaw, in degrees, of a face half hidden by the head: the mean face,
fitted to the other half alone, looks less turned than such heads are."""

LARGEST_GROUND = 640
"""Longer side in pixels to which a larger picture without a face is reduced."""


@dataclass(frozen=True, eq=False)
class SceneFace:
    """A face in a `Picture`.

    Parameters
    ----------
    box : array, shape (3,)
        Centre (x, y) and width in pixels of the square box in which dlib's frontal detector would
        frame the face turned upright.
    points : array, shape (68, 2)
        Landmarks in pixels; NaN where they are not annotated.
    pose : array, shape (3,)
        Yaw, pitch and roll in degrees; NaN where the landmarks do not tell.
    weight : float
        By the rarity of its pose, at least 1.
    """

    box: FloatArray
    points: FloatArray
    pose: FloatArray
    weight: float


@dataclass(eq=False)
class Picture:
    """A face with its surroundings.

    Parameters
    ----------
    image : array of uint8, shape (height, width)
        Gray.
    faces : tuple of SceneFace
        The face in its middle comes first; others that are annotated follow.
    path : Path
        The file that it was cut from.
    held_out : bool
        Whether its person or photograph is kept for measuring.
    trusted : bool
        Whether its landmarks are used more often, see `cut_faces`.
    ignored : list of array, each of shape (3,)
        Boxes of what is probably a face that nobody annotated: neither a face nor background.
    known : bool
        Whether such faces have been searched for yet.
    """

    image: Image
    faces: tuple[SceneFace, ...]
    path: Path
    held_out: bool
    trusted: bool = False
    ignored: list[FloatArray] = field(default_factory=list)
    known: bool = False


def cut_faces(
    records: Sequence[ImageRecord],
    fraction: float,
    seed: int,
    jobs: int,
    problems: Problems,
    show_progress: bool = False,
    trusted: int = 0,
) -> list[Picture]:
    """The annotated faces of pictures, each cut out with its surroundings.

    Parameters
    ----------
    records : sequence of ImageRecord
        With the 68 landmarks.
    fraction, seed
        Part of the persons and photographs that is held out, see `is_held_out`.
    jobs : int
    problems : Problems
        Takes the pictures that cannot be read.
    show_progress : bool
    trusted : int
        How many of the first records have landmarks that were all set by hand.

    Raises
    ------
    DataError
        There is no usable face.
    """
    annotations = [face for record in records for face in record.faces]
    poses = face_poses(annotations)
    weights = weigh(annotations, Weighting())
    each = zip(annotations, poses, weights, strict=True)
    items = []
    for number, record in enumerate(records):
        faces = []
        for _ in record.faces:
            face, pose, weight = next(each)
            box = true_box(face, float(pose[2]))
            if box is not None:
                if is_half(face):
                    pose[0] = math.copysign(max(abs(pose[0]), HALF_FACE_YAW), pose[0])
                center = np.array([*box.center, box.width])
                faces.append(SceneFace(center, face.points, pose, float(weight)))
        if faces:
            held_out = is_held_out(group_of(record), fraction, seed)
            items.append((record.path, faces, held_out, number < trusted))
    pictures: list[Picture] = []
    cut = parallel_map(_cut, items, jobs, chunk=32)
    for outcome in progress(cut, len(items), "cutting faces", show_progress):
        if isinstance(outcome, DataError):
            problems.add(outcome)
        else:
            pictures += outcome
    if not pictures:
        raise DataError("<training data>", "there is no usable face")
    return pictures


def _cut(item: tuple[Path, list[SceneFace], bool, bool]) -> list[Picture] | DataError:
    path, faces, held_out, trusted = item
    try:
        image = to_gray(read_image(path))
    except DataError as error:
        return error
    pictures = []
    for face in faces:
        x, y, width = face.box
        reach = SURROUNDINGS * width
        height, columns = image.shape
        left, top = max(0, int(x - reach)), max(0, int(y - reach))
        right, bottom = min(columns, int(x + reach) + 1), min(height, int(y + reach) + 1)
        if right - left < 2 or bottom - top < 2:
            continue
        scale = min(1.0, LARGEST_FACE / width)
        part = np.ascontiguousarray(image[top:bottom, left:right])
        if scale < 1:
            part = _reduced(part, scale)
        offset = np.array([left, top])
        others = [face, *(other for other in faces if other is not face)]
        moved = tuple(_moved(each, offset, scale) for each in others)
        pictures.append(Picture(part, moved, path, held_out, trusted))
    return pictures


def _reduced(image: Image, scale: float) -> Image:
    size = max(2, round(image.shape[1] * scale)), max(2, round(image.shape[0] * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _moved(face: SceneFace, offset: FloatArray, scale: float) -> SceneFace:
    # Pixel centres: x_small = (x + 0.5) * scale - 0.5.
    center = (face.box[:2] - offset + 0.5) * scale - 0.5
    points = (face.points - offset + 0.5) * scale - 0.5
    return SceneFace(np.array([*center, face.box[2] * scale]), points, face.pose, face.weight)


def read_grounds(folder: Path, problems: Problems) -> dict[str, Image]:
    """Pictures without a face, in gray, by file name.

    Parameters
    ----------
    folder : path
        With the pictures; what is in folders below it counts too.
    problems : Problems
        Takes those that cannot be read.

    Raises
    ------
    DataError
        There is no picture.
    """
    grounds = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in IMAGE_SUFFIXES:
            with problems.skipping():
                image = to_gray(read_image(path))
                scale = LARGEST_GROUND / max(image.shape)
                name = path.relative_to(folder).as_posix()
                grounds[name] = image if scale >= 1 else _reduced(image, scale)
    if not grounds:
        raise DataError(folder, "holds no picture without a face")
    return grounds
