"""Augmentations: what may be done to a training face so that it stays an honest one.

Each is a small function of a crop, its annotation, a random generator and how the detector frames
faces (`BoxModel`) that gives a new crop and annotation, and leaves those given as they are:
rotation, box scatter, occlusion, out-of-plane turning and the photometric ones. Mirror images are
made by the build itself. Crops are gray, uint8 of shape (height, width), and wider than the final
ones, so that turned and shifted faces keep real surroundings; the annotation is in their pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import cv2
import numpy as np
from numpy.random import Generator

from ..boxes import Box, FloatArray
from ..errors import OptionError
from ..images import Image
from ..landmarks import FACE_68
from ..pose import estimate_pose
from ..records import FaceAnnotation
from .boxes import BoxModel, of_form
from .turn import turn_face

ROTATION = 15.0
"""Standard deviation of `rotate`, in degrees."""

TURN_YAW, TURN_PITCH = 20.0, 10.0
"""Largest changes of `turn`, in degrees."""

TURN_LIMIT = 45.0
"""Yaw in degrees beyond which `turn` leaves a face alone, and which none is turned beyond: the
picture hardly shows what comes into view there."""

TURN_PITCH_LIMIT = 40.0
"""Pitch in degrees that no face is turned beyond."""

LARGEST_PATCH = 0.45
"""Largest side of the patch of `occlude`, as a fraction of the box's width."""

Augmented = tuple[Image, FaceAnnotation]


def require_box(face: FaceAnnotation) -> Box:
    """The face's box, which every face on its way to a crop has; else a `ValueError`."""
    if face.box is None:
        raise ValueError("the face has no box")
    return face.box


def rotate(image: Image, face: FaceAnnotation, rng: Generator, boxes: BoxModel) -> Augmented:
    """Turn in the picture's plane about the face's centre, by a normal of deviation `ROTATION`."""
    box = require_box(face)
    angle = float(np.clip(rng.normal(0, ROTATION), -2.5 * ROTATION, 2.5 * ROTATION))
    # OpenCV counts counterclockwise, the toolkit's roll clockwise.
    matrix = cast(FloatArray, cv2.getRotationMatrix2D(box.center, -angle, 1.0))
    turned = cv2.warpAffine(image, matrix, image.shape[::-1], flags=cv2.INTER_LINEAR)
    points = face.points @ matrix[:, :2].T + matrix[:, 2]
    moved = boxes.follow(box, face.points, points)
    return cast(Image, turned), replace(face, points=points, box=moved)


def scatter_box(image: Image, face: FaceAnnotation, rng: Generator, boxes: BoxModel) -> Augmented:
    """Give the face another box out of those that the detector might have given it."""
    return image, replace(face, box=of_form(boxes.draw(face.points, rng), require_box(face)))


def turn(image: Image, face: FaceAnnotation, rng: Generator, boxes: BoxModel) -> Augmented:
    """Turn out of the picture's plane, further the way that the head is turned already.

    Turning back would have to show the side that the picture hides. The change is uniform up to
    `TURN_YAW` and `TURN_PITCH`; faces of unknown pose or beyond `TURN_LIMIT` stay as they are, and
    so does what has other landmarks than the 68.
    """
    if face.scheme != FACE_68:
        return image, face
    pose = estimate_pose(face.points)
    if not np.isfinite(pose).all() or abs(pose.yaw) >= TURN_LIMIT:
        return image, face
    # Of a face that looks about ahead both sides are to be seen.
    outward = np.sign(pose.yaw) if abs(pose.yaw) > 5 else rng.choice([-1.0, 1.0])
    room = min(TURN_YAW, TURN_LIMIT - abs(pose.yaw))
    yaw = outward * rng.uniform(0, room)
    lowest = max(-TURN_PITCH, min(0.0, -TURN_PITCH_LIMIT - pose.pitch))
    highest = min(TURN_PITCH, max(0.0, TURN_PITCH_LIMIT - pose.pitch))
    pitch = np.clip(rng.uniform(-TURN_PITCH, TURN_PITCH), lowest, highest)
    turned, points = turn_face(image, face.points, pose, yaw, pitch)
    moved = boxes.follow(require_box(face), face.points, points)
    return turned, replace(face, points=points, box=moved)


def occlude(image: Image, face: FaceAnnotation, rng: Generator, boxes: BoxModel) -> Augmented:
    """Cover a part of the face with a patch of another part of the picture, of noise, or plain.

    The patch is a turned rectangle or an ellipse whose sides are up to `LARGEST_PATCH`. The
    covered landmarks are marked as occluded; they stay as targets.
    """
    box = require_box(face)
    height, width = image.shape
    sides = rng.uniform(0.15, LARGEST_PATCH, 2) * box.width
    center = (box.left + rng.uniform(0, 1) * box.width, box.top + rng.uniform(0, 1) * box.height)
    shape = (center, (float(sides[0]), float(sides[1])), float(rng.uniform(0, 180)))
    mask = np.zeros_like(image)
    if rng.random() < 0.5:
        cv2.ellipse(mask, shape, 255, -1)
    else:
        corners = np.rint(cv2.boxPoints(shape)).astype(np.int32)
        cv2.fillConvexPoly(mask, corners, 255)
    covered = mask > 0
    filled = image.copy()
    filled[covered] = _filling(image, rng)[covered]

    cells = np.rint(np.nan_to_num(face.points, nan=-1)).astype(int)
    inside = (cells >= 0).all(axis=1) & (cells < [width, height]).all(axis=1)
    hidden = np.zeros(len(cells), dtype=bool)
    hidden[inside] = covered[cells[inside, 1], cells[inside, 0]]
    before = np.zeros(len(cells), dtype=bool) if face.occluded is None else face.occluded
    return filled, replace(face, occluded=before | hidden)


def _filling(image: Image, rng: Generator) -> Image:
    """What lies over a face: something else of the picture, noise, or a plain shade."""
    kind = rng.integers(3)
    if kind == 0:
        shift = rng.integers(image.shape[0] // 4, 3 * image.shape[0] // 4, 2)
        return np.roll(image, tuple(shift), axis=(0, 1))
    shade = rng.uniform(10, 245)
    noise = rng.normal(0, rng.uniform(5, 50) if kind == 1 else 2, image.shape)
    smooth = cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.5, 3)) * (3 if kind == 1 else 1)
    return cast(Image, np.clip(shade + smooth, 0, 255).astype(np.uint8))


def tone(image: Image, face: FaceAnnotation, rng: Generator, boxes: BoxModel) -> Augmented:
    """Another gamma, contrast and brightness, and light that falls off to one side."""
    values = image.astype(np.float32) / 255
    values = values ** float(np.exp(rng.uniform(-0.5, 0.5)))
    values = (values - 0.5) * rng.uniform(0.6, 1.3) + 0.5 + rng.uniform(-0.15, 0.15)
    rows, columns = np.indices(image.shape, dtype=np.float32)
    direction = rng.uniform(0, 2 * np.pi)
    across = np.cos(direction) * columns + np.sin(direction) * rows
    across = (across - across.mean()) / np.ptp(across)
    values = values * (1 + rng.uniform(0, 0.8) * across)
    return np.clip(values * 255, 0, 255).astype(np.uint8), face


def degrade(image: Image, face: FaceAnnotation, rng: Generator, boxes: BoxModel) -> Augmented:
    """A picture of lower quality: fewer pixels, blur, noise or strong JPEG compression."""
    kind = rng.integers(4)
    if kind == 0:
        factor = rng.uniform(0.2, 0.7)
        size = image.shape[::-1]
        small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        changed = cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)
    elif kind == 1:
        changed = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.7, 3))
    elif kind == 2:
        noisy = image + rng.normal(0, rng.uniform(3, 15), image.shape)
        changed = np.clip(noisy, 0, 255).astype(np.uint8)
    else:
        quality = int(rng.integers(10, 50))
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        changed = cast(Image, cv2.imdecode(data, cv2.IMREAD_GRAYSCALE))
    return cast(Image, changed), face


@dataclass(frozen=True)
class Step:
    """An augmentation and the probability with which a sample undergoes it."""

    name: str
    probability: float


# In the order in which they are applied: the head turns, the detector frames it, something gets in
# the way, the camera records it.
AUGMENTATIONS: dict[str, Callable[..., Augmented]] = {
    "turn": turn,
    "rotate": rotate,
    "scatter": scatter_box,
    "occlude": occlude,
    "tone": tone,
    "degrade": degrade,
}

PRESETS = {
    "none": "",
    # What helped in docs/ablation.md; occlusion and box scatter did not.
    "default": "turn:0.3,rotate:0.5,tone:0.5,degrade:0.5",
    "rotate": "rotate",
    "scatter": "scatter",
    "occlude": "occlude:0.5",
    "photometric": "tone:0.5,degrade:0.5",
    "turn": "turn:0.7",
    # The paper's own: rotation and occlusion (flipping is an option of the build).
    "paper": "rotate,occlude:0.3",
    "all": "turn:0.4,rotate,scatter,occlude:0.3,tone:0.4,degrade:0.3",
}
DEFAULT_AUGMENTATION = "default"


def parse_augmentation(text: str) -> tuple[Step, ...]:
    """Steps of a preset, or of single ones: ``rotate,occlude:0.3`` (name and probability).

    Raises
    ------
    OptionError
        A name is unknown, or a probability is not between 0 and 1.

    Examples
    --------
    The order is that in which they are applied, whatever is said.

    >>> for step in parse_augmentation("occlude:0.3,rotate"):
    ...     print(step)
    Step(name='rotate', probability=1.0)
    Step(name='occlude', probability=0.3)
    """
    if text == "none":
        return ()
    steps = []
    for item in PRESETS.get(text, text).split(","):
        name, _, number = item.strip().partition(":")
        if name not in AUGMENTATIONS:
            raise OptionError(
                f"there is no augmentation '{name}'; choose a preset ({', '.join(PRESETS)}) or "
                f"steps ({', '.join(AUGMENTATIONS)}), each with an optional :probability"
            )
        try:
            probability = float(number) if number else 1.0
        except ValueError:
            probability = -1.0
        if not 0 <= probability <= 1:
            raise OptionError(f"probability of {item.strip()!r} must be between 0 and 1")
        steps.append(Step(name, probability))
    order = list(AUGMENTATIONS)
    return tuple(sorted(steps, key=lambda step: order.index(step.name)))


def augment(
    image: Image, face: FaceAnnotation, rng: Generator, steps: tuple[Step, ...], boxes: BoxModel
) -> Augmented:
    """Apply `steps`, each with its probability, to a crop and its annotation.

    Parameters
    ----------
    image : array of uint8, shape (height, width)
        A gray crop, wider than the face.
    face : FaceAnnotation
        With its box, in pixels of the crop.
    rng : Generator
    steps : tuple of Step
    boxes : BoxModel
        How the detector frames faces.

    Returns
    -------
    image, face
        The input is left as it was.
    """
    for step in steps:
        if rng.random() < step.probability:
            image, face = AUGMENTATIONS[step.name](image, face, rng, boxes)
    return image, face
