"""The faces that a detector is trained on: cut out once, and turned to the pose that is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from ...annotation import Box, FloatArray, ImageRecord, Pose
from ...datasets.split import choose_photographs
from ...detection.frame import BoxMap
from ...errors import DataError, OptionError, Problems
from ...images import Image, canonical_crop, read_image, to_gray
from ...parallel import parallel_map, progress
from ...pose import face_poses, mirror_pose
from ...prepare.faces import TrainingFace, boxed_faces
from ...prepare.turn import MAX_YAW_CHANGE, turn_face
from ...scheme import mirror_points

FACE_SIZE = 80
CONTEXT = 1.2
"""Of the pictures that are kept of each face: they bear being turned and shifted."""

MAX_YAW = 85.0
MAX_BORDER = 0.8
"""How far the picture's edge is drawn out where a face stands near it, in widths of its box."""


@dataclass(frozen=True)
class DetectorFace:
    """A face with its surroundings.

    Parameters
    ----------
    image : array of uint8, shape (n, n)
        Gray; the face's box, in the framing of dlib's frontal detector, lies in its middle.
    points : array, shape (68, 2)
        Landmarks in pixels of `image`; NaN = not annotated.
    pose : Pose
    photograph : str
    held_out : bool
        Whether its photograph is kept for measuring.
    """

    image: Image
    points: FloatArray
    pose: Pose
    photograph: str
    held_out: bool


def detector_faces(
    records: Sequence[ImageRecord],
    cache: Path,
    jobs: int,
    problems: Problems,
    validation: float = 0.1,
    seed: int = 1,
    show_progress: bool = False,
) -> tuple[list[DetectorFace], BoxMap]:
    """Faces to train on and faces held out, and the frame that their boxes follow.

    Parameters
    ----------
    records : sequence of ImageRecord
        Pictures with 68 landmarks.
    cache : Path
        As in `prepare.faces.boxed_faces`.
    jobs : int
    problems : Problems
    validation, seed
        What is held out: the same photographs as by `prepare` with the same numbers.
    show_progress : bool
    """
    faces, _, model = boxed_faces(records, cache, jobs, problems, show_progress)
    poses = face_poses([face.annotation for face in faces])
    rng = np.random.default_rng(seed)
    held_out = choose_photographs([face.photograph for face in faces], validation, rng)
    known = [index for index in range(len(faces)) if np.isfinite(poses[index]).all()]
    cut = partial(_cut, frame=model.frame)
    shown = progress(
        parallel_map(cut, [faces[index] for index in known], jobs),
        len(known),
        "cutting",
        show_progress,
    )
    return [
        DetectorFace(
            image,
            points,
            Pose(*poses[index].tolist()),
            faces[index].photograph,
            faces[index].photograph in held_out,
        )
        for index, (image, points) in zip(known, shown, strict=True)
    ], model.frame


def _cut(face: TrainingFace, frame: BoxMap) -> tuple[Image, FloatArray]:
    gray = to_gray(read_image(face.path))
    points = face.annotation.points
    box = frame.predict(points)
    border = round(MAX_BORDER * box.width)
    gray = cv2.copyMakeBorder(gray, border, border, border, border, cv2.BORDER_REPLICATE).astype(
        np.uint8, copy=False
    )
    box = box._replace(left=box.left + border, top=box.top + border)
    crop = canonical_crop(gray, box, FACE_SIZE, CONTEXT)
    return crop.image, crop.from_photograph(points + border)


def turned_to(face: DetectorFace, yaw: float) -> DetectorFace:
    """The face turned, mirrored if need be, as far towards a yaw in degrees as it bears."""
    if face.pose.yaw * yaw < 0:
        face = mirrored(face)
    change = float(np.clip(yaw - face.pose.yaw, -MAX_YAW_CHANGE, MAX_YAW_CHANGE))
    if change * yaw <= 0:
        return face
    try:
        image, points = turn_face(face.image, face.points, change, 0.0, max_yaw=MAX_YAW)
    except (DataError, OptionError):
        return face
    pose = face.pose._replace(yaw=face.pose.yaw + change)
    return DetectorFace(image, points, pose, face.photograph, face.held_out)


def mirrored(face: DetectorFace) -> DetectorFace:
    """The face's mirror image."""
    image = np.ascontiguousarray(face.image[:, ::-1])
    points = mirror_points(face.points, image.shape[1])
    return DetectorFace(image, points, mirror_pose(face.pose), face.photograph, face.held_out)


def turning(degrees: float) -> FloatArray:
    """Matrix, shape (2, 2), that turns columns of x and y clockwise in the picture."""
    angle = np.radians(degrees)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def upright_box(points: FloatArray, frame: BoxMap, roll: float) -> Box:
    """The frame's box of a face that is turned by `roll` degrees in the picture.

    It is the box that the face has in the picture turned upright; its centre is given in the
    picture as it is.
    """
    back = turning(-roll)
    box = frame.predict(points @ back.T)
    center = np.array(box.center) @ back
    half = (box.width - 1) / 2
    return Box(float(center[0] - half), float(center[1] - half), box.width, box.width)
